"""Every CS1xxx code is on ``docs/reference/codes.md``, has a bad fixture that gives exactly it, and a good one.

A bad YAML fixture names in its first line what is blamed: the row and the attribute, or the line of a file that is no
policy. A JSON fixture holds rows, where YAML cannot express it.
"""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

import pytest

from claimsmith.errors import Code, PolicyError
from claimsmith.policy import Draft, Finding, compile, from_rows, lint, load  # noqa: A004 - the field's own word
from claimsmith.policy.finding import WARNINGS
from claimsmith.policy.yaml import FileError

ROOT = Path(__file__).parents[3]
FIXTURES = ROOT / "tests" / "fixtures" / "policy"

#: Found by publishing alone, which knows the earlier versions (``tests/integration/test_publish_names.py``).
OF_PUBLISHING = {Code.CLAIM_NAME_USED, Code.VERSION_NOT_TOLD}
CODES = [code for code in Code if code.value.startswith("CS1") and code not in OF_PUBLISHING]


def noise() -> dict[str, str]:
    """Text that does not compress well: what fills a bundle."""
    generator = random.Random(1)  # noqa: S311 - incompressible text, not a secret
    return {f"NOISE_{number}": generator.randbytes(150_000).hex() for number in (1, 2, 3)}


def fixture(code: Code, kind: str) -> Path:
    [path] = FIXTURES.glob(f"{code.value}-{kind}.*")
    return path


def draft(path: Path) -> Draft:
    if path.suffix == ".json":
        return from_rows(json.loads(path.read_text(encoding="utf-8"))["rows"])
    return load(path, noise())


def place(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    return str(json.loads(text)["place"]) if path.suffix == ".json" else text.partition("\n")[0].removeprefix("# ")


def findings(path: Path) -> list[Finding]:
    """The findings of lint; of a list that was cut, only the last."""
    try:
        found = lint(draft(path))
        return found[-1:] if found and found[-1].left_out else found
    except FileError as unreadable:
        return [unreadable.finding]


def blamed(finding: Finding) -> str:
    return f"{finding.row} {finding.attribute}".strip() or f"line {finding.line}"


def test_every_code_has_an_entry_and_two_fixtures_and_nothing_else_has() -> None:
    page = (ROOT / "docs" / "reference" / "codes.md").read_text(encoding="utf-8")
    entries = re.findall(r"^\| (CS1\d{3}) \|", page, re.MULTILINE)
    files = {kind: sorted(path.name[:6] for path in FIXTURES.glob(f"CS*-{kind}.*")) for kind in ("good", "bad")}
    expected = sorted(code.value for code in CODES)
    assert (files["good"], files["bad"]) == (expected, expected)
    assert sorted(entries) == sorted([*expected, *OF_PUBLISHING])


@pytest.mark.parametrize("code", CODES, ids=lambda code: code.name.lower())
def test_the_bad_fixture_gives_exactly_its_code_at_the_place_it_names(code: Code) -> None:
    path = fixture(code, "bad")
    assert [(finding.code, blamed(finding)) for finding in findings(path)] == [(code, place(path))]


@pytest.mark.parametrize("code", CODES, ids=lambda code: code.name.lower())
def test_the_good_fixture_gives_nothing_and_compiles(code: Code) -> None:
    path = fixture(code, "good")
    assert findings(path) == []
    assert compile(draft(path))["settings"]


@pytest.mark.parametrize("code", CODES, ids=lambda code: code.name.lower())
def test_an_error_keeps_a_policy_from_being_compiled_and_a_warning_does_not(code: Code) -> None:
    path = fixture(code, "bad")
    if code in WARNINGS:
        assert compile(draft(path))["settings"]
        return
    with pytest.raises(PolicyError) as refused:
        compile(draft(path))
    assert refused.value.code is code


def test_the_page_calls_warnings_what_lint_calls_warnings() -> None:
    page = (ROOT / "docs" / "reference" / "codes.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| (CS1\d{3}) \| \w+ \| Warning:", page, re.MULTILINE))
    assert documented == {code.value for code in WARNINGS}


def test_places_name_the_line_in_a_file() -> None:
    has_line: dict[str, Any] = {}
    for code in CODES:
        path = fixture(code, "bad")
        if path.suffix == ".yaml" and code is not Code.SETTINGS_MISSING:
            [finding] = findings(path)
            has_line[code.value] = finding.file == str(path) and (finding.line or 0) > 1
    assert [code for code, found in has_line.items() if not found] == []
