"""Rollback, resume, stage, promote, release: what each does, refuses, and leaves behind when it is killed."""

from __future__ import annotations

import json
import threading
import zlib
from typing import TYPE_CHECKING, Any

import pytest

from claimsmith.engine.codec import BundleError, encode
from claimsmith.engine.staging import Staging
from claimsmith.errors import Code, OperationError
from claimsmith.policy import Draft, from_rows
from claimsmith.service.difference import difference
from claimsmith.service.publish import Outcome, Result, apply, publish
from claimsmith.service.versions import promote, publishing_status, release, resume, rollback, stage
from claimsmith.store import bundles, drafts
from claimsmith.store.dynamodb import Table
from claimsmith.table import version_sk
from tests.conftest import TABLE
from tests.integration.clients import KilledError, Watched, dying
from tests.integration.memory_dynamodb import MemoryDynamoDB
from tests.policies import NOW, policy_rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from claimsmith.store.bundles import Pointer


def clock() -> float:
    return float(NOW)


def draft(scope: str, **settings: Any) -> Draft:  # noqa: ANN401 - any setting
    return from_rows(policy_rows(settings=settings, roles={"viewer": {"scopes": [scope]}}))


def pointer(rows: Table) -> Pointer:
    there = bundles.pointer(rows)
    assert there is not None
    return there


@pytest.fixture
def dynamodb() -> MemoryDynamoDB:
    """Publishing needs few operations, and ``test_publish`` runs on all of an in-memory AWS."""
    return MemoryDynamoDB()


@pytest.fixture
def rows(dynamodb: MemoryDynamoDB) -> Table:
    return Table(dynamodb, TABLE)


def edit(rows: Table, **attributes: object) -> None:
    """Edit the pointer by hand."""
    row = rows.get("BUNDLE", "CURRENT")
    assert row is not None
    rows.put({**row, **attributes})


@pytest.fixture
def three(rows: Table) -> Table:
    """Version 3 is in force, after 1 and 2."""
    for number in (1, 2, 3):
        apply(rows, draft(f"orders/v{number}"), by="first", clock=clock)
    assert pointer(rows).version == 3
    return rows


@pytest.fixture
def manual(rows: Table) -> Table:
    """Version 1 is in force; version 2 is stored and waits."""
    apply(rows, draft("orders/v1"), by="first", clock=clock)
    assert apply(rows, draft("orders/v2", publish="manual"), by="first", clock=clock).result is Result.MANUAL
    return rows


# Rollback and resume.


def test_a_rollback_puts_an_earlier_version_in_force_and_holds_publishing(three: Table) -> None:
    before = pointer(three)
    after = rollback(three, 1, by="admin", clock=clock)
    assert after == pointer(three)
    assert (after.version, after.hold, after.revision) == (1, True, before.revision + 1)
    assert (after.updated_by, after.updated_at) == ("admin", NOW)
    assert bundles.load(three, after.version, after.digest).roles["viewer"].scopes == ("orders/v1",)


def test_nothing_is_published_after_a_rollback_until_somebody_resumes(three: Table) -> None:
    rollback(three, 1, by="admin", clock=clock)
    assert publish(three, by="stream", clock=clock) == Outcome(Result.HELD, 1)
    assert apply(three, draft("orders/v4"), by="other", clock=clock) == Outcome(Result.HELD, 1)
    assert resume(three, by="admin", clock=clock) == Outcome(Result.PUBLISHED, 4)
    assert pointer(three).hold is False


def test_a_rollback_to_the_version_in_force_holds_it_there(three: Table) -> None:
    stage(three, 2, percent=50, by="admin")
    after = rollback(three, 3, by="admin")
    assert (after.version, after.hold, after.staging) == (3, True, None)


def test_a_rollback_may_be_repeated_and_go_further_back(three: Table) -> None:
    for number in (2, 2, 1):
        assert rollback(three, number, by="admin").version == number


def test_resume_without_a_hold_publishes_the_draft_as_it_is(three: Table) -> None:
    assert resume(three, by="admin") == Outcome(Result.UNCHANGED, 3)


def test_resume_with_a_refused_draft_ends_the_hold_and_reports_it(three: Table) -> None:
    rollback(three, 1, by="admin")
    three.put({"pk": "POLICY", "sk": "ROLE#broken", "scope": []})
    outcome = resume(three, by="admin")
    assert (outcome.result, outcome.version, pointer(three).hold) == (Result.REFUSED, 1, False)
    three.delete("POLICY", "ROLE#broken")
    assert publish(three, by="stream") == Outcome(Result.PUBLISHED, 3)


def test_a_rolled_back_version_keeps_its_number_for_itself(three: Table) -> None:
    rollback(three, 1, by="admin")
    apply(three, draft("orders/v4"), by="other", clock=clock)
    assert [version.number for version in bundles.versions(three, limit=9)] == [4, 3, 2, 1]


# Stage and promote.


def test_a_staged_version_stands_beside_the_one_in_force(manual: Table) -> None:
    after = stage(manual, 2, percent=10, subjects=["b", "a"], by="admin", clock=clock)
    assert after == pointer(manual)
    assert (after.version, after.staging) == (1, Staging(2, 10, frozenset("ab")))
    row = manual.get("BUNDLE", "CURRENT")
    assert row is not None
    assert (row["candidate"], row["percent"], row["subjects"]) == (2, 10, ["a", "b"])


def test_each_staging_sets_its_subjects_again(manual: Table) -> None:
    stage(manual, 2, percent=10, subjects=["a"], by="admin")
    assert stage(manual, 2, percent=50, by="admin").staging == Staging(2, 50)


def test_serving_nobody_ends_the_staging_and_leaves_no_trace(manual: Table) -> None:
    stage(manual, 2, percent=10, by="admin")
    assert stage(manual, 2, percent=0, by="admin").staging is None
    row = manual.get("BUNDLE", "CURRENT")
    assert row is not None
    assert not row.keys() & {"candidate", "percent", "subjects"}


def test_a_staging_that_cannot_be_read_can_be_ended(manual: Table) -> None:
    stage(manual, 2, percent=10, by="admin")
    edit(manual, percent="10")
    assert stage(manual, 2, percent=0, by="admin").problem is None
    assert pointer(manual).problem is None


def test_promote_puts_the_staged_version_in_force(manual: Table) -> None:
    stage(manual, 2, percent=10, by="admin")
    assert promote(manual, None, by="admin") == Outcome(Result.PUBLISHED, 2)
    assert (pointer(manual).version, pointer(manual).staging) == (2, None)


def test_promote_without_a_staging_puts_the_draft_in_force_though_publishing_is_manual(manual: Table) -> None:
    assert publish(manual, by="stream").result is Result.MANUAL
    assert promote(manual, None, by="admin") == Outcome(Result.PUBLISHED, 2)


def test_promote_puts_the_draft_in_force_and_not_an_edit_that_was_taken_back(manual: Table) -> None:
    apply(manual, draft("orders/v1", publish="manual"), by="other")
    assert bundles.newest(manual) == bundles.version(manual, 2)
    assert promote(manual, None, by="admin") == Outcome(Result.UNCHANGED, 1)


def test_promote_by_number_is_the_same_twice(manual: Table) -> None:
    assert promote(manual, 2, by="admin") == Outcome(Result.PUBLISHED, 2)
    assert promote(manual, 2, by="admin") == Outcome(Result.UNCHANGED, 2)


def test_the_first_version_can_be_promoted(rows: Table) -> None:
    assert apply(rows, draft("orders/v1", publish="manual"), by="first").version is None
    assert promote(rows, None, by="admin") == Outcome(Result.PUBLISHED, 1)


def test_a_hold_stays_through_stage_and_promote(three: Table) -> None:
    rollback(three, 1, by="admin")
    assert stage(three, 2, percent=10, by="admin").hold
    assert promote(three, None, by="admin") == Outcome(Result.PUBLISHED, 2)
    assert pointer(three).hold
    assert publish(three, by="stream") == Outcome(Result.HELD, 2)


@pytest.mark.parametrize("held_back", ["manual", "hold"])
def test_what_is_stored_and_held_back_leaves_a_staging_alone(manual: Table, held_back: str) -> None:
    if held_back == "hold":
        rollback(manual, 1, by="admin")
    stage(manual, 2, percent=10, by="admin")
    publish_setting = "auto" if held_back == "hold" else "manual"
    assert apply(manual, draft("orders/v3", publish=publish_setting), by="other").version == 1
    assert pointer(manual).staging == Staging(2, 10)


def test_a_version_that_is_published_for_all_ends_a_staging(manual: Table) -> None:
    stage(manual, 2, percent=10, by="admin")
    assert apply(manual, draft("orders/v3"), by="other") == Outcome(Result.PUBLISHED, 3)
    assert pointer(manual).staging is None


def test_a_staging_does_not_end_where_nothing_new_is_published(manual: Table) -> None:
    stage(manual, 2, percent=10, by="admin")
    assert apply(manual, draft("orders/v1"), by="other") == Outcome(Result.UNCHANGED, 1)
    assert pointer(manual).staging == Staging(2, 10)


# What is refused, and changes nothing.


@pytest.mark.parametrize(
    ("act", "code"),
    [
        (lambda rows: rollback(rows, 9, by="admin"), Code.NOT_FOUND),
        (lambda rows: stage(rows, 9, percent=10, by="admin"), Code.NOT_FOUND),
        (lambda rows: promote(rows, 9, by="admin"), Code.NOT_FOUND),
        (lambda rows: rollback(rows, 3, by="admin"), Code.BAD_ARGUMENT),
        (lambda rows: stage(rows, 2, percent=10, by="admin"), Code.BAD_ARGUMENT),
        (lambda rows: promote(rows, 1, by="admin"), Code.BAD_ARGUMENT),
        (lambda rows: promote(rows, None, by="admin"), Code.ON_HOLD),
        (lambda rows: difference(rows, 1, 9), Code.NOT_FOUND),
    ],
)
def test_what_cannot_be_meant_is_refused(three: Table, act: Callable[[Table], object], code: Code) -> None:
    rollback(three, 2, by="admin")
    before = pointer(three)
    with pytest.raises(OperationError) as refused:
        act(three)
    assert refused.value.code is code
    assert pointer(three) == before


def test_another_staging_is_not_ended_by_mistake(three: Table) -> None:
    stage(three, 2, percent=10, by="admin")
    with pytest.raises(OperationError) as refused:
        stage(three, 1, percent=0, by="admin")
    assert refused.value.code is Code.BAD_ARGUMENT
    assert pointer(three).staging == Staging(2, 10)


def test_promote_does_not_guess_what_is_staged(manual: Table) -> None:
    edit(manual, candidate="2")
    with pytest.raises(OperationError) as refused:
        promote(manual, None, by="admin")
    assert refused.value.code is Code.ROW_UNREADABLE
    assert promote(manual, 2, by="admin") == Outcome(Result.PUBLISHED, 2)


@pytest.mark.parametrize(
    "act",
    [
        lambda rows: rollback(rows, 1, by="admin"),
        lambda rows: stage(rows, 1, percent=10, by="admin"),
        lambda rows: difference(rows, 1, 3),
    ],
)
def test_a_damaged_version_is_never_pointed_to(three: Table, act: Callable[[Table], object]) -> None:
    damaged = three.get("BUNDLE", version_sk(1))
    assert damaged is not None
    three.put({**damaged, "document": damaged["document"][:-1]})
    before = pointer(three)
    with pytest.raises(BundleError):
        act(three)
    assert pointer(three) == before


@pytest.mark.parametrize("act", [lambda rows: rollback(rows, 1, by="a"), lambda rows: stage(rows, 1, by="a")])
def test_before_anything_is_in_force_there_is_nothing_to_go_back_to(
    rows: Table, act: Callable[[Table], object]
) -> None:
    apply(rows, draft("orders/v1", publish="manual"), by="first")
    with pytest.raises(OperationError) as refused:
        act(rows)
    assert refused.value.code is Code.NOT_FOUND


# Leases.


def test_once_a_lease_is_released_edits_are_published_again(three: Table) -> None:
    drafts.acquire(three, drafts.Lease("another", "cli:bob", NOW, "a note"), force=False)
    assert publish(three, by="stream").result is Result.WAITING
    assert release(three) == drafts.Lease("another", "cli:bob", NOW, "a note")
    assert release(three) is None
    assert publish(three, by="stream") == Outcome(Result.UNCHANGED, 3)


def test_a_lease_written_by_hand_can_be_released_too(three: Table) -> None:
    three.put({"pk": "LEASE", "sk": "DRAFT", "digest": 7})
    assert publish(three, by="stream").result is Result.WAITING
    assert release(three) == drafts.Lease("", "None", 0)
    assert drafts.lease(three) is None


@pytest.mark.parametrize("how", ["taken over", "released"])
def test_who_was_stopped_and_lost_the_lease_writes_no_row_any_more(
    dynamodb: MemoryDynamoDB, three: Table, how: str
) -> None:
    """Two transactions: between them the process sleeps, and somebody else applies another policy, or ends this one."""
    big = from_rows(policy_rows(roles={f"r{number:03d}": {"scopes": ["orders/big"]} for number in range(101)}))
    transactions = []

    def before(operation: str, _request: dict[str, Any]) -> None:
        if operation == "transact_write_items":
            transactions.append(1)
            if len(transactions) == 2:
                if how == "taken over":
                    apply(three, draft("orders/v4"), by="other", take_over=True, clock=clock)
                else:
                    release(three)

    with pytest.raises(OperationError) as lost:
        apply(Table(Watched(dynamodb, before), TABLE), big, by="slow", clock=clock)
    assert lost.value.code is Code.LEASE_LOST
    there = from_rows(drafts.policy_rows(three))
    if how == "taken over":
        assert there.digest() == draft("orders/v4").digest()
        assert (publish(three, by="stream").result, pointer(three).version) == (Result.UNCHANGED, 4)
    else:
        assert len(there.section("roles")) == 100  # 99 of its own and the one from before: as it was left
    assert apply(three, big, by="again", take_over=True, clock=clock).result is Result.PUBLISHED


def test_who_is_overtaken_by_the_same_apply_goes_on_as_if_nothing_had_been(
    dynamodb: MemoryDynamoDB, three: Table
) -> None:
    target = draft("orders/v4")
    overtaken = threading.Event()

    def before(operation: str, _request: dict[str, Any]) -> None:
        if operation == "transact_write_items" and not overtaken.is_set():
            overtaken.set()
            apply(three, target, by="faster", note="by the faster one", clock=clock)

    outcome = apply(Table(Watched(dynamodb, before), TABLE), target, by="slower", clock=clock)
    assert outcome == Outcome(Result.UNCHANGED, 4)
    version = bundles.version(three, 4)
    assert version is not None
    assert (version.created_by, version.note) == ("faster", "by the faster one")


def test_an_apply_that_somebody_took_over_when_all_was_written_is_no_success(
    dynamodb: MemoryDynamoDB, three: Table
) -> None:
    overtaken = threading.Event()

    def before(operation: str, request: dict[str, Any]) -> None:
        if operation == "get_item" and request["Key"]["sk"] == {"S": "CURRENT"} and not overtaken.is_set():
            overtaken.set()
            apply(three, draft("orders/v4"), by="other", take_over=True, clock=clock)

    outcome = apply(Table(Watched(dynamodb, before), TABLE), draft("orders/slow"), by="slow", clock=clock)
    assert overtaken.is_set()
    assert outcome == Outcome(Result.WAITING, 4)


def test_who_gives_up_their_lease_late_leaves_the_next_one_for_the_same_policy_alone(
    dynamodb: MemoryDynamoDB, three: Table
) -> None:
    """While they sleep, somebody takes over and is done, and a third one dies half-way to the policy of the first."""
    big = from_rows(policy_rows(roles={f"r{number:03d}": {"scopes": ["orders/big"]} for number in range(105)}))
    overtaken = threading.Event()

    def before(operation: str, request: dict[str, Any]) -> None:
        if operation == "delete_item" and request["Key"]["pk"] == {"S": "LEASE"} and not overtaken.is_set():
            overtaken.set()
            assert apply(three, draft("orders/v5"), by="other", take_over=True) == Outcome(Result.PUBLISHED, 5)
            with pytest.raises(KilledError):
                apply(dying(dynamodb, TABLE, writes=2), big, by="killed")

    assert apply(Table(Watched(dynamodb, before), TABLE), big, by="slow") == Outcome(Result.PUBLISHED, 4)
    assert publish(three, by="stream") == Outcome(Result.WAITING, 5), "half a policy"


# Notes.


def test_a_version_keeps_its_note_and_applied_by_for_any_publisher(dynamodb: MemoryDynamoDB, three: Table) -> None:
    """The stream's publisher may be faster than an ``apply``."""
    overtaken = threading.Event()

    def before(operation: str, request: dict[str, Any]) -> None:
        reads_draft = operation == "query" and request["ExpressionAttributeValues"][":pk"] == {"S": "POLICY"}
        if reads_draft and not overtaken.is_set() and drafts.policy_rows(three)[0].get("scopes") == ["orders/v4"]:
            overtaken.set()
            assert publish(three, by="stream", clock=clock) == Outcome(Result.PUBLISHED, 4)

    slow = Table(Watched(dynamodb, before), TABLE)
    assert apply(slow, draft("orders/v4"), by="cli:ann", note="less for viewers", clock=clock).version == 4
    assert overtaken.is_set()
    version = bundles.version(three, 4)
    assert version is not None
    assert (version.created_by, version.note, version.created_at) == ("cli:ann", "less for viewers", NOW)


# Problems.


def red(rows: Table) -> None:
    rows.put({"pk": "POLICY", "sk": "ROLE#broken", "scope": ["typo"]})


def mend(rows: Table) -> None:
    rows.delete("POLICY", "ROLE#broken")


@pytest.mark.parametrize("last", ["mended", "broken"])
def test_what_a_slow_publisher_read_never_outlives_what_a_faster_one_knows(
    dynamodb: MemoryDynamoDB, three: Table, last: str
) -> None:
    """It stops before it reports problems that are already fixed, or clears those of a newer edit."""
    red(three)
    assert publish(three, by="stream").result is Result.REFUSED
    if last == "broken":
        mend(three)
    overtaken = threading.Event()

    def before(operation: str, request: dict[str, Any]) -> None:
        key = request.get("Item", request.get("Key", {})).get("pk")
        if operation in ("put_item", "delete_item") and key == {"S": "PROBLEMS"} and not overtaken.is_set():
            overtaken.set()
            (mend if last == "mended" else red)(three)
            publish(three, by="faster")

    outcome = publish(Table(Watched(dynamodb, before), TABLE), by="slower", clock=clock)
    assert overtaken.is_set()
    assert outcome.result is (Result.UNCHANGED if last == "mended" else Result.REFUSED)
    assert (drafts.problems(three) is None) == (last == "mended")


def test_a_half_written_first_policy_is_not_published_though_there_is_no_revision_yet(
    dynamodb: MemoryDynamoDB, rows: Table
) -> None:
    """The lease is gone and the draft whole when the slow publisher, which read half of it, asks for the lease."""
    big = from_rows(
        policy_rows(
            settings={"publish": "manual"}, roles={f"r{number:03d}": {"scopes": ["a/b"]} for number in range(101)}
        )
    )
    rows.put({"pk": "POLICY", "sk": "SETTINGS"})
    rows.put({"pk": "POLICY", "sk": "ROLE#r000"})
    overtaken = threading.Event()

    def before(operation: str, request: dict[str, Any]) -> None:
        if operation == "get_item" and request["Key"]["pk"] == {"S": "LEASE"} and not overtaken.is_set():
            overtaken.set()
            assert apply(rows, big, by="other").result is Result.MANUAL

    assert publish(Table(Watched(dynamodb, before), TABLE), by="stream").result is Result.MANUAL
    assert overtaken.is_set()
    assert bundles.pointer(rows) is None


# Killed and raced.

ACTS: dict[str, Callable[[Table], object]] = {
    "rollback": lambda rows: rollback(rows, 1, by="killed", clock=clock),
    "resume": lambda rows: resume(rows, by="killed", clock=clock),
    "stage": lambda rows: stage(rows, 1, percent=10, by="killed", clock=clock),
    "promote": lambda rows: promote(rows, 3, by="killed", clock=clock),
}


@pytest.mark.parametrize("name", ACTS)
@pytest.mark.parametrize("writes", range(5))
def test_killed_at_any_write_a_command_has_done_all_or_can_be_repeated(
    dynamodb: MemoryDynamoDB, three: Table, name: str, writes: int
) -> None:
    rollback(three, 2, by="admin", clock=clock)
    act = ACTS[name]
    try:
        act(dying(dynamodb, TABLE, writes))
    except KilledError:
        assert writes < 4
    between = pointer(three)
    bundles.load(three, between.version, between.digest)
    act(three)
    after = pointer(three)
    match name:
        case "rollback":
            assert (after.version, after.hold) == (1, True)
        case "resume":
            assert (after.version, after.hold) == (3, False)
        case "stage":
            assert (after.version, after.staging) == (2, Staging(1, 10))
        case _:
            assert (after.version, after.hold) == (3, True)


@pytest.mark.parametrize("name", ["rollback", "stage"])
def test_a_command_wins_against_a_publisher_that_comes_in_between(
    dynamodb: MemoryDynamoDB, three: Table, name: str
) -> None:
    overtaken = threading.Event()

    def before(operation: str, _request: dict[str, Any]) -> None:
        if operation == "put_item" and not overtaken.is_set():
            overtaken.set()
            assert apply(three, draft("orders/v4"), by="other", clock=clock) == Outcome(Result.PUBLISHED, 4)

    ACTS[name](Table(Watched(dynamodb, before), TABLE))
    assert overtaken.is_set()
    after = pointer(three)
    assert (after.version, after.hold) == ((1, True) if name == "rollback" else (4, False))
    assert after.staging == (None if name == "rollback" else Staging(1, 10))


# How things stand.


def test_everything_that_prevents_publishing_a_draft_is_reported(three: Table) -> None:
    rollback(three, 2, by="admin", clock=clock)
    red(three)
    publish(three, by="stream", clock=clock)
    drafts.acquire(three, drafts.Lease("another", "cli:bob", NOW), force=False)
    status = publishing_status(three, limit=10)
    assert status.pointer == pointer(three)
    assert [version.number for version in status.versions] == [3, 2, 1]
    assert status.lease == drafts.Lease("another", "cli:bob", NOW)
    assert status.problems is not None
    assert not status.manual


def test_the_versions_in_use_are_listed_however_old_they_are(three: Table) -> None:
    for number in range(4, 8):
        apply(three, draft(f"orders/v{number}"), by="first", clock=clock)
    rollback(three, 2, by="admin")
    stage(three, 1, percent=10, by="admin")
    assert [version.number for version in publishing_status(three, limit=2).versions] == [7, 6, 2, 1]


def test_a_version_made_by_hand_is_named_and_not_counted(three: Table) -> None:
    three.put({"pk": "BUNDLE", "sk": "V#next"})
    with pytest.raises(OperationError) as refused:
        publishing_status(three, limit=10)
    assert refused.value.code is Code.ROW_UNREADABLE
    assert "V#next" in refused.value.message


def test_a_number_is_not_given_again_though_somebody_deleted_the_version(three: Table) -> None:
    three.delete("BUNDLE", version_sk(3))
    assert apply(three, draft("orders/v4"), by="first") == Outcome(Result.PUBLISHED, 4)


# Published means servable.


def undecided(rows: Table, number: int) -> None:
    """Exchange a stored version for one that can be read and decides nothing."""
    row = rows.get("BUNDLE", version_sk(number))
    assert row is not None
    document = json.loads(zlib.decompress(row["document"]))
    document["settings"]["token_budget"] = None
    content, digest = encode(document)
    rows.put({**row, "document": content, "digest": digest})


@pytest.mark.parametrize(
    ("version", "move"),
    [
        (1, lambda rows: rollback(rows, 1, by="second")),
        (2, lambda rows: stage(rows, 2, percent=10, by="second")),
        (4, lambda rows: promote(rows, 4, by="second")),
    ],
    ids=["rollback", "stage", "promote"],
)
def test_a_version_with_which_no_decision_can_be_made_never_gets_in_force(
    three: Table, version: int, move: Callable[[Table], object]
) -> None:
    before = pointer(three)
    row = three.get("BUNDLE", version_sk(1))
    assert row is not None
    three.put({**row, "sk": version_sk(4)})
    undecided(three, version)
    with pytest.raises(BundleError, match=f"Bundle version {version} cannot decide: TypeError"):
        move(three)
    assert pointer(three) == before
