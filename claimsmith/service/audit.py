"""The audit: every change of a row that people edit becomes one audit row, exactly once despite retries.

No row can stop the stream, whatever it contains, and none can hide what it grants: see ADR 19. Nor can a record that
this code does not understand: see ADR 35.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from claimsmith import table
from claimsmith.errors import StoreError
from claimsmith.named_tuple import NamedTuple
from claimsmith.policy.documents import DOCUMENTS
from claimsmith.service.abridge import abridge, left_out
from claimsmith.store.attributes import Encoded, from_json
from claimsmith.store.failures import ConditionError, InvalidRequestError
from claimsmith.store.item_size import text_size, value_size

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from claimsmith.store.dynamodb import Table
    from claimsmith.store.item_size import Value

    Item = Mapping[str, Value]

#: Bytes for both images. An item may have 400 KB; the rest is for keys, names and digests, 10 kB at most.
ROOM: Final = 380_000

#: Characters kept of the name of the one who claims to have changed a row.
MAX_CLAIMED_BY: Final = 256

#: Attributes that are never copied: digests of secrets.
_SECRET: Final = frozenset({"secrets"})
_NOT_KEPT: Final = {"S": "not kept"}

#: Attributes of a policy row that are only for people to read.
_ANNOTATIONS: Final = frozenset({"description", "updated_by", "updated_at"})

#: Attributes of a policy row that affect a decision: all of them except annotations.
POLICY_AUTHORITY: Final = frozenset(name for row in DOCUMENTS.values() for name in row.model_fields) - _ANNOTATIONS

#: Attributes of other rows that affect a decision. A test compares them with what engine and verifier read.
DIRECTORY_AUTHORITY: Final = frozenset(
    {
        *("status", "roles", "scopes", "groups", "claims", "access_claims", "id_claims", "expires_at", "ttl"),
        *("active_tenant", "active_tenant_by_client"),
        *("name", "plan", "default_roles", "roles_allowed", "scopes_allowed"),
        *("revoked_at", "secrets", "clients", "tenants", "audience", "ext", "requests_per_second"),
    }
)


class Recorded(Enum):
    """How a change was recorded.

    Attributes:
        WHOLE: with both images.
        CUT: with a part of the images.
        DUPLICATE: it had already been recorded.
    """

    WHOLE = "whole"
    CUT = "cut"
    DUPLICATE = "duplicate"


class Audited(NamedTuple):
    """What became of a stream record.

    Attributes:
        pk: of the row that changed, as far as the record says it; likewise ``sk``.
        problem: why the record could not be read, and is kept as it is.
    """

    pk: str
    sk: str
    recorded: Recorded
    problem: Exception | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """A change of one row, from a stream record.

    Attributes:
        sequence_number: identifies the record; a retry has the same one.
        at: epoch seconds, as precise as DynamoDB reports them.
        before: the row before the change, in DynamoDB's representation; None for a new row.
        after: the row after the change; None for a deleted row.
        by_ttl: whether DynamoDB deleted the row because its time-to-live had expired.
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
        """Who changed the row according to its ``updated_by``; anybody who may write the row may write any name."""
        name = (self.after or {}).get("updated_by", {}).get("S")
        return name[:MAX_CLAIMED_BY] if isinstance(name, str) else None


def read_change(record: Mapping[str, Any]) -> Change:
    """The change in a DynamoDB stream record (NEW_AND_OLD_IMAGES).

    Raises:
        KeyError, ValueError, TypeError, AttributeError: it is not such a record.
    """
    stream = record["dynamodb"]
    keys = stream["Keys"]
    old, new = stream.get("OldImage"), stream.get("NewImage")
    return Change(
        sequence_number=stream["SequenceNumber"],
        pk=keys[table.PK]["S"],
        sk=keys[table.SK]["S"],
        at=_seconds(stream),
        before=from_json(old) if old else None,
        after=from_json(new) if new else None,
        by_ttl=(record.get("userIdentity") or {}).get("principalId") == "dynamodb.amazonaws.com",
    )


def audit_record(audit: Table, delivered: Mapping[str, Any]) -> Audited | None:
    """Write the audit row of a stream record, whatever the record contains.

    Args:
        audit: the audit table.
        delivered: a record of the table's stream (NEW_AND_OLD_IMAGES), as an event has it.

    Returns:
        What was written; None for a row whose changes are not audited.

    Raises:
        KeyError: it has no sequence number, so it is no record of a stream.
        StoreError: DynamoDB is unavailable; calling again does not write a second row.
    """
    try:
        change = read_change(delivered)
        return Audited(change.pk, change.sk, record(audit, change)) if table.is_streamed(change.pk) else None
    except StoreError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, it would happen again and hold up every later change
        return _keep(audit, delivered, error)


def audit_key(delivered: Mapping[str, Any]) -> tuple[str, str] | None:
    """The key that ``audit_record`` gives the audit row of a stream record; None if it writes none.

    Raises:
        KeyError: it has no sequence number, so it is no record of a stream.
    """
    stream = delivered["dynamodb"]
    pk = _key(stream, table.PK)
    if pk and not table.is_streamed(pk):
        return None
    return pk or table.UNREADABLE, _sort_key(_seconds(stream), stream["SequenceNumber"])


def record(audit: Table, change: Change) -> Recorded:
    """Write the audit row of a change, abridged to what a row can hold.

    Raises:
        StoreError: DynamoDB is unavailable; calling again does not write a second row.
    """
    row: dict[str, Any] = {
        table.PK: change.pk,
        table.SK: _sort_key(change.at, change.sequence_number),
        "row": f"{change.pk} {change.sk}",
        "at": change.at,
    }
    if change.by_ttl:
        row["by"] = "time-to-live"
    if change.claimed_by is not None:
        row["claimed_by"] = change.claimed_by
    images = {name: _redacted(image) for name, image in (("before", change.before), ("after", change.after)) if image}
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


def _keep(audit: Table, delivered: Mapping[str, Any], problem: Exception) -> Audited:
    """Write the audit row of a record that cannot be read: the record as JSON, as much of it as fits."""
    stream = delivered["dynamodb"]
    pk, sk = (_key(stream, name) for name in (table.PK, table.SK))
    at = _seconds(stream)
    row: dict[str, Any] = {
        table.PK: pk or table.UNREADABLE,
        table.SK: _sort_key(at, stream["SequenceNumber"]),
        "row": f"{pk} {sk}",
        "at": at,
        "not_kept": "the record of the change could not be read",
        "record": _text(_without_secrets(delivered), ROOM),
    }
    # As of an image of which nothing is kept, so that no reader of the audit takes the row for one that was not there.
    for name, image in (("before", "OldImage"), ("after", "NewImage")):
        if image in stream:
            text = json.dumps(stream[image], sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
            row[f"{name}_cut"] = {"bytes": len(text), "sha256": sha256(text).hexdigest()}
    try:
        _put(audit, row)
    except ConditionError:
        return Audited(pk, sk, Recorded.DUPLICATE, problem)
    return Audited(pk, sk, Recorded.CUT, problem)


def _sort_key(at: int, sequence_number: str) -> str:
    return f"{at:010d}#{sequence_number}"


def _seconds(stream: Mapping[str, Any]) -> int:
    at = stream.get("ApproximateCreationDateTime")
    return int(at) if isinstance(at, int | float) else 0


def _key(stream: Mapping[str, Any], name: str) -> str:
    """A key of the row that changed; empty if the record does not say it."""
    try:
        value = stream["Keys"][name]["S"]
    except (KeyError, TypeError):
        return ""
    return value if isinstance(value, str) else ""


def _without_secrets(value: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        return {name: "not kept" if name in _SECRET else _without_secrets(member) for name, member in value.items()}
    return [_without_secrets(member) for member in value] if isinstance(value, list) else value


def _text(value: Any, room: int) -> str:  # noqa: ANN401 - JSON
    """A value as JSON, cut to this many bytes."""
    return json.dumps(value, ensure_ascii=False).encode(errors="replace")[:room].decode(errors="ignore")


def _put(audit: Table, row: Mapping[str, Any]) -> None:
    audit.put(row, condition="attribute_not_exists(pk)")


def _redacted(image: Item) -> Item:
    """An image without its keys, which the audit row has, and without secrets."""
    kept = {name: value for name, value in image.items() if name not in (table.PK, table.SK)}
    return kept | dict.fromkeys(kept.keys() & _SECRET, _NOT_KEPT)


def _images(images: Mapping[str, Item], authority: Collection[str]) -> tuple[dict[str, Any], bool]:
    """The attributes of an audit row for these images, and whether the images are whole.

    Attributes that carry authority in either image come before those that do not in the other.
    """
    sizes = [(_size(image, authority), _size(image, image)) for image in images.values()]
    first = _shares(ROOM, [authority_size for authority_size, _ in sizes])
    rest = _shares(ROOM - sum(first), [size - authority_size for authority_size, size in sizes])
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
    """Divide the room among at most two: each gets what it needs, up to half, or more if the other needs less."""
    half = room // max(1, len(sizes))
    return [min(size, max(half, room - sum(sizes) + size)) for size in sizes]
