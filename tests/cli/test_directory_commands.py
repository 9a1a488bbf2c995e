from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from claimsmith.store.dynamodb import Table
    from tests.cli.conftest import Ran

    Command = Callable[..., Ran]

pytestmark = pytest.mark.usefixtures("applied")


def test_granting_adds_roles_and_keeps_the_others(claimsmith: Command, rows: Table) -> None:
    claimsmith("members", "grant", "u1", "acme", "--role", "viewer")
    rows.update("USER#u1", "TENANT#acme", {"scopes": ["orders/read"]})
    done = claimsmith("members", "grant", "u1", "acme", "--role", "editor", "--json")
    assert done.data["roles"] == ["editor", "viewer"]
    row = rows.get("USER#u1", "TENANT#acme")
    assert row is not None
    assert row["scopes"] == ["orders/read"], "what somebody else wrote in the row stays"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("members", "grant", "u1", "acme", "--role", "edtor"), "Did you mean editor?"),
        (("members", "grant", "u1", "nowhere"), "There is no tenant nowhere"),
        (("members", "revoke", "u1", "acme"), "not a member of acme"),
        (("tenants", "suspend", "nowhere"), "There is no tenant nowhere"),
        (("tenants", "add", "Not An Id"), "The tenant id is not valid"),
        (("switch", "u1", "acme"), "no usable membership"),
    ],
)
def test_an_unknown_name_is_refused_with_a_message(
    claimsmith: Command, arguments: tuple[str, ...], message: str
) -> None:
    done = claimsmith(*arguments)
    assert done.code in (1, 2)
    assert message in " ".join(done.err.split())


def test_a_suspended_tenant_gives_no_claims_until_it_is_activated(claimsmith: Command) -> None:
    claimsmith("members", "grant", "u1", "acme", "--role", "editor")
    claimsmith("tenants", "suspend", "acme")
    assert "tenant_id" not in claimsmith("preview", "--user", "u1", "--json").data["access"]
    claimsmith("tenants", "activate", "acme")
    assert claimsmith("preview", "--user", "u1", "--json").data["access"]["tenant_id"] == "acme"


def test_a_switch_is_for_all_clients_or_for_one(claimsmith: Command) -> None:
    claimsmith("tenants", "add", "globex")
    for tenant in ("acme", "globex"):
        claimsmith("members", "grant", "u1", tenant)
    assert claimsmith("switch", "u1", "acme").code == 0
    assert claimsmith("switch", "u1", "globex", "--client", "web1").code == 0
    for client, tenant in (("web1", "globex"), ("other", "acme")):
        shown = claimsmith("preview", "--user", "u1", "--client", client, "--json").data
        assert shown["access"]["tenant_id"] == tenant


def test_a_revoked_membership_is_gone(claimsmith: Command, rows: Table) -> None:
    claimsmith("members", "grant", "u1", "acme")
    assert claimsmith("members", "revoke", "u1", "acme").code == 0
    assert rows.get("USER#u1", "TENANT#acme") is None


def test_the_members_of_a_tenant_are_listed_with_roles_and_whether_they_count(claimsmith: Command, rows: Table) -> None:
    claimsmith("tenants", "add", "acme-2")
    claimsmith("members", "grant", "u1", "acme", "--role", "editor")
    claimsmith("members", "grant", "u2", "acme-2", "--role", "editor")
    rows.put({"pk": "USER#u3", "sk": "TENANT#acme", "status": "on leave", "roles": ["editor"]})
    assert claimsmith("members", "list", "acme", "--json").data["members"] == [
        {"sub": "u1", "roles": ["editor"], "usable": True},
        {"sub": "u3", "roles": [], "usable": False},
    ]
    assert "u1" in claimsmith("members", "list", "acme").out


def test_preview_shows_claims_with_their_rows_and_why_not(claimsmith: Command) -> None:
    claimsmith("members", "grant", "u1", "acme", "--role", "editor")
    shown = claimsmith("preview", "--user", "u1", "--client", "web1", "--json").data
    assert shown["access"]["tier"] == "gold"
    assert shown["access"]["scope"] == "aws.cognito.signin.user.admin orders/read"
    reasons = {(reason["kind"], reason["name"], reason["outcome"]): reason for reason in shown["reasons"]}
    assert reasons["scope", "orders/read", "granted"]["source"] == "POLICY ROLE#viewer"
    dropped = reasons["scope", "orders/write", "dropped"]
    assert (dropped["source"], dropped["detail"]) == ("POLICY CLIENT#web1", "the client does not allow it")


def test_preview_shows_the_version_of_the_policy(claimsmith: Command) -> None:
    assert "Policy version 1." in claimsmith("preview", "--user", "u1").out


def test_preview_of_a_refused_sign_in_ends_with_one_and_the_code(claimsmith: Command) -> None:
    done = claimsmith("preview", "--user", "u1", "--tenant", "globex", "--json")
    assert done.code == 1
    assert done.data["refused"] == "CS2007"


def test_preview_of_a_machine_needs_no_user_and_has_no_id_token(claimsmith: Command) -> None:
    shown = claimsmith(
        "preview", "--source", "ClientCredentials", "--client", "web1", "--scope", "orders/read", "--json"
    )
    assert shown.data["id"] == {}
    assert "scope" not in shown.data["access"], "the client's row gives it no role"


def test_with_a_pool_a_user_is_given_by_name(claimsmith: Command, pool: tuple[str, str]) -> None:
    pool_id, sub = pool
    shown = claimsmith("preview", "--user", "alice", "--user-pool-id", pool_id, "--json").data
    assert shown["access"]["sub"] == sub
    assert shown["access"]["iss"].endswith(pool_id)
    unknown = claimsmith("preview", "--user", "nobody", "--user-pool-id", pool_id)
    assert unknown.code == 1
    assert "no such user" in unknown.err
