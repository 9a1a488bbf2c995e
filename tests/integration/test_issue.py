"""Tokens from a table: what is read, in how many requests, and what is remembered."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from claimsmith.engine.codec import encode
from claimsmith.errors import Code, EventError, SignInRefusedError
from claimsmith.policy import from_rows
from claimsmith.service.issue import Issuer, RefusedError
from claimsmith.service.publish import apply
from claimsmith.store import bundles
from claimsmith.store.dynamodb import Table
from tests import events
from tests.conftest import TABLE
from tests.events import CLIENT, SIGN_IN, SUB, event
from tests.integration.clients import Watched
from tests.integration.memory_dynamodb import MemoryDynamoDB
from tests.policies import NOW, membership_row, policy_rows, tenant_row, user_row
from tests.property import referee

if TYPE_CHECKING:
    from claimsmith.service.issue import Issued
    from tests.conftest import Client

SECTIONS: dict[str, Any] = {
    "settings": {"cache_seconds": 30},
    "roles": {"viewer": {"scopes": ["orders/read"]}, "editor": {"inherits": ["viewer"], "scopes": ["orders/write"]}},
    "clients": {CLIENT: {"name": "web", "roles": ["viewer"]}},
}


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def seed(rows: Table, **sections: Any) -> None:  # noqa: ANN401 - passed on to policy_rows
    apply(rows, from_rows(policy_rows(**{**SECTIONS, **sections})), by="test")
    rows.put(tenant_row("acme", name="Acme"))
    rows.put(membership_row(SUB, "acme", roles=["editor"]))


@pytest.fixture
def dynamodb() -> MemoryDynamoDB:
    """These tests send many requests. ``test_publish_processes`` compares its answers to these with moto's."""
    return MemoryDynamoDB()


@pytest.fixture
def watched(dynamodb: Client, rows: Table) -> Watched:
    seed(rows)
    return Watched(dynamodb)


def issuer(watched: Watched, monotonic: Clock | None = None) -> Issuer:
    return Issuer(Table(watched, TABLE), "deny", clock=lambda: NOW, monotonic=monotonic or Clock())


def answered(issued: Issued, asked: dict[str, Any]) -> dict[str, Any]:
    """The response, after the referee had a look at it."""
    response = issued.event["response"]
    referee.check(asked, response)
    details: dict[str, Any] = response["claimsAndScopeOverrideDetails"]
    return details


@pytest.mark.parametrize("source", events.USER_SOURCES)
def test_every_source_of_a_user_is_answered_with_the_whole_event(watched: Watched, source: str) -> None:
    asked = event(source)
    issued = issuer(watched).issue(asked)
    assert {name: value for name, value in issued.event.items() if name != "response"} == {
        name: value for name, value in asked.items() if name != "response"
    }
    assert answered(issued, asked)["accessTokenGeneration"]["claimsToAddOrOverride"] == {
        "policy_version": 1,
        "roles": ["editor", "viewer"],
        "tenant_id": "acme",
    }


def test_a_machine_is_answered_without_an_id_token(watched: Watched) -> None:
    asked = event(events.MACHINE, scopes=["orders/read", "orders/write"])
    details = answered(issuer(watched).issue(asked), asked)
    assert set(details) == {"accessTokenGeneration"}
    assert details["accessTokenGeneration"]["scopesToSuppress"] == ["orders/write"]


# Requests.


def test_at_start_two_requests_then_two_for_the_first_token_and_one_for_each_later_one(watched: Watched) -> None:
    warmed = issuer(watched)
    assert warmed.warm() is None
    assert watched.operations == ["get_item", "get_item"]
    warmed.issue(event())
    assert watched.operations[2:] == ["query", "batch_get_item"]
    warmed.issue(event())
    warmed.issue(event(SIGN_IN))
    assert watched.operations[4:] == ["query", "query"]


def test_a_machine_without_a_tenant_needs_no_request_at_all_when_warm(watched: Watched) -> None:
    warmed = issuer(watched)
    warmed.warm()
    warmed.issue(event(events.MACHINE))
    assert len(watched.operations) == 2


def test_when_the_bundle_is_due_its_pointer_is_read_at_the_same_time_as_the_user(dynamodb: Client, rows: Table) -> None:
    seed(rows)
    together = threading.Barrier(2, timeout=120)
    due = threading.Event()

    def before(operation: str, _request: dict[str, Any]) -> None:
        # Each waits for the other: one after the other would never get on.
        if due.is_set() and operation in ("get_item", "query"):
            together.wait()

    clock, watched = Clock(), Watched(dynamodb, before)
    waiting = issuer(watched, clock)
    waiting.issue(event())
    clock.seconds += 30
    due.set()
    before_due = len(watched.operations)
    waiting.issue(event())
    again = watched.operations[before_due:]
    assert sorted(again[:2]) == ["get_item", "query"]
    assert again[2:] == ["batch_get_item"]


def test_a_pointer_that_did_not_move_costs_no_document(watched: Watched) -> None:
    clock = Clock()
    waiting = issuer(watched, clock)
    waiting.issue(event())
    before = watched.operations.count("get_item")
    clock.seconds += 31
    waiting.issue(event())
    assert watched.operations.count("get_item") - before == 1


def test_a_new_version_is_seen_once_the_old_one_is_due(watched: Watched, rows: Table) -> None:
    clock = Clock()
    waiting = issuer(watched, clock)
    assert waiting.issue(event()).version == 1
    seed(rows, roles={"editor": {"scopes": ["orders/write"]}, "viewer": {}})
    clock.seconds += 29
    assert waiting.issue(event()).version == 1
    clock.seconds += 1
    issued = waiting.issue(event())
    assert (issued.version, issued.decision.roles) == (2, ("editor",))


def test_a_tenants_row_is_remembered_as_long_as_the_settings_say_and_a_users_never(
    watched: Watched, rows: Table
) -> None:
    clock = Clock()
    waiting = issuer(watched, clock)
    waiting.issue(event())
    rows.put(tenant_row("acme", status="suspended"))
    rows.put(membership_row(SUB, "acme", roles=["viewer"]))
    clock.seconds += 29
    issued = waiting.issue(event())
    assert (issued.decision.tenant_id, issued.decision.roles) == ("acme", ("viewer",))
    clock.seconds += 1
    assert waiting.issue(event()).decision.tenant_id is None


def test_many_memberships_are_read_in_batches_of_a_hundred(watched: Watched, rows: Table) -> None:
    for number in range(150):
        rows.put(membership_row("many", f"t{number:03d}"))
        rows.put(tenant_row(f"t{number:03d}"))
    issued = issuer(watched).issue(event(sub="many"))
    assert issued.decision.tenant_id is None
    assert len(issued.decision.changes.id.claims["tenants"]) == 100
    assert watched.operations.count("batch_get_item") == 1


# Refusals.


@pytest.mark.parametrize(
    ("row", "code"),
    [
        (user_row(SUB, status="suspended"), Code.USER_SUSPENDED),
        (user_row(SUB, roles="admin"), Code.USER_UNREADABLE),
        (user_row(SUB, ttl=None), Code.USER_UNREADABLE),
    ],
)
def test_a_user_who_may_not_sign_in_is_refused_with_a_code(
    watched: Watched, rows: Table, row: dict[str, Any], code: Code
) -> None:
    rows.put(row)
    with pytest.raises(RefusedError) as refused:
        issuer(watched).issue(event())
    assert refused.value.code is code
    assert refused.value.version == 1


@pytest.mark.parametrize("hint", ["globex", "unknown", "TENANT#acme", "", "x" * 1000])
def test_a_hint_that_may_not_be_followed_is_refused_and_costs_no_tenant_row(watched: Watched, hint: str) -> None:
    with pytest.raises(SignInRefusedError) as refused:
        issuer(watched).issue(event(SIGN_IN, metadata={"tenant_id": hint}))
    assert refused.value.code is Code.TENANT_NOT_PERMITTED
    assert "batch_get_item" not in watched.operations


def test_an_event_that_is_none_costs_no_request(watched: Watched) -> None:
    with pytest.raises(EventError):
        issuer(watched).issue(event(sub="USER#x"))
    assert watched.operations == []


# The bundle.


def test_before_anything_is_published_there_is_a_code_for_it(dynamodb: Client) -> None:
    unpublished = issuer(Watched(dynamodb))
    assert unpublished.warm() is Code.NO_BUNDLE
    with pytest.raises(SignInRefusedError) as refused:
        unpublished.issue(event())
    assert refused.value.code is Code.NO_BUNDLE


@pytest.mark.parametrize("damage", ["pointer", "document", "digest", "newer format", "gone"])
def test_a_bundle_that_cannot_be_used_refuses_and_degrades_with_its_code(
    watched: Watched, rows: Table, damage: str
) -> None:
    pointer, version = rows.get("BUNDLE", "CURRENT"), rows.get("BUNDLE", "V#00000001")
    assert pointer is not None
    assert version is not None
    match damage:
        case "pointer":
            rows.put({**pointer, "version": "one"})
        case "document":
            rows.put({**version, "document": version["document"][:-3]})
        case "digest":
            rows.put({**pointer, "digest": "0" * 64})
        case "newer format":
            document, digest = encode({"format": 1_000_000})
            rows.put({**version, "document": document, "digest": digest})
            rows.put({**pointer, "digest": digest})
        case "gone":
            rows.delete("BUNDLE", "V#00000001")
    with pytest.raises(SignInRefusedError) as refused:
        issuer(watched).issue(event())
    assert refused.value.code is Code.BUNDLE_UNREADABLE
    asked = event(scopes=["openid", "orders/read"], groups=["Staff"])
    details = answered(Issuer(Table(watched, TABLE), "unenriched").issue(asked), asked)
    assert details["accessTokenGeneration"] == {
        "claimsToAddOrOverride": {"claims_degraded": "CS2003"},
        "claimsToSuppress": ["cognito:groups"],
        "scopesToSuppress": ["orders/read"],
    }


def test_a_bundle_in_use_stays_in_use_until_it_is_due_though_the_table_lost_it(watched: Watched, rows: Table) -> None:
    warmed = issuer(watched)
    warmed.warm()
    for row in rows.query("BUNDLE"):
        rows.delete(row["pk"], row["sk"])
    assert bundles.pointer(rows) is None
    assert warmed.issue(event()).version == 1
