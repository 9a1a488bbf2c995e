"""Revocation rows: what ``claimsmith revoke`` writes and a verifier asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from claimsmith import table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from claimsmith.store.dynamodb import Table


class StoredRevocations:
    """The ``Revocations`` of a verifier: one consistent BatchGetItem a token, so a revocation is seen at once."""

    def __init__(self, rows: Table) -> None:
        self._rows = rows

    def revoked_at(self, keys: Sequence[str]) -> Mapping[str, float | None]:
        """``revoked_at`` of each row that is there; None where it is no number.

        Raises:
            StoreError: DynamoDB does not answer.
        """
        found = self._rows.batch_get([(key, table.REVOKED) for key in keys], consistent=True)
        return {row[table.PK]: _time(row.get("revoked_at")) for row in found}


def _time(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def write(rows: Table, key: str, *, revoked_at: int, reason: str | None, by: str, ttl: int) -> None:
    """Write a revocation; a later one replaces an earlier one."""
    row = {
        table.PK: key,
        table.SK: table.REVOKED,
        "revoked_at": revoked_at,
        "updated_by": by,
        "updated_at": revoked_at,
        table.TTL: ttl,
    }
    rows.put(row if reason is None else {**row, "reason": reason})
