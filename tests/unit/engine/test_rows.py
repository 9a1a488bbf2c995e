"""Rows of the directory read whole, and the words in which a row that cannot be read is reported."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from claimsmith.engine.facts import Literals, Membership, Problem, Tenant, User, UserFacts, read_tenant, read_user
from claimsmith.engine.staging import read_staging
from tests.events import SUB, event
from tests.policies import NOW, bundle, decided, facts, membership_row, tenant_row, user_row

EARLIEST, LATEST = 1_000_000_000, 99_999_999_999

CLAIMS: dict[str, Any] = {"claims": {"a": 1}, "access_claims": {"b": 2}, "id_claims": {"c": 3}}
READ_CLAIMS = Literals({"a": 1, "b": 2}, {"a": 1, "c": 3})


def test_a_users_rows_are_read_whole() -> None:
    rows = [
        membership_row(SUB, "acme", roles=["z", "a"], scopes=["orders/read"], expires_at=NOW + 1, **CLAIMS),
        user_row(
            SUB,
            active_tenant="acme",
            active_tenant_by_client={"web": "globex"},
            roles=["z", "a"],
            ttl=NOW + 1,
            **CLAIMS,
        ),
    ]
    assert read_user(rows, NOW) == UserFacts(
        User(
            active=True,
            active_tenant="acme",
            active_tenant_by_client={"web": "globex"},
            roles=("z", "a"),
            claims=READ_CLAIMS,
        ),
        {"acme": Membership(("z", "a"), ("orders/read",), READ_CLAIMS)},
    )


def test_a_tenants_row_is_read_whole() -> None:
    row = tenant_row(
        "acme",
        name="Acme",
        plan="pro",
        default_roles=["viewer"],
        roles_allowed=["viewer", "editor"],
        scopes_allowed=["orders/read"],
        **CLAIMS,
    )
    assert read_tenant(row, NOW) == Tenant(
        "acme",
        active=True,
        name="Acme",
        plan="pro",
        default_roles=("viewer",),
        roles_allowed=frozenset({"viewer", "editor"}),
        scopes_allowed=frozenset({"orders/read"}),
        claims=READ_CLAIMS,
    )


@pytest.mark.parametrize("name", ["claims", "access_claims", "id_claims"])
def test_each_kind_of_claims_may_stand_alone(name: str) -> None:
    user = read_user([user_row(SUB, **{name: {"x": 1}})], NOW).user
    assert user is not None
    assert (user.claims.access, user.claims.id) == (
        {"x": 1} if name != "id_claims" else {},
        {"x": 1} if name != "access_claims" else {},
    )


def test_a_user_row_past_its_time_to_live_is_as_if_it_were_not_there() -> None:
    assert read_user([user_row(SUB, status="suspended", ttl=NOW)], NOW).user == User()


def test_a_row_without_a_sort_key_or_with_one_that_is_no_text_is_none_of_the_users() -> None:
    rows: list[dict[str, Any]] = [{"pk": f"USER#{SUB}"}, {"pk": f"USER#{SUB}", "sk": b"TENANT#acme"}]
    assert read_user(rows, NOW) == UserFacts(User())


@pytest.mark.parametrize("time", [EARLIEST, Decimal(EARLIEST), EARLIEST - 1 + 1.0, Decimal(f"{EARLIEST}.5")])
def test_the_earliest_time_that_a_row_may_hold_is_long_over(time: Any) -> None:  # noqa: ANN401 - any number
    assert read_user([membership_row(SUB, "acme", expires_at=time)], NOW) == UserFacts(
        User(), barred=frozenset({"acme"})
    )


@pytest.mark.parametrize("time", [LATEST, Decimal(LATEST), float(LATEST)])
def test_the_latest_time_that_a_row_may_hold_is_still_to_come(time: Any) -> None:  # noqa: ANN401 - any number
    assert "acme" in read_user([membership_row(SUB, "acme", expires_at=time, ttl=time)], NOW).memberships


@pytest.mark.parametrize("time", [EARLIEST - 1, LATEST + 1, Decimal(LATEST + 1), Decimal("-Infinity")])
def test_a_time_before_or_after_those_is_a_mistake(time: Any) -> None:  # noqa: ANN401 - any number
    [problem] = read_user([membership_row(SUB, "acme", expires_at=time)], NOW).problems
    assert problem == Problem(f"USER#{SUB} TENANT#acme", "expires_at", "is not a time in epoch seconds")


def test_a_part_of_a_second_does_not_lengthen_a_membership() -> None:
    assert read_user([membership_row(SUB, "acme", expires_at=NOW + 0.5)], NOW).memberships == {}


TIME = "is not a time in epoch seconds"
STRINGS = "is not a list or set of strings"


@pytest.mark.parametrize(
    ("attributes", "why"),
    [
        ({"active_tenant": 7}, "is not a string"),
        ({"active_tenant_by_client": {"web": 7}}, "is not a map of strings"),
        ({"active_tenant_by_client": ["web"]}, "is not a map of strings"),
        ({"roles": "admin"}, STRINGS),
        ({"ttl": "soon"}, TIME),
        ({"claims": []}, "is not a map"),
    ],
    ids=repr,
)
def test_what_is_wrong_with_a_user_row_is_reported(attributes: dict[str, Any], why: str) -> None:
    [attribute] = attributes
    expected = (Problem(f"USER#{SUB} USER", attribute, why),)
    assert read_user([user_row(SUB, **attributes)], NOW) == UserFacts(None, {}, expected)


@pytest.mark.parametrize(
    ("attributes", "why"),
    [
        ({"roles": [1]}, STRINGS),
        ({"scopes": "a"}, STRINGS),
        ({"expires_at": None}, TIME),
        ({"id_claims": 1}, "is not a map"),
    ],
    ids=repr,
)
def test_what_is_wrong_with_a_membership_is_reported_even_while_it_is_not_active(
    attributes: dict[str, Any], why: str
) -> None:
    [attribute] = attributes
    [problem] = read_user([membership_row(SUB, "acme", status="invited", **attributes)], NOW).problems
    assert problem == Problem(f"USER#{SUB} TENANT#acme", attribute, why)


def test_an_invalid_tenant_id_is_reported() -> None:
    [problem] = read_user([membership_row(SUB, "AC ME")], NOW).problems
    assert problem == Problem(f"USER#{SUB} TENANT#AC ME", "sk", "is not a tenant id")


@pytest.mark.parametrize(
    ("attributes", "why"),
    [
        ({"name": 7}, "is not a string"),
        ({"plan": 7}, "is not a string"),
        ({"default_roles": 7}, STRINGS),
        ({"roles_allowed": {"viewer"}}, "is not a list of strings"),
        ({"scopes_allowed": [7]}, "is not a list of strings"),
        ({"access_claims": 1}, "is not a map"),
        ({"ttl": True}, TIME),
    ],
    ids=repr,
)
def test_what_is_wrong_with_a_tenant_row_is_reported(attributes: dict[str, Any], why: str) -> None:
    [attribute] = attributes
    assert read_tenant(tenant_row("acme", **attributes), NOW) == Problem("TENANT#acme TENANT", attribute, why)


@pytest.mark.parametrize(
    ("row", "attribute", "why"),
    [
        ({"candidate": 0}, "candidate", "is not the number of a version"),
        ({"candidate": 1, "percent": 101}, "percent", "is not a whole number from 0 to 100"),
        ({"candidate": 1, "subjects": "a"}, "subjects", "is not a list of strings"),
    ],
    ids=repr,
)
def test_what_is_wrong_with_a_staged_version_is_reported(row: dict[str, Any], attribute: str, why: str) -> None:
    nobody = f"{why}; nobody is served by a staged version"
    assert read_staging(row) == Problem("BUNDLE CURRENT", attribute, nobody)


@pytest.mark.parametrize("name", ["org_9RCjUIrYr1mWJhgE", "01J9ZC8V3T5Q2W7XK4M6N8P0RB", "Acme:EU", "ROLE_ADMIN"])
def test_ids_of_other_systems_are_taken_as_they_are(name: str) -> None:
    known = facts(membership_row(SUB, name, roles=["member"]), tenant_row(name))
    decision = decided(bundle(roles={"member": {}, "ROLE_ADMIN": {}}), known, event())
    assert (decision.tenant_id, decision.roles, decision.problems) == (name, ("member",), ())


@pytest.mark.parametrize("name", ["", " a", "a b", "a#b", "a,b", "-a", "é", "a" * 64, "a/b"])
def test_what_could_be_a_separator_is_in_no_id(name: str) -> None:
    assert [*read_user([membership_row(SUB, name)], NOW).memberships] == []


def test_a_member_of_two_tenants_that_differ_only_by_case_is_one_of_neither() -> None:
    rows = [membership_row(SUB, name) for name in ("Acme", "acme", "Globex")]
    read = read_user(rows, NOW)
    assert [*read.memberships] == ["Globex"]
    assert [problem.row for problem in read.problems] == [f"USER#{SUB} TENANT#Acme", f"USER#{SUB} TENANT#acme"]
    assert read.barred == {"Acme", "acme"}
