"""Names and values of claims; ``test_claims_page`` tests which claim a trigger may change."""

from __future__ import annotations

from decimal import Decimal

import pytest

from claimsmith.cognito.claims import (
    TOKENS,
    Token,
    UnacceptableError,
    accepted,
    checked,
    refused_name,
    refused_suppression,
)


@pytest.mark.parametrize("token", TOKENS)
@pytest.mark.parametrize("name", ["", "half \ud800"])
def test_a_claim_needs_a_name_of_whole_characters(token: Token, name: str) -> None:
    assert refused_name(token, name)
    assert refused_suppression(token, name)


@pytest.mark.parametrize("token", TOKENS)
@pytest.mark.parametrize("name", ["Sub", "https://example.com/x"])
def test_a_name_is_taken_to_the_letter(token: Token, name: str) -> None:
    assert refused_name(token, name) is None
    assert refused_suppression(token, name) is None


@pytest.mark.parametrize(
    "value",
    ["text", "", 0, -1, 2**63, 1.5, True, [], ["a", 1, True, 1.5], {}, {"a": {"b": [1]}}],
    ids=repr,
)
def test_what_version_two_takes_is_left_as_it_is(value: object) -> None:
    assert accepted(value) == value
    assert type(accepted(value)) is type(value)


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        pytest.param(frozenset({"b", "a"}), ["a", "b"], id="a set of text"),
        ({3, 1, 2}, [1, 2, 3]),
        (("x", "y"), ["x", "y"]),
        (Decimal(3), 3),
        (Decimal("1.5"), 1.5),
        ({"a": frozenset({"x"})}, {"a": ["x"]}),
    ],
    ids=repr,
)
def test_what_json_has_not_becomes_what_it_has(value: object, plain: object) -> None:
    assert accepted(value) == plain


@pytest.mark.parametrize(
    "value",
    [
        None,
        [None],
        {"a": None},
        [{"a": 1}],
        [[1]],
        {"": 1},
        {1: "a"},
        b"bytes",
        frozenset({b"x"}),
        float("nan"),
        float("inf"),
        {"a": [float("-inf")]},
        Decimal("NaN"),
        Decimal("Infinity"),
        pytest.param(object(), id="object"),
    ],
    ids=repr,
)
def test_what_cognito_does_not_take_is_refused(value: object) -> None:
    with pytest.raises(UnacceptableError):
        accepted(value)


def test_a_value_is_nested_sixteen_levels_deep_and_no_deeper() -> None:
    value: object = "x"
    for _ in range(16):
        value = {"n": value}
    assert accepted(value) == value
    with pytest.raises(UnacceptableError, match="nested"):
        accepted({"n": value})


def test_a_refusal_does_not_repeat_the_value() -> None:
    with pytest.raises(UnacceptableError) as refused:
        accepted({"secret": ["s3cret", {"a": 1}]})
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("name", ["address", "email_verified", "phone_number_verified", "updated_at"])
def test_some_id_claims_take_no_array_and_no_object(name: str) -> None:
    for value in ({"a": 1}, ["a"], frozenset({"a"})):
        with pytest.raises(UnacceptableError):
            checked("id", name, value)
        assert checked("access", name, value)
    assert checked("id", name, "text") == "text"


@pytest.mark.parametrize("token", ["access", "id"])
def test_a_reserved_name_is_refused_whatever_its_value(token: Token) -> None:
    with pytest.raises(UnacceptableError):
        checked(token, "sub", "someone else")
