"""What a page links to, and every page that a source, a message or a page names by its path, is there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import pytest

from tests.pages import ROOT, Page

if TYPE_CHECKING:
    from pathlib import Path

FOLDERS: Final = (
    "claimsmith",
    "claimsmith-cdk",
    "demo",
    "docs",
    "infra",
    "lambdas",
    "scripts",
    "smoke",
    "tests",
    ".github",
)
#: Without what `make docs` writes.
FILES: Final = [
    path
    for path in sorted([*ROOT.glob("*"), *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*"))])
    if path.suffix in {".md", ".py", ".txt", ".yaml", ".yml"} and not {"_build", "_generated"} & set(path.parts)
]
PAGES: Final = [path for path in FILES if path.suffix == ".md"]

_NAMED: Final = re.compile(r"(?<![\w/.-])docs/[\w./-]+\.(?:json|md|py|svg|txt)\b")


def test_there_is_every_page_that_is_named_by_its_path() -> None:
    named = {(name, path) for path in FILES for name in _NAMED.findall(path.read_text(encoding="utf-8"))}
    assert {name for name, _ in named} >= {"docs/reference/codes.md", "docs/how-to/deploy.md"}
    assert [(name, str(path.relative_to(ROOT))) for name, path in sorted(named) if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    assert Page(path).broken_links() == []
