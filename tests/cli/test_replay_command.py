"""Changes that the functions gave up on, kept as Lambda keeps them, are audited and published exactly once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeAlias

import boto3
import pytest
from botocore.stub import Stubber

from claimsmith.errors import OperationError
from claimsmith.service.audit import audit_record
from claimsmith.store import bundles
from claimsmith.store.kept_batches import KeptBatches, connect
from tests.conftest import AUDIT_TABLE, REGION, TABLE
from tests.integration.stream import Stream
from tests.policies import policy_rows, user_row

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from claimsmith.store.dynamodb import Table
    from tests.cli.conftest import Ran
    from tests.conftest import Client

    Replay = Callable[..., Ran]

#: boto3's resources have no type.
Bucket: TypeAlias = Any

BUCKET = "kept"
SHARD = "aws/lambda/14f1e1b4-2c3d-4e5f-8a9b-0c1d2e3f4a5b/shardId-00000001573689847184-864758bb/2026/11/28"


@pytest.fixture
def replay(claimsmith: Callable[..., Ran], audit_rows: Table) -> Replay:
    return lambda *arguments: claimsmith("--audit-table", audit_rows.name, "replay", *arguments)


@pytest.fixture
def bucket(rows: Table) -> Bucket:
    assert rows.name == TABLE  # the in-memory AWS is on
    made = boto3.resource("s3").Bucket(BUCKET)
    made.create(CreateBucketConfiguration={"LocationConstraint": REGION})
    return made


def invocation_record(event: dict[str, Any]) -> bytes:
    """What Lambda writes: the example of its developer guide, with an event."""
    record = {
        "requestContext": {
            "requestId": "316aa6d0-8154-xmpl-9af7-85d5f4a6bc81",
            "functionArn": f"arn:aws:lambda:{REGION}:123456789012:function:myfunction",
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": 1,
        },
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "version": "1.0",
        "timestamp": "2019-11-14T00:13:49.717Z",
        "DDBStreamBatchInfo": {
            "shardId": "shardId-00000001573689847184-864758bb",
            "startSequenceNumber": event["Records"][0]["dynamodb"]["SequenceNumber"],
            "endSequenceNumber": event["Records"][-1]["dynamodb"]["SequenceNumber"],
            "approximateArrivalOfFirstRecord": "2019-11-14T00:13:19Z",
            "approximateArrivalOfLastRecord": "2019-11-14T00:13:19Z",
            "batchSize": len(event["Records"]),
            "streamArn": f"arn:aws:dynamodb:{REGION}:123456789012:table/{TABLE}/stream/2019-11-14T00:04:06.388",
        },
        "payload": json.dumps(event),
    }
    return json.dumps(record).encode()


def event_of(rows: Table, dynamodb: Client, *written: dict[str, Any]) -> dict[str, Any]:
    stream = Stream(dynamodb)
    stream.event()
    for row in written:
        rows.put(row)
    arn = f"arn:aws:dynamodb:{REGION}:123456789012:table/{TABLE}/stream/2026-11-28T00:04:06.388"
    records = [{**record, "eventSourceARN": arn} for record in stream.event()["Records"]]
    for number, record in enumerate(records):
        record["dynamodb"]["ApproximateCreationDateTime"] = 1_800_000_000.0 + number
    return {"Records": records}


def test_all_that_waits_in_the_bucket_is_audited_and_published_once(
    replay: Replay, rows: Table, audit_rows: Table, dynamodb: Client, bucket: Bucket
) -> None:
    event = event_of(rows, dynamodb, user_row("u1"), *policy_rows(), {"pk": "LEASE", "sk": "OTHER"})
    audit_record(audit_rows, event["Records"][0])  # before the function gave up
    bucket.put_object(Key=f"{SHARD}/one", Body=invocation_record(event))
    bucket.put_object(Key=f"{SHARD}/two", Body=b'{"DDBStreamBatchInfo": {}}')
    counts = "1 to audit, 1 audited before, 1 of rows that are not audited."
    dry = replay(f"s3://{BUCKET}", "--dry-run")
    assert dry.out.splitlines() == [
        f"s3://{BUCKET}/{SHARD}/one: 3 changes of 2027-01-15T08:00:00Z to 2027-01-15T08:00:02Z: " + counts,
        "The policy would be published if it differs from the version in force.",
        "Dry run. Nothing is written.",
    ]
    assert audit_rows.query("POLICY") == []
    assert bundles.pointer(rows) is None
    done = replay(f"s3://{BUCKET}")
    assert (done.code, "CS4070" in done.err) == (1, True), "a batch without its changes is said, and stays"
    assert "1 audited, 1 audited before, 1 of rows" in done.out
    assert "Policy: published, version 1 is in force." in done.out
    assert len(audit_rows.query("POLICY")) == len(audit_rows.query("USER#u1")) == 1
    keys = [entry.key for entry in bucket.objects.all()]
    assert keys == [f"{SHARD}/two", f"replayed/{SHARD}/one"]
    bucket.Object(f"{SHARD}/two").delete()
    assert replay(f"s3://{BUCKET}").out == "Nothing waits to be replayed.\n"
    again = replay(f"s3://{BUCKET}/replayed/{SHARD}/one", "--json")
    batch, total = map(json.loads, again.out.splitlines())
    assert (batch["audited"], batch["already"], batch["ignored"]) == (0, 2, 1)
    assert total["published"] == {"result": "unchanged", "version": 1}


def test_a_batch_of_another_table_is_refused_and_one_in_a_file_is_replayed(
    replay: Replay, rows: Table, audit_rows: Table, dynamodb: Client, tmp_path: Path
) -> None:
    event = event_of(rows, dynamodb, user_row("u1"))
    ours, theirs = tmp_path / "ours.json", tmp_path / "theirs.json"
    ours.write_text(json.dumps(event))
    theirs.write_bytes(invocation_record(event).replace(b"table/claimsmith/stream/2026", b"table/other/stream/2026"))
    done = replay(str(theirs), str(ours))
    assert (done.code, "of table other" in done.err, "CS4071" in done.err) == (1, True, True)
    assert len(audit_rows.query("USER#u1")) == 1
    assert replay("--dry-run").code == replay(str(ours), "--all").code == 2
    assert replay("missing.json").code == 2


def test_without_permission_the_action_is_named(aws_environment: dict[str, str]) -> None:
    assert aws_environment["AWS_ACCESS_KEY_ID"] == "invented"
    client = connect(region=REGION)
    batches = KeptBatches(client, BUCKET)
    calls: dict[str, Callable[[], object]] = {
        "list_objects_v2": lambda: next(batches.waiting()),
        "get_object": lambda: batches.read("k"),
        "copy_object": lambda: batches.put_away(f"{SHARD}/one"),
    }
    for (operation, call), action in zip(calls.items(), ("ListBucket", "GetObject", "PutObject"), strict=True):
        with Stubber(client) as stubber:
            stubber.add_client_error(operation, "AccessDenied")
            with pytest.raises(OperationError, match=rf"s3:{action} on bucket {BUCKET}.*CS4008"):
                call()


def test_all_asks_the_stream_for_the_bucket(replay: Replay, audit_rows: Table) -> None:
    assert audit_rows.name == AUDIT_TABLE
    done = replay("--all")
    assert (done.code, "s3://BUCKET" in done.err) == (1, True), "nothing reads this stream"
