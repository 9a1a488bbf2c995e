"""Reads the directory: users, memberships, tenants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from claimsmith import table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from claimsmith.store.dynamodb import Table


#: Pages of 1 MB that are read for one user at most: several thousand memberships fit into the first.
USER_PAGES: Final = 4


def user_rows(rows: Table, sub: str, *, abandoned: Callable[[], bool]) -> list[dict[str, Any]]:
    """The USER row and all memberships of a user, read consistently, page by page.

    Args:
        rows: the table.
        sub: the user.
        abandoned: whether the caller has stopped waiting.

    Raises:
        PartitionTooLargeError: the user has more rows than ``USER_PAGES``.
        StoreError: DynamoDB is unavailable.
    """
    return rows.query(table.USER_PREFIX + sub, pages=USER_PAGES, abandoned=abandoned)


def tenant_rows(rows: Table, tenant_ids: Sequence[str]) -> list[dict[str, Any]]:
    """The TENANT rows of these tenants that exist."""
    return rows.batch_get([(table.TENANT_PREFIX + tenant_id, table.TENANT) for tenant_id in tenant_ids])
