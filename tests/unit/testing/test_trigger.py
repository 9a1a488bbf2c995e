"""The trigger is called as Lambda calls it: once, by way of JSON, with a deadline, and its errors are Cognito's."""

from __future__ import annotations

import threading
from decimal import Decimal
from typing import Any

import pytest

from claimsmith.testing import (
    CognitoError,
    InvalidLambdaResponseException,
    NotAuthorizedException,
    UnexpectedLambdaException,
    UserLambdaValidationException,
)
from claimsmith.testing.contract import TRIGGER_SECONDS
from tests.unit.testing.handlers import USER, WEB, access, pool, signed_in


class Recording:
    """A trigger that changes nothing and keeps what it was called with."""

    def __init__(self) -> None:
        self.calls: list[tuple[dict[str, Any], Any]] = []

    def __call__(self, event: dict[str, Any], context: object) -> dict[str, Any]:
        self.calls.append((event, context))
        return event


def test_one_call_serves_both_tokens() -> None:
    recording = Recording()
    tokens = signed_in(recording)
    assert len(recording.calls) == 1
    assert tokens.access["event_id"] == tokens.id["event_id"]


def test_a_call_that_fails_is_not_repeated() -> None:
    calls: list[object] = []

    def failing(event: dict[str, Any], _context: object) -> None:
        calls.append(event)
        raise ValueError("no")

    with pytest.raises(UserLambdaValidationException):
        signed_in(failing)
    assert len(calls) == 1


def test_the_handler_gets_a_copy_and_its_answer_is_one() -> None:
    shared = {"nested": [1]}

    def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
        event["callerContext"]["clientId"] = "changed"
        claims = {"accessTokenGeneration": {"claimsToAddOrOverride": {"shared": shared}}}
        return {**event, "response": {"claimsAndScopeOverrideDetails": claims}}

    tokens = signed_in(handler)
    shared["nested"].append(2)
    assert tokens.event is not None
    assert tokens.event["callerContext"]["clientId"] == WEB
    assert tokens.access["shared"] == {"nested": [1]}


def test_the_answer_is_converted_through_json() -> None:
    claims = {"tuple": ("a", "b"), "object": {1: "one"}, "whole": Decimal(7), "part": Decimal("0.5")}
    tokens = signed_in(access(claimsToAddOrOverride=claims))
    assert tokens.access["tuple"] == ["a", "b"]
    assert tokens.access["object"] == {"1": "one"}
    assert (tokens.access["whole"], tokens.access["part"]) == (7, 0.5)


@pytest.mark.parametrize("value", [{"a set"}, b"bytes", object(), float("nan"), float("inf"), Decimal("NaN")])
def test_an_answer_that_is_not_json_is_refused(value: object) -> None:
    with pytest.raises(InvalidLambdaResponseException) as caught:
        signed_in(access(claimsToAddOrOverride={"claim": value}))
    assert caught.value.message == "Invalid lambda function output : Invalid JSON"


def test_an_answer_that_contains_itself_is_refused() -> None:
    loop: dict[str, Any] = {}
    loop["loop"] = loop
    with pytest.raises(InvalidLambdaResponseException):
        signed_in(access(claimsToAddOrOverride={"claim": loop}))


def test_an_error_has_cognitos_text_around_it() -> None:
    def refusing(_event: object, _context: object) -> None:
        raise PermissionError("Sign-in is not possible right now. [CS2001]")

    with pytest.raises(UserLambdaValidationException) as caught:
        signed_in(refusing)
    assert caught.value.response["Error"] == {
        "Code": "UserLambdaValidationException",
        "Message": "PreTokenGeneration failed with error Sign-in is not possible right now. [CS2001].",
    }
    assert isinstance(caught.value.__cause__, PermissionError)
    assert isinstance(caught.value, CognitoError)


def test_a_handler_that_ends_its_process_is_unexpected() -> None:
    with pytest.raises(UnexpectedLambdaException):
        signed_in(lambda _event, _context: exit(1))  # noqa: PLR1722 - what a handler may do


def test_a_test_outcome_inside_a_handler_stays_one() -> None:
    with pytest.raises(pytest.fail.Exception, match="seen"):
        signed_in(lambda _event, _context: pytest.fail("seen by the test"))


def test_a_handler_that_takes_too_long_times_out() -> None:
    released = threading.Event()
    try:
        with pytest.raises(UnexpectedLambdaException, match="Socket timeout while invoking Lambda function"):
            signed_in(lambda event, _context: released.wait(60) and event, trigger_seconds=0.05)
    finally:
        released.set()


def test_a_handler_sees_its_remaining_time() -> None:
    recording = Recording()
    signed_in(recording, trigger_seconds=3_600)
    _, context = recording.calls[0]
    assert 0 < context.get_remaining_time_in_millis() <= 3_600_000
    assert TRIGGER_SECONDS == 5
    assert context.aws_request_id
    assert context.function_name


def test_a_refusal_leaves_nothing_behind() -> None:
    kit = pool()
    begun = kit.sign_in(USER, WEB)
    kit.trigger = access(scopesToAdd="wrong")
    with pytest.raises(InvalidLambdaResponseException):
        kit.refresh(str(begun.refresh_token), WEB)
    kit.trigger = None
    assert kit.refresh(str(begun.refresh_token), WEB).access["origin_jti"] == begun.access["origin_jti"]


def test_a_refused_users_request_does_not_reach_the_trigger() -> None:
    recording = Recording()
    kit = pool(recording)
    kit.admin_disable_user(USER)
    with pytest.raises(NotAuthorizedException, match="disabled"):
        kit.sign_in(USER, WEB)
    assert recording.calls == []
