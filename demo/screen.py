"""What the person who watches the demonstration sees."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import sys
import time
from typing import TYPE_CHECKING, Any, Final

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from claimsmith.cognito.tokens import UNPREDICTABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

_WIDTH_OF_A_FILE: Final = 120
_SCOPE: Final = "scope"

Claims = dict[str, Any]


class Screen:
    """A console with the few forms that the demonstration needs."""

    def __init__(self, console: Console | None = None) -> None:
        """Begin.

        Args:
            console: another one than standard output.
        """
        width = None if sys.stdout.isatty() else _WIDTH_OF_A_FILE
        self._console = console or Console(highlight=False, width=width)
        self._steps = 0

    def step(self, title: str, sentence: str) -> None:
        """Begin a step: its title, and in a sentence what happens."""
        self._steps += 1
        self._console.print()
        self._console.rule(f"[bold]{self._steps}. {escape(title)}", align="left", style="cyan")
        self._console.print(escape(sentence), style="cyan")

    def command(self, *arguments: str) -> None:
        """A command that is run, as one would type it."""
        self.shell(shlex.join(arguments))

    def shell(self, line: str) -> None:
        """What one would type for what is done, with tokens and secrets in variables."""
        self._console.print(f"  $ {line}", markup=False, style="dim", soft_wrap=True)

    def say(self, text: str) -> None:
        """A line; rich markup."""
        self._console.print(f"  {text}")

    def good(self, text: str) -> None:
        """Something that was checked and holds."""
        self._console.print(f"  [green]✓[/green] {escape(text)}")

    def failure(self, text: str) -> None:
        """What did not work, and what to do."""
        self._console.print(f"\n[bold red]✗[/bold red] {escape(text)}", soft_wrap=True)

    @contextlib.contextmanager
    def progress(self, title: str) -> Iterator[Callable[[str], None]]:
        """A line that shows what goes on while it goes on; where there is no terminal, one before it and one after."""
        began = time.monotonic()
        if not self._console.is_terminal:
            self._console.print(f"  … {escape(title)}", style="dim")
        with self._console.status(escape(title)) as status:
            yield lambda line: status.update(f"{escape(title)} [dim]{escape(line.strip()[:90])}")
        self.good(f"{title} ({time.monotonic() - began:.1f} s)")

    def tokens(self, title: str, before: Claims, after: Claims, rows: Mapping[str, str]) -> None:
        """Two states of a token side by side.

        Args:
            title: which token.
            before: its claims before.
            after: its claims after.
            rows: where a claim comes from, or for ``scope``, under ``scope NAME``, where a scope comes from.
        """
        grid = Table("claim", "before", "after", "because of", title=title, title_justify="left", box=SIMPLE_HEAD)
        for name in sorted({*before, *after} - UNPREDICTABLE):
            if name == _SCOPE:
                _scope_rows(grid, before, after, rows)
            else:
                _row(grid, name, _text(before, name), _text(after, name), rows.get(name, "Cognito"))
        self._console.print(grid)
        always = ", ".join(sorted(({*before, *after}) & UNPREDICTABLE))
        self._console.print(f"  and, as in every token: {always}\n", style="dim")

    def claims(self, title: str, claims: Claims) -> None:
        """The claims of one token."""
        self._console.print(f"[bold]{escape(title)}[/bold]")
        self._console.print_json(data=claims, sort_keys=True)

    def grid(self, columns: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
        """A small table."""
        grid = Table(*columns, box=SIMPLE_HEAD)
        for line in lines:
            grid.add_row(*(escape(cell) for cell in line))
        self._console.print(grid)


def picture(console: Console, *, title: str, name: str) -> str:
    """What a console has recorded, as SVG.

    Args:
        console: with ``record=True``.
        title: of the window.
        name: what the classes of the picture begin with, so that a page may have several pictures.
    """
    # Rich's picture fetches a font from elsewhere; a page that shows it should fetch nothing.
    return re.sub(r"@font-face {.*?}", "", console.export_svg(title=title, unique_id=name), flags=re.DOTALL)


def _scope_rows(grid: Table, before: Claims, after: Claims, rows: Mapping[str, str]) -> None:
    had, has = (str(claims.get(_SCOPE, "")).split() for claims in (before, after))
    for index, scope in enumerate(sorted({*had, *has})):
        left, right = (scope if scope in scopes else "" for scopes in (had, has))
        _row(grid, "" if index else _SCOPE, left, right, rows.get(f"{_SCOPE} {scope}", "Cognito"))


def _row(grid: Table, name: str, before: str, after: str, because: str) -> None:
    style = None if before == after else "bold green" if after else "red"
    grid.add_row(escape(name), escape(before), escape(after), escape(because if after else ""), style=style)


def _text(claims: Claims, name: str) -> str:
    if name not in claims:
        return ""
    value = claims[name]
    return value if isinstance(value, str) else json.dumps(value)
