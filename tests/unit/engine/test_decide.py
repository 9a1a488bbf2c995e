"""The decision, step by step: roles, scopes, claims, the contract, and a reason for each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from claimsmith.cognito.event import parse
from claimsmith.cognito.limits import MAX_CHANGES
from claimsmith.cognito.response import TokenChanges, count
from claimsmith.engine.decide import Decision, degraded
from claimsmith.engine.reasons import Reason
from claimsmith.errors import Code
from tests.counting import calls
from tests.events import API_SCOPES, CLIENT, HOSTED, MACHINE, REFRESH, SIGN_IN, SUB, event
from tests.policies import VERSION, bundle, decided, facts, membership_row, refused, tenant_row, user_row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from claimsmith.engine.facts import Facts

ROLES = {
    "viewer": {"scopes": ["orders/read"]},
    "editor": {"inherits": ["viewer"], "scopes": ["orders/write"]},
    "owner": {"inherits": ["editor"], "scopes": ["billing/read"]},
}

ACME = tenant_row("acme", name="Acme Ltd")
ALL_SCOPES = ["openid", "orders/read", "orders/write", "billing/read"]


def editor(**attributes: Any) -> dict[str, Any]:  # noqa: ANN401 - any attribute
    return membership_row(SUB, "acme", roles=["editor"], **attributes)


def scopes_of(decision: Decision, given: dict[str, Any]) -> set[str]:
    """The scopes of the token that Cognito makes of this decision."""
    kept = set(given["request"]["scopes"]) - set(decision.changes.scopes_to_suppress)
    return kept | set(decision.changes.scopes_to_add)


def reason(decision: Decision, kind: str, name: str) -> Reason:
    [found] = [why for why in decision.reasons if (why.kind, why.name) == (kind, name)]
    return found


# Roles.


def test_roles_come_from_the_membership_closed_under_inheritance() -> None:
    decision = decided(bundle(roles=ROLES), facts(ACME, editor()), event())
    assert decision.roles == ("editor", "viewer")
    assert decision.changes.access.claims["roles"] == decision.changes.id.claims["roles"] == ["editor", "viewer"]


def test_roles_of_a_user_of_its_groups_and_of_the_settings_need_no_tenant() -> None:
    policy = bundle(
        settings={"default_roles": ["a"]},
        roles={"a": {}, "b": {}, "c": {}, "d": {}},
        groups={"Staff": {"roles": ["b"]}, "Other": {"roles": ["d"]}},
    )
    decision = decided(policy, facts(user_row(SUB, roles=["c"])), event(groups=["Staff", "Nobody"]))
    assert decision.roles == ("a", "b", "c")
    assert reason(decision, "role", "b").source == "POLICY GROUP#Staff"


def test_a_tenants_default_roles_are_for_its_members() -> None:
    acme = tenant_row("acme", default_roles=["viewer"])
    policy = bundle(roles=ROLES)
    assert decided(policy, facts(acme, membership_row(SUB, "acme")), event()).roles == ("viewer",)
    assert decided(policy, facts(acme), event()).roles == ()


def test_what_a_tenant_does_not_allow_is_cut_after_inheritance() -> None:
    acme = tenant_row("acme", roles_allowed=["editor"])
    decision = decided(bundle(roles=ROLES), facts(acme, editor()), event())
    assert decision.roles == ("editor",)
    assert reason(decision, "role", "viewer").detail == "the tenant does not allow it"


def test_a_tenants_ceiling_does_not_cut_roles_from_elsewhere() -> None:
    acme = tenant_row("acme", roles_allowed=[])
    decision = decided(bundle(roles=ROLES), facts(acme, editor(), user_row(SUB, roles=["viewer"])), event())
    assert decision.roles == ("viewer",)


# Scopes.


def test_intersect_gives_what_was_both_granted_and_requested() -> None:
    given = event(scopes=["openid", "orders/read", "billing/read"])
    decision = decided(bundle(roles=ROLES), facts(ACME, editor()), given)
    assert scopes_of(decision, given) == {"openid", "orders/read"}
    assert decision.changes.scopes_to_add == ()
    assert reason(decision, "scope", "billing/read").detail == "requested, not granted"
    assert reason(decision, "scope", "orders/write").detail == "it was not requested"


def test_exact_gives_what_was_granted_whatever_was_requested() -> None:
    given = event(scopes=["openid", "billing/read"])
    decision = decided(bundle(settings={"scope_mode": "exact"}, roles=ROLES), facts(ACME, editor()), given)
    assert scopes_of(decision, given) == {"openid", "orders/read", "orders/write"}


def test_a_clients_mode_stands_over_that_of_the_settings() -> None:
    policy = bundle(roles=ROLES, clients={CLIENT: {"scope_mode": "exact"}})
    given = event(scopes=["openid"])
    assert scopes_of(decided(policy, facts(ACME, editor()), given), given) == {"openid", "orders/read", "orders/write"}


def test_an_api_sign_in_can_request_nothing_and_gets_all_that_is_granted() -> None:
    given = event(SIGN_IN)
    decision = decided(bundle(roles=ROLES), facts(ACME, editor()), given)
    assert scopes_of(decision, given) == {"aws.cognito.signin.user.admin", "orders/read", "orders/write"}


def test_a_managed_login_that_asked_for_one_scope_gets_no_other() -> None:
    given = event(HOSTED, scopes=["aws.cognito.signin.user.admin"])
    assert scopes_of(decided(bundle(roles=ROLES), facts(ACME, editor()), given), given) == {
        "aws.cognito.signin.user.admin"
    }


def test_a_prefix_that_the_policy_does_not_manage_is_exactly_that() -> None:
    policy = bundle(settings={"unmanaged_scopes": ["legacy/*", "ping"]})
    given = event(scopes=["openid", "legacy/x", "legacy/", "ping", "legacy", "legacyx", "legal/x", "pingx"])
    assert scopes_of(decided(policy, facts(), given), given) == {"openid", "legacy/x", "legacy/", "ping"}


def test_a_user_without_any_grant_keeps_only_what_no_policy_manages() -> None:
    given = event(scopes=["openid", "email", "aws.cognito.signin.user.admin", "orders/read", "legacy/x", "other"])
    policy = bundle(settings={"unmanaged_scopes": ["legacy/*"]}, roles=ROLES)
    kept = {"openid", "email", "aws.cognito.signin.user.admin", "legacy/x"}
    assert scopes_of(decided(policy, facts(), given), given) == kept


def test_both_ceilings_cut_and_each_is_a_reason() -> None:
    policy = bundle(roles=ROLES, clients={CLIENT: {"scopes_allowed": ["orders/read", "billing/read"]}})
    acme = tenant_row("acme", scopes_allowed=["orders/read", "orders/write"])
    given = event(scopes=ALL_SCOPES)
    decision = decided(policy, facts(acme, membership_row(SUB, "acme", roles=["owner"])), given)
    assert scopes_of(decision, given) == {"openid", "orders/read"}
    dropped = {why.name: why.source for why in decision.reasons if (why.kind, why.outcome) == ("scope", "dropped")}
    assert dropped == {"orders/write": f"POLICY CLIENT#{CLIENT}", "billing/read": "TENANT#acme TENANT"}


@pytest.mark.parametrize("where", ["client", "tenant"])
def test_an_empty_ceiling_allows_nothing(where: str) -> None:
    policy = bundle(roles=ROLES, clients={CLIENT: {"scopes_allowed": []} if where == "client" else {}})
    acme = tenant_row("acme", scopes_allowed=[]) if where == "tenant" else ACME
    given = event(scopes=ALL_SCOPES)
    assert scopes_of(decided(policy, facts(acme, editor()), given), given) == {"openid"}


def test_suppress_scopes_wins_over_grants_and_over_unmanaged() -> None:
    policy = bundle(
        settings={"scope_mode": "exact"},
        roles=ROLES,
        clients={CLIENT: {"suppress_scopes": ["orders/write", "aws.cognito.signin.user.admin"]}},
    )
    given = event(SIGN_IN)
    assert scopes_of(decided(policy, facts(ACME, editor()), given), given) == {"orders/read"}


def test_a_membership_grants_scopes_of_its_own_under_the_same_ceilings() -> None:
    acme = tenant_row("acme", scopes_allowed=["reports/read"])
    given = event(scopes=["reports/read", "reports/write"])
    member = membership_row(SUB, "acme", scopes=["reports/read", "reports/write"])
    assert scopes_of(decided(bundle(), facts(acme, member), given), given) == {"reports/read"}


def test_a_scope_that_is_granted_twice_hides_none_after_it() -> None:
    member = membership_row(SUB, "acme", roles=["viewer"], scopes=["orders/read", "orders/list"])
    decision = decided(bundle(settings={"scope_mode": "exact"}, roles=ROLES), facts(ACME, member), event())
    assert {"orders/list", "orders/read"} <= scopes_of(decision, event())


@pytest.mark.parametrize("scope", ["two words", 'quo"te', "back\\slash", "", "ü", "x" * 257, "openid"])
def test_a_membership_cannot_add_what_cognito_or_the_policy_does_not_take(scope: str) -> None:
    member = membership_row(SUB, "acme", scopes=[scope])
    decision = decided(bundle(settings={"scope_mode": "exact"}), facts(ACME, member), event(scopes=["orders/read"]))
    assert decision.changes.scopes_to_add == ()


# Claims.


def test_later_rows_win_in_the_documented_order() -> None:
    offered = {name: {"w": name} for name in ("tenant", "role", "user", "membership", "client")}
    policy = bundle(
        roles={"a": {"claims": offered["role"]}, "b": {"claims": {"w": "role b", "r": "b"}}},
        clients={CLIENT: {"claims": offered["client"]}},
    )
    silent_client = bundle(roles={"a": {"claims": {"w": "role", "r": "a"}}, "b": {"claims": {"w": "b", "r": "b"}}})
    acme = tenant_row("acme", claims={"w": "tenant", "t": 1})
    user = user_row(SUB, claims={"w": "user", "t": 2})
    member = membership_row(SUB, "acme", roles=["a", "b"], claims={"w": "membership"})
    assert decided(policy, facts(acme, user, member), event()).changes.access.claims["w"] == "client"
    without_client = decided(silent_client, facts(acme, user, member), event()).changes.access.claims
    assert (without_client["w"], without_client["t"], without_client["r"]) == ("membership", 2, "b")


def test_built_in_claims_stand_where_the_design_puts_them() -> None:
    decision = decided(bundle(roles=ROLES), facts(ACME, editor()), event())
    assert dict(decision.changes.access.claims) == {
        "policy_version": VERSION,
        "roles": ["editor", "viewer"],
        "tenant_id": "acme",
    }
    assert dict(decision.changes.id.claims) == {
        "roles": ["editor", "viewer"],
        "tenant_id": "acme",
        "tenant_name": "Acme Ltd",
    }


def test_built_in_claims_can_be_renamed_and_left_out() -> None:
    names = {"tenant_id": "org", "tenant_name": None, "roles": "custom:roles", "policy_version": None}
    decision = decided(bundle(settings={"claim_names": names}, roles=ROLES), facts(ACME, editor()), event())
    assert set(decision.changes.access.claims) == {"org", "custom:roles"}
    assert set(decision.changes.id.claims) == {"org", "custom:roles"}


@pytest.mark.parametrize("name", ["tenant_id", "roles", "policy_version", "claims_degraded", "claims_shed"])
def test_no_directory_row_sets_what_only_the_engine_sets(name: str) -> None:
    claims = {"claims": {name: "forged", "other": 1}}
    rows = (tenant_row("acme", **claims), user_row(SUB, **claims), editor(**claims))
    decision = decided(bundle(roles=ROLES), facts(*rows), event())
    for changes in (decision.changes.access, decision.changes.id):
        assert changes.claims.get(name) != "forged"
        assert changes.claims["other"] == 1


@pytest.mark.parametrize("name", ["sub", "aud", "iss", "scope", "cognito:groups", "client_id", "exp", "dev:x", ""])
def test_no_directory_row_sets_what_only_cognito_sets(name: str) -> None:
    decision = decided(bundle(), facts(ACME, editor(claims={name: "forged"})), event())
    assert name not in decision.changes.access.claims
    assert name not in decision.changes.id.claims
    assert {why.outcome for why in decision.reasons if (why.kind, why.name) == ("claim", name)} == {"dropped"}


def test_a_value_cognito_does_not_take_is_dropped_and_the_rest_stays() -> None:
    member = editor(claims={"bad": None, "nested": [[1]], "fine": "x", "address": {"a": 1}})
    decision = decided(bundle(), facts(ACME, member), event())
    assert "bad" not in decision.changes.access.claims
    assert "nested" not in decision.changes.access.claims
    assert decision.changes.access.claims["address"] == {"a": 1}
    assert "address" not in decision.changes.id.claims
    assert decision.changes.id.claims["fine"] == "x"


def test_the_audience_of_a_client_is_its_own_id_and_only_in_the_access_token() -> None:
    decision = decided(bundle(clients={CLIENT: {"audience": True}}), facts(), event(SIGN_IN))
    assert decision.changes.access.claims["aud"] == CLIENT
    assert "aud" not in decision.changes.id.claims
    machine = decided(bundle(clients={CLIENT: {"audience": True}}), facts(machine=True), event(MACHINE))
    assert machine.changes.access.claims["aud"] == CLIENT


@pytest.mark.parametrize(
    ("source", "scopes"),
    [(HOSTED, ["openid"]), (HOSTED, API_SCOPES), (SIGN_IN, ["openid"]), (REFRESH, ["openid"]), (REFRESH, API_SCOPES)],
)
def test_the_audience_is_not_set_where_cognito_may_have_bound_the_token_to_a_resource(
    source: str, scopes: Sequence[str]
) -> None:
    """No event shows whether it has; nothing in a refresh shows whether it began with a managed login."""
    decision = decided(bundle(clients={CLIENT: {"audience": True}}), facts(), event(source, scopes=scopes))
    assert "aud" not in decision.changes.access.claims
    [reason] = [reason for reason in decision.reasons if reason.name == "aud"]
    assert (reason.outcome, reason.source, reason.token) == ("dropped", f"POLICY CLIENT#{CLIENT}", "access")


def test_an_attribute_named_like_a_built_in_claim_cannot_pass_for_it() -> None:
    policy = bundle(settings={"claim_names": {"tenant_id": "custom:tenant"}})
    given = event(attributes={"custom:tenant": "globex", "custom:other": "x"})
    assert decided(policy, facts(), given).changes.id.suppressed == ("custom:tenant",)
    within = decided(policy, facts(ACME, editor()), given)
    assert within.changes.id.claims["custom:tenant"] == "acme"
    assert within.changes.id.suppressed == ()


@pytest.mark.parametrize("name", ["address", "email_verified", "updated_at"])
def test_a_built_in_list_is_not_put_where_the_id_token_takes_none(name: str) -> None:
    clean = bundle(roles=ROLES)  # lint refuses the name, so only a bundle of an older lint can have it
    policy = clean._replace(settings=clean.settings._replace(claim_names={"roles": name}))
    assert name not in decided(policy, facts(ACME, editor()), event()).changes.id.claims


# Machines.


def test_a_machine_without_a_client_row_has_no_managed_scope() -> None:
    given = event(MACHINE, scopes=["orders/read", "orders/write"])
    policy = bundle(settings={"default_roles": ["owner"]}, roles=ROLES)
    decision = decided(policy, facts(machine=True), given)
    assert scopes_of(decision, given) == set()
    assert decision.roles == ()


def test_a_machine_has_the_roles_of_its_client_row_and_no_id_token() -> None:
    policy = bundle(roles=ROLES, clients={CLIENT: {"roles": ["editor"], "claims": {"kind": "machine"}}})
    given = event(MACHINE, scopes=["orders/read", "billing/read"])
    decision = decided(policy, facts(machine=True), given)
    assert scopes_of(decision, given) == {"orders/read"}
    assert decision.changes.access.claims["kind"] == "machine"
    assert decision.changes.id.claims == {}


def test_a_pinned_machine_is_cut_by_its_tenant() -> None:
    policy = bundle(roles=ROLES, clients={CLIENT: {"roles": ["editor"], "tenant": "acme"}})
    given = event(MACHINE, scopes=["orders/read", "orders/write"])
    acme = tenant_row("acme", roles_allowed=["viewer"])
    decision = decided(policy, facts(acme, machine=True), given)
    assert decision.roles == ("viewer",)
    assert scopes_of(decision, given) == {"orders/read"}


# Refusals and failure.


def test_a_user_row_that_cannot_be_read_refuses_and_is_reported() -> None:
    refusal = refused(bundle(), facts(user_row(SUB, roles=7)), event())
    assert refusal.code is Code.USER_UNREADABLE
    assert [problem.attribute for problem in refusal.problems] == ["roles"]


def test_more_changes_than_cognito_takes_refuse_instead_of_failing_there() -> None:
    many = {f"c{number}": 1 for number in range(MAX_CHANGES // 2)}
    assert refused(bundle(), facts(ACME, editor(claims=many)), event()).code is Code.TOO_MANY_CHANGES


def test_as_many_changes_as_cognito_takes_are_made_and_one_more_is_refused() -> None:
    made = bundle()
    roomy = made._replace(settings=made.settings._replace(token_budget=10**6))

    def rows(extra: int) -> Facts:
        return facts(ACME, editor(access_claims={f"c{number}": 1 for number in range(extra)}))

    most = MAX_CHANGES - count(decided(roomy, rows(0), event()).changes, parse(event()))
    assert len(decided(roomy, rows(most), event()).changes.access.claims) > most
    too_many = refused(roomy, rows(most + 1), event())
    assert too_many.code is Code.TOO_MANY_CHANGES
    said = Reason("token", "", "refused", "Cognito", "it takes 5,000 claims and scopes in both tokens")
    assert too_many.reasons[-1] == said


def test_a_degraded_token_has_no_groups_and_no_managed_scopes_and_is_marked() -> None:
    policy = bundle(
        settings={"unmanaged_scopes": ["legacy/*"], "claim_names": {"tenant_id": "custom:tenant"}}, roles=ROLES
    )
    given = event(scopes=["openid", "legacy/x", "orders/read"], attributes={"custom:tenant": "globex"})
    decision = degraded(policy, parse(given), Code.STORE_UNAVAILABLE)
    assert scopes_of(decision, given) == {"openid", "legacy/x"}
    assert decision.changes.access.claims == decision.changes.id.claims == {"claims_degraded": "CS2001"}
    assert decision.changes.access.suppressed == ("cognito:groups",)
    assert decision.changes.id.suppressed == ("cognito:groups", "custom:tenant")
    assert (decision.tenant_id, decision.roles) == (None, ())


def test_without_a_bundle_a_degraded_token_keeps_only_what_is_never_managed() -> None:
    given = event(scopes=["openid", "legacy/x", "orders/read", "aws.cognito.signin.user.admin"])
    decision = degraded(None, parse(given), Code.NO_BUNDLE)
    assert scopes_of(decision, given) == {"openid", "aws.cognito.signin.user.admin"}


def test_a_degraded_machine_gets_no_id_token() -> None:
    made = degraded(None, parse(event(MACHINE)), Code.NO_BUNDLE).changes
    assert (made.access.claims, made.id) == ({"claims_degraded": "CS2002"}, TokenChanges())


# Reasons.


def test_the_tenants_claim_has_the_row_that_chose_it() -> None:
    hinted = decided(bundle(roles=ROLES), facts(ACME, editor()), event(SIGN_IN, metadata={"tenant_id": "acme"}))
    assert {why.source for why in hinted.reasons if (why.kind, why.name) == ("claim", "tenant_id")} == {"request"}


def test_everything_in_the_token_and_everything_dropped_has_its_row() -> None:
    policy = bundle(roles=ROLES, clients={CLIENT: {"claims": {"app": "web"}}})
    given = event(scopes=["openid", "orders/read", "billing/read"], groups=["Staff"])
    decision = decided(policy, facts(ACME, editor(claims={"sub": "x"})), given)
    named = {(why.kind, why.name) for why in decision.reasons}
    claims = {*decision.changes.access.claims, *decision.changes.id.claims, "sub"}
    assert {("claim", name) for name in claims} <= named
    assert {("scope", name) for name in (*given["request"]["scopes"], "orders/write")} <= named
    assert ("group", "Staff") in named
    assert all(why.source for why in decision.reasons)
    assert decision.reasons[0] == Reason(
        "tenant", "acme", "set", f"USER#{SUB} TENANT#acme", "the only usable membership"
    )


def test_no_reason_holds_a_claims_value() -> None:
    member = editor(claims={"fine": "s3cret", "bad": ["s3cret", None], "sub": "s3cret"})
    assert "s3cret" not in repr(decided(bundle(roles=ROLES), facts(ACME, member), event()).reasons)


def test_a_role_that_a_row_names_many_times_costs_what_it_costs_once() -> None:
    """Else one row of the directory could make every sign-in of a tenant cost its length times what a role inherits."""
    inherited = [f"r{at:03d}" for at in range(200)]
    made = bundle(roles={"top": {"inherits": inherited}, **{name: {} for name in inherited}})
    once, often = (
        facts(membership_row(SUB, "acme", roles=["top"]), tenant_row("acme", default_roles=["top"] * times))
        for times in (1, 1_000)
    )
    assert decided(made, often, event(SIGN_IN)) == decided(made, once, event(SIGN_IN))
    few = calls(lambda: decided(made, once, event(SIGN_IN)))
    assert calls(lambda: decided(made, often, event(SIGN_IN))) < 2 * few
