"""The stack that checks tokens: authorizer, introspection, and a sample API that uses them.

It depends on the stateful stack, never the other way round: sign-ins must not need it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import CfnOutput, Duration, RemovalPolicy, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_apigatewayv2 as apigatewayv2
from aws_cdk import aws_kms as kms

from claimsmith_cdk import ClaimAlarms, ClaimsAuthorizer, ClaimsDashboard, Introspection, PoolSignOuts
from claimsmith_cdk.function import PythonFunction
from claimsmith_cdk.metrics import PERIOD
from infra.http_api import INTROSPECT, HttpApi
from infra.local_stack import remove_metric_math
from infra.rest_api import RestApi
from infra.tokens import accepted_tokens

if TYPE_CHECKING:
    from aws_cdk import Environment
    from constructs import Construct

    from claimsmith_cdk import Hosting
    from infra.config import Config
    from infra.stateful_stack import StatefulStack

_SAMPLE_TIMEOUT = Duration.seconds(3)


class VerifierStack(Stack):
    """The stack that checks tokens."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        stateful: StatefulStack,
        config: Config,
        env: Environment | None = None,
        stack_name: str | None = None,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            env=env,
            stack_name=stack_name,
            description="Claimsmith: checks tokens, for APIs and by introspection.",
            termination_protection=config.production,
        )
        table, hosting = stateful.customizer.table, config.hosting
        capacity, releases = config.verifier_capacity.props, config.release_props
        tokens = accepted_tokens(stateful.pool.user_pool, config)
        authorizer = ClaimsAuthorizer(
            self,
            "Authorizer",
            api="http",
            table=table,
            tokens=tokens,
            props=config.authorizer,
            hosting=hosting,
            capacity=capacity,
            releases=releases,
        )
        logins = {} if stateful.login is None else {stateful.pool.user_pool.user_pool_id: stateful.login}
        introspection = Introspection(
            self,
            "Introspection",
            table=table,
            tokens=tokens,
            revocation_shared_seconds=config.revocation_shared_seconds,
            discovery=config.discovery.props(logins, config.token_from),
            hosting=hosting,
            capacity=capacity,
            releases=releases,
            requests_per_second=config.introspection_requests_per_second,
            signing_keys=[_signing_key(self, hosting)] if config.sign_introspection else [],
        )
        sample = PythonFunction(
            self,
            "Sample",
            module="lambdas.sample.handler",
            description="Sample service: responds with the authorizer's context.",
            timeout=_SAMPLE_TIMEOUT,
            environment={},
            statements=[],
            hosting=hosting,
        ).function
        http = HttpApi(self, "Http", sample=sample, authorizer=authorizer, introspection=introspection, config=config)
        alarms = ClaimAlarms(self, "Alarms", topic=stateful.alarm_topic, thresholds=config.thresholds)
        stages: dict[str, apigatewayv2.HttpStage | apigateway.Stage] = {"HttpApi": http.stage}
        verifiers: list[ClaimsAuthorizer | Introspection] = [authorizer, introspection]
        outputs = {
            "HttpApiUrl": http.stage.url,
            "HttpApiId": http.api.api_id,
            "AuthorizerName": authorizer.function.function_name,
            "IntrospectionName": introspection.function.function_name,
        }
        if config.sign_introspection:
            outputs["IntrospectionKeysUrl"] = f"{http.api.api_endpoint}{INTROSPECT}/jwks.json"
        if config.rest_api:
            # A separate function: the form of its answers is set once, for all its callers.
            rest_authorizer = ClaimsAuthorizer(
                self,
                "RestAuthorizer",
                api="rest",
                table=table,
                tokens=tokens,
                props=config.authorizer,
                hosting=hosting,
                capacity=capacity,
                releases=releases,
            )
            verifiers.append(rest_authorizer)
            rest = RestApi(self, "Rest", sample=sample, authorizer=rest_authorizer, config=config)
            stages["RestApi"] = rest.api.deployment_stage
            outputs |= {
                "RestApiUrl": rest.api.url,
                "RestApiId": rest.api.rest_api_id,
                "RestAuthorizerName": rest_authorizer.function.function_name,
            }
        for name, stage in stages.items():
            alarms.watch_api(
                f"{name}Failures",
                stage.metric_server_error(statistic="sum", period=PERIOD),
                stage.metric_count(statistic="sum", period=PERIOD),
            )
        alarms.watch_verifiers(*verifiers)
        if config.sign_outs is not None:
            sign_outs = PoolSignOuts(
                self,
                "SignOuts",
                table=table,
                user_pools=[stateful.pool.user_pool],
                revoke_token=config.sign_outs.revoke_token,
                hosting=hosting,
            )
            alarms.watch_sign_outs(sign_outs)
            outputs |= {
                "SignOutsName": sign_outs.function.function_name,
                "SignOutsDeadLettersUrl": sign_outs.dead_letters.queue_url,
            }
        if config.jwks_endpoint is not None:
            remove_metric_math(alarms)
        if config.has_dashboard:
            # Its own, since the stateful stack must not need this one, nor this one hold on to functions of that one.
            dashboard = ClaimsDashboard(self, "Dashboard", name=f"{self.stack_name}-{self.region}")
            dashboard.add_verifiers(*verifiers)
            for name, stage in stages.items():
                dashboard.add_api(
                    name,
                    requests=stage.metric_count(statistic="sum", period=PERIOD),
                    refused=stage.metric_client_error(statistic="sum", period=PERIOD),
                    failed=stage.metric_server_error(statistic="sum", period=PERIOD),
                )
        for name, value in outputs.items():
            # The construct's id may be taken; the output's name is an interface.
            CfnOutput(self, f"Output{name}", value=value).override_logical_id(name)


def _signing_key(scope: Construct, hosting: Hosting) -> kms.Key:
    """The key of introspection's signed answers. RSA, because RS256 is what callers expect (RFC 9701 section 6)."""
    return kms.Key(
        scope,
        "SigningKey",
        description="Signs answers of introspection (RFC 9701).",
        key_spec=kms.KeySpec.RSA_2048,
        key_usage=kms.KeyUsage.SIGN_VERIFY,
        removal_policy=RemovalPolicy.RETAIN if hosting.retain else RemovalPolicy.DESTROY,
    )
