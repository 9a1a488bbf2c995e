"""Token introspection (RFC 7662), and its route in an HTTP API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aws_cdk import Duration
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_apigatewayv2_integrations as integrations

from claimsmith import environment as variables
from claimsmith_cdk.acknowledgement import acknowledge
from claimsmith_cdk.capacity import DEFAULT_CAPACITY
from claimsmith_cdk.grants import introspection_statements
from claimsmith_cdk.hosting import DEFAULT_HOSTING
from claimsmith_cdk.verifier import Verifier, check_shared_seconds, shared_seconds

if TYPE_CHECKING:
    from aws_cdk import aws_cloudwatch as cloudwatch
    from aws_cdk import aws_dynamodb as dynamodb
    from constructs import Construct

    from claimsmith_cdk.capacity import Capacity
    from claimsmith_cdk.hosting import Hosting
    from claimsmith_cdk.releases import Releases
    from claimsmith_cdk.tokens import AcceptedTokens

_TIMEOUT: Final = Duration.seconds(10)


class Introspection(Verifier):
    """Answers whether a token is active, and for whom. It reads revocations for every token."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        table: dynamodb.ITable,
        tokens: AcceptedTokens,
        revocation_shared_seconds: int = variables.DEFAULT_REVOCATION_SHARED_SECONDS,
        hosting: Hosting = DEFAULT_HOSTING,
        capacity: Capacity = DEFAULT_CAPACITY,
        releases: Releases | None = None,
    ) -> None:
        """Create the function.

        Args:
            scope: where.
            construct_id: its id, with which the names of its alarms begin.
            table: the customizer's table: policy in force, revocations, callers and directory.
            tokens: which tokens it accepts.
            revocation_shared_seconds: how long it remembers the rows of clients and tenants.
            hosting: what it runs on.
            capacity: what it gets of Lambda.
            releases: how it is released; None: APIs call its newest code at once.

        Raises:
            PropsError: a value is not possible.
        """
        check_shared_seconds(revocation_shared_seconds)
        super().__init__(
            scope,
            construct_id,
            module="lambdas.verifier.introspection",
            description="Token introspection (RFC 7662).",
            timeout=_TIMEOUT,
            environment={
                variables.TABLE: table.table_name,
                **tokens.environment(),
                **shared_seconds(revocation_shared_seconds),
            },
            statements=introspection_statements(table),
            hosting=hosting,
            capacity=capacity,
            releases=releases,
        )

    def add_route(self, api: apigateway.HttpApi, path: str = "/introspect") -> apigateway.CfnRoute:
        """Add its route to an HTTP API. It needs no authorizer: introspection authenticates its callers itself."""
        (route,) = api.add_routes(
            path=path,
            methods=[apigateway.HttpMethod.POST],
            integration=integrations.HttpLambdaIntegration("Introspection", self.live),
        )
        resource = route.node.default_child
        assert isinstance(resource, apigateway.CfnRoute)  # noqa: S101 - the resource of an HttpRoute
        acknowledge(
            resource,
            "APIG4",
            "Introspection authenticates its callers itself, by secret or token (RFC 7662 section 2.1); an authorizer "
            "would recognise only some of them.",
        )
        return resource

    def metric_active(self) -> cloudwatch.Metric:
        """Questions about tokens that are active."""
        return self.metric("Active")
