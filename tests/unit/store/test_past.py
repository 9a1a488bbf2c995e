"""What a row was, by two witnesses; and what the pointer was, by what is kept of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from claimsmith.engine.staging import Staging
from claimsmith.store import bundles
from claimsmith.store.audit import AuditRow
from claimsmith.store.bundles import Pointer, Version
from claimsmith.store.dynamodb import Table
from claimsmith.store.past import Past, undone
from claimsmith.table import past_sk, version_sk
from tests.integration.memory_dynamodb import MemoryDynamoDB

if TYPE_CHECKING:
    from collections.abc import Sequence

    Row = dict[str, Any]

OLD, NEW, OTHER = {"roles": ["old"]}, {"roles": ["new"]}, {"roles": ["other"]}


def change(at: int, before: Row | None, after: Row | None, *, cut: str = "", sequence: str = "1") -> AuditRow:
    return AuditRow(
        "USER#1",
        "USER",
        at,
        sequence,
        by_ttl=False,
        claimed_by=None,
        before=before,
        after=after,
        before_cut="before" in cut,
        after_cut="after" in cut,
    )


@pytest.mark.parametrize(
    ("changes", "now", "then", "gap"),
    [
        ([change(1, None, OLD)], OLD, OLD, None),
        ([change(1, None, OLD)], {**OLD, "secrets": frozenset("x")}, {**OLD, "secrets": frozenset("x")}, None),
        ([change(1, None, OLD), change(9, OLD, NEW)], NEW, OLD, None),
        ([change(9, None, NEW)], NEW, None, None),
        ([change(1, None, OLD), change(9, OLD, None)], None, OLD, None),
        ([change(1, None, OLD), change(9, NEW, {}, sequence="10"), change(9, OLD, NEW, sequence="9")], {}, OLD, None),
        ([change(5, None, OLD)], OLD, OLD, None),
        ([change(1, None, OLD, cut="after"), change(9, NEW, None)], None, NEW, None),
        ([change(1, None, OLD), change(9, {}, None, cut="before")], None, OLD, None),
        ([], OLD, OLD, "how it came to be is not in the audit"),
        ([change(9, OLD, NEW)], NEW, OLD, "how it came to be is not in the audit"),
        ([change(9, OLD, NEW, cut="before")], NEW, OLD, "only a part of it is in the audit"),
        ([change(1, None, OLD, cut="after"), change(9, OLD, NEW, cut="before")], NEW, OLD, "only a part"),
        ([change(1, None, OLD)], NEW, NEW, "not in the audit, or not yet"),
        ([change(1, None, OLD)], None, None, "not in the audit, or not yet"),
        ([change(1, None, OLD), change(9, NEW, OTHER)], OTHER, NEW, "not in the audit, or not yet"),
    ],
)  # fmt: skip
def test_a_row_is_certain_where_both_witnesses_agree(
    changes: Sequence[AuditRow], now: Row | None, then: Row | None, gap: str | None
) -> None:
    rows, gaps = undone("USER#1", {} if now is None else {"USER": now}, changes, 5)
    assert rows == ({} if then is None else {"USER": {"pk": "USER#1", "sk": "USER", **then}})
    assert [found.row for found in gaps] == ([] if gap is None else ["USER#1 USER"])
    assert gap is None or gap in gaps[0].why


@pytest.fixture
def moved() -> Table:
    """Version 1 at 10, version 2 staged at 20 and in force at 30."""
    rows = Table(MemoryDynamoDB(), "claimsmith")
    for number in (1, 2):
        bundles.store(rows, Version(number, f"digest{number}", created_at=number * 10 - 2), b"")
    first = bundles.move(rows, Version(1, "digest1"), None, by="a", at=10)
    staged = bundles.move(rows, Version(1, "digest1"), first, by="b", at=20, staging=Staging(2, 10, frozenset("u")))
    bundles.move(rows, Version(2, "digest2"), bundles.touch(rows, staged), by="c", at=30, hold=True)
    return rows


def at(rows: Table, seconds: int) -> tuple[Pointer | None, bool]:
    """The pointer at a time, and whether that is certain."""
    past = Past(rows, Table(MemoryDynamoDB(), "audit"), seconds)
    return bundles.pointer(past), not past.gaps


@pytest.mark.parametrize(
    ("seconds", "version", "staging"),
    [(9, None, None), (10, 1, None), (19, 1, None), (20, 1, Staging(2, 10, frozenset("u"))), (30, 2, None)],
)
def test_each_move_of_the_pointer_is_kept(
    moved: Table, seconds: int, version: int | None, staging: Staging | None
) -> None:
    pointer, certain = at(moved, seconds)
    assert certain
    assert (pointer and pointer.version, pointer and pointer.staging) == (version, staging)


def test_moves_of_an_earlier_release_are_inferred_from_when_versions_were_created(moved: Table) -> None:
    """An earlier release kept nothing; the pointer that it left is certain from its own time on."""
    for revision in (1, 2, 3):
        moved.delete("BUNDLE", past_sk(revision))
    found = [at(moved, seconds) for seconds in (7, 8, 18, 30)]
    assert [(pointer and pointer.version, certain) for pointer, certain in found] == [
        (None, False),
        (1, False),
        (2, False),
        (2, True),
    ]


def test_a_move_that_is_missing_among_others_makes_earlier_times_uncertain(moved: Table) -> None:
    moved.delete("BUNDLE", past_sk(3))
    assert [at(moved, seconds)[1] for seconds in (20, 30)] == [False, True]


def test_versions_are_those_of_now(moved: Table) -> None:
    past = Past(moved, Table(MemoryDynamoDB(), "audit"), 10)
    assert past.get("BUNDLE", version_sk(2)) == moved.get("BUNDLE", version_sk(2))


def test_the_past_cannot_be_written(moved: Table) -> None:
    with pytest.raises(TypeError):
        Past(moved, Table(MemoryDynamoDB(), "audit"), 10).put({"pk": "USER#1", "sk": "USER"})


def test_before_the_audit_table_was_made_nothing_is_certain(moved: Table) -> None:
    audit = MemoryDynamoDB()
    audit.made = 20
    [gap] = Past(moved, Table(audit, "audit"), 19).gaps
    assert gap.why == "the audit only goes back to 1970-01-01T00:00:20Z, when its table was made"
    assert Past(moved, Table(audit, "audit"), 20).gaps == ()
