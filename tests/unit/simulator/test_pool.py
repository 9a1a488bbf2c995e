"""``PolicyPool``: a policy file and a directory as plain data, and the tokens that come of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from claimsmith.errors import ConfigurationError, PolicyError
from claimsmith.simulator.pool import PolicyPool, SignInRefusedError
from claimsmith.testing import UserNotFoundException
from claimsmith.verifier import ANY, Requirement, VerificationError, Verifier
from tests.policies import NOW

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

POLICY = """\
settings: {unmanaged_scopes: [legacy/a]}
roles:
  viewer: {scopes: [orders/read]}
  editor: {inherits: [viewer], scopes: [orders/write]}
groups:
  Staff: {roles: [viewer]}
clients:
  "${WEB}": {name: web}
  nightly: {name: batch, roles: [viewer]}
rules:
  - id: plan
    when: {field: tenant.plan, op: in, value: [pro]}
    access_claims: {plan: {from: tenant.plan}}
"""


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    file = tmp_path / "policy.yaml"
    file.write_text(POLICY)
    return file


def made(policy: Path, **given: Any) -> PolicyPool:  # noqa: ANN401 - the arguments of PolicyPool
    """Ana is an editor of acme unless the test says otherwise."""
    given = {"tenants": {"acme": {"plan": "pro"}}, "members": {"ana": {"acme": ["editor"]}}, **given}
    return PolicyPool(policy, variables={"WEB": "web1"}, **given)


def scopes(access: Mapping[str, Any]) -> set[str]:
    return set(access.get("scope", "").split())


def test_a_sign_in_gets_what_policy_and_directory_give(policy: Path) -> None:
    tokens = made(policy).sign_in("ana", scopes=["openid", "orders/read", "legacy/a"])
    assert {name: tokens.access[name] for name in ("tenant_id", "roles", "plan", "client_id", "username")} == {
        "tenant_id": "acme",
        "roles": ["editor", "viewer"],
        "plan": "pro",
        "client_id": "web1",
        "username": "ana",
    }
    assert scopes(tokens.access) == {"openid", "orders/read", "legacy/a"}
    assert tokens.id["tenant_id"] == "acme"


def test_a_sign_in_by_api_requests_nothing_and_gets_all_that_is_granted(policy: Path) -> None:
    access = made(policy).sign_in("ana").access
    assert scopes(access) == {"aws.cognito.signin.user.admin", "orders/read", "orders/write"}


def test_a_verifier_of_the_pool_reads_its_tokens_by_the_names_of_the_policy(policy: Path) -> None:
    policy.write_text(POLICY.replace("settings: {", "settings: {claim_names: {tenant_id: org}, "))
    pool = made(policy)
    tokens = pool.sign_in("ana", scopes=["openid", "orders/read"])
    assert "tenant_id" not in tokens.access
    assert pool.verifier(require=Requirement(any_role=["editor"])).verify(tokens.access_token).tenant_id == "acme"
    assert pool.verifier(token_use="id").verify(str(tokens.id_token)).tenant_id == "acme"
    with pytest.raises(VerificationError, match="CS3038"):
        pool.verifier(require=Requirement(any_role=["owner"])).verify(tokens.access_token)
    pool.kit.rotate_keys(retire=True)
    assert pool.verifier().verify(pool.sign_in("ana").access_token).sub == pool.sub("ana")


def test_the_authorizer_answers_by_the_routes_of_the_policy(policy: Path) -> None:
    routes = """\
routes:
  - {id: read, method: GET, path: "/{tenant}/orders", any_scope: [orders/read], tenant_from: "path:tenant"}
  - {id: by-query, method: GET, path: /orders, any_scope: [orders/read], tenant_from: "query:tenant"}
  - {id: by-header, method: PUT, path: /orders, any_role: [editor], tenant_from: "header:X-Tenant"}
  - {id: internal, path: /internal, api: internal1, any_scope: [orders/read]}
"""
    policy.write_text(POLICY + routes)
    pool = made(policy, members={"ana": {"acme": ["editor"]}, "bob": {"acme": []}})
    ana, bob = pool.sign_in("ana"), pool.sign_in("bob")
    allowed = pool.authorize(ana, "GET", "/acme/orders")
    assert (allowed.code, allowed.response["isAuthorized"]) == (None, True)
    assert allowed.response["context"]["tenant_id"] == "acme"
    assert pool.authorize(ana, "GET", "/orders?tenant=acme").code is None
    assert pool.authorize(ana, "PUT", "/orders", headers={"X-Tenant": "acme"}).code is None
    assert pool.authorize(ana, "GET", "/internal", api="internal1").code is None
    refused = [
        pool.authorize(tokens, method, path).code
        for tokens, method, path in [
            (ana, "GET", "/globex/orders"),
            (bob, "GET", "/acme/orders"),
            (ana, "PUT", "/orders"),
            (ana, "DELETE", "/orders"),
            (ana, "GET", "/internal"),
            (None, "GET", "/acme/orders"),
        ]
    ]
    assert refused == ["CS3039", "CS3036", "CS3039", "CS3060", "CS3060", "CS3001"]


def test_keys_are_served_and_pools_of_other_ids_have_other_issuers_and_keys(policy: Path) -> None:
    pool, other = made(policy), made(policy, pool_id="eu-central-1_Other")
    with pool.serve() as keys:
        verifier = Verifier(
            issuers={pool.issuer: keys.jwks_uri}, client_ids=pool.client_ids, token_use="access", revocations=ANY
        )
        assert verifier.verify(pool.sign_in("ana").access_token).tenant_id == "acme"
        with pytest.raises(VerificationError, match="CS3010"):
            verifier.verify(other.sign_in("ana").access_token)


def test_users_have_attributes_groups_and_a_row(policy: Path) -> None:
    users = {
        "bob": {"groups": ["Staff"], "attributes": {"email": "bob@example.com"}, "claims": {"level": 1.0}, "sub": "b-1"}
    }
    tokens = made(policy, users=users).sign_in("bob")
    assert tokens.access["roles"] == ["viewer"]
    assert (tokens.id["email"], tokens.id["sub"], tokens.id["level"]) == ("bob@example.com", "b-1", 1)


def test_a_subject_is_the_same_in_every_run(policy: Path) -> None:
    assert made(policy).sub("ana") == made(policy).sign_in("ana").access["sub"]


def test_changed_data_is_in_the_next_token(policy: Path) -> None:
    pool = made(policy)
    tokens = pool.sign_in("ana")
    pool.tenants["acme"]["plan"] = "free"
    pool.members["ana"]["acme"] = ["viewer"]
    refreshed = pool.refresh(tokens).access
    assert ("plan" in refreshed, refreshed["roles"]) == (False, ["viewer"])
    pool.tenants["acme"]["status"] = "suspended"
    assert "tenant_id" not in pool.sign_in("ana").access
    pool.tenants["acme"]["status"] = "active"
    pool.users["ana"] = {"groups": ["Staff"]}
    del pool.members["ana"]["acme"]
    assert pool.sign_in("ana").access["cognito:groups"] == ["Staff"]
    del pool.users["ana"], pool.members["ana"]
    with pytest.raises(UserNotFoundException):
        pool.sign_in("ana")


def test_what_is_given_is_copied(policy: Path) -> None:
    tenants: dict[str, Any] = {"acme": {"plan": "pro", "claims": {"a": {"b": 1}}}}
    pool = made(policy, tenants=tenants)
    pool.tenants["acme"]["claims"]["a"]["b"] = 2
    pool.tenants["acme"]["plan"] = "free"
    assert tenants == {"acme": {"plan": "pro", "claims": {"a": {"b": 1}}}}


def test_a_tenant_is_chosen_where_cognito_passes_the_choice(policy: Path) -> None:
    pool = made(policy, tenants={"acme": {}, "globex": {}}, members={"ana": {"acme": [], "globex": ["viewer"]}})
    tokens = pool.sign_in("ana", tenant="globex")
    assert tokens.access["tenant_id"] == "globex"
    assert pool.refresh(tokens, tenant="acme").access["tenant_id"] == "acme"
    assert pool.sign_in("ana").id["tenants"] == {"acme": "acme", "globex": "globex"}
    with pytest.raises(ConfigurationError, match="authorization_code, so tenant= has no effect"):
        pool.sign_in("ana", tenant="globex", scopes=["openid"])


def test_a_refusal_has_its_code_and_the_row_that_it_came_from(policy: Path) -> None:
    pool = made(policy, users={"ana": {"status": "suspended"}})
    with pytest.raises(SignInRefusedError) as refused:
        pool.sign_in("ana")
    assert refused.value.code == "CS2009"
    assert refused.value.__notes__ == [f"USER#{pool.sub('ana')} USER: the user is not active"]
    pool.users["ana"]["status"] = "active"
    tokens = pool.sign_in("ana")
    with pytest.raises(SignInRefusedError, match="CS2007"):
        pool.refresh(tokens, tenant="globex")


def test_a_membership_ends_by_the_clock_of_the_test(policy: Path) -> None:
    now = [float(NOW)]
    members = {"ana": {"acme": {"roles": ["editor"], "expires_at": NOW + 60}}}
    pool = made(policy, members=members, clock=lambda: now[0])
    assert pool.sign_in("ana").access["tenant_id"] == "acme"
    now[0] += 60
    assert "tenant_id" not in pool.sign_in("ana").access


def test_a_client_of_the_policy_with_roles_is_a_machine(policy: Path) -> None:
    pool = made(policy)
    access = pool.client_credentials(scopes=["orders/read", "orders/write"]).access
    assert (access["client_id"], scopes(access)) == ("nightly", {"orders/read"})
    pool.clients["stranger"] = {"flows": ["client_credentials"]}
    assert scopes(pool.client_credentials("stranger").access) == {"legacy/a"}, "no row, no managed scope"
    with pytest.raises(ConfigurationError, match="several app clients for machines"):
        pool.client_credentials()


def test_a_client_is_named_by_id_or_by_its_name_in_the_policy(policy: Path) -> None:
    pool = made(policy, clients={"spa": {"scopes": ["openid"]}})
    assert pool.sign_in("ana", client="web").access["client_id"] == "web1"
    assert scopes(pool.sign_in("ana", client="spa", scopes=["openid", "orders/read"]).access) == {"openid"}
    with pytest.raises(ConfigurationError, match="several app clients for users"):
        pool.sign_in("ana")
    with pytest.raises(ConfigurationError, match=r"wbe is no app client. Use one of these ids: nightly, web1, spa"):
        pool.sign_in("ana", client="wbe")


def test_a_policy_without_clients_has_one_all_the_same(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text("settings: {default_roles: [reader]}\nroles: {reader: {scopes: [orders/read]}}\n")
    pool = PolicyPool(file, users={"ana": {}})
    assert scopes(pool.sign_in("ana", scopes=["orders/read"]).access) == {"orders/read"}
    with pytest.raises(ConfigurationError, match="no app client for machines"):
        pool.client_credentials()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"tenants": {"acme": {"plann": "pro"}}}, r"tenants\['acme'\]: there is no attribute plann. Did you mean plan"),
        ({"tenants": {"acme": {"plan": 1}}}, r"tenants\['acme'\]: plan is not a string"),
        ({"tenants": {"AC ME": {}}}, r"tenants\['AC ME'\]: a tenant id must match"),
        ({"tenants": {"acme": {"default_roles": ["editr"]}}}, r"the policy has no role editr. Did you mean editor"),
        ({"tenants": {"acme": {"claims": {"a": {1, "b"}}}}}, r"tenants\['acme'\]: an empty or mixed set"),
        ({"tenants": ["acme"]}, "tenants must be a map"),
        ({"tenants": {"acme": None}}, r"tenants\['acme'\] must be a map"),
        ({"members": {"ana": {"acmee": []}}}, r"members\['ana'\]\['acmee'\]: there is no tenant acmee. Did you mean"),
        ({"members": {"ana": ["acme"]}}, r"members\['ana'\] must be a map of tenant ids"),
        ({"members": {"ana": {"acme": "editor"}}}, "must be a list of roles"),
        ({"members": {"ana": {"acme": {"expires_at": 5}}}}, r"members\['ana'\]\['acme'\]: expires_at is not a time"),
        ({"users": {"ana": {"group": ["Staff"]}}}, r"users\['ana'\]: there is no attribute group. Did you mean groups"),
        ({"users": {"ana": {"roles": "viewer"}}}, r"users\['ana'\]: roles is not a list"),
        ({"users": {"ana": {"sub": "a b"}}}, r"users\['ana'\]: sub is not one that Cognito makes"),
        ({"users": {"ana": {"claims": {"n": 10**40}}}}, r"users\['ana'\]: claims: DynamoDB stores at most 38 digits"),
        ({"clients": {"web1": {"scope": []}}}, r"clients\['web1'\]: there is no attribute scope. Did you mean scopes"),
    ],
)
def test_data_that_the_trigger_would_not_understand_is_refused(
    policy: Path, given: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        made(policy, **given)


def test_data_is_checked_whenever_it_is_used(policy: Path) -> None:
    pool = made(policy)
    pool.members["ana"]["acme"] = ["editr"]
    with pytest.raises(ConfigurationError, match="no role editr"):
        pool.sign_in("ana")


def test_a_red_policy_is_refused_as_apply_refuses_it_its_tests_too(policy: Path) -> None:
    policy.write_text(POLICY + "tests:\n  - {name: nobody, given: {}, expect: {scopes: [orders/read]}}\n")
    with pytest.raises(PolicyError) as refused:
        made(policy)
    [note] = refused.value.__notes__
    assert note == (f'{policy}:15: expect.scopes: nobody: expected ["orders/read"], got [] [CS1026]')
