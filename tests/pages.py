"""Pages of the documentation, read so that tests can compare them with the code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[1]


class Block(NamedTuple):
    """A fenced block.

    Attributes:
        line: of the page, where it begins.
        language: the info string.
        heading: under which it stands.
    """

    line: int
    language: str
    heading: str
    text: str


class Page:
    """One page: its blocks, tables and links."""

    def __init__(self, path: Path | str) -> None:
        self.path = ROOT / path
        self.text = self.path.read_text(encoding="utf-8")
        self.blocks = [
            Block(
                self.text.count("\n", 0, found.start()) + 1,
                found[1],
                re.findall(r"^#+ (.+)$", _prose(self.text[: found.start()]), re.MULTILINE)[-1],
                found[2],
            )
            for found in re.finditer(r"^```(\w+)\n(.*?)^```$", self.text, re.MULTILINE | re.DOTALL)
        ]

    def table(self, *header: str) -> list[list[str]]:
        """The cells of the one table whose header begins with these cells, row by row."""
        found = []
        for block in re.findall(r"(?:^\|.*\|\n)+", self.text, re.MULTILINE):
            rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in block.splitlines()]
            if rows[0][: len(header)] == list(header):
                assert {len(row) for row in rows} == {len(rows[0])}, "a row has another number of cells"
                found.append(rows[2:])
        [table] = found
        return table

    def section(self, heading: str) -> str:
        """What stands below a heading, up to the next one."""
        [found] = re.findall(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#|\Z)", self.text, re.MULTILINE | re.DOTALL)
        return str(found)

    def broken_links(self) -> list[str]:
        """Links to headings and files that are not there."""
        return [link for link in re.findall(r"\]\(([^)\s]+)\)", _prose(self.text)) if not self._leads(link)]

    def _leads(self, link: str) -> bool:
        if re.match(r"https:|mailto:", link):
            return True
        file, _, anchor = link.partition("#")
        target = self.path.parent / file if file else self.path
        return target.exists() and (not anchor or anchor in _anchors(target))


def code(cell: str) -> str:
    """What stands between a cell's backticks."""
    found = re.fullmatch(r"`(.+)`", cell)
    assert found, cell
    return found[1]


def names(cell: str) -> list[str]:
    """Everything in backticks, in order."""
    return re.findall(r"`([^`]+)`", cell)


def _prose(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def _anchors(page: Path) -> set[str]:
    """The anchors that a Markdown reader gives the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", _prose(page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
