"""Resource binding (RFC 8707): ``aud`` of an access token names the resource that the authorization request named."""

from __future__ import annotations

import pytest

from claimsmith.testing import (
    SIGN_INS,
    ContractViolation,
    InvalidParameterException,
    Rule,
    TokenEndpointError,
)
from tests.unit.testing.handlers import USER, WEB, access, answering, pool

MCP = "https://api.example.com/mcp"
OWN = access(claimsToAddOrOverride={"aud": WEB})


def test_managed_login_binds_the_access_token_and_a_refresh_keeps_it_bound() -> None:
    kit = pool()
    begun = kit.sign_in(USER, WEB, by="authorization_code", resource=MCP)
    assert (begun.access["aud"], begun.access["client_id"], begun.id["aud"]) == (MCP, WEB, WEB)
    for by in ("GetTokensFromRefreshToken", "REFRESH_TOKEN_AUTH", "refresh_token"):
        assert kit.refresh(str(begun.refresh_token), WEB, by=by).access["aud"] == MCP
    assert "aud" not in kit.sign_in(USER, WEB, by="authorization_code").access


def test_the_event_does_not_contain_the_resource() -> None:
    kit = pool(lambda event, _context: event)
    bound, free = (kit.sign_in(USER, WEB, by="authorization_code", resource=resource) for resource in (MCP, None))
    assert bound.event == free.event
    assert bound.access["aud"] == MCP


@pytest.mark.parametrize("by", sorted(SIGN_INS.keys() - {"authorization_code"}))
def test_an_api_sign_in_takes_no_resource(by: str) -> None:
    kit = pool()
    kit.add_client(WEB, flows=["ALLOW_USER_SRP_AUTH", "ALLOW_USER_PASSWORD_AUTH", "ALLOW_ADMIN_USER_PASSWORD_AUTH"])
    with pytest.raises(InvalidParameterException, match="resource"):
        kit.sign_in(USER, WEB, by=by, resource=MCP)


@pytest.mark.parametrize("resource", ["", "api.example.com", "/mcp", MCP + "#part", "https://a b", "https:"])
def test_a_resource_is_an_absolute_uri_without_a_fragment(resource: str) -> None:
    with pytest.raises(TokenEndpointError) as caught:
        pool().sign_in(USER, WEB, by="authorization_code", resource=resource)
    assert caught.value.code == "invalid_target"


def test_setting_aud_in_a_bound_token_is_not_documented() -> None:
    with pytest.raises(ContractViolation) as caught:
        pool(OWN).sign_in(USER, WEB, by="authorization_code", resource=MCP)
    assert caught.value.rules == {Rule.BOUND_AUDIENCE}
    dropped = pool(OWN, on_violation="drop").sign_in(USER, WEB, by="authorization_code", resource=MCP)
    assert (dropped.access["aud"], [violation.rule for violation in dropped.violations]) == (MCP, [Rule.BOUND_AUDIENCE])


def test_a_bound_aud_can_be_echoed_but_not_changed_and_not_suppressed() -> None:
    echo = access(claimsToAddOrOverride={"aud": MCP})
    assert pool(echo).sign_in(USER, WEB, by="authorization_code", resource=MCP).access["aud"] == MCP
    for other in (
        access(claimsToAddOrOverride={"aud": MCP + "/"}),
        answering(accessTokenGeneration={"claimsToSuppress": ["aud"]}),
    ):
        with pytest.raises(ContractViolation):
            pool(other).sign_in(USER, WEB, by="authorization_code", resource=MCP)
    with pytest.raises(ContractViolation):
        pool(echo).sign_in(USER, WEB, by="authorization_code")
