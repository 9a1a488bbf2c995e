"""The command, run as a user does but in this process, against an in-memory table and pool."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

from claimsmith.cli.main import main
from claimsmith.service.audit import Change, record
from claimsmith.store.attributes import encode_row
from claimsmith.table import PK, SK
from tests.conftest import TABLE, restore, saved

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from claimsmith.store.dynamodb import Table
    from tests.conftest import Client, Tables

POLICY = """\
settings: {privileged_scopes: [admin/*]}
roles:
  viewer: {scopes: [orders/read]}
  editor: {inherits: [viewer], scopes: [orders/write], claims: {tier: gold}}
clients:
  ${WEB}: {name: web, scopes_allowed: [orders/read]}
"""


@dataclass
class Ran:
    """What a run of the command left on the screen."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> dict[str, Any]:
        """The answer of --json."""
        answer: dict[str, Any] = json.loads(self.out)
        return answer


@pytest.fixture
def claimsmith(rows: Table, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Run the command with these arguments."""

    def run(*arguments: str) -> Ran:
        with pytest.raises(SystemExit) as ended:
            main(["--table", rows.name, *arguments])
        output = capsys.readouterr()
        code = ended.value.code
        assert isinstance(code, int)
        return Ran(code, output.out, output.err)

    return run


@pytest.fixture
def policy_file(tmp_path: Path) -> Path:
    file = tmp_path / "policy.yaml"
    file.write_text(POLICY)
    return file


def tables_after(start: Tables, *runs: tuple[str, ...]) -> Tables:
    """What these runs of the command make of these tables: made once, for a fixture that restores them."""
    with mock_aws():
        restore(start)
        for arguments in runs:
            with pytest.raises(SystemExit) as ended:
                main(["--table", TABLE, *arguments])
            assert ended.value.code == 0
        return saved()


@pytest.fixture(scope="session")
def applied_tables(empty_tables: Tables, tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """Tables with a published policy and a tenant."""
    file = tmp_path_factory.mktemp("applied") / "policy.yaml"
    file.write_text(POLICY)
    return tables_after(
        empty_tables,
        ("apply", str(file), "--var", "WEB=web1"),
        ("tenants", "add", "acme", "--name", "Acme", "--plan", "pro"),
    )


@pytest.fixture
def applied(dynamodb: Client, applied_tables: Tables) -> None:
    """A published policy and a tenant."""
    assert dynamodb
    restore(applied_tables)


@pytest.fixture
def pool(rows: Table) -> tuple[str, str]:
    """A user pool and the subject of its one user, alice."""
    assert rows.name == TABLE  # the in-memory AWS is on
    client = boto3.client("cognito-idp")
    pool_id = client.create_user_pool(PoolName="people")["UserPool"]["Id"]
    made = client.admin_create_user(UserPoolId=pool_id, Username="alice")["User"]["Attributes"]
    return pool_id, next(entry["Value"] for entry in made if entry["Name"] == "sub")


@pytest.fixture
def changed(audit_rows: Table) -> Callable[..., None]:
    """Have the publisher record a change."""
    numbers = count(1)

    def change(
        pk: str,
        sk: str,
        before: dict[str, Any] | None,
        after: dict[str, Any] | None,
        *,
        at: int = 1_800_000_000,
        by_ttl: bool = False,
    ) -> None:
        old, new = (row and encode_row({PK: pk, SK: sk, **row}) for row in (before, after))
        record(audit_rows, Change(f"{next(numbers):021d}", pk, sk, at, old, new, by_ttl))

    return change
