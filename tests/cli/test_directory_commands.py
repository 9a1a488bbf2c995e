from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from claimsmith.engine.facts import read_user

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from claimsmith.store.dynamodb import Table
    from tests.cli.conftest import Ran

    Command = Callable[..., Ran]

#: A time that has passed, in epoch seconds.
NOW = 1_700_000_000

pytestmark = pytest.mark.usefixtures("applied")


def test_granting_adds_roles_and_keeps_the_others(claimsmith: Command, rows: Table) -> None:
    claimsmith("members", "grant", "u1", "acme", "--role", "viewer")
    rows.update("USER#u1", "TENANT#acme", {"scopes": ["orders/read"]})
    done = claimsmith("members", "grant", "u1", "acme", "--role", "editor", "--json")
    assert done.data["roles"] == ["editor", "viewer"]
    row = rows.get("USER#u1", "TENANT#acme")
    assert row is not None
    assert row["scopes"] == ["orders/read"], "what somebody else wrote in the row stays"


REFUSED = (
    (("members", "grant", "alice@example.com", "acme"), "add --user-pool-id"),
    (("members", "grant", "u1#TENANT", "acme"), "not a sub"),
    (("members", "grant", "", "acme"), "not a sub"),
    (("members", "grant", "u1", "acme", "--role", "edtor"), "Did you mean editor?"),
    (("members", "grant", "u1", "nowhere"), "There is no tenant nowhere"),
    (("members", "revoke", "u1", "acme"), "not a member of acme"),
    (("tenants", "suspend", "nowhere"), "There is no tenant nowhere"),
    (("tenants", "add", "Not An Id"), "The tenant id is not valid"),
    (("switch", "u1", "acme"), "no usable membership"),
    (("tenants", "show", "nowhere"), "There is no tenant nowhere"),
    (("tenants", "set", "nowhere", "plan=pro"), "There is no tenant nowhere"),
    (("tenants", "set", "acme"), "Nothing to change"),
    (("tenants", "set", "acme", "plan"), "not of the form NAME=VALUE"),
    (("tenants", "set", "acme", "roles_alowed=viewer"), "Did you mean roles_allowed?"),
    (("tenants", "set", "acme", "status=active"), "tenants suspend"),
    (("tenants", "set", "acme", "default_roles=edtor"), "Did you mean editor?"),
    (("tenants", "set", "acme", "scopes_allowed=a b"), "is not a scope"),
    (("tenants", "set", "acme", "claims.tenant_id=globex"), "only Claimsmith sets this claim"),
    (("tenants", "set", "acme", "claims.sub=u2"), "Cognito alone sets this claim"),
    (("tenants", "set", "acme", "id_claims.address:={}"), "no array and no object"),
    (("tenants", "set", "acme", f"plan={'x' * 500_000}"), "500,004 of them in plan"),
    (("tenants", "set", "acme", "claims.seats:=many"), "takes JSON"),
    (("tenants", "set", "acme", "claims.seats:=NaN"), "takes JSON"),
    (("members", "grant", "u1", "acme", "--scope", "admin/users"), "Only the policy grants"),
    (("members", "grant", "u1", "acme", "--scope", "claimsmith/introspect"), "Only the policy grants"),
    (("members", "grant", "u1", "acme", "--until", "2020-01-31"), "in the past"),
    (("members", "grant", "u1", "acme", "--until", "soon"), "This is not a time"),
    (("members", "show", "u1", "acme"), "not a member of acme"),
    (("members", "export", "nowhere"), "There is no tenant nowhere"),
    (("users", "show", "u1"), "no rows of this user"),
    (("users", "suspend", "u1"), "no rows of this user"),
)


def test_what_is_unknown_or_not_valid_is_refused_with_a_message(claimsmith: Command) -> None:
    for arguments, message in REFUSED:
        done = claimsmith(*arguments)
        assert done.code in (1, 2), arguments
        assert message in " ".join(done.err.split()), arguments


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


def test_a_revoked_member_is_not_admitted_just_in_time_again(
    claimsmith: Command, rows: Table, policy_file: Path
) -> None:
    provider = "identity_providers: {AcmeSAML: {tenants: [acme], just_in_time: true}}\n"
    policy_file.write_text(policy_file.read_text() + provider)
    assert claimsmith("apply", str(policy_file), "--var", "WEB=web1", "--no-plan").code == 0
    claimsmith("members", "grant", "u1", "acme")
    for user in ("u1", "never-seen"):
        assert claimsmith("members", "revoke", user, "acme").code == 0
        row = rows.get(f"USER#{user}", "TENANT#acme")
        assert row is not None
        assert row["status"] == "revoked"
        facts = read_user([row], 1_800_000_000)
        assert not facts.memberships
        assert facts.barred == {"acme"}
    assert claimsmith("members", "grant", "u1", "acme").code == 0
    noted = claimsmith("who-can", "orders/read").err
    assert "who has never signed in by AcmeSAML cannot be listed, and will be a member of acme" in noted


def test_a_tenant_that_differs_only_by_case_is_refused(claimsmith: Command) -> None:
    done = claimsmith("tenants", "add", "ACME")
    assert done.code == 1
    assert "There is a tenant acme, which differs only by case" in done.err
    assert claimsmith("tenants", "add", "Org_9RCj:EU").code == 0


def test_the_members_of_a_tenant_are_listed_with_roles_and_whether_they_count(claimsmith: Command, rows: Table) -> None:
    claimsmith("tenants", "add", "acme-2")
    claimsmith("members", "grant", "u1", "acme", "--role", "editor")
    claimsmith("members", "grant", "u2", "acme-2", "--role", "editor")
    rows.put({"pk": "USER#u3", "sk": "TENANT#acme", "status": "on leave", "roles": ["editor"]})
    rows.put({"pk": "USER#u4", "sk": "TENANT#acme", "roles": "editor"})
    assert claimsmith("members", "list", "acme", "--json").data["members"] == [
        {
            "sub": sub,
            "roles": roles,
            "scopes": [],
            "status": status,
            "expires_at": None,
            "usable": why_not is None,
            "why_not": why_not,
        }
        for sub, roles, status, why_not in (
            ("u1", ["editor"], "active", None),
            ("u3", ["editor"], "on leave", "its status is not active"),
            ("u4", "editor", "active", "roles is not a list or set of strings"),
        )
    ]
    assert "no: its status is not active" in claimsmith("members", "list", "acme").out


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


def test_a_tenant_is_set_attribute_by_attribute(claimsmith: Command, rows: Table) -> None:
    rows.update("TENANT#acme", "TENANT", {"claims": {"region": "eu", "old": 1}, "noted": "by hand"})
    done = claimsmith(
        *("tenants", "set", "acme", "name=Acme & Sons", "roles_allowed=viewer, editor", "claims.seats:=25"),
        *("claims.note=1=1", "id_claims.https://x.example/y=z", "--unset", "plan", "--unset", "claims.old", "--json"),
    )
    assert done.code == 0, done.err
    row = rows.get("TENANT#acme", "TENANT")
    assert row is not None
    assert row.pop("updated_by").startswith("cli")
    assert done.data.pop("updated_at") == row.pop("updated_at")
    assert row == {
        "pk": "TENANT#acme",
        "sk": "TENANT",
        "name": "Acme & Sons",
        "roles_allowed": ["viewer", "editor"],
        "claims": {"region": "eu", "seats": 25, "note": "1=1"},
        "id_claims": {"https://x.example/y": "z"},
        "noted": "by hand",
    }


def test_a_limit_that_allows_nothing_is_pointed_out_and_one_that_is_unset_is_gone(
    claimsmith: Command, rows: Table
) -> None:
    done = claimsmith("tenants", "set", "acme", "roles_allowed=", "scopes_allowed=orders/raed", "--json").data
    assert done["warnings"] == [
        "No role and no rule of the policy grants orders/raed. Did you mean orders/read?",
        "roles_allowed is empty: it allows no roles. To lift the limit, use --unset roles_allowed.",
    ]
    assert done["roles_allowed"] == []
    claimsmith("tenants", "set", "acme", "--unset", "roles_allowed", "--unset", "scopes_allowed")
    row = rows.get("TENANT#acme", "TENANT")
    assert row is not None
    assert not {"roles_allowed", "scopes_allowed"} & row.keys()


def test_a_row_that_would_stay_unreadable_is_refused_and_one_that_becomes_readable_is_written(
    claimsmith: Command, rows: Table
) -> None:
    rows.update("TENANT#acme", "TENANT", {"plan": 5, "claims": "x"})
    assert "plan is not a string" in claimsmith("tenants", "set", "acme", "--unset", "claims").err
    assert "--unset claims" in claimsmith("tenants", "set", "acme", "claims.a=b").err
    assert claimsmith("tenants", "set", "acme", "--unset", "claims", "plan=pro").code == 0


def test_tenants_are_listed_a_line_each(claimsmith: Command, rows: Table) -> None:
    claimsmith("tenants", "add", "globex", "--name", "Globex")
    claimsmith("tenants", "suspend", "globex")
    rows.put({"pk": "TENANT#broken", "sk": "TENANT", "plan": 5})
    listed = [json.loads(line) for line in claimsmith("tenants", "list", "--json").out.splitlines()]
    assert listed == [
        {"tenant": "acme", "name": "Acme", "status": "active", "plan": "pro", "usable": True, "why_not": None},
        {
            "tenant": "broken",
            "name": None,
            "status": "active",
            "plan": 5,
            "usable": False,
            "why_not": "plan is not a string",
        },
        {
            "tenant": "globex",
            "name": "Globex",
            "status": "suspended",
            "plan": None,
            "usable": False,
            "why_not": "its status is not active",
        },
    ]
    shown = claimsmith("tenants", "list").out.splitlines()
    assert [line.split() for line in shown] == [
        ["tenant", "status", "plan", "name"],
        ["acme", "active", "pro", "Acme"],
        ["broken", "plan", "is", "not", "a", "string", "5"],
        ["globex", "suspended", "Globex"],
    ]


def test_a_tenant_is_shown_with_how_many_members_it_has(claimsmith: Command, rows: Table) -> None:
    claimsmith("members", "grant", "u1", "acme")
    rows.put({"pk": "USER#u2", "sk": "TENANT#acme", "status": "suspended"})
    rows.update(
        "TENANT#acme", "TENANT", {"default_roles": frozenset({"viewer"}), "updated_by": "me", "updated_at": NOW}
    )
    assert claimsmith("tenants", "show", "acme", "--json").data == {
        "tenant": "acme",
        "name": "Acme",
        "status": "active",
        "plan": "pro",
        "default_roles": ["viewer"],
        "roles_allowed": None,
        "scopes_allowed": None,
        "updated_by": "me",
        "updated_at": NOW,
        "usable": True,
        "why_not": None,
        "members": {"total": 2, "usable": 1},
    }
    shown = " ".join(claimsmith("tenants", "show", "acme").out.split())
    assert "2, 1 of them usable" in shown
    assert "no limit" in shown


def test_a_day_is_part_of_the_membership_that_ends_with_it(claimsmith: Command, rows: Table) -> None:
    done = claimsmith("members", "grant", "u1", "acme", "--until", "2127-01-31")
    assert "until 2127-02-01T00:00:00Z" in " ".join(done.out.split())
    assert _membership(rows, "u1")["expires_at"] == 4957113600
    claimsmith("members", "grant", "u1", "acme", "--role", "viewer")
    assert _membership(rows, "u1")["expires_at"] == 4957113600, "without --until, the end stays"
    claimsmith("members", "grant", "u1", "acme", "--until", "never")
    assert "expires_at" not in _membership(rows, "u1")


def test_a_grant_that_does_not_count_says_so(claimsmith: Command, rows: Table) -> None:
    rows.put({"pk": "USER#u1", "sk": "TENANT#acme", "expires_at": NOW})
    done = claimsmith("members", "grant", "u1", "acme", "--role", "viewer", "--scope", "orders/read", "--json")
    assert done.data == {
        "user": "u1",
        "tenant": "acme",
        "roles": ["viewer"],
        "scopes": ["orders/read"],
        "expires_at": NOW,
        "usable": False,
        "why_not": "it has expired",
    }


@pytest.mark.parametrize("gone", [{"status": "revoked"}, {"ttl": NOW}])
def test_a_membership_that_counts_as_deleted_gives_nothing_to_a_new_one(
    claimsmith: Command, rows: Table, gone: dict[str, Any]
) -> None:
    rows.put({"pk": "USER#u1", "sk": "TENANT#acme", "roles": ["editor"], "scopes": ["orders/write"], **gone})
    claimsmith("members", "grant", "u1", "acme", "--role", "viewer")
    row = _membership(rows, "u1")
    assert row.keys() == {"pk", "sk", "roles", "updated_by", "updated_at"}
    assert row["roles"] == ["viewer"]


def test_a_user_is_shown_with_each_membership_and_why_it_does_not_count(claimsmith: Command, rows: Table) -> None:
    claimsmith("tenants", "add", "asleep")
    claimsmith("tenants", "suspend", "asleep")
    rows.put({"pk": "USER#u1", "sk": "USER", "roles": ["viewer"], "active_tenant": "acme", "status": "suspended"})
    for tenant, attributes in (
        ("acme", {"roles": ["editor"]}),
        ("asleep", {}),
        ("nowhere", {}),
        ("globex", {"ttl": NOW}),
    ):
        rows.put({"pk": "USER#u1", "sk": f"TENANT#{tenant}", **attributes})
    shown = claimsmith("users", "show", "u1", "--json").data
    assert {one["tenant"]: one["why_not"] for one in shown.pop("memberships")} == {
        "acme": None,
        "asleep": "the tenant does not count: its status is not active",
        "nowhere": "there is no tenant nowhere",
        "globex": "its ttl has passed",
    }
    assert shown == {
        "sub": "u1",
        "status": "suspended",
        "roles": ["viewer"],
        "active_tenant": "acme",
        "active_tenant_by_client": {},
        "usable": False,
        "why_not": "its status is not active",
        "pool": None,
    }
    text = " ".join(claimsmith("users", "show", "u1").out.split())
    assert "no: its status is not active" in text
    assert "there is no tenant nowhere" in text


def test_what_a_membership_has_is_shown_in_full(claimsmith: Command, rows: Table) -> None:
    rows.put({"pk": "USER#u1", "sk": "TENANT#acme", "claims": {"desk": "a"}, "description": "for the audit"})
    assert claimsmith("members", "show", "u1", "acme", "--json").data == {
        "sub": "u1",
        "tenant": "acme",
        "roles": [],
        "scopes": [],
        "status": "active",
        "expires_at": None,
        "usable": True,
        "why_not": None,
        "claims": {"desk": "a"},
        "description": "for the audit",
    }
    assert "for the audit" in claimsmith("members", "show", "u1", "acme").out


def test_users_are_listed_with_their_tenants_a_line_each(claimsmith: Command, rows: Table) -> None:
    claimsmith("tenants", "add", "globex")
    for user, tenant in (("u2", "acme"), ("u1", "globex"), ("u1", "acme")):
        claimsmith("members", "grant", user, tenant)
    rows.put({"pk": "USER#u3", "sk": "USER", "username": "carol", "status": "suspended", "roles": ["viewer"]})
    listed = [json.loads(line) for line in claimsmith("users", "list", "--json").out.splitlines()]
    assert [(one["sub"], one["tenants"]) for one in listed] == [
        ("u1", ["acme", "globex"]),
        ("u2", ["acme"]),
        ("u3", []),
    ]
    assert listed[2] == {
        "sub": "u3",
        "username": "carol",
        "status": "suspended",
        "usable": False,
        "why_not": "its status is not active",
        "roles": ["viewer"],
        "tenants": [],
    }
    assert claimsmith("users", "list").out.splitlines()[1].split() == ["u1", "active", "acme", "globex"]


def test_a_suspended_user_is_refused_until_they_are_activated(claimsmith: Command, rows: Table) -> None:
    claimsmith("members", "grant", "u1", "acme")
    assert "claimsmith revoke user u1" in " ".join(claimsmith("users", "suspend", "u1").out.split())
    assert claimsmith("preview", "--user", "u1", "--json").data["refused"] == "CS2009"
    assert claimsmith("users", "activate", "u1", "--json").data == {"user": "u1", "sub": "u1", "status": "active"}
    assert claimsmith("preview", "--user", "u1").code == 0
    rows.put({"pk": "USER#u1", "sk": "USER", "roles": ["editor"], "ttl": NOW})
    claimsmith("users", "suspend", "u1")
    row = rows.get("USER#u1", "USER")
    assert row is not None
    assert row.keys() == {"pk", "sk", "status", "updated_by", "updated_at"}, "what counts as deleted stays so"


def test_with_a_pool_a_user_without_rows_is_found_by_address(claimsmith: Command, pool: tuple[str, str]) -> None:
    pool_id, sub = pool
    with_pool = ("--user-pool-id", pool_id, "--json")
    boto3.client("cognito-idp").admin_update_user_attributes(
        UserPoolId=pool_id,
        Username="alice",
        UserAttributes=[{"Name": "email", "Value": "a@example.com"}, {"Name": "email_verified", "Value": "true"}],
    )
    shown = claimsmith("users", "show", "a@example.com", *with_pool).data
    assert (shown["sub"], shown["memberships"]) == (sub, [])
    assert shown["pool"] == {
        "username": "alice",
        "email": "a@example.com",
        "email_verified": True,
        "enabled": True,
        "user_status": "FORCE_CHANGE_PASSWORD",
        "groups": [],
    }
    assert claimsmith("users", "suspend", "a@example.com", *with_pool).data["sub"] == sub
    assert claimsmith("members", "grant", "b@example.com", "acme", *with_pool).code == 1
    claimsmith("members", "grant", "left-the-pool", "acme")
    assert claimsmith("users", "show", "left-the-pool", *with_pool).data["pool"] is None
    assert claimsmith("users", "show", "nobody", *with_pool).data["error"]["code"] == "CS4004"


def _membership(rows: Table, sub: str) -> dict[str, Any]:
    row = rows.get(f"USER#{sub}", "TENANT#acme")
    assert row is not None
    return row


def test_a_user_who_was_deleted_from_the_pool_is_reached_by_sub(claimsmith: Command, pool: tuple[str, str]) -> None:
    shared = ("--user-pool-id", pool[0])
    assert claimsmith("members", "grant", "u-gone", "acme", "--role", "editor").code == 0
    assert "editor" in claimsmith(*shared, "members", "show", "u-gone", "acme").out
    revoked = claimsmith(*shared, "revoke", "user", "u-gone", "--json")
    assert (revoked.code, revoked.data["signed_out"]) == (0, False)
    assert claimsmith(*shared, "members", "revoke", "u-gone", "acme").code == 0
    assert claimsmith(*shared, "members", "show", "u-gone", "acme").code == 1
