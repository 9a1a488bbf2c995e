"""Reads the audit table: one row for each change of a row that people edit, written by ``claimsmith.service.audit``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from claimsmith import table
from claimsmith.engine.facts import LATEST
from claimsmith.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from claimsmith.store.dynamodb import Table

    Row = Mapping[str, Any]

#: What the audit says of a row that DynamoDB deleted because its time to live had passed.
_BY_TTL: Final = "time-to-live"


class AuditRow(NamedTuple):
    """A recorded change of a row.

    Attributes:
        pk: of the row that changed; likewise ``sk``.
        at: epoch seconds.
        sequence: orders the changes of a row within a second.
        by_ttl: DynamoDB deleted the row because its time to live had passed.
        claimed_by: who changed it according to the row itself; anyone who may write the row may write any name.
        before: the row before the change, without its keys and with what stands for what was cut; None for a new row.
        after: likewise, after the change; None for a deleted row.
        before_cut: ``before`` lacks a part of the row.
        after_cut: ``after`` lacks a part of the row.
    """

    pk: str
    sk: str
    at: int
    sequence: str
    by_ttl: bool
    claimed_by: str | None
    before: Row | None
    after: Row | None
    before_cut: bool
    after_cut: bool

    @property
    def order(self) -> tuple[int, int, str]:
        """Orders changes by time. Sequence numbers are numbers, so that the longer one is the later one."""
        return self.at, len(self.sequence), self.sequence


def recorded(
    audit: Table,
    *,
    pk: str | None = None,
    since: int = 0,
    until: int = LATEST,
    seen: Callable[[int], None] = lambda _: None,
) -> Iterator[AuditRow]:
    """The recorded changes, read page by page.

    Args:
        audit: the audit table.
        pk: of rows with this partition key, newest first; None for all, which scans the table, and their order is the
            table's.
        since: from this second on; epoch seconds.
        until: to the end of the second before this one.
        seen: called with the number of rows of each page that was read.

    Raises:
        StoreError: DynamoDB is unavailable.
    """
    for page in audit.range(f"{since:010d}#", f"{until:010d}", pk=pk, descending=True):
        seen(len(page))
        yield from map(_read, page)


def _read(row: Row) -> AuditRow:
    """An audit row. What somebody wrote there by hand is read as far as it goes: it must not hide the others."""
    pk = str(row[table.PK])
    at, _, sequence = str(row[table.SK]).partition("#")
    before, after = (_image(row, name) for name in ("before", "after"))
    # Earlier releases wrote the claim into ``by``; a row that DynamoDB deleted has no ``after``.
    by_ttl = row.get("by") == _BY_TTL and after is None
    claimed_by = row.get("claimed_by", None if by_ttl else row.get("by"))
    return AuditRow(
        pk,
        str(row.get("row", "")).removeprefix(f"{pk} "),
        int(at) if at.isdecimal() else 0,
        sequence,
        by_ttl,
        claimed_by if isinstance(claimed_by, str) else None,
        before,
        after,
        "before_cut" in row,
        "after_cut" in row,
    )


def _image(row: Row, name: str) -> Row | None:
    """An image; an empty one where none of it was kept."""
    image = row.get(name)
    if isinstance(image, dict):
        return image
    return {} if f"{name}_cut" in row else None
