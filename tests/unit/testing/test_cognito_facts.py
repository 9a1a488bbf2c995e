"""Facts of the trigger that no table has: claims, scopes, groups and events are in the files beside this one.

Page: ``user-pool-lambda-pre-token-generation`` of the Amazon Cognito developer guide, where no other is named.
"""

from __future__ import annotations

from typing import Any

import pytest

from claimsmith.testing import (
    CognitoKit,
    InvalidParameterException,
)
from tests.unit.testing.handlers import (
    ADMIN_SCOPE,
    MACHINE,
    USER,
    WEB,
    access,
    pool,
    scopes,
    signed_in,
)


def test_one_event_serves_both_tokens() -> None:
    events: list[dict[str, Any]] = []

    def counting(event: dict[str, Any], _context: object) -> dict[str, Any]:
        events.append(event)
        both = {"claimsToAddOrOverride": {"number": len(events)}}
        details = {"accessTokenGeneration": both, "idTokenGeneration": both}
        return {**event, "response": {"claimsAndScopeOverrideDetails": details}}

    tokens = signed_in(counting)
    assert len(events) == 1
    assert (tokens.access["number"], tokens.id["number"]) == (1, 1)


def test_the_pages_own_example_of_complex_claims_breaks_no_rule() -> None:
    """One map of claims for both tokens, ``aud`` among them; the table forbids that for the ID token."""

    def example(event: dict[str, Any], _context: object) -> dict[str, Any]:
        claims = {
            "aud": event["callerContext"]["clientId"],
            "flag": False,
            "big": 9_223_372_036_854_775_807,
            "mixed": ["a", 1, True],
            "nested": {"a": {"b": ["c"]}},
        }
        part = {"claimsToAddOrOverride": claims, "claimsToSuppress": ["email"]}
        scopes_too = {**part, "scopesToAdd": ["MyAPI.read"], "scopesToSuppress": [ADMIN_SCOPE]}
        details = {"idTokenGeneration": part, "accessTokenGeneration": scopes_too}
        return {**event, "response": {"claimsAndScopeOverrideDetails": details}}

    tokens = signed_in(example)
    assert (tokens.access["aud"], tokens.id["aud"]) == (WEB, WEB)
    assert tokens.id["nested"] == {"a": {"b": ["c"]}}
    assert "MyAPI.read" in scopes(tokens)
    kit = pool(example)
    assert kit.sign_in(USER, WEB, by="authorization_code", scopes=["orders/read"]).id_token is None, (
        "no openid, no ID token"
    )
    assert kit.client_credentials(MACHINE).access["aud"] == MACHINE


def test_aws_own_test_event_has_lists_where_real_events_have_null() -> None:
    def as_on_the_page(event: dict[str, Any]) -> None:
        event["request"]["groupConfiguration"]["preferredRole"] = ["arn:x"]
        event["response"] = {"claimsAndScopeOverrideDetails": []}

    def careless(event: dict[str, Any], _context: object) -> dict[str, Any]:
        event["response"]["claimsAndScopeOverrideDetails"]["accessTokenGeneration"] = {}
        return event

    kit = pool(lambda event, _context: event, edit_event=as_on_the_page)
    assert kit.sign_in(USER, WEB).access["cognito:groups"] == ["Staff", "Admins"]
    kit.trigger = careless
    with pytest.raises(Exception, match="PreTokenGeneration failed"):
        kit.sign_in(USER, WEB)


def test_derived_tokens_are_not_promised_and_not_guessed() -> None:
    with pytest.raises(InvalidParameterException, match="GetDerivedToken"):
        pool().sign_in(USER, WEB, by="GetDerivedToken")


def test_cognito_sets_no_limit_on_size_though_an_http_api_takes_10240_bytes_of_headers() -> None:
    """Page: ``http-api-quotas`` of the API Gateway guide. Keeping below is the policy's task, not the pool's."""
    tokens = signed_in(access(claimsToAddOrOverride={"tenants": ["t" * 60] * 200}))
    assert len(f"authorization: Bearer {tokens.access_token}") > 10_240


def test_a_customized_access_token_looks_like_any_other() -> None:
    """Older AWS pages say that load balancers do not take customized tokens: nothing in a token marks it as one."""
    kit = CognitoKit()
    kit.add_user(USER)
    kit.add_client(WEB)
    plain = kit.sign_in(USER, WEB)
    kit.trigger = access(claimsToAddOrOverride={"plan": "pro"}, scopesToAdd=["orders/read"])
    customized = kit.sign_in(USER, WEB)
    assert customized.access.keys() - plain.access.keys() == {"plan"}
    assert plain.access_token.split(".")[0] == customized.access_token.split(".")[0]
    assert scopes(customized) - scopes(plain) == {"orders/read"}
