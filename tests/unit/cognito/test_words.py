"""What is said of a claim, a value or an event that is not taken, and what an event yields part by part."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from claimsmith.cognito.claims import TOKENS, UnacceptableError, accepted, checked, refused_name, refused_suppression
from claimsmith.cognito.event import Request, parse
from claimsmith.errors import Code, EventError
from tests import events
from tests.events import CLIENT, SIGN_IN, SUB, event

NUMBER = "not a number that JSON has"
ARRAY = "an array holds only strings, numbers and booleans"
HALF = "half \ud800"


def nested(levels: int) -> object:
    value: object = "x"
    for _ in range(levels):
        value = {"n": value}
    return value


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (None, "null is not a claim value"),
        ([None], "null is not a claim value"),
        (b"bytes", "not a JSON value"),
        ([b"bytes"], "not a JSON value"),
        (float("nan"), NUMBER),
        ([1.5, float("inf")], NUMBER),
        (Decimal("NaN"), NUMBER),
        (Decimal("sNaN"), NUMBER),
        pytest.param(frozenset({Decimal("NaN"), Decimal(1)}), NUMBER, id="a set with a NaN"),
        ([[1]], ARRAY),
        (["a", {"a": 1}], ARRAY),
        ([("a",)], ARRAY),
        ([frozenset({"a"})], ARRAY),
        (HALF, "half a character is no text"),
        (["a", HALF], "half a character is no text"),
        ([1, True, HALF], "half a character is no text"),
        ({HALF: 1}, "an object's names are strings"),
        ({"": 1}, "an object's names are strings"),
        ({"a": 1, 7: 1}, "an object's names are strings"),
        (nested(17), "nested more than 16 levels deep"),
    ],
    ids=lambda part: repr(part)[:40],
)
def test_what_is_wrong_with_a_value_is_reported(value: object, why: str) -> None:
    with pytest.raises(UnacceptableError) as refused:
        accepted(value)
    assert str(refused.value) == why


def test_an_array_is_a_level_too() -> None:
    def deep(levels: int) -> object:
        value: object = [1.5]
        for _ in range(levels):
            value = {"n": value}
        return value

    assert accepted(deep(15)) == deep(15)
    with pytest.raises(UnacceptableError, match="nested"):
        accepted(deep(16))


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (Decimal(3), 3),
        (Decimal("3.0"), 3),
        (Decimal("1.5"), 1.5),
        (3.0, 3.0),
        ([Decimal(3), Decimal("0.5"), 2.0], [3, 0.5, 2.0]),
        pytest.param(frozenset({2, "b", True, "a", Decimal("0.5")}), [True, 0.5, 2, "a", "b"], id="a set of types"),
        pytest.param(frozenset({"ü", "a"}), ["a", "ü"], id="a set beyond ASCII"),
    ],
    ids=repr,
)
def test_a_number_is_whole_where_it_is_and_a_set_is_sorted_by_type_and_value(value: object, plain: Any) -> None:  # noqa: ANN401 - any JSON value
    taken = accepted(value)
    assert taken == plain
    pairs = zip(taken, plain, strict=True) if isinstance(plain, list) else [(taken, plain)]
    assert all(type(one) is type(other) for one, other in pairs)


@pytest.mark.parametrize(
    ("name", "setting", "suppressing"),
    [
        ("sub", "Cognito alone sets this claim", "Cognito alone sets this claim"),
        ("cognito:x", "Cognito alone sets this claim", "Cognito alone sets this claim"),
        ("cognito:groups", "groups change by groups, not as a claim", None),
        ("dev:x", "a dev: attribute can only be suppressed", None),
        ("", "a claim needs a name", "a claim needs a name"),
        (HALF, "a claim needs a name", "a claim needs a name"),
        ("custom:x", None, None),
        ("x", None, None),
        ("ü", None, None),
    ],
    ids=repr,
)
def test_why_a_claim_is_not_set_or_not_suppressed(name: str, setting: str | None, suppressing: str | None) -> None:
    for token in TOKENS:
        assert (refused_name(token, name), refused_suppression(token, name)) == (setting, suppressing)


def test_scopes_are_no_claim_and_say_so() -> None:
    for token in TOKENS:
        for name in ("scope", "scp"):
            why = "scopes are granted by roles, not set as a claim"
            assert refused_name(token, name) == refused_suppression(token, name) == why


@pytest.mark.parametrize("value", [["a"], {"a": 1}], ids=repr)
def test_the_reason_why_the_id_token_takes_no_array_and_no_object_is_reported(value: object) -> None:
    with pytest.raises(UnacceptableError) as refused:
        checked("id", "address", value)
    assert str(refused.value) == "the ID token takes no array and no object here"
    assert checked("id", "other", value) == value
    with pytest.raises(UnacceptableError) as reserved:
        checked("id", "sub", "x")
    assert str(reserved.value) == "Cognito alone sets this claim"


# Events.


def test_an_event_is_read_whole() -> None:
    given = event(SIGN_IN, groups=["Staff"], attributes={"custom:x": "1"}, metadata={"tenant_id": "acme"})
    given["userName"] = "ada"
    given["request"]["groupConfiguration"] |= {"iamRolesToOverride": ["arn:1", "arn:2"], "preferredRole": "arn:2"}
    assert parse(given) == Request(
        source=SIGN_IN,
        client_id=CLIENT,
        sub=SUB,
        username="ada",
        attributes=given["request"]["userAttributes"],
        groups=("Staff",),
        scopes=("aws.cognito.signin.user.admin",),
        metadata={"tenant_id": "acme"},
        iam_roles=("arn:1", "arn:2"),
        preferred_role="arn:2",
        pool_id="eu-central-1_aBcDeFgHi",
    )


@pytest.mark.parametrize(
    ("given", "read"),
    [("arn", "arn"), (["arn", "other"], "arn"), ([], None), ([7, "arn"], None), (7, None), ({"a": "b"}, None)],
    ids=repr,
)
def test_the_preferred_role_and_the_pool_are_text_or_the_first_of_a_list(given: object, read: str | None) -> None:
    asked = event(SIGN_IN)
    asked["request"]["groupConfiguration"]["preferredRole"] = given
    asked["userPoolId"] = given
    request = parse(asked)
    assert (request.preferred_role, request.pool_id) == (read, read or "")


@pytest.mark.parametrize(
    ("change", "code", "where"),
    [
        ({"triggerSource": "TokenGeneration_Future"}, Code.UNKNOWN_TRIGGER_SOURCE, "triggerSource"),
        ({"triggerSource": 7}, Code.MALFORMED_EVENT, "triggerSource"),
        ({"version": "1"}, Code.EVENT_VERSION, "version"),
        ({"callerContext": {"clientId": "a b"}}, Code.MALFORMED_EVENT, "callerContext.clientId"),
        ({"callerContext": {"clientId": 7}}, Code.MALFORMED_EVENT, "callerContext.clientId"),
        ({"request": {"userAttributes": {"sub": "a#b"}}}, Code.MALFORMED_EVENT, "request.userAttributes.sub"),
        ({"request": {"userAttributes": {}}}, Code.MALFORMED_EVENT, "request.userAttributes.sub"),
        ({"request": {"userAttributes": {7: "x"}}}, Code.MALFORMED_EVENT, "request.userAttributes"),
    ],
    ids=repr,
)
def test_what_is_wrong_with_an_event_is_reported_with_code_and_place(
    change: dict[str, Any], code: Code, where: str
) -> None:
    with pytest.raises(EventError) as refused:
        parse(event() | change)
    assert (refused.value.code, refused.value.detail) == (code, where)


def test_what_is_not_an_event_is_reported() -> None:
    with pytest.raises(EventError) as refused:
        parse([])
    assert (refused.value.code, refused.value.detail) == (Code.MALFORMED_EVENT, "event")


def test_iam_roles_of_the_wrong_shape_are_refused_by_their_place() -> None:
    asked = event()
    asked["request"]["groupConfiguration"]["iamRolesToOverride"] = "arn"
    with pytest.raises(EventError) as refused:
        parse(asked)
    assert refused.value.detail == "request.groupConfiguration.iamRolesToOverride"


def test_metadata_is_measured_by_names_and_values_together() -> None:
    half = "x" * (32_768 // 4)
    fits = {"a" + half[1:]: half, "b" + half[1:]: half}
    assert parse(event(SIGN_IN, metadata=fits)).metadata == fits
    with pytest.raises(EventError) as refused:
        parse(event(SIGN_IN, metadata={**fits, "c": ""}))
    assert (refused.value.code, refused.value.detail) == (Code.MALFORMED_EVENT, "request.clientMetadata")


def test_a_machines_event_may_leave_out_everything_about_users() -> None:
    asked = event(events.MACHINE)
    del asked["request"]["userAttributes"], asked["request"]["groupConfiguration"], asked["userPoolId"]
    request = parse(asked)
    assert (request.sub, request.groups, request.iam_roles, request.preferred_role, request.pool_id) == (
        None,
        (),
        (),
        None,
        "",
    )
