"""A staged version makes the tokens of those it serves, harms nobody else, and costs no request in sequence."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ConnectTimeoutError

from claimsmith.cognito.event import parse
from claimsmith.engine.codec import encode
from claimsmith.engine.staging import bucket
from claimsmith.policy import from_rows
from claimsmith.service.issue import Issuer
from claimsmith.service.preview import preview
from claimsmith.service.publish import apply
from claimsmith.service.versions import promote, rollback, stage
from claimsmith.store.dynamodb import Table
from claimsmith.table import version_sk
from tests import events
from tests.conftest import TABLE
from tests.events import CLIENT, event
from tests.integration.clients import Watched
from tests.integration.memory_dynamodb import MemoryDynamoDB
from tests.policies import NOW, membership_row, policy_rows, tenant_row

if TYPE_CHECKING:
    from collections.abc import Callable

    from claimsmith.service.issue import Issued
    from tests.conftest import Client

#: Two users: 10 percent serve the first and not the second.
IN, OUT = "user-12", "user-1"

STAGED = 2

#: Seconds that only end a test that would hang.
HANG = 120


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def apply_policy(rows: Table, *scopes: str, **settings: Any) -> None:  # noqa: ANN401 - any setting
    sections: dict[str, Any] = {"settings": settings, "roles": {"editor": {"scopes": list(scopes)}}}
    sections["clients"] = {CLIENT: {"roles": ["editor"]}}
    apply(rows, from_rows(policy_rows(**sections)), by="test", clock=lambda: NOW)


@pytest.fixture
def dynamodb() -> MemoryDynamoDB:
    """These tests send many requests. ``test_publish_processes`` compares its answers to these with moto's."""
    return MemoryDynamoDB()


@pytest.fixture(autouse=True)
def seeded(rows: Table) -> None:
    """Version 1 is in force; version 2, with one scope more, is stored."""
    apply_policy(rows, "orders/read")
    apply_policy(rows, "orders/read", "orders/write", publish="manual")
    rows.put(tenant_row("acme"))
    for sub in (IN, OUT):
        rows.put(membership_row(sub, "acme", roles=["editor"]))


@pytest.fixture
def watched(dynamodb: Client) -> Watched:
    return Watched(dynamodb)


def issuer(watched: Watched, clock: Clock | None = None) -> Issuer:
    return Issuer(Table(watched, TABLE), "deny", clock=lambda: NOW, monotonic=clock or Clock())


def scopes(issued: Issued) -> list[str]:
    added: list[str] = issued.event["response"]["claimsAndScopeOverrideDetails"]["accessTokenGeneration"]["scopesToAdd"]
    return added


def asked(sub: str) -> dict[str, Any]:
    return event(events.SIGN_IN, sub=sub)


def test_the_two_users_are_on_either_side_of_ten_percent() -> None:
    assert bucket(IN) < 10 <= bucket(OUT)


# Whom it serves.


def test_a_percentage_is_served_by_the_staged_version_and_the_others_by_the_one_in_force(
    watched: Watched, rows: Table
) -> None:
    stage(rows, STAGED, percent=10, by="test")
    tokens = issuer(watched)
    assert (tokens.issue(asked(IN)).version, scopes(tokens.issue(asked(IN)))) == (2, ["orders/read", "orders/write"])
    assert (tokens.issue(asked(OUT)).version, scopes(tokens.issue(asked(OUT)))) == (1, ["orders/read"])


def test_a_named_user_is_served_and_a_machine_by_its_clients_id(watched: Watched, rows: Table) -> None:
    stage(rows, STAGED, subjects=[OUT, CLIENT], by="test")
    tokens = issuer(watched)
    assert [tokens.issue(asked(sub)).version for sub in (OUT, IN)] == [2, 1]
    assert tokens.issue(event(events.MACHINE)).version == 2
    assert bucket(CLIENT) >= 10
    stage(rows, STAGED, percent=10, by="test")
    assert issuer(watched).issue(event(events.MACHINE)).version == 1


@pytest.mark.parametrize(("sub", "version"), [(IN, 2), (OUT, 1)])
def test_preview_is_by_the_version_that_the_trigger_uses(watched: Watched, rows: Table, sub: str, version: int) -> None:
    stage(rows, STAGED, percent=10, by="test")
    issued = issuer(watched).issue(asked(sub))
    shown = preview(rows, parse(asked(sub)), clock=lambda: NOW)
    assert (shown.version, issued.version) == (version, version)
    assert shown.outcome == issued.decision
    assert preview(rows, parse(asked(sub)), version=1, clock=lambda: NOW).version == 1


def test_a_promoted_version_serves_all_and_a_rollback_ends_the_staging(watched: Watched, rows: Table) -> None:
    stage(rows, STAGED, percent=10, by="test")
    promote(rows, None, by="test")
    assert issuer(watched).issue(asked(OUT)).version == 2
    rollback(rows, 1, by="test")
    assert issuer(watched).issue(asked(IN)).version == 1


# Requests.


def test_at_start_both_documents_are_read_in_one_request(watched: Watched, rows: Table) -> None:
    stage(rows, STAGED, percent=10, by="test")
    tokens = issuer(watched)
    assert tokens.warm() is None
    assert watched.operations == ["get_item", "batch_get_item"]
    tokens.issue(asked(IN))
    assert watched.operations[2:] == ["query", "batch_get_item"]
    tokens.issue(asked(IN))
    tokens.issue(asked(OUT))
    assert watched.operations[4:] == ["query", "query"]


def test_without_a_start_too_a_served_user_waits_for_three_requests_and_no_more(watched: Watched, rows: Table) -> None:
    stage(rows, STAGED, percent=10, by="test")
    issuer(watched).issue(asked(IN))
    assert sorted(watched.operations[:3]) == ["batch_get_item", "get_item", "query"]
    assert watched.operations[3:] == ["batch_get_item"]


def test_those_who_are_not_served_never_read_the_staged_document(watched: Watched, rows: Table) -> None:
    clock = Clock()
    tokens = issuer(watched, clock)
    tokens.warm()
    stage(rows, STAGED, percent=10, by="test")
    clock.seconds += 31
    before = len(watched.operations)
    tokens.issue(asked(OUT))
    assert sorted(watched.operations[before:]) == ["batch_get_item", "get_item", "query"]


def test_the_first_who_is_served_reads_the_document_at_the_same_time_as_the_user(dynamodb: Client, rows: Table) -> None:
    together = threading.Barrier(2, timeout=HANG)
    meeting = threading.Event()

    def before(operation: str, _request: dict[str, Any]) -> None:
        # Each waits for the other: one after the other would never get on.
        if meeting.is_set() and operation in ("get_item", "query"):
            together.wait()

    clock, watched = Clock(), Watched(dynamodb, before)
    tokens = issuer(watched, clock)
    tokens.warm()
    stage(rows, STAGED, percent=10, by="test")
    clock.seconds += 31
    tokens.issue(asked(OUT))
    meeting.set()
    done = len(watched.operations)
    assert tokens.issue(asked(IN)).version == 2
    assert sorted(watched.operations[done:]) == ["get_item", "query"]
    meeting.clear()
    tokens.issue(asked(IN))
    assert watched.operations[done + 2 :] == ["query"]


def test_a_staged_document_that_is_promoted_is_not_read_again(watched: Watched, rows: Table) -> None:
    stage(rows, STAGED, percent=10, by="test")
    clock = Clock()
    tokens = issuer(watched, clock)
    tokens.issue(asked(IN))
    promote(rows, None, by="test")
    clock.seconds += 31
    before = watched.operations.count("get_item")
    assert tokens.issue(asked(OUT)).version == 2
    assert watched.operations.count("get_item") - before == 1


# What cannot be read.


def damage(rows: Table, how: str) -> None:
    row = rows.get("BUNDLE", version_sk(STAGED))
    assert row is not None
    match how:
        case "gone":
            rows.delete("BUNDLE", version_sk(STAGED))
        case "document":
            rows.put({**row, "document": row["document"][:-3]})
        case "digest":
            rows.put({**row, "digest": 7})
        case "newer format":
            document, digest = encode({"format": 1_000_000})
            rows.put({**row, "document": document, "digest": digest})


@pytest.mark.parametrize("how", ["gone", "document", "digest", "newer format"])
@pytest.mark.parametrize("warm", [True, False])
def test_a_staged_version_that_cannot_be_read_leaves_all_to_the_one_in_force_and_is_reported(
    watched: Watched, rows: Table, how: str, *, warm: bool
) -> None:
    stage(rows, STAGED, percent=10, by="test")
    damage(rows, how)
    tokens = issuer(watched)
    if warm:
        assert tokens.warm() is None
    for _ in range(2):
        served = tokens.issue(asked(IN))
        assert (served.version, served.degraded) == (1, None)
        assert [(problem.row, problem.attribute) for problem in served.decision.problems] == [
            ("BUNDLE V#00000002", "document")
        ]
    assert tokens.issue(asked(OUT)).decision.problems == ()
    shown = preview(rows, parse(asked(IN)), clock=lambda: NOW)
    assert (shown.version, len(shown.outcome.problems)) == (1, 1)


@pytest.mark.parametrize(
    "edit",
    [{"candidate": "two"}, {"candidate": None}, {"percent": "10"}, {"percent": 1000}, {"subjects": "all"}],
    ids=str,
)
def test_a_pointer_edited_by_hand_serves_the_version_in_force_and_is_reported(
    watched: Watched, rows: Table, edit: dict[str, Any]
) -> None:
    stage(rows, STAGED, percent=10, by="test")
    rows.update("BUNDLE", "CURRENT", edit)
    served = issuer(watched).issue(asked(IN))
    assert served.version == 1
    assert [problem.row for problem in served.decision.problems] == ["BUNDLE CURRENT"]
    assert [problem.attribute for problem in served.decision.problems] == list(edit)


def test_a_staged_document_that_does_not_answer_is_tried_again_when_the_pointer_is_read_next(
    dynamodb: Client, rows: Table
) -> None:
    def before(operation: str, request: dict[str, Any]) -> None:
        if failing and operation == "get_item" and request["Key"]["sk"] == {"S": version_sk(STAGED)}:
            raise ConnectTimeoutError(endpoint_url="http://127.0.0.1")

    failing = False
    clock, watched = Clock(), Watched(dynamodb, before)
    tokens = issuer(watched, clock)
    tokens.warm()
    stage(rows, STAGED, percent=10, by="test")
    clock.seconds += 31
    failing = True
    assert tokens.issue(asked(IN)).version == 1
    assert tokens.issue(asked(OUT)).version == 1
    failing = False
    issued = tokens.issue(asked(IN))
    assert (issued.version, [problem.row for problem in issued.decision.problems]) == (1, ["BUNDLE V#00000002"])
    clock.seconds += 31
    mended = tokens.issue(asked(IN))
    assert (mended.version, mended.decision.problems) == (2, ())


def test_many_threads_are_each_served_by_their_own_version_while_it_comes_and_goes(watched: Watched) -> None:
    tokens = Issuer(Table(watched, TABLE), "deny", clock=lambda: NOW, monotonic=_ticking())
    wrong: list[tuple[str, int | None, list[str]]] = []
    served = {IN: ServedVersions(), OUT: ServedVersions()}
    ended = threading.Event()

    def sign_in(sub: str, allowed: tuple[int, ...]) -> None:
        try:
            while not ended.is_set():
                issued = tokens.issue(asked(sub))
                given = scopes(issued)
                whole = given == (["orders/read"] if issued.version == 1 else ["orders/read", "orders/write"])
                if issued.version not in allowed or not whole:
                    wrong.append((sub, issued.version, given))
                served[sub].put(issued.version)
        finally:
            served[sub].put(None)

    with ThreadPoolExecutor(4) as pool:
        threads = [pool.submit(sign_in, sub, allowed) for sub, allowed in ((IN, (1, 2)), (OUT, (1,))) for _ in range(2)]
        try:
            for _ in range(6):
                # Whatever the threads do meanwhile, the next step waits until they have done this much.
                stage(Table(watched, TABLE), STAGED, percent=10, by="test")
                served[IN].wait_for(STAGED)
                served[OUT].wait_for(1)
                stage(Table(watched, TABLE), STAGED, percent=0, by="test")
                served[IN].wait_for(1)
        finally:
            ended.set()
    for thread in threads:
        thread.result()
    assert wrong == []


class ServedVersions:
    """The versions that have served some threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._last: set[int | None] = set()

    def put(self, version: int | None) -> None:
        with self._changed:
            self._last.add(version)
            self._changed.notify_all()

    def wait_for(self, version: int) -> None:
        """Wait until somebody is served by a version, from now on; a thread that ended with an error ends the wait."""
        with self._changed:
            self._last.clear()
            assert self._changed.wait_for(lambda: self._last & {version, None}, timeout=HANG)
            assert version in self._last


def _ticking() -> Callable[[], float]:
    """A clock on which what was read is too old now and then: after some ten sign-ins."""
    ticks = iter(range(0, 10**9, 3))
    return lambda: float(next(ticks))
