"""The recipes of ``docs/how-to/recipes`` run as they stand: their files are written down and their tests are run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

#: Those in Python; ``tests/clients`` runs that for Node, ``tests/unit/policy/test_consumers.py`` policies.
RECIPES = [
    recipe
    for recipe in sorted((Path(__file__).parents[3] / "docs" / "how-to" / "recipes").glob("*.md"))
    if "```python" in recipe.read_text(encoding="utf-8")
]


def files_of(recipe: Path) -> dict[str, str]:
    """The files of a recipe, by name; each begins with a comment that names it."""
    text = recipe.read_text(encoding="utf-8")
    return dict(re.findall(r"```(?:python|yaml)\n# (\w+\.\w+)\n(.*?)```", text, re.DOTALL))


def test_there_is_a_recipe_for_each_way() -> None:
    assert [recipe.stem for recipe in RECIPES] == [
        "cedar",
        "fastapi",
        "identity-pool",
        "load-balancer",
        "machines",
        "mcp",
        "plain",
        "powertools",
    ]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.stem)
def test_a_recipe_runs_unchanged(recipe: Path, tmp_path: Path, aws_environment: dict[str, str]) -> None:
    files = files_of(recipe)
    assert sum(name.endswith(".py") for name in files) == recipe.read_text(encoding="utf-8").count("```python") >= 2
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", f"--rootdir={tmp_path}", "."],
        cwd=tmp_path,
        env=aws_environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert f"{sum(text.count('def test_') for text in files.values())} passed" in ran.stdout


def test_a_recipe_whose_api_is_open_would_fail(tmp_path: Path, aws_environment: dict[str, str]) -> None:
    """The recipes' own tests can fail."""
    [plain] = [recipe for recipe in RECIPES if recipe.stem == "plain"]
    files = files_of(plain)
    lax = files["wsgi.py"].replace('["orders/read"]', "[]")
    assert lax != files["wsgi.py"]
    for name, text in {**files, "wsgi.py": lax}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--rootdir={tmp_path}", "."],
        cwd=tmp_path,
        env=aws_environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert ran.returncode == 1
    assert "insufficient_scope" in ran.stdout
