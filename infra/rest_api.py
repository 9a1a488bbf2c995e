"""The same sample behind a REST API, whose authorizer answers with policies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aws_cdk import Annotations, Stack
from aws_cdk import aws_apigateway as apigateway
from constructs import Construct

from claimsmith_cdk.access_logs import REST_FORMAT
from claimsmith_cdk.acknowledgement import acknowledge
from claimsmith_cdk.firewall import Firewall
from claimsmith_cdk.log_group import log_group
from infra.http_api import BURST, PROTECTED, RATE

if TYPE_CHECKING:
    from aws_cdk import aws_lambda as lambda_

    from claimsmith_cdk import ClaimsAuthorizer
    from infra.config import Config

STAGE: Final = "live"


class RestApi(Construct):
    """The sample.

    Attributes:
        api: the API.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        sample: lambda_.Function,
        authorizer: ClaimsAuthorizer,
        config: Config,
    ) -> None:
        super().__init__(scope, construct_id)
        self.api = apigateway.RestApi(
            self,
            "Api",
            # Its metrics go by its name, so it is one that no other API of the account and Region has.
            rest_api_name=f"{Stack.of(self).stack_name}-sample",
            description="Claimsmith: protected sample.",
            endpoint_types=[apigateway.EndpointType.REGIONAL],
            # The role belongs to the whole account and Region; this sample must not replace that of another stack.
            cloud_watch_role=False,
            deploy_options=apigateway.StageOptions(
                stage_name=STAGE,
                throttling_rate_limit=RATE,
                throttling_burst_limit=BURST,
                # Execution logs would contain headers.
                logging_level=apigateway.MethodLoggingLevel.OFF,
                data_trace_enabled=False,
                tracing_enabled=config.tracing,
                access_log_destination=apigateway.LogGroupLogDestination(log_group(self, "AccessLogs", config.hosting)),
                access_log_format=apigateway.AccessLogFormat.custom(REST_FORMAT),
            ),
        )
        self.api.node.try_remove_child("Endpoint")  # an additional output with a generated name
        Annotations.of(self.api).add_info_v2(
            "claimsmith:rest-log-role",
            "A REST API writes access logs only if API Gateway has a role for them in this account and Region "
            "(docs/how-to/deploy.md); without it the deployment fails.",
        )
        protect = authorizer.for_rest_api(self)
        authorizer.add_challenge(self.api, resource_metadata=config.discovery.resource_metadata)
        answer = apigateway.LambdaIntegration(sample, allow_test_invoke=False)
        for path in PROTECTED:
            method = self.api.root.resource_for_path(path).add_method("GET", answer, authorizer=protect)
            acknowledge(
                method,
                "COG4",
                "The authorizer is Claimsmith's: Cognito's own does not check revocation, roles, scopes and tenant.",
            )
        acknowledge(
            self.api,
            "APIG2",
            "The sample reads no body and only one parameter, the tenant, which the authorizer checks.",
        )
        if config.web_acl_arn is not None:
            Firewall(self, "Firewall", stage=self.api.deployment_stage, web_acl_arn=config.web_acl_arn)
        else:
            acknowledge(
                self.api.deployment_stage,
                "APIG3",
                "A firewall is the account owner's choice and cost; web_acl_arn attaches one.",
            )
        acknowledge(
            self.api.deployment_stage,
            "APIG6",
            "Execution logs would contain headers, including tokens; access logs, which do not, are on.",
        )
