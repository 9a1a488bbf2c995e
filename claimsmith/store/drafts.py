"""The draft in the table: the policy's rows, the lease of who writes them, the problems of the last refused one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from claimsmith import table
from claimsmith.store.dynamodb import TRANSACTION, ConditionError, delete_action, put_action

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from claimsmith.store.dynamodb import Table


@dataclass(frozen=True, slots=True)
class Lease:
    """Somebody is writing the draft; until it has this digest, nothing is published."""

    digest: str
    by: str
    started_at: int


def policy_rows(rows: Table) -> list[dict[str, Any]]:
    """The draft's rows, read consistently and whole."""
    return rows.query(table.POLICY)


def replace(rows: Table, puts: Sequence[Mapping[str, Any]], deletes: Sequence[str]) -> None:
    """Write and delete policy rows; up to ``TRANSACTION`` of them at once, all or none."""
    actions = [put_action(rows.name, row) for row in puts]
    actions += [delete_action(rows.name, table.POLICY, sk) for sk in deletes]
    for start in range(0, len(actions), TRANSACTION):
        rows.transact(actions[start : start + TRANSACTION])


def lease(rows: Table) -> Lease | None:
    """The lease, if somebody holds it. One that cannot be read counts as held: it blocks, and it can be taken over."""
    row = rows.get(table.LEASE, table.DRAFT)
    if row is None:
        return None
    started_at = row.get("started_at")
    return Lease(str(row.get("digest")), str(row.get("by")), started_at if isinstance(started_at, int) else 0)


def take(rows: Table, wanted: Lease, *, over: bool) -> None:
    """Take the lease. Heading for the same digest again is a repair, not a conflict.

    Args:
        rows: the table.
        wanted: the lease.
        over: take it even from somebody who heads for another digest.

    Raises:
        ConditionError: somebody else holds it.
    """
    rows.put(
        {
            table.PK: table.LEASE,
            table.SK: table.DRAFT,
            "digest": wanted.digest,
            "by": wanted.by,
            "started_at": wanted.started_at,
        },
        condition=None if over else "attribute_not_exists(pk) OR digest = :digest",
        values=None if over else {":digest": wanted.digest},
    )


def release(rows: Table, digest: str) -> None:
    """Give up the lease that heads for this digest; another one stays."""
    try:
        rows.delete(table.LEASE, table.DRAFT, condition="digest = :digest", values={":digest": digest})
    except ConditionError:
        return


def write_problems(rows: Table, findings: Sequence[Mapping[str, Any]], *, digest: str, at: int) -> None:
    """Remember why the draft was refused."""
    rows.put(
        {table.PK: table.PROBLEMS, table.SK: table.DRAFT, "findings": list(findings), "digest": digest, "at": at},
    )


def problems(rows: Table) -> dict[str, Any] | None:
    """Why the last refused draft was refused; None where the draft is fine."""
    return rows.get(table.PROBLEMS, table.DRAFT)


def clear_problems(rows: Table) -> None:
    """The draft is fine."""
    rows.delete(table.PROBLEMS, table.DRAFT)
