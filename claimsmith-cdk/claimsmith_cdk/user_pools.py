"""Gives user pools their pre token generation trigger: pools of this app, L1 resources, and pools that are imported."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

from aws_cdk import Annotations, Aws, CfnElement, Stack, Token
from aws_cdk import aws_cognito as cognito
from aws_cdk import aws_lambda as lambda_

from claimsmith_cdk.pool_settings import problems
from claimsmith_cdk.props import PropsError
from claimsmith_cdk.template_check import check_templates
from claimsmith_cdk.templates import Resource

if TYPE_CHECKING:
    from constructs import Construct

    from claimsmith_cdk.templates import Templates

#: A user pool, however it came into the app.
AnyUserPool: TypeAlias = cognito.IUserPool | cognito.CfnUserPool

TriggerVersion = Literal["V2_0", "V3_0"]

#: How a pool gets its trigger: by its own template, by a custom resource, or not at all here.
Attach = Literal["template", "resource", "none"]

_VERSIONS = {"V2_0": cognito.LambdaVersion.V2_0, "V3_0": cognito.LambdaVersion.V3_0}
_CONFIGURED = "LambdaConfig.PreTokenGenerationConfig"
_PERMISSION = "ClaimsmithInvoke"


def user_pool_id(pool: AnyUserPool) -> str:
    """The id of a pool."""
    return pool.attr_user_pool_id if isinstance(pool, cognito.CfnUserPool) else pool.user_pool_id


def user_pool_arn(pool: AnyUserPool) -> str:
    """The ARN of a pool."""
    return pool.attr_arn if isinstance(pool, cognito.CfnUserPool) else pool.user_pool_arn


def user_pool_issuer(pool: AnyUserPool) -> str:
    """``iss`` of a pool's tokens: its ORIGINAL issuer, in its own Region."""
    region = Aws.REGION if isinstance(pool, cognito.CfnUserPool) else pool.env.region
    return f"https://cognito-idp.{region}.{Aws.URL_SUFFIX}/{user_pool_id(pool)}"


def check_pool(pool: object) -> None:
    """Refuse what is no user pool, such as its id.

    Raises:
        PropsError: it is none.
    """
    if not isinstance(pool, cognito.CfnUserPool) and not hasattr(pool, "user_pool_arn"):
        raise PropsError(f"{pool!r} is no user pool; use a cognito.UserPool, CfnUserPool, or an imported one.")


def check_place(scope: Construct, pool: AnyUserPool, why: str, *, possible: bool = False) -> None:
    """Refuse a pool of another account or Region than a construct's stack; what is not known yet is accepted.

    Args:
        scope: the construct.
        pool: the pool.
        why: what needs one of the same, before "create it in a stack of the pool's account and Region".
        possible: something outside of the app may make it right, so that this is a warning.

    Raises:
        PropsError: the pool is elsewhere.
    """
    here, there = Stack.of(scope), Stack.of(pool) if isinstance(pool, cognito.CfnUserPool) else pool.env
    for what, its, own in (("account", there.account, here.account), ("Region", there.region, here.region)):
        if its != own and not Token.is_unresolved(its) and not Token.is_unresolved(own):
            message = (
                f"{pool.node.path} is in the {what} {its}, and {here.stack_name} in {own}. {why} create it in a stack "
                f"of the pool's account and Region: Stack(app, ..., env=Environment(account=..., region=...))."
            )
            if not possible:
                raise PropsError(message)
            Annotations.of(scope).add_warning_v2(f"claimsmith:place:{pool.node.path}", message)
            return
    # No id is one that is not known yet, nor the text that stands for it until the CDK has looked a parameter up.
    pool_id = re.fullmatch("([a-z0-9-]+)_[A-Za-z0-9]+", user_pool_id(pool))
    home = here.region if pool_id is None else pool_id[1]
    if home != here.region and not Token.is_unresolved(here.region):
        Annotations.of(scope).add_warning_v2(
            f"claimsmith:region:{pool.node.path}",
            f"{pool.node.path} is imported as a pool of {here.region}, but its id names {home}: right for a replica "
            "only. Otherwise this belongs into a stack of the pool's Region.",
        )


def attachment_of(pool: AnyUserPool, attach: Attach | None) -> Attach:
    """How a pool gets its trigger, by default by its template where it has one in this app.

    Raises:
        PropsError: it is no pool, or an imported one has no template here.
    """
    if isinstance(pool, cognito.UserPool | cognito.CfnUserPool):
        return attach or "template"
    check_pool(pool)
    if attach == "template":
        raise PropsError(
            "attach='template' is not possible for an imported user pool: its template is not in this app, and "
            "CloudFormation changes only what it created. Leave attach out and attach the trigger by command, or use "
            "attach='resource'."
        )
    return attach or "none"


def attach_by_template(
    pool: AnyUserPool, trigger: lambda_.Function, version: TriggerVersion, *, called: lambda_.IFunction
) -> None:
    """Set the trigger in the template of a pool of this app, and check the finished template.

    It must not make the trigger refer to the pool: the pool refers to it, which would be a cycle.

    Args:
        pool: the pool.
        trigger: the function. The pool may call it even while it calls an alias, so that it can go back.
        version: of the events.
        called: what the pool calls: the function, or an alias of it.

    Raises:
        PropsError: the pool has another pre token generation trigger.
    """
    if isinstance(pool, cognito.UserPool):
        pool.add_trigger(cognito.UserPoolOperation.PRE_TOKEN_GENERATION_CONFIG, trigger, _VERSIONS[version])
        permission = pool.node.find_child("PreTokenGenerationConfigCognito")
        assert isinstance(permission, lambda_.CfnPermission)  # noqa: S101 - created by add_trigger
        permission.source_account = Aws.ACCOUNT_ID
        if called is not trigger:
            resource = cast("cognito.CfnUserPool", pool.node.default_child)
            resource.add_property_override(f"{_CONFIGURED}.LambdaArn", called.function_arn)
    else:
        resource = cast("cognito.CfnUserPool", pool)
        _refuse_other_trigger(resource, trigger)
        # An override, because it leaves the other triggers as they are.
        resource.add_property_override(_CONFIGURED, {"LambdaArn": called.function_arn, "LambdaVersion": version})
        allow(resource, resource, trigger)
    element = _element(cast("Construct", pool))
    check_templates(
        element.stack,
        "user-pool",
        lambda templates: problems(
            templates, _resource(templates, element), _resource(templates, _element(trigger)), version
        ),
    )


def allow(scope: Construct, pool: AnyUserPool, trigger: lambda_.Function | lambda_.Alias) -> lambda_.CfnPermission:
    """Allow one pool of this account to invoke the trigger, or an alias of it."""
    name = _PERMISSION + ("Live" if isinstance(trigger, lambda_.Alias) else "")
    return lambda_.CfnPermission(
        scope,
        name if scope is pool else f"{name}{pool.node.addr[-8:]}",
        action="lambda:InvokeFunction",
        function_name=trigger.function_arn,
        principal="cognito-idp.amazonaws.com",
        source_account=Aws.ACCOUNT_ID,
        source_arn=user_pool_arn(pool),
    )


def _refuse_other_trigger(pool: cognito.CfnUserPool, trigger: lambda_.Function) -> None:
    settings: dict[str, Any] = Stack.of(pool).resolve(pool.lambda_config) or {}
    ours = Stack.of(pool).resolve(trigger.function_arn)
    configured = settings.get("preTokenGenerationConfig")
    if configured and configured.get("lambdaArn") != ours:
        raise PropsError(
            f"{pool.node.path} has a pre token generation trigger already: preTokenGenerationConfig of its "
            "lambda_config. A pool has one; remove it, or give the pool no ClaimCustomizer."
        )
    if settings.get("preTokenGeneration") not in (None, ours):
        raise PropsError(
            f"{pool.node.path} has a pre token generation trigger of version V1_0 already: preTokenGeneration of its "
            "lambda_config. Cognito accepts one of each version only as the same function; remove it."
        )


def _element(construct: Construct) -> CfnElement:
    """The one resource that a construct creates, or is."""
    element = construct if isinstance(construct, CfnElement) else construct.node.default_child
    assert isinstance(element, CfnElement)  # noqa: S101 - a UserPool and a Function have one
    return element


def _resource(templates: Templates, element: CfnElement) -> Resource:
    """The same resource in the finished templates."""
    (template,) = [found for found in (*templates.own, *templates.others) if found.stack == element.stack.node.path]
    return Resource(template, element.stack.resolve(element.logical_id))
