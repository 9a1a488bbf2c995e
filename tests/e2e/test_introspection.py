"""The deployed introspection endpoint (RFC 7662), through API Gateway."""

from __future__ import annotations

import secrets
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from demo.api import FORM, basic
from tests.e2e import managed_login
from tests.e2e.forgeries import FORGERIES

if TYPE_CHECKING:
    from demo.api import Reply
    from demo.local_stack import LocalStack
    from tests.e2e.conftest import Person

INACTIVE = {"active": False}


@pytest.fixture
def token(person: Person, tenant: str) -> str:
    """An active access token of a member of ``tenant``."""
    person.join(tenant, "viewer")
    return person.sign_in().access


def is_unauthorized(reply: Reply, challenge: str) -> bool:
    """A 401 that says how to authenticate and nothing of the token."""
    return (
        reply.status == 401
        and reply.headers["www-authenticate"].startswith(challenge)
        and reply.headers["cache-control"] == "no-store"
        and reply.body.keys() == {"error"}
    )


def test_an_active_token_is_reported_with_its_tenant_and_its_roles(
    stack: LocalStack, caller: str, person: Person, tenant: str, token: str
) -> None:
    reply = stack.http_api.introspect(token, caller)
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    assert reply.headers["cache-control"] == "no-store"
    claims = stack.pool.verified(token)
    copied = {name: claims[name] for name in ("client_id", "scope", "exp", "iat", "sub", "iss", "jti", "username")}
    assert reply.body == {
        "active": True,
        "token_type": "Bearer",
        "tenant_id": tenant,
        "roles": ["viewer"],
        "stale": False,
        "username": person.username,
        **copied,
    }


@pytest.mark.parametrize("forgery", ["an ID token", "of another pool", "expired"])
def test_nothing_is_reported_about_an_invalid_token(
    stack: LocalStack, caller: str, person: Person, token: str, forgery: str
) -> None:
    make, _code = FORGERIES[forgery]
    assert stack.http_api.introspect(token, caller).body["active"] is True
    reply = stack.http_api.introspect(make(person, person.sign_in()), caller)
    assert (reply.status, reply.body) == (200, INACTIVE)


def test_a_caller_learns_nothing_of_other_tenants_and_clients(
    stack: LocalStack, person: Person, tenant: str, other_tenant: str, token: str
) -> None:
    name = f"service-{secrets.token_hex(4)}"
    added = stack.cli("resources", "add", name, "--client", stack.public_client, "--tenant", tenant)
    credentials = basic(name, added.data["secret"])
    assert stack.http_api.introspect(token, credentials).body["active"] is True
    person.join(other_tenant, "viewer")
    elsewhere = person.sign_in({"tenant_id": other_tenant}).access
    nowhere = person.sign_in().access
    assert stack.cli("switch", person.username, tenant).code == 0
    by_browser = managed_login.sign_in(person, stack.outputs["CodeClientId"], ["openid", "orders/read"])
    assert stack.pool.verified(by_browser)["tenant_id"] == tenant
    for another in (elsewhere, nowhere, by_browser):
        assert stack.pool.verified(another)["sub"] == person.sub
        assert stack.http_api.introspect(another, credentials).body == INACTIVE


def test_a_token_goes_stale_when_a_role_or_the_tenant_is_taken_back(
    stack: LocalStack, caller: str, person: Person, tenant: str
) -> None:
    person.join(tenant, "editor")
    old = person.sign_in().access

    def status(token: str) -> tuple[bool, bool]:
        body = stack.http_api.introspect(token, caller).body
        return body["active"], body["stale"]

    assert status(old) == (True, False)
    person.join(tenant, "viewer")
    new = person.sign_in().access
    assert (status(old), status(new)) == ((True, True), (True, False))
    assert stack.cli("tenants", "suspend", tenant).code == 0
    assert status(new) == (True, True)


def test_a_machines_token_that_the_trigger_has_not_seen_is_not_called_stale(stack: LocalStack, caller: str) -> None:
    """Its scopes are Cognito's doing, not the policy's."""
    token = stack.pool.machine_token(stack.outputs["MachineClientId"], ["orders/read"])
    assert stack.http_api.introspect(token, caller).body["stale"] is False


def test_a_machine_authenticates_by_its_own_token_if_it_has_the_scope_and_a_row(stack: LocalStack, token: str) -> None:
    machine = stack.outputs["MachineClientId"]
    own = stack.pool.machine_token(machine, ["claimsmith/introspect"])
    unscoped = stack.pool.machine_token(machine, ["orders/read"])
    assert is_unauthorized(stack.http_api.introspect(token, f"Bearer {own}"), "Bearer ")
    assert stack.cli("resources", "add", machine, "--client", "*", "--tenant", "*").code == 0
    try:
        assert stack.http_api.introspect(token, f"Bearer {own}").body["active"] is True
        assert is_unauthorized(stack.http_api.introspect(token, f"Bearer {unscoped}"), "Bearer ")
    finally:
        assert stack.cli("resources", "remove", machine).code == 0
    assert is_unauthorized(stack.http_api.introspect(token, f"Bearer {own}"), "Bearer ")


@pytest.mark.parametrize("authorization", [basic("nobody", "a guess"), ""])
def test_an_unauthenticated_caller_gets_a_challenge(stack: LocalStack, token: str, authorization: str) -> None:
    assert is_unauthorized(stack.http_api.introspect(token, authorization), "Basic ")


def test_a_secret_is_kept_nowhere_and_a_wrong_one_is_refused(stack: LocalStack, token: str) -> None:
    name = f"service-{secrets.token_hex(4)}"
    secret = stack.cli("resources", "add", name, "--client", "*", "--tenant", "*").data["secret"]
    assert stack.http_api.introspect(token, basic(name, secret)).status == 200
    for wrong in (secret[:-1], secret + "x", secret.swapcase(), "", sha256(secret.encode()).hexdigest()):
        assert is_unauthorized(stack.http_api.introspect(token, basic(name, wrong)), "Basic ")
    kept = str([*stack.rows(stack.table), *stack.rows(stack.audit_table)])
    assert name in kept
    assert secret not in kept


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("application/json", '{{"token": "{token}"}}', 415),
        (FORM, "token={token}&token={token}", 400),
        (FORM, "token=" + 32_768 * "x", 413),
    ],
)
def test_a_request_that_is_no_introspection_request_is_refused(
    stack: LocalStack, caller: str, token: str, content_type: str, body: str, status: int
) -> None:
    headers = {"Authorization": caller, "Content-Type": content_type}
    reply = stack.http_api.send("POST", "/introspect", headers, body.format(token=token).encode())
    assert (reply.status, reply.body) == (status, {"error": "invalid_request"})
    assert reply.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_other_methods_have_no_route_and_do_not_reach_the_function(
    stack: LocalStack, caller: str, token: str, method: str
) -> None:
    """The function itself answers 405, to a route that would let them through."""
    asked = stack.invocations(stack.outputs["IntrospectionName"])
    reply = stack.http_api.send(method, f"/introspect?token={token}", {"Authorization": caller})
    assert reply.status == 404
    assert stack.invocations(stack.outputs["IntrospectionName"]) == asked
