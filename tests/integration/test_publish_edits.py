"""Edits by hand while others publish: whenever one comes, it is published, or somebody learns that it waits.

An edit has one publisher of its own, run by the stream right after it: what that one leaves to others, they must do.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any, Final

import pytest

from claimsmith.engine.codec import encode
from claimsmith.errors import Code, PolicyError
from claimsmith.policy import compile as compile_policy
from claimsmith.policy import from_rows
from claimsmith.service.publish import Outcome, Result, apply, publish
from claimsmith.service.versions import promote, resume, rollback
from claimsmith.store import bundles, drafts
from claimsmith.store.dynamodb import Table
from tests.conftest import TABLE
from tests.integration.clients import KilledError, Watched, dying
from tests.integration.memory_dynamodb import MemoryDynamoDB
from tests.policies import NOW, policy_rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from claimsmith.policy import Draft

#: More operations than any of this asks for.
MANY: Final = 50


def policy(scope: str, **settings: Any) -> Draft:  # noqa: ANN401 - any setting
    return from_rows(policy_rows(settings=settings, roles={"viewer": {"scopes": [scope]}}))


def write(rows: Table, draft: Draft) -> None:
    """Write a policy by hand."""
    for row in draft.rows():
        rows.put(row)


@pytest.fixture
def dynamodb() -> MemoryDynamoDB:
    return MemoryDynamoDB()


@pytest.fixture
def rows(dynamodb: MemoryDynamoDB) -> Table:
    """A policy is in force as version 1."""
    rows = Table(dynamodb, TABLE)
    assert apply(rows, policy("orders/first"), by="first") == Outcome(Result.PUBLISHED, 1)
    return rows


def meanwhile(dynamodb: MemoryDynamoDB, when: Callable[[str, str], bool], what: Callable[[], None]) -> Table:
    """A table on which something happens once, right before an operation: of this name, on a row of this key."""
    happened = False

    def before(operation: str, request: dict[str, Any]) -> None:
        nonlocal happened
        row = request.get("Item", request.get("Key", {}))
        if not happened and when(operation, " ".join(row[name]["S"] for name in ("pk", "sk") if name in row)):
            happened = True
            what()

    return Table(Watched(dynamodb, before), TABLE)


def ends_lease(operation: str, key: str) -> bool:
    return (operation, key) == ("delete_item", "LEASE DRAFT")


def moves_pointer(operation: str, key: str) -> bool:
    return (operation, key) == ("put_item", "BUNDLE CURRENT")


def in_force(rows: Table) -> tuple[int, list[str]]:
    """The version in force and its scopes."""
    pointer = bundles.pointer(rows)
    assert pointer is not None
    roles = bundles.load(rows, pointer.version, pointer.digest).roles
    return pointer.version, sorted(scope for role in roles.values() for scope in role.scopes)


# At any moment.

EDITS: Final[dict[str, Callable[[Table], None]]] = {
    "another scope": lambda rows: write(rows, policy("orders/edited")),
    "another role": lambda rows: rows.put({"pk": "POLICY", "sk": "ROLE#edited", "scopes": ["orders/edited"]}),
    "back to what is in force": lambda rows: write(rows, policy("orders/first")),
    "a mistake": lambda rows: rows.put({"pk": "POLICY", "sk": "ROLE#viewer", "scope": ["orders/typo"]}),
}


def apply_second(rows: Table) -> Outcome:
    return apply(rows, policy("orders/second"), by="cli:ann")


def publish_second(rows: Table) -> Outcome:
    return publish(rows, by="slow")


def finish_second(rows: Table) -> Outcome:
    """Somebody's apply died when all was written; the lease is theirs."""
    return publish(rows, by="slow")


def resume_second(rows: Table) -> Outcome:
    return resume(rows, by="cli:ann")


def before_it(act: Callable[[Table], Outcome]) -> MemoryDynamoDB:
    """What there is before one of these acts: one policy in force, another one as the draft."""
    dynamodb = MemoryDynamoDB()
    rows = Table(dynamodb, TABLE)
    apply(rows, policy("orders/first"), by="first")
    if act is finish_second:
        with pytest.raises(KilledError):
            apply(dying(dynamodb, TABLE, writes=2), policy("orders/second"), by="killed")
    elif act is not apply_second:
        write(rows, policy("orders/second"))
    if act is resume_second:
        rollback(rows, 1, by="admin")
    return dynamodb


def is_told(rows: Table) -> bool:
    """Whether the draft is in force, or the problems row shows why not."""
    draft, pointer, problems = from_rows(drafts.policy_rows(rows)), bundles.pointer(rows), drafts.problems(rows)
    try:
        _, digest = encode(compile_policy(draft))
    except PolicyError:
        return problems is not None and problems["digest"] == draft.digest()
    return problems is None and pointer is not None and pointer.digest == digest


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS.keys())
@pytest.mark.parametrize("act", [apply_second, publish_second, finish_second, resume_second])
def test_no_edit_is_lost_at_whatever_moment_of_publishing_it_comes(
    act: Callable[[Table], Outcome], edit: Callable[[Table], None]
) -> None:
    lost = []
    for moment in range(MANY):
        dynamodb = before_it(act)
        rows = Table(dynamodb, TABLE)
        operations, edits = count(), list[Outcome]()

        def edit_and_stream(rows: Table = rows, edits: list[Outcome] = edits) -> None:
            edit(rows)
            edits.append(publish(rows, by="stream"))

        outcome = act(meanwhile(dynamodb, lambda *_: next(operations) == moment, edit_and_stream))  # noqa: B023
        if not edits:
            break
        # If the edit became part of the draft about to be published, the outcome and the remaining lease show it.
        waits = outcome.result is Result.WAITING and drafts.lease(rows) is not None
        if not waits and (drafts.lease(rows) is not None or not is_told(rows)):
            lost.append((moment, outcome, edits))
    assert lost == []
    assert 5 < moment < MANY - 1, "not every moment was tried"


# While a lease is released.


def test_an_edit_that_waited_for_an_apply_is_published_by_it_as_a_version_of_its_own(
    dynamodb: MemoryDynamoDB, rows: Table
) -> None:
    def edited() -> None:
        EDITS["another role"](rows)
        assert publish(rows, by="stream") == Outcome(Result.WAITING, 2)

    applying = meanwhile(dynamodb, ends_lease, edited)
    outcome = apply(applying, policy("orders/second"), by="cli:ann", note="for Bob", clock=lambda: NOW)
    assert outcome == Outcome(Result.PUBLISHED, 2), "the outcome of its own policy, not of the edit"
    assert in_force(rows) == (3, ["orders/edited", "orders/second"])
    assert (drafts.lease(rows), publish(rows, by="stream").result) == (None, Result.UNCHANGED)
    versions = [(version.created_by, version.note) for version in bundles.versions(rows, limit=2)]
    assert versions == [("cli:ann", None), ("cli:ann", "for Bob")]


def test_a_mistake_that_waited_for_an_apply_is_reported_although_the_apply_succeeds(
    dynamodb: MemoryDynamoDB, rows: Table
) -> None:
    def edited() -> None:
        EDITS["a mistake"](rows)
        assert publish(rows, by="stream") == Outcome(Result.WAITING, 2)

    assert apply_second(meanwhile(dynamodb, ends_lease, edited)) == Outcome(Result.PUBLISHED, 2)
    assert in_force(rows) == (2, ["orders/second"])
    problems = drafts.problems(rows)
    assert problems is not None
    assert [found["code"] for found in problems["findings"]] == [Code.UNKNOWN_ATTRIBUTE]


def test_where_somebody_else_has_the_lease_by_then_the_edit_is_theirs_to_wait_for(
    dynamodb: MemoryDynamoDB, rows: Table
) -> None:
    """Their apply reads the draft with the edit in it and replaces it with their file."""
    third = policy("orders/third")

    def edited() -> None:
        EDITS["another role"](rows)
        assert publish(rows, by="stream") == Outcome(Result.WAITING, 2)
        drafts.acquire(rows, drafts.Lease(third.digest(), "cli:bob", NOW), force=True)

    assert apply_second(meanwhile(dynamodb, ends_lease, edited)) == Outcome(Result.PUBLISHED, 2)
    assert in_force(rows) == (2, ["orders/second"])
    assert apply(rows, third, by="cli:bob") == Outcome(Result.PUBLISHED, 3)
    assert (in_force(rows), drafts.lease(rows)) == ((3, ["orders/third"]), None)


def test_what_was_edited_while_somebody_promoted_the_draft_waits_to_be_promoted_too(
    dynamodb: MemoryDynamoDB, rows: Table
) -> None:
    """Somebody who promotes under ``publish: manual`` has seen the draft, and not what was written after that."""
    manual = policy("orders/second", publish="manual")
    apply(rows, manual, by="cli:ann")

    def edited() -> None:
        EDITS["another role"](rows)
        assert publish(rows, by="stream") == Outcome(Result.MANUAL, 1)

    assert promote(meanwhile(dynamodb, moves_pointer, edited), None, by="cli:ann") == Outcome(Result.PUBLISHED, 2)
    assert in_force(rows) == (2, ["orders/second"])
    assert promote(rows, None, by="cli:ann") == Outcome(Result.PUBLISHED, 3)
