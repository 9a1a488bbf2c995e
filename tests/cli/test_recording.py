"""The picture of the README shows what the commands print."""

from __future__ import annotations

import html
import re

from rich.text import Text

from demo.admin import session
from tests.pages import ROOT


def test_the_recorded_session_is_what_the_commands_print() -> None:
    drawn = re.findall(r"<text [^>]*>(.*?)</text>", (ROOT / "docs" / "admin.svg").read_text(encoding="utf-8"))
    picture = _unspaced("".join(html.unescape(part) for part in drawn))
    for command, output in session():
        for line in (f"$ {command}", *Text.from_ansi(output).plain.splitlines()):
            assert _unspaced(line) in picture, f"{line}: run make recording-admin"


def _unspaced(text: str) -> str:
    """A text without spaces: the picture has positions in their place."""
    return re.sub(r"\s", "", text)
