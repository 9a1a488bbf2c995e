"""The audit: every change of a row that people edit becomes one audit row, exactly once under retries."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from claimsmith import table
from claimsmith.store.attributes import decode_row
from claimsmith.store.dynamodb import ConditionError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from claimsmith.store.dynamodb import Table

#: Characters of an image that are kept; two of them fit a row.
_MAX_IMAGE: Final = 150_000

#: Levels of nesting that are kept; DynamoDB takes 32, and the image lies one level down.
_MAX_DEPTH: Final = 30

#: Attributes that are never copied: digests of secrets.
_SECRET: Final = frozenset({"secrets"})


@dataclass(frozen=True, slots=True)
class Change:
    """A change of one row, from a stream record.

    Attributes:
        sequence_number: identifies the record, the same under retries.
        at: epoch seconds, to the precision DynamoDB gives.
        before: the row before; None for a new one.
        after: the row after; None for a deleted one.
        by_ttl: DynamoDB deleted it because its time had come.
    """

    sequence_number: str
    pk: str
    sk: str
    at: int
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    by_ttl: bool

    @property
    def by(self) -> str:
        """Who changed it, as far as the row says."""
        if self.by_ttl:
            return "time-to-live"
        return str((self.after or {}).get("updated_by", "unknown"))


def read_change(record: Mapping[str, Any]) -> Change:
    """The change in a DynamoDB stream record (NEW_AND_OLD_IMAGES).

    Raises:
        KeyError: the record is not one.
    """
    stream = record["dynamodb"]
    keys = decode_row(stream["Keys"])
    old, new = stream.get("OldImage"), stream.get("NewImage")
    return Change(
        sequence_number=stream["SequenceNumber"],
        pk=str(keys[table.PK]),
        sk=str(keys[table.SK]),
        at=int(stream.get("ApproximateCreationDateTime", 0)),
        before=decode_row(old) if old else None,
        after=decode_row(new) if new else None,
        by_ttl=(record.get("userIdentity") or {}).get("principalId") == "dynamodb.amazonaws.com",
    )


def record(audit: Table, change: Change) -> bool:
    """Write the audit row of a change; False where it was written before.

    Raises:
        StoreError: DynamoDB does not answer; calling again writes no second row.
    """
    row: dict[str, Any] = {
        table.PK: change.pk,
        table.SK: f"{change.at:010d}#{change.sequence_number}",
        "row": f"{change.pk} {change.sk}",
        "by": change.by,
        "at": change.at,
    }
    for name, image in (("before", change.before), ("after", change.after)):
        if image is not None:
            row[name] = _image(image)
    try:
        audit.put(row, condition="attribute_not_exists(pk)")
    except ConditionError:
        return False
    return True


def _image(image: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in image.items() if name not in (table.PK, table.SK)}
    for name in kept.keys() & _SECRET:
        kept[name] = "not kept"
    if _depth(kept) > _MAX_DEPTH:
        return {"not_kept": f"nested more than {_MAX_DEPTH} levels deep"}
    size = len(json.dumps(kept, default=str))
    return kept if size <= _MAX_IMAGE else {"not_kept": f"{size} characters"}


def _depth(value: object) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(_depth, inner), default=0)
