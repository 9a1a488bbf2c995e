"""Attaches a trigger to a pool that no template of this app describes, when the stack is deployed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, get_args

from aws_cdk import CustomResource, Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from claimsmith import table as names
from claimsmith_cdk.function import PythonFunction
from claimsmith_cdk.grants import by_leading_keys
from claimsmith_cdk.hosting import DEFAULT_HOSTING
from claimsmith_cdk.props import check_choice, check_kind
from claimsmith_cdk.user_pools import TriggerVersion, check_place, user_pool_arn, user_pool_id

if TYPE_CHECKING:
    from aws_cdk import aws_dynamodb as dynamodb

    from claimsmith_cdk.hosting import Hosting
    from claimsmith_cdk.user_pools import AnyUserPool

# It waits while somebody else changes the pool.
_TIMEOUT: Final = Duration.minutes(2)

_ON_POOL: Final = ("DescribeUserPool", "GetUserPoolMfaConfig", "UpdateUserPool")
_ON_TRIGGER: Final = ("GetFunctionConfiguration", "GetPolicy", "RemovePermission")


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachmentProps:
    """How a trigger is attached.

    Attributes:
        trigger_version: the version of Cognito's event; ``V3_0`` includes client credentials, which is billed.
        replace: take the place of a trigger of somebody else, which is put back when the attachment is deleted.
        sms_role: the pool's role for text messages, if it has one: an update of the pool passes it again.

    Raises:
        PropsError: a value is not possible.
    """

    trigger_version: TriggerVersion = "V2_0"
    replace: bool = False
    sms_role: iam.IRole | None = None

    def __post_init__(self) -> None:
        check_choice("trigger_version", self.trigger_version, get_args(TriggerVersion))


DEFAULT_PROPS: Final = AttachmentProps()


class PoolAttachment(Construct):
    """A custom resource that attaches a trigger when it is created or updated, and detaches it when it is deleted.

    Nothing but the pre token generation trigger of the pool changes. The deployment fails, and the pool stays as it is,
    while no policy is in force, on the Lite plan, and if the pool has a trigger of somebody else. So deploy without it
    first, and apply a policy.

    Attributes:
        function: what attaches the trigger.
        resource: the custom resource.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        user_pool: AnyUserPool,
        trigger: lambda_.IFunction,
        table: dynamodb.ITable,
        props: AttachmentProps = DEFAULT_PROPS,
        hosting: Hosting = DEFAULT_HOSTING,
    ) -> None:
        """Create the function and the resource.

        Args:
            scope: where.
            construct_id: its id.
            user_pool: the pool.
            trigger: a customizer's ``trigger``, or an alias of it; it must allow Cognito to invoke it for this pool.
            table: the table that the trigger reads; it remembers what the pool called before.
            props: how it is attached.
            hosting: what the function runs on.

        Raises:
            PropsError: the pool is of another account or Region.
        """
        super().__init__(scope, construct_id)
        check_kind("props", props, AttachmentProps)
        check_place(self, user_pool, "Its trigger is a function beside it, of its own account and Region:")
        statements = [
            iam.PolicyStatement(
                sid="ChangePool",
                actions=[f"cognito-idp:{name}" for name in _ON_POOL],
                resources=[user_pool_arn(user_pool)],
            ),
            iam.PolicyStatement(
                sid="LookAtTrigger",
                actions=[f"lambda:{name}" for name in _ON_TRIGGER],
                # Of an alias, too, which may take the function's place or the other way round.
                resources=_arns(trigger),
            ),
            by_leading_keys("ReadPolicy", table, ("dynamodb:GetItem",), (names.BUNDLE, names.DEPLOYMENT)),
            by_leading_keys("Remember", table, ("dynamodb:UpdateItem", "dynamodb:DeleteItem"), (names.DEPLOYMENT,)),
        ]
        if props.sms_role is not None:
            statements.append(
                iam.PolicyStatement(sid="PassSmsRole", actions=["iam:PassRole"], resources=[props.sms_role.role_arn])
            )
        self.function: lambda_.Function = PythonFunction(
            self,
            "Attacher",
            module="lambdas.attach.handler",
            description="Attaches the trigger to the user pool, when the stack is deployed.",
            timeout=_TIMEOUT,
            environment={},
            statements=statements,
            hosting=hosting,
        ).function
        self.resource = CustomResource(
            self,
            "Attachment",
            service_token=self.function.function_arn,
            resource_type="Custom::ClaimsmithPoolAttachment",
            properties={
                "UserPoolId": user_pool_id(user_pool),
                "Function": trigger.function_arn,
                "Table": table.table_name,
                "EventVersion": props.trigger_version,
                "Replace": "true" if props.replace else "false",
            },
        )
        # Deleted first, so that the pool never calls a trigger that may not answer.
        self.resource.node.add_dependency(self.function, trigger, table)


def _arns(trigger: lambda_.IFunction) -> list[str]:
    """The ARN of a function; of an alias, that of its function as well."""
    function = [trigger.lambda_.function_arn] if isinstance(trigger, lambda_.Alias) else []
    return [*function, trigger.function_arn]
