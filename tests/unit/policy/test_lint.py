"""One bad policy for each lint code, and a good one that none of them touches."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from claimsmith.engine.bundle import MAX_BYTES, encode
from claimsmith.errors import Code, PolicyError
from claimsmith.policy import compile as compile_policy
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
            "scopes_allowed": ["orders/read"],
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
            "tenant_from": "header:x-tenant",
        }
    ],
}

#: Code -> the row and the attribute that are blamed, and the rows that are wrong.
BAD: dict[Code, tuple[str, str, list[dict[str, Any]]]] = {
    Code.SETTINGS_MISSING: ("POLICY SETTINGS", "", [{"pk": "POLICY", "sk": "ROLE#a"}]),
    Code.UNKNOWN_ATTRIBUTE: ("POLICY ROLE#a", "scope", policy_rows(roles={"a": {"scope": ["x"]}})),
    Code.WRONG_TYPE: ("POLICY SETTINGS", "cache_seconds", policy_rows(settings={"cache_seconds": "30"})),
    Code.UNKNOWN_ROW: ("POLICY ROLES#a", "", [*policy_rows(), {"pk": "POLICY", "sk": "ROLES#a"}]),
    Code.UNKNOWN_ROLE: ("POLICY GROUP#Staff", "roles.0", policy_rows(groups={"Staff": {"roles": ["ghost"]}})),
    Code.INHERITANCE_CYCLE: ("POLICY ROLE#a", "inherits", policy_rows(roles={"a": {"inherits": ["a"]}})),
    Code.RESERVED_CLAIM: ("POLICY ROLE#a", "claims.sub", policy_rows(roles={"a": {"claims": {"sub": "x"}}})),
    Code.INVALID_SCOPE: ("POLICY ROLE#a", "scopes.0", policy_rows(roles={"a": {"scopes": ["two words"]}})),
    Code.UNMANAGED_SCOPE: ("POLICY ROLE#a", "scopes.0", policy_rows(roles={"a": {"scopes": ["openid"]}})),
    Code.INVALID_NAME: ("POLICY ROLE#Admin", "", policy_rows(roles={"Admin": {}})),
    Code.DUPLICATE: (
        "POLICY SETTINGS",
        "claim_names.tenant_id",
        policy_rows(settings={"claim_names": {"tenant_id": "claims_shed"}}),
    ),
    Code.UNSUPPORTED_VALUE: ("POLICY ROLE#a", "claims.x", policy_rows(roles={"a": {"claims": {"x": None}}})),
    Code.INVALID_ROUTE: (
        "POLICY ROUTE#r",
        "path",
        [*policy_rows(), {"pk": "POLICY", "sk": "ROUTE#r", "path": "orders"}],
    ),
}

#: Codes of files and of size, which no single row can have.
ELSEWHERE = {Code.BUNDLE_TOO_LARGE, Code.UNREADABLE_FILE, Code.UNDEFINED_VARIABLE}


def good_rows() -> list[dict[str, Any]]:
    sections = {name: content for name, content in GOOD.items() if name != "routes"}
    routes = [{"pk": "POLICY", "sk": f"ROUTE#{route['id']}", **route} for route in GOOD["routes"]]
    return policy_rows(**sections) + [{name: v for name, v in route.items() if name != "id"} for route in routes]


def found(rows: list[dict[str, Any]]) -> list[Finding]:
    return lint(from_rows(rows))


def test_a_good_policy_has_no_finding() -> None:
    assert found(good_rows()) == []


def test_every_lint_code_has_a_bad_policy_here() -> None:
    assert set(BAD) | ELSEWHERE == {code for code in Code if code.value.startswith("CS1")}


@pytest.mark.parametrize("code", BAD, ids=lambda code: code.name.lower())
def test_a_bad_policy_is_refused_with_its_code_its_row_and_its_attribute(code: Code) -> None:
    row, attribute, rows = BAD[code]
    assert [(finding.code, finding.row, finding.attribute) for finding in found(rows)] == [(code, row, attribute)]
    with pytest.raises(PolicyError) as refused:
        compile_policy(from_rows(rows))
    assert refused.value.code is code


def test_a_bundle_that_dynamodb_could_not_hold_is_refused() -> None:
    noise = random.Random(1)  # noqa: S311 - incompressible text, not a secret
    text = noise.randbytes(MAX_BYTES).hex()
    claims = {f"c{start}": text[start : start + 30_000] for start in range(0, len(text), 30_000)}
    draft = from_rows(policy_rows(roles={"big": {"claims": claims}}))
    assert lint(draft) == []
    with pytest.raises(PolicyError) as refused:
        compile_policy(draft)
    assert refused.value.code is Code.BUNDLE_TOO_LARGE
    assert len(encode({"c": text})[0]) > MAX_BYTES


def test_a_file_is_told_by_its_line() -> None:
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


def test_every_member_of_a_cycle_is_told_and_its_descendants_are_not() -> None:
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


def test_a_ceiling_that_is_null_is_not_read_as_no_ceiling() -> None:
    assert found(policy_rows(clients={"web": {"scopes_allowed": None}}))


@pytest.mark.parametrize("name", ["address", "updated_at"])
def test_a_built_in_list_cannot_be_named_like_a_claim_that_takes_none(name: str) -> None:
    assert found(policy_rows(settings={"claim_names": {"roles": name}}))


@pytest.mark.parametrize(
    "names", [{"roles": "tenant_id"}, {"tenant_id": "x", "roles": "x"}, {"roles": "claims_degraded"}]
)
def test_two_built_in_claims_never_share_a_name(names: dict[str, str]) -> None:
    assert {finding.code for finding in found(policy_rows(settings={"claim_names": names}))} == {Code.DUPLICATE}


@pytest.mark.parametrize("name", ["tenant_id", "org", "claims_shed", "scope", "cognito:groups", "dev:x"])
def test_no_row_sets_a_name_that_is_not_its_own(name: str) -> None:
    rows = policy_rows(
        settings={"claim_names": {"roles": "org"}},
        roles={"a": {"access_claims": {name: 1}}},
        clients={"web": {"id_claims": {name: 1}}},
    )
    assert [finding.code for finding in found(rows)] == [Code.RESERVED_CLAIM] * 2


@pytest.mark.parametrize("value", [{"from": "tenant.plan"}, {"template": "{user.sub}"}, {"value": 1}])
def test_an_expression_is_refused_until_there_are_expressions(value: object) -> None:
    [finding] = found(policy_rows(roles={"a": {"claims": {"x": value}}}))
    assert finding.code is Code.UNSUPPORTED_VALUE


def test_a_value_is_checked_against_every_token_it_would_go_to() -> None:
    assert found(policy_rows(roles={"a": {"access_claims": {"address": {"city": "x"}}}})) == []
    for attribute in ("claims", "id_claims"):
        [finding] = found(policy_rows(roles={"a": {attribute: {"address": {"city": "x"}}}}))
        assert finding.code is Code.UNSUPPORTED_VALUE


@pytest.mark.parametrize("pattern", ["*", "leg*acy/x", "legacy*", "**", "a/*/*"])
def test_a_star_stands_only_after_a_last_slash(pattern: str) -> None:
    [finding] = found(policy_rows(settings={"unmanaged_scopes": [pattern]}))
    assert finding.code is Code.INVALID_SCOPE


def test_no_finding_repeats_a_claims_value() -> None:
    rows = policy_rows(
        roles={"a": {"claims": {"x": ["s3cret", None], "sub": "s3cret"}}, "b": {"scopes": "s3cret"}},
        clients={"web": {"claims": "s3cret", "scopes_allowed": "s3cret"}},
    )
    findings = found(rows)
    assert len(findings) == 5
    assert not any("s3cret" in str(finding) for finding in findings)


def test_findings_come_in_the_same_order_whatever_the_order_of_rows() -> None:
    rows = [row for _, _, bad in BAD.values() for row in bad]
    by_key = {row["sk"]: row for row in rows if row["sk"] != "SETTINGS"}
    assert found(list(by_key.values())) == found(list(reversed(by_key.values())))
