"""The customizing part: tables, trigger and publisher, for any user pool of the same app."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from aws_cdk import Aws, CfnElement, Duration, RemovalPolicy, Stack
from aws_cdk import aws_cognito as cognito
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as event_sources
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from claimsmith import environment as variables
from claimsmith import table as names
from claimsmith_cdk.acknowledgement import acknowledge
from claimsmith_cdk.function import PythonFunction
from claimsmith_cdk.grants import publisher_statements, trigger_statements
from claimsmith_cdk.pool_settings import problems
from claimsmith_cdk.template_check import check_templates
from claimsmith_cdk.templates import Resource

if TYPE_CHECKING:
    from claimsmith_cdk.hosting import Hosting
    from claimsmith_cdk.templates import Templates

TriggerVersion = Literal["V2_0", "V3_0"]

_VERSIONS = {"V2_0": cognito.LambdaVersion.V2_0, "V3_0": cognito.LambdaVersion.V3_0}

# Cognito waits no longer for an answer.
_TRIGGER_TIMEOUT = Duration.seconds(5)
_PUBLISHER_TIMEOUT = Duration.seconds(30)


class ClaimCustomizer(Construct):
    """Customizes the claims of a user pool.

    The pool must be created in this app, on the Essentials or Plus plan; a Lite pool, or one with another pre token
    generation trigger, fails when the app is synthesised.

    Attributes:
        table: policy, directory and bundles.
        audit_table: the audit of changes.
        trigger: the pre token generation function.
        publisher: the function that reads the table's stream.
        dead_letters: changes that the publisher could not handle, by their position in the stream.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        user_pool: cognito.UserPool,
        trigger_version: TriggerVersion = "V2_0",
        on_failure: variables.OnFailure = "deny",
        hosting: Hosting,
    ) -> None:
        _refuse_foreign(user_pool)
        super().__init__(scope, construct_id)
        self.table = _table(self, "Table", hosting, stream=dynamodb.StreamViewType.NEW_AND_OLD_IMAGES)
        self.table.add_global_secondary_index(
            index_name=names.BY_SK,
            partition_key=_key(names.SK),
            sort_key=_key(names.PK),
            projection_type=dynamodb.ProjectionType.KEYS_ONLY,
        )
        self.audit_table = _table(self, "AuditTable", hosting)
        self.trigger = self._trigger(user_pool, trigger_version, on_failure, hosting)
        self.dead_letters = sqs.Queue(
            self,
            "DeadLetters",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=Duration.days(14),
            removal_policy=_removal_policy(hosting),
        )
        acknowledge(self.dead_letters, "SQS3", "It is itself the dead-letter queue, of the publisher's stream.")
        self.publisher = self._publisher(hosting)

    def _trigger(
        self,
        user_pool: cognito.UserPool,
        version: TriggerVersion,
        on_failure: variables.OnFailure,
        hosting: Hosting,
    ) -> lambda_.Function:
        # It must not reference the pool: the pool references it, which would be a cycle. The event has the pool's id.
        trigger = PythonFunction(
            self,
            "Trigger",
            module="lambdas.pre_token.handler",
            description="Decides the claims in the tokens of the user pool.",
            timeout=_TRIGGER_TIMEOUT,
            environment={variables.TABLE: self.table.table_name, variables.ON_FAILURE: on_failure},
            statements=trigger_statements(self.table),
            hosting=hosting,
        ).function
        operation = cognito.UserPoolOperation.PRE_TOKEN_GENERATION_CONFIG
        user_pool.add_trigger(operation, trigger, _VERSIONS[version])
        permission = user_pool.node.find_child("PreTokenGenerationConfigCognito")
        assert isinstance(permission, lambda_.CfnPermission)  # noqa: S101 - created by add_trigger
        permission.source_account = Aws.ACCOUNT_ID
        pool = _element(user_pool)
        check_templates(
            pool.stack,
            "user-pool",
            lambda templates: problems(
                templates, _resource(templates, pool), _resource(templates, _element(trigger)), version
            ),
        )
        return trigger

    def _publisher(self, hosting: Hosting) -> lambda_.Function:
        publisher = PythonFunction(
            self,
            "Publisher",
            module="lambdas.publisher.handler",
            description="Publishes policy edits and writes the audit.",
            timeout=_PUBLISHER_TIMEOUT,
            environment={
                variables.TABLE: self.table.table_name,
                variables.AUDIT_TABLE: self.audit_table.table_name,
            },
            statements=publisher_statements(self.table, self.audit_table),
            hosting=hosting,
        )
        table = _element(self.table)
        acknowledge(
            publisher.policy,
            f"IAM5[Resource::<{Stack.of(self).get_logical_id(table)}.Arn>/stream/*]",
            "A stream's ARN ends with the time of its creation. This matches only the streams of one table.",
        )
        mapping = lambda_.EventSourceMapping(
            self,
            "Stream",
            target=publisher.function,
            event_source_arn=self.table.table_stream_arn,
            # Rows written before the mapping exists are changes too.
            starting_position=lambda_.StartingPosition.TRIM_HORIZON,
            filters=[lambda_.FilterCriteria.filter(_changes_to_publish())],
            batch_size=100,
            parallelization_factor=1,
            report_batch_item_failures=True,
            bisect_batch_on_error=True,
            # A change that keeps failing blocks later ones, so it is dropped before it expires in the stream.
            retry_attempts=10,
            max_record_age=Duration.hours(6),
            on_failure=event_sources.SqsDlq(self.dead_letters),
        )
        mapping.node.add_dependency(publisher.policy)
        return publisher.function


def _refuse_foreign(user_pool: object) -> None:
    """Refuse a pool that cannot be given a trigger.

    Raises:
        TypeError: it is imported, or an L1 construct.
    """
    if isinstance(user_pool, cognito.UserPool):
        return
    if isinstance(user_pool, cognito.CfnUserPool):
        raise TypeError(
            "ClaimCustomizer needs a cognito.UserPool, not a CfnUserPool: create the pool as a UserPool (its logical "
            "id can be kept with node.default_child.override_logical_id), so that its trigger can be set here."
        )
    raise TypeError(
        "ClaimCustomizer needs a cognito.UserPool that is created in this app. CloudFormation cannot change a pool "
        "that is only imported by its id or ARN: bring it into this app first (cdk import), with unchanged settings."
    )


def _element(construct: Construct) -> CfnElement:
    """The one resource that a construct creates."""
    element = construct.node.default_child
    assert isinstance(element, CfnElement)  # noqa: S101 - a UserPool and a Function have one
    return element


def _resource(templates: Templates, element: CfnElement) -> Resource:
    """The same resource in the finished templates."""
    (template,) = [found for found in (*templates.own, *templates.others) if found.stack == element.stack.node.path]
    return Resource(template, element.stack.resolve(element.logical_id))


def _changes_to_publish() -> dict[str, object]:
    """The stream filter: an allow-list, so that the publisher never gets its own writes."""
    prefixes = [{"prefix": prefix} for prefix in names.STREAM_PREFIXES]
    return {"dynamodb": {"Keys": {names.PK: {"S": [names.POLICY, *prefixes]}}}}


def _table(
    scope: Construct, construct_id: str, hosting: Hosting, *, stream: dynamodb.StreamViewType | None = None
) -> dynamodb.Table:
    table = dynamodb.Table(
        scope,
        construct_id,
        partition_key=_key(names.PK),
        sort_key=_key(names.SK),
        billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
        time_to_live_attribute=names.TTL,
        stream=stream,
        point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
            point_in_time_recovery_enabled=hosting.retain
        ),
        deletion_protection=hosting.retain,
        removal_policy=_removal_policy(hosting),
    )
    if not hosting.retain:
        acknowledge(
            table, "DDB3", "A development table may be deleted without a backup; in production it is backed up."
        )
    return table


def _key(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)


def _removal_policy(hosting: Hosting) -> RemovalPolicy:
    return RemovalPolicy.RETAIN if hosting.retain else RemovalPolicy.DESTROY
