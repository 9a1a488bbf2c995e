"""Makes a release: ``make release VERSION=0.2.0``.

It writes the version of both packages and the changelog's date, builds both wheels and the source distribution,
installs each wheel into a fresh environment, tries it there and writes its software bill of materials, and only then
commits and tags. Nothing is pushed or uploaded. A step that fails leaves the tree as it was.
"""

from __future__ import annotations

import argparse
import datetime as dt
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
PYPROJECT: Final = ROOT / "pyproject.toml"
CDK_PYPROJECT: Final = ROOT / "claimsmith-cdk/pyproject.toml"
CHANGELOG: Final = ROOT / "CHANGELOG.md"
DIST: Final = ROOT / "dist"
UV: Final = ROOT / ".venv/bin/uv"

#: What a fresh environment must be able to do with the wheel alone: import each public package, and run the command.
PUBLIC: Final = ("claimsmith.engine", "claimsmith.policy", "claimsmith.testing", "claimsmith.verifier")

_VERSION: Final = re.compile(r"(\d+)\.(\d+)\.(\d+)")
_UNRELEASED: Final = "## Unreleased"


class ReleaseError(Exception):
    """Why there is no release; the message says what to do."""


def run(*command: str | Path) -> str:
    """Run a command in the project's folder and return what it printed.

    Raises:
        ReleaseError: it failed.
    """
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - fixed commands
    if done.returncode:
        raise ReleaseError(f"{' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def parsed(version: str) -> tuple[int, ...]:
    """The three numbers of a version.

    Raises:
        ReleaseError: it is not MAJOR.MINOR.PATCH.
    """
    match = _VERSION.fullmatch(version)
    if match is None:
        raise ReleaseError(f"{version!r} is not MAJOR.MINOR.PATCH. Try: make release VERSION=0.2.0")
    return tuple(map(int, match.groups()))


def released_changelog(text: str, version: str, date: str) -> str:
    """The changelog with what was unreleased under the new version.

    Raises:
        ReleaseError: nothing is unreleased.
    """
    head, found, rest = text.partition(f"{_UNRELEASED}\n")
    entries, heading, older = rest.partition("\n## ")
    if not found or not entries.strip():
        raise ReleaseError("CHANGELOG.md has nothing under 'Unreleased'. Write there what users will notice.")
    return f"{head}{_UNRELEASED}\n\n## {version} - {date}\n{entries}{heading}{older}"


def released_pyproject(text: str, version: str) -> str:
    """The project file with the new version.

    Raises:
        ReleaseError: the new version is not greater than the one that is there.
    """
    current = tomllib.loads(text)["project"]["version"]
    if parsed(version) <= parsed(current):
        raise ReleaseError(f"{version} is not greater than the current version, {current}.")
    text = text.replace(f'\nversion = "{current}"\n', f'\nversion = "{version}"\n', 1)
    # The constructs deploy code of the other package, so they need exactly that version.
    return text.replace(f'"claimsmith=={current}"', f'"claimsmith=={version}"')


def build(version: str) -> tuple[Path, Path]:
    """Build the source distribution and both wheels into ``dist/``, and return the wheels."""
    constraints = ROOT / "requirements/build.txt"
    run(UV, "build", "--quiet", "--clear", "--sdist", "--build-constraints", constraints, "--out-dir", DIST)
    run(sys.executable, ROOT / "scripts/wheels.py", "--out-dir", DIST)
    return DIST / f"claimsmith-{version}-py3-none-any.whl", DIST / f"claimsmith_cdk-{version}-py3-none-any.whl"


def check(version: str, wheel: Path, cdk_wheel: Path) -> None:
    """Try each wheel in a fresh environment, and write its bill of materials.

    Raises:
        ReleaseError: one does not install, or not work.
    """
    tried = "; ".join(f"import {package}" for package in PUBLIC)
    _check("claimsmith", version, tried, f"{wheel}[cli,testing,fastapi,powertools]")
    # A construct of its own would need an app; that its assets travel in the wheel is what may be missing.
    tried = (
        "import claimsmith_cdk; from claimsmith_cdk.hosting import DEFAULT_HOSTING as hosting; "
        "from claimsmith_cdk.assets import function_asset; "
        "function_asset('lambdas.pre_token.handler', arch=hosting.arch, python=hosting.python)"
    )
    _check("claimsmith-cdk", version, tried, wheel, cdk_wheel)


def _check(name: str, version: str, tried: str, *wheels: str | Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        python = Path(folder) / "bin/python"
        run(UV, "venv", "--quiet", "--python", sys.executable, folder)
        run(UV, "pip", "install", "--python", python, "--constraints", ROOT / "requirements/dev.txt", *wheels)
        run(python, "-I", "-c", tried)
        printed = run(python, "-I", "-c", f"import importlib.metadata; print(importlib.metadata.version({name!r}))")
        if printed.strip() != version:
            raise ReleaseError(f"The wheel of {name} says that it is version {printed.strip()}.")
        bill = DIST / f"{name}-{version}.cdx.json"
        run(ROOT / ".local/release/bin/cyclonedx-py", "environment", "--output-file", bill, python)


def release(version: str) -> None:
    """Do it all.

    Raises:
        ReleaseError: there is no release, and the tree is as it was.
    """
    if run("git", "status", "--porcelain"):
        raise ReleaseError("There are changes that are not committed. Commit or stash them first.")
    if run("git", "tag", "--list", f"v{version}"):
        raise ReleaseError(f"The tag v{version} exists already.")
    files = {
        **{file: released_pyproject(file.read_text(), version) for file in (PYPROJECT, CDK_PYPROJECT)},
        CHANGELOG: released_changelog(CHANGELOG.read_text(), version, dt.datetime.now(dt.UTC).date().isoformat()),
    }
    before = {path: path.read_text() for path in files}
    try:
        for path, text in files.items():
            path.write_text(text)
        check(version, *build(version))
        run("git", "commit", "--quiet", "--message", f"Release {version}", "--", *files)
    except BaseException:
        for path, text in before.items():
            path.write_text(text)
        raise
    run("git", "tag", "--annotate", f"v{version}", "--message", f"Release {version}")


def main() -> int:
    """Run as a command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("version", help="MAJOR.MINOR.PATCH")
    arguments = parser.parse_args()
    try:
        release(arguments.version)
    except ReleaseError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"Committed and tagged v{arguments.version}; wheels, source and bills of materials are in dist/.")
    print(f"To publish: git push --follow-tags, then upload dist/claimsmith*-{arguments.version}*.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
