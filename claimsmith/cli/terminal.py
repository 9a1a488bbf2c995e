"""The terminal: everything the command prints goes through here, so that no row can command it.

Whoever may write a row chooses what stands in it. An escape sequence in a name could retitle or clear the terminal, or
colour a refusal green; a character that turns the direction of the text could make a name read as another.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import typer
from rich.console import Console
from rich.table import Column
from rich.table import Table as Grid

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import ConsoleOptions, RenderableType
    from rich.segment import Segment
    from rich.text import Text

#: Control characters but the line feed and the tab, characters that set the direction of text, further ends of lines,
#: and surrogates, which no output can hold.
_COMMANDS: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]"
)


def visible(text: str) -> str:
    r"""The text with what a terminal would obey written as ``\u001b``, which is also how JSON writes it."""
    return text if text.isprintable() else _COMMANDS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def one_line(text: str) -> str:
    """A text of a row as ``visible`` gives it, on one line: no part of it can pass for a line of the command's own."""
    return visible(text).replace("\n", "\\u000a").replace("\t", "\\u0009")


#: Columns of what is no terminal: nothing is so long that it would be wrapped.
_UNWRAPPED: Final = 100_000


class Terminal(Console):
    """A console that shows control characters instead of obeying them, and wraps lines only for a terminal."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - as its base
        super().__init__(**options)
        if not self.is_terminal:
            self.width = _UNWRAPPED

    def render_str(self, text: str, **options: Any) -> Text:  # noqa: ANN401 - as its base
        """Strings: before they are measured, so that columns are as wide as what is printed."""
        return super().render_str(visible(text), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Everything else, for example JSON."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=visible(segment.text))


def columns(*headers: str, **options: Any) -> Grid:  # noqa: ANN401 - as its base
    """A table whose cells go on in the next line where they are too long; by itself, rich cuts them off."""
    return Grid(*(Column(header, overflow="fold") for header in headers), **options)


def say(text: str, *, err: bool = False) -> None:
    """Print a line as it is, neither wrapped nor coloured."""
    typer.echo(visible(text), err=err)
