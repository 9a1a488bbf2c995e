"""Every ``claimsmith`` command and option that a page or a message names is there.

A text names a command where ``claimsmith`` is followed by a word: in a code block, in backticks, or in a message. Its
options are those that follow within the same line, span or string.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
import typer.main

from claimsmith.cli.main import app

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[2]

#: Without what `make docs` writes.
PAGES: Final = [
    *sorted(ROOT.glob("*.md")),
    ROOT / "claimsmith-cdk/README.md",
    *(page for page in sorted((ROOT / "docs").rglob("*.md")) if page.relative_to(ROOT / "docs").parts[0][0] != "_"),
]
SOURCES: Final = [
    path
    for folder in ("claimsmith", "claimsmith-cdk/claimsmith_cdk", "lambdas", "infra", "demo", "smoke")
    for path in sorted((ROOT / folder).rglob("*"))
    if path.suffix in {".py", ".yaml", ".sh"}
]
OTHERS: Final = [ROOT / "Makefile"]

#: The rest of a command line: to the end of the line, the span or the string, or to a comment.
_NAMED: Final = re.compile(r"(?<![\w.@-])(?<!\b[Tt]he )claimsmith[ \n]+([^\n`#\"';<>|]*)")
_OPTION: Final = re.compile(r"(?<![\w-])--[a-z][a-z-]*")

ROOT_COMMAND: Final[Any] = typer.main.get_command(app)


def options(command: Any) -> set[str]:  # noqa: ANN401 - typer's commands have no public type
    return {name for parameter in command.params for name in parameter.opts + parameter.secondary_opts}


#: May stand anywhere, also before the command.
SHARED: Final = options(ROOT_COMMAND) | {"--help"}


def wrong(line: str) -> str | None:
    """What there is not in a command line, written without ``claimsmith``; None where all of it is there."""
    words = line.split()
    while words and words[0].startswith("--"):
        takes_value = words[0] in SHARED - {"--json", "--help"} and "=" not in words[0]
        del words[: 2 if takes_value else 1]
    command, named = ROOT_COMMAND, ""
    while words and hasattr(command, "commands"):
        word = re.match(r"[a-z][a-z-]*", words.pop(0))
        if word is None or word[0] not in command.commands:
            return f"{named} {word[0] if word else '?'}".strip()
        command, named = command.commands[word[0]], f"{named} {word[0]}".strip()
    unknown = sorted(set(_OPTION.findall(line)) - SHARED - options(command))
    return f"{named} {unknown[0]}".strip() if unknown else None


def lines(path: Path) -> Iterator[str]:
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    if path.suffix == ".py":
        text = re.sub(r"^\s*(from|import) .*$", "", text, flags=re.MULTILINE)
    for found in _NAMED.finditer(text):
        # What stands in braces is filled in when the program runs.
        if found[1].strip() and not found[1].startswith("{"):
            yield found[1]


@pytest.mark.parametrize("path", [*PAGES, *SOURCES, *OTHERS], ids=lambda path: str(path.relative_to(ROOT)))
def test_there_is_every_command_and_option_that_is_named(path: Path) -> None:
    assert [(line, unknown) for line in lines(path) if (unknown := wrong(line))] == []


def test_options_that_a_remedy_or_a_message_names_alone_are_there_too() -> None:
    there = {name for command in every(ROOT_COMMAND) for name in options(command)} | SHARED
    for path in [ROOT / "docs" / "reference" / "codes.md", *sorted((ROOT / "claimsmith" / "cli").glob("*.py"))]:
        assert set(_OPTION.findall(path.read_text(encoding="utf-8"))) <= there, path.name


def every(command: Any) -> Iterator[Any]:  # noqa: ANN401 - typer's commands have no public type
    yield command
    for inner in getattr(command, "commands", {}).values():
        yield from every(inner)


def test_the_commands_that_pages_name_were_found() -> None:
    named = {line.split()[0] for path in PAGES for line in lines(path)}
    assert {"apply", "lint", "preview", "members", "resources", "--table", "stage", "revoke"} <= named


@pytest.mark.parametrize(
    ("line", "unknown"),
    [
        ("preview --user U --client C --tenant T", None),
        ("--table drill preview --user SUB", None),
        ("--json versions", None),
        ("members grant alice acme --role editor", None),
        ("revoke session", None),
        ("promote puts the draft in force.", None),
        ("resources", None),
        ("enlighten --user U", "enlighten"),
        ("members add alice", "members add"),
        ("preview --usr U", "preview --usr"),
        ("apply FILE --role x", "apply --role"),
        ("--table drill enlighten", "enlighten"),
    ],
)
def test_what_is_not_there_is_found(line: str, unknown: str | None) -> None:
    assert wrong(line) == unknown
