"""Scopes that only the policy grants: no row of the directory does, and one that tries is reported."""

from __future__ import annotations

from typing import Any

import pytest

from claimsmith.engine import Decision, Reason
from claimsmith.errors import Code
from tests.events import SIGN_IN, SUB, event
from tests.policies import bundle, decided, facts, membership_row, refused, tenant_row

ROW = f"USER#{SUB} TENANT#acme"
ROLES: dict[str, Any] = {"admin": {"scopes": ["admin/delete", "orders/read"]}, "member": {}}
PRIVILEGED = {"settings": {"privileged_scopes": ["admin/delete", "billing/*"]}}


def signed_in(*scopes: str, role: str = "member", **sections: Any) -> Decision:  # noqa: ANN401 - of a policy
    """An API sign-in, which gets all that is granted, of a member whose row has these scopes."""
    rows = (membership_row(SUB, "acme", roles=[role], scopes=list(scopes)), tenant_row("acme"))
    return decided(bundle(**{"roles": ROLES, **PRIVILEGED, **sections}), facts(*rows), event(SIGN_IN))


@pytest.mark.parametrize("scope", ["admin/delete", "billing/read", "claimsmith/introspect"])
def test_a_membership_does_not_grant_a_privileged_scope_and_that_is_reported(scope: str) -> None:
    decision = signed_in(scope, "orders/write")
    assert decision.changes.scopes_to_add == ("orders/write",)
    why = "it is privileged: only the policy grants it"
    assert Reason("scope", scope, "dropped", ROW, why, "access") in decision.reasons
    [problem] = decision.problems
    assert (problem.row, problem.attribute, problem.code) == (ROW, "scopes", Code.PRIVILEGED_SCOPE_IN_DIRECTORY)
    assert scope not in problem.why


def test_the_introspection_scope_is_privileged_in_every_policy() -> None:
    assert signed_in("claimsmith/introspect", settings={}).changes.scopes_to_add == ()
    assert signed_in("admin/delete", settings={}).changes.scopes_to_add == ("admin/delete",)


def test_roles_and_rules_grant_what_the_membership_may_not() -> None:
    assert "admin/delete" in signed_in("admin/delete", role="admin").changes.scopes_to_add
    rule = {"order": 1, "when": {"field": "user.sub", "op": "equals", "value": SUB}, "add_scopes": ["admin/delete"]}
    decision = signed_in("admin/delete", rules={"r": rule})
    assert decision.changes.scopes_to_add == ("admin/delete",)
    assert Reason("scope", "admin/delete", "granted", "POLICY RULE#r", "", "access") in decision.reasons


def test_where_no_row_tries_nothing_is_reported() -> None:
    assert signed_in("orders/write", "administration/x").problems == ()


def test_a_refusal_reports_it_too_beside_the_rows_that_cannot_be_read() -> None:
    rows = (
        membership_row(SUB, "acme", scopes=["admin/delete"], claims={"a": "x" * 9000}),
        membership_row(SUB, "globex", roles=7),
        tenant_row("acme"),
    )
    refusal = refused(bundle(roles=ROLES, **PRIVILEGED), facts(*rows), event(SIGN_IN))
    assert [problem.code for problem in refusal.problems] == [Code.ROW_UNREADABLE, Code.PRIVILEGED_SCOPE_IN_DIRECTORY]
