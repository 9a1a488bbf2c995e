"""The stack that checks tokens: authorizer, introspection, and a sample API that uses them.

It depends on the stateful stack, never the other way round: sign-ins must not need it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Aws, CfnOutput, Duration, Stack
from claimsmith_cdk.alarms import PERIOD, Alarms
from claimsmith_cdk.authorizer_caches import check_authorizer_caches
from claimsmith_cdk.function import PythonFunction
from claimsmith_cdk.grants import authorizer_statements, introspection_statements
from claimsmith_cdk.template_check import check_templates
from claimsmith_cdk.verifier_settings import problems

from claimsmith import environment as variables
from infra.http_api import HttpApi
from infra.rest_api import RestApi

if TYPE_CHECKING:
    from aws_cdk import aws_lambda as lambda_
    from constructs import Construct

    from infra.config import Config
    from infra.stateful_stack import StatefulStack

_AUTHORIZER_TIMEOUT = Duration.seconds(5)
_INTROSPECTION_TIMEOUT = Duration.seconds(10)
_SAMPLE_TIMEOUT = Duration.seconds(3)


class VerifierStack(Stack):
    """The stack that checks tokens."""

    def __init__(self, scope: Construct, construct_id: str, *, stateful: StatefulStack, config: Config) -> None:
        super().__init__(
            scope,
            construct_id,
            description="Claimsmith: checks tokens, for APIs and by introspection.",
            termination_protection=config.production,
        )
        self._config = config
        self._table = stateful.customizer.table
        self._environment = {
            variables.TABLE: self._table.table_name,
            variables.ISSUERS: _issuers(stateful.pool.user_pool.user_pool_id, config.jwks_endpoint),
            variables.CLIENT_IDS: ",".join(client.user_pool_client_id for client in stateful.pool.clients),
        }
        if config.audience:
            self._environment[variables.AUDIENCE] = ",".join(config.audience)
        authorizer = self._authorizer("Authorizer", "simple")
        introspection = PythonFunction(
            self,
            "Introspection",
            module="lambdas.verifier.introspection",
            description="Token introspection (RFC 7662).",
            timeout=_INTROSPECTION_TIMEOUT,
            environment={**self._environment, **self._shared_revocation()},
            statements=introspection_statements(self._table),
            hosting=config.hosting,
        ).function
        sample = PythonFunction(
            self,
            "Sample",
            module="lambdas.sample.handler",
            description="Sample service: responds with the authorizer's context.",
            timeout=_SAMPLE_TIMEOUT,
            environment={},
            statements=[],
            hosting=config.hosting,
        ).function
        http = HttpApi(self, "Http", sample=sample, authorizer=authorizer, introspection=introspection, config=config)
        alarms = Alarms(self, "Alarms", topic=stateful.alarm_topic)
        alarms.watch_verifier("Authorizer", authorizer)
        alarms.watch_verifier("Introspection", introspection)
        alarms.watch_unknown()
        alarms.watch_revocations()
        alarms.watch_api("HttpApiFailures", http.stage.metric_server_error(statistic="sum", period=PERIOD))
        outputs = {
            "HttpApiUrl": http.stage.url,
            "HttpApiId": http.api.api_id,
            "AuthorizerName": authorizer.function_name,
            "IntrospectionName": introspection.function_name,
        }
        if config.rest_api:
            # A separate function: the form of its answers is set once, for all its callers.
            rest_authorizer = self._authorizer("RestAuthorizer", "iam")
            rest = RestApi(self, "Rest", sample=sample, authorizer=rest_authorizer, config=config)
            alarms.watch_verifier("RestAuthorizer", rest_authorizer, raises_refusals=True)
            failures = rest.api.deployment_stage.metric_server_error(statistic="sum", period=PERIOD)
            alarms.watch_api("RestApiFailures", failures)
            outputs |= {
                "RestApiUrl": rest.api.url,
                "RestApiId": rest.api.rest_api_id,
                "RestAuthorizerName": rest_authorizer.function_name,
            }
        check_authorizer_caches(self)
        check_templates(self, "verifier-settings", problems)
        for name, value in outputs.items():
            # The construct's id may be taken; the output's name is an interface.
            CfnOutput(self, f"Output{name}", value=value).override_logical_id(name)

    def _revocation(self) -> dict[str, str]:
        """The variables for revocation in the authorizers. Introspection always reads the table."""
        config = self._config
        environment = self._shared_revocation()
        if config.revocation != "strict":
            environment = {variables.REVOCATION: config.revocation}
        if config.revocation == "cached":
            environment[variables.REVOCATION_CACHE_SECONDS] = str(config.revocation_cache_seconds)
        if config.revocation != "off" and config.revocation_on_failure != "deny":
            environment[variables.REVOCATION_ON_FAILURE] = config.revocation_on_failure
        return environment

    def _shared_revocation(self) -> dict[str, str]:
        """How long every verifier that reads the table remembers clients and tenants, unless it is the default."""
        seconds = self._config.revocation_shared_seconds
        if seconds == variables.DEFAULT_REVOCATION_SHARED_SECONDS:
            return {}
        return {variables.REVOCATION_SHARED_SECONDS: str(seconds)}

    def _authorizer(self, construct_id: str, response: variables.AuthorizerResponse) -> lambda_.Function:
        return PythonFunction(
            self,
            construct_id,
            module="lambdas.verifier.authorizer",
            description="Allows requests whose token is sufficient for their route.",
            timeout=_AUTHORIZER_TIMEOUT,
            environment={
                **self._environment,
                variables.AUTHORIZER_RESPONSE: response,
                **self._revocation(),
            },
            statements=authorizer_statements(self._table),
            hosting=self._config.hosting,
        ).function


def _issuers(user_pool_id: str, jwks_endpoint: str | None) -> str:
    """The pool's ORIGINAL issuer; for a local stack with the address of its keys."""
    issuer = f"https://cognito-idp.{Aws.REGION}.{Aws.URL_SUFFIX}/{user_pool_id}"
    return issuer if jwks_endpoint is None else f"{issuer}={jwks_endpoint}/{user_pool_id}/.well-known/jwks.json"
