"""What is asked as of some time: the rows of that time, and how certain they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from claimsmith.store.past import Gap, Past

if TYPE_CHECKING:
    from claimsmith.store.dynamodb import Table


@dataclass(frozen=True, slots=True)
class AsOf:
    """The rows of a time.

    Attributes:
        at: epoch seconds. What changed within this second has changed.
        rows: the table as it was then, as far as that is known.
    """

    at: int
    rows: Table
    _gaps: tuple[Gap, ...] = ()

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """What is not known about the rows that were read so far; nothing if they are exactly those of then."""
        return self._gaps + (self.rows.gaps if isinstance(self.rows, Past) else ())


def as_of(rows: Table, audit: Table | None, at: int, now: int) -> AsOf:
    """The table as it was, or will be if nobody changes anything.

    Args:
        rows: the table.
        audit: its audit table; without it, only the policy is that of then.
        at: epoch seconds.
        now: epoch seconds.

    Raises:
        StoreError: DynamoDB is unavailable.
    """
    if at > now:
        return AsOf(at, rows, (Gap("", "this is yet to come; rows are those of now"),))
    return AsOf(at, Past(rows, audit, at))
