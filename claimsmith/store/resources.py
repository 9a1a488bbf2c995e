"""Protected resources as the introspection endpoint reads them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from claimsmith import table

if TYPE_CHECKING:
    from collections.abc import Callable

    from claimsmith.store.dynamodb import Table

#: Epoch seconds that are plausible; milliseconds lie above.
_LATEST: Final = 99_999_999_999


class StoredResources:
    """The ``ProtectedResources`` of the introspection endpoint: a consistent read each, so a removal counts at once."""

    def __init__(self, rows: Table, *, clock: Callable[[], float] = time.time) -> None:
        """Read from a table; ``clock`` gives epoch seconds."""
        self._rows = rows
        self._clock = clock

    def row(self, resource_id: str) -> dict[str, Any] | None:
        """The row of a protected resource; None where there is none.

        A row whose time-to-live is over but which DynamoDB has not yet deleted counts as deleted, and so does one whose
        time-to-live is no time.

        Raises:
            StoreError: DynamoDB does not answer.
        """
        row = self._rows.get(table.PROTECTED_RESOURCE_PREFIX + resource_id, table.PROTECTED_RESOURCE)
        if row is not None and table.TTL in row:
            ends = row[table.TTL]
            if isinstance(ends, bool) or not isinstance(ends, int | float) or not self._clock() < ends <= _LATEST:
                return None
        return row
