"""Groups that rows name, the IAM roles that come with groups, and scopes of OpenID Connect for sign-ins by API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from claimsmith.cognito.event import parse
from claimsmith.cognito.response import build
from claimsmith.engine.codec import USUAL_FORMAT
from claimsmith.policy import compile as compile_policy
from claimsmith.policy import from_rows
from tests.events import HOSTED, MACHINE, SIGN_IN, SUB, event
from tests.policies import bundle, decided, facts, membership_row, policy_rows, tenant_row, user_row

if TYPE_CHECKING:
    from collections.abc import Sequence

READER, WRITER, CLOUD = (f"arn:aws:iam::123456789012:role/{name}" for name in ("reader", "writer", "cloud"))

POLICY = bundle(
    settings={"oidc_scopes": ["openid", "email"], "directory_groups": ["plant-*", "Audit"]},
    roles={
        "base": {"add_groups": ["Base"], "scopes": ["openid", "orders/read"]},
        "lead": {"inherits": ["base"], "add_groups": ["Leads"]},
    },
    groups={
        "Base": {"iam_roles": [READER], "preferred_role": READER},
        "Audit": {"iam_roles": [WRITER, READER]},
        "Staff": {"iam_roles": [WRITER], "preferred_role": WRITER},
    },
    rules={
        "out": {
            "order": 10,
            "when": {"field": "user.claims.out", "op": "exists"},
            "suppress_groups": ["Staff", "Pool", "Base"],
        },
    },
)


def answer(*rows: dict[str, Any], groups: Sequence[str] = ()) -> dict[str, Any] | None:
    """The groups in the trigger's answer."""
    sent = event(SIGN_IN, groups=groups)
    sent["request"]["groupConfiguration"]["iamRolesToOverride"] = [CLOUD] if groups else []
    sent["request"]["groupConfiguration"]["preferredRole"] = CLOUD if groups else None
    decision = decided(POLICY, facts(*rows), sent)
    details: dict[str, Any] = build(decision.changes, parse(sent))["claimsAndScopeOverrideDetails"]
    return details.get("groupOverrideDetails")


def test_roles_and_directory_rows_name_groups_as_far_as_the_settings_allow() -> None:
    rows = (
        user_row(SUB, groups={"plant-7", "Administrators"}, roles=["lead"]),
        membership_row(SUB, "acme", groups=["Audit", "audit"]),
        tenant_row("acme"),
    )
    assert answer(*rows, groups=["Pool"]) == {
        "groupsToOverride": ["Pool", "Audit", "Base", "Leads", "plant-7"],
        "iamRolesToOverride": [CLOUD, READER, WRITER],
        "preferredRole": READER,
    }


def test_without_groups_there_is_no_empty_override() -> None:
    """Cognito takes an empty one as "no groups"; that the policy has rows of groups changes nothing for others."""
    assert answer() is None
    assert answer(groups=["Pool"]) is None
    assert answer(user_row(SUB, claims={"out": 1}), groups=["Pool"]) is None


def test_the_iam_roles_of_groups_that_are_left_outlive_those_of_cognito() -> None:
    taken = answer(user_row(SUB, claims={"out": 1}, groups=["Audit"]), groups=["Pool", "Staff"])
    assert taken == {"groupsToOverride": ["Audit"], "iamRolesToOverride": [READER, WRITER]}


def test_what_is_asked_for_by_name_alone_is_not_a_role_of_the_policy() -> None:
    policy = bundle(
        settings={"directory_groups": ["*"]},
        roles={"admin": {"scopes": ["admin/all"]}},
        groups={"Admins": {"roles": ["admin"]}},
    )
    decision = decided(policy, facts(user_row(SUB, groups=["Admins"])), event(SIGN_IN))
    assert decision.changes.groups is not None
    assert decision.roles == ()


@pytest.mark.parametrize("groups", ["Audit", [1], [""], ["x" * 129], {"a": 1}, None])
def test_a_list_that_cannot_be_read_is_reported_and_refuses_nobody(groups: object) -> None:
    decision = decided(POLICY, facts(user_row(SUB, groups=groups, roles=["base"])), event(SIGN_IN))
    assert decision.roles == ("base",)
    expected = [(f"USER#{SUB} USER", "groups")] if groups is not None else []
    assert [(problem.row, problem.attribute) for problem in decision.problems] == expected


def test_where_no_setting_says_so_groups_of_rows_are_only_a_reason() -> None:
    decision = decided(bundle(), facts(user_row(SUB, groups=["Audit"])), event(SIGN_IN))
    assert decision.changes.groups is None
    assert ("group", "Audit", "dropped") in {reason[:3] for reason in decision.reasons}


def test_scopes_of_openid_connect_are_for_sign_ins_by_api_alone() -> None:
    person = user_row(SUB, roles=["base"])
    assert "openid" in decided(POLICY, facts(person), event(SIGN_IN)).changes.scopes_to_add
    for mode in ("exact", "intersect"):
        policy = POLICY._replace(settings=POLICY.settings._replace(scope_mode=mode))
        hosted = decided(policy, facts(person), event(HOSTED, scopes=["orders/read"])).changes
        assert hosted.scopes_to_add == hosted.scopes_to_suppress == ()
        machines = policy._replace(clients={"1example23456789": bundle(
            roles={"base": {}}, clients={"1example23456789": {"roles": ["base"]}}
        ).clients["1example23456789"]})  # fmt: skip
        assert "openid" not in decided(machines, facts(machine=True), event(MACHINE)).changes.scopes_to_add


def test_no_row_of_the_directory_grants_a_scope_of_openid_connect() -> None:
    rows = membership_row(SUB, "acme", scopes=["openid", "email"]), tenant_row("acme")
    assert decided(POLICY, facts(*rows), event(SIGN_IN)).changes.scopes_to_add == ()


def test_the_ceiling_of_a_client_holds_for_them() -> None:
    client = bundle(clients={"1example23456789": {"scopes_allowed": ["orders/read"]}}).clients
    policy = POLICY._replace(clients=client)
    added = decided(policy, facts(user_row(SUB, roles=["base"])), event(SIGN_IN)).changes.scopes_to_add
    assert added == ("orders/read",)


def test_a_policy_without_anything_new_is_stored_in_the_usual_format() -> None:
    plain = {"roles": {"base": {"scopes": ["orders/read"]}}, "groups": {"Staff": {"roles": ["base"]}}}
    assert compile_policy(from_rows(policy_rows(**plain)))["format"] == USUAL_FORMAT
