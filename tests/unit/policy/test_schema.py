"""The JSON Schema of a policy file: the stored file is current, and agrees with lint."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from cfnlint.jsonschema import StandardValidator
from hypothesis import given

from claimsmith.policy import dump, from_rows, lint, schema, schema_text
from claimsmith.policy.yaml import parse
from tests.mistakes import EXAMPLES
from tests.property.strategies import conditions, expressions

ROOT = Path(__file__).parents[3]

validator = StandardValidator(schema())


def accepted(text: str) -> bool:
    return not list(validator.iter_errors(yaml.safe_load(text)))


def files() -> list[str]:
    """Every policy that this project shows or tests with, as text."""
    shown = re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    return [
        *(text if "settings:" in text else f"settings: {{}}\n{text}" for text in shown),
        *(given.text for given in EXAMPLES if given.is_file and not given.wrong),
        (ROOT / "tests" / "e2e" / "policy.yaml").read_text(encoding="utf-8"),
    ]


def test_the_stored_schema_is_the_generated_one() -> None:
    assert (ROOT / "docs" / "policy.schema.json").read_text(encoding="utf-8") == schema_text(), (
        "update it: claimsmith schema --output docs/policy.schema.json"
    )


@pytest.mark.parametrize("text", files())
def test_the_schema_accepts_every_good_policy_of_this_project(text: str) -> None:
    assert [error.message for error in validator.iter_errors(yaml.safe_load(text))] == []


def test_the_schema_accepts_every_section_with_every_attribute() -> None:
    rows: list[dict[str, Any]] = [
        {"pk": "POLICY", "sk": "SETTINGS", "claim_names": {"tenants": None}, "token_budget": 4096,
         "trusted_attributes": ["custom:unit"], "privileged_scopes": ["a"], "publish": "manual"},
        {"pk": "POLICY", "sk": "ROLE#a", "scopes": ["a"], "claims": {"x": [1, "y", True], "z": {"deep": {"er": 1}}}},
        {"pk": "POLICY", "sk": "CLIENT#web", "tenant": "acme", "audience": True, "scopes_allowed": ["a"]},
        {"pk": "POLICY", "sk": "RULE#r", "order": 10, "optional": True, "enabled": True, "add_scopes": ["a"],
         "suppress_scopes": ["b"], "suppress_access_claims": ["x"], "suppress_id_claims": ["email"],
         "add_groups": ["Staff"], "suppress_groups": ["Admins"],
         "when": {"any": [{"field": "user.claims.n", "op": "less_than", "value": 5},
                          {"not": {"field": "tenant.id", "op": "exists"}}]},
         "claims": {"n": {"from": "user.claims.n", "as": "number", "default": 1}, "v": {"value": {"from": 1}}}},
        {"pk": "POLICY", "sk": "ROUTE#r", "path": "/{tenant}", "method": "GET", "tenant_from": "path:tenant",
         "audience": ["https://api.example.com"]},
        {"pk": "POLICY", "sk": "TEST#all", "given": {
            "user": {"sub": "s", "username": "u", "status": "active", "groups": ["Staff"], "roles": ["a"],
                     "attributes": {"custom:unit": "x"}, "claims": {"n": 1}},
            "tenant": {"id": "acme", "name": "Acme", "plan": "pro", "roles_allowed": ["a"], "scopes_allowed": ["a"]},
            "membership": {"roles": ["a"], "scopes": ["a"], "expires_at": 1_900_000_000},
            "client": {"id": "web"}, "request": {"scopes": ["a"], "metadata": {"k": "v"}}, "now": 1_800_000_000},
         "expect": {"access": {"n": 1}, "absent": {"access": ["x"]}, "scopes": ["a"], "groups": ["Staff"]}},
    ]  # fmt: skip
    assert [str(finding) for finding in lint(from_rows(rows))] == []
    assert accepted(dump(from_rows(rows)))


@pytest.mark.parametrize(
    "text",
    [
        "roles: {}",
        "settings: {}\nrolls: {}",
        "settings: {cache_seconds: '30'}",
        "settings: {token_budget: 100}",
        "settings: {claim_names: {tenant: x}}",
        "settings: {}\nroles: {a: {scope: []}}",
        "settings: {}\nclients: {a: {scopes_allowed: null}}",
        "settings: {}\nrules: {a: {}}",
        "settings: {}\nrules: [{claims: {}}]",
        "settings: {}\nrules: [{id: a, order: 10}]",
        "settings: {}\nrules: [{id: a, when: {field: tenant.plann, op: equals, value: x}}]",
        "settings: {}\nrules: [{id: a, when: {field: tenant.plan, op: like, value: x}}]",
        "settings: {}\nrules: [{id: a, when: {field: tenant.plan, op: in, value: x}}]",
        "settings: {}\nrules: [{id: a, when: {all: []}}]",
        "settings: {}\nrules: [{id: a, claims: {x: {from: nowhere}}}]",
        "settings: {}\nrules: [{id: a, claims: {x: {from: tenant.id, as: text}}}]",
        "settings: {}\nrules: [{id: a, claims: {x: {from: tenant.id, defalt: 1}}}]",
        "settings: {}\nrules: [{id: a, claims: {x: null}}]",
        "settings: {}\nroutes: [{id: a, path: /, method: FETCH}]",
        "settings: {}\ntests: [{name: a, given: {}}]",
        "settings: {}\ntests: [{name: a, given: {users: {}}, expect: {}}]",
    ],
)
def test_the_schema_refuses_what_lint_refuses(text: str) -> None:
    assert not accepted(text)


@given(conditions, expressions)
def test_what_lint_lets_through_the_schema_accepts(condition: Any, expression: Any) -> None:  # noqa: ANN401 - JSON
    rule = {"pk": "POLICY", "sk": "RULE#r", "order": 10, "when": condition, "access_claims": {"x": expression}}
    draft = from_rows([{"pk": "POLICY", "sk": "SETTINGS"}, rule])
    if all(finding.severity == "warning" for finding in lint(draft)):
        text = dump(draft)
        assert accepted(text), text
        assert parse(text, "policy.yaml", {}).digest() == draft.digest()
