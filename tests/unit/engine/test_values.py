"""What the values of claims yield."""

from __future__ import annotations

from typing import Any

import pytest

from claimsmith.engine.language.paths import MISSING
from claimsmith.engine.language.values import CONVERSIONS, Expression, compiled, is_expression, template_parts
from tests.unit.engine.test_conditions import Fields

KNOWN = Fields(
    {"text": "abc", "number": 7, "half": 0.5, "yes": True, "list": ["a", 1], "object": {"a": 1}, "json": '{"a": [1]}'}
)


def yielded(value: object) -> object:
    made = compiled(value)
    return made.evaluate(KNOWN) if isinstance(made, Expression) else made


@pytest.mark.parametrize(
    ("value", "result"),
    [
        ("plain", "plain"),
        (7, 7),
        (["a"], ["a"]),
        ({"a": {"from": "text"}, "b": 1, "c": {"d": {"from": "ghost"}}}, {"a": "abc", "b": 1}),
        ({"a": {"b": {"c": {"from": "list"}}}}, {"a": {"b": {"c": ["a", 1]}}}),
        ({"a": {"from": "ghost"}}, MISSING),
        (["x", {"from": "list"}, {"from": "ghost"}, {"from": "text"}], ["x", "a", 1, "abc"]),
        ([{"from": "ghost"}], MISSING),
        ({"a": {"value": {"from": "text"}}, "b": {"template": "{text}"}}, {"a": {"from": "text"}, "b": "abc"}),
        ({"value": {"a": {"from": "text"}}}, {"a": {"from": "text"}}),
        ({"value": {"from": "text"}}, {"from": "text"}),
        ({"value": None}, None),
        ({"from": "text"}, "abc"),
        ({"from": "list"}, ["a", 1]),
        ({"from": "ghost"}, MISSING),
        ({"from": "ghost", "default": 5}, 5),
        ({"from": "text", "default": 5}, "abc"),
        ({"from": "text", "as": "number", "default": 5}, 5),
        ({"from": "ghost", "as": "list", "default": []}, []),
        ({"template": "{text}-{number}-{yes}-{half}"}, "abc-7-true-0.5"),
        ({"template": "{{{text}}}"}, "{abc}"),
        ({"template": "no part"}, "no part"),
        ({"template": "a {{b}} c"}, "a {b} c"),
        ({"template": ""}, ""),
        ({"template": "{ text }"}, "abc"),
        ({"template": "{text}{ghost}"}, MISSING),
        ({"template": "{list}"}, MISSING),
        ({"template": "{text}" * 5_461 + "-"}, "abc" * 5_461 + "-"),
        ({"template": "{text}" * 5_461 + "--"}, MISSING),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_value_yields(value: object, result: object) -> None:
    assert yielded(value) == result


def test_what_a_composed_value_reads_are_the_paths_inside_it() -> None:
    assert compiled({"a": [{"from": "x"}], "b": {"c": {"template": "{y}"}}}).paths == ("x", "y")


def test_before_format_4_nothing_inside_a_literal_is_an_expression() -> None:
    assert compiled({"a": {"from": "text"}}, nested=False) == {"a": {"from": "text"}}


CONVERTED: list[tuple[str, Any, Any]] = [
    ("string", "a", "a"),
    ("string", 7, "7"),
    ("string", 0.5, "0.5"),
    ("string", True, "true"),
    ("string", [1], MISSING),
    ("string", {}, MISSING),
    ("number", 7, 7),
    ("number", "7", 7),
    ("number", " -7.50 ", -7.5),
    ("number", "1e3", 1000.0),
    ("number", "1e999", MISSING),
    ("number", "9" * 400, int("9" * 400)),
    ("number", "9" * 401, MISSING),
    ("number", "007", MISSING),
    ("number", "0x1", MISSING),
    ("number", "NaN", MISSING),
    ("number", "", MISSING),
    ("number", True, MISSING),
    ("number", [1], MISSING),
    ("boolean", True, True),
    ("boolean", "true", True),
    ("boolean", "false", False),
    ("boolean", "True", MISSING),
    ("boolean", 1, MISSING),
    ("boolean", ["true"], MISSING),
    ("list", ["a"], ["a"]),
    ("list", "a", ["a"]),
    ("list", "a, b,,c ", ["a", "b", "c"]),
    ("list", "[a, b]", ["a", "b"]),
    ("list", '["a", "b,c"]', ["a", "b,c"]),
    ("list", "", []),
    ("list", "[]", []),
    ("list", "[a", ["[a"]),
    ("list", "a]", ["a]"]),
    ("list", " [a] ", ["a"]),
    ("list", 7, [7]),
    ("list", {"a": 1}, MISSING),
    ("json", '{"a": [1]}', {"a": [1]}),
    ("json", "7", 7),
    ("json", "null", MISSING),
    ("json", "NaN", MISSING),
    ("json", "{", MISSING),
    ("json", "[" * 30_000, MISSING),
    ("json", '"' + "a" * 32_766 + '"', "a" * 32_766),
    ("json", '"' + "a" * 32_767 + '"', MISSING),
    ("json", '"' + "a" * 32_768 + '"', MISSING),
    ("json", 7, 7),
]


@pytest.mark.parametrize(("conversion", "value", "result"), CONVERTED, ids=lambda part: repr(part)[:40])
def test_a_conversion_yields(conversion: str, value: object, result: object) -> None:
    converted = CONVERSIONS[conversion](value)
    assert converted == result
    assert type(converted) is type(result)


def test_every_conversion_is_among_these() -> None:
    assert {conversion for conversion, _, _ in CONVERTED} == set(CONVERSIONS)


@pytest.mark.parametrize(
    "wrong",
    [
        {"from": 1},
        {"from": "text", "as": "date"},
        {"from": "text", "template": "x"},
        {"from": "text", "more": 1},
        {"template": 1},
        {"template": "x", "default": 1},
        {"template": "{"},
        {"template": "a}"},
        {"value": 1, "as": "string"},
    ],
    ids=repr,
)
def test_what_is_no_value_is_refused(wrong: object) -> None:
    with pytest.raises(
        ValueError, match=r"^(not a (value|conversion)|a brace stands alone; two of them stand for one)$"
    ):
        compiled(wrong)


def test_an_expression_lists_what_it_reads() -> None:
    assert compiled({"template": "{a}{{b}}{c}"}).paths == ("a", "c")
    assert compiled({"from": "a", "default": 1}).paths == ("a",)
    assert is_expression({"from": "a"})
    assert (
        list(map(is_expression, ({"from": "a", "as": "list", "default": 1}, {"template": ""}, {"value": 1})))
        == [True] * 3
    )
    assert not any(
        map(is_expression, ({"a": 1}, {}, {"as": "list"}, {"from": "a", "more": 1}, {"template": "", "default": 1}))
    )
    assert list(template_parts("x{a}y")) == [("x", "a"), ("y", None)]
