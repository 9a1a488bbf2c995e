"""Rows are read fail-closed: what is wrong in them grants nothing and is reported by its place, never by its value."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from claimsmith.engine.facts import Problem, Tenant, read_tenant, read_user
from tests.events import SUB
from tests.policies import NOW, membership_row, tenant_row, user_row

MILLISECONDS = NOW * 1000


def test_no_row_at_all_is_an_active_user_without_anything() -> None:
    read = read_user([], NOW)
    assert read.user is not None
    assert read.user.active
    assert (read.user.roles, read.memberships, read.problems) == ((), {}, ())


def test_roles_may_be_a_list_or_a_string_set() -> None:
    as_list = read_user([user_row(SUB, roles=["b", "a"])], NOW).user
    as_set = read_user([user_row(SUB, roles=frozenset({"b", "a"}))], NOW).user
    assert as_list is not None
    assert as_set is not None
    assert sorted(as_list.roles) == list(as_set.roles) == ["a", "b"]


@pytest.mark.parametrize("status", ["suspended", "Active", "ACTIVE", "", None, True, 1, ["active"], {"active": True}])
def test_every_status_but_active_is_not_active(status: object) -> None:
    user = read_user([user_row(SUB, status=status)], NOW).user
    assert user is not None
    assert not user.active
    assert read_user([membership_row(SUB, "acme", status=status)], NOW).memberships == {}
    tenant = read_tenant(tenant_row("acme", status=status), NOW)
    assert isinstance(tenant, Tenant)
    assert not tenant.active


WRONG: list[tuple[str, Any]] = [
    ("roles", "admin"),
    ("roles", {"admin": True}),
    ("roles", ["admin", 1]),
    ("roles", [["admin"]]),
    ("roles", frozenset({1})),
    ("roles", None),
    ("roles", True),
    ("claims", []),
    ("claims", "x"),
    ("access_claims", None),
    ("id_claims", 3),
    ("ttl", "1800000001"),
    ("ttl", MILLISECONDS),
    ("ttl", True),
    ("ttl", -1),
    ("ttl", 0),
    ("ttl", Decimal("NaN")),
    ("ttl", float("inf")),
]


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        *WRONG,
        ("active_tenant", 7),
        ("active_tenant", ["acme"]),
        ("active_tenant_by_client", "acme"),
        ("active_tenant_by_client", {"client": 7}),
        ("active_tenant_by_client", None),
    ],
)
def test_an_unreadable_user_row_is_no_user_and_is_reported(attribute: str, value: object) -> None:
    read = read_user([user_row(SUB, **{attribute: value}), membership_row(SUB, "acme")], NOW)
    assert read.user is None
    assert [(problem.row, problem.attribute) for problem in read.problems] == [(f"USER#{SUB} USER", attribute)]


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        *WRONG,
        ("scopes", "orders/read"),
        ("scopes", [None]),
        ("expires_at", "2027-01-15"),
        ("expires_at", MILLISECONDS),
        ("expires_at", [NOW + 1]),
        ("expires_at", float("nan")),
        ("expires_at", Decimal("NaN")),
        ("expires_at", Decimal("sNaN")),
    ],
)
def test_an_unreadable_membership_counts_as_not_there_and_is_reported(attribute: str, value: object) -> None:
    bad = membership_row(SUB, "acme", **{attribute: value})
    read = read_user([bad, membership_row(SUB, "globex", roles=["viewer"])], NOW)
    assert list(read.memberships) == ["globex"]
    assert [(problem.row, problem.attribute) for problem in read.problems] == [(f"USER#{SUB} TENANT#acme", attribute)]


@pytest.mark.parametrize("name", ["", "a b", "acme#x", "-acme", "x" * 64])
def test_a_membership_in_what_is_no_tenant_id_is_reported(name: str) -> None:
    read = read_user([membership_row(SUB, name)], NOW)
    assert read.memberships == {}
    assert [problem.attribute for problem in read.problems] == ["sk"]


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("name", 7),
        ("plan", ["pro"]),
        ("default_roles", "viewer"),
        ("roles_allowed", frozenset({"viewer"})),
        ("roles_allowed", "viewer"),
        ("roles_allowed", None),
        ("scopes_allowed", frozenset({"orders/read"})),
        ("scopes_allowed", {}),
        ("claims", "x"),
        ("ttl", "tomorrow"),
    ],
)
def test_an_unreadable_tenant_row_is_a_problem_and_no_tenant(attribute: str, value: object) -> None:
    read = read_tenant(tenant_row("acme", **{attribute: value}), NOW)
    assert isinstance(read, Problem)
    assert (read.row, read.attribute) == ("TENANT#acme TENANT", attribute)


def test_a_ceiling_that_is_absent_is_none_and_an_empty_one_is_nothing() -> None:
    absent, empty = read_tenant(tenant_row("a"), NOW), read_tenant(tenant_row("a", scopes_allowed=[]), NOW)
    assert isinstance(absent, Tenant)
    assert isinstance(empty, Tenant)
    assert (absent.scopes_allowed, empty.scopes_allowed) == (None, frozenset())


@pytest.mark.parametrize(("expires_at", "usable"), [(NOW - 1, False), (NOW, False), (NOW + 1, True)])
def test_a_membership_ends_at_its_second(expires_at: int, *, usable: bool) -> None:
    assert ("acme" in read_user([membership_row(SUB, "acme", expires_at=expires_at)], NOW).memberships) is usable


def test_a_row_past_its_time_to_live_counts_as_deleted() -> None:
    assert read_user([membership_row(SUB, "acme", ttl=NOW)], NOW).memberships == {}
    assert "acme" in read_user([membership_row(SUB, "acme", ttl=NOW + 1)], NOW).memberships
    assert read_tenant(tenant_row("acme", ttl=NOW - 1), NOW) is None


def test_unknown_attributes_and_unknown_rows_are_ignored() -> None:
    read = read_user([user_row(SUB, colour="blue"), {"pk": f"USER#{SUB}", "sk": "NOTE#1", "roles": 7}], NOW)
    assert read.user is not None
    assert read.problems == ()


def test_claims_for_one_token_stand_over_claims_for_both() -> None:
    row = user_row(SUB, claims={"a": 1, "b": 1}, access_claims={"a": 2}, id_claims={"b": 3})
    user = read_user([row], NOW).user
    assert user is not None
    assert user.claims.access == {"a": 2, "b": 1}
    assert user.claims.id == {"a": 1, "b": 3}


def test_a_problem_never_holds_the_value() -> None:
    read = read_user([user_row(SUB, roles="s3cret"), membership_row(SUB, "acme", expires_at="s3cret")], NOW)
    assert len(read.problems) == 2
    assert "s3cret" not in repr(read.problems)
