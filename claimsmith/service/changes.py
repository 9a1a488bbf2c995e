"""Who changed what: recorded changes of rows, by row, time and claimed author, with what differs."""

from __future__ import annotations

import base64
import heapq
from itertools import islice
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from claimsmith import table
from claimsmith.engine.facts import LATEST
from claimsmith.errors import Code, OperationError
from claimsmith.named_tuple import NamedTuple
from claimsmith.service.difference import row_differences
from claimsmith.store.audit import recorded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from claimsmith.service.difference import Difference
    from claimsmith.store.audit import AuditRow
    from claimsmith.store.dynamodb import Table


class Wanted(NamedTuple):
    """Which changes.

    Attributes:
        pk: of rows with this partition key; None for all.
        since: from this second on; epoch seconds.
        until: to the end of the second before this one.
        by: of this claimed author, with or without what stands before the colon; None for all.
    """

    pk: str | None = None
    since: int = 0
    until: int = LATEST
    by: str | None = None


def changes(audit: Table, wanted: Wanted, seen: Callable[[int], None] = lambda _: None) -> Iterator[AuditRow]:
    """These changes as they are read: those of one key newest first, others in the order of the table.

    Args:
        audit: the audit table.
        wanted: which.
        seen: called with the number of rows of each page that was read.

    Raises:
        OperationError: the audit has no rows with such a partition key.
        StoreError: DynamoDB is unavailable.
    """
    if wanted.pk is not None and not table.is_streamed(wanted.pk):
        message = (
            "The audit has no such key. Use POLICY, or one that begins with TENANT#, USER#, REVOKED# or "
            "PROTECTED_RESOURCE#."
        )
        raise OperationError(Code.BAD_ARGUMENT, message)
    found = recorded(audit, pk=wanted.pk, since=wanted.since, until=wanted.until, seen=seen)
    return (change for change in found if _is_by(change, wanted.by))


def newest(
    audit: Table, wanted: Wanted, limit: int, seen: Callable[[int], None] = lambda _: None
) -> tuple[list[AuditRow], bool]:
    """The newest of these changes, newest first, and whether there are more. Keeps no more than ``limit``.

    Raises:
        OperationError, StoreError: as ``changes``.
    """
    found = changes(audit, wanted, seen)
    some = (
        heapq.nlargest(limit + 1, found, attrgetter("order")) if wanted.pk is None else list(islice(found, limit + 1))
    )
    return some[:limit], len(some) > limit


def differences(change: AuditRow) -> list[Difference]:
    """What differs from before a change to after it, by attribute, in values that JSON has."""
    return row_differences(*(image and _plain(image) for image in (change.before, change.after)))


def _is_by(change: AuditRow, by: str | None) -> bool:
    claimed = "time-to-live" if change.by_ttl else change.claimed_by
    return by is None or (claimed is not None and by in (claimed, claimed.partition(":")[2]))


def _plain(value: Any) -> Any:  # noqa: ANN401 - any value of a row
    """A value as JSON has it: sets as sorted lists, bytes as base64."""
    match value:
        case bytes():
            return base64.b64encode(value).decode()
        case dict():
            return {name: _plain(member) for name, member in value.items()}
        case frozenset():
            return sorted(map(_plain, value))
        case list():
            return [_plain(member) for member in value]
    return value
