"""``docs/reference/introspection.md`` names tests that exist, and every test of a clause is named there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "reference" / "introspection.md").read_text(encoding="utf-8")
#: What marks a test on the page -> its file.
MARKS = {"": "test_introspection.py", "°": "test_introspection_callers.py", "†": "test_signed_answers.py"}
FILES = {mark: Path(__file__).with_name(name) for mark, name in MARKS.items()}


def names_in(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def named(mark: str) -> set[str]:
    return {name for name, found in re.findall(r"`(test_\w+)`([°†]?)", PAGE) if found == mark}


@pytest.mark.parametrize("mark", MARKS)
def test_every_test_on_the_page_exists_in_its_file(mark: str) -> None:
    assert named(mark)
    assert named(mark) - names_in(FILES[mark]) == set()


@pytest.mark.parametrize(("mark", "least"), [("", 10), ("°", 10), ("†", 2)])
def test_every_test_of_a_clause_is_on_the_page(mark: str, least: int) -> None:
    of_clauses = {name for name in names_in(FILES[mark]) if re.match(r"test_(section|rfc)_\d", name)}
    assert len(of_clauses) > least
    assert of_clauses - named(mark) == set()


def test_the_files_that_the_page_names_exist() -> None:
    files = re.findall(r"`(tests/[\w/]+\.py)`", PAGE)
    assert len(files) >= 3
    assert [file for file in files if not (ROOT / file).is_file()] == []


def test_every_clause_has_a_test_or_a_reason() -> None:
    rows = re.findall(r"^\| [^|]+ \| [RSM] \| .+ \| ([^|]+) \|$", PAGE, re.MULTILINE)
    assert len(rows) >= 30
    assert [last for last in rows if "`test_" not in last] == [
        "none: it is AWS's",
        "asserted by every test that looks at one",
    ]
