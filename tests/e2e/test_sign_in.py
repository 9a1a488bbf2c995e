"""Real sign-ins at the deployed pool; what is asserted on are verified tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from claimsmith.cognito.tokens import UNPREDICTABLE
from tests.e2e import managed_login

if TYPE_CHECKING:
    from demo.local_stack import LocalStack
    from tests.e2e.conftest import Person


def test_without_a_policy_nobody_signs_in(refused_without_policy: str) -> None:
    assert "Sign-in is not possible right now. [CS2002]" in refused_without_policy


def test_a_sign_in_by_srp_carries_the_tenant_and_the_roles_in_both_tokens(person: Person, tenant: str) -> None:
    person.join(tenant, "editor")
    access, identity = person.claims(person.sign_in())
    assert (access["token_use"], identity["token_use"]) == ("access", "id")
    assert access["sub"] == identity["sub"] == person.sub
    assert access["tenant_id"] == identity["tenant_id"] == tenant
    assert access["roles"] == identity["roles"] == ["editor", "viewer"]
    assert identity["tenant_name"] == "Acme Ltd"
    assert "tenant_name" not in access
    assert access["approval_limit"] == 1000


def test_managed_login_gets_of_what_it_asked_for_only_what_was_granted(
    stack: LocalStack, person: Person, tenant: str
) -> None:
    person.join(tenant, "viewer")
    token = managed_login.sign_in(person, stack.outputs["CodeClientId"], ["openid", "orders/read", "orders/write"])
    access = stack.pool.verified(token)
    assert set(access["scope"].split()) == {"openid", "orders/read"}
    assert access["tenant_id"] == tenant


def test_a_member_of_two_tenants_who_has_not_chosen_is_offered_both(
    person: Person, tenant: str, other_tenant: str
) -> None:
    person.join(tenant, "editor")
    person.join(other_tenant, "viewer")
    access, identity = person.claims(person.sign_in())
    assert "tenant_id" not in access
    assert access["scope"] == "aws.cognito.signin.user.admin"
    assert identity["tenants"] == {tenant: "Acme Ltd", other_tenant: "Globex Corp"}


def test_a_tenant_hint_binds_the_token_it_was_sent_for(person: Person, tenant: str, other_tenant: str) -> None:
    person.join(tenant, "editor")
    person.join(other_tenant, "viewer")
    hinted, _ = person.claims(person.sign_in({"tenant_id": other_tenant}))
    assert (hinted["tenant_id"], hinted["roles"]) == (other_tenant, ["viewer"])
    unhinted, _ = person.claims(person.sign_in())
    assert "tenant_id" not in unhinted


def test_a_hint_at_a_tenant_of_others_is_refused(person: Person, tenant: str, other_tenant: str) -> None:
    person.join(tenant, "editor")
    assert "[CS2007]" in person.refused({"tenant_id": other_tenant})


def test_a_suspended_tenant_gives_no_tenant_no_roles_and_no_scopes(
    stack: LocalStack, person: Person, tenant: str
) -> None:
    person.join(tenant, "editor")
    tokens = person.sign_in()
    assert stack.cli("tenants", "suspend", tenant).code == 0
    access, identity = person.claims(stack.pool.refresh(stack.public_client, tokens))
    assert not {"tenant_id", "tenant_name", "roles", "approval_limit"} & {*access, *identity}
    assert access["scope"] == "aws.cognito.signin.user.admin"


def test_a_stored_choice_of_tenant_changes_the_next_refresh(
    stack: LocalStack, person: Person, tenant: str, other_tenant: str
) -> None:
    person.join(tenant, "editor")
    person.join(other_tenant, "viewer")
    assert stack.cli("switch", person.username, tenant).code == 0
    tokens = person.sign_in()
    first, _ = person.claims(tokens)
    assert stack.cli("switch", person.username, other_tenant).code == 0
    second, _ = person.claims(stack.pool.refresh(stack.public_client, tokens))
    assert (first["tenant_id"], second["tenant_id"]) == (tenant, other_tenant)
    assert "orders/write" in first["scope"].split()
    assert "orders/write" not in second["scope"].split()
    assert second["origin_jti"] == first["origin_jti"], "the same session"


def test_a_role_granted_on_the_command_line_is_in_the_next_token(
    stack: LocalStack, person: Person, tenant: str
) -> None:
    assert stack.cli("members", "grant", person.username, tenant, "--role", "viewer").code == 0
    granted, _ = person.claims(person.sign_in())
    assert stack.cli("members", "revoke", person.username, tenant).code == 0
    revoked, _ = person.claims(person.sign_in())
    assert (granted["roles"], revoked.get("roles")) == (["viewer"], None)


@pytest.mark.parametrize("source", ["Authentication", "RefreshTokens"])
def test_preview_shows_what_is_issued(stack: LocalStack, person: Person, tenant: str, source: str) -> None:
    stack.pool.add_to_group(person.username, "Staff")
    person.join(tenant, "editor")
    tokens = person.sign_in()
    if source == "RefreshTokens":
        tokens = stack.pool.refresh(stack.public_client, tokens)
    shown = stack.cli("preview", "--user", person.username, "--client", stack.public_client, "--source", source).data
    for previewed, issued in zip((shown["access"], shown["id"]), person.claims(tokens), strict=True):
        known = {name: value for name, value in issued.items() if name not in UNPREDICTABLE}
        assert set(previewed.pop("scope", "").split()) == set(known.pop("scope", "").split())
        assert previewed == known


def test_a_wrong_password_is_refused_before_the_trigger(stack: LocalStack, person: Person) -> None:
    calls = stack.invocations(stack.outputs["TriggerName"])
    with pytest.raises(ClientError) as refused:
        stack.pool.sign_in(stack.public_client, person.username, "not the password")
    assert refused.value.response["Error"]["Code"] == "NotAuthorizedException"
    assert stack.invocations(stack.outputs["TriggerName"]) == calls


def test_at_event_version_2_a_machine_gets_what_it_asked_for_and_the_trigger_is_not_asked(stack: LocalStack) -> None:
    calls = stack.invocations(stack.outputs["TriggerName"])
    access = stack.pool.verified(stack.pool.machine_token(stack.outputs["MachineClientId"], ["orders/read"]))
    assert access["scope"] == "orders/read"
    assert not {"tenant_id", "roles", "policy_version"} & access.keys()
    assert stack.invocations(stack.outputs["TriggerName"]) == calls


def test_the_pool_is_the_same_after_the_trigger_was_off_and_on(stack: LocalStack, person: Person, tenant: str) -> None:
    person.join(tenant, "viewer")
    before = stack.pool.settings()
    with stack.pool.without_trigger():
        plain, _ = person.claims(person.sign_in())
    assert stack.pool.settings() == before
    enriched, _ = person.claims(person.sign_in())
    assert "tenant_id" not in plain
    assert enriched["tenant_id"] == tenant
