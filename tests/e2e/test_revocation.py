"""What is revoked ends: at both authorizers, at introspection and for the command; and nothing else ends.

At once, but clients and tenants, which verifiers remember for a few seconds.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from claimsmith.verifier.revocation import SHARED_KINDS
from tests.e2e import managed_login
from tests.e2e.conftest import SHARED_SECONDS

if TYPE_CHECKING:
    from demo.local_stack import LocalStack
    from tests.e2e.conftest import Person

#: Kind, and the claim that a token is revoked by.
CLAIMS = {"session": "origin_jti", "token": "jti", "user": "sub", "client": "client_id", "tenant": "tenant_id"}


def is_good(stack: LocalStack, credentials: str, token: str) -> bool:
    """What everybody who checks tokens says of one; they must agree."""
    said = {
        "HTTP API": {200: True, 403: False}[stack.http_api.get("/orders", token).status],
        "REST API": {200: True, 401: False}[stack.rest_api.get("/orders", token).status],
        "introspection": stack.http_api.introspect(token, credentials).body["active"],
    }
    assert len(set(said.values())) == 1, said
    return said == dict.fromkeys(said, True)


def revoke(stack: LocalStack, kind: str, identifier: str) -> int:
    """Revoke.

    Returns:
        When, in epoch seconds.
    """
    answer = stack.cli("revoke", kind, identifier, "--reason", "a test")
    assert answer.code == 0, answer.data
    row = stack.get_item(f"REVOKED#{kind}#{identifier}", "REVOKED")
    assert row is not None
    return int(row["revoked_at"]["N"])


def wait_out(revoked_at: int) -> None:
    """Tokens count whole seconds: one of the second of the revocation may be of before it, and is refused."""
    while time.time() < revoked_at + 1:
        time.sleep(0.05)


def forgotten(kind: str) -> None:
    """Wait until no verifier remembers that nothing of this kind was revoked."""
    if kind in SHARED_KINDS:
        time.sleep(SHARED_SECONDS)


@pytest.mark.parametrize("kind", CLAIMS)
def test_a_revocation_is_seen_by_everybody_who_checks_tokens(
    stack: LocalStack, caller: str, person: Person, tenant: str, kind: str
) -> None:
    person.join(tenant, "viewer")
    token = person.sign_in().access
    claims = stack.pool.verified(token)
    assert is_good(stack, caller, token)
    revoked_at = revoke(stack, kind, claims[CLAIMS[kind]])
    forgotten(kind)
    assert not is_good(stack, caller, token)
    verified = stack.cli("verify", "-", given=token)
    assert (verified.code, verified.data["error"]["code"]) == (1, "CS3050")
    wait_out(revoked_at)
    assert is_good(stack, caller, person.sign_in().access), "a sign-in after it"


def test_a_revoked_session_is_not_brought_back_by_its_refresh_token_and_another_one_goes_on(
    stack: LocalStack, caller: str, person: Person, tenant: str
) -> None:
    person.join(tenant, "viewer")
    lost, kept = person.sign_in(), person.sign_in()
    revoke(stack, "session", stack.pool.verified(lost.access)["origin_jti"])
    assert not is_good(stack, caller, stack.pool.refresh(stack.public_client, lost).access)
    assert is_good(stack, caller, kept.access)


def test_a_revoked_token_does_not_take_its_session_along(
    stack: LocalStack, caller: str, person: Person, tenant: str
) -> None:
    person.join(tenant, "viewer")
    tokens = person.sign_in()
    revoke(stack, "token", stack.pool.verified(tokens.access)["jti"])
    assert is_good(stack, caller, stack.pool.refresh(stack.public_client, tokens).access)


def test_a_revoked_user_is_signed_out_in_the_pool_too(stack: LocalStack, person: Person, tenant: str) -> None:
    person.join(tenant, "viewer")
    tokens = person.sign_in()
    answer = stack.cli("revoke", "user", person.username)
    assert answer.data == {"kind": "user", "id": person.sub, "signed_out": True}
    with pytest.raises(ClientError) as refused:
        stack.pool.refresh(stack.public_client, tokens)
    assert refused.value.response["Error"]["Code"] in {"NotAuthorizedException", "RefreshTokenReuseException"}


def test_a_revoked_client_or_tenant_ends_no_token_of_another(
    stack: LocalStack, caller: str, person: Person, tenant: str, other_tenant: str
) -> None:
    person.join(tenant, "viewer")
    person.join(other_tenant, "viewer")
    scopes = ["openid", "orders/read"]
    browser = stack.outputs["CodeClientId"]
    assert stack.cli("switch", person.username, other_tenant).code == 0
    elsewhere = managed_login.sign_in(person, browser, scopes)
    of_client = revoke(stack, "client", stack.public_client)
    of_tenant = revoke(stack, "tenant", tenant)
    assert is_good(stack, caller, elsewhere)
    wait_out(max(of_client, of_tenant))


def test_a_revocation_of_before_a_sign_in_does_not_concern_it(
    stack: LocalStack, caller: str, person: Person, tenant: str
) -> None:
    person.join(tenant, "viewer")
    wait_out(revoke(stack, "user", person.sub))
    assert is_good(stack, caller, person.sign_in().access)


def test_a_suspended_tenant_is_in_no_new_token_and_its_revocation_ends_the_old_ones(
    stack: LocalStack, caller: str, person: Person, tenant: str
) -> None:
    person.join(tenant, "viewer")
    before = person.sign_in()
    own = f"/tenants/{tenant}/orders"
    assert stack.http_api.get(own, before.access).status == 200
    assert stack.cli("tenants", "suspend", tenant).code == 0
    after = stack.pool.refresh(stack.public_client, before)
    assert "tenant_id" not in stack.pool.verified(after.access)
    for api in (stack.http_api, stack.rest_api):
        assert api.get(own, after.access).status == 403
        assert api.get("/orders", after.access).status == 403, "the tenant's roles are gone, and their scopes with them"
    assert stack.http_api.get(own, before.access).status == 200, "a token stays what it is until it expires"
    revoked_at = revoke(stack, "tenant", tenant)
    forgotten("tenant")
    assert not is_good(stack, caller, before.access)
    wait_out(revoked_at)
