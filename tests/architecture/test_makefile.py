"""Which Python ``make`` works with, and where it puts what it makes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from claimsmith_cdk.hosting import Hosting

ROOT = Path(__file__).resolve().parents[2]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with this Makefile, set up with Python 3.11, and with nothing else in its home."""
    (tmp_path / "Makefile").write_text(MAKEFILE, encoding="utf-8")
    (tmp_path / "requirements").mkdir()
    for name in ("dev.txt", "build.txt", "ministack.txt"):
        (tmp_path / "requirements" / name).touch()
    (tmp_path / "claimsmith-cdk").mkdir()
    for name in ("pyproject.toml", "claimsmith-cdk/pyproject.toml", "package.json", "package-lock.json"):
        (tmp_path / name).touch()
    program(tmp_path / ".venv/bin/python", "3.11")
    return tmp_path


def would_run(project: Path, *arguments: str) -> str:
    """What ``make`` would run, knowing of the system's programs and of those in this folder."""
    done = subprocess.run(
        ["make", "--dry-run", "--always-make", *arguments],  # noqa: S607 - whichever is used here
        cwd=project,
        env={"HOME": str(project), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    return done.stdout + done.stderr


def program(path: Path, version: str) -> Path:
    """A Python that says that it is of this version."""
    path.parent.mkdir(parents=True)
    path.write_text(f'#!/bin/sh\ncase "$2" in *print*) echo {version};; *) exec {sys.executable} "$@";; esac\n')
    path.chmod(0o755)
    return path


def test_make_knows_what_is_deployed() -> None:
    assert f"\nDEPLOYED := {Hosting().python}\n" in MAKEFILE


@pytest.mark.parametrize(
    "folder", [".pyenv/versions/3.99.1", ".asdf/installs/python/3.99.1", ".local/share/uv/python/cpython-3.99.1-linux"]
)
def test_a_python_in_a_version_managers_folder_is_found_and_gets_an_environment_of_its_own(
    project: Path, folder: str
) -> None:
    found = program(project / folder / "bin" / "python3.99", "3.99")
    said = would_run(project, "PYTHON=python3.99", "test")
    assert f'"{found}" -m venv .venv-3.99\n' in said
    assert ".venv-3.99/bin/python -m pytest" in said


def test_a_python_that_does_not_run_is_not_taken_for_one(project: Path) -> None:
    path = program(project / ".pyenv/versions/3.99.1/bin/python3.99", "3.99")
    path.write_text("#!/bin/sh\nexit 127\n")
    assert "PYTHON=python3.99 is no Python 3.11 or newer" in would_run(project, "PYTHON=python3.99", "test")
