"""Revocation rows: what ``claimsmith revoke`` writes and a verifier asks for."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from claimsmith import table
from claimsmith.store.dynamodb import ConditionError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from claimsmith.store.dynamodb import Table

#: Epoch seconds that a row may hold: 2001 to 5138. Milliseconds of any date since 1973 lie above.
_EARLIEST: Final = 1_000_000_000
_LATEST: Final = 99_999_999_999

#: Rows that revoke by being there, whatever their time; their ids are claims of a token.
_BY_ID: Final = (f"{table.REVOKED_PREFIX}session#", f"{table.REVOKED_PREFIX}token#")


def _ignored(_key: str) -> None:
    pass


class StoredRevocations:
    """The ``Revocations`` of a verifier: one consistent BatchGetItem a token, so a revocation is seen at once."""

    def __init__(self, rows: Table, unreadable: Callable[[str], None] = _ignored) -> None:
        """Read them from the table.

        Args:
            rows: the table.
            unreadable: is told the partition key of each row whose time cannot be read, where the time matters: of a
                user, a client or a tenant.
        """
        self._rows = rows
        self._unreadable = unreadable

    def revoked_at(self, keys: Sequence[str]) -> Mapping[str, float | None]:
        """``revoked_at`` of each row that is there; None where it is no plausible time in epoch seconds.

        Raises:
            StoreError: DynamoDB does not answer.
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


#: A revocation that ends more than this one would stays. One whose time cannot be read is replaced by one that can.
_NOT_LATER: Final = (
    "attribute_not_exists(revoked_at) OR NOT attribute_type(revoked_at, :number)"
    " OR revoked_at <= :revoked_at OR revoked_at > :latest"
)


def write(rows: Table, key: str, *, revoked_at: int, reason: str | None, by: str, ttl: int) -> None:
    """Write a revocation; a later one replaces an earlier one, and an earlier one changes nothing."""
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
