"""Calls of the deployed APIs, through API Gateway and the deployed authorizers.

What API Gateway makes of the authorizer's answer, here as at AWS: without an ``Authorization`` header both kinds of API
answer 401 by themselves; a simple answer of an HTTP API's authorizer has one word for no, 403; a REST API's authorizer
says 401 by raising ``Unauthorized`` and 403 by a policy that denies. A Lambda error ends the emulator's worker, so each
401 of the REST API makes the next call a cold one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from claimsmith.errors import Code
from tests.e2e.conftest import string_list, wait_until
from tests.e2e.forgeries import FORGERIES

if TYPE_CHECKING:
    from collections import Counter

    from demo.api import Api, Reply
    from demo.local_stack import LocalStack
    from tests.e2e.conftest import Person


@dataclass
class Protected:
    """An API and its authorizer.

    Attributes:
        unauthorized: what it answers where a token is no good.
    """

    stack: LocalStack
    api: Api
    authorizer: str
    unauthorized: int

    def get(self, path: str, token: str | None) -> Reply:
        return self.api.get(path, token)

    def refused(self, path: str, token: str) -> tuple[int, str]:
        """The status of a request that is refused, and the code that the authorizer logs."""
        logged = self._codes()
        reply = self.get(path, token)
        assert reply.status in {401, 403}, reply
        assert "sub" not in reply.body
        wait_until(self.stack, "the refusal is logged", lambda: self._codes() != logged)
        ((code, times),) = (self._codes() - logged).items()
        assert times == 1
        return reply.status, code

    def _codes(self) -> Counter[str]:
        return self.stack.codes(self.authorizer)


@pytest.fixture(params=["HTTP API", "REST API"])
def protected(request: pytest.FixtureRequest, stack: LocalStack) -> Protected:
    if request.param == "HTTP API":
        return Protected(stack, stack.http_api, stack.outputs["AuthorizerName"], 403)
    return Protected(stack, stack.rest_api, stack.outputs["RestAuthorizerName"], 401)


def test_a_good_token_passes_and_the_function_is_told_whose_it_is(
    protected: Protected, person: Person, tenant: str
) -> None:
    person.join(tenant, "editor")
    reply = protected.get("/orders", person.sign_in().access)
    scopes = reply.body.pop("scope")
    assert (reply.status, reply.body) == (
        200,
        {"tenant": None, "sub": person.sub, "tenant_id": tenant, "roles": ["editor", "viewer"]},
    )
    assert set(scopes) == {"aws.cognito.signin.user.admin", "orders/read", "orders/write"}


def test_a_token_opens_its_own_tenant_and_no_other_not_even_of_the_same_person(
    protected: Protected, person: Person, tenant: str, other_tenant: str
) -> None:
    person.join(tenant, "viewer")
    person.join(other_tenant, "editor")
    token = person.sign_in({"tenant_id": tenant}).access
    own = protected.get(f"/tenants/{tenant}/orders", token)
    assert (own.status, own.body["tenant"], own.body["tenant_id"]) == (200, tenant, tenant)
    for another in (other_tenant, "unknown", tenant.upper()):
        assert protected.refused(f"/tenants/{another}/orders", token) == (403, Code.WRONG_TENANT)


def test_a_token_without_a_tenant_opens_no_tenants_route(protected: Protected, person: Person, tenant: str) -> None:
    person.stack.pool.add_to_group(person.username, "Staff")
    token = person.sign_in().access
    assert protected.get("/orders", token).body["tenant_id"] is None
    assert protected.refused(f"/tenants/{tenant}/orders", token) == (403, Code.WRONG_TENANT)


def test_a_token_without_the_scope_is_refused(protected: Protected, person: Person) -> None:
    assert protected.refused("/orders", person.sign_in().access) == (403, Code.SCOPE_MISSING)


def test_a_machine_passes_with_the_scope_and_belongs_to_no_tenant(protected: Protected, tenant: str) -> None:
    machine = protected.stack.outputs["MachineClientId"]
    token = protected.stack.pool.machine_token(machine, ["orders/read"])
    reply = protected.get("/orders", token)
    assert (reply.status, reply.body["sub"], reply.body["tenant_id"]) == (200, machine, None)
    assert protected.refused(f"/tenants/{tenant}/orders", token) == (403, Code.WRONG_TENANT)


@pytest.mark.parametrize(
    ("protected", "forgery"),
    [
        *(("HTTP API", forgery) for forgery in FORGERIES),
        # What differs is the answer, not the check; so not each of them has to wait for a cold worker.
        ("REST API", "an ID token"),
        ("REST API", "unsigned"),
        ("REST API", "signed by another key"),
        ("REST API", "altered"),
        ("REST API", "expired"),
    ],
    indirect=["protected"],
)
def test_a_token_that_is_no_good_is_refused(protected: Protected, person: Person, tenant: str, forgery: str) -> None:
    person.join(tenant, "viewer")
    tokens = person.sign_in()
    make, code = FORGERIES[forgery]
    assert protected.refused("/orders", make(person, tokens)) == (protected.unauthorized, code)


def test_without_a_token_the_authorizer_is_not_even_asked(protected: Protected) -> None:
    asked = protected.stack.invocations(protected.authorizer)
    assert protected.get("/orders", None).status == 401
    assert protected.stack.invocations(protected.authorizer) == asked


@pytest.mark.parametrize("scheme", ["", "Basic ", "Bearer  two ", "BearerX "])
def test_a_token_that_is_not_presented_as_a_bearer_token_is_refused(
    stack: LocalStack, person: Person, tenant: str, scheme: str
) -> None:
    person.join(tenant, "viewer")
    token = person.sign_in().access
    reply = stack.http_api.send("GET", "/orders", {"Authorization": scheme + token})
    assert reply.status == 403
    assert stack.http_api.send("GET", "/orders", {"Authorization": f"bearer {token}"}).status == 200


def test_what_a_route_needs_is_a_row_that_an_edit_changes_at_once(
    edited_policy: LocalStack, protected: Protected, person: Person, tenant: str
) -> None:
    stack = edited_policy
    person.join(tenant, "viewer")
    token = person.sign_in().access
    assert protected.get("/orders", token).status == 200
    row, version = stack.get_item("POLICY", "ROUTE#orders") or {}, stack.policy_version()
    stack.put_item(row | {"any_scope": string_list(["orders/write"])})
    wait_until(stack, "a new version is in force", lambda: stack.policy_version() != version)
    assert protected.refused("/orders", token) == (403, Code.SCOPE_MISSING)


def test_a_route_without_a_row_is_open_to_nobody(
    edited_policy: LocalStack, protected: Protected, person: Person, tenant: str
) -> None:
    stack = edited_policy
    person.join(tenant, "editor")
    token = person.sign_in().access
    version = stack.policy_version()
    stack.delete_item("POLICY", "ROUTE#orders")
    wait_until(stack, "a new version is in force", lambda: stack.policy_version() != version)
    assert protected.refused("/orders", token) == (403, Code.ROUTE_NOT_FOUND)
    assert protected.get(f"/tenants/{tenant}/orders", token).status == 200
