"""The files of ``docs/how-to/recipes/node.md``, run by Node with tokens of CognitoKit."""

from __future__ import annotations

import json
import re
import shutil
from typing import TYPE_CHECKING, Any, Final

import pytest

from claimsmith.testing import CognitoKit
from tests.clients.node import ROOT, printed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

pytestmark = pytest.mark.slow

PAGE: Final = ROOT / "docs" / "how-to" / "recipes" / "node.md"
CLIENT: Final = "1example23456789"


def granting(access: Mapping[str, Any], identity: Mapping[str, Any], scopes: list[str]) -> Any:  # noqa: ANN401 - a handler
    details = {
        "accessTokenGeneration": {"claimsToAddOrOverride": access, "scopesToAdd": scopes},
        "idTokenGeneration": {"claimsToAddOrOverride": identity},
    }
    return lambda event, _context: {**event, "response": {"claimsAndScopeOverrideDetails": details}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The files of the page, where they find the packages."""
    for name, text in re.findall(r"```js\n// (\w+\.mjs)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "node_modules").symlink_to(ROOT / "node_modules")
    return tmp_path


def ran(kit: CognitoKit, folder: Path) -> dict[str, dict[str, Any]]:
    tokens = kit.sign_in("ada", CLIENT)
    given = {
        "userPoolId": "eu-central-1_CognitoKit",
        "clientId": CLIENT,
        "jwks": kit.jwks,
        "access": tokens.access_token,
        "id": tokens.id_token,
        "folder": str(folder),
    }
    shutil.copy(ROOT / "tests/clients/node_recipes.mjs", folder)
    result: dict[str, dict[str, Any]] = printed(folder / "node_recipes.mjs", given=json.dumps(given))
    return result


@pytest.fixture
def kit() -> CognitoKit:
    kit = CognitoKit()
    kit.add_user("ada")
    kit.add_client(CLIENT)
    return kit


def test_an_editor_of_acme(kit: CognitoKit, folder: Path) -> None:
    tenant = {"tenant_id": "acme"}
    kit.trigger = granting(tenant | {"roles": ["editor"]}, tenant, ["orders/read", "orders/write"])
    assert ran(kit, folder) == {
        "app": {
            "orders": [200, '["an order of acme"]'],
            "cancel": [204, ""],
            "idToken": [401, ""],
            "none": [401, ""],
            "twoWords": [401, ""],
        },
        "edge": {"valid": "/", "none": "302", "twice": "302", "accessToken": "302", "otherName": "302"},
    }


def test_names_that_contain_others_grant_nothing(kit: CognitoKit, folder: Path) -> None:
    kit.trigger = granting({"roles": "editor"}, {}, ["orders/reader", "orders/write"])
    result = ran(kit, folder)
    assert (result["app"]["orders"][0], result["app"]["cancel"][0], result["edge"]["valid"]) == (403, 403, "302")
