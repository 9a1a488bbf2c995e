"""What lint refuses and what it lets through; a bad and a good policy for each code are in ``test_codes.py``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from claimsmith.engine.built_in import RESERVED_CLAIMS
from claimsmith.errors import Code
from claimsmith.policy import from_rows, lint
from claimsmith.policy.yaml import parse
from tests.policies import policy_rows

if TYPE_CHECKING:
    from claimsmith.policy import Finding

GOOD: dict[str, Any] = {
    "settings": {
        "claim_names": {"tenant_id": "org_id", "tenants": None},
        "scope_mode": "exact",
        "unmanaged_scopes": ["legacy/*", "ping"],
        "no_tenant": "deny",
        "default_roles": ["viewer"],
        "trusted_attributes": frozenset({"custom:unit"}),
        "privileged_scopes": ["orders/write"],
        "token_budget": 4096,
        "cache_seconds": 0,
        "publish": "manual",
        "description": "what everybody gets",
        "updated_by": "someone",
        "updated_at": 1_800_000_000,
    },
    "roles": {
        "viewer": {"scopes": frozenset({"orders/read"}), "claims": {"level": 1}},
        "editor": {"inherits": ["viewer"], "scopes": ["orders/write"], "id_claims": {"badge": {"colour": "blue"}}},
    },
    "groups": {"Staff": {"roles": ["editor"]}},
    "clients": {
        "1example23456789": {
            "name": "web",
            "tenant": "acme",
            "roles": ["viewer"],
            "scopes_allowed": ["orders/read", "orders/write"],
            "suppress_scopes": ["phone"],
            "scope_mode": "intersect",
            "audience": True,
            "access_claims": {"tags": ["a", 1, True]},
        }
    },
    "routes": [
        {
            "id": "read-order",
            "method": "GET",
            "path": "/orders/{id}",
            "any_scope": ["orders/read"],
            "any_role": ["viewer"],
            "audience": ["https://api.example.com/orders"],
            "tenant_from": "header:x-tenant",
        }
    ],
}


def good_rows() -> list[dict[str, Any]]:
    sections = {name: content for name, content in GOOD.items() if name != "routes"}
    routes = [{"pk": "POLICY", "sk": f"ROUTE#{route['id']}", **route} for route in GOOD["routes"]]
    return policy_rows(**sections) + [{name: v for name, v in route.items() if name != "id"} for route in routes]


def found(rows: list[dict[str, Any]]) -> list[Finding]:
    return lint(from_rows(rows))


def test_a_good_policy_has_no_finding() -> None:
    assert found(good_rows()) == []


def test_a_finding_in_a_file_has_its_line() -> None:
    text = "settings: {}\nroles:\n  viewer:\n    scopes:\n      - fine\n      - two words\n"
    [finding] = lint(parse(text, "policy.yaml", {}))
    assert (finding.file, finding.line) == ("policy.yaml", 6)
    assert str(finding).startswith("policy.yaml:6: scopes.1:")
    assert str(finding).endswith("[CS1008]")


def test_a_misspelt_name_gets_a_suggestion() -> None:
    [attribute] = found(policy_rows(roles={"a": {"inherit": []}}))
    assert "did you mean inherits?" in attribute.message
    [role] = found(policy_rows(roles={"viewer": {}}, groups={"Staff": {"roles": ["veiwer"]}}))
    assert "did you mean viewer?" in role.message


def test_every_member_of_a_cycle_is_reported_and_its_descendants_are_not() -> None:
    roles = {"a": {"inherits": ["b"]}, "b": {"inherits": ["c"]}, "c": {"inherits": ["a"]}, "d": {"inherits": ["a"]}}
    assert [finding.row for finding in found(policy_rows(roles=roles))] == [f"POLICY ROLE#{name}" for name in "abc"]


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("scopes_allowed", frozenset({"orders/read"})),
        ("scopes_allowed", "orders/read"),
        ("audience", "true"),
        ("audience", 1),
        ("scope_mode", "EXACT"),
        ("roles", "viewer"),
        ("roles", [1]),
        ("claims", []),
        ("ttl", "tomorrow"),
        ("updated_at", 1.5),
    ],
)
def test_types_are_not_coerced(attribute: str, value: object) -> None:
    findings = found(policy_rows(clients={"web": {attribute: value}}))
    assert {finding.code for finding in findings} == {Code.WRONG_TYPE}


@pytest.mark.parametrize(
    "audience", ["https://api.example.com", None, [1], ["*"], [""], ["https://api.example.com", "*"]]
)
def test_a_route_names_its_resources_in_full(audience: object) -> None:
    route = {"pk": "POLICY", "sk": "ROUTE#mcp", "path": "/mcp", "audience": audience}
    [finding] = found([*policy_rows(), route])
    assert (finding.code, finding.row) == (Code.WRONG_TYPE, "POLICY ROUTE#mcp")


def test_a_ceiling_that_is_null_is_not_read_as_no_ceiling() -> None:
    assert found(policy_rows(clients={"web": {"scopes_allowed": None}}))


@pytest.mark.parametrize("name", ["address", "updated_at"])
def test_a_built_in_list_cannot_have_the_name_of_a_claim_that_takes_no_list(name: str) -> None:
    assert found(policy_rows(settings={"claim_names": {"roles": name}}))


@pytest.mark.parametrize(
    "names",
    [
        {"roles": "tenant_id"},
        {"tenant_id": "x", "roles": "x"},
        {"roles": "claims_degraded"},
        {"tenant_name": "tenant_id", "tenant_id": "org"},
        {"roles": "tenants", "tenants": None},
    ],
)
def test_two_built_in_claims_never_share_a_name(names: dict[str, str]) -> None:
    assert {finding.code for finding in found(policy_rows(settings={"claim_names": names}))} == {Code.DUPLICATE}


@pytest.mark.parametrize("name", ["org", "cognito:groups", "dev:x", *sorted(RESERVED_CLAIMS)])
def test_no_row_sets_a_name_that_is_not_its_own(name: str) -> None:
    rows = policy_rows(
        settings={"claim_names": {"roles": "org", "tenant_id": "tid", "tenants": None, "policy_version": "pv"}},
        roles={"a": {"access_claims": {name: 1}}},
        clients={"web": {"id_claims": {name: 1}}},
    )
    assert [finding.code for finding in found(rows)] == [Code.RESERVED_CLAIM] * 2


def test_no_finding_repeats_a_claims_value() -> None:
    rows = policy_rows(
        roles={"a": {"claims": {"x": ["s3cret", None], "sub": "s3cret"}}, "b": {"scopes": "s3cret"}},
        clients={"web": {"claims": "s3cret", "scopes_allowed": "s3cret"}},
    )
    findings = found(rows)
    assert len(findings) == 5
    assert not any("s3cret" in str(finding) for finding in findings)


def test_findings_come_in_the_same_order_whatever_the_order_of_rows() -> None:
    rows = policy_rows(
        settings={"publish": "never"},
        roles={"A": {}, "a": {"scopes": ["two words"]}, "b": {"claims": {"sub": 1}}},
        groups={"Staff": {"roles": ["ghost"]}},
    )
    assert len(found(rows)) == 5
    assert found(rows) == found(list(reversed(rows)))


@pytest.mark.parametrize(
    "path", ["/a;v=1", "/a.", "/a./b", "/a?b", "/a#b", "a", "//", "/a/", "/{a}x", "/a\\b", "/a /b", "/a%2Fb"]
)
def test_a_route_that_no_request_can_match_is_refused(path: str) -> None:
    row = {"pk": "POLICY", "sk": "ROUTE#r", "path": path}
    findings = lint(from_rows([*policy_rows(), row]))
    assert [(finding.code, finding.attribute) for finding in findings] == [(Code.INVALID_ROUTE, "path")]


@pytest.mark.parametrize(
    ("path", "right"),
    [
        ("/reports/Q1%202025", "/reports/Q1 2025"),
        ("/caf%C3%A9/admin", "/caf\u00e9/admin"),
        ("/100%25/admin", "/100%/admin"),
        ("/admin/", "/admin"),
    ],
)
def test_a_literal_that_no_request_can_match_is_refused_with_the_right_spelling(path: str, right: str) -> None:
    row = {"pk": "POLICY", "sk": "ROUTE#r", "path": path}
    (finding,) = lint(from_rows([*policy_rows(), row]))
    assert (finding.code, finding.attribute) == (Code.INVALID_ROUTE, "path")
    assert finding.message.endswith(f"write {right}")
    assert lint(from_rows([*policy_rows(), row | {"path": right}])) == []


@pytest.mark.parametrize(
    "path", ["/", "/a", "/a.b", "/.well-known/x", "/a/{id}/b", "/{rest+}", "/$connect", "/a:b,c", "/a b"]
)
def test_a_literal_that_requests_can_match_is_accepted(path: str) -> None:
    assert lint(from_rows([*policy_rows(), {"pk": "POLICY", "sk": "ROUTE#r", "path": path}])) == []


@pytest.mark.parametrize("attribute", ["unmanaged_scopes", "privileged_scopes"])
@pytest.mark.parametrize(
    ("pattern", "fine"),
    [
        ("admin/*", True),
        ("admin/x", True),
        *((wrong, False) for wrong in ("*", "**", "admin*", "*/x", "adm*in/x", "a/*/*")),
    ],
)
def test_a_pattern_of_scopes_ends_in_a_star_after_a_slash(attribute: str, pattern: str, *, fine: bool) -> None:
    found = lint(from_rows(policy_rows(settings={attribute: [pattern]})))
    assert [finding.code for finding in found] == ([] if fine else [Code.INVALID_SCOPE])


@pytest.mark.parametrize(
    ("name", "code"),
    [
        *(
            (name, None)
            for name in ("client_id", "username", "cognito:groups", "token_use", "policy_version", "org_id")
        ),
        *((name, None) for name in ("level", "tags", "org", "pin_board", "tokens_left", "claims_shed")),
        *((name, Code.INVALID_NAME) for name in ("", " level", "*", "cognito:*", "sub", "claims", "json_claims")),
        *((name, Code.CONTEXT_CLAIM_NEVER_SET) for name in ("email", "custom:unit", "cognito:username", "tenants")),
        *((name, Code.CONTEXT_CLAIM_NEVER_SET) for name in ("levels", "user_name")),
        *((name, Code.CONTEXT_CLAIM_SECRET) for name in ("access_token", "idToken", "crm_password", "apiKey", "token")),
    ],
)
def test_a_further_claim_of_the_context_is_one_that_an_access_token_may_have(name: str, code: Code | None) -> None:
    settings = GOOD["settings"] | {"context_claims": [name]}
    found = lint(from_rows(policy_rows(settings=settings, roles=GOOD["roles"], clients=GOOD["clients"])))
    assert [finding.code for finding in found] == ([] if code is None else [code])


def test_a_further_claim_is_listed_once() -> None:
    found = lint(from_rows(policy_rows(settings={"context_claims": ["username", "username"]})))
    assert [(finding.code, finding.attribute) for finding in found] == [(Code.DUPLICATE, "context_claims.1")]
