"""``docs/how-to/test-a-policy.md`` is true: its tests pass, and the command prints what it shows."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

import pytest

from claimsmith.cli.main import main
from claimsmith.simulator import directory
from tests.pages import Page, names

if TYPE_CHECKING:
    from pathlib import Path

PAGE = Page("docs/how-to/test-a-policy.md")
FILES = {
    found[1]: found[2]
    for block in PAGE.blocks
    if (found := re.fullmatch(r"# (\w+\.\w+)\n(.*)", block.text, re.DOTALL)) is not None
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_examples_pass(project: Path, aws_environment: dict[str, str]) -> None:
    assert sorted(FILES) == ["app.py", "policy.yaml", "test_app.py", "test_policy.py"]
    # Where the package is installed with its entry point, pytest loads the plug-in itself.
    installed = any(entry.value == "claimsmith.simulator.plugin" for entry in entry_points(group="pytest11"))
    named = [] if installed else ["-p", "claimsmith.simulator.plugin"]
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", *named, "-p", "no:cacheprovider", f"--rootdir={project}"],
        cwd=project,
        env=aws_environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "6 passed" in ran.stdout


@pytest.mark.usefixtures("project")
def test_the_command_prints_what_the_page_shows(capsys: pytest.CaptureFixture[str]) -> None:
    [shown] = [block.text for block in PAGE.blocks if block.text.startswith("$ claimsmith test")]
    with pytest.raises(SystemExit):
        main(["test", "policy.yaml"])
    assert shown == "$ claimsmith test policy.yaml\n" + capsys.readouterr().out


def test_a_failure_is_as_the_page_shows_it(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    [shown] = [block.text for block in PAGE.blocks if "[CS1026]" in block.text]
    policy = FILES["policy.yaml"].replace("{name: web}", "{name: web, scopes_allowed: [orders/read]}")
    asked = "membership: {roles: [editor]}}"
    policy = policy.replace(asked, asked[:-1] + ", client: {id: 1example23456789}}")
    (project / "policy.yaml").write_text(policy, encoding="utf-8")
    with pytest.raises(SystemExit):
        main(["test", "policy.yaml"])
    assert shown in capsys.readouterr().out


def test_the_page_names_attributes_that_there_are() -> None:
    about = {
        code: names(text) for code, text in ((row[0].strip("`"), row[1]) for row in PAGE.table("argument", "holds"))
    }
    assert {*about["tenants"]} <= {*directory.TENANT_ATTRIBUTES}
    assert {*about["members"]} <= {*directory.MEMBERSHIP_ATTRIBUTES}
    assert {*about["users"]} - {"USER"} <= {*directory.POOL_ATTRIBUTES, *directory.USER_ATTRIBUTES}
