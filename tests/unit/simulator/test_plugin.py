"""The fixture ``claimsmith_pool``, as the tests of an application use it: pytest in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

POLICY = "settings: {default_roles: [reader]}\nroles: {reader: {scopes: [orders/read]}}\n"

TESTS = """\
import sys

def test_extra_is_missing(claimsmith_pool, monkeypatch):
    monkeypatch.setitem(sys.modules, "yaml", None)
    claimsmith_pool(policy="policy.yaml")

def test_reader(claimsmith_pool):
    pool, other = (claimsmith_pool(policy="policy.yaml", users={"ana": {}}) for _ in range(2))
    assert pool.sign_in("ana", scopes=["orders/read"]).access["scope"] == "orders/read"
    assert pool.issuer != other.issuer

def test_red(claimsmith_pool):
    claimsmith_pool(policy="red.yaml")
"""


def test_an_applications_tests_get_tokens_or_an_error_that_names_the_mistake(
    tmp_path: Path, aws_environment: dict[str, str]
) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY)
    red = tmp_path / "red.yaml"
    red.write_text(POLICY.replace("[reader]", "[raeder]"))
    (tmp_path / "test_users.py").write_text(TESTS)
    # Where the package is installed with its entry point, pytest loads the plug-in itself.
    installed = any(entry.value == "claimsmith.simulator.plugin" for entry in entry_points(group="pytest11"))
    named = [] if installed else ["-p", "claimsmith.simulator.plugin"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *named, "-p", "no:cacheprovider", f"--rootdir={tmp_path}", "."],
        cwd=tmp_path,
        env=aws_environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert "2 failed, 1 passed" in done.stdout, done.stdout + done.stderr
    assert "yaml is not installed, and a policy cannot be read. Install 'claimsmith[policy,testing]'." in done.stdout
    said = done.stdout[done.stdout.index("_ test_red _") :].splitlines()[1:]
    assert said[:2] == [
        f"The policy {red} is refused:",
        f"  {red}:1: default_roles.0: there is no role raeder; did you mean reader? [CS1005]",
    ]
    assert said[2].startswith("====")


def test_loading_the_plug_in_loads_nothing_heavy() -> None:
    code = """
import sys, claimsmith.simulator.plugin
heavy = {"pydantic", "yaml", "botocore", "cryptography", "claimsmith.policy", "claimsmith.service"}
print(sorted(heavy & {*sys.modules}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
