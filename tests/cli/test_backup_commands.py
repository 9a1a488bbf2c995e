"""Backup and restore: nothing is lost, nothing newer is overwritten, and no half of a policy is published."""

from __future__ import annotations

import json
import tracemalloc
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from claimsmith.policy import from_rows
from claimsmith.service.backup import Backup, Kind, lines, plain
from claimsmith.service.publish import Outcome, Result, apply, publish
from claimsmith.service.restore import Fate, Restore
from claimsmith.service.selection import Selection
from claimsmith.store import bundles, drafts
from claimsmith.store.attributes import encode_row
from claimsmith.store.exact import ExactTable, item_key
from claimsmith.table import create_table
from tests.conftest import TABLE
from tests.events import SUB, event
from tests.integration.clients import WRITES, KilledError, Watched
from tests.integration.dynamodb_server import LoopbackDynamoDB
from tests.integration.function import run
from tests.integration.memory_dynamodb import MemoryDynamoDB
from tests.policies import membership_row, policy_rows, tenant_row, user_row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from claimsmith.store.dynamodb import Table
    from tests.cli.conftest import Ran
    from tests.conftest import Client

    Command = Callable[..., Ran]
    Key = tuple[str, str]

#: Values that a copy by way of Python's would change: each is as DynamoDB has it.
EXACT: dict[str, Any] = {
    "digits": {"N": "0.12345678901234567890123456789012345678"},
    "large": {"N": "9999999999999999999999999999999999999900000"},
    "numbers": {"NS": ["-1", "3.25"]},
    "binary": {"B": b"\xff\x00"},
    "binaries": {"BS": [b"\x01", b"\xff"]},
    "texts": {"SS": ["a", "ü\u2028"]},
    "nothing": {"NULL": True},
    "nested": {"M": {"l": {"L": [{"M": {}}, {"L": []}, {"BOOL": False}]}, "empty": {"S": ""}}},
}

WHOLE = Selection()


@pytest.fixture
def filled(rows: Table, dynamodb: Client) -> Table:
    """A table with a bit of everything."""
    roles = {"viewer": {"scopes": ["orders/read"], "description": "reads"}}
    policy = policy_rows(settings={"cache_seconds": 5}, roles=roles)
    apply(rows, from_rows(policy), by="alice", clock=lambda: 1_700_000_000)
    rows.put(tenant_row("acme", name="Acme"))
    rows.put(membership_row(SUB, "acme", roles=["viewer"]))
    dynamodb.put_item(TableName=TABLE, Item=encode_row(user_row("u1")) | EXACT)
    rows.put(membership_row("u1", "acme", roles=frozenset({"viewer"})))
    rows.put({"pk": "REVOKED#user#u1", "sk": "REVOKED", "revoked_at": 1_700_000_100, "ttl": 4_000_000_000})
    rows.put({"pk": "PROTECTED_RESOURCE#api", "sk": "PROTECTED_RESOURCE", "secrets": ["ab"]})
    rows.put({"pk": "NOTES", "sk": "of somebody", "text": "kept as well"})
    return rows


def exact(dynamodb: Client) -> dict[Key, Any]:
    """All rows of the table, as far as they are compared, by key."""
    return compared({item_key(item): item for page in ExactTable(dynamodb, TABLE).pages() for item in page})


def compared(items: dict[Key, Any]) -> dict[Key, Any]:
    """All but rows that are made anew, and but how often the pointer has moved."""
    kept = {key: plain(item) for key, item in items.items() if key[0] not in ("LEASE", "PROBLEMS")}
    kept.get(("BUNDLE", "CURRENT"), {}).pop("revision", None)
    return {key: item for key, item in kept.items() if not key[1].startswith("PAST#")}


def destroy(dynamodb: Client) -> None:
    """Lose the table, and make a new one."""
    dynamodb.update_table(TableName=TABLE, DeletionProtectionEnabled=False)
    dynamodb.delete_table(TableName=TABLE)
    create_table(dynamodb, TABLE)


def empty(dynamodb: Client) -> None:
    """Delete all rows, which is faster than to make another table."""
    for page in ExactTable(dynamodb, TABLE).pages():
        for item in page:
            dynamodb.delete_item(TableName=TABLE, Key={name: item[name] for name in ("pk", "sk")})


def test_after_the_loss_of_the_table_sign_ins_are_as_they_were(
    claimsmith: Command, filled: Table, dynamodb: Client, aws_environment: dict[str, str], tmp_path: Path
) -> None:
    before = exact(dynamodb)
    with LoopbackDynamoDB(dynamodb) as server:
        environment = aws_environment | {"AWS_ENDPOINT_URL": server.endpoint_url, "CLAIMSMITH_TABLE": filled.name}
        [signed_in] = run("lambdas.pre_token.handler", [event()], environment).answers
        done = claimsmith("backup", str(tmp_path), "--json")
        file = done.data["file"]
        assert (done.data["rows"], done.data["part"]) == (len(before), "table")
        destroy(dynamodb)
        restored = claimsmith("restore", file, "--yes", "--json")
        *_, total = map(json.loads, restored.out.splitlines())
        assert (restored.code, total["added"]) == (0, len(before))
        assert total["published"] == {"result": "unchanged", "version": 1}
        assert exact(dynamodb) == before
        [again] = run("lambdas.pre_token.handler", [event()], environment).answers
    assert "tenant_id" in str(signed_in["answer"])
    assert again["answer"] == signed_in["answer"]
    repeated = claimsmith("restore", file)
    assert (repeated.code, repeated.out.splitlines()[-1]) == (
        0,
        f"Restored: 0 added, 0 replaced, {len(before) - 1} unchanged, 0 kept, 1 left.",
    )


@pytest.fixture
def backup(filled: Table, dynamodb: Client, tmp_path: Path) -> Path:
    file = tmp_path / "backup.jsonl"
    file.write_bytes(b"".join(lines(ExactTable(dynamodb, filled.name), WHOLE, now=1_700_000_200)))
    return file


def test_a_restore_that_is_killed_anywhere_has_done_no_harm_and_is_finished_by_another(
    dynamodb: Client, backup: Path
) -> None:
    before = exact(dynamodb)
    killed_at = 0
    with backup.open("rb") as file:
        found = Backup(file)
        for writes in count():
            memory = MemoryDynamoDB()
            left = iter(range(writes))

            def write(operation: str, _: object, memory: Client = memory, left: Iterator[int] = left) -> None:
                if operation in WRITES:
                    # The stream's publisher, ahead of each write.
                    publish(ExactTable(memory, TABLE), by="stream")
                    if next(left, None) is None:
                        raise KilledError

            with suppress(KilledError):
                list(Restore(ExactTable(Watched(memory, write), TABLE), found, WHOLE).run("bob"))
                break
            there = compared(memory.items)
            if ("BUNDLE", "CURRENT") in there:
                assert there["BUNDLE", "CURRENT"]["version"] == {"N": "1"}
                assert {key for key in before if key[0] != "POLICY"} <= there.keys(), "all that the version needs"
            list(Restore(ExactTable(memory, TABLE), found, WHOLE).run("bob"))
            assert compared(memory.items) == before
            assert drafts.lease(ExactTable(memory, TABLE)) is None
            killed_at = writes
    assert killed_at > 4


def test_what_may_be_newer_stays_unless_it_is_to_be_overwritten(
    claimsmith: Command, filled: Table, backup: Path
) -> None:
    filled.put(tenant_row("acme", name="Acme Ltd", updated_at=1_700_000_300))
    filled.delete(f"USER#{SUB}", "TENANT#acme")
    filled.put({"pk": "REVOKED#user#u1", "sk": "REVOKED", "revoked_at": 1_700_000_150, "ttl": 4_000_000_000})
    filled.put({"pk": "REVOKED#user#u2", "sk": "REVOKED", "revoked_at": 1_700_000_150, "ttl": 4_000_000_000})
    dry = claimsmith("restore", str(backup), "--dry-run")
    assert dry.out.splitlines() == [
        "Backup of claimsmith, 2023-11-14T22:16:40Z, 12 rows.",
        "! TENANT#acme TENANT: the row in the table differs, and may be newer",
        '  ~ name: "Acme Ltd" -> "Acme"',
        "  - updated_at: 1700000300",
        f"+ USER#{SUB} TENANT#acme",
        "Dry run: 1 added, 0 replaced, 9 unchanged, 1 kept, 1 left. Nothing is written.",
    ]
    assert (dry.code, filled.get(f"USER#{SUB}", "TENANT#acme")) == (1, None)
    asked = claimsmith("restore", str(backup))
    assert (asked.code, "CS4014" in asked.err, filled.get(f"USER#{SUB}", "TENANT#acme")) == (1, True, None)
    kept = claimsmith("restore", str(backup), "--yes")
    assert (kept.code, "CS4074" in kept.err) == (1, True)
    assert filled.get(f"USER#{SUB}", "TENANT#acme") is not None
    assert filled.get("TENANT#acme", "TENANT") == tenant_row("acme", name="Acme Ltd", updated_at=1_700_000_300)
    assert claimsmith("restore", str(backup), "--yes", "--overwrite").code == 0
    assert filled.get("TENANT#acme", "TENANT") == tenant_row("acme", name="Acme")
    revoked = {sub: filled.get(f"REVOKED#user#{sub}", "REVOKED") for sub in ("u1", "u2")}
    assert {sub: row and row["revoked_at"] for sub, row in revoked.items()} == {
        "u1": 1_700_000_150,
        "u2": 1_700_000_150,
    }


def test_a_policy_comes_back_as_a_version_and_neither_versions_nor_the_pointer_are_overwritten(
    claimsmith: Command, filled: Table, dynamodb: Client, backup: Path
) -> None:
    apply(filled, from_rows(policy_rows(roles={"other": {}})), by="mallory")
    now = exact(dynamodb)
    claimsmith("restore", str(backup), "--policy", "--yes", "--overwrite")
    there = exact(dynamodb)
    assert there["POLICY", "ROLE#viewer"]["description"] == {"S": "reads"}
    pointer = bundles.pointer(filled)
    assert pointer is not None
    assert pointer.version == 3
    assert ("POLICY", "ROLE#other") in there, "nothing is deleted"
    assert there["BUNDLE", "V#00000002"] == now["BUNDLE", "V#00000002"]
    empty(dynamodb)
    apply(filled, from_rows(policy_rows(roles={"third": {}})), by="bob")
    with backup.open("rb") as file:
        *steps, outcome = Restore(ExactTable(dynamodb, TABLE), Backup(file), Selection("policy"), overwrite=True).run(
            "bob"
        )
    fates = {step.key: step.fate for step in steps if not isinstance(step, Outcome)}
    assert fates["BUNDLE", "V#00000001"] is Fate.KEPT, "this table has a version 1 of its own"
    assert fates["BUNDLE", "CURRENT"] is Fate.LEFT
    assert isinstance(outcome, Outcome)
    assert (outcome.result, outcome.version) == (Result.PUBLISHED, 2)


def test_a_part_of_the_table_is_backed_up_and_a_part_of_a_backup_is_restored(
    claimsmith: Command, filled: Table, dynamodb: Client, backup: Path, tmp_path: Path
) -> None:
    parts = {
        ("--tenant", "acme"): {("TENANT#acme", "TENANT"), (f"USER#{SUB}", "TENANT#acme"), ("USER#u1", "TENANT#acme")},
        ("--user", "u1"): {("USER#u1", "USER"), ("USER#u1", "TENANT#acme"), ("REVOKED#user#u1", "REVOKED")},
        ("--policy",): {key for key in exact(dynamodb) if key[0] in ("POLICY", "BUNDLE")},
    }
    empty(dynamodb)
    for number, (options, keys) in enumerate(parts.items()):
        assert claimsmith("restore", str(backup), *options, "--yes").code == 0
        assert exact(dynamodb).keys() == keys
        file = tmp_path / f"{number}.jsonl"
        assert claimsmith("backup", str(file), *options).code == 0
        with file.open("rb") as opened:
            assert {key for key in keys_in(Backup(opened)) if not key[1].startswith("PAST#")} == keys
        empty(dynamodb)
    assert filled.name == TABLE
    assert claimsmith("backup", str(file)).code == 2, "a file is not overwritten"
    assert claimsmith("backup", str(tmp_path / "new"), "--policy", "--user", "u1").code == 2


def keys_in(found: Backup) -> set[Key]:
    return {item_key(item) for kind in Kind for item in found.items(kind)}


def test_a_file_that_is_not_a_whole_backup_writes_nothing(claimsmith: Command, dynamodb: Client, backup: Path) -> None:
    empty(dynamodb)
    whole = backup.read_bytes()
    last = whole.rstrip().rfind(b"\n")
    damaged = {
        "CS4072": [b"", b"{}", whole[:last], whole[: last // 2], whole.replace(b'"Acme"', b'"Acne"'), whole + b"{}\n"],
        "CS4073": [whole.replace(b'"format":1', b'"format":2')],
    }
    for code, contents in damaged.items():
        for content in contents:
            backup.write_bytes(content)
            done = claimsmith("restore", str(backup), "--yes")
            assert (done.code, code in done.err) == (1, True), content[:80]
    assert exact(dynamodb) == {}


def test_no_backup_is_made_of_a_policy_that_is_half_written(claimsmith: Command, filled: Table, tmp_path: Path) -> None:
    drafts.acquire(filled, drafts.Lease("d", "alice", 1), force=False)
    done = claimsmith("backup", str(tmp_path / "b"))
    assert (done.code, "alice is applying a policy" in done.err, list(tmp_path.iterdir())) == (1, True, [])


class Wide:
    """A table of many rows, made up page by page; a read by keys finds none of them."""

    ROWS = 3_000

    def scan(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401 - requests of botocore have no type
        start = int(request["ExclusiveStartKey"]["sk"]["S"]) if "ExclusiveStartKey" in request else 0
        keys = [{"pk": {"S": f"USER#{each}"}, "sk": {"S": str(each)}} for each in range(start, start + 100)]
        page: dict[str, Any] = {"Items": [{**key, "text": {"S": "x" * 1_000}} for key in keys]}
        following = {"pk": {"S": "USER#"}, "sk": {"S": str(start + 100)}}
        return page | ({} if start + 100 >= self.ROWS else {"LastEvaluatedKey": following})

    def query(self, **_request: Any) -> dict[str, Any]:  # noqa: ANN401 - as above
        return {"Items": []}

    def get_item(self, **_request: Any) -> dict[str, Any]:  # noqa: ANN401 - as above
        return {"ConsumedCapacity": {}}

    def batch_get_item(self, **_request: Any) -> dict[str, Any]:  # noqa: ANN401 - as above
        return {"Responses": {TABLE: []}}


def test_a_page_of_rows_at_a_time_is_in_memory(tmp_path: Path) -> None:
    table = ExactTable(Wide(), TABLE)
    file = tmp_path / "wide.jsonl"
    tracemalloc.start()
    try:
        with file.open("wb") as output:
            output.writelines(lines(table, WHOLE, now=1))
        with file.open("rb") as opened:
            restore = Restore(table, Backup(opened), WHOLE)
            added = sum(step.fate is Fate.ADDED for step in restore.steps())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert added == Wide.ROWS
    assert peak < file.stat().st_size / 4
