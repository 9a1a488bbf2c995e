"""The row that remembers what a user pool called before Claimsmith's trigger was attached to it.

It is in the table of that trigger, and not on the pool: a tag would itself be a change of the pool, which whatever
manages the pool would take away.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from claimsmith import table
from claimsmith.errors import Code, OperationError
from claimsmith.store.failures import ConditionError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from claimsmith.store.dynamodb import Table


@dataclass(frozen=True, slots=True)
class Attachment:
    """A pool and the trigger that was attached to it.

    Attributes:
        pool_id: of the pool.
        function: the ARN of the trigger.
        event_version: of its events.
        before: the members of ``LambdaConfig`` that were there before, of the pre token generation trigger only.
        updated_by: who attached it.
        updated_at: when; epoch seconds.
    """

    pool_id: str
    function: str
    event_version: str
    before: Mapping[str, Any] = field(default_factory=dict)
    updated_by: str = ""
    updated_at: int = 0


def read(rows: Table, pool_id: str) -> Attachment | None:
    """What is remembered of a pool; None if nothing is.

    Raises:
        OperationError: the row cannot be read.
        StoreError: DynamoDB is unavailable.
    """
    row = rows.get(table.DEPLOYMENT, table.POOL + pool_id)
    if row is None:
        return None
    before = row.get("before", {})
    if not isinstance(row.get("function"), str) or not isinstance(before, dict):
        key = f"{table.DEPLOYMENT} {table.POOL}{pool_id}"
        message = f"The row {key} cannot be read: function must be text, and before a map."
        raise OperationError(Code.ROW_UNREADABLE, message)
    at = row.get("updated_at")
    return Attachment(
        pool_id,
        row["function"],
        str(row.get("event_version", "")),
        before,
        str(row.get("updated_by", "")),
        at if isinstance(at, int) else 0,
    )


def write(rows: Table, attachment: Attachment, seen: Attachment | None) -> None:
    """Remember an attachment, unless somebody else has meanwhile written another.

    Args:
        rows: the table.
        attachment: the new one.
        seen: what was remembered when it was decided.

    Raises:
        ConditionError: the row is not as it was seen: somebody else attaches or detaches.
    """
    rows.update(
        table.DEPLOYMENT,
        table.POOL + attachment.pool_id,
        {
            "function": attachment.function,
            "event_version": attachment.event_version,
            "before": dict(attachment.before),
            "updated_by": attachment.updated_by,
            "updated_at": attachment.updated_at,
        },
        expected=_expected(seen),
    )


def forget(rows: Table, pool_id: str, seen: Attachment) -> None:
    """Forget an attachment; one that somebody else has meanwhile written stays."""
    try:
        rows.delete(
            table.DEPLOYMENT,
            table.POOL + pool_id,
            condition="#function = :function AND updated_at = :at",
            values={":function": seen.function, ":at": seen.updated_at},
            names={"#function": "function"},
        )
    except ConditionError:
        return


def _expected(seen: Attachment | None) -> dict[str, Any]:
    if seen is None:
        return {"function": None}
    return {"function": seen.function, "updated_at": seen.updated_at}
