from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING

import pytest

from claimsmith.cli.main import main
from claimsmith.cli.options import shared_options_first

if TYPE_CHECKING:
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


@pytest.mark.parametrize(
    "command", ["lint", "apply", "preview", "tenants", "members", "users", "switch", "revoke", "verify"]
)
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    assert "Usage" in capsys.readouterr().out


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"claimsmith {metadata.version('claimsmith')}\n"
