"""A token that would be too long: what is left out, in which order, and when it is refused."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest

from claimsmith.cognito import size
from claimsmith.cognito.event import parse
from claimsmith.cognito.response import Changes
from claimsmith.cognito.tokens import issued
from claimsmith.engine import Decision, Reason, Refusal, decide
from claimsmith.errors import Code, SignInRefusedError
from tests.events import CLIENT, HOSTED, MACHINE, SIGN_IN, SUB, event
from tests.policies import decided, facts, membership_row, refused, tenant_row, unlinted

MEMBER = [membership_row(SUB, "acme", roles=["editor"]), tenant_row("acme")]
LONG = "x" * 300


def policy(budget: int, *rules: dict[str, Any], **sections: Any) -> Any:  # noqa: ANN401 - passed on
    made = unlinted(*rules, **{"roles": {"editor": {}}, **sections})
    return made._replace(settings=made.settings._replace(token_budget=budget))


def lengths(decision: Decision, asked: dict[str, Any]) -> list[int]:
    request = parse(asked)
    return [size.signed(size.payload(claims, request)) for claims in issued(request, decision.changes)]


def test_claims_of_optional_rules_are_shed_last_first_and_the_token_lists_them() -> None:
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


def test_a_refusal_names_the_token_that_is_too_long_and_whose_part_it_is() -> None:
    for rule in ({"id_claims": {"a": LONG * 5}}, {"access_claims": {"a": LONG * 5}}):
        refusal = refused(policy(1500, rule), facts(*MEMBER), event(SIGN_IN))
        [why] = [reason for reason in refusal.reasons if reason.outcome == "refused"]
        token = "id" if "id_claims" in rule else "access"
        assert (why.kind, why.name, why.token, why.source) == ("token", token, token, "POLICY SETTINGS")
        octets, own, end = why.detail.removeprefix("it has about ").split(" bytes, ")[0], *why.detail.split("; ")
        assert int(octets.replace(",", "")) > 1500
        assert own.endswith(" of them by the policy")
        assert end == "token_budget is 1,500, and nothing more may be left out"
    both = refused(
        policy(1500, {"access_claims": {"a": LONG * 5}, "id_claims": {"a": LONG * 5}}), facts(*MEMBER), event(SIGN_IN)
    )
    assert [reason.token for reason in both.reasons if reason.outcome == "refused"] == ["access", "id"]


# What Cognito puts in by itself.

#: Names as long as those of a real report: a tenant's id in each.
GROUPS = [f"DATA_FULL_CONTROL_620c374f-447c-411f-b606-df79f035a{at:03d}" for at in range(80)]


def plain(asked: dict[str, Any]) -> list[int]:
    """How long both tokens are where there is no trigger."""
    request = parse(asked)
    return [size.signed(size.payload(claims, request)) for claims in issued(request, Changes())]


@pytest.mark.parametrize("source", [HOSTED, SIGN_IN])
@pytest.mark.parametrize("budget", [512, 6144])
def test_the_day_the_trigger_is_attached_nobody_is_locked_out(source: str, budget: int) -> None:
    for groups in (GROUPS[:at] for at in range(0, 81, 4)):
        asked = event(source, groups=groups)
        decision = decided(policy(budget), facts(), asked)
        for now, before in zip(lengths(decision, asked), plain(asked), strict=True):
            assert now - before < 60, "the number of the policy's version is all that was added"


def test_a_policy_may_use_a_quarter_of_the_budget_however_long_a_token_is_without_it() -> None:
    asked = event(SIGN_IN, groups=GROUPS)
    [bare, _] = plain(asked)
    assert bare > 6144
    for octets, fits in ((1100, True), (1200, False)):
        ruled = policy(6144, {"access_claims": {"a": "x" * octets}})
        if fits:
            decision = decided(ruled, facts(), asked)
            assert lengths(decision, asked)[0] <= bare + 6144 // 4
            measured = [reason for reason in decision.reasons if reason.kind == "token"]
            assert [(why.outcome, why.token) for why in measured] == [("kept", "access"), ("kept", "id")]
        else:
            assert refused(ruled, facts(), asked).code is Code.TOKEN_OVER_BUDGET


def test_scopes_are_the_policys_part() -> None:
    scopes = {"editor": {"scopes": [f"api/{LONG[:100]}{at}" for at in range(12)]}}
    asked = event(SIGN_IN, groups=GROUPS)
    assert refused(policy(6144, roles=scopes), facts(*MEMBER), asked).code is Code.TOKEN_OVER_BUDGET
    few = {"editor": {"scopes": ["orders/read", "orders/write"]}}
    decision = decided(policy(6144, roles=few), facts(*MEMBER), asked)
    assert decision.changes.scopes_to_add == ("orders/read", "orders/write")


def test_groups_that_a_rule_adds_are_the_policys_part_and_those_that_it_takes_away_are_nobodys() -> None:
    adding = {"add_groups": [f"added-{name}" for name in GROUPS]}
    assert refused(policy(6144, adding), facts(), event(SIGN_IN)).code is Code.TOKEN_OVER_BUDGET
    hiding: dict[str, Any] = {"suppress_groups": GROUPS, "access_claims": {"a": LONG * 16}}
    assert refused(policy(6144, hiding), facts(), event(SIGN_IN, groups=GROUPS)).code is Code.TOKEN_OVER_BUDGET
    swapping = {**adding, "suppress_groups": GROUPS}
    assert refused(policy(6144, swapping), facts(), event(SIGN_IN, groups=GROUPS)).code is Code.TOKEN_OVER_BUDGET


@pytest.mark.parametrize(("length", "shed"), [(1, None), (16, ["a"])])
def test_where_cognitos_part_is_too_long_claims_go_only_until_the_policys_part_is_small(
    length: int, shed: list[str] | None
) -> None:
    optional = {"optional": True, "access_claims": {"a": LONG * length}}
    decision = decided(policy(6144, optional), facts(*MEMBER), event(SIGN_IN, groups=GROUPS))
    assert decision.changes.access.claims.get("claims_shed") == shed
    assert decision.changes.access.claims["roles"] == ["editor"]


SHEDDING = {"settings": {"shed_groups": True}}


def test_groups_are_left_out_only_if_a_setting_allows_it_and_before_roles() -> None:
    asked = event(SIGN_IN, groups=GROUPS)
    asked["request"]["groupConfiguration"] |= {"iamRolesToOverride": ["arn:aws:iam::1:role/a"], "preferredRole": "arn"}
    decision = decided(policy(6144, **SHEDDING), facts(*MEMBER), asked)
    access, identity = issued(parse(asked), decision.changes)
    for claims in (access, identity):
        assert claims["claims_shed"] == ["cognito:groups"]
        assert not {"cognito:groups", "cognito:roles", "cognito:preferred_role"} & claims.keys()
        assert claims["roles"] == ["editor"]
    why = "the token would be longer than token_budget"
    for token in ("access", "id"):
        assert Reason("claim", "cognito:groups", "shed", "request", why, token) in decision.reasons
    small = decided(policy(6144, **SHEDDING), facts(*MEMBER), event(SIGN_IN, groups=GROUPS[:9]))
    assert "cognito:groups" not in small.changes.access.suppressed


def test_groups_are_left_out_of_the_token_that_is_too_long_and_of_no_other() -> None:
    asked = event(SIGN_IN, groups=GROUPS[:20], attributes={"custom:bio": LONG * 9})
    decision = decided(policy(5000, **SHEDDING), facts(), asked)
    assert "cognito:groups" in decision.changes.id.suppressed
    assert "cognito:groups" not in decision.changes.access.suppressed


def test_leaving_groups_out_makes_the_token_exactly_as_short_as_was_reckoned() -> None:
    asked = event(SIGN_IN, groups=GROUPS)
    asked["request"]["groupConfiguration"]["iamRolesToOverride"] = ["arn:aws:iam::123456789012:role/reader"]
    exact = lengths(decided(policy(3000, **SHEDDING), facts(*MEMBER), asked), asked)
    assert decided(policy(max(exact), **SHEDDING), facts(*MEMBER), asked).changes.id.claims["roles"] == ["editor"]
    less = decided(policy(exact[1] - 1, **SHEDDING), facts(*MEMBER), asked)
    assert less.changes.id.claims["claims_shed"] == ["cognito:groups", "roles"]


def test_the_user_reads_that_it_is_the_size() -> None:
    assert "too large" in SignInRefusedError(Code.TOKEN_OVER_BUDGET).message


@pytest.mark.parametrize("optional", [False, True])
def test_many_claims_that_are_the_same_long_list_cost_what_one_does(optional: bool) -> None:  # noqa: FBT001 - a case
    """Else a small policy could make every sign-in of a user with many roles run out of memory."""
    roles: dict[str, Any] = {f"role-{at:04d}": {} for at in range(1_000)}
    rules = [
        {"optional": optional, "access_claims": {f"c{rule}-{at}": {"from": "roles"} for at in range(100)}}
        for rule in range(20)
    ]
    made = policy(6144, *rules, roles=roles)
    known, asked = facts(membership_row(SUB, "acme", roles=sorted(roles)), tenant_row("acme")), event(SIGN_IN)
    tracemalloc.start()
    try:
        outcome = decide(made, known, parse(asked), 0)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert isinstance(outcome, Refusal)
    assert peak < 10_000_000, "all claims encoded are 28 MB"
