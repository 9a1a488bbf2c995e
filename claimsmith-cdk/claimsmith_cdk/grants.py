"""The permissions of each function on the tables, by partition keys.

``ForAllValues`` is true if a request has no partition key at all. Every action allowed here names its keys,
so DynamoDB always has them; ``Scan``, ``PartiQL*`` and the index, which may not, are not allowed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aws_cdk import Aws
from aws_cdk import aws_iam as iam

from claimsmith import table as names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aws_cdk import aws_dynamodb as dynamodb
    from aws_cdk import aws_kms as kms
    from aws_cdk import aws_s3 as s3

_TRIGGER_READS: Final = ("dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query")
_TRIGGER_KEYS: Final = (names.BUNDLE, f"{names.TENANT_PREFIX}*", f"{names.USER_PREFIX}*")

_PUBLISHER_READS: Final = ("dynamodb:GetItem", "dynamodb:Query")
_PUBLISHER_READ_KEYS: Final = (names.BUNDLE, names.LEASE, names.POLICY, names.PROBLEMS)
_PUBLISHER_PUT_KEYS: Final = (names.BUNDLE, names.PROBLEMS)
_PUBLISHER_DELETE_KEYS: Final = (names.LEASE, names.PROBLEMS)  # a version is never deleted

#: Where Lambda keeps what a function gives up on, and where ``claimsmith replay`` puts it (``store.kept_batches``).
FAILED_RECORDS: Final = "aws/lambda/*"
REPLAYED_RECORDS: Final = "replayed/*"

_STREAM_READS: Final = (
    "dynamodb:DescribeStream",
    "dynamodb:GetRecords",
    "dynamodb:GetShardIterator",
    "dynamodb:ListStreams",
)


def trigger_statements(table: dynamodb.ITable) -> list[iam.PolicyStatement]:
    """The trigger reads users, tenants and bundles, and writes nothing."""
    return [by_leading_keys("ReadClaims", table, _TRIGGER_READS, _TRIGGER_KEYS)]


def publisher_statements(table: dynamodb.ITable, failed: s3.IBucket) -> list[iam.PolicyStatement]:
    """The publisher reads the draft, writes bundles and problems, and reads the stream."""
    return [
        by_leading_keys("ReadDraft", table, _PUBLISHER_READS, _PUBLISHER_READ_KEYS),
        by_leading_keys("WriteBundle", table, ("dynamodb:PutItem",), _PUBLISHER_PUT_KEYS),
        by_leading_keys("GiveUpLease", table, ("dynamodb:DeleteItem",), _PUBLISHER_DELETE_KEYS),
        *_reader_statements(table, failed),
    ]


def audit_statements(
    table: dynamodb.ITable, audit_table: dynamodb.ITable, failed: s3.IBucket
) -> list[iam.PolicyStatement]:
    """The audit appends to the audit table, and reads the stream."""
    return [
        iam.PolicyStatement(sid="AppendAudit", actions=["dynamodb:PutItem"], resources=[audit_table.table_arn]),
        *_reader_statements(table, failed),
    ]


def _reader_statements(table: dynamodb.ITable, failed: s3.IBucket) -> list[iam.PolicyStatement]:
    """Lambda reads the stream with the function's role, and keeps what the function gives up on."""
    return [
        iam.PolicyStatement(sid="ReadStream", actions=list(_STREAM_READS), resources=[f"{table.table_arn}/stream/*"]),
        iam.PolicyStatement(
            sid="KeepFailedRecords", actions=["s3:PutObject"], resources=[failed.arn_for_objects(FAILED_RECORDS)]
        ),
        # Lambda asks for it before it writes.
        iam.PolicyStatement(sid="SeeBucket", actions=["s3:ListBucket"], resources=[failed.bucket_arn]),
    ]


def authorizer_statements(table: dynamodb.ITable) -> list[iam.PolicyStatement]:
    """The authorizer reads the policy in force and revocations, and writes nothing."""
    return [
        by_leading_keys("ReadPolicy", table, ("dynamodb:GetItem",), (names.BUNDLE,)),
        by_leading_keys("ReadRevocations", table, ("dynamodb:BatchGetItem",), (f"{names.REVOKED_PREFIX}*",)),
    ]


def introspection_statements(table: dynamodb.ITable) -> list[iam.PolicyStatement]:
    """Introspection reads what the authorizer reads, its callers, and the directory rows of the token's subject."""
    callers, users = (f"{names.PROTECTED_RESOURCE_PREFIX}*",), (f"{names.USER_PREFIX}*",)
    tenants_and_staged = (names.BUNDLE, f"{names.TENANT_PREFIX}*")
    return [
        *authorizer_statements(table),
        by_leading_keys("ReadCallers", table, ("dynamodb:GetItem",), callers),
        by_leading_keys("ReadUsers", table, ("dynamodb:Query",), users),
        by_leading_keys("ReadTenants", table, ("dynamodb:BatchGetItem",), tenants_and_staged),
    ]


def signing_statements(keys: Sequence[kms.IKey]) -> list[iam.PolicyStatement]:
    """Introspection signs with the first key, by the two algorithms that it knows, and publishes all of them.

    https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-signing-algorithm
    """
    if not keys:
        return []
    return [
        iam.PolicyStatement(
            sid="SignAnswers",
            actions=["kms:Sign"],
            resources=[keys[0].key_arn],
            conditions={"StringEquals": {"kms:SigningAlgorithm": ["RSASSA_PKCS1_V1_5_SHA_256", "ECDSA_SHA_256"]}},
        ),
        iam.PolicyStatement(sid="PublishKeys", actions=["kms:GetPublicKey"], resources=[key.key_arn for key in keys]),
    ]


def key_statements(key: kms.IKey | None) -> list[iam.PolicyStatement]:
    """Use of the key by whoever reads or writes tables and bucket, through DynamoDB and S3 only; none without a key.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html
    """
    if key is None:
        return []
    return [
        iam.PolicyStatement(
            sid="UseKey",
            actions=["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"],
            resources=[key.key_arn],
            conditions={
                "StringEquals": {
                    "kms:ViaService": [f"{service}.{Aws.REGION}.{Aws.URL_SUFFIX}" for service in ("dynamodb", "s3")]
                }
            },
        )
    ]


def by_leading_keys(
    sid: str, table: dynamodb.ITable, actions: tuple[str, ...], keys: tuple[str, ...], *, index: str | None = None
) -> iam.PolicyStatement:
    """Actions on rows whose partition key is, or starts with, one of the keys.

    Args:
        sid: the statement's id.
        table: the table.
        actions: those that always name partition keys.
        keys: the partition keys; a ``*`` at the end makes a prefix.
        index: an index of the table, with its own partition keys; None for the table itself.
    """
    return iam.PolicyStatement(
        sid=sid,
        actions=list(actions),
        resources=[table.table_arn if index is None else f"{table.table_arn}/index/{index}"],
        conditions={"ForAllValues:StringLike": {"dynamodb:LeadingKeys": list(keys)}},
    )
