"""How new code and settings of a function reach those who call it: by a version, an alias, and a shift of traffic.

A version has both code and environment, so the two change together, and going back takes both back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, get_args

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_codedeploy as codedeploy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from claimsmith_cdk.acknowledgement import acknowledge
from claimsmith_cdk.props import PropsError, check_choice

if TYPE_CHECKING:
    from claimsmith_cdk.capacity import Capacity
    from claimsmith_cdk.hosting import Hosting, PythonVersion

#: The alias that pools and APIs call.
LIVE: Final = "live"

#: CodeDeploy's configurations, without ``CodeDeployDefault.Lambda``.
Shift = Literal[
    "AllAtOnce",
    "Canary10Percent5Minutes",
    "Canary10Percent10Minutes",
    "Canary10Percent15Minutes",
    "Canary10Percent30Minutes",
    "Linear10PercentEvery1Minute",
    "Linear10PercentEvery2Minutes",
    "Linear10PercentEvery3Minutes",
    "Linear10PercentEvery10Minutes",
]

#: Runtimes of which Lambda makes no snapshots. https://docs.aws.amazon.com/lambda/latest/dg/snapstart.html
_NO_SNAP_START: Final = ("3.11",)

#: The shortest shift takes five minutes, so an alarm of five-minute periods would ring when it is over.
_PERIOD: Final = Duration.minutes(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Releases:
    """How a function is released. What calls it calls the alias ``live`` of a version.

    Attributes:
        shift: how CodeDeploy moves traffic to a new version, and back if its alarm rings. None moves all of it at once,
            and back only by the next deployment or by hand.
        prepare: create version, alias and permission, and let callers call the function as before. Deploy once with
            it where a pool or an API is in use already, before they call the alias: CloudFormation would change what
            they call first, and permit it after that.

    Raises:
        PropsError: a value is not possible.
    """

    shift: Shift | None = None
    prepare: bool = False

    def __post_init__(self) -> None:
        check_choice("shift", self.shift, (None, *get_args(Shift)))
        check_choice("prepare", self.prepare, (True, False))


class Release(Construct):
    """The version of a function that is deployed, and the alias that points to it.

    Attributes:
        version: of code and settings. Retained where data is, so that there is something to go back to.
        alias: ``live``.
        alarm: what makes CodeDeploy go back; None without ``shift``.
        deployment_group: CodeDeploy's; None without ``shift``.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        function: lambda_.Function,
        releases: Releases,
        capacity: Capacity,
        hosting: Hosting,
    ) -> None:
        super().__init__(scope, construct_id)
        self.version = function.current_version
        self.alias = lambda_.Alias(
            self,
            "Live",
            alias_name=LIVE,
            version=self.version,
            provisioned_concurrent_executions=capacity.provisioned_concurrency,
        )
        self.alarm: cloudwatch.Alarm | None = None
        self.deployment_group: codedeploy.LambdaDeploymentGroup | None = None
        self._shift = releases.shift
        self._codedeploy: iam.Role | None = None
        self._boundary = hosting.permissions_boundary

    def shift_unless(self, meaning: str, metric: cloudwatch.IMetric) -> None:
        """Let CodeDeploy move traffic, and go back if failures are counted; nothing without ``shift``.

        Args:
            meaning: what the alarm means, in one sentence.
            metric: by the minute; failures of any version.
        """
        if self._shift is None:
            return
        self.alarm = cloudwatch.Alarm(
            self,
            "Failures",
            alarm_description=f"{meaning} A release in progress is taken back. What to do: docs/how-to/release.md.",
            metric=metric,
            threshold=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            # What Lambda and the function count of one call may be in neighbouring minutes.
            datapoints_to_alarm=2,
            evaluation_periods=3,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        role, policy = self._role()
        self.deployment_group = codedeploy.LambdaDeploymentGroup(
            self,
            "Shift",
            alias=self.alias,
            alarms=[self.alarm],
            deployment_config=codedeploy.LambdaDeploymentConfig.from_lambda_deployment_config_name(
                self, "Configuration", f"CodeDeployDefault.Lambda{self._shift}"
            ),
            # Without updates: the CDK would add AWS's own policy, for every function of the account.
            role=role.without_policy_updates(),
        )
        self.deployment_group.node.add_dependency(policy)
        self._codedeploy = role

    def ask_first(self, hook: lambda_.IFunction) -> None:
        """Let a function look at a new version before it gets traffic; nothing without ``shift``.

        https://docs.aws.amazon.com/codedeploy/latest/userguide/reference-appspec-file-structure-hooks.html
        """
        if self.deployment_group is None or self._codedeploy is None:
            return
        self.deployment_group.add_pre_hook(hook)
        # Not in the policy that the group waits for: the hook's own permissions name the group.
        iam.Policy(
            self,
            "HookPolicy",
            roles=[self._codedeploy],
            statements=[
                iam.PolicyStatement(sid="CallHook", actions=["lambda:InvokeFunction"], resources=[hook.function_arn])
            ],
        )

    def _role(self) -> tuple[iam.Role, iam.Policy]:
        """CodeDeploy's, and what it may: move this alias, and look at alarms.

        https://docs.aws.amazon.com/codedeploy/latest/userguide/getting-started-create-service-role.html
        """
        role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("codedeploy.amazonaws.com"),
            description="Moves traffic between versions of a function.",
            permissions_boundary=self._boundary,
        )
        policy = iam.Policy(
            self,
            "Policy",
            roles=[role],
            statements=[
                iam.PolicyStatement(
                    sid="MoveAlias",
                    actions=["lambda:GetAlias", "lambda:GetProvisionedConcurrencyConfig", "lambda:UpdateAlias"],
                    resources=[self.alias.lambda_.function_arn, self.alias.function_arn],
                ),
                # It has no permissions on single alarms.
                iam.PolicyStatement(sid="SeeAlarms", actions=["cloudwatch:DescribeAlarms"], resources=["*"]),
            ],
        )
        acknowledge(policy, "IAM5[Resource::*]", "CodeDeploy looks at alarms, which cannot be restricted to some.")
        return role, policy


def check_capacity(capacity: Capacity, releases: Releases | None, python: PythonVersion) -> None:
    """Refuse what only versions can have where there are none, and snapshots that Lambda does not make.

    Raises:
        PropsError: it is so.
    """
    if capacity.needs_alias and releases is None:
        raise PropsError(
            "snap_start and provisioned_concurrency are not possible without releases: Lambda has them for published "
            "versions only. Add releases."
        )
    if capacity.snap_start and python in _NO_SNAP_START:
        raise PropsError(f"snap_start is not possible with Python {python}: use 3.12 or newer.")


def version_options(hosting: Hosting) -> lambda_.VersionOptions:
    """Of versions that a deployment makes: they stay where data does, to go back to."""
    return lambda_.VersionOptions(
        description="Code and settings of one deployment.",
        removal_policy=RemovalPolicy.RETAIN if hosting.retain else RemovalPolicy.DESTROY,
    )


def by_the_minute(metric: cloudwatch.Metric) -> cloudwatch.Metric:
    """The same metric, summed by the minute."""
    return metric.with_(period=_PERIOD, statistic="sum")


def failures(
    alias: lambda_.Alias, *, besides: tuple[cloudwatch.Metric, ...] = (), but_not: tuple[cloudwatch.Metric, ...] = ()
) -> cloudwatch.IMetric:
    """Calls of an alias that failed: errors that Lambda counts, corrected by what the function counts itself.

    Args:
        alias: of the function.
        besides: failures for which the function raises no error.
        but_not: answers for which it raises one on purpose.
    """
    metrics = {"errors": by_the_minute(alias.metric_errors())}
    expression = "FILL(errors, 0)"
    for sign, prefix, found in (("+", "also", besides), ("-", "not", but_not)):
        for number, metric in enumerate(found):
            name = f"{prefix}{number}"
            metrics[name] = by_the_minute(metric)
            expression += f" {sign} FILL({name}, 0)"
    return cloudwatch.MathExpression(expression=expression, using_metrics=dict(metrics), period=_PERIOD)
