"""The audit: every change of a row that people edit becomes one audit row, exactly once under retries.

No row stops the stream, whatever it holds, and none hides what it grants: see ADR 19.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from claimsmith import table
from claimsmith.policy.documents import DOCUMENTS
from claimsmith.service.abridge import abridge, left_out
from claimsmith.store.attributes import Encoded, from_json
from claimsmith.store.dynamodb import ConditionError, InvalidRequestError
from claimsmith.store.item_size import text_size, value_size

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from claimsmith.store.dynamodb import Table
    from claimsmith.store.item_size import Value

    Item = Mapping[str, Value]

#: Bytes of both images. An item has 400 KB; what is over is for keys, names and digests, 10 kB at most.
ROOM: Final = 380_000

#: Characters that are kept of who claims to have changed a row.
MAX_CLAIMED_BY: Final = 256

#: Attributes that are never copied: digests of secrets.
_SECRET: Final = frozenset({"secrets"})
_NOT_KEPT: Final = {"S": "not kept"}

#: Attributes of a row of the policy that only say something to people.
_ANNOTATIONS: Final = frozenset({"description", "updated_by", "updated_at"})

#: By what a row of the policy decides: all that such a row may hold and that is no annotation.
POLICY_AUTHORITY: Final = frozenset(name for row in DOCUMENTS.values() for name in row.model_fields) - _ANNOTATIONS

#: By what the other rows decide. A test compares it with what engine and verifier read of them.
DIRECTORY_AUTHORITY: Final = frozenset(
    {
        *("status", "roles", "scopes", "claims", "access_claims", "id_claims", "expires_at", "ttl"),
        *("active_tenant", "active_tenant_by_client"),
        *("name", "plan", "default_roles", "roles_allowed", "scopes_allowed"),
        *("revoked_at", "secrets", "clients", "tenants", "audience"),
    }
)


class Recorded(Enum):
    """What became of a change."""

    WHOLE = "whole"
    CUT = "cut"
    DUPLICATE = "duplicate"


@dataclass(frozen=True, slots=True)
class Change:
    """A change of one row, from a stream record.

    Attributes:
        sequence_number: identifies the record, the same under retries.
        at: epoch seconds, to the precision DynamoDB gives.
        before: the row before, as DynamoDB has it; None for a new one.
        after: the row after; None for a deleted one.
        by_ttl: DynamoDB deleted it because its time had come.
    """

    sequence_number: str
    pk: str
    sk: str
    at: int
    before: Item | None
    after: Item | None
    by_ttl: bool

    @property
    def claimed_by(self) -> str | None:
        """Who changed it, as the row claims; whoever may write the row may write any name there."""
        name = (self.after or {}).get("updated_by", {}).get("S")
        return name[:MAX_CLAIMED_BY] if isinstance(name, str) else None


def read_change(record: Mapping[str, Any]) -> Change:
    """The change in a DynamoDB stream record (NEW_AND_OLD_IMAGES).

    Raises:
        KeyError, ValueError, TypeError, AttributeError: the record is none.
    """
    stream = record["dynamodb"]
    keys = stream["Keys"]
    old, new = stream.get("OldImage"), stream.get("NewImage")
    return Change(
        sequence_number=stream["SequenceNumber"],
        pk=keys[table.PK]["S"],
        sk=keys[table.SK]["S"],
        at=int(stream.get("ApproximateCreationDateTime", 0)),
        before=from_json(old) if old else None,
        after=from_json(new) if new else None,
        by_ttl=(record.get("userIdentity") or {}).get("principalId") == "dynamodb.amazonaws.com",
    )


def record(audit: Table, change: Change) -> Recorded:
    """Write the audit row of a change, cut to what a row can hold.

    Raises:
        StoreError: DynamoDB does not answer; calling again writes no second row.
    """
    row: dict[str, Any] = {
        table.PK: change.pk,
        table.SK: f"{change.at:010d}#{change.sequence_number}",
        "row": f"{change.pk} {change.sk}",
        "at": change.at,
    }
    if change.by_ttl:
        row["by"] = "time-to-live"
    if change.claimed_by is not None:
        row["claimed_by"] = change.claimed_by
    images = {name: _copied(image) for name, image in (("before", change.before), ("after", change.after)) if image}
    kept, whole = _images(images, POLICY_AUTHORITY if change.pk == table.POLICY else DIRECTORY_AUTHORITY)
    try:
        try:
            _put(audit, {**row, **kept})
        except InvalidRequestError:
            whole = False
            refused = {f"{name}_cut": Encoded({"M": left_out(image)}) for name, image in images.items()}
            _put(audit, {**row, **refused, "not_kept": "DynamoDB takes no row with this image"})
    except ConditionError:
        return Recorded.DUPLICATE
    return Recorded.WHOLE if whole else Recorded.CUT


def _put(audit: Table, row: Mapping[str, Any]) -> None:
    audit.put(row, condition="attribute_not_exists(pk)")


def _copied(image: Item) -> Item:
    """What is copied of an image: not its keys, which are in the audit row, and no secret."""
    kept = {name: value for name, value in image.items() if name not in (table.PK, table.SK)}
    return kept | dict.fromkeys(kept.keys() & _SECRET, _NOT_KEPT)


def _images(images: Mapping[str, Item], authority: Collection[str]) -> tuple[dict[str, Any], bool]:
    """What an audit row keeps of the images, and whether that is all of them.

    What carries authority in either comes before what does not in the other.
    """
    sizes = [(_size(image, authority), _size(image, image)) for image in images.values()]
    first = _shares(ROOM, [deciding for deciding, _ in sizes])
    rest = _shares(ROOM - sum(first), [size - deciding for deciding, size in sizes])
    spare = (ROOM - sum(first) - sum(rest)) // max(1, len(images))
    row: dict[str, Any] = {}
    whole = True
    for (name, image), *shares in zip(images.items(), first, rest, strict=True):
        kept = abridge(image, sum(shares) + spare, authority)
        row[name] = Encoded({"M": kept.item})
        if kept.cut is not None:
            row[f"{name}_cut"] = Encoded({"M": kept.cut})
            whole = False
    return row, whole


def _size(image: Item, names: Collection[str]) -> int:
    return sum(1 + text_size(name) + value_size(value) for name, value in image.items() if name in names)


def _shares(room: int, sizes: list[int]) -> list[int]:
    """What each of at most two gets of the room: what it needs, where that is no more than half or there is more."""
    half = room // max(1, len(sizes))
    return [min(size, max(half, room - sum(sizes) + size)) for size in sizes]
