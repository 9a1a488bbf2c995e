"""The table is made as documented, and only rows that people edit feed the publisher."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from claimsmith import table
from tests.conftest import AUDIT_TABLE, TABLE

if TYPE_CHECKING:
    from claimsmith.store.dynamodb import Table
    from tests.conftest import Client


def test_the_table_has_two_string_keys_a_stream_of_both_images_and_one_index(dynamodb: Client) -> None:
    made = dynamodb.describe_table(TableName=TABLE)["Table"]
    assert [(key["AttributeName"], key["KeyType"]) for key in made["KeySchema"]] == [("pk", "HASH"), ("sk", "RANGE")]
    assert {kind["AttributeType"] for kind in made["AttributeDefinitions"]} == {"S"}
    assert made["StreamSpecification"] == {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    [index] = made["GlobalSecondaryIndexes"]
    assert index["IndexName"] == "by_sk"
    assert [key["AttributeName"] for key in index["KeySchema"]] == ["sk", "pk"]
    assert index["Projection"] == {"ProjectionType": "KEYS_ONLY"}


@pytest.mark.parametrize("name", [TABLE, AUDIT_TABLE])
def test_both_tables_are_on_demand_protected_and_recoverable(dynamodb: Client, name: str) -> None:
    made = dynamodb.describe_table(TableName=name)["Table"]
    assert made["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert made["DeletionProtectionEnabled"] is True
    ttl = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    assert (ttl["TimeToLiveStatus"], ttl["AttributeName"]) == ("ENABLED", "ttl")
    backups = dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"


def test_the_audit_table_has_neither_stream_nor_index(dynamodb: Client) -> None:
    made = dynamodb.describe_table(TableName=AUDIT_TABLE)["Table"]
    assert "StreamSpecification" not in made
    assert not made.get("GlobalSecondaryIndexes")


@pytest.mark.parametrize("pk", ["POLICY", "TENANT#acme", "USER#1", "REVOKED#user#1", "PROTECTED_RESOURCE#api"])
def test_rows_that_people_edit_are_streamed(pk: str) -> None:
    assert table.is_streamed(pk)


@pytest.mark.parametrize("pk", ["BUNDLE", "LEASE", "PROBLEMS", "POLICY2", "", "user#1", "XTENANT#acme"])
def test_what_the_publisher_writes_itself_is_not_streamed(pk: str) -> None:
    assert not table.is_streamed(pk)


def test_version_keys_sort_as_numbers_do() -> None:
    keys = [table.version_sk(number) for number in (1, 9, 10, 99, 100, 12_345_678)]
    assert keys == sorted(keys)


def test_members_of_a_tenant_are_found_by_the_index(rows: Table) -> None:
    for sub in ("u1", "u2"):
        rows.put({"pk": f"USER#{sub}", "sk": "TENANT#acme"})
    rows.put({"pk": "USER#u3", "sk": "TENANT#other"})
    assert sorted(rows.keys_by_sk("TENANT#acme")) == [("USER#u1", "TENANT#acme"), ("USER#u2", "TENANT#acme")]
