"""Further claims in the authorizer's context: as each kind of API takes them, and read back the same from all."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claimsmith.authorizer_context import JSON_CLAIMS, TAKEN, further, read_back
from claimsmith.errors import Code, VerificationError
from claimsmith.verifier.authorizer import Authorizer
from claimsmith.verifier.context import caller_of
from tests.unit.verifier.gateway_events import (
    API,
    POOL,
    READ,
    VERIFIER,
    http1,
    http2,
    rest_request,
    rest_token,
    websocket,
)
from tests.unit.verifier.minting import access_claims

if TYPE_CHECKING:
    from collections.abc import Callable

FURTHER: dict[str, Any] = {
    "department": "ledger",
    "number": "7",
    "level": 7,
    "member": True,
    "share": 0.5,
    "cognito:groups": ["Staff", "plant-1"],
    "limits": {"orders": {"write": [1, 2]}},
    "naïve": "é",
}
CLAIMS = access_claims(**FURTHER, roles=["editor"])
BEARER = f"Bearer {POOL.sign(CLAIMS)}"
LISTED = (*FURTHER, "username", "absent", *TAKEN)
ROWS = (READ, {"path": "/$connect"}, {"path": "/graphql", "method": "POST"})
ALWAYS = {"sub", "roles", "scope", "tenant_id"}


def appsync(bearer: str) -> dict[str, Any]:
    return {
        "authorizationToken": bearer,
        "requestContext": {"apiId": API, "accountId": "123456789012", "requestId": "x"},
        "requestHeaders": {"x-api-key": "x"},
    }


def answer(event: dict[str, Any], response: Any = "iam", listed: tuple[str, ...] = LISTED) -> dict[str, Any]:  # noqa: ANN401 - a literal
    authorizer = Authorizer(VERIFIER, lambda: ROWS, response=response, context_claims=listed)
    return authorizer.authorize(event).response


def told(event: dict[str, Any], response: str) -> dict[str, Any]:
    """The context, under the name that this kind of API has for it."""
    context: dict[str, Any] = answer(event, response)["resolverContext" if "requestHeaders" in event else "context"]
    return context


def behind(context: dict[str, Any], event: dict[str, Any]) -> dict[str, Any]:
    """What a back end gets, as AWS passes the context on for this kind of API."""
    if "requestHeaders" in event:
        return {"arguments": {}, "identity": {"resolverContext": context}}
    if event.get("version") == "2.0":
        return {"requestContext": {"authorizer": {"lambda": context}}}
    return {"requestContext": {"authorizer": {**context, "principalId": CLAIMS["sub"], "integrationLatency": 12}}}


JSON_KINDS = [(http2, "simple"), (http2, "iam")]
TEXT_KINDS = [(each, "iam") for each in (http1, rest_request, rest_token, websocket, appsync)]


@pytest.mark.parametrize(("event", "response"), [*JSON_KINDS, *TEXT_KINDS])
def test_the_service_behind_reads_the_same_claims_from_every_kind(
    event: Callable[[str], dict[str, Any]], response: str
) -> None:
    asked = event(BEARER)
    context = json.loads(json.dumps(told(asked, response)))
    caller = caller_of(behind(context, asked))
    assert caller is not None
    assert {name: caller.claims[name] for name in caller.claims.keys() - ALWAYS} == {
        **FURTHER,
        "username": CLAIMS["username"],
    }
    assert (caller.sub, caller.tenant_id, caller.roles) == (CLAIMS["sub"], "acme", ("editor",)), "not as listed"


@pytest.mark.parametrize(("event", "response"), TEXT_KINDS)
def test_a_kind_that_takes_no_lists_gets_text_alone(event: Callable[[str], dict[str, Any]], response: str) -> None:
    context = told(event(BEARER), response)
    assert all(type(value) is str and value.isascii() for name, value in context.items() if name != "naïve")
    assert (context["department"], context["number"], context["level"]) == ("ledger", "7", "7")
    assert json.loads(context["limits"]) == FURTHER["limits"]
    assert json.loads(context[JSON_CLAIMS]) == sorted(FURTHER.keys() - {"department", "number", "naïve"})


@pytest.mark.parametrize(("event", "response"), JSON_KINDS)
def test_an_http_api_gets_the_values_themselves(event: Callable[[str], dict[str, Any]], response: str) -> None:
    context = told(event(BEARER), response)
    assert {name: context[name] for name in FURTHER} == FURTHER
    assert JSON_CLAIMS not in context


@given(
    st.dictionaries(
        st.text(min_size=1).filter(lambda name: name not in TAKEN),
        st.recursive(
            st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
            lambda part: st.lists(part, max_size=3) | st.dictionaries(st.text(), part, max_size=3),
            max_leaves=6,
        ),
        max_size=4,
    ),
    st.booleans(),
)
def test_any_claims_are_read_back_as_they_were(claims: dict[str, Any], as_text: bool) -> None:  # noqa: FBT001 - a case
    assert read_back(further(claims, claims, as_text=as_text)) == claims


@pytest.mark.parametrize(
    "context",
    [
        *({"json_claims": "x"}, {"json_claims": 7}, {"json_claims": '["level"]'}, {"json_claims": "7"}),
        *(
            {"json_claims": '["level"]', "level": "x"},
            {"json_claims": '["level"]', "level": 7},
            {"json_claims": "[[]]"},
        ),
    ],
)
def test_a_context_that_is_not_ours_is_refused(context: dict[str, Any]) -> None:
    with pytest.raises(VerificationError) as caught:
        caller_of({"requestContext": {"authorizer": {"sub": "a", **context}}})
    assert caught.value.code == Code.REQUEST_MALFORMED


def test_only_appsyncs_lambda_authorizer_has_a_context() -> None:
    assert caller_of({"arguments": {}, "identity": None}) is None, "an API key"
    with pytest.raises(VerificationError):
        caller_of({"arguments": {}, "identity": {"claims": {"sub": "a"}, "groups": []}})


def test_a_websocket_is_not_given_more_than_it_takes() -> None:
    """API Gateway would fail without saying why."""
    bearer = f"Bearer {POOL.sign(access_claims(long='x' * 8_200))}"
    with pytest.raises(VerificationError) as caught:
        answer(websocket(bearer), listed=("long",))
    assert caught.value.code == Code.CONTEXT_TOO_LARGE
    assert answer(rest_request(bearer), listed=("long",))["context"]["long"] == "x" * 8_200
    assert "long" not in answer(websocket(bearer), listed=())["context"]


@pytest.mark.parametrize(("event", "response"), [*JSON_KINDS, *TEXT_KINDS])
def test_a_claim_that_is_nested_too_deeply_is_refused_and_not_left_out(
    event: Callable[[str], dict[str, Any]], response: str
) -> None:
    nested: list[Any] = []
    for _ in range(100):
        nested = [nested]
    asked = event(f"Bearer {POOL.sign(access_claims(nested=nested))}")
    with pytest.raises(VerificationError) as caught:
        answer(asked, response, ("nested",))
    assert caught.value.code == Code.CONTEXT_TOO_LARGE
    assert "sub" in str(answer(asked, response, ()))
