"""Errors carry a stable code, and say nothing to a user but a sentence and that code."""

from __future__ import annotations

import re

import pytest

from claimsmith.errors import ClaimsmithError, Code, EventError, SignInRefusedError, StoreError

SIGN_IN_CODES = [code for code in Code if code.value.startswith("CS2")]


def test_no_code_is_given_twice() -> None:
    assert len({code.value for code in Code}) == len(list(Code.__members__))
    assert all(re.fullmatch(r"CS[1-4]\d{3}", code.value) for code in Code)


@pytest.mark.parametrize("code", SIGN_IN_CODES)
def test_a_refusal_is_one_sentence_and_ends_in_its_code(code: Code) -> None:
    assert re.fullmatch(rf"[A-Z][A-Za-z -]+\. \[{code.value}\]", str(SignInRefusedError(code)))


def test_an_event_error_keeps_where_it_was_from_the_user() -> None:
    error = EventError(Code.MALFORMED_EVENT, "request.userAttributes.sub")
    assert error.detail == "request.userAttributes.sub"
    assert "userAttributes" not in str(error)


def test_every_error_is_one_of_ours() -> None:
    assert isinstance(StoreError(Code.AWS_UNREACHABLE, "DynamoDB does not answer."), ClaimsmithError)
    assert isinstance(EventError(Code.MALFORMED_EVENT, "event"), SignInRefusedError)
