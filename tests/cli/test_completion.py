"""What the shell suggests while a command is typed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from claimsmith.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Callable

    from claimsmith.store.dynamodb import Table
    from tests.cli.conftest import Ran


@pytest.fixture
def suggested(
    rows: Table, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., list[str]]:
    """What bash is given for a line whose last word is incomplete."""

    def suggest(line: str, table: str = rows.name) -> list[str]:
        words = f"claimsmith --table {table} {line}"
        monkeypatch.setenv("_CLAIMSMITH_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", words)
        monkeypatch.setenv("COMP_CWORD", str(len(words.split(" ")) - 1))
        with pytest.raises(SystemExit) as ended:
            main([])
        assert ended.value.code == 0
        monkeypatch.delenv("_CLAIMSMITH_COMPLETE")
        output = capsys.readouterr()
        assert output.err == ""
        return output.out.split()

    return suggest


@pytest.mark.usefixtures("applied")
def test_tenants_roles_scopes_and_versions_come_from_the_table(
    suggested: Callable[..., list[str]], claimsmith: Callable[..., Ran]
) -> None:
    for tenant in ("acorn", "globex"):
        assert claimsmith("tenants", "add", tenant).code == 0

    assert suggested("tenants show ac") == ["acme", "acorn"]
    assert suggested("members grant alice globex --role e") == ["editor"]
    assert suggested("explain --scope orders/") == ["orders/read", "orders/write"]
    assert suggested("preview --client w") == suggested("verify - --client w") == ["web1"]
    assert suggested("rollback ") == ["1"]


@pytest.mark.parametrize("line", ["tenants show ac", "explain --role e", "rollback "])
def test_nothing_is_suggested_where_nothing_can_be_read(suggested: Callable[..., list[str]], line: str) -> None:
    assert suggested(line, table="missing") == []
    assert suggested(line) == []


@pytest.mark.usefixtures("applied")
def test_a_name_that_a_shell_would_run_is_not_suggested(suggested: Callable[..., list[str]], rows: Table) -> None:
    for name in ("ac$(id)", "ac`id`", "ac;id", "ac\x1b[2J", "ac me"):
        rows.put({"pk": f"TENANT#{name}", "sk": "TENANT"})
    rows.put({"pk": "TENANT#--yes", "sk": "TENANT"})
    assert suggested("tenants show ac") == ["acme"]
    assert "--yes" not in suggested("tenants show ")
