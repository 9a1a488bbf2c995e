"""The differences between two versions, down to the attribute."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claimsmith.policy import compile as compile_policy
from claimsmith.policy import from_rows
from claimsmith.service.difference import Difference, as_written, differences
from tests.policies import policy_rows


def compiled(**sections: Any) -> dict[str, Any]:  # noqa: ANN401 - passed on to policy_rows
    return compile_policy(from_rows(policy_rows(**sections)))


def found(before: dict[str, Any], after: dict[str, Any]) -> list[Difference]:
    return list(differences(before, after))


def test_the_same_policy_has_no_difference() -> None:
    assert found(compiled(roles={"viewer": {}}), compiled(roles={"viewer": {}})) == []


def test_a_role_that_came_or_went_is_one_difference() -> None:
    less, more = compiled(roles={"a": {}}), compiled(roles={"a": {}, "b": {"description": "no difference"}})
    [came] = found(less, more)
    assert (came.kind, came.section, came.name, came.path) == ("added", "roles", "b", ())
    [went] = found(more, less)
    assert (went.kind, went.section, went.name, went.before) == ("removed", "roles", "b", came.after)


def test_an_attribute_is_named_down_to_the_claim() -> None:
    before = compiled(roles={"a": {"access_claims": {"tier": "gold", "seats": 1}}})
    after = compiled(roles={"a": {"access_claims": {"tier": "iron", "seats": 1}}})
    assert found(before, after) == [Difference("changed", "roles", "a", ("access_claims", "tier"), "gold", "iron")]


def test_a_role_that_inherits_more_is_the_one_difference() -> None:
    """Those that inherit it in turn are as they were written."""
    roles: dict[str, Any] = {"a": {}, "b": {"inherits": ["a"]}, "c": {"inherits": ["b"]}, "new": {}}
    before, after = compiled(roles=roles), compiled(roles={**roles, "b": {"inherits": ["a", "new"]}})
    [more] = differences(as_written(before), as_written(after))
    assert more == Difference("changed", "roles", "b", ("inherits",), ["a"], ["a", "new"])


def test_a_setting_is_named() -> None:
    before, after = compiled(settings={"cache_seconds": 30}), compiled(settings={"cache_seconds": 60})
    assert found(before, after) == [Difference("changed", "settings", "", ("cache_seconds",), 30, 60)]


RULES = [{"id": "a", "add_scopes": ["x"]}, {"id": "b"}, {"id": "c"}]


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ([RULES[1], RULES[0], RULES[2]], [("changed", "", ("order",))]),
        ([{"id": "new"}, *RULES], [("added", "new", ())]),
        (RULES[1:], [("removed", "a", ())]),
        ([{"id": "a", "add_scopes": ["y"]}, *RULES[1:]], [("changed", "a", ("add_scopes",))]),
        ([], [("removed", "a", ()), ("removed", "b", ()), ("removed", "c", ())]),
    ],
)
def test_rules_are_compared_by_id_and_their_order_is_reported_once(
    after: list[dict[str, Any]], expected: list[tuple[str, str, tuple[str, ...]]]
) -> None:
    result = found({"rules": RULES}, {"rules": after})
    assert [(each.kind, each.name, each.path) for each in result] == expected


def test_an_older_document_without_a_section_is_compared_too() -> None:
    assert [each.kind for each in found({"format": 1}, {"format": 1, "rules": RULES})] == ["added"] * 3


def test_true_and_one_are_not_the_same() -> None:
    [only] = found({"settings": {"x": 1}}, {"settings": {"x": True}})
    assert (only.before, only.after) == (1, True)


VALUE = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from(["", "a", "b"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
DOCUMENT = st.dictionaries(st.sampled_from(["roles", "rules", "settings"]), VALUE, max_size=3)


@given(before=DOCUMENT, after=DOCUMENT)
def test_documents_of_any_shape_are_compared_and_only_equal_ones_have_no_difference(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    result = found(before, after)
    same = json.dumps(_full(before), sort_keys=True) == json.dumps(_full(after), sort_keys=True)
    assert (result == []) == same


def _full(document: dict[str, Any]) -> dict[str, Any]:
    """An empty section equals a missing one."""
    return {name: section for name, section in document.items() if section not in ({}, [])}
