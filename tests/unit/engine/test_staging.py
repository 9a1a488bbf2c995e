"""Whom a staged version serves: by name, by a hash that never changes, and nobody where the row cannot be read."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claimsmith.engine.facts import Problem
from claimsmith.engine.staging import Staging, bucket, read_staging

#: Vectors that must never change: a user would be moved from one version of the policy to another by a deployment.
VECTORS = {
    "": 52,
    "1example23456789": 57,
    "a3d4f5e6-7b8c-4d9e-8f01-23456789abcd": 18,
    "user-1": 94,
    "Ünïcode": 25,
}


@pytest.mark.parametrize(("subject", "expected"), VECTORS.items())
def test_a_subject_has_the_same_place_for_ever(subject: str, expected: int) -> None:
    assert bucket(subject) == expected
    assert not Staging(2, percent=expected).serves(subject)
    assert Staging(2, percent=expected + 1).serves(subject)


@given(subject=st.text(), percent=st.integers(0, 100), more=st.integers(0, 100))
def test_who_is_served_by_a_percentage_is_served_by_every_higher_one(subject: str, percent: int, more: int) -> None:
    lower, higher = sorted((percent, more))
    assert not Staging(2, lower).serves(subject) or Staging(2, higher).serves(subject)
    assert Staging(2, 100).serves(subject)
    assert not Staging(2, 0).serves(subject)


def test_a_subject_that_is_no_text_has_a_place_too() -> None:
    assert 0 <= bucket("half \ud800") < 100


def test_a_percentage_is_about_that_part_of_all_users() -> None:
    subjects = [str(UUID(int=number * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128)) for number in range(20_000)]
    served = sum(Staging(2, 10).serves(subject) for subject in subjects)
    assert 1_850 <= served <= 2_150  # five standard deviations are 212


def test_a_subject_that_is_named_is_served_whatever_the_percentage() -> None:
    staging = Staging(2, 0, frozenset({"user-1"}))
    assert staging.serves("user-1")
    assert not staging.serves("user-2")


@pytest.mark.parametrize(
    ("row", "staging"),
    [
        ({}, None),
        ({"version": 1, "hold": True, "description": "by hand"}, None),
        ({"candidate": 2}, Staging(2)),
        ({"candidate": 2, "percent": 0}, Staging(2)),
        ({"candidate": 2, "percent": 100, "subjects": []}, Staging(2, 100)),
        ({"candidate": 2, "subjects": ["a", "b", "a"]}, Staging(2, 0, frozenset("ab"))),
        ({"candidate": 2, "subjects": frozenset("ab")}, Staging(2, 0, frozenset("ab"))),
    ],
)
def test_a_row_is_read(row: dict[str, Any], staging: Staging | None) -> None:
    assert read_staging(row) == staging


@pytest.mark.parametrize(
    ("row", "attribute"),
    [
        ({"candidate": "2"}, "candidate"),
        ({"candidate": 2.5}, "candidate"),
        ({"candidate": True}, "candidate"),
        ({"candidate": None}, "candidate"),
        ({"candidate": 0}, "candidate"),
        ({"candidate": 100_000_000}, "candidate"),
        ({"percent": 10}, "candidate"),
        ({"subjects": ["a"]}, "candidate"),
        ({"candidate": 2, "percent": "10"}, "percent"),
        ({"candidate": 2, "percent": 0.5}, "percent"),
        ({"candidate": 2, "percent": True}, "percent"),
        ({"candidate": 2, "percent": None}, "percent"),
        ({"candidate": 2, "percent": -1}, "percent"),
        ({"candidate": 2, "percent": 101}, "percent"),
        ({"candidate": 2, "subjects": "a"}, "subjects"),
        ({"candidate": 2, "subjects": None}, "subjects"),
        ({"candidate": 2, "subjects": [1]}, "subjects"),
        ({"candidate": 2, "subjects": {"a": "b"}}, "subjects"),
        ({"candidate": 2, "subjects": frozenset({b"a"})}, "subjects"),
    ],
)
def test_a_row_of_the_wrong_shape_serves_nobody_and_names_the_attribute(row: dict[str, Any], attribute: str) -> None:
    problem = read_staging(row)
    assert isinstance(problem, Problem)
    assert (problem.row, problem.attribute) == ("BUNDLE CURRENT", attribute)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3) | st.frozensets(st.text())
    ),
    max_leaves=8,
)


@given(row=st.dictionaries(st.sampled_from(["candidate", "percent", "subjects", "version"]), ANYTHING))
def test_whatever_a_row_holds_it_is_read_or_it_is_a_problem(row: dict[str, Any]) -> None:
    read = read_staging(row)
    assert read is None or isinstance(read, Staging | Problem)
    if isinstance(read, Staging):
        assert isinstance(read.serves("user-1"), bool)
