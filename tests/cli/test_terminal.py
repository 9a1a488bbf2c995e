from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from claimsmith.cli.terminal import Terminal, one_line, visible

if TYPE_CHECKING:
    from collections.abc import Callable

    from claimsmith.store.dynamodb import Table
    from tests.cli.conftest import Ran

#: Retitles the terminal, clears it, changes colours with a C1 character, and turns the direction of the text.
HOSTILE: Final = "\x1b]0;title\x07\x1b[2J\x9b31m\r\u202e"

CLI: Final = Path(__file__).parents[2] / "claimsmith" / "cli"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Ærøskøbing 東京 \U0001f600", "Ærøskøbing 東京 \U0001f600"),
        ("one\n\ttwo", "one\n\ttwo"),
        ("\x1b[2J", "\\u001b[2J"),
        ("\x9b\x7f\r", "\\u009b\\u007f\\u000d"),
        ("\u202eevil\u2069", "\\u202eevil\\u2069"),
        ("half \ud83d", "half \\ud83d"),
    ],
)
def test_a_terminal_shows_what_it_would_obey(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_a_value_of_a_row_is_one_line() -> None:
    assert one_line("Acme\nglobex\tactive") == "Acme\\u000aglobex\\u0009active"


def test_json_is_the_same_value_as_before() -> None:
    written = json.dumps({HOSTILE: HOSTILE}, ensure_ascii=False)
    assert json.loads(visible(written)) == {HOSTILE: HOSTILE}


@pytest.mark.usefixtures("applied")
def test_no_command_prints_a_control_character_of_a_row(claimsmith: Callable[..., Ran], rows: Table) -> None:
    rows.put({"pk": "TENANT#evil", "sk": "TENANT", "name": HOSTILE, "plan": HOSTILE, "status": "active"})
    rows.put({"pk": f"TENANT#{HOSTILE}", "sk": "TENANT", "name": "evil"})
    rows.put({"pk": "USER#u1", "sk": "TENANT#evil", "roles": ["editor", HOSTILE], "scopes": HOSTILE})
    rows.put({"pk": "USER#u2", "sk": "USER", "username": HOSTILE})
    rows.put({"pk": "USER#u2", "sk": "TENANT#evil", "roles": ["editor", HOSTILE]})
    rows.put({"pk": f"USER#{HOSTILE}", "sk": "TENANT#evil", "roles": [HOSTILE]})
    for command in (
        "tenants list",
        "tenants show evil",
        "members list evil",
        "members show u1 evil",
        "members export evil",
        "users list",
        "users show u2",
        "preview --user u2 --tenant evil",
        "explain --user u2 --tenant evil",
        "doctor",
    ):
        for done in (claimsmith(*command.split()), claimsmith(*command.split(), "--json")):
            assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", done.out + done.err), command
            assert done.code in {0, 1}
    assert claimsmith("tenants", "show", "evil", "--json").data["name"] == HOSTILE
    assert "\\u001b[2J" in claimsmith("tenants", "list").out


def test_a_cell_that_is_too_long_is_not_cut_off(claimsmith: Callable[..., Ran], rows: Table) -> None:
    assert claimsmith("tenants", "add", "acme", "--name", "A" * 200).code == 0
    shown = claimsmith("tenants", "show", "acme").out
    assert shown.count("A") == 200
    assert rows.get("TENANT#acme", "TENANT")


def test_markup_and_a_text_that_is_no_string_are_cleaned_as_well(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal().print_json(json.dumps({"name": "\x9b"}), ensure_ascii=False)
    Terminal().print("[bold]\x1b[2J[/bold]")
    assert not re.search("[\x1b\x9b]", capsys.readouterr().out)


def test_everything_is_printed_by_the_terminal() -> None:
    past = re.compile(r"\bConsole\(|import Console\b|\becho\(|(?<![.\w])print\(|\bGrid\(")
    found = [
        f"{file.name}: {line.strip()}"
        for file in sorted(CLI.rglob("*.py"))
        if file.name != "terminal.py"
        for line in file.read_text("utf-8").splitlines()
        if past.search(line)
    ]
    assert not found
