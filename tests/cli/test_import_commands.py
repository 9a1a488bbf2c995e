from __future__ import annotations

import json
from typing import TYPE_CHECKING

import boto3
import pytest

from claimsmith.service import import_members

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from claimsmith.store.dynamodb import Table
    from tests.cli.conftest import Ran

    Command = Callable[..., Ran]

pytestmark = pytest.mark.usefixtures("applied")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "members.csv"
    file.write_text("user,tenant,roles,until\nu1,acme,viewer,2127-01-31\nu2,acme,editor;viewer,\n", "utf-8")
    return file


def test_a_dry_run_says_what_would_change_and_writes_nothing(claimsmith: Command, rows: Table, file: Path) -> None:
    rows.put({"pk": "USER#u1", "sk": "TENANT#acme", "roles": ["editor"], "expires_at": 4_000_000_000})
    done = claimsmith("members", "import", str(file), "--dry-run")
    assert done.code == 0
    assert done.out.splitlines() == [
        "~ u1 acme +viewer -editor until 2096-10-02T07:06:40Z -> 2127-02-01T00:00:00Z",
        "+ u2 acme +editor +viewer",
        "Dry run: 1 added, 1 changed, 0 unchanged, 0 refused. Nothing is written.",
    ]
    assert claimsmith("members", "import", str(file), "--dry-run", "--json").data == {
        "dry_run": True,
        "added": 1,
        "changed": 1,
        "unchanged": 0,
        "refused": 0,
        "written": 0,
        "changes": [
            {
                "change": "changed",
                "line": 2,
                "user": "u1",
                "sub": "u1",
                "tenant": "acme",
                "before": {"roles": ["editor"], "expires_at": 4_000_000_000},
                "after": {"roles": ["viewer"], "expires_at": 4957113600},
            },
            {
                "change": "added",
                "line": 3,
                "user": "u2",
                "sub": "u2",
                "tenant": "acme",
                "before": None,
                "after": {"roles": ["editor", "viewer"], "expires_at": None},
            },
        ],
        "refusals": [],
    }
    assert rows.get("USER#u2", "TENANT#acme") is None


def test_an_export_is_imported_again_without_a_change(claimsmith: Command, rows: Table, file: Path) -> None:
    assert claimsmith("members", "import", str(file), "--json").data["written"] == 2
    claimsmith("tenants", "add", "globex")
    rows.put({"pk": "USER#u1", "sk": "TENANT#globex", "status": "suspended", "scopes": ["orders/read"]})
    rows.put({"pk": "USER#u3", "sk": "TENANT#globex", "status": "revoked"})
    exported = claimsmith("members", "export")
    assert exported.out.splitlines() == [
        "user,tenant,roles,scopes,status,until",
        "u1,acme,viewer,,,2127-02-01T00:00:00Z",
        "u2,acme,editor viewer,,,",
        "u1,globex,,orders/read,suspended,",
    ]
    file.write_text(exported.out)
    assert claimsmith("members", "import", str(file)).out == "Imported: 0 added, 0 changed, 3 unchanged, 0 refused.\n"
    output = file.with_name("globex.csv")
    assert claimsmith("members", "export", "globex", "--output", str(output)).code == 0
    assert output.read_text().splitlines()[1:] == exported.out.splitlines()[3:]
    [line] = claimsmith("members", "export", "globex", "--json").out.splitlines()
    assert json.loads(line)["scopes"] == "orders/read"


def test_what_cannot_be_exported_is_named_and_the_rest_is_written(claimsmith: Command, rows: Table) -> None:
    rows.put({"pk": "USER#u1", "sk": "TENANT#acme", "roles": "viewer"})
    rows.put({"pk": "USER#u2", "sk": "TENANT#acme"})
    done = claimsmith("members", "export", "acme")
    assert done.code == 1
    assert done.out.splitlines()[1:] == ["u2,acme,,,,"]
    assert "u1 acme: roles is not a list" in done.err


def test_a_refused_row_keeps_all_from_being_written_unless_it_is_put_aside(
    claimsmith: Command, rows: Table, file: Path
) -> None:
    file.write_text("user;tenant;roles\r\nu1;acme;edtor\r\nu2;acme;viewer\r\n")
    done = claimsmith("members", "import", str(file))
    assert done.code == 1
    assert "line 2: There is no role edtor. Did you mean editor?" in done.err
    assert "CS4023" in done.err
    assert claimsmith("members", "import", str(file), "--json").data["error"]["code"] == "CS4023"
    assert rows.get("USER#u2", "TENANT#acme") is None

    aside = file.with_name("refused.csv")
    done = claimsmith("members", "import", str(file), "--refused", str(aside), "--json")
    assert done.code == 1
    assert done.data["refusals"] == [
        {"line": 2, "user": "u1", "tenant": "acme", "reason": "There is no role edtor. Did you mean editor?"}
    ]
    assert rows.get("USER#u2", "TENANT#acme") is not None
    assert aside.read_text().splitlines() == [
        "user,tenant,roles,line,reason",
        "u1,acme,edtor,2,There is no role edtor. Did you mean editor?",
    ]
    aside.write_text(aside.read_text().replace("acme,edtor", "acme,editor"))
    assert claimsmith("members", "import", str(aside), "--json").data["added"] == 1


def test_users_of_a_file_are_found_in_the_pool(claimsmith: Command, pool: tuple[str, str], file: Path) -> None:
    pool_id, sub = pool
    boto3.client("cognito-idp").admin_update_user_attributes(
        UserPoolId=pool_id,
        Username="alice",
        UserAttributes=[{"Name": "email", "Value": "a@example.com"}, {"Name": "email_verified", "Value": "true"}],
    )
    file.write_text(f"user,tenant\na@example.com,acme\nnobody,acme\n{sub},acme\n")
    done = claimsmith("members", "import", str(file), "--dry-run", "--user-pool-id", pool_id, "--json").data
    assert [(change["user"], change["sub"]) for change in done["changes"]] == [("a@example.com", sub)]
    assert [(one["line"], one["reason"].partition(".")[0]) for one in done["refusals"]] == [
        (3, "There is no such user in the pool"),
        (4, "line 2 is about the same user and tenant"),
    ]
    without = claimsmith("members", "import", str(file), "--dry-run", "--json").data
    assert "--user-pool-id" in without["refusals"][0]["reason"]


def test_control_c_leaves_whole_rows_says_how_many_and_exits_with_130(
    claimsmith: Command, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> Iterator[tuple[int, list[object]]]:
        yield 1, []
        raise KeyboardInterrupt

    monkeypatch.setattr(import_members, "write", interrupted)
    done = claimsmith("members", "import", str(file))
    assert done.code == 130
    assert "Stopped after 1 of 2 changes. Import the file again to finish." in done.err


def test_the_refused_rows_do_not_replace_the_file_itself(claimsmith: Command, rows: Table, file: Path) -> None:
    before = file.read_bytes()
    done = claimsmith("members", "import", str(file), "--refused", str(file), "--dry-run")
    assert (done.code, file.read_bytes()) == (2, before)
    assert "Give it another name." in done.err
    assert rows.get("USER#u1", "TENANT#acme") is None


def test_nothing_is_written_if_the_refused_rows_cannot_be(claimsmith: Command, rows: Table, file: Path) -> None:
    done = claimsmith("members", "import", str(file), "--refused", str(file.parent / "missing" / "refused.csv"))
    assert done.code == 2
    assert "cannot be written" in done.err
    assert rows.get("USER#u1", "TENANT#acme") is None


@pytest.mark.parametrize("role", ["=HYPERLINK(1)", "+1", "-1", "@SUM(1)"])
def test_what_a_spreadsheet_would_run_is_left_out(claimsmith: Command, rows: Table, role: str) -> None:
    rows.put({"pk": "USER#u1", "sk": "TENANT#acme", "roles": [role]})
    done = claimsmith("members", "export")
    assert (done.code, role in done.out) == (1, False)
    assert "formula" in done.err
