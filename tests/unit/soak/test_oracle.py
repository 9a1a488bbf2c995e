"""What the soak calls wrong: a function that does not do what the rows ask for, and no other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import pytest

from claimsmith.policy import from_rows
from claimsmith.service.issue import Issuer
from claimsmith.service.publish import apply, publish
from claimsmith.service.revoke import Kind, revoke
from claimsmith.store.dynamodb import Table
from tests.conftest import TABLE
from tests.events import SIGN_IN, SUB, event
from tests.integration.memory_dynamodb import MemoryDynamoDB
from tests.policies import membership_row, tenant_row, user_row
from tests.soak.__main__ import policy, role_row
from tests.soak.oracle import (
    POLICY_SECONDS,
    STALE,
    SUSPENDED,
    History,
    Interval,
    wrong_answer,
    wrong_verdict,
    wrong_version,
)

if TYPE_CHECKING:
    from collections.abc import Callable

#: When the rows change.
CHANGE = 100.0

CLAIMS: dict[str, Any] = {
    "sub": SUB,
    "origin_jti": "session",
    "jti": "token",
    "client_id": "client",
    "tenant_id": "t0",
    "iat": 1_000,
    "auth_time": 1_000,
    "scope": "api/r0",
}
IDS: dict[str, str] = {"session": "session", "token": "token", "user": SUB, "client": "client", "tenant": "t0"}


class World:
    """A table with its history, and a clock that the test sets."""

    def __init__(self) -> None:
        self.now = 0.0
        self.history = History(self.clock)
        self.rows = Table(MemoryDynamoDB(self.history), TABLE)
        self.rows.put(tenant_row("t0", name="T0", plan="pro"))
        self.rows.put(user_row(SUB))
        self.rows.put(membership_row(SUB, "t0", roles=["r0", "r1"]))
        apply(self.rows, from_rows(policy()), by="test")

    def clock(self) -> float:
        return self.now

    def sign_in(self, at: float, issuer: Issuer) -> str | None:
        """What is wrong with the answer to a sign-in."""
        self.now = at
        answered = {"answer": issuer.answer(event(SIGN_IN)).event}
        return wrong_answer(self.history, SUB, answered, Interval(at, at))

    def verify(self, start: float, end: float, verdict: str, *, forged: bool = False) -> bool:
        """Whether a verdict is right."""
        return wrong_verdict(self.history, CLAIMS, "r0", verdict, Interval(start, end), forged=forged) is None


@pytest.fixture
def world() -> World:
    return World()


def issuer(world: World, monotonic: Callable[[], float]) -> Issuer:
    return Issuer(world.rows, "deny", monotonic=monotonic)


def test_a_trigger_that_serves_an_old_policy_is_found_when_its_time_is_up(world: World) -> None:
    right, faulty = issuer(world, world.clock), issuer(world, lambda: 0.0)
    assert [world.sign_in(0, each) for each in (right, faulty)] == [None, None]
    world.now = CHANGE
    world.rows.put(role_row("r0", 1))
    publish(world.rows, by="test")
    assert world.sign_in(CHANGE + POLICY_SECONDS - 0.1, faulty) is None
    assert "the rows allow" in str(world.sign_in(CHANGE + POLICY_SECONDS, faulty))
    assert world.sign_in(CHANGE + POLICY_SECONDS, right) is None


def test_a_users_rows_are_never_old(world: World) -> None:
    before = {"answer": issuer(world, world.clock).answer(event(SIGN_IN)).event}
    refused = {"error": "RefusedError", "message": f"This account is suspended. {SUSPENDED}"}
    world.now = CHANGE
    world.rows.put(user_row(SUB, status="suspended"))
    at, meanwhile = Interval(CHANGE, CHANGE), Interval(CHANGE - 1, CHANGE)
    assert wrong_answer(world.history, SUB, before, at)
    assert wrong_answer(world.history, SUB, refused, Interval(CHANGE - 2, CHANGE - 1))
    assert [wrong_answer(world.history, SUB, answer, meanwhile) for answer in (before, refused)] == [None, None]
    assert wrong_answer(world.history, SUB, refused, at) is None


@pytest.mark.parametrize("kind", get_args(Kind))
def test_a_verifier_that_ignores_a_revocation_is_found_when_its_time_is_up(world: World, kind: Kind) -> None:
    world.now = CHANGE
    revoke(world.rows, kind, IDS[kind], by="test")
    late = CHANGE + STALE[kind]
    assert not world.verify(late, late + 1, "allowed")
    assert world.verify(late, late + 1, "unauthorized")
    assert world.verify(late - 1, late + 1, "allowed")
    assert not world.verify(CHANGE - 2, CHANGE - 1, "unauthorized")
    assert world.verify(CHANGE, CHANGE + 1, "unauthorized")


@pytest.mark.parametrize("kind", ["user", "client", "tenant"])
def test_a_later_token_is_not_revoked(world: World, kind: Kind) -> None:
    revoke(world.rows, kind, IDS[kind], by="test", clock=lambda: CLAIMS["iat"] - 1)
    assert world.verify(CHANGE, CHANGE, "allowed")
    assert not world.verify(CHANGE, CHANGE, "unauthorized")


def test_forged_tokens_and_other_routes_are_refused(world: World) -> None:
    assert not world.verify(0, 1, "allowed", forged=True)
    assert world.verify(0, 1, "unauthorized", forged=True)
    other = {
        verdict: wrong_verdict(world.history, CLAIMS, "r1", verdict, Interval(0, 1), forged=False)
        for verdict in ("allowed", "forbidden")
    }
    assert other["allowed"]
    assert other["forbidden"] is None
    assert not world.verify(0, 1, "RuntimeError: cannot be checked [CS3051]")


def test_a_version_of_other_rows_than_those_of_its_time_is_found(world: World) -> None:
    assert wrong_version(world.history, 1, Interval(0, 0)) is None
    world.now = CHANGE
    world.rows.put(role_row("r0", 1))
    assert wrong_version(world.history, 1, Interval(CHANGE, CHANGE))
