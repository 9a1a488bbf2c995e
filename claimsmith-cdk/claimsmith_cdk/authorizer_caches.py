"""Synth fails unless the cache key of an authorizer has everything that its answers depend on.

Reads the finished templates: an authorizer that is changed by an override, written as a generic resource or in an
OpenAPI document is found too, and so is one whose cache is on because AWS turns it on by default (300 seconds).
Anything that cannot be read is refused.

Synth does not know the rows, which name the header of the tenant. The function behind the authorizer does; so it gets
the cache key, and gives no answer that would open another request.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import jsii
from aws_cdk import Aspects, IAspect, Stack
from aws_cdk import aws_apigatewayv2 as http
from aws_cdk import aws_lambda as lambda_

from claimsmith.environment import AUTHORIZER_CACHED_BY
from claimsmith_cdk.authorizers import caching_authorizers, unreadable_resources
from claimsmith_cdk.template_check import check_templates
from claimsmith_cdk.templates import mapping, possible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from constructs import IConstruct

    from claimsmith_cdk.authorizers import CachingAuthorizer
    from claimsmith_cdk.template_check import Findings
    from claimsmith_cdk.templates import Resource, Templates

_AUTHORIZATION: Final = "$request.header.authorization"
_ROUTE: Final = "$context.routeKey"
_METHOD: Final = "$context.httpMethod"
_PATH: Final = "$context.path"

#: The key of a route for any method and path.
_ANY: Final = "$default"

#: The handler of this project's authorizer. Those of others in the same stack are not judged.
_HANDLER: Final = "lambdas.verifier.authorizer.handler"


def check_authorizer_caches(stack: Stack) -> None:
    """Give the functions behind a stack's caching authorizers the cache key, and fail the synth if it is incomplete."""
    Aspects.of(stack).add(_SetCacheKeys(stack))
    check_templates(stack, "authorizer-caches", problems)


@jsii.implements(IAspect)
class _SetCacheKeys:
    """Sets the cache key in functions, as far as it is known from constructs; the check reads finished templates."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    def visit(self, node: IConstruct) -> None:
        """Set the cache key in a function. By an override, since its other variables cannot be read here."""
        if not isinstance(node, lambda_.CfnFunction):
            return
        called = self._called(node)
        for authorizer in self._stack.node.find_all():
            if (
                isinstance(authorizer, http.CfnAuthorizer)
                and authorizer.authorizer_type == "REQUEST"
                and authorizer.authorizer_payload_format_version is not None
                and authorizer.authorizer_result_ttl_in_seconds != 0
                and any(arn in json.dumps(self._stack.resolve(authorizer.authorizer_uri)) for arn in called)
            ):
                key = ",".join(authorizer.identity_source or ())
                node.add_property_override(f"Environment.Variables.{AUTHORIZER_CACHED_BY}", key)

    def _called(self, function: lambda_.CfnFunction) -> list[str]:
        """The references by which a function is called: its own, and those of its aliases."""
        name = self._stack.resolve(function.ref)
        aliases = [
            found.ref
            for found in self._stack.node.find_all()
            if isinstance(found, lambda_.CfnAlias) and self._stack.resolve(found.function_name) == name
        ]
        return [json.dumps(self._stack.resolve(reference)) for reference in (function.attr_arn, *aliases)]


def problems(templates: Templates) -> Findings:
    """Findings about the caches of authorizers: of all in the stack, and of those elsewhere that call its functions.

    Answers of an HTTP API's authorizer are booleans, or policies for an ARN that AWS does not guarantee to be that of
    the path; both open every request that API Gateway uses them for. So their cache key must have the token, the route
    and method, the path if a route has variables, and the tenant. Answers of a REST API must not be cached: the cache
    key of its TOKEN authorizer is the token alone, and the policy for one method would refuse every other. A WebSocket
    API caches none.
    """
    for template in templates.own:
        for resource, reason in unreadable_resources(template):
            yield (
                resource,
                f"Whether {templates.name(resource)} has authorizers that cache answers cannot be read: {reason}.",
            )
    for template in (*templates.own, *templates.others):
        for authorizer in caching_authorizers(template):
            behind = templates.functions(template, authorizer.uri)
            if _of_others(behind):
                continue
            if template in templates.own or any(found.template in templates.own for found in behind):
                for sentence in dict.fromkeys(_wrong(authorizer, behind, templates)):
                    yield authorizer.resource, sentence


def _of_others(behind: list[Resource]) -> bool:
    """Whether an authorizer certainly calls functions that are not Claimsmith's."""
    handlers = [found.properties.get("Handler") for found in behind]
    return bool(handlers) and all(isinstance(handler, str) and handler != _HANDLER for handler in handlers)


def _wrong(authorizer: CachingAuthorizer, behind: list[Resource], templates: Templates) -> Iterator[str]:
    name = templates.name(authorizer.resource)
    where = f"API Gateway caches the answers of {name}"
    if authorizer.api == "REST":
        yield (
            f"{where}, but they name one method: they would refuse every other one. Set AuthorizerResultTtlInSeconds "
            "to 0."
        )
    elif authorizer.api == "SAM":
        yield f"{where}, but SAM does not define the cache key. Set ReauthorizeEvery of the authorizer's Identity to 0."
    elif authorizer.sources is None:
        yield f"{where}, but the cache key cannot be read: write its identity sources as plain strings."
    else:
        yield from _check_http_key(where, authorizer.sources, _routes(authorizer, templates))
        yield from _check_functions(where, authorizer.sources, behind, templates)


def _check_http_key(where: str, listed: tuple[str, ...], routes: Iterable[tuple[str, str]]) -> Iterator[str]:
    sources = _sources(listed)
    if _AUTHORIZATION not in sources:
        yield f"{where}, but the cache key lacks the token: one caller's answer would be given to others."
    if _ROUTE not in sources:
        yield f"{where}, but the cache key lacks the route ({_ROUTE}): an answer for one route would open another."
    if not any(source == _PATH or source.startswith("$request.header.") for source in sources - {_AUTHORIZATION}):
        yield (
            f"{where}, but the cache key lacks the tenant ({_PATH} or a header): an answer for one tenant would open "
            "another."
        )
    for key, name in routes:
        method, _, path = key.partition(" ")
        if _METHOD not in sources and method in ("ANY", _ANY):
            yield f"{where}, but the cache key lacks the method ({_METHOD}), and {name} is for any method."
        if _PATH not in sources and ("{" in path or not path):
            yield f"{where}, but the cache key lacks the path ({_PATH}), and {name} is for many paths."


def _routes(authorizer: CachingAuthorizer, templates: Templates) -> Iterator[tuple[str, str]]:
    """The keys and names of the routes that use, or may use, an authorizer.

    The routes of an OpenAPI document are not read, so it may have any. A route of the same template whose authorizer
    cannot be read may use this one.
    """
    if not authorizer.separate:
        yield _ANY, templates.name(authorizer.resource)
    for template in (*templates.own, *templates.others):
        for route in template.resources():
            properties = route.properties
            if route.type == "AWS::ApiGatewayV2::ApiGatewayManagedOverrides":  # the route that AWS creates: $default
                properties = {"RouteKey": _ANY, **mapping(properties.get("Route"))}
            elif route.type != "AWS::ApiGatewayV2::Route":
                continue
            reference = properties.get("AuthorizerId")
            found = templates.targets(template, reference)
            if authorizer.resource in found or (
                reference is not None and not found and authorizer.resource.template is template
            ):
                for key in possible(properties.get("RouteKey")):
                    yield key if isinstance(key, str) else _ANY, templates.name(route)


def _check_functions(
    where: str, sources: tuple[str, ...], behind: list[Resource], templates: Templates
) -> Iterator[str]:
    if not any(found.template in templates.own for found in behind):
        yield f"{where}, but its function is not in this stack and cannot get the cache key ({AUTHORIZER_CACHED_BY})."
    for function in behind:
        variables = mapping(mapping(function.properties.get("Environment")).get("Variables"))
        key = variables.get(AUTHORIZER_CACHED_BY)
        if not isinstance(key, str) or _sources(key.split(",")) != _sources(sources):
            yield (
                f"{where}, but its function {templates.name(function)} does not get the cache key: its variable "
                f"{AUTHORIZER_CACHED_BY} must be {','.join(sources)}. One function cannot serve caches with different "
                "keys."
            )


def _sources(listed: Iterable[str]) -> set[str]:
    """A cache key; header names in lower case, since they are case-insensitive."""
    stripped = (source.strip() for source in listed)
    return {source.lower() if source.lower().startswith("$request.header.") else source for source in stripped}
