"""What `make release` writes; that it builds and tries a wheel is seen by running it."""

from __future__ import annotations

import importlib.util
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from types import ModuleType

ROOT: Final = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def release() -> ModuleType:
    spec = importlib.util.spec_from_file_location("release", ROOT / "scripts/release.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_was_unreleased_gets_the_version_and_the_date(release: ModuleType) -> None:
    before = "# Changelog\n\n## Unreleased\n\n### Added\n- New.\n\n## 0.1.0 - 2026-01-02\n- Old.\n"
    after = (
        "# Changelog\n\n## Unreleased\n\n## 0.2.0 - 2026-03-04\n\n### Added\n- New.\n\n## 0.1.0 - 2026-01-02\n- Old.\n"
    )
    assert release.released_changelog(before, "0.2.0", "2026-03-04") == after
    with pytest.raises(release.ReleaseError, match="nothing under 'Unreleased'"):
        release.released_changelog(after, "0.3.0", "2026-03-05")


def test_the_version_of_the_project_moves_forward_only(release: ModuleType) -> None:
    project = '[project]\nname = "claimsmith"\nversion = "0.9.0"\n'
    assert 'version = "0.10.0"' in release.released_pyproject(project, "0.10.0")
    pinned = f'{project}dependencies = ["claimsmith==0.9.0"]\n'
    assert '"claimsmith==0.10.0"' in release.released_pyproject(pinned, "0.10.0")
    for wrong, why in (("0.9.0", "not greater"), ("0.8.9", "not greater"), ("1.0", "MAJOR.MINOR.PATCH")):
        with pytest.raises(release.ReleaseError, match=why):
            release.released_pyproject(project, wrong)


def test_both_packages_have_one_version_and_the_constructs_need_it() -> None:
    library, constructs = (
        tomllib.loads((ROOT / folder / "pyproject.toml").read_text())["project"] for folder in (".", "claimsmith-cdk")
    )
    assert constructs["version"] == library["version"]
    assert f"claimsmith=={library['version']}" in constructs["dependencies"]
