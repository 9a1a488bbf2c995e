"""Policy tests run through the real decision; a policy with a failing one is not published."""

from __future__ import annotations

from typing import Any

import pytest

from claimsmith.errors import Code, PolicyError
from claimsmith.policy import compile as compile_policy
from claimsmith.policy import from_rows, lint
from tests.policies import policy_rows

ROLES = {"viewer": {"scopes": ["orders/read"]}, "editor": {"inherits": ["viewer"], "scopes": ["orders/write"]}}
CLIENTS = {
    "web": {"name": "web", "scopes_allowed": ["orders/read"]},
    "batch": {"name": "batch", "tenant": "acme", "roles": ["editor"]},
}
GROUPS = {"Staff": {"roles": ["viewer"]}}
RULES = [
    {"pk": "POLICY", "sk": "RULE#plan", "order": 10, "access_claims": {"plan": {"from": "tenant.plan"}}},
    {"pk": "POLICY", "sk": "RULE#leave", "order": 20, "suppress_groups": ["Leavers"], "add_groups": ["Everybody"],
     "when": {"field": "user.groups", "op": "contains", "value": "Leavers"}},
]  # fmt: skip

MEMBER = {"tenant": {"id": "acme", "plan": "pro"}, "membership": {"roles": ["editor"]}}


def red(given: dict[str, Any], expect: dict[str, Any]) -> list[tuple[str, str]]:
    """The attribute and the message of each expectation that is not met."""
    test = {"pk": "POLICY", "sk": "TEST#t", "given": given, "expect": expect}
    rows = [*policy_rows(roles=ROLES, clients=CLIENTS, groups=GROUPS), *RULES, test]
    findings = [finding for finding in lint(from_rows(rows)) if finding.severity == "error"]
    assert {(finding.code, finding.row) for finding in findings} <= {(Code.TEST_FAILED, "POLICY TEST#t")}
    assert all(finding.message.startswith("t: ") for finding in findings)
    return [(finding.attribute, finding.message.removeprefix("t: ")) for finding in findings]


@pytest.mark.parametrize(
    ("given", "expect"),
    [
        (MEMBER, {"access": {"tenant_id": "acme", "plan": "pro", "roles": ["editor", "viewer"]}}),
        (MEMBER, {"scopes": ["orders/write", "orders/read"], "groups": []}),
        (MEMBER, {"absent": {"id": ["plan"]}, "id": {"tenant_id": "acme"}}),
        ({**MEMBER, "client": {"id": "web"}}, {"scopes": ["orders/read"]}),
        ({"user": {"groups": ["Staff"]}}, {"scopes": ["orders/read"], "absent": {"access": ["tenant_id"]}}),
        ({"user": {"groups": ["Leavers", "Staff"]}}, {"groups": ["Everybody", "Staff"]}),
        ({"user": {"roles": ["viewer"], "attributes": {"email": "a@example.com"}}}, {"id": {"email": "a@example.com"}}),
        ({"user": {"sub": "u-1", "username": "ann"}}, {"access": {"sub": "u-1", "username": "ann"}}),
        ({"user": {"status": "suspended"}}, {"refused": "CS2009"}),
        ({"request": {"metadata": {"tenant_id": "globex"}}}, {"refused": "CS2007"}),
        (
            {"tenant": {"id": "acme"}, "membership": {"expires_at": 1_700_000_000}},
            {"absent": {"access": ["tenant_id"]}},
        ),
        (
            {"tenant": {"id": "acme"}, "membership": {"expires_at": 1_700_000_000}, "now": 1_600_000_000},
            {"access": {"tenant_id": "acme"}},
        ),
        ({"tenant": {"id": "acme", "status": "suspended"}, "membership": {}}, {"absent": {"access": ["tenant_id"]}}),
        (
            {"tenant": {"id": "acme", "roles_allowed": ["viewer"]}, "membership": {"roles": ["editor"]}},
            {"scopes": ["orders/read"]},
        ),
        (
            {
                "tenant": {"id": "acme"},
                "client": {"id": "batch"},
                "request": {"source": "ClientCredentials", "scopes": ["orders/write", "orders/export"]},
            },
            {"access": {"tenant_id": "acme", "client_id": "batch"}, "scopes": ["orders/write"]},
        ),
        (
            {**MEMBER, "request": {"source": "HostedAuth", "scopes": ["openid", "orders/read"]}},
            {"scopes": ["orders/read"]},
        ),
        (MEMBER | {"membership": {"claims": {"level": 1.0}}}, {"access": {"level": 1}}),
        ({}, {}),
    ],
)
def test_an_expectation_that_holds_passes(given: dict[str, Any], expect: dict[str, Any]) -> None:
    assert red(given, expect) == []


@pytest.mark.parametrize(
    ("given", "expect", "attribute", "message"),
    [
        (
            MEMBER,
            {"access": {"plan": "free"}},
            "expect.access.plan",
            'expected "free", got "pro"; plan set by POLICY RULE#plan',
        ),
        (MEMBER, {"access": {"level": 1}}, "expect.access.level", "expected 1, got no such claim"),
        (MEMBER, {"id": {"plan": "pro"}}, "expect.id.plan", 'expected "pro", got no such claim'),
        (
            MEMBER,
            {"scopes": []},
            "expect.scopes",
            (
                'expected [], got ["orders/read", "orders/write"]; '
                "orders/read granted by POLICY ROLE#viewer; orders/write granted by POLICY ROLE#editor"
            ),
        ),
        (MEMBER, {"groups": ["Staff"]}, "expect.groups", 'expected ["Staff"], got []'),
        (
            MEMBER,
            {"absent": {"access": ["x", "plan"]}},
            "expect.absent.access.1",
            'expected no claim plan, got "pro"; plan set by POLICY RULE#plan',
        ),
        (
            {**MEMBER, "client": {"id": "web"}},
            {"scopes": ["orders/read", "orders/write"]},
            "expect.scopes",
            (
                'expected ["orders/read", "orders/write"], got ["orders/read"]; '
                "orders/write dropped by POLICY CLIENT#web: the client does not allow it"
            ),
        ),
        (
            {"user": {"groups": ["Leavers"]}},
            {"groups": ["Leavers", "Everybody"]},
            "expect.groups",
            (
                'expected ["Everybody", "Leavers"], got ["Everybody"]; '
                "Leavers suppressed by POLICY RULE#leave: suppress_groups names it"
            ),
        ),
        (MEMBER, {"refused": "CS2007"}, "expect.refused", "expected a refusal with CS2007, got tokens"),
        ({"user": {"status": "x"}}, {"scopes": []}, "expect", "expected tokens, got a refusal with CS2009"),
        (
            {"user": {"status": "x"}},
            {"refused": "CS2007"},
            "expect.refused",
            "expected a refusal with CS2007, got a refusal with CS2009",
        ),
        (
            {**MEMBER, "request": {"source": "HostedAuth", "scopes": ["email"]}},
            {"id": {"tenant_id": "acme"}},
            "expect.id.tenant_id",
            'expected "acme", got no ID token',
        ),
        (
            {"user": {"claims": {"n": True}}},
            {"access": {"n": 1}},
            "expect.access.n",
            "expected 1, got true; n set by USER#00000000-0000-4000-8000-000000000000 USER",
        ),
    ],
)
def test_an_expectation_that_fails_shows_what_was_expected_and_what_came(
    given: dict[str, Any], expect: dict[str, Any], attribute: str, message: str
) -> None:
    assert red(given, expect) == [(attribute, message)]


def test_each_failed_expectation_is_a_separate_finding() -> None:
    expect = {"access": {"plan": "free", "tenant_id": "globex"}, "scopes": []}
    assert {attribute for attribute, _ in red(MEMBER, expect)} == {
        "expect.access.plan",
        "expect.access.tenant_id",
        "expect.scopes",
    }


def test_a_policy_with_a_failing_test_is_not_compiled() -> None:
    test = {"pk": "POLICY", "sk": "TEST#t", "expect": {"scopes": ["orders/read"]}}
    with pytest.raises(PolicyError) as refused:
        compile_policy(from_rows([*policy_rows(), test]))
    assert refused.value.code is Code.TEST_FAILED


@pytest.mark.parametrize(
    ("part", "attribute"),
    [("user", "roles"), ("tenant", "default_roles"), ("tenant", "roles_allowed"), ("membership", "roles")],
)
def test_a_test_gives_no_role_that_does_not_exist(part: str, attribute: str) -> None:
    """It would be green for the wrong reason."""
    given: dict[str, Any] = {**MEMBER, "user": {}}
    given[part] = {**given[part], attribute: ["viewer", "edtor"]}
    rows = [*policy_rows(roles=ROLES), {"pk": "POLICY", "sk": "TEST#t", "given": given, "expect": {}}]
    [finding] = lint(from_rows(rows))
    assert (finding.code, finding.row) == (Code.UNKNOWN_ROLE, "POLICY TEST#t")
    assert finding.attribute == f"given.{part}.{attribute}.1"
    assert finding.message == "there is no role edtor; did you mean editor?"


def test_tests_are_not_run_while_something_else_is_wrong() -> None:
    test = {"pk": "POLICY", "sk": "TEST#t", "expect": {"scopes": ["orders/read"]}}
    findings = lint(from_rows([*policy_rows(groups={"Staff": {"roles": ["ghost"]}}), test]))
    assert [finding.code for finding in findings] == [Code.UNKNOWN_ROLE]


def test_tests_do_not_change_the_bundle() -> None:
    test = {"pk": "POLICY", "sk": "TEST#t", "given": MEMBER | {"membership": {}}, "expect": {"scopes": []}}
    assert compile_policy(from_rows([*policy_rows(), test])) == compile_policy(from_rows(policy_rows()))


@pytest.mark.parametrize(
    ("given", "expect", "attribute"),
    [
        ({"membership": {}}, {}, "given.membership"),
        ({"request": {"source": "HostedAuht"}}, {}, "given.request.source"),
        ({"user": {"sub": "a#b"}}, {}, "given.user.sub"),
        ({"user": {"username": ""}}, {}, "given.user.username"),
        ({"tenant": {"id": "Ac me"}}, {}, "given.tenant.id"),
        ({"client": {"id": "a-b"}}, {}, "given.client.id"),
        ({"user": {}, "request": {"source": "ClientCredentials"}}, {}, "given.user"),
        ({"request": {"metadata": {"k": "v" * 40_000}}}, {}, "given"),
        ({}, {"refused": "CS3001"}, "expect.refused"),
        ({}, {"refused": "CS2007", "scopes": []}, "expect"),
        ({}, {"access": {"x": 1}, "absent": {"access": ["x"]}}, "expect.absent.access.0"),
    ],
)
def test_a_test_of_an_impossible_sign_in_is_refused(
    given: dict[str, Any], expect: dict[str, Any], attribute: str
) -> None:
    test = {"pk": "POLICY", "sk": "TEST#t", "given": given, "expect": expect}
    [finding] = lint(from_rows([*policy_rows(), test]))
    assert (finding.code, finding.attribute) == (Code.INVALID_TEST, attribute)


@pytest.mark.parametrize(
    ("attribute", "value", "blamed", "code"),
    [
        ("given", {"tenant": {}}, "given.tenant.id", Code.WRONG_TYPE),
        ("given", {"users": {}}, "given.users", Code.UNKNOWN_ATTRIBUTE),
        ("given", {"user": {"group": []}}, "given.user.group", Code.UNKNOWN_ATTRIBUTE),
        ("given", {"now": "today"}, "given.now", Code.WRONG_TYPE),
        ("given", {"membership": {"expires_at": 5.5}}, "given.membership.expires_at", Code.WRONG_TYPE),
        ("expect", {"scopes": "orders/read"}, "expect.scopes", Code.WRONG_TYPE),
        ("expect", {"absent": ["x"]}, "expect.absent", Code.WRONG_TYPE),
    ],
)
def test_the_types_in_a_test_are_checked_at_every_level(attribute: str, value: object, blamed: str, code: Code) -> None:
    test = {"pk": "POLICY", "sk": "TEST#t", "expect": {}, attribute: value}
    [finding] = lint(from_rows([*policy_rows(), test]))
    assert (finding.code, finding.attribute) == (code, blamed)
