"""Attribute values become plain values and back; sets stay sets, so that a ceiling can distinguish them from lists."""

from __future__ import annotations

from typing import Any

import pytest

from claimsmith.store.attributes import decode, decode_row, encode, encode_row


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        ({"S": ""}, ""),
        ({"N": "7"}, 7),
        ({"N": "-0.5"}, -0.5),
        ({"N": "1E+3"}, 1000.0),
        ({"N": "99999999999999999999999999999999999999"}, 99999999999999999999999999999999999999),
        ({"BOOL": False}, False),
        ({"NULL": True}, None),
        ({"B": b"x"}, b"x"),
        ({"L": [{"S": "a"}, {"N": "1"}]}, ["a", 1]),
        ({"M": {"a": {"M": {}}}}, {"a": {}}),
        pytest.param({"SS": ["b", "a"]}, frozenset({"a", "b"}), id="string set"),
        pytest.param({"NS": ["1", "2.5"]}, frozenset({1, 2.5}), id="number set"),
        ({"BS": [b"x"]}, frozenset({b"x"})),
        ({"FUTURE": "?"}, None),
    ],
    ids=str,
)
def test_every_type_of_attribute_is_read(value: dict[str, Any], plain: object) -> None:
    read = decode(value)
    assert read == plain
    assert type(read) is type(plain)


@pytest.mark.parametrize(
    "plain",
    ["", "ü", 0, -1, 10**30, 0.25, 1e-7, 1e20, True, False, None, b"", [], {}, {"a": [1, {"b": None}]}, {"x"}, {1, 2}],
    ids=repr,
)
def test_what_is_written_is_what_is_read(plain: object) -> None:
    assert decode_row(encode_row({"x": plain})) == {"x": plain}


def test_a_truth_value_is_not_a_number() -> None:
    assert encode(True) == {"BOOL": True}  # noqa: FBT003 - the value itself
    assert encode(1) == {"N": "1"}


def test_a_number_is_written_without_an_exponent() -> None:
    assert encode(1e-7) == {"N": "0.0000001"}


@pytest.mark.parametrize(
    "plain",
    [set(), frozenset(), {1, "a"}, {b"a", "a"}, object(), {None}],
    ids=["empty set", "empty frozenset", "number and text", "bytes and text", "object", "set of null"],
)
def test_what_no_attribute_holds_is_refused(plain: object) -> None:
    with pytest.raises(TypeError):
        encode({"x": plain})
