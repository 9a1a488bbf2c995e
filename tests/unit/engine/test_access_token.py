"""Clients whose access tokens get nothing from the policy: what is left out, and what is taken away all the same."""

from __future__ import annotations

from typing import Any

import pytest

from claimsmith.cognito.event import parse
from claimsmith.cognito.response import TokenChanges, build
from claimsmith.engine.codec import FORMAT, USUAL_FORMAT
from claimsmith.engine.decide import degraded
from claimsmith.engine.explanation import PolicyVersion, Situation, Target, explain_absence
from claimsmith.engine.holding import Question, RuledOut
from claimsmith.errors import Code
from claimsmith.policy import compile as compile_policy
from claimsmith.policy import from_rows, lint
from tests.events import HOSTED, SIGN_IN, SUB, event
from tests.policies import NOW, VERSION, bundle, decided, facts, membership_row, policy_rows, tenant_row, user_row

POLICY: dict[str, Any] = {
    "settings": {"scope_mode": "exact"},
    "roles": {
        "viewer": {"scopes": ["orders/read"], "claims": {"level": 1}, "add_groups": ["Viewers"]},
        "editor": {"scopes": ["orders/write"]},
    },
    "clients": {"alb": {"name": "alb", "add_to_access_token": False, "audience": True}, "web": {"name": "web"}},
    "rules": {
        "all": {"order": 10, "claims": {"plan": {"from": "tenant.plan"}}, "add_scopes": ["reports/read"]},
        "out": {
            "order": 20,
            "when": {"field": "user.claims.out", "op": "exists"},
            "suppress_groups": ["Staff"],
            "suppress_access_claims": ["level"],
        },
    },
}
ROWS = (
    user_row(SUB, claims={"nick": "a"}),
    membership_row(SUB, "acme", roles=["viewer"]),
    tenant_row("acme", name="Acme", plan="pro"),
)


def answer(*rows: dict[str, Any], client: str = "alb", **sent: Any) -> dict[str, Any]:  # noqa: ANN401 - passed on to event
    asked = event(sent.pop("source", HOSTED), client_id=client, **{"scopes": ["openid"], **sent})
    decision = decided(bundle(**POLICY), facts(*(rows or ROWS)), asked)
    details: dict[str, Any] = build(decision.changes, parse(asked))["claimsAndScopeOverrideDetails"]
    return details


@pytest.mark.parametrize("source", [HOSTED, SIGN_IN])
def test_the_access_token_stays_as_it_is_and_the_id_token_is_enriched(source: str) -> None:
    scopes = ["openid"] if source == HOSTED else ["aws.cognito.signin.user.admin"]
    found = answer(source=source, scopes=scopes, groups=["Staff"])
    assert found.keys() == {"accessTokenGeneration", "idTokenGeneration"}
    assert found["accessTokenGeneration"] == {}
    claims = found["idTokenGeneration"]["claimsToAddOrOverride"]
    assert claims.items() >= {"tenant_id": "acme", "roles": ["viewer"], "level": 1, "plan": "pro", "nick": "a"}.items()
    other = answer(client="web", source=source, scopes=scopes, groups=["Staff"])
    assert other["idTokenGeneration"] == found["idTokenGeneration"]
    assert other["accessTokenGeneration"].keys() == {"claimsToAddOrOverride", "scopesToAdd"}
    assert other["groupOverrideDetails"]["groupsToOverride"] == ["Staff", "Viewers"]


def test_what_the_policy_takes_away_it_takes_away_there_too() -> None:
    rows = (user_row(SUB, claims={"out": True}), *ROWS[1:])
    found = answer(*rows, scopes=["openid", "orders/read", "orders/write"], groups=["Staff", "Desk"])
    assert found["accessTokenGeneration"] == {"claimsToSuppress": ["level"], "scopesToSuppress": ["orders/write"]}
    assert found["groupOverrideDetails"]["groupsToOverride"] == ["Desk"]
    assert answer(*rows, groups=["Staff"])["accessTokenGeneration"]["claimsToSuppress"] == [
        "cognito:groups",
        "level",
    ]


def test_the_reasons_say_so() -> None:
    decision = decided(bundle(**POLICY), facts(*ROWS), event(HOSTED, client_id="alb", scopes=["openid"]))
    why = "add_to_access_token of the client is false"
    left_out = {(reason.kind, reason.name) for reason in decision.reasons if reason.detail == why}
    assert left_out >= {("claim", name) for name in ("level", "nick", "plan", "policy_version", "roles", "tenant_id")}
    assert left_out >= {("scope", "orders/read"), ("scope", "reports/read"), ("group", "Viewers")}
    assert not [reason for reason in decision.reasons if reason.outcome == "set" and reason.token == "access"]


def test_a_degraded_access_token_has_no_mark_where_the_client_is_known() -> None:
    given = parse(event(HOSTED, client_id="alb", scopes=["openid", "orders/read"], groups=["Staff"]))
    changes = degraded(bundle(**POLICY), given, Code.STORE_UNAVAILABLE).changes
    assert changes.access == TokenChanges({}, ("cognito:groups",))
    assert changes.scopes_to_suppress == ("orders/read",)
    assert changes.id.claims == {"claims_degraded": "CS2001"}
    assert degraded(None, given, Code.STORE_UNAVAILABLE).changes.access.claims == {"claims_degraded": "CS2001"}


@pytest.mark.parametrize(
    "target",
    [
        Target("claim", "level", "access"),
        Target("claim", "tenant_id", "access"),
        Target("scope", "orders/read"),
        Target("group", "Viewers"),
    ],
)
def test_explain_names_the_switch(target: Target) -> None:
    situation = Situation(
        PolicyVersion(compile_policy(from_rows(policy_rows(**POLICY))), VERSION),
        {row["sk"]: row for row in ROWS[:2]},
        {"acme": ROWS[2]},
        parse(event(HOSTED, client_id="alb", scopes=["openid"])),
        NOW,
    )
    absence = explain_absence(situation, target)
    assert [(step.row, step.attribute, step.value) for step in absence.steps] == [
        ("POLICY CLIENT#alb", "add_to_access_token", True)
    ]


def test_a_scope_that_is_requested_and_granted_is_not_ruled_out_and_one_that_would_be_added_is() -> None:
    policy = bundle(**{**POLICY, "rules": {}})
    ruled_out = RuledOut(Question("scope", "orders/read"), policy)
    for scopes, expected in ((["openid"], True), (["openid", "orders/read"], False)):
        assert ruled_out(facts(*ROWS), parse(event(HOSTED, client_id="alb", scopes=scopes))) is expected


def test_only_a_policy_that_uses_it_has_the_format_that_older_functions_refuse() -> None:
    for value, written in ((False, FORMAT), (True, USUAL_FORMAT)):
        rows = policy_rows(clients={"alb": {"add_to_access_token": value}})
        assert compile_policy(from_rows(rows))["format"] == written


def test_lint_does_not_count_what_is_not_added() -> None:
    long: dict[str, Any] = {
        "settings": {"token_budget": 2048},
        "rules": {"long": {"order": 1, "access_claims": {"long": "x" * 2_000}}},
    }
    for added in (True, False):
        rows = policy_rows(clients={"alb": {"add_to_access_token": added}}, **long)
        codes = [finding.code for finding in lint(from_rows(rows))]
        assert (Code.TOKEN_MAY_EXCEED_BUDGET in codes) is added
