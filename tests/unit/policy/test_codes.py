"""Every CS1xxx code is on ``docs/reference/codes.md``, with a policy that gives exactly it and one without findings."""

from __future__ import annotations

import re
from typing import Any

import pytest

from claimsmith.errors import Code, PolicyError
from claimsmith.policy import Finding, compile, lint  # noqa: A004 - the field's own word
from claimsmith.policy.finding import WARNINGS
from claimsmith.policy.yaml import FileError
from tests.mistakes import EXAMPLES, Example, example
from tests.pages import Page

PAGE = Page("docs/reference/codes.md").text

#: Found by publishing alone, which knows the earlier versions (``tests/integration/test_publish_names.py``).
OF_PUBLISHING = {Code.CLAIM_NAME_USED, Code.VERSION_NOT_TOLD}
CODES = [code for code in Code if code.value.startswith("CS1") and code not in OF_PUBLISHING]


def findings(given: Example) -> list[Finding]:
    """The findings of lint; of a list that was cut, only the last."""
    try:
        found = lint(given.draft())
        return found[-1:] if found and found[-1].left_out else found
    except FileError as unreadable:
        return [unreadable.finding]


def blamed(finding: Finding) -> str:
    return f"{finding.row} {finding.attribute}".strip() or f"line {finding.line}"


def test_every_code_has_an_entry_and_two_policies_and_nothing_else_has() -> None:
    entries = re.findall(r"^\| (CS1\d{3}) \|", PAGE, re.MULTILINE)
    assert sorted(entries) == sorted(code.value for code in (*CODES, *OF_PUBLISHING))
    two = [(code, wrong) for code in CODES for wrong in (False, True)]
    assert sorted((given.code, given.wrong) for given in EXAMPLES) == sorted(two)


def test_every_example_of_the_page_is_under_the_name_of_its_code() -> None:
    headings = re.findall(r"^### (.*)$", PAGE, re.MULTILINE)
    assert headings == [f"{code.value}: {code.name.lower()}" for code in sorted(Code(one[:6]) for one in headings)]


@pytest.mark.parametrize("code", CODES, ids=lambda code: code.name.lower())
def test_a_policy_that_is_wrong_gives_exactly_its_code_at_the_place_it_names(code: Code) -> None:
    given = example(code, wrong=True)
    assert [(finding.code, blamed(finding)) for finding in findings(given)] == [(code, given.place)]


@pytest.mark.parametrize("code", CODES, ids=lambda code: code.name.lower())
def test_a_policy_that_is_right_gives_nothing_and_compiles(code: Code) -> None:
    given = example(code, wrong=False)
    assert findings(given) == []
    assert compile(given.draft())["settings"]


@pytest.mark.parametrize("code", CODES, ids=lambda code: code.name.lower())
def test_an_error_keeps_a_policy_from_being_compiled_and_a_warning_does_not(code: Code) -> None:
    given = example(code, wrong=True)
    if code in WARNINGS:
        assert compile(given.draft())["settings"]
        return
    with pytest.raises(PolicyError) as refused:
        compile(given.draft())
    assert refused.value.code is code


def test_the_page_calls_warnings_what_lint_calls_warnings() -> None:
    documented = set(re.findall(r"^\| (CS1\d{3}) \| \w+ \| Warning:", PAGE, re.MULTILINE))
    assert documented == {code.value for code in WARNINGS}


def test_places_name_the_line_in_a_file() -> None:
    has_line: dict[str, Any] = {}
    for given in EXAMPLES:
        if given.wrong and given.is_file and given.code is not Code.SETTINGS_MISSING:
            [finding] = findings(given)
            has_line[given.code.value] = finding.file == "policy.yaml" and (finding.line or 0) > 1
    assert [code for code, found in has_line.items() if not found] == []
