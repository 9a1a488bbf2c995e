"""Alarms, each with what to do in ``docs/how-to/operations.md`` (a test compares), and the topic that they notify.

Without traffic there is no data, so missing data raises no alarm.
"""

from __future__ import annotations

from dataclasses import dataclass
from string import digits
from typing import TYPE_CHECKING, Final, TypeVar

from aws_cdk import Aws, Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from claimsmith_cdk.metrics import PERIOD
from claimsmith_cdk.props import PropsError
from claimsmith_cdk.shares import share, summed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aws_cdk import aws_dynamodb as dynamodb
    from aws_cdk import aws_kms as kms
    from aws_cdk import aws_lambda as lambda_

    from claimsmith_cdk.claim_customizer import ClaimCustomizer
    from claimsmith_cdk.releases import Release
    from claimsmith_cdk.sign_in_probe import SignInProbe
    from claimsmith_cdk.sign_outs import PoolSignOuts
    from claimsmith_cdk.stream_readers import Reader, StreamReaders
    from claimsmith_cdk.verifier import Verifier


_T = TypeVar("_T")

# A handler answers within 3.2 s; Cognito waits five.
_SLOW_MS: Final = 4000
#: Metrics in one alarm of metric math: CloudWatch's quota.
_METRICS: Final = 10
#: Where the runbook is.
RUNBOOK: Final = "docs/how-to/operations.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmThresholds:
    """When alarms ring.

    A share is of a quarter of an hour, in percent. It rings only if so many (``…_least``) went wrong in that time, so
    one of two does not.

    Attributes:
        sign_ins_failed_percent: the share of sign-ins that fail, or get a token without claims, and not because of the
            user. In shadow, too.
        sign_ins_failed_least: at least so many.
        sign_ins_refused_percent: the share of sign-ins that the policy refuses.
        sign_ins_refused_least: at least so many.
        shadow_refused_percent: the share of sign-ins in shadow that the policy would refuse.
        shadow_refused_least: at least so many.
        tokens_unknown_percent: the share of tokens that cannot be checked.
        tokens_unknown_least: at least so many.
        tokens_refused_percent: the share of requests that the authorizers refuse. Anybody can send bad tokens.
        tokens_refused_least: at least so many.
        api_failed_percent: the share of requests to an API that end with a status of 500 or more.
        api_failed_least: at least so many.
        throttled_percent: the share of calls of trigger or verifier for which Lambda has no concurrency left.
        throttled_least: at least so many.
        behind_minutes: a reader of the stream this far behind the table is stuck; normally it is seconds.
        policy_waiting_minutes: how long a refused draft, or an apply that has not finished, may wait for somebody.
        sign_ins_without_trigger: so many sign-ins in five minutes, and no call of the trigger, mean that the pool does
            not call it.
        sign_outs_without_user_percent: the share of sign-outs in the user pool of which CloudTrail does not say whose.
        sign_outs_without_user_least: at least so many.

    Raises:
        PropsError: one is not positive, or more than 100 percent.
    """

    sign_ins_failed_percent: int = 10
    sign_ins_failed_least: int = 3
    sign_ins_refused_percent: int = 50
    sign_ins_refused_least: int = 20
    shadow_refused_percent: int = 5
    shadow_refused_least: int = 3
    tokens_unknown_percent: int = 5
    tokens_unknown_least: int = 3
    tokens_refused_percent: int = 90
    tokens_refused_least: int = 100
    api_failed_percent: int = 5
    api_failed_least: int = 3
    throttled_percent: int = 1
    throttled_least: int = 3
    behind_minutes: int = 5
    policy_waiting_minutes: int = 30
    sign_ins_without_trigger: int = 5
    sign_outs_without_user_percent: int = 50
    sign_outs_without_user_least: int = 3

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value, most = getattr(self, name), " to 100" if name.endswith("_percent") else ""
            if value < 1 or (most and value > 100):  # noqa: PLR2004 - percent
                raise PropsError(f"{name}={value} is not possible; use a number from 1{most}.")


DEFAULT_THRESHOLDS: Final = AlarmThresholds()


class AlarmTopic(Construct):
    """The topic that alarms notify.

    By default it has no customer managed key: an alarm only contains names of resources and numbers, and a key whose
    policy does not allow CloudWatch silently suppresses alarms. That of an imported key is yours.

    Attributes:
        topic: subscribe everybody who must know of alarms.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, email: str | None = None, key: kms.IKey | None = None
    ) -> None:
        super().__init__(scope, construct_id)
        self.topic = sns.Topic(self, "Topic", enforce_ssl=True, master_key=key)
        if key is not None:
            _let_alarms_use(key)
        # A custom policy replaces the default one, which allows the account's services to publish.
        self.topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid="PublishAlarms",
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[self.topic.topic_arn],
                conditions={
                    "StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID},
                    "ArnLike": {"aws:SourceArn": Stack.of(self).format_arn(service="cloudwatch", resource="alarm:*")},
                },
            )
        )
        if email is not None:
            self.topic.add_subscription(subscriptions.EmailSubscription(email))


def _let_alarms_use(key: kms.IKey) -> None:
    key.add_to_resource_policy(
        iam.PolicyStatement(
            principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
            actions=["kms:Decrypt", "kms:GenerateDataKey*"],
            resources=["*"],
            conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}},
        )
    )


class ClaimAlarms(Construct):
    """The alarms of a customizer, or of verifiers; one for each."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        topic: sns.ITopic,
        thresholds: AlarmThresholds = DEFAULT_THRESHOLDS,
    ) -> None:
        super().__init__(scope, construct_id)
        self._action = actions.SnsAction(topic)
        self._thresholds = thresholds

    def watch_customizer(self, customizer: ClaimCustomizer) -> None:
        """Sign-ins, publishing, the audit and the tables, as far as they are the customizer's."""
        self._watch_trigger(customizer)
        self._watch_release(customizer.release)
        if customizer.readers is not None:
            self._watch_readers(customizer, customizer.readers)
            self.watch_table("Table", customizer.table)
        if customizer.audit_table is not None:
            self.watch_table("AuditTable", customizer.audit_table)

    def watch_verifiers(self, *verifiers: Verifier) -> None:
        """Verifiers of one deployment, each by the name of its construct."""
        for verifier in verifiers:
            self._watch_release(verifier.release)
            self._watch_throttles(
                verifier.node.id, verifier.function, "Lambda's concurrency is used up: requests fail."
            )
        for verifier in verifiers[:1]:
            self._watch_crashes(verifiers, verifier)
            allowed, refused = (
                verifier.metric("Allowed"),
                [verifier.metric("Forbidden"), verifier.metric("Unauthorized")],
            )
            asked = [verifier.metric(name) for name in ("Active", "Inactive", "RequestRefused")]
            limits = self._thresholds
            self.add(
                "TokensUnknown",
                "Tokens cannot be checked: the table or the policy cannot be read.",
                share(verifier.metric_unknown(), rest=[allowed, *refused, *asked], least=limits.tokens_unknown_least),
                threshold=limits.tokens_unknown_percent,
            )
            self.add(
                "TokensRefused",
                "Nearly all requests are refused: somebody sends bad tokens, or good ones are not accepted.",
                share(*refused, rest=[allowed], least=limits.tokens_refused_least),
                threshold=limits.tokens_refused_percent,
            )
            self.add(
                "RevocationsUnreadable",
                "A revocation cannot be read: all tokens of a user, client or tenant are refused.",
                verifier.metric_unreadable_rows(),
            )

    def add(
        self,
        name: str,
        meaning: str,
        metric: cloudwatch.IMetric,
        *,
        threshold: float = 1,
        periods: tuple[int, int] = (1, 1),
    ) -> None:
        """Add an alarm.

        Args:
            name: unique in the stack; a heading of ``docs/how-to/operations.md``.
            meaning: what it means, in one sentence.
            metric: by ``PERIOD``, or a share.
            threshold: in the metric's unit; reaching it counts.
            periods: in how many periods it must be reached, and of how many.
        """
        reached, last = periods
        alarm = cloudwatch.Alarm(
            self,
            name,
            alarm_description=f"{meaning} What to do: {RUNBOOK}, {name.rstrip(digits)}.",
            metric=metric,
            threshold=threshold,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            datapoints_to_alarm=reached,
            evaluation_periods=last,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        alarm.add_alarm_action(self._action)

    def _watch_trigger(self, customizer: ClaimCustomizer) -> None:
        """Sign-ins: what the trigger does not decide, what it refuses, and how long it takes."""
        trigger, limits = customizer.trigger, self._thresholds
        issued, refused = customizer.metric_issued(), customizer.metric_refused()
        failed, degraded = customizer.metric_failed(), customizer.metric_degraded()
        errors = {"e": trigger.metric_errors(period=PERIOD)}
        answered = {"refused": refused, "failed": failed}
        self.add(
            "TriggerCrashes",
            "The trigger ends without a decision: it times out or does not start. Sign-ins fail.",
            cloudwatch.MathExpression(
                expression=f"{summed(errors)} - ({summed(answered)})",
                using_metrics={**errors, **answered},
                period=PERIOD,
            ),
            threshold=3,
            periods=(2, 3),
        )
        self._watch_throttles("Trigger", trigger, "Lambda's concurrency is used up: sign-ins fail.")
        self.add(
            "TriggerSlow",
            "One sign-in in a hundred takes nearly the five seconds that Cognito waits.",
            trigger.metric_duration(period=PERIOD, statistic="p99"),
            threshold=_SLOW_MS,
            periods=(2, 3),
        )
        self.add(
            "SignInsFail",
            "Sign-ins fail, and not because of the user: no policy, no table, an unknown event, a bug.",
            share(failed, rest=[issued, refused, degraded], least=limits.sign_ins_failed_least),
            threshold=limits.sign_ins_failed_percent,
        )
        self.add(
            "TokensDegraded",
            "Tokens are issued without tenant, roles and managed scopes, because the table cannot be read.",
            share(degraded, rest=[issued, refused, failed], least=limits.sign_ins_failed_least),
            threshold=limits.sign_ins_failed_percent,
        )
        self.add(
            "SignInsRefused",
            "The policy refuses most sign-ins.",
            share(refused, rest=[issued, failed, degraded], least=limits.sign_ins_refused_least),
            threshold=limits.sign_ins_refused_percent,
        )
        self._watch_rollout(customizer)
        self.add(
            "RowsUnreadable",
            "A row of a user or tenant cannot be read and is treated as missing.",
            customizer.metric_unreadable_rows(),
        )

    def _watch_release(self, release: Release | None) -> None:
        """What takes a release back also tells somebody."""
        if release is not None and release.alarm is not None:
            release.alarm.add_alarm_action(self._action)

    def _watch_rollout(self, customizer: ClaimCustomizer) -> None:
        """Sign-ins that the policy does not reach yet: nobody notices, and more would if it did."""
        limits, shadowed = self._thresholds, customizer.metric_shadowed()
        self.add(
            "ShadowFails",
            "In shadow, there is no decision for some sign-ins. Users notice nothing yet.",
            share(customizer.metric_shadow_failed(), whole=shadowed, least=limits.sign_ins_failed_least),
            threshold=limits.sign_ins_failed_percent,
        )
        self.add(
            "ShadowRefuses",
            "In shadow, the policy would refuse some sign-ins. Users notice nothing yet.",
            share(customizer.metric_shadow_refused(), whole=shadowed, least=limits.shadow_refused_least),
            threshold=limits.shadow_refused_percent,
        )

    def watch_probe(self, probe: SignInProbe) -> None:
        """Sign-ins of a probe. One that fails may be due to the network; the next one is not."""
        self.add(
            "ProbeFails",
            "The synthetic user gets no token, or one with other claims than expected.",
            probe.metric_failed(),
            periods=(2, 3),
        )

    def watch_sign_outs(self, sign_outs: PoolSignOuts) -> None:
        """Sign-outs in the user pool of which verifiers do not learn."""
        limits = self._thresholds
        self.add(
            "SignOutsGaveUp",
            "Sign-outs in the user pool could not be recorded: verifiers still accept those users' tokens.",
            sign_outs.metric_dead_letters(),
        )
        self.add(
            "SignOutsWithoutUser",
            "CloudTrail does not say who was signed out in the user pool: verifiers still accept those users' tokens.",
            share(
                sign_outs.metric_without_user(),
                rest=[sign_outs.metric_recorded()],
                least=limits.sign_outs_without_user_least,
            ),
            threshold=limits.sign_outs_without_user_percent,
        )

    def watch_attachment(self, customizer: ClaimCustomizer, user_pool_id: str, client_ids: Sequence[str]) -> None:
        """Sign-ins of which the trigger learns nothing: an update of the pool that leaves it out takes it off.

        Args:
            customizer: whose trigger.
            user_pool_id: of the pool.
            client_ids: the clients with which users sign in. An alarm takes nine, so more of them make more alarms.

        Raises:
            PropsError: there are none.
        """
        if not client_ids:
            raise PropsError("client_ids is empty; name the clients with which users sign in.")
        called = {"called": customizer.trigger.metric_invocations(period=PERIOD)}
        for name, clients in _groups("TriggerDetached", client_ids, _METRICS - len(called)):
            sign_ins = {
                f"s{number}": cloudwatch.Metric(
                    namespace="AWS/Cognito",
                    metric_name="SignInSuccesses",
                    dimensions_map={"UserPool": user_pool_id, "UserPoolClient": client_id},
                    statistic="sum",
                    period=PERIOD,
                )
                for number, client_id in enumerate(clients)
            }
            enough = f"{summed(sign_ins)} >= {self._thresholds.sign_ins_without_trigger}"
            self.add(
                name,
                "Users sign in, and the pool does not call the trigger: tokens carry nothing of the policy.",
                cloudwatch.MathExpression(
                    expression=f"IF({enough} AND {summed(called)} < 1, 1, 0)",
                    using_metrics={**sign_ins, **called},
                    period=PERIOD,
                ),
                periods=(2, 2),
            )

    def _watch_readers(self, customizer: ClaimCustomizer, readers: StreamReaders) -> None:
        """Policy edits and the audit."""
        self.add(
            "PolicyProblems",
            "A policy edit was refused; the last good policy stays in force.",
            customizer.metric_policy_problems(),
        )
        self.add(
            "PolicyWaits",
            "A refused draft, or an apply that has not finished, waits for somebody: edits are not in force.",
            customizer.metric_policy_waiting(),
            threshold=self._thresholds.policy_waiting_minutes * 60,
        )
        self.add(
            "AuditErrors",
            "Changes cannot be audited; they are retried.",
            customizer.metric_audit_errors(),
            threshold=3,
        )
        self.add(
            "PublisherErrors",
            "Policy edits cannot be published; they are retried.",
            customizer.metric_publisher_errors(),
            threshold=3,
        )
        self.add(
            "AuditCut",
            "A change did not fit into its audit row, or could not be read: somebody may be hiding something.",
            customizer.metric_audit_cut(),
        )
        self._watch_reader("Publisher", "Policy edits", readers.publisher)
        self._watch_reader("Audit", "The audit of changes", readers.audit)

    def _watch_reader(self, name: str, what: str, reader: Reader) -> None:
        function = reader.function
        self.add(
            f"{name}Crashes",
            f"{what}: the function ends without a response; changes are retried.",
            function.metric_errors(period=PERIOD),
        )
        self.add(
            f"{name}Throttles",
            f"{what}: Lambda's concurrency is used up, and changes wait.",
            function.metric_throttles(period=PERIOD),
            periods=(2, 3),
        )
        self.add(
            f"{name}Behind",
            f"{what}: minutes behind the table.",
            function.metric("IteratorAge", statistic="max", period=PERIOD),
            threshold=Duration.minutes(self._thresholds.behind_minutes).to_milliseconds(),
        )
        self.add(
            f"{name}GaveUp",
            f"{what}: changes were given up on, and wait in the bucket to be replayed.",
            reader.metric("OnFailureDestinationDeliveredEventCount"),
        )
        self.add(
            f"{name}Lost",
            f"{what}: changes were dropped, and not even the bucket has them.",
            reader.metric("DroppedEventCount"),
        )

    def watch_table(self, name: str, table: dynamodb.ITable) -> None:
        """Requests that DynamoDB throttles."""
        for kind in ("Read", "Write"):
            throttled = cloudwatch.Metric(
                namespace="AWS/DynamoDB",
                metric_name=f"{kind}ThrottleEvents",
                dimensions_map={"TableName": table.table_name},
                statistic="sum",
                period=PERIOD,
            )
            self.add(
                f"{name}{kind}Throttles", f"DynamoDB refuses {kind.lower()}s because there are too many.", throttled
            )

    def _watch_throttles(self, name: str, function: lambda_.IFunction, meaning: str) -> None:
        """Calls that Lambda refuses where somebody waits for the answer."""
        refused, called = function.metric_throttles(period=PERIOD), function.metric_invocations(period=PERIOD)
        limits = self._thresholds
        self.add(
            f"{name}Throttles",
            meaning,
            share(refused, rest=[called], least=limits.throttled_least),
            threshold=limits.throttled_percent,
        )

    def _watch_crashes(self, verifiers: Sequence[Verifier], one: Verifier) -> None:
        """Errors of the functions, without those by which they answer "unauthorized" and "unknown"."""
        answered = {"unknown": one.metric_unknown(), "unauthorized": one.metric("Unauthorized")}
        for name, group in _groups("VerifierCrashes", verifiers, _METRICS - len(answered)):
            errors = {f"e{number}": each.function.metric_errors(period=PERIOD) for number, each in enumerate(group)}
            self.add(
                name,
                "A verifier ends without an answer: it times out or does not start. Requests are refused.",
                cloudwatch.MathExpression(
                    expression=f"{summed(errors)} - ({summed(answered)})",
                    using_metrics={**errors, **answered},
                    period=PERIOD,
                ),
                threshold=3,
                periods=(2, 3),
            )

    def watch_api(self, name: str, failures: cloudwatch.IMetric, requests: cloudwatch.IMetric) -> None:
        """Responses of an API with a status of 500 or more.

        Args:
            name: of the alarm.
            failures: how many there are.
            requests: how many requests there are, these included.
        """
        limits = self._thresholds
        self.add(
            name,
            "The API responds with 500 or more.",
            share(failures, whole=requests, least=limits.api_failed_least),
            threshold=limits.api_failed_percent,
        )


def _groups(name: str, of: Sequence[_T], size: int) -> Iterator[tuple[str, Sequence[_T]]]:
    """Parts of a sequence, as many in each as one alarm can watch: the first with the name, the others numbered."""
    for number, begin in enumerate(range(0, len(of), size), start=1):
        yield (name if number == 1 else f"{name}{number}"), of[begin : begin + size]
