"""Reads protected resources for the introspection endpoint."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from claimsmith import table

if TYPE_CHECKING:
    from collections.abc import Callable

    from claimsmith.store.reads import ReadableTable

#: The latest plausible time in epoch seconds; milliseconds are greater.
_LATEST: Final = 99_999_999_999


class StoredResources:
    """The ``ProtectedResources`` of the introspection endpoint: consistent reads, so a removal takes effect at once."""

    def __init__(self, rows: ReadableTable, *, clock: Callable[[], float] = time.time) -> None:
        """Read from a table; ``clock`` returns epoch seconds."""
        self._rows = rows
        self._clock = clock

    def row(self, resource_id: str) -> dict[str, Any] | None:
        """The row of a protected resource; None if there is no such row.

        A row whose time-to-live has expired counts as deleted even before DynamoDB deletes it; so does a row whose
        time-to-live is not a valid time.

        Raises:
            StoreError: DynamoDB is unavailable.
        """
        row = self._rows.get(table.PROTECTED_RESOURCE_PREFIX + resource_id, table.PROTECTED_RESOURCE)
        if row is not None and table.TTL in row:
            ends = row[table.TTL]
            if isinstance(ends, bool) or not isinstance(ends, int | float) or not self._clock() < ends <= _LATEST:
                return None
        return row
