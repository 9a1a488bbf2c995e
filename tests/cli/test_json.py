"""With ``--json``, every command prints JSON: one value, or one a line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from tests.cli.test_usage import COMMANDS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from claimsmith.store.dynamodb import Table
    from tests.cli.conftest import Ran

POLICY: Final = """\
settings: {}
roles: {viewer: {scopes: [orders/read]}}
tests: [{name: nobody, given: {}, expect: {scopes: []}}]
"""

#: One run after another; FILE is the policy, MEMBERS a list of members.
RUNS: Final = """\
lint FILE
schema
test FILE
apply FILE --yes
plan
export
tenants add acme
tenants list
tenants show acme
tenants set acme name=Acme
tenants suspend acme
tenants activate acme
members grant alice acme --role viewer
members list acme
members show alice acme
members export
members import MEMBERS
users list
users show alice
users suspend alice
users activate alice
switch alice acme
preview --user alice
explain --user alice
who-can orders/read
who-has viewer
who-gets tenant_id
audit
apply FILE --yes --note again
versions
diff 1 1
stage 1 --percent 0
promote 1
rollback 1
resume
release
rollout
rollout 10 --yes
revoke user alice
resources add orders-api --client web --tenant acme
resources rotate orders-api
resources remove orders-api
members revoke alice acme
verify a.b.c --issuer https://example.com
doctor
replay BATCH
backup BACKUP
restore BACKUP
attach --user-pool-id eu-central-1_None
detach --user-pool-id eu-central-1_None
"""


def parsed(output: str) -> list[Any]:
    """The values that were printed."""
    try:
        return [json.loads(output)]
    except ValueError:
        return [json.loads(line) for line in output.splitlines()]


def test_commands_print_json(claimsmith: Callable[..., Ran], audit_rows: Table, tmp_path: Path) -> None:
    given = {"FILE": POLICY, "MEMBERS": "user,tenant\nalice,acme\n", "BATCH": '{"Records": []}'}
    files = {"BACKUP": str(tmp_path / "backup")}
    bad = []
    for name, text in given.items():
        files[name] = str(tmp_path / name)
        (tmp_path / name).write_text(text)
    audit_rows.put({"pk": "USER#u", "sk": "1800000000#1", "row": "USER#u USER", "at": 1_800_000_000, "after": {}})
    for line in RUNS.splitlines():
        words = [files.get(word, word) for word in line.split()]
        done = claimsmith("--audit-table", audit_rows.name, "--json", *words)
        try:
            values = parsed(done.out)
        except ValueError:
            values = []
        if not values or done.code == 2:
            bad.append((line, done.code, done.out[:300], done.err[:300]))
    assert bad == []


def test_the_commands_above_are_all_that_there_are() -> None:
    run = {name for name in COMMANDS for line in RUNS.splitlines() if f"{line} ".startswith(f"{name} ")}
    assert run == set(COMMANDS)
