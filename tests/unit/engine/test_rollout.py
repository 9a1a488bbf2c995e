"""Whom a policy reaches: by name, by a percentage, in some pools, and nobody if it is unclear."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claimsmith.engine.facts import Problem
from claimsmith.engine.rollout import Rollout, read_rollout
from claimsmith.engine.staging import Staging

names = st.frozensets(st.text(min_size=1, max_size=3), max_size=3)


@given(subject=st.text(), percent=st.integers(0, 99), more=st.integers(0, 99), named=names)
def test_who_is_reached_stays_reached_and_is_who_a_staged_version_would_serve(
    subject: str, percent: int, more: int, named: frozenset[str]
) -> None:
    lower, higher = sorted((percent, more))
    reached = Rollout(lower, named).reaches(subject, "pool")
    assert reached == Staging(2, lower, named).serves(subject)
    assert not reached or Rollout(higher, named).reaches(subject, "pool")
    assert not Rollout().reaches(subject, "pool")


def test_in_other_pools_everybody_is_reached() -> None:
    rollout = Rollout(pools=frozenset({"eu-west-1_New"}))
    assert not rollout.reaches("user-1", "eu-west-1_New")
    assert rollout.reaches("user-1", "eu-west-1_Old")
    assert not rollout.reaches("user-1", ""), "where the pool is not known, it may be this one"


def test_nobody_is_anybody_by_a_percentage() -> None:
    assert not Rollout(99).reaches(None, "pool")


@given(
    st.builds(
        Rollout,
        st.integers(0, 99),
        names,
        names,
        st.sampled_from([None, "cli:ada"]),
        st.sampled_from([None, 5]),
        st.none(),
    )
)
def test_what_is_written_is_read(rollout: Rollout) -> None:
    assert read_rollout({"rollout": rollout.row(), "version": 1}) == rollout


def test_without_the_attribute_there_is_no_rollout() -> None:
    assert read_rollout({"version": 1, "percent": 10}) is None


@pytest.mark.parametrize(
    ("attribute", "written"),
    [
        ("rollout", None),
        ("rollout", 10),
        ("rollout.percent", {"percent": "10"}),
        ("rollout.percent", {"percent": True}),
        ("rollout.percent", {"percent": 101}),
        ("rollout.subjects", {"subjects": "alice"}),
        ("rollout.pools", {"percent": 10, "pools": [1]}),
    ],
)
def test_what_cannot_be_read_reaches_nobody_and_is_reported(attribute: str, written: Any) -> None:  # noqa: ANN401
    rollout = read_rollout({"rollout": written})
    assert rollout is not None
    assert isinstance(rollout.problem, Problem)
    assert rollout.problem.attribute == attribute
    assert not rollout.reaches("user-1", "")
