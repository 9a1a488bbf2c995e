"""Alarms, each with what to do in ``docs/how-to/deploy.md`` (a test compares), and the topic that they notify.

Without traffic there is no data, so missing data raises no alarm.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aws_cdk import Aws, Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from claimsmith_cdk.metrics import PERIOD
from claimsmith_cdk.props import PropsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aws_cdk import aws_dynamodb as dynamodb
    from aws_cdk import aws_kms as kms

    from claimsmith_cdk.claim_customizer import ClaimCustomizer
    from claimsmith_cdk.releases import Release
    from claimsmith_cdk.stream_readers import Reader, StreamReaders
    from claimsmith_cdk.verifier import Verifier


# A handler answers within 3.2 s; Cognito waits five.
_SLOW_MS: Final = 4000
#: Metrics in one alarm of metric math (CloudWatch's quota), of which one is the trigger's.
_CLIENTS: Final = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmThresholds:
    """When alarms of evidence and recovery ring.

    Attributes:
        behind_minutes: a reader of the stream this far behind the table is stuck; normally it is seconds.
        policy_waiting_minutes: how long a refused draft, or an apply that has not finished, may wait for somebody.
        sign_ins_without_trigger: so many sign-ins in five minutes, and no call of the trigger, mean that the pool does
            not call it.

    Raises:
        PropsError: one is not positive.
    """

    behind_minutes: int = 5
    policy_waiting_minutes: int = 30
    sign_ins_without_trigger: int = 5

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if getattr(self, name) < 1:
                raise PropsError(f"{name}={getattr(self, name)} is not possible; use a number from 1.")


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
            self._watch_verifier(verifier)
            self._watch_release(verifier.release)
        for verifier in verifiers[:1]:
            self.add(
                "TokensUnknown",
                "Tokens cannot be checked: the table or the policy cannot be read.",
                verifier.metric_unknown(),
                threshold=3,
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
            name: unique in the stack; a heading of the table in ``docs/how-to/deploy.md``.
            meaning: what it means, in one sentence.
            metric: by ``PERIOD``.
            threshold: in the metric's unit; reaching it counts.
            periods: in how many periods it must be reached, and of how many.
        """
        reached, last = periods
        alarm = cloudwatch.Alarm(
            self,
            name,
            alarm_description=f"{meaning} What to do: docs/how-to/deploy.md, {name}.",
            metric=metric,
            threshold=threshold,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            datapoints_to_alarm=reached,
            evaluation_periods=last,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        alarm.add_alarm_action(self._action)

    def _watch_trigger(self, customizer: ClaimCustomizer) -> None:
        """Sign-ins: errors, throttles, duration, and the trigger's own metrics.

        A refusal is an error too, and any suspended user can cause it; so a few raise no alarm.
        """
        trigger = customizer.trigger
        self.add(
            "TriggerErrors",
            "Several sign-ins in ten minutes are refused or fail.",
            trigger.metric_errors(period=PERIOD),
            threshold=3,
            periods=(2, 3),
        )
        self.add(
            "TriggerThrottles",
            "Lambda's concurrency is used up: sign-ins fail.",
            trigger.metric_throttles(period=PERIOD),
        )
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
            customizer.metric_failed(),
        )
        self.add(
            "TokensDegraded",
            "Tokens are issued without tenant, roles and managed scopes, because the table cannot be read.",
            customizer.metric_degraded(),
        )
        self.add(
            "RowsUnreadable",
            "A row of a user or tenant cannot be read and is treated as missing.",
            customizer.metric_unreadable_rows(),
        )

    def _watch_release(self, release: Release | None) -> None:
        """What takes a release back also tells somebody."""
        if release is not None and release.alarm is not None:
            release.alarm.add_alarm_action(self._action)

    def watch_attachment(self, customizer: ClaimCustomizer, user_pool_id: str, client_ids: Sequence[str]) -> None:
        """Sign-ins of which the trigger learns nothing: an update of the pool that leaves it out takes it off.

        Args:
            customizer: whose trigger.
            user_pool_id: of the pool.
            client_ids: the clients with which users sign in, at most nine; those used most say it soonest.

        Raises:
            PropsError: there are none, or more.
        """
        if not 1 <= len(client_ids) <= _CLIENTS:
            raise PropsError(f"{len(client_ids)} client_ids are not possible; use 1 to {_CLIENTS}, those used most.")
        sign_ins = {
            f"s{number}": cloudwatch.Metric(
                namespace="AWS/Cognito",
                metric_name="SignInSuccesses",
                dimensions_map={"UserPool": user_pool_id, "UserPoolClient": client_id},
                statistic="sum",
                period=PERIOD,
            )
            for number, client_id in enumerate(client_ids)
        }
        signed_in, enough = (
            " + ".join(f"FILL({name}, 0)" for name in sign_ins),
            self._thresholds.sign_ins_without_trigger,
        )
        self.add(
            "TriggerDetached",
            "Users sign in, and the pool does not call the trigger: tokens carry nothing of the policy.",
            cloudwatch.MathExpression(
                expression=f"IF({signed_in} >= {enough} AND FILL(called, 0) < 1, 1, 0)",
                using_metrics={**sign_ins, "called": customizer.trigger.metric_invocations(period=PERIOD)},
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

    def _watch_verifier(self, verifier: Verifier) -> None:
        """Errors and throttles. Where anybody can cause an error, because it says "unauthorized", it is no alarm."""
        name, function = verifier.node.id, verifier.function
        if not verifier.raises_refusals:
            self.add(
                f"{name}Errors",
                "The function fails: requests are refused although their tokens may be valid.",
                function.metric_errors(period=PERIOD),
            )
        self.add(
            f"{name}Throttles",
            "Lambda's concurrency is used up: requests are refused.",
            function.metric_throttles(period=PERIOD),
        )

    def watch_api(self, name: str, failures: cloudwatch.IMetric) -> None:
        """Responses of an API with a status of 500 or more."""
        self.add(name, "The API responds with 500 or more.", failures, threshold=3)
