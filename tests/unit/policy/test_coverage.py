"""Which rules, roles and routes the tests of a policy depend on."""

from __future__ import annotations

from typing import Any

from claimsmith.engine.codec import from_document
from claimsmith.policy import compile as compile_policy
from claimsmith.policy import from_rows
from claimsmith.policy.coverage import measure
from claimsmith.policy.documents import Test
from claimsmith.policy.policy_tests import run
from tests.policies import policy_rows

SECTIONS: dict[str, Any] = {
    "roles": {
        "viewer": {"scopes": ["orders/read"]},
        "editor": {"inherits": ["viewer"], "scopes": ["orders/write"]},
        "owner": {"inherits": ["editor"]},
    },
    "rules": {
        "plan": {"order": 1, "claims": {"plan": {"from": "tenant.plan"}}},
        "always": {"order": 2, "claims": {"region": "eu"}},
        "off": {"order": 3, "enabled": False, "claims": {"region": "us"}},
    },
}
ROUTES: dict[str, dict[str, Any]] = {
    "open": {"path": "/open"},
    "read": {"path": "/orders", "any_scope": ["orders/read", "orders/admin"]},
    "write": {"path": "/write", "all_scopes": ["orders/read", "orders/write"], "any_role": ["editor"]},
    "nobody": {"path": "/nobody", "any_scope": []},
}
MEMBER = {"tenant": {"id": "acme", "plan": "pro"}, "membership": {"roles": ["editor"]}}


def missing(given: dict[str, Any], **expect: Any) -> dict[str, tuple[str, ...]]:  # noqa: ANN401 - parts of a test
    """What a policy's one test does not depend on."""
    rows = [*policy_rows(**SECTIONS), *({"pk": "POLICY", "sk": f"ROUTE#{name}", **row} for name, row in ROUTES.items())]
    bundle = from_document(compile_policy(from_rows(rows)), 0)
    test = Test.model_validate({"given": given, "expect": expect})
    return {section: share.missing for section, share in measure(bundle, [test]).items()}


def test_a_test_depends_on_the_rules_and_roles_that_its_expectations_need() -> None:
    assert missing(MEMBER, access={"plan": "pro"}, scopes=["orders/read", "orders/write"]) == {
        "rules": ("always",),
        "roles": ("owner",),
        "routes": ("nobody", "write"),
    }


def test_a_role_counts_where_only_its_name_is_expected() -> None:
    assert missing(MEMBER, access={"roles": ["editor", "viewer"]})["roles"] == ("owner",)
    assert missing(MEMBER, absent={"access": ["region"]})["roles"] == ("editor", "owner", "viewer")


def test_a_route_counts_where_a_test_expects_what_it_asks_for() -> None:
    scopes = ["orders/read", "orders/write"]
    assert missing(MEMBER, scopes=scopes, access={"roles": ["editor", "viewer"]})["routes"] == ("nobody",)
    assert missing(MEMBER)["routes"] == ("nobody", "read", "write"), "any token opens the route that asks for nothing"
    assert missing(MEMBER, scopes=["orders/read"])["routes"] == (*sorted(ROUTES),), "the test fails"
    suspended = {"user": {"status": "suspended"}}
    assert missing(suspended, refused="CS2009")["routes"] == (*sorted(ROUTES),), "no token"


def test_a_disabled_rule_does_not_count() -> None:
    assert "off" not in missing({})["rules"]


def test_a_rule_counts_where_it_leaves_no_room_for_what_a_test_asks_about() -> None:
    rules = {
        "first": {"order": 1, "access_claims": {"first": "x" * 1_000}},
        "second": {"order": 2, "access_claims": {"second": "x" * 1_000}, "optional": True},
    }
    bundle = from_document(compile_policy(from_rows(policy_rows(settings={"token_budget": 3_072}, rules=rules))), 0)
    test = Test.model_validate({"expect": {"absent": {"access": ["second"]}}})
    assert [*run(test, bundle)] == []
    assert measure(bundle, [test])["rules"].missing == ("second",)
