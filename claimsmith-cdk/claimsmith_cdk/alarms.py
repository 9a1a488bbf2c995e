"""Alarms, each with what to do in ``docs/how-to/deploy.md`` (a test compares), and the topic that they notify.

Without traffic there is no data, so missing data raises no alarm.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aws_cdk import Aws, Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from claimsmith_cdk.metrics import PERIOD

if TYPE_CHECKING:
    from aws_cdk import aws_dynamodb as dynamodb
    from aws_cdk import aws_kms as kms
    from aws_cdk import aws_lambda as lambda_
    from aws_cdk import aws_sqs as sqs

    from claimsmith_cdk.claim_customizer import ClaimCustomizer
    from claimsmith_cdk.verifier import Verifier


# A handler answers within 3.2 s; Cognito waits five.
_SLOW_MS: Final = 4000
# A reader this far behind is stuck: normally it is seconds.
_BEHIND: Final = Duration.minutes(5)


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

    def __init__(self, scope: Construct, construct_id: str, *, topic: sns.ITopic) -> None:
        super().__init__(scope, construct_id)
        self._action = actions.SnsAction(topic)

    def watch_customizer(self, customizer: ClaimCustomizer) -> None:
        """Sign-ins, publishing, the audit and the tables, as far as they are the customizer's."""
        self._watch_trigger(customizer)
        if customizer.publisher is not None and customizer.dead_letters is not None:
            self._watch_publisher(customizer, customizer.publisher, customizer.dead_letters)
            self.watch_table("Table", customizer.table)
        if customizer.audit_table is not None:
            self.watch_table("AuditTable", customizer.audit_table)

    def watch_verifiers(self, *verifiers: Verifier) -> None:
        """Verifiers of one deployment, each by the name of its construct."""
        for verifier in verifiers:
            self._watch_verifier(verifier)
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

    def _watch_publisher(
        self, customizer: ClaimCustomizer, publisher: lambda_.IFunction, dead_letters: sqs.IQueue
    ) -> None:
        """Policy edits and the audit."""
        self.add(
            "PolicyProblems",
            "A policy edit was refused; the last good policy stays in force.",
            customizer.metric_policy_problems(),
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
            "A row did not fit into its audit row: somebody writes very large rows, and may be hiding something.",
            customizer.metric_audit_cut(),
        )
        self.add(
            "PublisherCrashes",
            "The publisher ends without a response; changes are retried.",
            publisher.metric_errors(period=PERIOD),
        )
        self.add(
            "PublisherThrottles",
            "Lambda's concurrency is used up: policy edits and the audit wait.",
            publisher.metric_throttles(period=PERIOD),
            periods=(2, 3),
        )
        self.add(
            "PublisherBehind",
            "Policy edits and the audit are minutes behind the table.",
            publisher.metric("IteratorAge", statistic="max", period=PERIOD),
            threshold=_BEHIND.to_milliseconds(),
        )
        self.add(
            "DeadLetters",
            "Changes were dropped: they are neither audited nor published.",
            dead_letters.metric_approximate_number_of_messages_visible(statistic="max", period=PERIOD),
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
