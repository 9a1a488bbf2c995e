"""Revocation rows: written by ``claimsmith revoke`` and read by a verifier."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from claimsmith import table
from claimsmith.store.failures import ConditionError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from claimsmith.store.dynamodb import Table
    from claimsmith.store.reads import ReadableTable

#: Plausible times in epoch seconds: 2001 to 5138. Times in milliseconds since 1973 are greater.
_EARLIEST: Final = 1_000_000_000
_LATEST: Final = 99_999_999_999

#: Rows that revoke by their mere existence, whatever their time; their ids are claims of a token.
_BY_ID: Final = (f"{table.REVOKED_PREFIX}session#", f"{table.REVOKED_PREFIX}token#")


def _ignore(_key: str) -> None:
    pass


class StoredRevocations:
    """The ``Revocations`` of a verifier: one consistent BatchGetItem per token, so a revocation is seen at once."""

    def __init__(self, rows: ReadableTable, unreadable: Callable[[str], None] = _ignore) -> None:
        """Read from a table.

        Args:
            rows: the table.
            unreadable: called with the partition key of each row whose time matters but cannot be read: that of a user,
                client or tenant.
        """
        self._rows = rows
        self._unreadable = unreadable

    def revoked_at(self, keys: Sequence[str]) -> Mapping[str, float | None]:
        """``revoked_at`` of each row that exists; None if it is not a plausible time in epoch seconds.

        Raises:
            StoreError: DynamoDB is unavailable.
        """
        found = self._rows.batch_get([(key, table.REVOKED) for key in keys], consistent=True)
        times = {row[table.PK]: _time(row.get("revoked_at")) for row in found}
        for key, revoked_at in times.items():
            if revoked_at is None and not key.startswith(_BY_ID):
                self._unreadable(key)
        return times


def _time(value: object) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool) or not _EARLIEST <= value <= _LATEST:
        return None
    return float(value)


#: Keep a later revocation, which ends more tokens than this one. Replace one whose time cannot be read.
_NOT_LATER: Final = (
    "attribute_not_exists(revoked_at) OR NOT attribute_type(revoked_at, :number)"
    " OR revoked_at <= :revoked_at OR revoked_at > :latest"
)


def write(rows: Table, key: str, *, revoked_at: int, reason: str | None, by: str, ttl: int) -> None:
    """Write a revocation, unless there is a later one already."""
    row = {
        table.PK: key,
        table.SK: table.REVOKED,
        "revoked_at": revoked_at,
        "updated_by": by,
        "updated_at": revoked_at,
        table.TTL: ttl,
    }
    with suppress(ConditionError):
        rows.put(
            row if reason is None else {**row, "reason": reason},
            condition=_NOT_LATER,
            values={":number": "N", ":revoked_at": revoked_at, ":latest": _LATEST},
        )
