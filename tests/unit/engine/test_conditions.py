"""The truth table of operators and types of fields, and an oracle to compare it with."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claimsmith.cognito.event import parse
from claimsmith.engine.language.conditions import (
    BRANCHES,
    MAX_DEPTH,
    OPERATORS,
    OPERATORS_BEFORE_3,
    compiled,
    fields,
    required,
)
from claimsmith.engine.language.paths import MISSING, EvaluationContext
from tests.counting import calls
from tests.events import SIGN_IN, event
from tests.property import oracle

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: A field of each type, by the word that the table uses.
FIELDS: dict[str, Any] = {
    "missing": MISSING,
    "text": "abc",
    "empty": "",
    "one": 1,
    "half": 0.5,
    "yes": True,
    "no": False,
    "list": ["abc", 1, True],
    "none": [],
    "object": {"abc": 1},
}

#: Operator and value, and the fields of which they hold.
TABLE: list[tuple[str, Any, str]] = [
    ("equals", "abc", "text"),
    ("equals", "", "empty"),
    ("equals", "1", ""),
    ("equals", 1, "one"),
    ("equals", 1.0, "one"),
    ("equals", 0.5, "half"),
    ("equals", True, "yes"),
    ("equals", False, "no"),
    ("equals", 0, ""),
    ("equals", ["abc", 1, True], "list"),
    ("equals", ["abc", True, 1], ""),
    ("equals", [], "none"),
    ("equals", {"abc": 1}, "object"),
    ("equals", {"abc": True}, ""),
    ("not_equals", "abc", "missing empty one half yes no list none object"),
    ("not_equals", 1, "missing text empty half yes no list none object"),
    ("not_equals", True, "missing text empty one half no list none object"),
    ("not_equals", [], "missing text empty one half yes no list object"),
    ("starts_with", "ab", "text"),
    ("starts_with", "", "text empty"),
    ("starts_with", "bc", ""),
    ("starts_with", 1, ""),
    ("ends_with", "bc", "text"),
    ("ends_with", "", "text empty"),
    ("ends_with", "ab", ""),
    ("ends_with", 1, ""),
    ("contains", "abc", "list"),
    ("contains", "b", ""),
    ("contains", "", ""),
    ("contains", 1, "list"),
    ("contains", True, "list"),
    ("contains", 0, ""),
    ("contains", False, ""),
    ("contains", {"abc": 1}, ""),
    ("contains_text", "abc", "text"),
    ("contains_text", "b", "text"),
    ("contains_text", "", "text empty"),
    ("contains_text", 1, ""),
    ("in", ["abc", "x"], "text"),
    ("in", ["x"], ""),
    ("in", [], ""),
    ("in", [1, "abc"], "text one"),
    ("in", [True], "yes"),
    ("in", [0], ""),
    ("in", [["abc", 1, True]], "list"),
    ("in", "abc", ""),
    ("exists", True, "text empty one half yes no list none object"),
    ("exists", False, "missing"),
    ("exists", 1, ""),
    ("less_than", 1, "half"),
    ("less_than", 0.5, ""),
    ("less_than", "b", ""),
    ("less_than", True, ""),
    ("greater_than", 0.5, "one"),
    ("greater_than", 0, "one half"),
    ("greater_than", 1, ""),
    ("greater_than", "a", ""),
    ("greater_than", False, ""),
]


class Fields(EvaluationContext):
    """What is known, by path, and nothing behind it."""

    def __init__(self, found: Mapping[str, Any]) -> None:
        super().__init__(parse(event(SIGN_IN)), None, None, None, (), None)
        self.update(found)

    def __missing__(self, path: str) -> object:
        return MISSING


@pytest.mark.parametrize(("op", "value", "holds"), TABLE, ids=repr)
def test_an_operator_holds_of_these_fields_and_no_others(op: str, value: object, holds: str) -> None:
    test = compiled({"field": "f", "op": op, "value": value})
    assert {name for name, field in FIELDS.items() if test(Fields({"f": field}))} == set(holds.split())


@pytest.mark.parametrize(("op", "value", "holds"), TABLE, ids=repr)
def test_an_operator_by_itself_gives_the_result_of_a_condition(op: str, value: object, holds: str) -> None:
    """Lint asks the operators; a sign-in has functions made for the commonest values."""
    there = {name: field for name, field in FIELDS.items() if field is not MISSING}
    said = {name for name, field in there.items() if OPERATORS[op].holds(field, value)}
    assert said == set(holds.split()) & there.keys()


def test_the_table_has_every_operator() -> None:
    assert {op for op, _, _ in TABLE} == set(OPERATORS)


def test_a_path_that_yields_nothing_is_missing() -> None:
    assert compiled({"field": "ghost", "op": "exists", "value": False})(Fields({}))


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ({"all": []}, True),
        ({"any": []}, False),
        ({"all": [{"any": []}, {"all": []}]}, False),
        ({"any": [{"any": []}, {"all": []}]}, True),
        ({"not": {"any": []}}, True),
        ({"not": {"not": {"any": []}}}, False),
    ],
    ids=repr,
)
def test_all_any_and_not(condition: object, holds: bool) -> None:  # noqa: FBT001 - the expectation
    assert compiled(condition)(Fields({})) is holds


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        True,
        "text",
        [],
        {},
        {"all": {}},
        {"all": None},
        {"any": [1]},
        {"not": []},
        {"all": [], "any": []},
        {"field": "f", "op": "equals"},
        {"field": "f", "value": 1},
        {"op": "equals", "value": 1},
        {"field": "f", "op": "like", "value": 1},
        {"field": 1, "op": "equals", "value": 1},
        {"field": "f", "op": ["equals"], "value": 1},
        {"field": "f", "op": "equals", "value": 1, "more": 1},
        {"not": {"all": []}, "field": "f", "op": "equals", "value": 1},
    ],
    ids=repr,
)
def test_what_is_no_condition_is_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match=r"^not a condition$"):
        compiled(wrong)
    with pytest.raises(ValueError, match=r"^not a condition$"):
        required(wrong)


def test_conditions_stand_inside_each_other_sixteen_levels_deep_and_no_deeper() -> None:
    def wrapped(inner: dict[str, Any]) -> tuple[dict[str, Any], ...]:
        return {"not": inner}, {"all": [inner]}, {"any": [inner]}

    for branch in range(3):
        condition: dict[str, Any] = {"field": "f", "op": "exists", "value": True}
        for _ in range(MAX_DEPTH - 1):
            condition = wrapped(condition)[branch]
        compiled(condition)
        for deeper in wrapped(condition):
            for reader in (compiled, required):
                with pytest.raises(ValueError, match=r"^not a condition$"):
                    reader(deeper)


def test_the_fields_of_a_condition_are_those_it_reads() -> None:
    leaves = [{"field": name, "op": "exists", "value": True} for name in "abc"]
    assert list(fields({"all": [leaves[0], {"not": {"any": [leaves[1], leaves[2]]}}]})) == ["a", "b", "c"]
    assert list(fields("no condition")) == []


plain = st.one_of(
    st.sampled_from(["", "a", "ab", "abc", "1", "true"]),
    st.integers(-2, 2),
    st.booleans(),
    st.sampled_from([0.0, 0.5, 1.0]),
)
any_value = st.one_of(plain, st.lists(plain, max_size=3), st.dictionaries(st.sampled_from("ab"), plain, max_size=2))
leaves = st.fixed_dictionaries(
    {"field": st.sampled_from("fgh"), "op": st.sampled_from(sorted(OPERATORS)), "value": any_value}
)
any_condition = st.recursive(
    leaves,
    lambda inner: st.one_of(
        *(st.fixed_dictionaries({branch: st.lists(inner, max_size=3)}) for branch in BRANCHES if branch != "not"),
        st.fixed_dictionaries({"not": inner}),
    ),
    max_leaves=8,
)


@given(any_condition, st.dictionaries(st.sampled_from("fgh"), any_value))
def test_the_oracle_agrees(condition: Mapping[str, Any], known: dict[str, Any]) -> None:
    assert compiled(condition)(Fields(known)) is oracle.holds(condition, known)


A, B, C = ({"field": "f", "op": "equals", "value": value} for value in "abc")
OF_MANY = {"field": "g", "op": "in", "value": ["x", "y"]}
MEMBER = {"field": "h", "op": "contains", "value": "m"}


@pytest.mark.parametrize(
    ("condition", "texts"),
    [
        (A, ["fa"]),
        (OF_MANY, ["gx", "gy"]),
        (MEMBER, ["hm"]),
        ({"all": [OF_MANY, A]}, ["fa"]),
        ({"all": [{"not": A}, B]}, ["fb"]),
        ({"any": [A, OF_MANY]}, ["fa", "gx", "gy"]),
        ({"any": [{"all": [A, B]}, C]}, ["fa", "fc"]),
        ({"any": []}, []),
        ({"any": [A, {"not": B}]}, None),
        ({"all": []}, None),
        ({"not": A}, None),
        ({**A, "as": "string"}, None),
        ({**A, "value": 1}, None),
        ({**OF_MANY, "value": ["x", 1]}, None),
        ({**A, "op": "not_equals"}, None),
    ],
    ids=repr,
)
def test_the_texts_without_which_a_condition_cannot_hold(condition: object, texts: list[str] | None) -> None:
    found = required(condition)
    assert (found if found is None else [path + text for path, text in found]) == texts


@given(any_condition, st.dictionaries(st.sampled_from("fgh"), any_value))
def test_where_a_condition_holds_one_of_its_texts_is_there(condition: Mapping[str, Any], known: dict[str, Any]) -> None:
    texts = required(condition)
    if texts is not None and compiled(condition)(Fields(known)):
        assert any(text == known.get(path) or text in _members_of(known.get(path)) for path, text in texts)


def test_what_contained_parts_of_texts_needs_no_text_of_its_own() -> None:
    assert required(MEMBER, OPERATORS_BEFORE_3) is None


def _members_of(field: object) -> list[Any]:
    return field if isinstance(field, list) else []


_members = st.text(st.characters(codec="ascii", exclude_characters=',[]"'), min_size=1, max_size=6).filter(
    lambda text: text == text.strip()
)


@given(st.lists(_members, min_size=1, max_size=4), _members, st.sampled_from(["saml", "json", "commas"]))
def test_as_list_asks_for_a_member_however_the_list_is_written(members: list[str], wanted: str, form: str) -> None:
    """Letters are put before each name: a list of numbers alone is JSON, whose members are numbers."""
    members, wanted = [f"g{member}" for member in members], f"g{wanted}"
    text = {"saml": f"[{', '.join(members)}]", "json": json.dumps(members), "commas": ",".join(members)}[form]
    test = compiled({"field": "f", "as": "list", "op": "contains", "value": wanted})
    assert test(Fields({"f": text})) is (wanted in members)
    for member in members:
        assert compiled({"field": "f", "as": "list", "op": "contains", "value": member})(Fields({"f": text}))


@pytest.mark.parametrize(
    ("conversion", "op", "value", "field", "holds"),
    [
        ("number", "greater_than", 3, "4", True),
        ("number", "greater_than", 3, "four", False),
        ("number", "not_equals", 3, "four", True),
        ("number", "exists", False, "four", True),
        ("boolean", "equals", True, "true", True),
        ("string", "contains_text", "2", 124, True),
        ("list", "equals", ["a", "b"], "a, b", True),
        ("json", "equals", {"a": 1}, '{"a": 1}', True),
        ("list", "contains", "a", MISSING, False),
    ],
)
def test_a_field_that_does_not_convert_is_missing(
    conversion: str,
    op: str,
    value: object,
    field: object,
    holds: bool,  # noqa: FBT001 - the expectation
) -> None:
    assert compiled({"field": "f", "as": conversion, "op": op, "value": value})(Fields({"f": field})) is holds


@pytest.mark.parametrize("conversion", ["lst", None, 5, ["list"], ""])
def test_a_conversion_that_does_not_exist_makes_no_condition(conversion: object) -> None:
    with pytest.raises(ValueError, match="not a condition"):
        compiled({"field": "f", "as": conversion, "op": "equals", "value": "a"})


class Counted(list[str]):
    """A list that counts how often it is iterated."""

    times = 0

    def __iter__(self) -> Iterator[str]:
        self.times += 1
        return super().__iter__()

    def __contains__(self, item: object) -> bool:
        self.times += 1
        return super().__contains__(item)


@pytest.mark.parametrize("converted", [{}, {"as": "list"}], ids=["as it is", "as a list"])
def test_a_long_list_is_gone_through_once_however_many_ask_for_its_members(converted: dict[str, str]) -> None:
    """Else a policy could make every sign-in cost the product of its conditions and its roles."""
    groups = Counted(f"group-{at}" for at in range(1_000))
    asked = [compiled({"field": "f", "op": "contains", "value": f"group-{at}", **converted}) for at in range(995, 1005)]
    known = Fields({"f": groups})
    assert [test(known) for test in asked] == [True] * 5 + [False] * 5
    assert groups.times == 1


def test_a_text_is_converted_once_however_many_ask_for_what_it_is() -> None:
    known = Fields({"f": ",".join(f"group-{at}" for at in range(1_000))})
    leaf = {"field": "f", "as": "list", "op": "contains"}
    some, more = ([compiled({**leaf, "value": str(at)}) for at in range(number)] for number in (1, 51))
    first = calls(lambda: [test(known) for test in some])
    assert first > 1_000
    assert calls(lambda: [test(known) for test in more]) < first
