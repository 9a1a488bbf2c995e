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


@pytest.mark.parametrize("command", ["lint", "plan", "apply", "test"])
def test_a_file_that_is_not_there_is_wrong_usage(claimsmith: Command, tmp_path: Path, command: str) -> None:
    done = claimsmith(command, str(tmp_path / "a-folder-with-a-long-name" / "polcy.yaml"))
    assert (done.code, done.out) == (2, "")
    assert done.err.endswith("polcy.yaml cannot be read: no such file or directory. [CS4018]\n")
    assert done.err.count("\n") == 1, "only a terminal gets wrapped lines"


@pytest.mark.usefixtures("applied")
def test_lint_without_a_file_checks_the_draft_in_the_table(claimsmith: Command, rows: Table) -> None:
    assert claimsmith("lint").code == 0
    rows.put({"pk": "POLICY", "sk": "ROLE#x", "inherits": ["veiwer"]})
    done = claimsmith("lint", "--json")
    assert done.code == 1
    assert [finding["row"] for finding in done.data["findings"]] == ["POLICY ROLE#x"]
    assert "did you mean viewer?" in done.data["findings"][0]["message"]


def test_an_unfinished_apply_blocks_another_until_it_is_taken_over(
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


GOOD = """\
settings: {}
roles:
  viewer: {scopes: [orders/read]}
rules:
  - id: plan
    when: {field: tenant.plan, op: in, value: [pro, enterprise]}
    access_claims: {plan: {from: tenant.plan}}
tests:
  - name: a viewer may read
    given: {tenant: {id: acme, plan: pro}, membership: {roles: [viewer]}}
    expect: {access: {plan: pro}, scopes: [orders/read]}
"""


def test_a_policy_with_only_warnings_passes_and_reports_the_warnings(claimsmith: Command, policy_file: Path) -> None:
    policy_file.write_text("settings: {}\nrules:\n  - {id: later, enabled: false}\n")
    done = claimsmith("lint", str(policy_file))
    assert done.code == 0
    assert f"warning: {policy_file}:3: enabled: the rule is disabled; enable or delete it [CS1040]" in done.out
    assert "1 warning" in done.out
    report = claimsmith("lint", str(policy_file), "--json").data
    assert [(finding["code"], finding["severity"]) for finding in report["findings"]] == [("CS1040", "warning")]
    assert "error" not in report
    assert claimsmith("apply", str(policy_file)).code == 0


def test_findings_as_text_name_file_line_attribute_and_code(claimsmith: Command, policy_file: Path) -> None:
    policy_file.write_text(GOOD.replace("plan: pro}, scopes", "plan: free}, scopes"))
    done = claimsmith("lint", str(policy_file))
    assert done.code == 1
    assert f'error: {policy_file}:11: expect.access.plan: a viewer may read: expected "free", got "pro"; ' in done.out
    assert "1 error." in done.out


@pytest.mark.usefixtures("applied")
def test_findings_of_the_draft_as_text_name_row_attribute_and_code(claimsmith: Command, rows: Table) -> None:
    rows.put({"pk": "POLICY", "sk": "RULE#x", "order": 10, "claims": {"sub": "me"}})
    assert "error: POLICY RULE#x claims.sub: Cognito alone sets this claim [CS1007]" in claimsmith("lint").out


@pytest.mark.parametrize(("text", "code"), [(GOOD, 0), ("settings: {}\nroles: {two words: {}}", 1), ("rolls: {}", 1)])
def test_findings_as_sarif_whatever_is_wrong(claimsmith: Command, policy_file: Path, text: str, code: int) -> None:
    policy_file.write_text(text)
    done = claimsmith("lint", str(policy_file), "--format", "sarif")
    assert done.code == code
    assert done.data["version"] == "2.1.0"
    assert len(done.data["runs"][0]["results"]) == code


def test_a_format_that_does_not_exist_is_a_usage_error(claimsmith: Command, policy_file: Path) -> None:
    assert claimsmith("lint", str(policy_file), "--format", "xml").code == 2


def test_an_exported_policy_is_the_one_in_the_table_and_applied_again_changes_nothing(
    claimsmith: Command, policy_file: Path, tmp_path: Path
) -> None:
    policy_file.write_text(GOOD)
    assert claimsmith("apply", str(policy_file)).code == 0
    shown = claimsmith("export")
    assert shown.code == 0
    assert "updated_by" not in shown.out
    exported = tmp_path / "exported.yaml"
    assert claimsmith("export", "--output", str(exported)).code == 0
    assert exported.read_text() == shown.out
    assert claimsmith("apply", str(exported), "--json").data == {"result": "unchanged", "policy_version": 1}


def test_an_export_refuses_a_row_that_no_file_can_express(claimsmith: Command, rows: Table) -> None:
    rows.put({"pk": "POLICY", "sk": "ROLES#a"})
    done = claimsmith("export", "--json")
    assert (done.code, done.data["error"]["code"]) == (1, "CS1004")


def test_a_file_that_cannot_be_written_is_reported(claimsmith: Command, tmp_path: Path) -> None:
    done = claimsmith("export", "--output", str(tmp_path / "no" / "such.yaml"))
    assert done.code == 2
    assert "cannot be written" in " ".join(done.err.split())  # lines are broken by the length of the path


def test_the_schema_is_shown_and_written(claimsmith: Command, tmp_path: Path) -> None:
    shown = claimsmith("schema")
    assert shown.data["title"] == "Claimsmith policy"
    file = tmp_path / "policy.schema.json"
    assert claimsmith("schema", "-o", str(file)).code == 0
    assert file.read_text() == shown.out
