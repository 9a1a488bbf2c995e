"""Every reason in full: what it is about, what became of it, which row says so, in which words, in order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from claimsmith.cognito.event import parse
from claimsmith.engine import Reason
from claimsmith.engine.decide import degraded
from claimsmith.errors import Code
from tests.events import CLIENT, HOSTED, MACHINE, SIGN_IN, SUB, event
from tests.policies import bundle, decided, facts, membership_row, refused, tenant_row, unlinted, user_row

if TYPE_CHECKING:
    from claimsmith.engine import Decision, Refusal

USER_ROW = f"USER#{SUB} USER"
IN_ACME = f"USER#{SUB} TENANT#acme"
ACME_ROW = "TENANT#acme TENANT"
CLIENT_ROW = f"POLICY CLIENT#{CLIENT}"
SETTINGS = "POLICY SETTINGS"

ACME, GLOBEX = tenant_row("acme", name="Acme"), tenant_row("globex")
MEMBERS = (membership_row(SUB, "acme"), membership_row(SUB, "globex"))
PINNED = bundle(clients={CLIENT: {"tenant": "acme"}})


def reasons(outcome: Decision | Refusal, kind: str, token: str = "") -> list[Reason]:
    """The reasons of one kind, in their order; for claims those of one token."""
    return [why for why in outcome.reasons if why.kind == kind and token in {"", why.token}]


# Tenants.


@pytest.mark.parametrize(
    ("policy", "rows", "hint", "reason"),
    [
        (bundle(), (ACME, MEMBERS[0]), None, ("acme", "set", IN_ACME, "the only usable membership")),
        (PINNED, (ACME, MEMBERS[0]), None, ("acme", "set", CLIENT_ROW, "the client is pinned to it")),
        (bundle(), (ACME, MEMBERS[0]), "acme", ("acme", "set", "request", "client metadata asks for it")),
        (
            bundle(),
            (ACME, GLOBEX, *MEMBERS, user_row(SUB, active_tenant="acme")),
            None,
            ("acme", "set", USER_ROW, "the user's stored choice"),
        ),
        (bundle(), (), None, ("", "dropped", SETTINGS, "no tenant can be chosen")),
    ],
    ids=["sole", "pinned", "hint", "stored", "none"],
)
def test_a_tenant_that_is_chosen_or_not(policy: Any, rows: Any, hint: str | None, reason: tuple[str, ...]) -> None:  # noqa: ANN401 - rows of a table
    asked = event(SIGN_IN, metadata={"tenant_id": hint} if hint else None)
    assert reasons(decided(policy, facts(*rows), asked), "tenant") == [Reason("tenant", *reason)]


@pytest.mark.parametrize(
    ("policy", "rows", "hint", "reason"),
    [
        (PINNED, (ACME,), None, (CLIENT_ROW, "the client is pinned to it")),
        (PINNED, (ACME, *MEMBERS), "globex", (CLIENT_ROW, "the hint contradicts the client's tenant")),
        (bundle(), (ACME,), "acme", ("request", "client metadata asks for it")),
        (bundle(settings={"no_tenant": "deny"}), (), None, (SETTINGS, "no tenant can be chosen")),
        (bundle(), (user_row(SUB, status="suspended"),), None, (USER_ROW, "the user is not active")),
        (bundle(), (user_row(SUB, roles=7),), None, (USER_ROW, "the row cannot be read")),
    ],
    ids=["pinned", "contradiction", "hint", "none", "suspended", "unreadable"],
)
def test_a_tenant_that_is_refused(policy: Any, rows: Any, hint: str | None, reason: tuple[str, ...]) -> None:  # noqa: ANN401 - rows of a table
    asked = event(SIGN_IN, metadata={"tenant_id": hint} if hint else None)
    refusal = refused(policy, facts(*rows), asked)
    assert list(refusal.reasons) == [Reason("tenant", "", "refused", *reason)]


def test_problems_of_the_rows_are_in_a_decision_and_in_every_refusal() -> None:
    broken = tenant_row("acme", roles_allowed="all")
    odd = membership_row(SUB, "globex", roles=7)
    expected = [(f"USER#{SUB} TENANT#globex", "roles"), (ACME_ROW, "roles_allowed")]
    known = facts(broken, odd)
    outcomes: list[Decision | Refusal] = [
        decided(bundle(), known, event()),
        refused(PINNED, known, event()),
        refused(bundle(), facts(broken, odd, user_row(SUB, status="suspended")), event()),
    ]
    for outcome in outcomes:
        assert [(problem.row, problem.attribute) for problem in outcome.problems] == expected


def test_a_refusal_at_the_end_keeps_the_reasons_and_the_problems_until_then() -> None:
    policy = bundle(roles={"editor": {"scopes": ["orders/read"]}})
    short = policy._replace(settings=policy.settings._replace(token_budget=1))
    known = facts(ACME, membership_row(SUB, "acme", roles=["editor"]), membership_row(SUB, "globex", roles=7))
    refusal = refused(short, known, event())
    assert refusal.code is Code.TOKEN_OVER_BUDGET
    assert reasons(refusal, "role") == [Reason("role", "editor", "granted", IN_ACME)]
    assert [problem.row for problem in refusal.problems] == [f"USER#{SUB} TENANT#globex"]


# Roles.

ROLES: dict[str, Any] = {
    "viewer": {"scopes": ["orders/read"]},
    "editor": {"inherits": ["viewer"], "scopes": ["orders/delete", "orders/write"]},
    "guest": {},
    "basic": {},
}


def test_roles_are_listed_with_the_first_row_that_assigns_them() -> None:
    policy = bundle(roles=ROLES, groups={"Staff": {"roles": ["guest"]}}, settings={"default_roles": ["basic"]})
    acme = tenant_row("acme", default_roles=["guest", "editor"], roles_allowed=["editor", "viewer"])
    member = membership_row(SUB, "acme", roles=["ghost", "editor", "guest"])
    rows = (acme, member, user_row(SUB, roles=["basic", "phantom"]))
    decision = decided(policy, facts(*rows), event(groups=["Staff"]))
    assert reasons(decision, "role") == [
        Reason("role", "ghost", "dropped", IN_ACME, "no such role"),
        Reason("role", "guest", "dropped", ACME_ROW, "the tenant does not allow it"),
        Reason("role", "phantom", "dropped", USER_ROW, "no such role"),
        Reason("role", "basic", "granted", USER_ROW),
        Reason("role", "editor", "granted", IN_ACME),
        Reason("role", "guest", "granted", "POLICY GROUP#Staff"),
        Reason("role", "viewer", "granted", IN_ACME),
    ]
    rows_of_all = f"POLICY GROUP#Staff, {IN_ACME}, {USER_ROW}"
    assert Reason("claim", "roles", "set", rows_of_all, "", "access") in decision.reasons


def test_a_tenants_default_and_that_of_the_settings_are_listed_with_their_rows() -> None:
    policy = bundle(roles=ROLES, settings={"default_roles": ["basic"]})
    acme = tenant_row("acme", default_roles=["guest"])
    assert reasons(decided(policy, facts(acme, MEMBERS[0]), event()), "role") == [
        Reason("role", "basic", "granted", SETTINGS),
        Reason("role", "guest", "granted", ACME_ROW),
    ]


@pytest.mark.parametrize("pinned", [{}, {"tenant": "acme"}], ids=["free", "pinned"])
def test_a_machines_roles_are_listed_with_its_client_row(pinned: dict[str, str]) -> None:
    policy = bundle(roles=ROLES, clients={CLIENT: {"roles": ["viewer"], **pinned}})
    decision = decided(policy, facts(ACME, machine=True), event(MACHINE))
    assert reasons(decision, "role") == [Reason("role", "viewer", "granted", CLIENT_ROW)]


def test_effects_that_rules_are_not_allowed_to_have_are_listed_one_by_one() -> None:
    untrusted = {"field": "request.source", "op": "exists", "value": True}
    policy = unlinted({"when": untrusted, "suppress_groups": ["Staff"], "add_scopes": ["orders/read"]})
    why = "it reads what its users or callers can write"
    assert reasons(decided(policy, facts(), event()), "rule") == [
        Reason("rule", "add_scopes", "dropped", "POLICY RULE#r0", why),
        Reason("rule", "suppress_groups", "dropped", "POLICY RULE#r0", why),
    ]


# Scopes.


def test_scopes_are_listed_as_granted_dropped_suppressed_and_kept() -> None:
    policy = unlinted(
        {"add_scopes": ["orders/export", "orders/read"], "suppress_scopes": ["phone", "orders/delete"]},
        {"suppress_scopes": ["phone"]},
        roles=ROLES,
        clients={CLIENT: {"scopes_allowed": ["orders/read", "orders/write", "orders/delete", "orders/list"]}},
    )
    acme = tenant_row("acme", scopes_allowed=["orders/read", "orders/delete", "orders/list"])
    member = membership_row(SUB, "acme", roles=["editor"], scopes=["two words", "email", "orders/list", "orders/read"])
    asked = event(scopes=["openid", "orders/read", "phone", "other/x"])
    decision = decided(policy, facts(acme, member), asked)
    names_it = "suppress_scopes names it"
    assert reasons(decision, "scope") == [
        Reason("scope", "orders/write", "dropped", ACME_ROW, "the tenant does not allow it", "access"),
        Reason("scope", "two words", "dropped", IN_ACME, "Cognito does not take these characters", "access"),
        Reason("scope", "email", "dropped", IN_ACME, "the policy does not manage it", "access"),
        Reason("scope", "orders/export", "dropped", CLIENT_ROW, "the client does not allow it", "access"),
        Reason("scope", "orders/delete", "suppressed", "POLICY RULE#r0", names_it, "access"),
        Reason("scope", "orders/list", "dropped", IN_ACME, "it was not requested", "access"),
        Reason("scope", "orders/read", "granted", "POLICY ROLE#viewer", "", "access"),
        Reason("scope", "openid", "kept", "request", "the policy does not manage it", "access"),
        Reason("scope", "other/x", "suppressed", "request", "requested, not granted", "access"),
        Reason("scope", "phone", "suppressed", "POLICY RULE#r0", names_it, "access"),
    ]
    assert decision.changes.scopes_to_suppress == ("other/x", "phone")


def test_a_scope_that_is_granted_and_requested_and_suppressed_is_listed_once() -> None:
    policy = bundle(roles=ROLES, clients={CLIENT: {"suppress_scopes": ["orders/read"]}})
    decision = decided(policy, facts(user_row(SUB, roles=["viewer"])), event(scopes=["orders/read"]))
    assert reasons(decision, "scope") == [
        Reason("scope", "orders/read", "suppressed", CLIENT_ROW, "suppress_scopes names it", "access")
    ]


def test_the_reasons_of_a_degraded_token_list_every_scope_that_it_lost() -> None:
    request = parse(event(scopes=["openid", "orders/write", "orders/read"]))
    assert degraded(None, request, Code.NO_BUNDLE).reasons == (
        Reason("scope", "orders/read", "suppressed", "request", "claims are degraded"),
        Reason("scope", "orders/write", "suppressed", "request", "claims are degraded"),
    )


# Groups.


def test_groups_are_listed_as_kept_granted_and_suppressed() -> None:
    policy = unlinted(
        {"add_groups": ["Pro", "Gone"]},
        {"suppress_groups": ["Gone", "Staff"], "add_groups": ["Pro", "Crew"]},
        {"suppress_groups": ["Staff"]},
    )
    decision = decided(policy, facts(), event(groups=["Staff", "Crew"]))
    assert reasons(decision, "group") == [
        Reason("group", "Staff", "suppressed", "POLICY RULE#r1", "suppress_groups names it"),
        Reason("group", "Crew", "kept", "request"),
        Reason("group", "Gone", "suppressed", "POLICY RULE#r1", "suppress_groups names it"),
        Reason("group", "Pro", "granted", "POLICY RULE#r0"),
    ]


def test_groups_that_no_machine_can_have_are_listed_by_name() -> None:
    policy = unlinted({"add_groups": ["Staff", "Crew"]}, {"add_groups": ["Staff"], "suppress_groups": ["Crew"]})
    assert reasons(decided(policy, facts(machine=True), event(MACHINE)), "group") == [
        Reason("group", "Crew", "dropped", "POLICY RULE#r0", "a machine has no groups"),
        Reason("group", "Staff", "dropped", "POLICY RULE#r0", "a machine has no groups"),
    ]


# Claims.


def test_claims_are_listed_by_token_first_the_missing_ones_then_the_others() -> None:
    policy = unlinted(
        {
            "access_claims": {
                "desk": {"from": "client.name"},
                "plan": {"from": "tenant.plan"},
                "roles": {"from": "tenant.plan"},
                "sub": "x",
                "broken": {"from": 1},
            }
        },
        {
            "suppress_access_claims": ["note", "tenant_id", "claims_shed", "claims_degraded", "exp"],
            "suppress_id_claims": ["note"],
        },
        {"suppress_access_claims": ["note"]},
        roles={"editor": {"claims": {"level": 2}}},
        clients={CLIENT: {"claims": {"app": "web"}}},
    )
    rows = (
        tenant_row("acme", name="Acme", plan="pro", claims={"note": 1, "t": 1}),
        membership_row(SUB, "acme", roles=["editor"], claims={"roles": "x", "bad": None, "m": 1}),
        user_row(SUB, claims={"u": 1}),
    )
    decision = decided(policy, facts(*rows), event())
    of_the_rule, of_the_other = "POLICY RULE#r0", "POLICY RULE#r1"
    both = [
        Reason("claim", "app", "set", CLIENT_ROW, "", "access"),
        Reason("claim", "level", "set", "POLICY ROLE#editor", "", "access"),
        Reason("claim", "m", "set", IN_ACME, "", "access"),
    ]
    incomplete = "no rule takes away what says that a token is incomplete"
    assert reasons(decision, "claim", "access") == [
        Reason("claim", "roles", "dropped", IN_ACME, "only Claimsmith sets this claim", "access"),
        Reason("claim", "bad", "dropped", IN_ACME, "null is not a claim value", "access"),
        Reason("claim", "desk", "dropped", of_the_rule, "what it reads is not there", "access"),
        Reason("claim", "roles", "dropped", of_the_rule, "only Claimsmith sets this claim", "access"),
        Reason("claim", "sub", "dropped", of_the_rule, "Cognito alone sets this claim", "access"),
        Reason("claim", "broken", "dropped", of_the_rule, "it is not a value", "access"),
        Reason("claim", "tenant_id", "dropped", of_the_other, "no rule takes away the access token's tenant", "access"),
        Reason("claim", "claims_shed", "dropped", of_the_other, incomplete, "access"),
        Reason("claim", "claims_degraded", "dropped", of_the_other, incomplete, "access"),
        Reason("claim", "exp", "dropped", of_the_other, "Cognito alone sets this claim", "access"),
        Reason("claim", "note", "suppressed", of_the_other, "", "access"),
        *both,
        Reason("claim", "plan", "set", of_the_rule, "", "access"),
        Reason("claim", "policy_version", "set", "BUNDLE CURRENT", "", "access"),
        Reason("claim", "roles", "set", IN_ACME, "", "access"),
        Reason("claim", "t", "set", ACME_ROW, "", "access"),
        Reason("claim", "tenant_id", "set", IN_ACME, "", "access"),
        Reason("claim", "u", "set", USER_ROW, "", "access"),
    ]
    assert reasons(decision, "claim", "id") == [
        Reason("claim", "roles", "dropped", IN_ACME, "only Claimsmith sets this claim", "id"),
        Reason("claim", "bad", "dropped", IN_ACME, "null is not a claim value", "id"),
        Reason("claim", "note", "suppressed", of_the_other, "", "id"),
        *(why._replace(token="id") for why in both),
        Reason("claim", "roles", "set", IN_ACME, "", "id"),
        Reason("claim", "t", "set", ACME_ROW, "", "id"),
        Reason("claim", "tenant_id", "set", IN_ACME, "", "id"),
        Reason("claim", "tenant_name", "set", ACME_ROW, "", "id"),
        Reason("claim", "u", "set", USER_ROW, "", "id"),
    ]


def test_tenants_to_choose_from_and_an_attribute_with_the_name_of_a_built_in_claim_are_listed() -> None:
    policy = bundle(settings={"claim_names": {"tenant_id": "custom:tenant"}})
    asked = event(attributes={"custom:tenant": "globex"})
    decision = decided(policy, facts(ACME, GLOBEX, *MEMBERS), asked)
    assert decision.changes.id.claims == {"tenants": {"acme": "Acme", "globex": "globex"}}
    assert reasons(decision, "claim", "id") == [
        Reason("claim", "custom:tenant", "suppressed", SETTINGS, "only Claimsmith sets this claim", "id"),
        Reason("claim", "tenants", "set", f"USER#{SUB} TENANT#", "", "id"),
    ]


def test_the_audience_is_listed_with_the_client_row() -> None:
    decision = decided(bundle(clients={CLIENT: {"audience": True}}), facts(), event(SIGN_IN))
    assert Reason("claim", "aud", "set", CLIENT_ROW, "", "access") in decision.reasons


def test_claims_left_out_for_length_are_listed_and_so_is_claims_shed() -> None:
    policy = unlinted({"optional": True, "id_claims": {"b": "x" * 900, "a": "x" * 900}})
    short = policy._replace(settings=policy.settings._replace(token_budget=1800))
    asked = event(HOSTED, attributes={"a": "mine"})
    decision = decided(short, facts(), asked)
    why = "the token would be longer than token_budget"
    assert reasons(decision, "claim", "id") == [
        Reason("claim", "a", "shed", "POLICY RULE#r0", why, "id"),
        Reason("claim", "b", "shed", "POLICY RULE#r0", why, "id"),
        Reason("claim", "claims_shed", "set", SETTINGS, "", "id"),
    ]
    assert decision.changes.id.suppressed == ("a",)
