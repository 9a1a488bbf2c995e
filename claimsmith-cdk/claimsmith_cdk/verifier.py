"""What authorizer and introspection have in common: a function, its metrics, and the checks of its variables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Aws, Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from claimsmith import environment as variables
from claimsmith_cdk.capacity import DEFAULT_CAPACITY
from claimsmith_cdk.function import PythonFunction
from claimsmith_cdk.metrics import deployment_of, own_metric
from claimsmith_cdk.props import check_seconds
from claimsmith_cdk.releases import failures
from claimsmith_cdk.template_check import check_templates
from claimsmith_cdk.verifier_settings import problems

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aws_cdk import Duration
    from aws_cdk import aws_cloudwatch as cloudwatch
    from aws_cdk import aws_lambda as lambda_

    from claimsmith_cdk.capacity import Capacity
    from claimsmith_cdk.hosting import Hosting
    from claimsmith_cdk.releases import Releases


class Verifier(PythonFunction):
    """A function that verifies tokens.

    Attributes:
        deployment: the dimension ``deployment`` of its metrics.
        raises_refusals: whether it raises an error for "unauthorized", as REST and WebSocket APIs require.
    """

    def __init__(  # noqa: PLR0913 - what differs between the functions
        self,
        scope: Construct,
        construct_id: str,
        *,
        module: str,
        description: str,
        timeout: Duration,
        environment: Mapping[str, str],
        statements: list[iam.PolicyStatement],
        hosting: Hosting,
        capacity: Capacity = DEFAULT_CAPACITY,
        releases: Releases | None = None,
        raises_refusals: bool = False,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            module=module,
            description=description,
            timeout=timeout,
            environment=environment,
            statements=statements,
            hosting=hosting,
            capacity=capacity,
            releases=releases,
        )
        self.deployment = deployment_of(self, hosting)
        self.raises_refusals = raises_refusals
        if self.release is not None:
            if raises_refusals:
                failed = failures(self.release.alias, but_not=(self.metric("Unauthorized"),))
            else:
                failed = failures(self.release.alias, besides=(self.metric_unknown(),))
            self.release.shift_unless("Tokens cannot be checked.", failed)
            if releases is not None and releases.prepare:
                self._let_apis_call(self.release.alias)
        check_once(
            Stack.of(self), "verifier-settings", lambda stack: check_templates(stack, "verifier-settings", problems)
        )

    def _let_apis_call(self, alias: lambda_.Alias) -> None:
        """Let the account's APIs call an alias before one of them does: each permits it only after it calls it."""
        alias.add_permission(
            "Prepared",
            principal=iam.ServicePrincipal("apigateway.amazonaws.com"),
            source_account=Aws.ACCOUNT_ID,
            source_arn=Stack.of(self).format_arn(service="execute-api", resource="*"),
        )

    def metric_unknown(self) -> cloudwatch.Metric:
        """Tokens of the deployment that could not be checked: the table or the policy cannot be read."""
        return self.metric("Unknown")

    def metric_unreadable_rows(self) -> cloudwatch.Metric:
        """Revocations of the deployment that cannot be read, and so count."""
        return self.metric("UnreadableRows")

    def metric_revocations_read(self) -> cloudwatch.Metric:
        """Rows of revocations that were read from the table, and not from a cache: up to six for a token."""
        return self.metric("RevocationsRead")

    def metric(self, name: str) -> cloudwatch.Metric:
        """A metric that the verifiers of the deployment publish."""
        return own_metric(name, service="verifier", deployment=self.deployment)


def check_shared_seconds(seconds: object) -> None:
    """Refuse a time for which the rows of clients and tenants cannot be remembered.

    Raises:
        PropsError: it is none.
    """
    check_seconds("revocation_shared_seconds", seconds, least=0, most=variables.MAX_REVOCATION_SHARED_SECONDS)


def shared_seconds(seconds: int) -> dict[str, str]:
    """The variable for how long the rows of clients and tenants are remembered; none if it is the default."""
    if seconds == variables.DEFAULT_REVOCATION_SHARED_SECONDS:
        return {}
    return {variables.REVOCATION_SHARED_SECONDS: str(seconds)}


def check_once(stack: Stack, name: str, add: Callable[[Stack], None]) -> None:
    """Add a check to a stack, the first time that something of the stack needs it."""
    marker = f"claimsmith:{name}"
    if stack.node.try_find_child(marker) is None:
        Construct(stack, marker)
        add(stack)
