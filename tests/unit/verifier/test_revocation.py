"""How fresh the answer is: strict, cached within a bound, or not asked; and what counts while nobody answers.

By which rows a token ends is in ``test_verifier.py``.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claimsmith.errors import ClaimsmithError, Code, ConfigurationError, StoreError, VerificationError
from claimsmith.table import revocation_key
from claimsmith.verifier import ANY, KeySource, Verifier
from claimsmith.verifier.revocation import SHARED_KINDS, CachedRevocations, UncheckedOnFailure
from tests.unit.verifier.minting import CLIENT, ISSUER, NOW, Pool, access_claims

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from claimsmith.unchecked import Unchecked
    from claimsmith.verifier.revocation import Revocations

POOL = Pool()
SOURCE = KeySource([ISSUER], preloaded={ISSUER: POOL.jwks}, clock=lambda: NOW)
USER = revocation_key("user", access_claims()["sub"])
SESSION = revocation_key("session", access_claims()["origin_jti"])
A, B, C = (revocation_key("token", name) for name in "abc")
BOUND = 30


class Rows:
    """The table: what it holds, what it was asked, whether it answers."""

    def __init__(self, rows: Mapping[str, float | None] | None = None) -> None:
        self.rows = dict(rows or {})
        self.asked: list[tuple[str, ...]] = []
        self.down = False

    def revoked_at(self, keys: Sequence[str], /) -> Mapping[str, float | None]:
        self.asked.append(tuple(keys))
        if self.down:
            raise StoreError(Code.AWS_UNREACHABLE, "DynamoDB did not answer")
        return {key: self.rows[key] for key in keys if key in self.rows}


class Clocks:
    """A monotonic clock and a wall clock."""

    def __init__(self) -> None:
        self.monotonic = 1_000.0
        self.wall = float(NOW)

    def passes(self, seconds: float) -> None:
        self.monotonic += seconds
        self.wall += seconds


@pytest.fixture
def rows() -> Rows:
    return Rows()


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


def cached(
    rows: Revocations,
    clocks: Clocks,
    *,
    seconds: float = BOUND,
    kinds: Collection[str] | None = None,
    max_remembered: int = 100,
) -> CachedRevocations:
    return CachedRevocations(
        rows,
        seconds=seconds,
        kinds=kinds,
        max_remembered=max_remembered,
        monotonic=lambda: clocks.monotonic,
        wall=lambda: clocks.wall,
    )


def refusal(revocations: Revocations | Unchecked) -> Code | None:
    """What becomes of a good token."""
    verifier = Verifier(
        issuers=SOURCE, client_ids=[CLIENT], token_use="access", revocations=revocations, clock=lambda: NOW
    )
    try:
        verifier.verify(POOL.sign())
    except VerificationError as error:
        return error.code
    return None


# --- Cached: the bound ------------------------------------------------------------------------------------------------


def test_within_the_bound_the_table_is_read_once_for_existing_and_missing_rows(rows: Rows, clocks: Clocks) -> None:
    rows.rows = {A: 5.0}
    remembering = cached(rows, clocks)
    for _ in range(3):
        assert remembering.revoked_at([A, B]) == {A: 5.0}
        clocks.passes(BOUND / 3 - 0.01)
    assert rows.asked == [(A, B)]


@pytest.mark.parametrize("kind", ["user", "session"])
def test_a_revocation_takes_effect_at_the_bound_at_the_latest(rows: Rows, clocks: Clocks, kind: str) -> None:
    remembering = cached(rows, clocks)
    assert refusal(remembering) is None
    rows.rows[USER if kind == "user" else SESSION] = NOW
    clocks.passes(BOUND - 0.001)
    assert refusal(remembering) is None, "this is what the bound means"
    clocks.passes(0.001)
    assert refusal(remembering) == Code.TOKEN_REVOKED


def test_a_revocation_that_is_removed_or_repeated_takes_effect_within_the_same_bound(
    rows: Rows, clocks: Clocks
) -> None:
    rows.rows = {USER: NOW - 1_000.0}
    remembering = cached(rows, clocks)
    assert remembering.revoked_at([USER]) == {USER: NOW - 1_000.0}
    rows.rows[USER] = float(NOW)
    clocks.passes(BOUND)
    assert remembering.revoked_at([USER]) == {USER: NOW}
    del rows.rows[USER]
    clocks.passes(BOUND)
    assert remembering.revoked_at([USER]) == {}


def test_only_rows_that_are_not_cached_are_read_and_in_one_request(rows: Rows, clocks: Clocks) -> None:
    remembering = cached(rows, clocks)
    remembering.revoked_at([A])
    clocks.passes(BOUND / 2)
    remembering.revoked_at([A, B, C])
    clocks.passes(BOUND / 2)
    remembering.revoked_at([A, B, C])
    assert rows.asked == [(A,), (B, C), (A,)]


def test_a_frozen_environment_does_not_take_old_answers_for_fresh_ones(rows: Rows, clocks: Clocks) -> None:
    remembering = cached(rows, clocks)
    remembering.revoked_at([A])
    clocks.wall += BOUND  # the monotonic clock stood still
    remembering.revoked_at([A])
    assert len(rows.asked) == 2


def test_a_wall_clock_that_is_set_back_keeps_nothing_fresh(rows: Rows, clocks: Clocks) -> None:
    remembering = cached(rows, clocks)
    remembering.revoked_at([A])
    clocks.wall -= 3_600
    remembering.revoked_at([A])
    assert len(rows.asked) == 2
    clocks.monotonic += BOUND
    remembering.revoked_at([A])
    assert len(rows.asked) == 3


def test_the_age_of_an_answer_counts_from_before_the_request(clocks: Clocks) -> None:
    class Slow(Rows):
        def revoked_at(self, keys: Sequence[str], /) -> Mapping[str, float | None]:
            found = super().revoked_at(keys)
            clocks.passes(BOUND)
            return found

    slow = Slow()
    remembering = cached(slow, clocks)
    remembering.revoked_at([A])
    remembering.revoked_at([A])
    assert len(slow.asked) == 2


def test_an_answer_that_was_overtaken_does_not_replace_the_later_one(clocks: Clocks) -> None:
    """A slow read from before a revocation ends after a quick one from after it."""

    class Overtaken(Rows):
        def revoked_at(self, keys: Sequence[str], /) -> Mapping[str, float | None]:
            found = super().revoked_at(keys)
            if len(self.asked) == 1:
                self.rows[A] = 5.0
                clocks.passes(1)
                assert remembering.revoked_at([A]) == {A: 5.0}
            return found

    rows = Overtaken()
    remembering = cached(rows, clocks)
    assert remembering.revoked_at([A]) == {}
    assert remembering.revoked_at([A]) == {A: 5.0}
    assert len(rows.asked) == 2


def test_an_invalid_row_revokes_the_token_and_counts_as_soon_as_it_is_fixed(rows: Rows, clocks: Clocks) -> None:
    rows.rows = {USER: None}
    remembering = cached(rows, clocks)
    assert refusal(remembering) == refusal(remembering) == Code.TOKEN_REVOKED
    rows.rows[USER] = NOW - 86_400.0
    assert refusal(remembering) is None


@pytest.mark.parametrize(
    ("seconds", "rows_remembered"), [(0, 1), (-1, 1), (float("nan"), 1), (float("inf"), 1), (1, 0)]
)
def test_there_is_no_cache_without_bounds(rows: Rows, seconds: float, rows_remembered: int) -> None:
    with pytest.raises(ConfigurationError):
        CachedRevocations(rows, seconds=seconds, max_remembered=rows_remembered)


# --- Cached for the kinds that many tokens share, and strict for all others ------------------------------------------

KEYS = {kind: revocation_key(kind, "x") for kind in ("session", "token", "user", "client", "tenant")}


def test_of_a_second_token_all_is_read_but_its_client_and_its_tenant(rows: Rows, clocks: Clocks) -> None:
    remembering = cached(rows, clocks, kinds=SHARED_KINDS)
    for _ in range(2):
        remembering.revoked_at([*KEYS.values()])
    clocks.passes(BOUND)
    remembering.revoked_at([*KEYS.values()])
    own = (KEYS["session"], KEYS["token"], KEYS["user"])
    assert rows.asked == [(*KEYS.values(),), own, (*KEYS.values(),)]


Histories = st.lists(st.one_of(st.none(), st.sampled_from([*KEYS]), st.floats(0, 2 * BOUND)), max_size=20)


@given(Histories)
def test_no_history_keeps_a_client_or_tenant_longer_than_the_bound_nor_anything_else_at_all(
    steps: list[str | float | None],
) -> None:
    """A step is a kind that is revoked, seconds that pass, or a token that asks."""
    rows, clocks = Rows(), Clocks()
    remembering = cached(rows, clocks, kinds=SHARED_KINDS)
    revoked: dict[str, float] = {}
    for step in (*steps, None):
        if isinstance(step, str):
            rows.rows[KEYS[step]] = 1.0
            revoked.setdefault(step, clocks.monotonic)
        elif step is not None:
            clocks.passes(step)
        else:
            found = remembering.revoked_at([*KEYS.values()])
            for kind, key in KEYS.items():
                late = kind in SHARED_KINDS and kind in revoked and clocks.monotonic - revoked[kind] < BOUND
                assert late or (key in found) == (kind in revoked)


# --- Cached: memory and threads ---------------------------------------------------------------------------------------


def test_memory_is_bounded_and_the_oldest_answers_go_first(rows: Rows, clocks: Clocks) -> None:
    remembering = cached(rows, clocks, max_remembered=2)
    for key in (A, B, A, C):  # A is known; C takes its place
        remembering.revoked_at([key])
    assert rows.asked == [(A,), (B,), (C,)]
    remembering.revoked_at([B])
    assert len(rows.asked) == 3, "B is younger than A and still known"
    remembering.revoked_at([A])
    assert len(rows.asked) == 4


def test_more_keys_than_fit_into_the_cache_are_answered_nevertheless(rows: Rows, clocks: Clocks) -> None:
    rows.rows = {A: 1.0, B: 2.0, C: 3.0}
    assert cached(rows, clocks, max_remembered=1).revoked_at([A, B, C]) == rows.rows


Steps = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.sampled_from([A, B, C])),
        st.tuples(st.just("revoke"), st.sampled_from([A, B, C])),
        st.tuples(st.just("pass"), st.floats(0, 2 * BOUND)),
    ),
    max_size=30,
)


@given(Steps)
def test_no_history_makes_an_answer_older_than_the_bound(steps: list[tuple[str, str | float]]) -> None:
    rows, clocks = Rows(), Clocks()
    remembering = cached(rows, clocks, max_remembered=2)
    revoked: dict[str, float] = {}
    for what, value in steps:
        if isinstance(value, float):
            clocks.passes(value)
        elif what == "revoke":
            rows.rows.setdefault(value, 1.0)
            revoked.setdefault(value, clocks.monotonic)
        else:
            found = remembering.revoked_at([value])
            assert found.keys() <= revoked.keys(), "nothing is revoked that never was"
            if clocks.monotonic - revoked.get(value, clocks.monotonic) >= BOUND:
                assert value in found


def test_threads_share_a_cache_without_a_wrong_answer() -> None:
    rows = Rows({revocation_key("token", str(number)): float(number) for number in range(0, 200, 2)})
    remembering = CachedRevocations(rows, seconds=60, max_remembered=50)
    wrong: list[object] = []

    def ask(start: int) -> None:
        for number in range(start, start + 200):
            key = revocation_key("token", str(number % 200))
            if remembering.revoked_at([key]) != ({key: rows.rows[key]} if key in rows.rows else {}):
                wrong.append(key)

    threads = [threading.Thread(target=ask, args=(25 * number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


# --- The table is down ------------------------------------------------------------------------------------------------


def test_a_cache_answers_within_its_bound_while_the_table_is_down_and_not_a_moment_longer(
    rows: Rows, clocks: Clocks
) -> None:
    remembering = cached(rows, clocks)
    assert refusal(remembering) is None
    rows.down = True
    clocks.passes(BOUND - 1)
    assert refusal(remembering) is None
    clocks.passes(1)
    assert refusal(remembering) == Code.REVOCATION_UNKNOWN
    with pytest.raises(StoreError):
        remembering.revoked_at([A])


def test_accepting_tokens_while_the_table_is_down_is_a_choice_that_is_reported(rows: Rows) -> None:
    reported: list[ClaimsmithError] = []
    tolerant = UncheckedOnFailure(rows, reported.append)
    rows.rows = {SESSION: 1.0}
    assert refusal(tolerant) == Code.TOKEN_REVOKED
    assert not reported
    rows.down = True
    assert refusal(tolerant) is None
    assert [error.code for error in reported] == [Code.AWS_UNREACHABLE]


def test_a_known_revocation_counts_as_long_as_the_table_is_down(rows: Rows, clocks: Clocks) -> None:
    reported: list[ClaimsmithError] = []
    rows.rows = {SESSION: 1.0}
    tolerant = UncheckedOnFailure(cached(rows, clocks), reported.append)
    assert refusal(tolerant) == Code.TOKEN_REVOKED
    rows.down = True
    clocks.passes(100 * BOUND)
    assert refusal(tolerant) == Code.TOKEN_REVOKED
    assert len(reported) == 1
    tolerant.revoked_at([A])
    rows.down = False
    rows.rows[A] = 1.0
    assert tolerant.revoked_at([A]) == {A: 1.0}, "that nobody could say was not remembered as an answer"


def test_a_failure_of_another_kind_is_not_swallowed() -> None:
    class Broken:
        def revoked_at(self, _keys: Sequence[str], /) -> Mapping[str, float | None]:
            raise KeyError("a bug")

    with pytest.raises(KeyError):
        UncheckedOnFailure(Broken(), lambda _error: None).revoked_at([A])


def test_off_reads_nothing() -> None:
    assert refusal(ANY) is None


# --- The tenant's claim, under more than one name ---------------------------------------------------------------------


@pytest.mark.parametrize("name", ["tid", None, "tenant_id"])
def test_revoking_a_tenant_includes_tokens_from_before_the_policy_renamed_its_claim(
    rows: Rows, name: str | None
) -> None:
    verifier = Verifier(
        issuers=SOURCE,
        client_ids=[CLIENT],
        token_use="access",
        revocations=rows,
        claim_names={"tenant_id": name},
        clock=lambda: NOW,
    )
    token = POOL.sign(access_claims(tenant_id="acme", tid="globex"))
    verifier.verify(token)
    [asked] = rows.asked
    tenants = {revocation_key("tenant", tenant) for tenant in ("acme", *(["globex"] if name == "tid" else []))}
    assert {key for key in asked if key.startswith(revocation_key("tenant", ""))} == tenants
    assert len(asked) == len(set(asked))
    for tenant in tenants:
        rows.rows = {tenant: NOW}
        with pytest.raises(VerificationError) as refused:
            verifier.verify(token)
        assert refused.value.code == Code.TOKEN_REVOKED


@pytest.mark.parametrize("other", [7, ["acme"], {"id": "acme"}, "", True, None])
def test_a_value_that_is_not_text_under_that_name_is_no_tenant(rows: Rows, other: object) -> None:
    verifier = Verifier(
        issuers=SOURCE,
        client_ids=[CLIENT],
        token_use="access",
        revocations=rows,
        claim_names={"tenant_id": "tid"},
        clock=lambda: NOW,
    )
    verifier.verify(POOL.sign({**access_claims(tid="globex"), "tenant_id": other}))
    [asked] = rows.asked
    assert [key for key in asked if key.startswith(revocation_key("tenant", ""))] == [
        revocation_key("tenant", "globex")
    ]
