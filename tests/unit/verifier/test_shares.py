"""Shares of callers, on a clock of the test's own: what one asks never costs another anything."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claimsmith.errors import Code
from claimsmith.verifier.shares import BURST_SECONDS, Shares
from tests.unit.verifier.introspecting import (
    MACHINE,
    SECOND,
    SECRET,
    Revoked,
    Rows,
    assert_never_cached_json,
    basic,
    digest,
    event,
    introspection,
    machine_token,
    row,
)

if TYPE_CHECKING:
    from claimsmith.verifier.introspection import Answer, Introspection


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_bucket_holds_two_seconds_and_fills_again() -> None:
    clock = Clock()
    shares = Shares(3, clock=clock)
    assert [shares.wait("a") for _ in range(7)] == [0] * 6 + [1]
    clock.now = 0.4
    assert [shares.wait("a"), shares.wait("a")] == [0, 1]
    clock.now = 100.0
    assert [shares.wait("a") for _ in range(7)] == [0] * 6 + [1], "no more than it holds, however long nobody asked"


def test_a_caller_that_asks_less_than_once_a_second_is_told_how_long_to_wait() -> None:
    clock = Clock()
    shares = Shares(0.1, clock=clock)
    assert [shares.wait("a"), shares.wait("a")] == [0, 10]
    clock.now = 7.5
    assert shares.wait("a") == 3
    clock.now = 10.0
    assert shares.wait("a") == 0, "who was refused in between has lost nothing by it"


@given(st.lists(st.tuples(st.sampled_from("ab"), st.floats(0, 0.5)), max_size=120))
def test_another_callers_requests_change_nothing(asked: list[tuple[str, float]]) -> None:
    clock, alone = Clock(), Clock()
    together, apart = Shares(2, clock=clock), Shares(2, clock=alone)
    granted = 0
    for caller, seconds in asked:
        clock.now += seconds
        alone.now += seconds
        wait = together.wait(caller)
        if caller == "b":
            assert wait == apart.wait("b")
            granted += not wait
    assert granted <= 2 * BURST_SECONDS + 2 * clock.now + 1e-6


@pytest.mark.parametrize(("default", "own", "granted"), [(0, None, 9), (2, 0.5, 1), (0, 1, 2), (2, None, 4), (2, 4, 8)])
def test_a_callers_own_number_counts_and_nought_is_any(default: float, own: float | None, granted: int) -> None:
    shares = Shares(default, clock=lambda: 0.0)
    assert sum(shares.wait("a", own) == 0 for _ in range(9)) == granted


def limited(rows: Rows, *, clock: Clock, revoked: Revoked | None = None) -> Introspection:
    return introspection(rows, revoked, shares=Shares(1, clock=clock))


def refused(answer: Answer) -> str | None:
    """Retry-After of a 429; None if there is another answer."""
    assert_never_cached_json(answer)
    if answer.response["statusCode"] != 429:
        return None
    assert json.loads(answer.response["body"]) == {"error": "temporarily_unavailable"}
    assert answer.code is Code.TOO_MANY_REQUESTS
    found: str = answer.response["headers"]["Retry-After"]
    return found


def test_a_caller_that_asks_too_often_gets_429_and_costs_nothing_but_its_row() -> None:
    clock, revoked = Clock(), Revoked({})
    service = limited(Rows({"orders-api": row(), MACHINE: row()}), clock=clock, revoked=revoked)
    answers = [service.answer(event()) for _ in range(4)]
    assert [refused(answer) for answer in answers] == [None, None, "1", "1"], "RFC 6585 section 4"
    assert answers[3].resource_id == "orders-api"
    assert revoked.asked == 2
    assert refused(service.answer(event(authorization=f"Bearer {machine_token()}"))) is None, (
        "the others notice nothing"
    )
    clock.now = 1.0
    assert refused(service.answer(event())) is None


def test_a_bad_request_counts_too() -> None:
    service = limited(Rows({"orders-api": row()}), clock=Clock())
    assert [service.answer(event(body="x")).response["statusCode"] for _ in range(3)] == [400, 400, 429]


def test_nobody_spends_the_share_of_a_caller_whose_secret_it_does_not_know() -> None:
    service = limited(Rows({"orders-api": row()}), clock=Clock())
    for _ in range(9):
        assert service.answer(event(authorization=basic(password="wrong"))).response["statusCode"] == 401
    assert refused(service.answer(event())) is None


def test_both_secrets_of_a_caller_have_one_share() -> None:
    service = limited(Rows({"orders-api": row(secrets=[digest(SECRET), digest(SECOND)])}), clock=Clock())
    answers = [service.answer(event(authorization=basic(password=one))) for one in (SECRET, SECOND, SECRET)]
    assert [refused(answer) for answer in answers] == [None, None, "1"]


@pytest.mark.parametrize(
    ("number", "granted"),
    [(2, 4), (0.25, 1), (0, 2), (-1, 2), (True, 2), ("9", 2), (None, 2), (float("inf"), 2), (float("nan"), 2)],
)
def test_a_row_may_have_a_number_and_anything_else_is_none(number: object, granted: int) -> None:
    service = limited(Rows({"orders-api": row(requests_per_second=number)}), clock=Clock())
    assert [refused(service.answer(event())) for _ in range(6)].count(None) == granted
