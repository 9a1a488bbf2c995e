"""Signs a synthetic user in, on a schedule and before a new version of the trigger gets traffic."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from aws_cdk import Duration
from aws_cdk import aws_cognito as cognito
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from claimsmith import environment as variables
from claimsmith_cdk.acknowledgement import acknowledge
from claimsmith_cdk.function import PythonFunction
from claimsmith_cdk.hosting import DEFAULT_HOSTING
from claimsmith_cdk.metrics import deployment_of, own_metric
from claimsmith_cdk.props import PropsError, check_kind
from claimsmith_cdk.tokens import AcceptedTokens
from claimsmith_cdk.user_pools import user_pool_arn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aws_cdk import aws_cloudwatch as cloudwatch
    from aws_cdk import aws_lambda as lambda_

    from claimsmith_cdk.claim_customizer import ClaimCustomizer
    from claimsmith_cdk.hosting import Hosting

#: The synthetic user, and its tenant.
NAME: Final = "claimsmith-probe"

_MODULE: Final = "lambdas.probe.handler"
_TIMEOUT: Final = Duration.seconds(30)
_DAY: Final = 24 * 60


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeProps:
    """What the probe does.

    Attributes:
        minutes: between two sign-ins.
        expects: what the access token must have: a value for each claim, or a list of what must be among several
            (``scope`` too).

    Raises:
        PropsError: a value is not possible.
    """

    minutes: int = 5
    expects: Mapping[str, str | Sequence[str]] = field(default_factory=lambda: {"tenant_id": NAME})

    def __post_init__(self) -> None:
        if not 1 <= self.minutes <= _DAY:
            raise PropsError(f"minutes={self.minutes} is not possible; use 1 to {_DAY}.")
        if not self.expects:
            raise PropsError("expects is empty, so nothing would be compared: name a claim.")


DEFAULT_PROPS: Final = ProbeProps()


class SignInProbe(Construct):
    """A function that signs a synthetic user in, and compares the claims.

    The user, its tenant and its rows are made by whoever runs the deployment (``docs/how-to/release.md``): the probe
    writes nothing.

    Attributes:
        function: signs in on a schedule.
        secret: the user's name and password.
        client: the app client, for nothing else.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        user_pool: cognito.IUserPool,
        customizer: ClaimCustomizer,
        tokens: AcceptedTokens,
        props: ProbeProps = DEFAULT_PROPS,
        hosting: Hosting = DEFAULT_HOSTING,
    ) -> None:
        """Create the functions, an app client and the secret.

        Args:
            scope: where; in the stack of the customizer.
            construct_id: its id.
            user_pool: the pool; a second factor must not be required.
            customizer: whose trigger. With ``shift``, each new version is asked before it gets traffic.
            tokens: the issuer by which the probe verifies.
            props: what it does.
            hosting: what it runs on.

        Raises:
            PropsError: a value is not possible.
        """
        check_kind("tokens", tokens, AcceptedTokens)
        check_kind("props", props, ProbeProps)
        super().__init__(scope, construct_id)
        self.deployment = deployment_of(self, hosting)
        self.secret = secretsmanager.Secret(
            self,
            "Secret",
            description="The synthetic user that a probe signs in.",
            encryption_key=hosting.encryption_key,
            generate_secret_string=secretsmanager.SecretStringGenerator(
                secret_string_template=json.dumps({"username": NAME}),
                generate_string_key="password",
                password_length=32,
                require_each_included_type=True,
            ),
        )
        acknowledge(
            self.secret, "SMG4", "The password is that of a user in the pool; who changes one changes the other."
        )
        self.client = cognito.UserPoolClient(
            self,
            "Client",
            user_pool=user_pool,
            generate_secret=False,
            auth_flows=cognito.AuthFlow(admin_user_password=True),
            disable_o_auth=True,
            prevent_user_existence_errors=True,
            # None that matters: without a list it could write all.
            write_attributes=cognito.ClientAttributes().with_standard_attributes(locale=True),
        )
        self._environment = {
            variables.USER_POOL_ID: user_pool.user_pool_id,
            variables.PROBE_CLIENT_ID: self.client.user_pool_client_id,
            variables.ISSUERS: tokens.environment()[variables.ISSUERS],
            variables.PROBE_SECRET: self.secret.secret_arn,
            variables.PROBE_EXPECTS: json.dumps({**props.expects}, default=list, sort_keys=True),
        }
        self._hosting = hosting
        read_secret = iam.PolicyStatement(
            sid="ReadSecret", actions=["secretsmanager:GetSecretValue"], resources=[self.secret.secret_arn]
        )
        sign_in = iam.PolicyStatement(
            sid="SignIn", actions=["cognito-idp:AdminInitiateAuth"], resources=[user_pool_arn(user_pool)]
        )
        self.function: lambda_.Function = self._function("SignIn", "handler", [read_secret, sign_in]).function
        events.Rule(
            self,
            "Schedule",
            description="Signs the synthetic user in.",
            schedule=events.Schedule.rate(Duration.minutes(props.minutes)),
            # The next one comes soon; a second attempt would only count twice.
            targets=[targets.LambdaFunction(self.function, retry_attempts=0)],
        )
        release = customizer.release
        if release is None or release.deployment_group is None:
            return
        self._environment[variables.PROBE_VERSION] = release.version.function_arn
        hook = self._function(
            "BeforeTraffic",
            "before_traffic",
            [
                read_secret,
                iam.PolicyStatement(
                    sid="SeeUser", actions=["cognito-idp:AdminGetUser"], resources=[user_pool_arn(user_pool)]
                ),
                iam.PolicyStatement(
                    sid="AskVersion",
                    actions=["lambda:InvokeFunction"],
                    resources=[release.version.function_arn],
                ),
            ],
        )
        # This also lets it tell CodeDeploy.
        release.ask_first(hook.function)

    def metric_succeeded(self) -> cloudwatch.Metric:
        """Sign-ins with the claims that are expected."""
        return own_metric("ProbeSucceeded", service="probe", deployment=self.deployment)

    def metric_failed(self) -> cloudwatch.Metric:
        """Sign-ins without a token, or with other claims."""
        return own_metric("ProbeFailed", service="probe", deployment=self.deployment)

    def _function(self, construct_id: str, entry: str, statements: list[iam.PolicyStatement]) -> PythonFunction:
        return PythonFunction(
            self,
            construct_id,
            module=_MODULE,
            entry=entry,
            description="Signs a synthetic user in, and looks at the claims.",
            timeout=_TIMEOUT,
            environment=self._environment,
            statements=statements,
            hosting=self._hosting,
        )
