"""Replays batches of the table's stream that Lambda gave up on: audits their changes, and publishes the draft.

Both can be done any number of times: an audit row has the key of its change, so there is never a second one, and a
draft that is in force is not published again. So a replay that was interrupted is finished by running it again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from claimsmith import table
from claimsmith.errors import Code, OperationError
from claimsmith.named_tuple import NamedTuple
from claimsmith.service.audit import Recorded, audit_key, audit_record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from claimsmith.store.dynamodb import Table

    Record = Mapping[str, Any]


class Batch(NamedTuple):
    """A batch of changes.

    Attributes:
        first: when the first change was made, in epoch seconds; 0 if no record says it. Likewise ``last``.
    """

    records: Sequence[Record]
    first: int
    last: int

    @property
    def changes_policy(self) -> bool:
        """Whether it has a change of the policy."""
        return any(key == table.POLICY for key in map(_pk, self.records))


@dataclass(slots=True)
class Replayed:
    """What became of a batch, or would.

    Attributes:
        audited: changes that have an audit row now and had none.
        already: changes that had one.
        ignored: changes that are not audited: of rows that the publisher itself writes.
        abridged: those of ``audited`` of which only a part is kept.
    """

    audited: int = 0
    already: int = 0
    ignored: int = 0
    abridged: int = 0


def read(content: bytes, table_name: str) -> Batch:
    """The batch in a file: an invocation record as Lambda writes it to S3, or a stream event.

    Args:
        content: the file.
        table_name: the table, by name or ARN.

    Raises:
        OperationError: it is neither, or contains changes of another table.
    """
    try:
        document = json.loads(content)
        if "payload" in document:
            payload = document["payload"]
            document = json.loads(payload) if isinstance(payload, str) else payload
        records = document["Records"]
        usable = isinstance(records, list) and all(
            isinstance(each["dynamodb"]["SequenceNumber"], str) for each in records
        )
    except (ValueError, TypeError, KeyError, RecursionError):
        usable = False
    if not usable:
        raise OperationError(
            Code.BATCH_UNREADABLE,
            "This is no batch of the table's stream with its changes: an object that Lambda wrote to the bucket, or an "
            "event with Records. A message of a queue has only their position in the stream.",
        )
    name = table_name.rpartition("/")[2]
    others = {of for each in records if (of := _table(each)) not in (None, name)}
    if others:
        message = f"These changes are of table {min(others)}, not of {name}. Check --table and the batch."
        raise OperationError(Code.BATCH_OF_OTHER_TABLE, message)
    times = [at for each in records if (at := _time(each))]
    return Batch(records, min(times, default=0), max(times, default=0))


def replay(audit: Table, batch: Batch, done: Callable[[int], None] = lambda _: None) -> Replayed:
    """Audit the changes of a batch that are not audited yet.

    Args:
        audit: the audit table.
        batch: the batch.
        done: called with the number of records that are done since the last call.

    Raises:
        StoreError: DynamoDB is unavailable. Replay the batch again.
    """
    result = Replayed()
    for each in batch.records:
        audited = audit_record(audit, each)
        match audited and audited.recorded:
            case None:
                result.ignored += 1
            case Recorded.DUPLICATE:
                result.already += 1
            case recorded:
                result.audited += 1
                result.abridged += recorded is Recorded.CUT
        done(1)
    return result


def preview(audit: Table, batch: Batch) -> Replayed:
    """What ``replay`` would do; ``abridged`` is not known.

    Raises:
        StoreError: DynamoDB is unavailable.
    """
    keys = [key for each in batch.records if (key := audit_key(each)) is not None]
    there = len(audit.batch_get(list(dict.fromkeys(keys)), consistent=True))
    return Replayed(len(set(keys)) - there, len(keys) - len(set(keys)) + there, len(batch.records) - len(keys))


def _pk(record: Record) -> str | None:
    try:
        key: str = record["dynamodb"]["Keys"][table.PK]["S"]
    except (KeyError, TypeError):
        return None
    return key


def _table(record: Record) -> str | None:
    """The table in ``arn:…:table/NAME/stream/TIME``; None if the record does not say."""
    parts = str(record.get("eventSourceARN", "")).split("/")
    return parts[1] if len(parts) > 1 else None


def _time(record: Record) -> int:
    at = record["dynamodb"].get("ApproximateCreationDateTime")
    return int(at) if isinstance(at, int | float) else 0
