from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING, Any, Final

import pytest
from typer.main import get_command

from claimsmith.cli import panels
from claimsmith.cli.main import app, main
from claimsmith.cli.options import shared_options_first
from claimsmith.store.dynamodb import PATIENT, connect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from claimsmith.store.dynamodb import Table


@pytest.mark.parametrize(
    ("given", "parsed"),
    [
        (["lint", "--json"], ["--json", "lint"]),
        (["preview", "--table", "t", "--user", "u"], ["--table", "t", "preview", "--user", "u"]),
        (["lint", "--region=eu-west-1"], ["--region=eu-west-1", "lint"]),
        (["verify", "--", "--json"], ["verify", "--", "--json"]),
        (["lint", "--table"], ["lint", "--table"]),
    ],
)
def test_shared_options_may_go_anywhere(given: list[str], parsed: list[str]) -> None:
    assert shared_options_first(given) == parsed


def test_without_a_table_the_command_asks_for_one(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["lint"])
    assert ended.value.code == 2
    assert "--table" in capsys.readouterr().err


def test_a_missing_table_exits_with_three(rows: Table, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--table", f"not-{rows.name}", "lint"])
    assert ended.value.code == 3
    assert "CS4003" in capsys.readouterr().err


def test_an_unreachable_endpoint_exits_with_three(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--table", "t", "--endpoint-url", "http://127.0.0.1:9", "lint"])
    assert ended.value.code == 3
    assert "CS4002" in capsys.readouterr().err


def commands(command: Any, *path: str) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - typer's commands have no public type
    """Every command, with its words."""
    if hasattr(command, "commands"):
        for name, inner in command.commands.items():
            yield from commands(inner, *path, name)
    else:
        yield " ".join(path), command


ROOT: Final[Any] = get_command(app)
COMMANDS: Final = dict(commands(ROOT))


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_every_command_has_an_example_of_it(name: str) -> None:
    assert f"Example: claimsmith {name}" in COMMANDS[name].help


def test_the_help_groups_all_commands_by_job() -> None:
    jobs = {value for name, value in vars(panels).items() if name.isupper()}
    assert {command.rich_help_panel for command in ROOT.commands.values()} == jobs


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"claimsmith {metadata.version('claimsmith')}\n"


@pytest.mark.usefixtures("rows")
def test_another_table_is_reported_as_such(capsys: pytest.CaptureFixture[str]) -> None:
    client = connect(PATIENT)
    client.create_table(
        TableName="orders",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    for command in (["versions"], ["lint"], ["tenants", "show", "acme"], ["tenants", "add", "acme"]):
        with pytest.raises(SystemExit) as ended:
            main(["--table", "orders", *command])
        assert (ended.value.code, "CS4042" in capsys.readouterr().err) == (3, True)
