"""What an admin sees, for the README: real commands on a small policy, with AWS in memory.

The session is the same each time: users, rows and times are invented, and nothing of this machine is in it.
"""

from __future__ import annotations

import io
import os
import sys
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import boto3
from moto import mock_aws
from rich.console import Console
from rich.text import Text

from claimsmith.cli.main import main
from claimsmith.service.audit import Change, record
from claimsmith.store.attributes import encode_row
from claimsmith.store.dynamodb import PATIENT, Table, connect
from claimsmith.table import PK, POLICY, SK, TENANT, TENANT_PREFIX, USER_PREFIX, create_table
from demo.screen import picture

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Columns of the terminal.
WIDTH: Final = 116

#: What is typed, and ``y`` where a command asks.
COMMANDS: Final = (
    "plan policy.yaml",
    "apply policy.yaml",
    "who-can admin/refunds",
    "explain --user carol --client web --scope admin/refunds",
    "audit POLICY",
)

_BEFORE: Final = """\
settings: {privileged_scopes: [admin/*]}
roles:
  viewer: {scopes: [orders/read]}
  editor: {inherits: [viewer], scopes: [orders/write]}
  support: {inherits: [viewer]}
clients:
  web: {name: web}
"""
_AFTER: Final = _BEFORE.replace("[orders/write]", "[orders/write], access_claims: {tier: gold}").replace(
    "support: {inherits: [viewer]}", "support: {inherits: [viewer], scopes: [admin/refunds]}"
)

#: Who is a member of which tenant, in which role.
_MEMBERS: Final = (("alice", "acme", "editor"), ("bob", "acme", "support"), ("carol", "globex", "support"))
_TENANTS: Final = ({"name": "Acme", "tenant": "acme"}, {"tenant": "globex", "roles_allowed": ["viewer", "editor"]})

_CHANGED_AT: Final = 1_800_000_000

_ENVIRONMENT: Final = {
    "AWS_ACCESS_KEY_ID": "invented",
    "AWS_SECRET_ACCESS_KEY": "invented",
    "AWS_REGION": "eu-central-1",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "CLAIMSMITH_TABLE": "claimsmith",
    "CLAIMSMITH_AUDIT_TABLE": "claimsmith-audit",
    "COLUMNS": str(WIDTH),
    "COLORTERM": "truecolor",
    "LOGNAME": "dana",
    "TERM": "xterm-256color",
}


class _Screen(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        return True


class _Keyboard(io.StringIO):
    """Somebody at the terminal who says yes."""

    def __init__(self, screen: _Screen) -> None:
        super().__init__()
        self._screen = screen

    def isatty(self) -> bool:
        return True

    def readline(self, _size: int = -1, /) -> str:  # type: ignore[override] # as StringIO's own
        self._screen.write("y\n")
        return "y\n"


class _Pipe(io.StringIO):
    """Standard error that shows on the terminal without being one, so that no progress bar does."""

    def __init__(self, screen: _Screen) -> None:
        super().__init__()
        self._screen = screen

    def write(self, text: str) -> int:
        return self._screen.write(text)


def session() -> list[tuple[str, str]]:
    """The commands, and what the terminal shows of each, with its colours."""
    shown: list[tuple[str, str]] = []
    with TemporaryDirectory() as folder, chdir(folder), _environment(), mock_aws():
        rows, audit = _prepared()
        before = _policy(rows)
        Path("policy.yaml").write_text(_AFTER, encoding="utf-8")
        for command in COMMANDS:
            shown.append((f"claimsmith {command}", _run(command.split())))
            after = _policy(rows)
            for number, sk in enumerate(sk for sk in after if after[sk] != before[sk]):  # what the publisher does
                record(audit, Change(f"{number}", POLICY, sk, _CHANGED_AT, before[sk], after[sk], by_ttl=False))
            before = after
    return shown


def draw(file: Path) -> None:
    """Write the session as an SVG picture."""
    console = Console(record=True, width=WIDTH, highlight=False, file=io.StringIO())
    for number, (command, output) in enumerate(session()):
        console.print("\n" * (number > 0) + f"$ {command}", style="bold", markup=False)
        console.print(Text.from_ansi(output.rstrip("\n")), soft_wrap=True)
    file.write_text(picture(console, title="claimsmith", name="admin"), encoding="utf-8")


def _prepared() -> tuple[Table, Table]:
    """The tables with a policy in force, and a pool."""
    client = connect(PATIENT)
    rows, audit = (Table(client, os.environ[name]) for name in ("CLAIMSMITH_TABLE", "CLAIMSMITH_AUDIT_TABLE"))
    create_table(client, rows.name)
    create_table(client, audit.name, stream=False)
    pool = boto3.client("cognito-idp")
    os.environ["CLAIMSMITH_USER_POOL_ID"] = pool.create_user_pool(PoolName="people")["UserPool"]["Id"]
    for tenant in _TENANTS:
        attributes = {name: value for name, value in tenant.items() if name != "tenant"}
        rows.put({PK: f"{TENANT_PREFIX}{tenant['tenant']}", SK: TENANT, **attributes})
    for username, tenant_id, role in _MEMBERS:
        user = pool.admin_create_user(UserPoolId=os.environ["CLAIMSMITH_USER_POOL_ID"], Username=username)["User"]
        [sub] = (entry["Value"] for entry in user["Attributes"] if entry["Name"] == "sub")
        rows.put({PK: f"{USER_PREFIX}{sub}", SK: f"{TENANT_PREFIX}{tenant_id}", "roles": [role]})
    Path("policy.yaml").write_text(_BEFORE, encoding="utf-8")
    _run(["apply", "policy.yaml"])
    return rows, audit


def _policy(rows: Table) -> dict[str, Any]:
    """The rows of the policy as DynamoDB has them, by sort key; no command of the session adds or removes one."""
    return {row[SK]: encode_row(row) for row in rows.query(POLICY)}


def _run(arguments: list[str]) -> str:
    """What a command shows on a terminal."""
    screen = _Screen()
    stdin, sys.stdin = sys.stdin, _Keyboard(screen)
    try:
        with redirect_stdout(screen), redirect_stderr(_Pipe(screen)), suppress(SystemExit):
            main(arguments)
    finally:
        sys.stdin = stdin
    return screen.getvalue()


@contextmanager
def _environment() -> Iterator[None]:
    """Variables of the session, and none of this machine that could change it."""
    kept: dict[str, Any] = dict(os.environ)
    for name in list(os.environ):
        if name.startswith(("AWS_", "CLAIMSMITH_")) or name in ("NO_COLOR", "FORCE_COLOR", "LINES"):
            del os.environ[name]
    os.environ.update(_ENVIRONMENT)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(kept)
