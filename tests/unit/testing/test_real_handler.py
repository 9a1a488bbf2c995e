"""Claimsmith's own trigger through the kit: every source, with a policy published to a table, breaks no rule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from claimsmith.policy import from_rows
from claimsmith.service.issue import Issuer
from claimsmith.service.publish import apply
from claimsmith.testing import MACHINES, REFRESHES, SIGN_INS, CognitoKit, UserLambdaValidationException
from tests.policies import membership_row, policy_rows, tenant_row, user_row
from tests.unit.testing.handlers import ADMIN_SCOPE, MACHINE, NOW, SUB, USER, WEB, scopes

if TYPE_CHECKING:
    from claimsmith.store.dynamodb import Table

POLICY = policy_rows(
    settings={"scope_mode": "intersect"},
    roles={
        "viewer": {"scopes": ["orders/read"]},
        "editor": {"inherits": ["viewer"], "scopes": ["orders/write"], "access_claims": {"limits": {"orders": 7}}},
    },
    groups={"Staff": {"roles": ["viewer"]}},
    clients={WEB: {"name": "web", "audience": True}, MACHINE: {"name": "batch", "roles": ["viewer"]}},
)


@pytest.fixture
def kit(rows: Table) -> CognitoKit:
    """A pool whose trigger is Claimsmith, deciding by a table with a policy, a tenant and a member."""
    apply(rows, from_rows(POLICY), by="test", clock=lambda: NOW)
    rows.put(tenant_row("acme", name="Acme"))
    rows.put(user_row(SUB))
    rows.put(membership_row(SUB, "acme", roles=["editor"]))
    issuer = Issuer(rows, "deny", clock=lambda: NOW)

    def trigger(event: dict[str, Any], _context: object) -> dict[str, Any]:
        return issuer.issue(event).event

    made = CognitoKit(trigger, lambda_version="V3_0", clock=lambda: NOW)
    made.add_user(USER, sub=SUB, attributes={"email": "ada@example.com"}, groups=["Staff"], iam_roles=["arn:x"])
    flows = ["code", "ALLOW_USER_SRP_AUTH", "ALLOW_USER_PASSWORD_AUTH", "ALLOW_ADMIN_USER_PASSWORD_AUTH"]
    user_flows = [*flows, "ALLOW_REFRESH_TOKEN_AUTH"]
    made.add_client(WEB, scopes=["openid", "orders/read", "billing/read"], flows=user_flows)
    made.add_client(MACHINE, secret="invented", scopes=["orders/read", "orders/write"], flows=["client_credentials"])
    return made


@pytest.mark.parametrize("by", SIGN_INS)
def test_every_sign_in_is_enriched(kit: CognitoKit, by: str) -> None:
    tokens = kit.sign_in(USER, WEB, by=by)
    assert tokens.access["tenant_id"] == "acme"
    assert tokens.access["roles"] == ["editor", "viewer"]
    assert tokens.access["limits"] == {"orders": 7}
    # Managed login binds tokens to resources and does not say so: there, aud is Cognito's alone.
    assert tokens.access.get("aud") == (None if by == "authorization_code" else WEB)
    assert tokens.id["tenant_name"] == "Acme"
    assert tokens.id["cognito:groups"] == ["Staff"], "the groups and roles stay as they are"
    assert tokens.id["cognito:roles"] == ["arn:x"]


@pytest.mark.parametrize("by", REFRESHES)
def test_every_refresh_is_enriched(kit: CognitoKit, by: str) -> None:
    begun = kit.sign_in(USER, WEB)
    assert kit.refresh(str(begun.refresh_token), WEB, by=by).access["tenant_id"] == "acme"


@pytest.mark.parametrize("scopes", [None, ["openid"], ["orders/read"], [ADMIN_SCOPE]])
@pytest.mark.parametrize("by", REFRESHES)
def test_a_token_that_is_bound_to_a_resource_stays_bound(kit: CognitoKit, by: str, scopes: list[str] | None) -> None:
    """A server that a client asks for a token may choose the scopes that the client requests (RFC 9728)."""
    resource = "https://mcp.example.com"
    web = kit.clients[WEB]
    kit.add_client(WEB, scopes=[*web.scopes, ADMIN_SCOPE], flows=web.flows)
    begun = kit.sign_in(USER, WEB, by="authorization_code", scopes=scopes, resource=resource)
    refreshed = kit.refresh(str(begun.refresh_token), WEB, by=by)
    assert (begun.access["aud"], refreshed.access["aud"]) == (resource, resource)


@pytest.mark.parametrize("by", MACHINES)
def test_every_machine_gets_the_grants_of_its_row(kit: CognitoKit, by: str) -> None:
    assert scopes(kit.client_credentials(MACHINE, by=by)) == {"orders/read"}


def test_an_api_sign_in_gets_all_granted_scopes_and_managed_login_those_it_requested(kit: CognitoKit) -> None:
    assert scopes(kit.sign_in(USER, WEB)) == {ADMIN_SCOPE, "orders/read", "orders/write"}
    login = kit.sign_in(USER, WEB, by="authorization_code", scopes=["openid", "orders/read", "billing/read"])
    assert scopes(login) == {"openid", "orders/read"}


def test_a_tenant_hint_counts_where_cognito_passes_it_and_nowhere_else(kit: CognitoKit) -> None:
    foreign = {"tenant_id": "globex"}
    assert kit.sign_in(USER, WEB, by="InitiateAuth", client_metadata=foreign).access["tenant_id"] == "acme"
    with pytest.raises(UserLambdaValidationException, match=r"not available to you\. \[CS2007\]\."):
        kit.sign_in(USER, WEB, client_metadata=foreign)


def test_a_refusal_reaches_the_user_as_a_sentence_and_a_code(kit: CognitoKit, rows: Table) -> None:
    rows.put(user_row(SUB, status="suspended"))
    with pytest.raises(UserLambdaValidationException) as caught:
        kit.sign_in(USER, WEB)
    assert caught.value.message == "PreTokenGeneration failed with error This account is suspended. [CS2009]."


def test_unknown_members_of_an_event_change_nothing(rows: Table, kit: CognitoKit) -> None:
    def tomorrow(event: dict[str, Any]) -> None:
        event["new"] = {"member": True}
        event["request"]["new"] = [1]
        event["request"]["groupConfiguration"]["preferredRole"] = ["arn:x"]
        event["response"] = {"claimsAndScopeOverrideDetails": []}

    other = CognitoKit(kit.trigger, lambda_version="V3_0", clock=lambda: NOW, edit_event=tomorrow)
    other.users, other.clients = kit.users, kit.clients
    assert other.sign_in(USER, WEB).access["tenant_id"] == "acme"
    assert rows.get("TENANT#acme", "TENANT") is not None


def test_an_unknown_source_is_refused_with_a_code(kit: CognitoKit) -> None:
    def derived(event: dict[str, Any]) -> None:
        event["triggerSource"] = "TokenGeneration_DerivedToken"

    other = CognitoKit(kit.trigger, clock=lambda: NOW, edit_event=derived)
    other.users, other.clients = kit.users, kit.clients
    with pytest.raises(UserLambdaValidationException, match="CS2006"):
        other.sign_in(USER, WEB)
