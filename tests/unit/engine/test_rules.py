"""What rules do to a token, and what they cannot do."""

from __future__ import annotations

from typing import Any

import pytest

from claimsmith.cognito.event import parse
from claimsmith.cognito.response import Groups, build
from claimsmith.cognito.tokens import issued
from claimsmith.engine import Reason
from claimsmith.engine.language.paths import EvaluationContext
from claimsmith.engine.rules import RuleSet, apply
from tests.events import CLIENT, MACHINE, SIGN_IN, SUB, event
from tests.policies import decided, facts, membership_row, tenant_row, unlinted, user_row

ROWS = [membership_row(SUB, "acme", roles=["editor"]), tenant_row("acme", name="Acme", plan="pro")]
PRO = {"field": "tenant.plan", "op": "equals", "value": "pro"}
FREE = {"field": "tenant.plan", "op": "equals", "value": "free"}
ROLES = {"editor": {"scopes": ["orders/write"]}}


def outcome(rule: dict[str, Any], **asked: Any) -> Any:  # noqa: ANN401 - arguments of an event
    return decided(unlinted(rule, roles=ROLES), facts(*ROWS), event(SIGN_IN, **asked))


def test_a_rule_applies_where_its_condition_holds_and_without_one_always() -> None:
    policy = unlinted(
        {"when": PRO, "access_claims": {"a": 1}},
        {"when": FREE, "access_claims": {"b": 1}},
        {"access_claims": {"c": 1}},
    )
    claims = decided(policy, facts(*ROWS), event()).changes.access.claims
    assert {"a", "b", "c"} & claims.keys() == {"a", "c"}


@pytest.mark.parametrize("attribute", ["suppress_scopes", "add_groups", "suppress_groups"])
def test_sets_of_rules_that_list_much_are_not_kept(attribute: str) -> None:
    """Callers decide by their metadata which sets occur, and a policy may list tens of thousands of scopes."""
    assert is_kept({attribute: [f"s/{at}" for at in range(1_000)]})
    assert not is_kept({attribute: [f"s/{at}" for at in range(1_100)]})


def test_sets_of_many_rules_are_not_kept() -> None:
    assert is_kept(*[{}] * 1_000)
    assert not is_kept(*[{}] * 1_100)


def test_as_many_sets_of_rules_are_kept_as_fit() -> None:
    """However many combinations a caller's metadata makes apply."""
    often = {"add_groups": [f"g{at}" for at in range(500)]}
    rules = [{"when": {"field": f"request.metadata.k{at}", "op": "exists", "value": True}} for at in range(6)]
    policy = unlinted(often, *rules).rules

    def sets() -> list[RuleSet]:
        chosen = ({f"k{at}": "" for at in range(6) if number >> at & 1} for number in range(64))
        return [
            apply(policy, EvaluationContext(parse(event(SIGN_IN, metadata=which)), None, None, None, (), None))
            for which in chosen
        ]

    kept = [one is other for one, other in zip(sets(), sets(), strict=True)]
    assert 25 < sum(kept) < 33, "16,384 entries, of which each set has more than 500"


def is_kept(*rules: dict[str, Any]) -> bool:
    """Whether what these rules do is worked out only once; it is the same every time."""
    kept = unlinted(*rules).rules
    context = EvaluationContext(parse(event()), None, None, None, (), None)
    assert apply(kept, context) == apply(kept, context)
    return apply(kept, context) is apply(kept, context)


def test_the_last_rule_wins_over_earlier_ones_and_over_every_row() -> None:
    policy = unlinted(
        {"access_claims": {"x": "first"}},
        {"access_claims": {"x": "second"}},
        clients={CLIENT: {"claims": {"x": "client"}}},
    )
    decision = decided(policy, facts(*ROWS, user_row(SUB, claims={"x": "user"})), event())
    assert decision.changes.access.claims["x"] == "second"
    assert decision.changes.id.claims["x"] == "client"
    assert Reason("claim", "x", "set", "POLICY RULE#r1", "", "access") in decision.reasons


def test_a_value_is_computed_and_one_with_nothing_to_read_sets_no_claim_and_is_reported() -> None:
    decision = outcome(
        {"id_claims": {"plan": {"from": "tenant.plan"}, "desk": {"template": "{user.sub}@{client.name}"}}}
    )
    assert decision.changes.id.claims["plan"] == "pro"
    assert "desk" not in decision.changes.id.claims
    assert Reason("claim", "desk", "dropped", "POLICY RULE#r0", "what it reads is not there", "id") in decision.reasons


def test_a_value_in_a_role_or_a_client_is_worked_out_too() -> None:
    policy = unlinted(
        roles={"editor": {"claims": {"plan": {"from": "tenant.plan"}}}},
        clients={CLIENT: {"name": "web", "claims": {"app": {"template": "{client.name} for {tenant.id}"}}}},
    )
    claims = decided(policy, facts(*ROWS), event()).changes.id.claims
    assert (claims["plan"], claims["app"]) == ("pro", "web for acme")


def test_an_object_that_looks_like_an_expression_is_a_literal_in_the_directory() -> None:
    rows = [*ROWS, user_row(SUB, claims={"x": {"from": "tenant.plan"}})]
    assert decided(unlinted(), facts(*rows), event()).changes.id.claims["x"] == {"from": "tenant.plan"}


def test_what_a_rule_yields_is_held_to_the_contract() -> None:
    hostile = {"x": {"from": "user.attributes.org", "as": "json"}, "sub": {"from": "tenant.id"}, "tenant_id": "other"}
    decision = outcome({"id_claims": hostile}, attributes={"org": "[[1]]"})
    assert "x" not in decision.changes.id.claims
    assert "sub" not in decision.changes.id.claims
    assert decision.changes.id.claims["tenant_id"] == "acme"
    said = {reason.name: reason.detail for reason in decision.reasons if reason.source == "POLICY RULE#r0"}
    assert said == {
        "x": "an array holds only strings, numbers and booleans",
        "sub": "Cognito alone sets this claim",
        "tenant_id": "only Claimsmith sets this claim",
    }


# Scopes.


def test_a_rule_adds_scopes_within_the_ceilings() -> None:
    policy = unlinted(
        {"when": PRO, "add_scopes": ["orders/read", "orders/export", "orders/admin"]},
        clients={CLIENT: {"scopes_allowed": ["orders/read", "orders/admin"]}},
    )
    rows = [ROWS[0], tenant_row("acme", plan="pro", scopes_allowed=["orders/read", "orders/export"])]
    decision = decided(policy, facts(*rows), event(SIGN_IN))
    assert decision.changes.scopes_to_add == ("orders/read",)
    assert Reason("scope", "orders/read", "granted", "POLICY RULE#r0", "", "access") in decision.reasons


def test_a_scope_that_a_rule_suppresses_is_in_no_token_for_any_grant() -> None:
    policy = unlinted(
        {"add_scopes": ["orders/write"]},
        {"suppress_scopes": ["orders/write", "openid"]},
        {"add_scopes": ["orders/write"]},
        roles=ROLES,
    )
    decision = decided(policy, facts(*ROWS), event(scopes=["orders/write", "openid", "email"]))
    assert decision.changes.scopes_to_add == ()
    assert decision.changes.scopes_to_suppress == ("openid", "orders/write")


# Claims taken away.


def test_suppression_wins_over_setting_in_the_token_it_names() -> None:
    decision = outcome({"claims": {}, "access_claims": {"x": 1}, "id_claims": {"x": 1}, "suppress_id_claims": ["x"]})
    assert decision.changes.access.claims["x"] == 1
    assert "x" not in decision.changes.id.claims
    assert decision.changes.id.suppressed == ("x",)
    assert Reason("claim", "x", "suppressed", "POLICY RULE#r0", "", "id") in decision.reasons


def test_an_attribute_and_a_developer_attribute_can_be_suppressed() -> None:
    decision = outcome({"suppress_id_claims": ["email", "dev:x", "custom:y"]})
    assert decision.changes.id.suppressed == ("custom:y", "dev:x", "email")


@pytest.mark.parametrize(
    "name", ["tenant_id", "claims_degraded", "claims_shed", "sub", "aud", "scope", "cognito:roles"]
)
def test_no_rule_takes_away_what_others_rely_on(name: str) -> None:
    decision = outcome({"suppress_access_claims": [name]})
    assert decision.changes.access.suppressed == ()
    assert decision.changes.access.claims["tenant_id"] == "acme"
    assert any(reason.name == name and reason.outcome == "dropped" for reason in decision.reasons)


def test_the_tenant_is_protected_under_the_name_it_has() -> None:
    policy = unlinted({"suppress_access_claims": ["org"]}, settings={"claim_names": {"tenant_id": "org"}})
    assert decided(policy, facts(*ROWS), event()).changes.access.claims["org"] == "acme"


# Groups.


def test_groups_that_no_rule_changes_are_not_in_the_answer() -> None:
    assert outcome({"add_groups": ["Staff"]}, groups=["Staff"]).changes.groups is None
    assert outcome({"suppress_groups": ["Ghost"]}, groups=["Staff"]).changes.groups is None


def test_a_group_that_a_rule_adds_comes_beside_the_users_own_and_their_roles_stay() -> None:
    asked = event(SIGN_IN, groups=["Staff"])
    asked["request"]["groupConfiguration"] |= {"iamRolesToOverride": ["arn:one"], "preferredRole": "arn:one"}
    decision = decided(unlinted({"add_groups": ["Zeta", "Admins"]}), facts(*ROWS), asked)
    assert decision.changes.groups == Groups(("Staff", "Admins", "Zeta"), ("arn:one",), "arn:one")
    details = build(decision.changes, parse(asked))["claimsAndScopeOverrideDetails"]
    assert details["groupOverrideDetails"] == {
        "groupsToOverride": ["Staff", "Admins", "Zeta"],
        "iamRolesToOverride": ["arn:one"],
        "preferredRole": "arn:one",
    }


def test_a_group_taken_away_takes_the_roles_along() -> None:
    asked = event(SIGN_IN, groups=["Admins", "Staff"])
    asked["request"]["groupConfiguration"] |= {"iamRolesToOverride": ["arn:one"], "preferredRole": "arn:one"}
    decision = decided(unlinted({"suppress_groups": ["Admins"]}, {"add_groups": ["Admins"]}), facts(*ROWS), asked)
    assert decision.changes.groups == Groups(("Staff",))
    _, identity = issued(parse(asked), decision.changes)
    assert identity["cognito:groups"] == ["Staff"]
    assert not {"cognito:roles", "cognito:preferred_role"} & identity.keys()


def test_the_last_group_is_taken_away_by_suppressing_the_claim_and_never_by_an_empty_list() -> None:
    asked = event(SIGN_IN, groups=["Admins"])
    decision = decided(unlinted({"suppress_groups": ["Admins"]}), facts(*ROWS), asked)
    details = build(decision.changes, parse(asked))["claimsAndScopeOverrideDetails"]
    assert "groupOverrideDetails" not in details
    assert details["accessTokenGeneration"]["claimsToSuppress"] == ["cognito:groups"]
    assert details["idTokenGeneration"]["claimsToSuppress"] == ["cognito:groups"]


def test_a_machine_has_no_groups() -> None:
    decision = decided(unlinted({"add_groups": ["Staff"]}), facts(machine=True), event(MACHINE))
    assert decision.changes.groups is None
    assert Reason("group", "Staff", "dropped", "POLICY RULE#r0", "a machine has no groups") in decision.reasons


# Trust: what lint refuses is withheld here as well.

AUTHORITY: list[dict[str, Any]] = [
    {"add_scopes": ["orders/export"]},
    {"suppress_scopes": ["orders/write"]},
    {"suppress_access_claims": ["roles"]},
    {"suppress_id_claims": ["roles"]},
    {"add_groups": ["Admins"]},
    {"suppress_groups": ["Staff"]},
]
UNTRUSTED: list[dict[str, Any]] = [
    {"when": {"field": "request.metadata.x", "op": "equals", "value": "1"}},
    {"when": {"not": {"field": "request.metadata.ghost", "op": "exists", "value": True}}},
    {"when": {"field": "user.attributes.org", "op": "equals", "value": "acme"}},
    {"when": {"any": [PRO, {"field": "request.source", "op": "equals", "value": SIGN_IN}]}},
    {"id_claims": {"x": {"from": "request.metadata.x"}}},
    {"access_claims": {"x": {"template": "{user.attributes.org}"}}},
]
ASKED: dict[str, Any] = {"groups": ["Staff"], "metadata": {"x": "1"}, "attributes": {"org": "acme"}}


@pytest.mark.parametrize("untrusted", UNTRUSTED, ids=repr)
@pytest.mark.parametrize("authority", AUTHORITY, ids=repr)
def test_what_users_and_callers_write_decides_no_scope_no_group_and_no_suppression(
    untrusted: dict[str, Any], authority: dict[str, Any]
) -> None:
    with_rule, without = outcome({**untrusted, **authority}, **ASKED), outcome({}, **ASKED)
    assert with_rule.changes.scopes_to_add == without.changes.scopes_to_add == ("orders/write",)
    assert with_rule.changes.scopes_to_suppress == without.changes.scopes_to_suppress
    assert with_rule.changes.groups is None
    assert (with_rule.changes.access.suppressed, with_rule.changes.id.suppressed) == ((), ())
    [effect] = authority
    why = "it reads what its users or callers can write"
    assert Reason("rule", effect, "dropped", "POLICY RULE#r0", why) in with_rule.reasons


def test_an_attribute_that_is_trusted_decides() -> None:
    rule = {"when": {"field": "user.attributes.org", "op": "equals", "value": "acme"}, "add_scopes": ["orders/export"]}
    policy = unlinted(rule)
    assert decided(policy, facts(*ROWS), event(SIGN_IN, **ASKED)).changes.scopes_to_add == ()
    document_trusts = {"trusted_attributes": ["org"]}
    trusting = unlinted(rule, settings=document_trusts)
    assert decided(trusting, facts(*ROWS), event(SIGN_IN, **ASKED)).changes.scopes_to_add == ("orders/export",)


def test_a_rule_reads_the_rows_that_the_decision_is_about() -> None:
    reads = {
        "user": {"from": "user.claims.level"},
        "tenant": {"from": "tenant.claims.tier"},
        "membership": {"from": "membership.claims.team"},
        "held": {"from": "roles"},
        "client": {"from": "client.name"},
        "request": {"from": "request.source"},
    }
    rows = (
        user_row(SUB, claims={"level": 3}),
        membership_row(SUB, "acme", roles=["editor"], claims={"team": "red"}),
        tenant_row("acme", claims={"tier": "gold"}),
    )
    policy = unlinted({"access_claims": reads}, roles=ROLES, clients={CLIENT: {"name": "web"}})
    claims = decided(policy, facts(*rows), event(SIGN_IN)).changes.access.claims
    assert {name: claims[name] for name in reads} == {
        "user": 3,
        "tenant": "gold",
        "membership": "red",
        "held": ["editor"],
        "client": "web",
        "request": SIGN_IN,
    }


def test_a_machine_is_no_user_and_no_member_whatever_rows_there_are() -> None:
    rule = {"access_claims": {"is": {"from": "user.status"}, "of": {"from": "membership.roles"}}}
    policy = unlinted(rule, roles=ROLES, clients={CLIENT: {"tenant": "acme"}})
    rows = (user_row(SUB, claims={"a": 1}), membership_row(SUB, "acme", roles=["editor"], scopes=["orders/write"]))
    known = facts(*rows, tenant_row("acme"))._replace(user=facts(*rows).user)
    made = decided(policy, known, event(MACHINE, client_id=CLIENT))
    assert not {"is", "of", "a"} & made.changes.access.claims.keys()
    assert (made.roles, made.changes.scopes_to_add) == ((), ())
