"""What ``explain`` says of one thing that is missing, case by case. That it is true, ``tests/property`` shows."""

from __future__ import annotations

from typing import Any

import pytest

from claimsmith.engine import parse_event
from claimsmith.engine.explanation import PolicyVersion, Situation, Target, explain_absence, items
from claimsmith.policy import compile as compile_policy
from claimsmith.policy import from_rows
from tests.events import CLIENT, HOSTED, MACHINE, SIGN_IN, SUB, event
from tests.policies import NOW, VERSION, membership_row, policy_rows, tenant_row, user_row

POLICY: dict[str, Any] = {
    "settings": {
        "privileged_scopes": ["admin/*"],
        "unmanaged_scopes": ["legacy/*"],
        "groups_from": {"attributes": ["custom:groups"], "suppress_admin_scope": True},
    },
    "roles": {
        "viewer": {"scopes": ["orders/read"]},
        "editor": {"scopes": ["orders/write"], "inherits": ["viewer"], "claims": {"tier": "gold"}},
        "owner": {"scopes": ["admin/all"], "inherits": ["editor"]},
    },
    "groups": {"Staff": {"roles": ["viewer"]}},
    "identity_providers": {
        "AcmeSAML": {"tenants": ["acme"], "just_in_time": True, "prefix": "app-", "roles": {"chiefs": ["owner"]}}
    },
    "clients": {"quiet": {"suppress_scopes": ["orders/read"]}, "pinned": {"tenant": "acme"}},
    "rules": {
        "plan": {
            "order": 10,
            "when": {
                "all": [{"field": "tenant.plan", "op": "in", "value": ["pro"]}, {"field": "roles", "op": "exists"}]
            },
            "claims": {"plan": {"from": "tenant.plan"}},
            "add_scopes": ["reports/read"],
        },
        "desk": {"order": 20, "access_claims": {"desk": {"template": "{user.claims.desk}@{client.name}"}}},
        "mute": {
            "order": 30,
            "when": {"field": "tenant.claims.mute", "op": "equals", "value": True},
            "suppress_access_claims": ["tier"],
        },
        "long": {"order": 40, "optional": True, "id_claims": {"long": "x" * 6_000}},
    },
}  # fmt: skip

EDITOR = membership_row(SUB, "acme", roles=["editor"])
ACME = tenant_row("acme", plan="free")
ACME_KEY, EDITOR_KEY, USER_KEY = "TENANT#acme TENANT", f"USER#{SUB} TENANT#acme", f"USER#{SUB} USER"


#: A user of the provider, as the pool has one.
FEDERATED = {
    "cognito:user_status": "EXTERNAL_PROVIDER",
    "identities": '[{"providerName": "AcmeSAML", "primary": true}]',
    "custom:groups": "[app-staff, other]",
}


def situation(*rows: dict[str, Any], **sent: Any) -> Situation:  # noqa: ANN401 - passed on to event
    request = parse_event(event(**{"source": SIGN_IN, **sent}))
    return Situation(
        PolicyVersion(compile_policy(from_rows(policy_rows(**POLICY))), VERSION),
        {row["sk"]: row for row in rows if row["pk"].startswith("USER#")},
        {row["pk"].removeprefix("TENANT#"): row for row in rows if row["sk"] == "TENANT"},
        request,
        NOW,
    )


CASES: list[tuple[Situation, Target, tuple[Any, ...], str]] = [
    (
        situation(EDITOR, tenant_row("acme", roles_allowed=["viewer"])),
        Target("scope", "orders/write"),
        (ACME_KEY, "roles_allowed", "add", "editor"),
        "role editor grants it; the tenant's roles_allowed leaves editor out",
    ),
    (
        situation({**EDITOR, "expires_at": NOW - 1}, ACME),
        Target("role", "viewer"),
        (EDITOR_KEY, "expires_at", "delete", None),
        "the membership of acme has it; the user's membership of acme has expired",
    ),
    (
        situation({**EDITOR, "roles": "editor"}, ACME),
        Target("claim", "tenant_id", "access"),
        (EDITOR_KEY, "roles", "delete", None),
        "the row cannot be read: roles is not a list or set of strings",
    ),
    (
        situation(EDITOR, ACME, membership_row(SUB, "globex"), tenant_row("globex")),
        Target("role", "editor"),
        (USER_KEY, "active_tenant", "set", "acme"),
        "the membership of acme has it; acme is not chosen",
    ),
    (
        situation(EDITOR, ACME),
        Target("scope", "reports/read"),
        (ACME_KEY, "plan", "set", "pro"),
        'rule plan grants it; tenant.plan in ["pro"] is false',
    ),
    (
        situation(EDITOR, ACME, user_row(SUB, status="suspended")),
        Target("token"),
        (USER_KEY, "status", "set", "active"),
        "the user is not active",
    ),
    (
        situation(ACME, client_id="pinned", metadata={"tenant_id": "acme"}),
        Target("token"),
        (EDITOR_KEY, "", "create", None),
        "the client is pinned to acme; the user's membership of acme does not exist",
    ),
    (
        situation(EDITOR, ACME, client_id="pinned", metadata={"tenant_id": "globex"}),
        Target("token"),
        ("request", "metadata", "delete", None),
        "client metadata asks for globex",
    ),
    (
        situation(EDITOR, ACME, source=HOSTED, scopes=["openid"]),
        Target("scope", "orders/write"),
        ("request", "scopes", "add", "orders/write"),
        "role editor grants it; the request does not ask for it",
    ),
    (
        situation(EDITOR, ACME, client_id="quiet"),
        Target("scope", "orders/read"),
        ("POLICY CLIENT#quiet", "suppress_scopes", "remove", "orders/read"),
        "client quiet has it in suppress_scopes",
    ),
    (
        situation({**EDITOR, "scopes": ["admin/all"]}, ACME),
        Target("scope", "admin/all"),
        (EDITOR_KEY, "roles", "add", "owner"),
        "role owner grants it; the membership of acme does not have role owner",
    ),
    (
        situation(EDITOR, tenant_row("acme", claims={"mute": True})),
        Target("claim", "tier", "access"),
        ("POLICY RULE#mute", "suppress_access_claims", "remove", "tier"),
        "rule mute has it in suppress_access_claims",
    ),
    (
        situation(user_row(SUB, claims={"desk": "d1"}), client_id="quiet"),
        Target("claim", "desk", "access"),
        ("POLICY CLIENT#quiet", "name", "set", "any"),
        "rule desk sets it; client.name is not there",
    ),
    (
        situation(EDITOR, ACME),
        Target("claim", "long", "id"),
        ("POLICY SETTINGS", "token_budget", "set", 9_216),
        "it is left out, because the id token would be longer than token_budget",
    ),
    (
        situation(EDITOR, ACME),
        Target("scope", "legacy/a"),
        ("request", "scopes", "add", "legacy/a"),
        "a sign-in by API cannot ask for scopes, a managed login can",
    ),
    (
        situation(),
        Target("group", "Staff"),
        ("request", "groups", "add", "Staff"),
        "the user is not in this group of the pool",
    ),
    (
        situation(source=HOSTED, scopes=["legacy/a"]),
        Target("claim", "sub", "id"),
        ("request", "scopes", "add", "openid"),
        "there is no ID token, because the request does not ask for openid",
    ),
    (
        situation(source=MACHINE, client_id=CLIENT, scopes=["orders/read"]),
        Target("scope", "orders/read"),
        (f"POLICY CLIENT#{CLIENT}", "roles", "add", "viewer"),
        "role viewer grants it; the client does not have role viewer",
    ),
    (
        situation(ACME, source=HOSTED, attributes=FEDERATED),
        Target("role", "editor"),
        ("request", "attributes", "add", "app-chiefs"),
        "the provider's group app-chiefs gives it, and custom:groups does not name the group",
    ),
    (
        situation(EDITOR, ACME, source=HOSTED, attributes=FEDERATED),
        Target("role", "owner"),
        (EDITOR_KEY, "roles", "add", "owner"),
        "the membership of acme does not have role owner",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("given", "target", "change", "why"), CASES, ids=[why for *_, why in CASES])
def test_one_change_that_would_do(given: Situation, target: Target, change: tuple[Any, ...], why: str) -> None:
    [step] = explain_absence(given, target).steps
    assert (*step[:4], step.why) == (*change, why)


def test_where_one_change_is_not_enough_the_first_obstacle_comes_first() -> None:
    given = situation({**EDITOR, "status": "suspended"}, tenant_row("acme", scopes_allowed=[]))
    steps = explain_absence(given, Target("scope", "orders/write")).steps
    assert [(step.row, step.attribute) for step in steps] == [(EDITOR_KEY, "status"), (ACME_KEY, "scopes_allowed")]


def test_a_rule_is_said_to_do_without_its_condition_only_where_nothing_else_helps() -> None:
    steps = explain_absence(situation(), Target("scope", "reports/read")).steps
    assert [(step.row, step.attribute, step.action) for step in steps] == [("POLICY RULE#plan", "when", "delete")]
    assert steps[0].why == 'rule plan grants it; its condition is false (tenant.plan in ["pro"])'


def test_a_role_by_a_group_of_the_pool_goes_back_to_the_pool() -> None:
    [viewer] = [item for item in items(situation(groups=["Staff"])) if item.kind == "role"]
    assert [link.row for link in viewer.chain] == ["POLICY ROLE#viewer", "POLICY GROUP#Staff", "request"]
