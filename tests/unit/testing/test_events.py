"""The events of all six sources are those of a real pool, member by member."""

from __future__ import annotations

from typing import Any

import pytest

from claimsmith.testing import MACHINES, REFRESHES, SIGN_INS, CognitoKit, InvalidParameterException
from tests.unit.testing.handlers import ADMIN_SCOPE, MACHINE, READER, SUB, USER, WEB, WRITER, pool

METADATA = {"tenant_id": "acme"}


def echo(event: dict[str, Any], _context: object) -> dict[str, Any]:
    return event


def kit(lambda_version: str = "V2_0") -> CognitoKit:
    made = pool(echo, lambda_version=lambda_version)
    flows = [
        "code",
        "ALLOW_USER_SRP_AUTH",
        "ALLOW_USER_PASSWORD_AUTH",
        "ALLOW_ADMIN_USER_PASSWORD_AUTH",
        "ALLOW_REFRESH_TOKEN_AUTH",
    ]
    made.add_client(WEB, scopes=["openid", "orders/read"], flows=flows)
    return made


def sign_in_event(by: str, **arguments: Any) -> dict[str, Any]:  # noqa: ANN401 - arguments of sign_in
    return dict(kit().sign_in(USER, WEB, by=by, **arguments).event or {})


@pytest.mark.parametrize(("lambda_version", "version"), [("V2_0", "2"), ("V3_0", "3")])
def test_a_users_event_has_these_members_and_no_others(lambda_version: str, version: str) -> None:
    tokens = kit(lambda_version).sign_in(USER, WEB, by="authorization_code")
    assert tokens.event == {
        "version": version,
        "triggerSource": "TokenGeneration_HostedAuth",
        "region": "eu-central-1",
        "userPoolId": "eu-central-1_CognitoKit",
        "userName": USER,
        "callerContext": {"awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": WEB},
        "request": {
            "userAttributes": {
                "sub": SUB,
                "cognito:user_status": "CONFIRMED",
                "email": "ada@example.com",
                "email_verified": "true",
                "custom:plan": "7",
                "dev:note": "x",
            },
            "groupConfiguration": {
                "groupsToOverride": ["Staff", "Admins"],
                "iamRolesToOverride": [READER, WRITER],
                "preferredRole": READER,
            },
            "scopes": ["openid", "orders/read"],
        },
        "response": {"claimsAndScopeOverrideDetails": None},
    }


def test_a_machines_event_has_no_attributes_no_groups_and_its_name_is_client_credentials() -> None:
    tokens = kit("V3_0").client_credentials(MACHINE, client_metadata={"onBehalfOf": "x"})
    assert tokens.event == {
        "version": "3",
        "triggerSource": "TokenGeneration_ClientCredentials",
        "region": "eu-central-1",
        "userPoolId": "eu-central-1_CognitoKit",
        "userName": "ClientCredentials",
        "callerContext": {"awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": MACHINE},
        "request": {
            "userAttributes": {},
            "groupConfiguration": None,
            "scopes": ["orders/read", "orders/write"],
            "clientMetadata": {"onBehalfOf": "x"},
        },
        "response": {"claimsAndScopeOverrideDetails": None},
    }


def test_a_user_without_groups_has_empty_lists_and_a_null_role() -> None:
    made = kit()
    made.add_user("bob")
    event = made.sign_in("bob", WEB).event
    assert event is not None
    assert event["request"]["groupConfiguration"] == {
        "groupsToOverride": [],
        "iamRolesToOverride": [],
        "preferredRole": None,
    }


@pytest.mark.parametrize(
    ("by", "source"),
    [
        ("InitiateAuth", "TokenGeneration_Authentication"),
        ("AdminInitiateAuth", "TokenGeneration_Authentication"),
        ("RespondToAuthChallenge", "TokenGeneration_Authentication"),
        ("AdminRespondToAuthChallenge", "TokenGeneration_Authentication"),
        ("NEW_PASSWORD_REQUIRED", "TokenGeneration_NewPasswordChallenge"),
        ("DEVICE_PASSWORD_VERIFIER", "TokenGeneration_AuthenticateDevice"),
        ("authorization_code", "TokenGeneration_HostedAuth"),
    ],
)
def test_each_sign_in_flow_has_its_source(by: str, source: str) -> None:
    assert sign_in_event(by)["triggerSource"] == source


def test_no_flow_is_untested() -> None:
    sources = {flow.source for flows in (SIGN_INS, REFRESHES, MACHINES) for flow in flows.values()}
    assert {source.removeprefix("TokenGeneration_") for source in sources} == {
        "HostedAuth",
        "Authentication",
        "NewPasswordChallenge",
        "AuthenticateDevice",
        "RefreshTokens",
        "ClientCredentials",
    }
    assert (len(SIGN_INS), len(REFRESHES), len(MACHINES)) == (7, 3, 2)


@pytest.mark.parametrize("by", REFRESHES)
def test_every_refresh_has_the_source_refresh_tokens(by: str) -> None:
    made = kit()
    begun = made.sign_in(USER, WEB)
    event = made.refresh(str(begun.refresh_token), WEB, by=by).event
    assert event is not None
    assert event["triggerSource"] == "TokenGeneration_RefreshTokens"


@pytest.mark.parametrize("by", MACHINES)
def test_a_machine_by_grant_or_by_operation_has_the_same_event(by: str) -> None:
    event = kit("V3_0").client_credentials(MACHINE, by=by).event
    assert event is not None
    assert event["triggerSource"] == "TokenGeneration_ClientCredentials"


@pytest.mark.parametrize(
    "by", ["RespondToAuthChallenge", "AdminRespondToAuthChallenge", "NEW_PASSWORD_REQUIRED", "DEVICE_PASSWORD_VERIFIER"]
)
def test_metadata_reaches_the_trigger_from_the_answer_to_a_challenge(by: str) -> None:
    assert sign_in_event(by, client_metadata=METADATA)["request"]["clientMetadata"] == METADATA


@pytest.mark.parametrize("by", ["InitiateAuth", "AdminInitiateAuth", "authorization_code"])
def test_metadata_does_not_reach_the_trigger_from_the_start_of_a_sign_in(by: str) -> None:
    assert "clientMetadata" not in sign_in_event(by, client_metadata=METADATA)["request"]


@pytest.mark.parametrize(
    ("by", "passed"), [("GetTokensFromRefreshToken", True), ("REFRESH_TOKEN_AUTH", False), ("refresh_token", False)]
)
def test_metadata_reaches_the_trigger_from_one_kind_of_refresh_only(by: str, passed: bool) -> None:  # noqa: FBT001 - a table
    made = kit()
    begun = made.sign_in(USER, WEB, client_metadata={"first": "sign-in"})
    event = made.refresh(str(begun.refresh_token), WEB, by=by, client_metadata=METADATA).event
    assert event is not None
    assert event["request"].get("clientMetadata") == (METADATA if passed else None)


@pytest.mark.parametrize("metadata", [None, {}])
def test_without_metadata_the_event_has_no_such_member(metadata: dict[str, str] | None) -> None:
    assert "clientMetadata" not in sign_in_event("RespondToAuthChallenge", client_metadata=metadata)["request"]


def test_an_api_sign_in_has_the_admin_scope_and_no_other() -> None:
    assert sign_in_event("RespondToAuthChallenge")["request"]["scopes"] == [ADMIN_SCOPE]


def test_managed_login_has_the_requested_scopes_that_the_client_allows() -> None:
    event = sign_in_event("authorization_code", scopes=["orders/read", "orders/delete", "openid"])
    assert event["request"]["scopes"] == ["orders/read", "openid"]


def test_a_machine_has_custom_scopes_only() -> None:
    made = kit("V3_0")
    event = made.client_credentials(MACHINE, scopes=["openid", "orders/read", "orders/delete"]).event
    assert event is not None
    assert event["request"]["scopes"] == ["orders/read"]


def test_at_version_two_a_machine_gets_its_token_without_the_trigger() -> None:
    called: list[object] = []
    made = pool(lambda event, _context: called.append(event), lambda_version="V2_0")
    tokens = made.client_credentials(MACHINE, client_metadata=METADATA)
    assert called == []
    assert tokens.event is None
    assert set(tokens.access["scope"].split()) == {"orders/read", "orders/write"}


def test_members_that_aws_may_add_can_be_tried() -> None:
    def later(event: dict[str, Any]) -> None:
        event["request"]["groupConfiguration"]["preferredRole"] = []
        event["new"] = {"of": "tomorrow"}

    tokens = pool(echo, edit_event=later).sign_in(USER, WEB)
    assert tokens.event is not None
    assert tokens.event["new"] == {"of": "tomorrow"}
    assert tokens.id["cognito:groups"] == ["Staff", "Admins"]


def test_attributes_and_metadata_are_strings() -> None:
    made = pool()
    with pytest.raises(InvalidParameterException, match="email_verified"):
        made.add_user("eve", attributes={"email_verified": True})  # type: ignore[dict-item]
    with pytest.raises(InvalidParameterException, match="depth"):
        made.sign_in(USER, WEB, client_metadata={"depth": 1})  # type: ignore[dict-item]


def test_an_api_sign_in_cannot_request_scopes() -> None:
    with pytest.raises(InvalidParameterException, match="scopes"):
        pool().sign_in(USER, WEB, scopes=["openid"])
