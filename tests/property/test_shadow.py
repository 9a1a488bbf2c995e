"""In shadow, tokens are those of a pool without a trigger: for any policy, directory and request, whatever fails."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from claimsmith import table
from claimsmith.cognito.effect import effect
from claimsmith.engine.rollout import Rollout
from claimsmith.errors import Code, StoreError
from claimsmith.service.issue import Issued, Issuer, Untouched
from claimsmith.store.dynamodb import Table
from claimsmith.testing import UserLambdaValidationException
from tests.policies import NOW
from tests.property.test_preview_equals_issued import (
    Asked,
    Situation,
    issued,
    pool,
    predictable,
    sequences,
    situations,
    table_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from claimsmith.environment import OnFailure
    from claimsmith.store.dynamodb import Key


class FailingTable(Table):
    """A table whose reads fail where ``faults`` say so; once these are used up, every read works."""

    def __init__(self, under: Table, faults: Sequence[Exception | None]) -> None:
        super().__init__(None, under.name)
        self._under = under
        self._faults: Iterator[Exception | None] = iter(faults)

    def _fail(self) -> None:
        fault = next(self._faults, None)
        if fault is not None:
            raise fault

    def get(self, pk: str, sk: str) -> dict[str, Any] | None:
        self._fail()
        return self._under.get(pk, sk)

    def query(self, pk: str, **options: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - as its base
        self._fail()
        return self._under.query(pk, **options)

    def batch_get(self, keys: Sequence[Key], *, consistent: bool = False) -> list[dict[str, Any]]:
        self._fail()
        return self._under.batch_get(keys, consistent=consistent)


#: The store fails, or our own code does.
FAULTS = (StoreError(Code.AWS_UNREACHABLE, "down"), ZeroDivisionError(), RecursionError())
faults = st.lists(st.sampled_from([None, None, *FAULTS]), max_size=6)


def roll_out(rows: Table, rollout: Rollout) -> None:
    pointer = rows.get(table.BUNDLE, table.CURRENT)
    assert pointer is not None
    rows.put({**pointer, "rollout": rollout.row()})


def tokens(asked: Asked, trigger: Any) -> tuple[dict[str, Any], dict[str, Any] | None]:  # noqa: ANN401 - a handler
    got = issued(pool(asked), trigger, asked)
    return predictable(got.access), predictable(got.id) if got.id_token is not None else None


def check_untouched(issuer: Issuer, asked: Asked) -> None:
    def trigger(event: dict[str, Any], _context: object) -> object:
        sent = json.loads(json.dumps(event))
        answer = issuer.answer(event).event
        assert answer == sent
        return answer

    assert tokens(asked, trigger) == tokens(asked, None)


@settings(max_examples=10)
@given(situations(), sequences, faults, st.sampled_from(["deny", "unenriched", "unchanged"]))
def test_in_shadow_tokens_are_those_of_a_pool_without_a_trigger(
    situation: Situation, many: list[Asked], failing: list[Exception | None], on_failure: OnFailure
) -> None:
    rows = table_of(*situation)
    roll_out(rows, Rollout())
    # A process that has read the pointer once.
    issuer = Issuer(
        FailingTable(rows, [None] * 2 + failing), on_failure, clock=lambda: NOW, monotonic=iter(range(9**9)).__next__
    )
    issuer.warm()
    for asked in many[:3]:
        check_untouched(issuer, asked)


@settings(max_examples=10)
@given(situations(), sequences, st.sampled_from(FAULTS))
def test_a_process_that_has_never_read_the_pointer_leaves_tokens_as_they_are_if_told_so(
    situation: Situation, many: list[Asked], fault: Exception
) -> None:
    rows = table_of(*situation)
    roll_out(rows, Rollout(50))
    issuer = Issuer(FailingTable(rows, [fault] * 1_000), "unchanged", clock=lambda: NOW)
    for asked in many[:3]:
        check_untouched(issuer, asked)


@settings(max_examples=10)
@given(situations(), sequences)
def test_what_shadow_reports_is_what_the_policy_then_changes(situation: Situation, many: list[Asked]) -> None:
    rows = table_of(*situation)
    roll_out(rows, Rollout())
    shadow = Issuer(rows, "deny", clock=lambda: NOW, monotonic=lambda: 0.0)
    for asked in many[:3]:
        reports: list[Untouched] = []

        def trigger(event: dict[str, Any], _context: object, reports: list[Untouched] = reports) -> dict[str, Any]:
            answer = shadow.answer(event)
            assert isinstance(answer, Untouched)
            reports.append(answer)
            return shadow.issue(event).event

        plain, _ = tokens(asked, None)
        try:
            enforced, _ = tokens(asked, trigger)
        except UserLambdaValidationException:
            assert not isinstance(reports[-1].outcome, Issued)
            continue
        outcome = reports[-1].outcome
        assert isinstance(outcome, Issued)
        would = effect(outcome.request, outcome.decision.changes)
        before, after = scopes(plain), scopes(enforced)
        assert (set(would.scopes_added), set(would.scopes_suppressed)) == (after - before, before - after)
        assert set(would.access_added) == enforced.keys() - plain.keys() - {"scope", "cognito:groups"}


def scopes(claims: Mapping[str, Any]) -> set[str]:
    found: set[str] = claims.get("scope", set())
    return found
