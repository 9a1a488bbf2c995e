"""Whatever an event holds: an answer of the right shape, ``Unauthorized``, or a code. And nothing of the token."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from claimsmith.errors import ClaimsmithError
from claimsmith.verifier.authorizer import Answer, UnauthorizedError
from tests.unit.verifier.fuzzed_events import BAD, CREDENTIALS, GOOD, KINDS, PATH, events
from tests.unit.verifier.gateway_events import READ, authorizer
from tests.unit.verifier.minting import access_claims

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS = (
    READ,
    {"path": "/$connect"},
    {"path": "/{rest+}", "any_role": ["editor"]},
    {"path": "/tenants/{tenant}/orders", "tenant_from": "path:tenant"},
    {"path": "/tenants", "tenant_from": "query:tenant"},
)

#: What no error, no denial and no log may repeat: parts of tokens, and what their claims say of somebody.
SECRETS = {part for token in (*GOOD, *BAD[:-1]) for part in token.split(".")} | {
    str(access_claims()[name]) for name in ("sub", "jti", "origin_jti", "event_id")
}

ARNS = ("methodArn", "routeArn")

#: The kinds of which AWS documents that an error that reads so is a 401, or whose example does it.
BY_ERROR = {"REST REQUEST", "REST TOKEN", "WebSocket"}


def run(act: Callable[[], object]) -> tuple[object, str]:
    """What a call returns or raises, and everything it writes: logs, standard output and error."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        with contextlib.redirect_stdout(written), contextlib.redirect_stderr(written):
            try:
                result = act()
            except (UnauthorizedError, ClaimsmithError) as error:
                result = error
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    return result, written.getvalue()


def check_policy(answer: dict[str, Any], asked: dict[str, Any], *, allowed: bool) -> None:
    assert set(answer) == {"principalId", "policyDocument"} | ({"context"} if allowed else set())
    assert isinstance(answer["principalId"], str)
    ((effect, resource),) = (
        (statement["Effect"], statement["Resource"]) for statement in answer["policyDocument"]["Statement"]
    )
    assert answer["policyDocument"] == {
        "Version": "2012-10-17",
        "Statement": [{"Action": "execute-api:Invoke", "Effect": effect, "Resource": resource}],
    }
    assert effect == ("Allow" if allowed else "Deny")
    named = [asked[name] for name in ARNS if name in asked]
    assert resource in named or (not allowed and resource == "*" and max(map(len, named)) > 512)
    assert not allowed or not re.search(r"[*?]|\$\{", resource), "a pattern would allow more than was asked for"


def check_context(context: dict[str, Any]) -> None:
    assert {"sub", "roles", "scope"} <= set(context) <= {"sub", "roles", "scope", "tenant_id"}
    assert all(isinstance(value, str) for value in context.values())


def presented(asked: object) -> bool:
    """Whether a good token is in an event at all."""
    text = json.dumps(asked)
    return any(token in text for token in GOOD)


@pytest.mark.slow
@settings(max_examples=400)
@given(events(), st.sampled_from(["simple", "iam"]))
def test_the_answer_is_valid_for_api_gateway_and_reveals_nothing(drawn: tuple[str, Any], response: str) -> None:
    kind, asked = drawn
    result, written = run(lambda: authorizer(*ROWS, response=response).authorize(asked))
    assert written == "", "the library does not log"
    if isinstance(result, Answer):
        answer, allowed = result.response, result.code is None
        assert json.loads(json.dumps(answer)) == answer
        event(f"{kind}: {'allowed' if allowed else 'denied'}")
        if "isAuthorized" in answer:
            assert (asked.get("version"), response) == ("2.0", "simple")
            assert answer["isAuthorized"] is allowed
            assert set(answer) == {"isAuthorized"} | ({"context"} if allowed else set())
        else:
            check_policy(answer, asked, allowed=allowed)
        if allowed:
            check_context(answer["context"])
            assert presented(asked), "nobody passes without a good token"
            return
        output = json.dumps(answer).replace(json.dumps(asked.get("methodArn", "")), "")
    elif isinstance(result, UnauthorizedError):
        event(f"{kind}: unauthorized")
        assert str(result) == "Unauthorized"
        assert asked.get("version") not in ("1.0", "2.0"), "an HTTP API would make a 500 of it"
        output = repr((result.args, result.__cause__, result.__context__))
    else:
        assert isinstance(result, ClaimsmithError)
        event(f"{kind}: {result.code}")
        assert str(result).endswith(f"[{result.code}]")
        output = repr((result.args, result.__dict__, result.__cause__, result.__context__))
    arns = [str(asked[name]) for name in ARNS if name in asked] if isinstance(asked, dict) else []
    assert not [secret for secret in SECRETS if secret in output and not any(secret in arn for arn in arns)]


@settings(max_examples=200)
@given(
    st.sampled_from(sorted(KINDS)),
    CREDENTIALS.filter(bool),
    PATH | st.text(max_size=20).map("/{}".format),
    st.text("GETPOSHAD-", min_size=1, max_size=7),
    st.dictionaries(st.text(max_size=6), st.text(max_size=6), max_size=3),
    st.sampled_from(["simple", "iam"]),
)
def test_no_path_method_header_or_query_makes_a_whole_event_a_failure(
    kind: str, credentials: str, path: str, method: str, parameters: dict[str, str], response: str
) -> None:
    """What a caller writes into a request is refused or let through; only what API Gateway adds can be missing."""
    make = KINDS[kind]
    asked = make(credentials) if kind == "WebSocket" else make(credentials, path, method)
    if kind != "REST TOKEN":
        asked["queryStringParameters"] = parameters
        asked["headers"] = {**asked["headers"], **parameters}
    result, _ = run(lambda: authorizer(*ROWS, response=response).authorize(asked))
    assert isinstance(result, Answer | UnauthorizedError)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("response", ["simple", "iam"])
def test_the_fuzzed_kinds_are_answered_when_they_are_whole(kind: str, response: str) -> None:
    """Otherwise the test above could pass by refusing everything."""
    assert authorizer(*ROWS, response=response).authorize(KINDS[kind]()).code is None
    assert run(lambda: authorizer(*ROWS).authorize(KINDS[kind](None)))[0].__class__ is (
        UnauthorizedError if kind in BY_ERROR else Answer
    )
