"""The hard facts of the trigger, one by one, each as the kit makes it true.

Page: ``user-pool-lambda-pre-token-generation`` of the Amazon Cognito developer guide, where no other is named.
"""

from __future__ import annotations

from typing import Any

import pytest

from claimsmith.testing import (
    SIGN_INS,
    CognitoKit,
    ContractViolation,
    InvalidParameterException,
    NotAuthorizedException,
    Rule,
)
from tests.unit.testing.handlers import (
    ADMIN_SCOPE,
    MACHINE,
    USER,
    WEB,
    access,
    answering,
    identity,
    machine_tokens,
    pool,
    scopes,
    signed_in,
)


def test_fact_1_one_event_serves_both_tokens() -> None:
    events: list[dict[str, Any]] = []

    def counting(event: dict[str, Any], _context: object) -> dict[str, Any]:
        events.append(event)
        both = {"claimsToAddOrOverride": {"number": len(events)}}
        details = {"accessTokenGeneration": both, "idTokenGeneration": both}
        return {**event, "response": {"claimsAndScopeOverrideDetails": details}}

    tokens = signed_in(counting)
    assert len(events) == 1
    assert (tokens.access["number"], tokens.id["number"]) == (1, 1)


def test_fact_2_machines_are_customized_at_version_three_only_and_users_events_differ_in_the_version_only() -> None:
    adding = access(claimsToAddOrOverride={"plan": "pro"})
    assert "plan" not in machine_tokens(adding, lambda_version="V2_0").access
    assert machine_tokens(adding, lambda_version="V3_0").access["plan"] == "pro"
    assert pool(adding).client_credentials(MACHINE, by="GetClientToken").access["plan"] == "pro"
    two, three = (signed_in(adding, lambda_version=version).event for version in ("V2_0", "V3_0"))
    assert two is not None
    assert three is not None
    assert {**two, "version": "3"} == three


NOBODYS = [
    "cognito:username", "cognito:other", "username", "sub", "identities", "client_id", "event_id", "device_key",
    "version", "acr", "amr", "at_hash", "auth_time", "azp", "exp", "iat", "iss", "jti", "nbf", "nonce", "origin_jti",
    "token_use",
]  # fmt: skip


@pytest.mark.parametrize("claim", NOBODYS)
@pytest.mark.parametrize("token", ["access", "id"])
@pytest.mark.parametrize("change", [{"claimsToAddOrOverride": "set"}, {"claimsToSuppress": "suppress"}])
def test_fact_3_no_trigger_changes_what_cognito_alone_sets(claim: str, token: str, change: dict[str, str]) -> None:
    [(member, kind)] = change.items()
    block = {member: {claim: "x"} if kind == "set" else [claim]}
    with pytest.raises(ContractViolation) as caught:
        signed_in(answering(**{f"{token}TokenGeneration": block}))
    assert caught.value.rules <= {Rule.RESERVED_CLAIM, Rule.OTHER_TOKENS_CLAIM}


def test_fact_3_a_developer_attribute_can_only_be_suppressed() -> None:
    assert "dev:note" in signed_in().id
    assert "dev:note" not in signed_in(identity(claimsToSuppress=["dev:note"])).id
    with pytest.raises(ContractViolation, match="DEVELOPER_ATTRIBUTE"):
        signed_in(identity(claimsToAddOrOverride={"dev:note": "x"}))


def test_fact_3_the_audience_is_for_access_tokens_and_is_the_client() -> None:
    assert signed_in(access(claimsToAddOrOverride={"aud": WEB})).access["aud"] == WEB
    for wrong in (access(claimsToAddOrOverride={"aud": "x"}), identity(claimsToAddOrOverride={"aud": "x"})):
        with pytest.raises(ContractViolation):
            signed_in(wrong)


def test_fact_3_the_pages_own_example_of_complex_claims_breaks_no_rule() -> None:
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


def test_fact_3_scopes_and_groups_have_members_of_their_own() -> None:
    for claim, rule in (
        ("scope", Rule.SCOPE_CLAIM),
        ("cognito:groups", Rule.GROUP_CLAIM),
        ("cognito:roles", Rule.GROUP_CLAIM),
        ("cognito:preferred_role", Rule.GROUP_CLAIM),
    ):
        with pytest.raises(ContractViolation) as caught:
            signed_in(access(claimsToAddOrOverride={claim: ["x"]}))
        assert caught.value.rules == {rule}
    with pytest.raises(ContractViolation, match="SCOPE_BLANK"):
        signed_in(access(scopesToAdd=["orders read"]))
    assert "cognito:groups" not in signed_in(identity(claimsToSuppress=["cognito:groups"])).id


def test_fact_4_suppression_wins() -> None:
    block = {"claimsToAddOrOverride": {"plan": "pro"}, "claimsToSuppress": ["plan"]}
    tokens = signed_in(answering(accessTokenGeneration=block, idTokenGeneration=block))
    assert "plan" not in tokens.access.keys() | tokens.id.keys()


@pytest.mark.parametrize("block", [None, {}])
def test_fact_5_an_empty_or_null_group_block_takes_the_groups_away(block: object) -> None:
    tokens = signed_in(answering(groupOverrideDetails=block))
    assert "cognito:groups" not in tokens.access.keys() | tokens.id.keys()


@pytest.mark.parametrize("claim", ["phone_number_verified", "email_verified", "updated_at", "address"])
def test_fact_6_four_id_token_claims_take_no_complex_value(claim: str) -> None:
    with pytest.raises(ContractViolation, match="PLAIN_IN_ID"):
        signed_in(identity(claimsToAddOrOverride={claim: {"a": "b"}}))


def test_fact_7_aws_own_test_event_has_lists_where_real_events_have_null() -> None:
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


def test_fact_8_metadata_comes_from_challenges_get_tokens_and_machines_and_is_not_checked() -> None:
    hint = {"tenant_id": "not a member, and nobody looks"}

    def seen(event: Any) -> Any:  # noqa: ANN401 - an event
        return event["request"].get("clientMetadata")

    kit = pool(lambda event, _context: event)
    begun = kit.sign_in(USER, WEB, client_metadata=hint)
    refresh = str(begun.refresh_token)
    assert seen(begun.event) == hint
    assert seen(kit.sign_in(USER, WEB, by="InitiateAuth", client_metadata=hint).event) is None
    assert seen(kit.sign_in(USER, WEB, by="authorization_code", client_metadata=hint).event) is None
    assert seen(kit.refresh(refresh, WEB, client_metadata=hint).event) == hint
    assert seen(kit.client_credentials(MACHINE, client_metadata=hint).event) == hint


def test_fact_9_there_are_six_sources() -> None:
    kit = pool(lambda event, _context: event)
    all_flows = ["code", "ALLOW_USER_SRP_AUTH", "ALLOW_USER_PASSWORD_AUTH", "ALLOW_ADMIN_USER_PASSWORD_AUTH"]
    kit.add_client(WEB, scopes=["openid"], flows=all_flows)
    tokens = [kit.sign_in(USER, WEB, by=by) for by in SIGN_INS]
    tokens += [kit.refresh(str(tokens[0].refresh_token), WEB), kit.client_credentials(MACHINE)]
    assert {token.event["triggerSource"] for token in tokens if token.event} == {
        f"TokenGeneration_{name}"
        for name in (
            "HostedAuth",
            "Authentication",
            "NewPasswordChallenge",
            "ClientCredentials",
            "AuthenticateDevice",
            "RefreshTokens",
        )
    }


def test_fact_10_without_the_admin_scope_a_user_cannot_read_their_own_attributes() -> None:
    kit = pool()
    assert kit.get_user(kit.sign_in(USER, WEB).access_token)["email"] == "ada@example.com"
    kit.trigger = access(scopesToSuppress=[ADMIN_SCOPE])
    with pytest.raises(NotAuthorizedException, match="required scopes"):
        kit.get_user(kit.sign_in(USER, WEB).access_token)


def test_fact_11_derived_tokens_are_not_promised_and_not_guessed() -> None:
    with pytest.raises(InvalidParameterException, match="GetDerivedToken"):
        pool().sign_in(USER, WEB, by="GetDerivedToken")


def test_fact_12_cognito_sets_no_limit_on_size_though_an_http_api_takes_10240_bytes_of_headers() -> None:
    """Page: ``http-api-quotas`` of the API Gateway guide. Keeping below is the policy's task, not the pool's."""
    tokens = signed_in(access(claimsToAddOrOverride={"tenants": ["t" * 60] * 200}))
    assert len(f"authorization: Bearer {tokens.access_token}") > 10_240


def test_fact_13_a_customized_access_token_looks_like_any_other() -> None:
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
