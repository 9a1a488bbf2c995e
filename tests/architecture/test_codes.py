"""``docs/reference/codes.md`` and ``claimsmith/errors.py`` agree."""

from __future__ import annotations

import re
from pathlib import Path

from claimsmith.errors import Code

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "codes.md").read_text(encoding="utf-8")

#: Rows of the page's tables: code, name, meaning, remedy.
ROWS = re.findall(r"^\| (CS\d{4}) \| (\w+) \| (.+?) \| (.+?) \|$", PAGE, re.MULTILINE)


def test_the_page_has_exactly_the_codes_of_the_code_under_their_names() -> None:
    assert sorted((code, name) for code, name, _, _ in ROWS) == sorted((code.value, code.name.lower()) for code in Code)


def test_every_row_was_read() -> None:
    assert len(ROWS) == len(re.findall(r"^\| CS", PAGE, re.MULTILINE))


def test_every_code_has_a_meaning_and_a_remedy() -> None:
    assert [code for code, _, meaning, remedy in ROWS if len(meaning) < 5 or len(remedy) < 5] == []


def test_codes_stand_under_the_heading_of_their_kind_in_order() -> None:
    for kind, section in re.findall(r"^## (CS\d)xxx.*?$(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL):
        codes = re.findall(r"^\| (CS\d{4})", section, re.MULTILINE)
        assert codes == sorted(codes)
        assert all(code.startswith(kind) for code in codes)
