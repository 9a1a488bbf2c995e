"""A rollout reaches whom it says, keeps through every move of the pointer, and is never changed unseen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from claimsmith import table
from claimsmith.engine.rollout import Rollout
from claimsmith.errors import Code, OperationError, SignInRefusedError
from claimsmith.policy import from_rows
from claimsmith.service.issue import Issued, Issuer, Untouched
from claimsmith.service.publish import apply
from claimsmith.service.rollout import current, roll_out
from claimsmith.service.versions import promote, resume, rollback, stage
from claimsmith.store import bundles
from claimsmith.store.dynamodb import Table
from tests import events
from tests.events import event
from tests.integration.memory_dynamodb import holding
from tests.integration.test_publish_staging import IN, OUT
from tests.policies import NOW, policy_rows, user_row

if TYPE_CHECKING:
    from claimsmith.environment import OnFailure

FIVE = Rollout(5, frozenset({OUT}), frozenset({"eu-central-1_aBcDeFgHi"}))


def publish(rows: Table, *scopes: str) -> None:
    roles = {"viewer": {"scopes": list(scopes)}}
    apply(rows, from_rows(policy_rows(roles=roles, settings={"cache_seconds": 0})), by="test", clock=lambda: NOW)


@pytest.fixture
def rows() -> Table:
    made = Table(holding([user_row("suspended", status="suspended")]), "claimsmith")
    publish(made, "orders/read")
    return made


def issuer(rows: Table, on_failure: OnFailure = "deny") -> Issuer:
    return Issuer(rows, on_failure, clock=lambda: NOW)


def set_rollout(rows: Table, rollout: Rollout | None) -> None:
    roll_out(rows, rollout, seen=current(rows), by="cli:ada", clock=lambda: NOW)


def test_each_step_reaches_more_and_the_way_back_fewer(rows: Table) -> None:
    trigger = issuer(rows)
    steps = [Rollout(), Rollout(subjects=frozenset({OUT})), Rollout(10), None, Rollout(10), Rollout()]
    reached = []
    for step in steps:
        set_rollout(rows, step)
        reached.append([isinstance(trigger.answer(event(events.SIGN_IN, sub=sub)), Issued) for sub in (IN, OUT)])
    partly = [True, False]
    assert reached == [[False, False], [False, True], partly, [True, True], partly, [False, False]]


def test_what_the_policy_refuses_is_refused_only_where_it_reaches(rows: Table) -> None:
    set_rollout(rows, Rollout(subjects=frozenset({"suspended"})))
    with pytest.raises(SignInRefusedError, match="CS2009"):
        issuer(rows).answer(event(events.SIGN_IN, sub="suspended"))
    set_rollout(rows, Rollout(subjects=frozenset({OUT})))
    answer = issuer(rows).answer(event(events.SIGN_IN, sub="suspended"))
    assert isinstance(answer, Untouched)
    assert str(answer.outcome).endswith("[CS2009]")


def test_whoever_is_reached_cannot_get_away_by_an_event_that_cannot_be_read(rows: Table) -> None:
    set_rollout(rows, Rollout(subjects=frozenset({IN})))
    sent = event(events.SIGN_IN, sub=IN)
    hostile = {**sent, "request": {**sent["request"], "clientMetadata": {"tenant_id": 1}}}
    trigger = issuer(rows, "unchanged")
    trigger.warm()
    with pytest.raises(SignInRefusedError, match="CS2005"):
        trigger.answer(hostile)
    assert isinstance(trigger.answer({**hostile, "request": None}), Untouched)


def test_every_move_of_the_pointer_keeps_the_rollout(rows: Table) -> None:
    set_rollout(rows, FIVE)
    before = current(rows).stored_rollout
    publish(rows, "orders/read", "orders/write")
    rollback(rows, 1, by="test")
    stage(rows, 2, percent=10, by="test")
    promote(rows, None, by="test")
    resume(rows, by="test")
    pointer = current(rows)
    assert (pointer.stored_rollout, pointer.version) == (before, 2)
    assert pointer.rollout == FIVE._replace(changed_by="cli:ada", changed_at=NOW)


def test_a_change_of_the_rollout_keeps_all_else(rows: Table) -> None:
    publish(rows, "orders/read", "orders/write")
    rollback(rows, 1, by="test")
    before = stage(rows, 2, percent=10, subjects=["alice"], by="test")
    set_rollout(rows, FIVE)
    after = current(rows)
    assert (after.version, after.hold, after.staging) == (before.version, True, before.staging)


@pytest.mark.parametrize("written", ["10", {"percent": "ten"}])
def test_a_rollout_that_cannot_be_read_reaches_nobody_is_reported_and_kept(rows: Table, written: Any) -> None:  # noqa: ANN401
    rows.put({**(rows.get(table.BUNDLE, table.CURRENT) or {}), "rollout": written})
    publish(rows, "orders/read", "orders/write")
    answer = issuer(rows).answer(event(events.SIGN_IN, sub=IN))
    assert isinstance(answer, Untouched)
    assert isinstance(answer.outcome, Issued)
    [problem] = answer.outcome.decision.problems
    assert (problem.row, problem.attribute.partition(".")[0]) == ("BUNDLE CURRENT", "rollout")
    assert current(rows).stored_rollout == written


def test_nobody_changes_a_rollout_that_has_changed_since_they_looked(rows: Table) -> None:
    set_rollout(rows, Rollout(10))
    seen = current(rows)
    publish(rows, "orders/read", "orders/write")
    roll_out(rows, Rollout(20), seen=seen, by="test")
    with pytest.raises(OperationError) as refused:
        roll_out(rows, None, seen=seen, by="test")
    assert refused.value.code is Code.CONFLICT


def test_who_changed_it_and_when_stays_known(rows: Table) -> None:
    set_rollout(rows, Rollout())
    publish(rows, "orders/read", "orders/write")
    set_rollout(rows, Rollout(10))
    set_rollout(rows, None)
    changes = bundles.rollout_changes(rows, limit=2)
    assert [(change.rollout and change.rollout.percent, change.by, change.at) for change in changes] == [
        (None, "cli:ada", NOW),
        (10, "cli:ada", NOW),
    ]
    assert len(bundles.rollout_changes(rows, limit=9)) == 3


def test_a_bundle_that_cannot_be_read_does_not_hide_the_rollout(rows: Table) -> None:
    set_rollout(rows, Rollout())
    rows.put({"pk": table.BUNDLE, "sk": table.version_sk(1), "document": b"damaged"})
    assert isinstance(issuer(rows).answer(event(events.SIGN_IN, sub=IN)), Untouched)
