"""The plug-in: light until it is used, and independent of what it judges."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

import pytest

from claimsmith.testing import CognitoKit

if TYPE_CHECKING:
    from pathlib import Path

#: All that comes from elsewhere.
WAY_TO_WRITE_CLASSES = "['claimsmith.named_tuple']"

#: A test as a user writes it; it passes only where the fixture issues a signed, customized token.
USERS_TEST = """
def test_my_trigger(cognito_kit):
    def handler(event, context):
        details = {"accessTokenGeneration": {"claimsToAddOrOverride": {"plan": "pro"}}}
        return {**event, "response": {"claimsAndScopeOverrideDetails": details}}

    cognito_kit.trigger = handler
    cognito_kit.add_user("ada")
    cognito_kit.add_client("web")
    assert cognito_kit.sign_in("ada", "web").access["plan"] == "pro"
"""


def fresh(code: str) -> str:
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return run.stdout.strip()


def test_each_test_gets_a_pool_of_its_own(cognito_kit: CognitoKit) -> None:
    assert isinstance(cognito_kit, CognitoKit)
    assert (cognito_kit.users, cognito_kit.clients, cognito_kit.trigger) == ({}, {}, None)


@pytest.mark.slow
def test_loading_the_plug_in_loads_no_cryptography_and_nothing_of_the_product() -> None:
    code = """
import sys, claimsmith.testing.plugin
print("cryptography" in sys.modules)
print(sorted(m for m in sys.modules if m.startswith("claimsmith.") and not m.startswith("claimsmith.testing")))
"""
    assert fresh(code).splitlines() == ["False", WAY_TO_WRITE_CLASSES]


@pytest.mark.slow
def test_signing_loads_nothing_of_the_product_either() -> None:
    code = """
import sys
from claimsmith.testing import CognitoKit
CognitoKit().jwks
print(sorted(m for m in sys.modules if m.startswith("claimsmith.") and not m.startswith("claimsmith.testing")))
"""
    assert fresh(code) == WAY_TO_WRITE_CLASSES


@pytest.mark.slow
def test_pytest_finds_the_fixture(tmp_path: Path) -> None:
    (tmp_path / "test_users.py").write_text(USERS_TEST)
    # Where the package is installed with its entry point, pytest loads the plug-in itself.
    installed = any(entry.value == "claimsmith.testing.plugin" for entry in entry_points(group="pytest11"))
    named = [] if installed else ["-p", "claimsmith.testing.plugin"]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *named, "-p", "no:cacheprovider", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "1 passed" in run.stdout
