"""The table: the names of its keys, attributes and index, and a function that creates it.

Rows are a public interface that people edit by hand, so every name here is spelled exactly as in the DynamoDB console.
The CDK app builds its table from the same names; a test compares the two.
"""

from __future__ import annotations

from typing import Any, Final

PK: Final = "pk"
SK: Final = "sk"
TTL: Final = "ttl"

#: The only global secondary index: lists a tenant's members. Access is never decided by it.
BY_SK: Final = "by_sk"

POLICY: Final = "POLICY"
SETTINGS: Final = "SETTINGS"
#: The kinds of policy rows that the engine or others name; ``policy.documents.KINDS`` has all.
ROLE: Final = "ROLE#"
GROUP: Final = "GROUP#"
IDENTITY_PROVIDER: Final = "IDENTITY_PROVIDER#"
CLIENT: Final = "CLIENT#"
RULE: Final = "RULE#"
ROUTE: Final = "ROUTE#"
TEST: Final = "TEST#"

BUNDLE: Final = "BUNDLE"
CURRENT: Final = "CURRENT"
VERSION: Final = "V#"
PAST: Final = "PAST#"
NAMES: Final = "NAMES"
LEASE: Final = "LEASE"
PROBLEMS: Final = "PROBLEMS"
DRAFT: Final = "DRAFT"

TENANT: Final = "TENANT"
TENANT_PREFIX: Final = "TENANT#"
USER: Final = "USER"
USER_PREFIX: Final = "USER#"
REVOKED: Final = "REVOKED"
REVOKED_PREFIX: Final = "REVOKED#"
PROTECTED_RESOURCE: Final = "PROTECTED_RESOURCE"
PROTECTED_RESOURCE_PREFIX: Final = "PROTECTED_RESOURCE#"
#: What is deployed around the table; ``POOL#`` for each user pool that was attached.
DEPLOYMENT: Final = "DEPLOYMENT"
POOL: Final = "POOL#"

#: In the audit table: changes whose record does not say which row changed.
UNREADABLE: Final = "UNREADABLE"

#: The partition keys whose changes the stream passes to the publisher: ``POLICY`` exactly, the others by prefix. An
#: allow-list, so that rows the publisher itself writes (``BUNDLE``, ``LEASE``, ``PROBLEMS``) can never trigger it.
STREAM_PREFIXES: Final = (TENANT_PREFIX, USER_PREFIX, REVOKED_PREFIX, PROTECTED_RESOURCE_PREFIX)

#: Octets of a partition key
#: (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html#limits-partition-sort-keys).
MAX_PK: Final = 2_048

KEY_SCHEMA: Final = ({"AttributeName": PK, "KeyType": "HASH"}, {"AttributeName": SK, "KeyType": "RANGE"})
INDEX_KEY_SCHEMA: Final = ({"AttributeName": SK, "KeyType": "HASH"}, {"AttributeName": PK, "KeyType": "RANGE"})
ATTRIBUTES: Final = ({"AttributeName": PK, "AttributeType": "S"}, {"AttributeName": SK, "AttributeType": "S"})


def version_sk(version: int) -> str:
    """The sort key of a bundle version: eight digits, so that keys sort in numeric order."""
    return f"{VERSION}{version:08d}"


def past_sk(revision: int) -> str:
    """The sort key of what the pointer was at a revision: ten digits, so that keys sort in numeric order."""
    return f"{PAST}{revision:010d}"


def revocation_key(kind: str, identifier: str) -> str:
    """The partition key of the row that revokes this."""
    return f"{REVOKED_PREFIX}{kind}#{identifier}"


def is_streamed(pk: str) -> bool:
    """Whether a change of a row with this partition key is audited and may cause a new bundle."""
    return pk == POLICY or pk.startswith(STREAM_PREFIXES)


def create_table(client: Any, name: str, *, stream: bool = True) -> None:  # noqa: ANN401 - botocore clients have no type
    """Create the table, for tests and for deployments without CDK.

    Args:
        client: a botocore ``dynamodb`` client.
        name: the table's name.
        stream: False creates an audit table (same keys; no stream, no index).

    Raises:
        botocore.exceptions.ClientError: as ``CreateTable`` does, for example if the table already exists.
    """
    extras: dict[str, Any] = (
        {
            "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
            "GlobalSecondaryIndexes": [
                {
                    "IndexName": BY_SK,
                    "KeySchema": list(INDEX_KEY_SCHEMA),
                    "Projection": {"ProjectionType": "KEYS_ONLY"},
                }
            ],
        }
        if stream
        else {}
    )
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=list(KEY_SCHEMA),
        AttributeDefinitions=list(ATTRIBUTES),
        DeletionProtectionEnabled=True,
        **extras,
    )
    client.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    client.update_time_to_live(TableName=name, TimeToLiveSpecification={"Enabled": True, "AttributeName": TTL})
    client.update_continuous_backups(
        TableName=name, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )
