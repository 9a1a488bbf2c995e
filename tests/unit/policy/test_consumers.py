"""The recipes that shape claims for one consumer: their policies pass, and the consumer finds what it demands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from claimsmith.cognito.event import parse
from claimsmith.cognito.tokens import issued
from claimsmith.engine import Decision, decide
from claimsmith.engine.codec import from_document
from claimsmith.policy import compile as compile_policy
from claimsmith.policy import lint
from claimsmith.policy.yaml import parse as parse_yaml
from tests.events import SUB, event
from tests.pages import Page
from tests.policies import NOW, facts, membership_row, tenant_row

if TYPE_CHECKING:
    from claimsmith.engine import Bundle

RECIPES = ("hasura", "kubernetes", "appsync")


def policy_of(recipe: str) -> str:
    """The first block, which is the policy."""
    return Page(f"docs/how-to/recipes/{recipe}.md").blocks[0].text


def bundle_of(recipe: str) -> Bundle:
    return from_document(compile_policy(parse_yaml(policy_of(recipe), "policy.yaml", {})), 1)


def tokens(recipe: str, client: str = "1kubectl23456789", **membership: Any) -> tuple[dict[str, Any], dict[str, Any]]:  # noqa: ANN401 - of a row
    asked = parse(event(client_id=client))
    known = facts(membership_row(SUB, "acme", **membership), tenant_row("acme"))
    decision = decide(bundle_of(recipe), known, asked, NOW)
    assert isinstance(decision, Decision)
    return issued(asked, decision.changes)


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipes_policy_passes_with_its_tests(recipe: str) -> None:
    assert lint(parse_yaml(policy_of(recipe), "policy.yaml", {})) == []
    assert len(yaml.safe_load(policy_of(recipe))["tests"]) >= 2


def test_every_recipe_is_run_somewhere() -> None:
    pages = Path(__file__).parents[3] / "docs" / "how-to" / "recipes"
    policies = {page.stem for page in pages.glob("*.md") if "```python" not in page.read_text(encoding="utf-8")}
    # tests/clients runs that of node, tests/infra the stage of postman.
    assert policies == {*RECIPES, "node", "postman"}


def test_hasura_finds_the_default_role_among_the_allowed_ones_and_texts_besides() -> None:
    access, _ = tokens("hasura", roles=["editor"])
    claims = access["https://hasura.io/jwt/claims"]
    assert claims["x-hasura-default-role"] in claims["x-hasura-allowed-roles"]
    assert all(isinstance(value, str) for name, value in claims.items() if name != "x-hasura-allowed-roles")
    secret = json.loads(Page("docs/how-to/recipes/hasura.md").blocks[1].text)
    assert secret["claims_format"] == "json"
    assert secret["jwk_url"] == f"{secret['issuer']}/.well-known/jwks.json"


def test_kubernetes_finds_a_name_and_a_list_of_text() -> None:
    _, identity = tokens("kubernetes", roles=["deployer"])
    written = yaml.safe_load(Page("docs/how-to/recipes/kubernetes.md").blocks[1].text)["jwt"][0]
    mappings = written["claimMappings"]
    assert identity[mappings["username"]["claim"]] == f"acme:{SUB}"
    groups = identity[mappings["groups"]["claim"]]
    assert groups == ["deployer", "viewer"]
    assert identity["aud"] in written["issuer"]["audiences"]


def test_appsync_finds_the_groups_that_its_schema_asks_for() -> None:
    access, identity = tokens("appsync", roles=["editor"], groups=["plant-7", "Admins"])
    assert access["cognito:groups"] == identity["cognito:groups"] == ["Editors", "Viewers", "plant-7"]
    assert '"Editors"' in Page("docs/how-to/recipes/appsync.md").blocks[1].text
