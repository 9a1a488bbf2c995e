"""The verifier as an HTTP API: a sample of protected routes, introspection and discovery."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_apigatewayv2_integrations as integrations
from constructs import Construct

from claimsmith_cdk.access_logs import HTTP_FORMAT
from claimsmith_cdk.log_group import log_group

if TYPE_CHECKING:
    from aws_cdk import aws_lambda as lambda_

    from claimsmith_cdk import ClaimsAuthorizer, Introspection
    from infra.config import Config

#: The sample's routes: one for the token's tenant, one with the tenant in its path.
PROTECTED: Final = ("/orders", "/tenants/{tenant}/orders")
INTROSPECT: Final = "/introspect"

#: Requests a second, on average and in a burst, of all callers together; those of introspection for each route.
RATE: Final = 500
BURST: Final = 1000
#: Well above what one caller may ask by default, so that the API itself refuses nobody because of another.
INTROSPECT_RATE: Final = 250
INTROSPECT_BURST: Final = 500


class HttpApi(Construct):
    """The sample, introspection and discovery.

    Attributes:
        api: the API.
        stage: its stage.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        sample: lambda_.Function,
        authorizer: ClaimsAuthorizer,
        introspection: Introspection,
        config: Config,
    ) -> None:
        super().__init__(scope, construct_id)
        self.api = apigateway.HttpApi(
            self, "Api", description="Claimsmith: protected sample and introspection.", create_default_stage=False
        )
        protect = authorizer.for_http_api(
            cache_seconds=config.authorizer_cache_seconds, identity_sources=config.authorizer_identity_sources
        )
        answer = integrations.HttpLambdaIntegration("Sample", sample)
        for path in PROTECTED:
            self.api.add_routes(path=path, methods=[apigateway.HttpMethod.GET], integration=answer, authorizer=protect)
        routes = (introspection.add_route(self.api, INTROSPECT), *introspection.add_discovery(self.api))
        self.stage = apigateway.HttpStage(
            self,
            "Stage",
            http_api=self.api,
            auto_deploy=True,
            throttle=apigateway.ThrottleSettings(rate_limit=RATE, burst_limit=BURST),
        )
        stage = self.stage.node.default_child
        assert isinstance(stage, apigateway.CfnStage)  # noqa: S101 - the resource of an HttpStage
        stage.route_settings = {
            route.route_key: {"ThrottlingRateLimit": INTROSPECT_RATE, "ThrottlingBurstLimit": INTROSPECT_BURST}
            for route in routes
        }
        for route in routes:
            stage.add_resource_dependency(route)  # a stage cannot have settings for a route that does not exist yet
        logs = log_group(self, "AccessLogs", config.hosting)
        stage.access_log_settings = apigateway.CfnStage.AccessLogSettingsProperty(
            destination_arn=Stack.of(self).format_arn(
                service="logs",
                resource="log-group",
                resource_name=logs.log_group_name,
                arn_format=ArnFormat.COLON_RESOURCE_NAME,
            ),
            format=HTTP_FORMAT,
        )
