from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from claimsmith import table

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from claimsmith.store.dynamodb import Table
    from tests.cli.conftest import Ran

    Command = Callable[..., Ran]


def test_apply_writes_the_rows_publishes_and_signs(claimsmith: Command, rows: Table, policy_file: Path) -> None:
    done = claimsmith("apply", str(policy_file), "--var", "WEB=web1", "--json")
    assert (done.code, done.data) == (0, {"result": "published", "policy_version": 1})
    role = rows.get(table.POLICY, "ROLE#editor")
    assert role is not None
    assert role["scopes"] == ["orders/write"]
    assert role["updated_by"].startswith("cli")


def test_apply_again_changes_nothing_and_says_so(claimsmith: Command, policy_file: Path) -> None:
    claimsmith("apply", str(policy_file), "--var", "WEB=web1")
    assert claimsmith("apply", str(policy_file), "--var", "WEB=web1", "--json").data["result"] == "unchanged"


def test_apply_removes_the_rows_that_the_file_no_longer_names(
    claimsmith: Command, rows: Table, policy_file: Path
) -> None:
    claimsmith("apply", str(policy_file), "--var", "WEB=web1")
    policy_file.write_text("settings: {}\nroles: {viewer: {}}\n")
    assert claimsmith("apply", str(policy_file)).code == 0
    assert {row[table.SK] for row in rows.query(table.POLICY)} == {"SETTINGS", "ROLE#viewer"}


def test_a_refused_policy_writes_nothing_and_names_line_and_code(
    claimsmith: Command, rows: Table, policy_file: Path
) -> None:
    policy_file.write_text("settings: {}\nroles:\n  editor: {inherits: [viewer]}\n")
    done = claimsmith("apply", str(policy_file))
    assert done.code == 1
    assert f"{policy_file}:3: inherits.0: there is no role viewer" in done.err
    assert "CS1005" in done.err
    assert rows.query(table.POLICY) == []
    assert rows.get(table.LEASE, table.DRAFT) is None


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("roles: {a: {}}", "CS1001"),
        ("settings: {}\nroles: {a: {scope: []}}", "CS1002"),
        ("settings: {cache_seconds: '30'}", "CS1003"),
        ('settings: {}\nclients: {c: {name: "${NAME}"}}', "CS1014"),
        ("- a", "CS1013"),
    ],
)
def test_lint_of_a_file_ends_with_one_and_a_code(claimsmith: Command, policy_file: Path, text: str, code: str) -> None:
    policy_file.write_text(text)
    done = claimsmith("lint", str(policy_file), "--json")
    assert done.code == 1
    assert done.data["error"]["code"] == code


@pytest.mark.usefixtures("applied")
def test_lint_without_a_file_checks_the_draft_in_the_table(claimsmith: Command, rows: Table) -> None:
    assert claimsmith("lint").code == 0
    rows.put({"pk": "POLICY", "sk": "ROLE#x", "inherits": ["veiwer"]})
    done = claimsmith("lint", "--json")
    assert done.code == 1
    assert [finding["row"] for finding in done.data["findings"]] == ["POLICY ROLE#x"]
    assert "did you mean viewer?" in done.data["findings"][0]["message"]


def test_somebody_elses_unfinished_apply_is_in_the_way_until_it_is_taken_over(
    claimsmith: Command, rows: Table, policy_file: Path
) -> None:
    rows.put({"pk": "LEASE", "sk": "DRAFT", "digest": "another", "by": "cli:bob", "started_at": 1_800_000_000})
    refused = claimsmith("apply", str(policy_file), "--var", "WEB=web1")
    assert refused.code == 1
    assert "cli:bob" in refused.err
    assert "--take-over" in refused.err
    assert claimsmith("apply", str(policy_file), "--var", "WEB=web1", "--take-over").code == 0
    assert rows.get(table.LEASE, table.DRAFT) is None


def test_a_variable_without_a_value_is_a_usage_error(claimsmith: Command, policy_file: Path) -> None:
    done = claimsmith("lint", str(policy_file), "--var", "WEB")
    assert done.code == 2
    assert "NAME=VALUE" in done.err
