"""Protected resources as the introspection endpoint reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from claimsmith import table

if TYPE_CHECKING:
    from claimsmith.store.dynamodb import Table


class StoredResources:
    """The ``ProtectedResources`` of the introspection endpoint: a consistent read each, so a removal counts at once."""

    def __init__(self, rows: Table) -> None:
        self._rows = rows

    def row(self, resource_id: str) -> dict[str, Any] | None:
        """The row of a protected resource; None where there is none.

        Raises:
            StoreError: DynamoDB does not answer.
        """
        return self._rows.get(table.PROTECTED_RESOURCE_PREFIX + resource_id, table.PROTECTED_RESOURCE)
