"""Ends at verifiers what was ended in the user pool: CloudTrail's events by EventBridge to a function."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from claimsmith import environment as variables
from claimsmith import table as names
from claimsmith_cdk.acknowledgement import acknowledge
from claimsmith_cdk.function import PythonFunction
from claimsmith_cdk.grants import by_leading_keys
from claimsmith_cdk.hosting import DEFAULT_HOSTING
from claimsmith_cdk.metrics import PERIOD, deployment_of, own_metric
from claimsmith_cdk.props import PropsError, check_several
from claimsmith_cdk.user_pools import check_place, check_pool, user_pool_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aws_cdk import aws_dynamodb as dynamodb

    from claimsmith_cdk.hosting import Hosting
    from claimsmith_cdk.user_pools import AnyUserPool

#: After these Cognito accepts none of the user's tokens any longer.
_OPERATIONS: Final = ("AdminDeleteUser", "AdminDisableUser", "AdminUserGlobalSignOut", "DeleteUser", "GlobalSignOut")


class PoolSignOuts(Construct):
    """Revokes users whom somebody signs out, disables or deletes in the user pool, within minutes.

    The account needs a trail of management events, or EventBridge gets none.

    Attributes:
        dead_letters: events that could not be handled.
        function: what records them.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        table: dynamodb.ITable,
        user_pools: Sequence[AnyUserPool],
        revoke_token: bool = False,
        hosting: Hosting = DEFAULT_HOSTING,
    ) -> None:
        """Create the function, its rule and its queue.

        Args:
            scope: where.
            construct_id: its id.
            table: the customizer's table.
            user_pools: pools whose events count.
            revoke_token: whether ``RevokeToken`` counts, too. It ends one session, but CloudTrail does not say which:
                all of the user's sessions end.
            hosting: what the function runs on.

        Raises:
            PropsError: no pool is named, or something that is none.
        """
        super().__init__(scope, construct_id)
        check_several("user_pools", user_pools)
        if not user_pools:
            raise PropsError("No event could count: name user_pools.")
        for pool in user_pools:
            check_pool(pool)
            why = "Its sign-outs arrive there. Let a rule forward them to the event bus here, or"
            check_place(self, pool, why, possible=True)
        self.dead_letters = sqs.Queue(
            self,
            "DeadLetters",
            enforce_ssl=True,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            retention_period=Duration.days(14),
        )
        acknowledge(
            self.dead_letters, "SQS3", "It is a dead-letter queue: of a Lambda function and a rule, not of a queue."
        )
        made = PythonFunction(
            self,
            "Recorder",
            module="lambdas.revocations.handler",
            description="Revokes users who were signed out in the user pool.",
            timeout=Duration.seconds(60),
            environment={
                variables.TABLE: table.table_name,
                variables.USER_POOL_ID: ",".join(map(user_pool_id, user_pools)),
            },
            statements=[
                by_leading_keys("Revoke", table, ("dynamodb:PutItem",), (f"{names.REVOKED_PREFIX}user#*",)),
            ],
            hosting=hosting,
        )
        self.function = made.function
        self._deployment = deployment_of(self, hosting)
        self.function.configure_async_invoke(
            on_failure=destinations.SqsDestination(self.dead_letters), max_event_age=Duration.hours(6), retry_attempts=2
        )
        events.Rule(
            self,
            "Rule",
            description="Sign-outs in user pools, as CloudTrail records them.",
            event_pattern=events.EventPattern(
                source=["aws.cognito-idp"],
                detail_type=["AWS API Call via CloudTrail"],
                detail={
                    "eventSource": ["cognito-idp.amazonaws.com"],
                    "eventName": [*_OPERATIONS, *(["RevokeToken"] if revoke_token else [])],
                },
            ),
            targets=[targets.LambdaFunction(self.function, dead_letter_queue=self.dead_letters)],
        )

    def metric_dead_letters(self) -> cloudwatch.Metric:
        """Events that could not be handled, and wait in the queue."""
        return self.dead_letters.metric_approximate_number_of_messages_visible(statistic="max", period=PERIOD)

    def metric_recorded(self) -> cloudwatch.Metric:
        """Events that revoked a user."""
        return own_metric("SignOuts", service="revocations", deployment=self._deployment)

    def metric_without_user(self) -> cloudwatch.Metric:
        """Events that name no user, so that nobody was revoked."""
        return own_metric("SignOutsWithoutUser", service="revocations", deployment=self._deployment)
