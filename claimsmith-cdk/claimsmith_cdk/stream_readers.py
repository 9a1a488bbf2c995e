"""What reads a table's stream: a function that audits, one that publishes, and a bucket for what they give up on.

Each has a mapping of its own, so that neither waits for the other. DynamoDB allows two readers of a shard; these are
two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from aws_cdk import CfnElement, Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3

from claimsmith import environment as variables
from claimsmith import table as names
from claimsmith_cdk.acknowledgement import acknowledge
from claimsmith_cdk.bucket_emptier import BucketEmptier
from claimsmith_cdk.function import PythonFunction
from claimsmith_cdk.grants import FAILED_RECORDS, audit_statements, publisher_statements
from claimsmith_cdk.log_group import removal_policy
from claimsmith_cdk.metrics import PERIOD

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aws_cdk import aws_dynamodb as dynamodb
    from aws_cdk import aws_iam as iam
    from constructs import Construct, IConstruct

    from claimsmith_cdk.hosting import Hosting

_MODULE: Final = "lambdas.publisher.handler"

#: Almost three times what the longest request to DynamoDB takes (``store.dynamodb.BACKGROUND_SECONDS``).
TIMEOUT: Final = Duration.seconds(60)

#: The stream keeps a change for 24 hours. Lambda drops what the stream has lost without keeping it anywhere.
_MAX_AGE: Final = Duration.hours(23)

#: How often the publisher looks for an edit that was left, without an event.
_LOOK_AFTER: Final = Duration.minutes(5)


class Reader(NamedTuple):
    """A function that reads the stream.

    Attributes:
        mapping: from the stream to the function.
    """

    function: lambda_.Function
    mapping: lambda_.EventSourceMapping

    def metric(self, name: str) -> cloudwatch.Metric:
        """A metric of the mapping (group ``EventCount``), summed."""
        return cloudwatch.Metric(
            namespace="AWS/Lambda",
            metric_name=name,
            dimensions_map={"EventSourceMappingUUID": self.mapping.event_source_mapping_id},
            statistic="sum",
            period=PERIOD,
        )


class StreamReaders(NamedTuple):
    """What reads a table's stream.

    Attributes:
        audit: writes each change to the audit table.
        publisher: publishes the draft.
        failed_records: batches that one of them could not handle, whole, for ``claimsmith replay``.
    """

    audit: Reader
    publisher: Reader
    failed_records: s3.Bucket


def stream_readers(
    scope: Construct, table: dynamodb.ITable, audit_table: dynamodb.ITable, hosting: Hosting
) -> StreamReaders:
    """Create them.

    Args:
        scope: where.
        table: the table; it has a stream of new and old images.
        audit_table: the audit table.
        hosting: what the functions run on, and whether the bucket outlives the stack.
    """
    failed = _failed_records(scope, hosting)
    emptier = None if hosting.retain else _emptier(scope, failed, hosting)
    tables = {variables.TABLE: table.table_name, variables.AUDIT_TABLE: audit_table.table_name}

    def function(name: str, entry: str, description: str, statements: list[iam.PolicyStatement]) -> PythonFunction:
        made = PythonFunction(
            scope,
            name,
            module=_MODULE,
            entry=entry,
            description=description,
            timeout=TIMEOUT,
            environment=tables,
            statements=statements,
            hosting=hosting,
        )
        _acknowledge(made, table, failed)
        return made

    publisher = function("Publisher", "publish_handler", "Publishes policy edits.", publisher_statements(table, failed))
    audit = function("Audit", "audit_handler", "Writes the audit.", audit_statements(table, audit_table, failed))
    _schedule(scope, publisher.function)

    def mapping(
        name: str, reader: PythonFunction, keys: Sequence[object], *, batch: int, bisect: bool
    ) -> lambda_.EventSourceMapping:
        made = _mapping(scope, name, reader, table, failed, keys, batch=batch, bisect=bisect)
        if emptier is not None:
            made.node.add_dependency(emptier.resource)  # so that it is deleted before, and writes nothing after
        return made

    prefixes = [{"prefix": prefix} for prefix in names.STREAM_PREFIXES]
    return StreamReaders(
        audit=Reader(
            audit.function,
            # Small batches: what a slow audit table leaves of one is delivered again.
            mapping("AuditStream", audit, [names.POLICY, *prefixes], batch=100, bisect=True),
        ),
        publisher=Reader(
            publisher.function,
            # However many edits there are, the draft is published once; and no edit is to blame where that fails.
            mapping("Stream", publisher, [names.POLICY], batch=1000, bisect=False),
        ),
        failed_records=failed,
    )


def _mapping(
    scope: Construct,
    name: str,
    reader: PythonFunction,
    table: dynamodb.ITable,
    failed: s3.Bucket,
    keys: Sequence[object],
    *,
    batch: int,
    bisect: bool,
) -> lambda_.EventSourceMapping:
    """A mapping that gives up on nothing while the stream still has it."""
    mapping = lambda_.EventSourceMapping(
        scope,
        name,
        target=reader.function,
        event_source_arn=table.table_stream_arn,
        # Rows written before the mapping exists are changes too.
        starting_position=lambda_.StartingPosition.TRIM_HORIZON,
        # An allow-list, so that the publisher never gets its own writes.
        filters=[lambda_.FilterCriteria.filter({"dynamodb": {"Keys": {names.PK: {"S": keys}}}})],
        batch_size=batch,
        parallelization_factor=1,
        report_batch_item_failures=True,
        bisect_batch_on_error=bisect,
        retry_attempts=-1,
        max_record_age=_MAX_AGE,
        metrics_config=lambda_.MetricsConfig(metrics=[lambda_.MetricType.EVENT_COUNT]),
    )
    resource = mapping.node.default_child
    assert isinstance(resource, lambda_.CfnEventSourceMapping)  # noqa: S101 - the resource of a mapping
    # CDK's own destination for a bucket would let the function read and delete what was kept.
    resource.destination_config = lambda_.CfnEventSourceMapping.DestinationConfigProperty(
        on_failure=lambda_.CfnEventSourceMapping.OnFailureProperty(destination=failed.bucket_arn)
    )
    mapping.node.add_dependency(reader.policy)
    return mapping


def _schedule(scope: Construct, publisher: lambda_.Function) -> None:
    """Have the publisher look after edits that no change announces; its handler knows the event by what it lacks."""
    events.Rule(
        scope,
        "LookAfter",
        description="Claimsmith: publishes an edit that was left, and records for how long one waits.",
        schedule=events.Schedule.rate(_LOOK_AFTER),
        targets=[targets.LambdaFunction(publisher, event=events.RuleTargetInput.from_object({}), retry_attempts=0)],
    )


def _failed_records(scope: Construct, hosting: Hosting) -> s3.Bucket:
    kept = Duration.days(365 if hosting.retain else 7)
    bucket = s3.Bucket(
        scope,
        "FailedRecords",
        encryption=s3.BucketEncryption.S3_MANAGED if hosting.encryption_key is None else s3.BucketEncryption.KMS,
        encryption_key=hosting.encryption_key,
        enforce_ssl=True,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
        versioned=True,
        lifecycle_rules=[
            s3.LifecycleRule(
                expiration=kept,
                noncurrent_version_expiration=Duration.days(30 if hosting.retain else 7),
                abort_incomplete_multipart_upload_after=Duration.days(1),
            )
        ],
        removal_policy=removal_policy(hosting),
    )
    acknowledge(bucket, "S1", "Access is rare, and by a few people; CloudTrail's data events show it, if wanted.")
    return bucket


def _emptier(scope: Construct, failed: s3.IBucket, hosting: Hosting) -> BucketEmptier:
    emptier = BucketEmptier(scope, "FailedRecordsEmptier", bucket=failed, hosting=hosting)
    acknowledge_objects(emptier.policy, failed, "*")
    return emptier


def _acknowledge(reader: PythonFunction, table: dynamodb.ITable, failed: s3.IBucket) -> None:
    """Say why two resources of a reader's policy end with an asterisk."""
    why = "A stream's ARN ends with the time of its creation. This matches only the streams of one table."
    _acknowledge_end(reader.policy, table, "stream/*", why)
    acknowledge_objects(reader.policy, failed, FAILED_RECORDS)


def acknowledge_objects(policy: Construct, bucket: s3.IBucket, *patterns: str) -> None:
    """Say why a policy allows all objects of a bucket below a prefix."""
    for pattern in patterns:
        _acknowledge_end(policy, bucket, pattern, "Lambda names the objects. This matches only those of one bucket.")


def _acknowledge_end(policy: Construct, of: IConstruct, end: str, why: str) -> None:
    element = of.node.default_child
    if isinstance(element, CfnElement):  # of this app: the finding of cdk-nag names its logical id
        acknowledge(policy, f"IAM5[Resource::<{Stack.of(policy).get_logical_id(element)}.Arn>/{end}]", why)
