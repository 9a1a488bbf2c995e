"""Reads of the directory: users, memberships, tenants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from claimsmith import table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from claimsmith.store.dynamodb import Table


def user_rows(rows: Table, sub: str) -> list[dict[str, Any]]:
    """The USER row and all memberships of a user, read consistently in one query."""
    return rows.query(table.USER_PREFIX + sub)


def tenant_rows(rows: Table, tenant_ids: Sequence[str]) -> list[dict[str, Any]]:
    """The TENANT rows of these tenants that exist."""
    return rows.batch_get([(table.TENANT_PREFIX + tenant_id, table.TENANT) for tenant_id in tenant_ids])
