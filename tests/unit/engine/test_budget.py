"""A token that would be too long: what is left out, in which order, and when it is refused."""

from __future__ import annotations

from typing import Any

from claimsmith.cognito import size
from claimsmith.cognito.event import parse
from claimsmith.cognito.tokens import issued
from claimsmith.engine import Decision, Reason
from claimsmith.errors import Code
from tests.events import CLIENT, MACHINE, SIGN_IN, SUB, event
from tests.policies import decided, facts, membership_row, refused, tenant_row, unlinted

MEMBER = [membership_row(SUB, "acme", roles=["editor"]), tenant_row("acme")]
LONG = "x" * 300


def policy(budget: int, *rules: dict[str, Any], **sections: Any) -> Any:  # noqa: ANN401 - passed on
    made = unlinted(*rules, **{"roles": {"editor": {}}, **sections})
    return made._replace(settings=made.settings._replace(token_budget=budget))


def lengths(decision: Decision, asked: dict[str, Any]) -> list[int]:
    request = parse(asked)
    return [size.signed(size.payload(claims, request)) for claims in issued(request, decision.changes)]


def test_a_token_within_its_budget_is_left_alone() -> None:
    decision = decided(policy(6144, {"optional": True, "id_claims": {"a": LONG}}), facts(*MEMBER), event(SIGN_IN))
    assert decision.changes.id.claims["a"] == LONG
    assert "claims_shed" not in decision.changes.id.claims


def test_claims_of_optional_rules_are_shed_last_first_and_the_token_says_so() -> None:
    rules: list[dict[str, Any]] = [
        {"optional": True, "id_claims": {"z": LONG}},
        {"id_claims": {"kept": LONG}},
        {"optional": True, "id_claims": {"a": LONG}},
    ]
    asked = event(SIGN_IN)
    full = lengths(decided(policy(9999, *rules), facts(*MEMBER), asked), asked)[1]
    decision = decided(policy(full - 1, *rules), facts(*MEMBER), asked)
    assert {"z", "kept"} <= decision.changes.id.claims.keys()
    assert decision.changes.id.claims["claims_shed"] == ["a"]
    why = "the token would be longer than token_budget"
    assert Reason("claim", "a", "shed", "POLICY RULE#r2", why, "id") in decision.reasons
    assert Reason("claim", "a", "set", "POLICY RULE#r2", "", "id") not in decision.reasons
    assert lengths(decision, asked)[1] <= full - 1
    shorter = decided(policy(full - 420, *rules), facts(*MEMBER), asked)
    assert shorter.changes.id.claims["claims_shed"] == ["a", "z"]


def test_each_token_is_measured_alone() -> None:
    rule = {"optional": True, "access_claims": {"a": "short"}, "id_claims": {"a": LONG * 5}}
    decision = decided(policy(1800, rule), facts(*MEMBER), event(SIGN_IN))
    assert decision.changes.access.claims["a"] == "short"
    assert decision.changes.id.claims["claims_shed"] == ["a"]


def test_roles_go_last() -> None:
    roles: dict[str, Any] = {f"role-{LONG[:50]}-{at}": {} for at in range(20)}
    rows = [membership_row(SUB, "acme", roles=sorted(roles)), tenant_row("acme")]
    optional = {"optional": True, "access_claims": {"a": LONG}}
    decision = decided(policy(1500, optional, roles=roles), facts(*rows), event(SIGN_IN))
    assert decision.changes.access.claims["claims_shed"] == ["a", "roles"]
    assert "roles" not in decision.changes.access.claims
    assert decision.changes.access.claims["tenant_id"] == "acme"
    assert decision.roles == tuple(sorted(roles)), "they still give their scopes"


def test_the_list_of_tenants_goes_first() -> None:
    names = [f"tenant-{LONG[:40]}-{at}" for at in range(20)]
    rows = [row for name in names for row in (membership_row(SUB, name), tenant_row(name))]
    optional = {"optional": True, "id_claims": {"a": LONG}}
    decision = decided(policy(1600, optional), facts(*rows), event(SIGN_IN))
    assert decision.changes.id.claims["claims_shed"] == ["tenants"]
    assert decision.changes.id.claims["a"] == LONG


def test_a_claim_that_is_shed_does_not_come_back_as_an_earlier_rows_or_as_an_attribute() -> None:
    rule = {"optional": True, "id_claims": {"org": LONG * 5}}
    policy_rows = policy(1800, {"id_claims": {"org": "early"}}, rule)
    decision = decided(policy_rows, facts(*MEMBER), event(SIGN_IN, attributes={"org": "mine"}))
    assert "org" not in decision.changes.id.claims
    assert decision.changes.id.suppressed == ("org",)


def test_a_claim_that_a_later_rule_sets_for_good_is_not_shed() -> None:
    rules: list[dict[str, Any]] = [{"optional": True, "id_claims": {"a": "x"}}, {"id_claims": {"a": LONG}}]
    refusal = refused(policy(900, *rules), facts(*MEMBER), event(SIGN_IN))
    assert refusal.code is Code.TOKEN_OVER_BUDGET


def test_a_claim_goes_with_the_last_optional_rule_that_sets_it() -> None:
    rules = [{"optional": True, "id_claims": {name: LONG + name}} for name in "aba"]
    asked = event(SIGN_IN)
    full = lengths(decided(policy(9999, *rules), facts(*MEMBER), asked), asked)[1]
    assert decided(policy(full - 1, *rules), facts(*MEMBER), asked).changes.id.claims["claims_shed"] == ["a"]


def test_claims_of_roles_and_clients_are_not_shed() -> None:
    for sections in (
        {"roles": {"editor": {"claims": {"a": LONG * 5}}}},
        {"clients": {CLIENT: {"claims": {"a": LONG * 5}}}},
    ):
        assert refused(policy(1500, **sections), facts(*MEMBER), event(SIGN_IN)).code is Code.TOKEN_OVER_BUDGET


def test_scopes_are_never_shed() -> None:
    scopes = {"editor": {"scopes": [f"api/{LONG[:100]}{at}" for at in range(20)]}}
    optional = {"optional": True, "access_claims": {"a": LONG}}
    refusal = refused(policy(2000, optional, roles=scopes), facts(*MEMBER), event(SIGN_IN))
    assert refusal.code is Code.TOKEN_OVER_BUDGET


def test_an_id_token_that_is_not_issued_is_not_measured() -> None:
    rule = {"id_claims": {"a": LONG * 30}}
    assert decided(policy(2000, rule), facts(*MEMBER), event(scopes=["email"])).changes.id.claims["a"]


def test_a_token_of_exactly_its_budget_is_left_alone_and_one_octet_less_is_too_little() -> None:
    rules: list[dict[str, Any]] = [{"optional": True, "id_claims": {"a": "x", "b": "yy"}}]
    asked = event(SIGN_IN, attributes={"pad": LONG})
    full = decided(policy(9999, *rules), facts(*MEMBER), asked)
    exact = lengths(full, asked)[1]
    assert decided(policy(exact, *rules), facts(*MEMBER), asked) == full
    short = decided(policy(exact - 1, *rules), facts(*MEMBER), asked)
    assert "b" not in short.changes.id.claims


def test_no_more_is_shed_than_is_needed() -> None:
    rules: list[dict[str, Any]] = [
        {"optional": True, "id_claims": {name: name * 40}} for name in ("a", "b", "c", "d", "e")
    ]
    asked = event(SIGN_IN)
    full = decided(policy(9999, *rules), facts(*MEMBER), asked)
    short = decided(policy(lengths(full, asked)[1] - 70, *rules), facts(*MEMBER), asked)
    gone = short.changes.id.claims["claims_shed"]
    exact = lengths(short, asked)[1]
    assert gone == ["d", "e"]
    assert decided(policy(exact, *rules), facts(*MEMBER), asked).changes.id.claims["claims_shed"] == gone
    shorter = decided(policy(exact - 1, *rules), facts(*MEMBER), asked).changes.id.claims["claims_shed"]
    assert shorter == ["c", "d", "e"]


def test_an_attribute_is_hidden_only_in_the_id_token_and_only_where_its_claim_was_shed() -> None:
    rule = {"optional": True, "access_claims": {"org": LONG * 5}, "id_claims": {"dept": LONG * 5}}
    asked = event(SIGN_IN, attributes={"org": "mine", "team": "mine"})
    decision = decided(policy(1800, rule), facts(*MEMBER), asked)
    assert decision.changes.access.claims["claims_shed"] == ["org"]
    assert decision.changes.id.claims["claims_shed"] == ["dept"]
    assert (decision.changes.access.suppressed, decision.changes.id.suppressed) == ((), ())


def test_what_rules_suppress_stays_suppressed_beside_what_is_shed() -> None:
    rules: list[dict[str, Any]] = [
        {"optional": True, "id_claims": {"org": LONG * 5}},
        {"suppress_id_claims": ["zip", "email"], "suppress_access_claims": ["x"]},
    ]
    decision = decided(policy(1800, *rules), facts(*MEMBER), event(SIGN_IN, attributes={"org": "mine"}))
    assert decision.changes.id.suppressed == ("email", "org", "zip")
    assert list(decision.changes.id.claims) == sorted(decision.changes.id.claims)


def test_roles_are_shed_in_each_token_and_built_in_claims_under_the_names_they_have() -> None:
    roles: dict[str, Any] = {f"role-{LONG[:50]}-{at}": {} for at in range(30)}
    rows = [membership_row(SUB, "acme", roles=sorted(roles)), tenant_row("acme")]
    names = {"claim_names": {"roles": "custom:r", "tenants": None}}
    decision = decided(policy(1500, roles=roles, settings=names), facts(*rows), event(SIGN_IN))
    for changes in (decision.changes.access, decision.changes.id):
        assert changes.claims["claims_shed"] == ["custom:r"]


def test_a_machines_token_is_measured_too() -> None:
    rule = {"optional": True, "access_claims": {"a": LONG * 9}}
    decision = decided(policy(1500, rule), facts(machine=True), event(MACHINE))
    assert decision.changes.access.claims["claims_shed"] == ["a"]
    assert decision.changes.id.claims == {}


def test_which_token_it_was_left_out_of_is_said() -> None:
    rule = {"optional": True, "access_claims": {"a": LONG * 5}, "id_claims": {"a": LONG * 5}}
    decision = decided(policy(1500, rule), facts(*MEMBER), event(SIGN_IN))
    assert [reason.token for reason in decision.reasons if reason.outcome == "shed"] == ["access", "id"]


def test_a_claim_that_an_optional_rule_works_out_is_shed_and_one_that_it_fails_to_is_nobodys() -> None:
    worked_out = {"optional": True, "id_claims": {"a": {"template": "{tenant.id}" + LONG * 5}}}
    odd = {"optional": True, "id_claims": {"b": {"template": "{tenant.id}Ä" + LONG * 5}}}
    fitted = decided(policy(3000, worked_out, odd), facts(*MEMBER), event(SIGN_IN)).changes.id.claims
    assert fitted["claims_shed"] == ["a", "b"]
    # The optional rules set nothing, so the claim is that of the rule before them, which is not optional.
    rows = (MEMBER[0], tenant_row("acme", claims={"object": {"a": 1}}))
    for nothing in ({"from": "tenant.claims.ghost"}, {"from": "tenant.claims.object"}, {"from": 7}):
        # The ID token takes no object as address.
        rules = ({"id_claims": {"address": LONG * 5}}, {"optional": True, "id_claims": {"address": nothing}})
        assert refused(policy(1500, *rules), facts(*rows), event(SIGN_IN)).code is Code.TOKEN_OVER_BUDGET


def test_a_refusal_says_which_token_is_too_long_and_whether_something_was_left_out() -> None:
    for rule, left in (
        ({"id_claims": {"a": LONG * 5}}, "even without what may be left out"),
        ({"access_claims": {"a": LONG * 5}}, "even without what may be left out"),
    ):
        refusal = refused(policy(1500, rule), facts(*MEMBER), event(SIGN_IN))
        [why] = [reason for reason in refusal.reasons if reason.outcome == "refused"]
        token = "id" if "id_claims" in rule else "access"
        assert (why.kind, why.name, why.token, why.source) == ("token", token, token, "POLICY SETTINGS")
        octets, detail = why.detail.removeprefix("it has about ").split(" ", 1)
        assert int(octets.replace(",", "")) > 1500
        assert detail == f"bytes, {left}; token_budget is 1,500"
    nothing = refused(policy(100), facts(), event(SIGN_IN))
    end = "bytes, and nothing in it may be left out; token_budget is 100"
    assert [reason.token for reason in nothing.reasons if reason.detail.endswith(end)] == ["access", "id"]
