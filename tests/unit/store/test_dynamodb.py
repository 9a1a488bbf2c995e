"""The few operations of a table: whole partitions, conditions, all or none, and errors with a code."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from claimsmith.errors import Code, StoreError
from claimsmith.store.dynamodb import Table, delete_action, put_action, update_action
from claimsmith.store.failures import ConditionError

if TYPE_CHECKING:
    from tests.conftest import Client


def test_a_partition_is_read_whole_even_if_it_takes_several_pages(rows: Table) -> None:
    for number in range(6):
        rows.put({"pk": "P", "sk": f"{number}", "text": "x" * 300_000})
    rows.put({"pk": "Q", "sk": "0"})
    assert [row["sk"] for row in rows.query("P")] == list("012345")


def test_a_partition_is_read_by_prefix_limit_and_direction(rows: Table) -> None:
    for sk in ("A#1", "A#2", "A#3", "B#1"):
        rows.put({"pk": "P", "sk": sk})
    assert [row["sk"] for row in rows.query("P", sk_prefix="A#")] == ["A#1", "A#2", "A#3"]
    assert [row["sk"] for row in rows.query("P", sk_prefix="A#", limit=1, descending=True)] == ["A#3"]


def test_one_row_is_there_or_none(rows: Table) -> None:
    rows.put({"pk": "P", "sk": "1", "n": 1})
    assert rows.get("P", "1") == {"pk": "P", "sk": "1", "n": 1}
    assert rows.get("P", "2") is None


def test_more_rows_than_one_request_takes_are_read_in_several(rows: Table) -> None:
    for number in range(130):
        rows.put({"pk": f"P{number}", "sk": "x"})
    found = rows.batch_get([(f"P{number}", "x") for number in range(140)])
    assert {row["pk"] for row in found} == {f"P{number}" for number in range(130)}
    assert rows.batch_get([]) == []


def test_a_put_holds_to_its_condition(rows: Table) -> None:
    rows.put({"pk": "P", "sk": "1", "n": 1}, condition="attribute_not_exists(pk)")
    with pytest.raises(ConditionError):
        rows.put({"pk": "P", "sk": "1", "n": 2}, condition="attribute_not_exists(pk)")
    rows.put({"pk": "P", "sk": "1", "n": 3}, condition="n = :n", values={":n": 1})
    assert rows.get("P", "1") == {"pk": "P", "sk": "1", "n": 3}


def test_a_delete_holds_to_its_condition_and_needs_no_row(rows: Table) -> None:
    rows.put({"pk": "P", "sk": "1", "n": 1})
    with pytest.raises(ConditionError):
        rows.delete("P", "1", condition="n = :n", values={":n": 2})
    rows.delete("P", "1", condition="n = :n", values={":n": 1})
    rows.delete("P", "1")
    assert rows.get("P", "1") is None


def test_an_update_sets_what_it_names_and_makes_a_row(rows: Table) -> None:
    rows.update("P", "1", {"name": "x", "status": "active"})
    rows.update("P", "1", {"name": "y"})
    assert rows.get("P", "1") == {"pk": "P", "sk": "1", "name": "y", "status": "active"}


def test_an_update_holds_to_what_it_expects(rows: Table) -> None:
    rows.update("P", "1", {"n": 1}, expected={"n": None})
    for expected in ({"n": None}, {"n": 2}, {"n": 1, "other": "x"}):
        with pytest.raises(ConditionError):
            rows.update("P", "1", {"n": 9}, expected=expected)
    rows.update("P", "1", {"n": 2}, expected={"n": 1, "other": None})
    assert rows.get("P", "1") == {"pk": "P", "sk": "1", "n": 2}


def test_an_update_removes_what_it_names(rows: Table) -> None:
    rows.put({"pk": "P", "sk": "1", "n": 1, "other": "x"})
    rows.update("P", "1", {"n": 2}, remove=("other", "never there"), expected={"pk": "P", "other": "x"})
    assert rows.get("P", "1") == {"pk": "P", "sk": "1", "n": 2}


def test_updates_in_a_transaction_hold_to_what_they_expect(rows: Table) -> None:
    rows.put({"pk": "P", "sk": "1", "n": 1})
    first = update_action(rows.name, "P", "1", {"n": 2}, expected={"n": 1})
    with pytest.raises(ConditionError):
        rows.transact([first, update_action(rows.name, "P", "2", {"n": 2}, expected={"pk": "P"})])
    rows.transact([first, update_action(rows.name, "P", "2", {"n": 2}, expected={"pk": None})])
    assert [row["n"] for row in rows.query("P")] == [2, 2]


@pytest.mark.parametrize(
    ("operation", "named"), [("Scan", "dynamodb:Scan"), ("TransactWriteItems", "dynamodb:UpdateItem")]
)
def test_a_missing_permission_is_named(operation: str, named: str) -> None:
    def denied(**_: object) -> None:
        raise ClientError({"Error": {"Code": "AccessDeniedException"}}, operation)

    with pytest.raises(StoreError, match=f"{named}.* on table t"):
        Table(SimpleNamespace(get_item=denied), "t").get("P", "1")


def test_a_transaction_writes_all_or_none(rows: Table) -> None:
    rows.put({"pk": "P", "sk": "old"})
    failing = [
        put_action(rows.name, {"pk": "P", "sk": "new"}),
        delete_action(rows.name, "P", "old"),
        put_action(rows.name, {"pk": "P", "sk": "old"}, "attribute_not_exists(pk)"),
    ]
    with pytest.raises(StoreError):
        rows.transact([failing[0], failing[2]])
    assert [row["sk"] for row in rows.query("P")] == ["old"]
    rows.transact(failing[:2])
    assert [row["sk"] for row in rows.query("P")] == ["new"]


def test_a_missing_table_is_reported_by_its_name(dynamodb: Client) -> None:
    with pytest.raises(StoreError, match="There is no table elsewhere here") as raised:
        Table(dynamodb, "elsewhere").get("P", "1")
    assert raised.value.code is Code.TABLE_MISSING
