"""Reads the directory: users, memberships, tenants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from claimsmith import table
from claimsmith.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from claimsmith.store.dynamodb import Table
    from claimsmith.store.reads import ReadableTable


#: Pages of 1 MB that are read for one user at most: several thousand memberships fit into the first.
USER_PAGES: Final = 4


def user_rows(rows: ReadableTable, sub: str, *, abandoned: Callable[[], bool]) -> list[dict[str, Any]]:
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


def tenant_rows(rows: ReadableTable, tenant_ids: Sequence[str]) -> list[dict[str, Any]]:
    """The TENANT rows of these tenants that exist."""
    return rows.batch_get([(table.TENANT_PREFIX + tenant_id, table.TENANT) for tenant_id in tenant_ids])


class UserRows(NamedTuple):
    """All rows under one user's key.

    Attributes:
        last: the key of the last of them, after which a scan can go on.
        whole: False where there are more than are kept here; read them with ``user_rows``.
    """

    sub: str
    rows: list[dict[str, Any]]
    last: tuple[str, str]
    whole: bool = True


def every_user(rows: Table, *, after: tuple[str, str] | None = None) -> Iterator[UserRows]:
    """Every user with rows, one at a time, whatever the number of users; in the order of the table.

    Args:
        rows: the table.
        after: the ``last`` of a user: go on with the next one.

    Raises:
        StoreError: DynamoDB is unavailable.
    """
    current: UserRows | None = None
    pages = 0
    for page in rows.scan(table.USER_PREFIX, after=after):
        pages += 1
        for row in page:
            sub = row[table.PK].removeprefix(table.USER_PREFIX)
            key = (row[table.PK], row[table.SK])
            if current is None or sub != current.sub:
                if current is not None:
                    yield current
                current, pages = UserRows(sub, [row], key), 1
            elif pages <= _PAGES_KEPT:
                current.rows.append(row)
                current = current._replace(last=key)
            else:
                current = current._replace(last=key, whole=False)
    if current is not None:
        yield current


#: Pages of 1 MB of which the rows of one user are kept while all users are read.
_PAGES_KEPT: Final = 2


def every_tenant(rows: Table) -> Iterator[dict[str, Any]]:
    """The row of every tenant.

    The index lists their keys, which is far less to read than all rows of the table.

    Raises:
        StoreError: DynamoDB is unavailable.
    """
    keys = [key for key in rows.keys_by_sk(table.TENANT) if key[0].startswith(table.TENANT_PREFIX)]
    yield from rows.batch_get(keys)
