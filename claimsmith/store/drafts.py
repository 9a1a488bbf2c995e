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
    """Somebody is writing the draft; until it has this digest, nothing is published.

    Attributes:
        digest: of the draft that is to be; empty where the row cannot be read.
        started_at: epoch seconds.
        note: what they have to say about the version that it becomes.
        revision: another one each time it is taken; None where the row says none.
    """

    digest: str
    by: str
    started_at: int
    note: str | None = None
    revision: str | None = None

    def row(self) -> dict[str, Any]:
        """The row of this lease."""
        return {
            table.PK: table.LEASE,
            table.SK: table.DRAFT,
            "digest": self.digest,
            "by": self.by,
            "started_at": self.started_at,
            **({} if self.note is None else {"note": self.note}),
            **({} if self.revision is None else {"revision": self.revision}),
        }


def policy_rows(rows: Table, *, pages: int | None = None) -> list[dict[str, Any]]:
    """The draft's rows, read consistently and whole.

    Args:
        rows: the table.
        pages: requests at most; without it, as many as there are.

    Raises:
        PartitionTooLargeError: there is more than so many pages.
    """
    return rows.query(table.POLICY, pages=pages)


def replace(rows: Table, held: Lease, puts: Sequence[Mapping[str, Any]], deletes: Sequence[str]) -> None:
    """Write and delete policy rows, all or none of up to 99 at once, as long as the lease is held.

    Who was stopped half-way and has lost the lease since can therefore not go on writing into somebody else's draft.

    Args:
        rows: the table.
        held: the lease.
        puts: the rows to write.
        deletes: the sort keys of the rows to delete.

    Raises:
        ConditionError: the lease is not held any more, or somebody writes the same rows at the same moment.
    """
    actions = [put_action(rows.name, row) for row in puts]
    actions += [delete_action(rows.name, table.POLICY, sk) for sk in deletes]
    # Written again as it is: that needs no permission beyond the one to take it, as a mere check would.
    still_held = put_action(rows.name, held.row(), "digest = :digest", {":digest": held.digest})
    step = TRANSACTION - 1
    for start in range(0, len(actions), step):
        rows.transact([still_held, *actions[start : start + step]])


def lease(rows: Table) -> Lease | None:
    """The lease, if somebody holds it. One that cannot be read counts as held: it blocks, and it can be taken over."""
    row = rows.get(table.LEASE, table.DRAFT)
    if row is None:
        return None
    digest, started_at, note, revision = (row.get(name) for name in ("digest", "started_at", "note", "revision"))
    return Lease(
        digest if isinstance(digest, str) else "",
        str(row.get("by")),
        started_at if isinstance(started_at, int) else 0,
        note if isinstance(note, str) else None,
        revision if isinstance(revision, str) else None,
    )


def acquire(rows: Table, lease: Lease, *, force: bool) -> None:
    """Take the lease. Heading for the same digest again is a repair, not a conflict.

    Args:
        rows: the table.
        lease: the lease to hold.
        force: take it even from somebody who heads for another digest.

    Raises:
        ConditionError: somebody else holds it.
    """
    rows.put(
        lease.row(),
        condition=None if force else "attribute_not_exists(pk) OR digest = :digest",
        values=None if force else {":digest": lease.digest},
    )


def release(rows: Table, held: Lease) -> bool:
    """Give up this lease; another one stays, even for the same digest: its draft may be half written by now.

    Returns:
        Whether it was there.
    """
    condition, values = "attribute_exists(pk)", None
    if held.revision is not None:
        condition, values = "revision = :revision", {":revision": held.revision}
    elif held.digest:
        condition, values = "digest = :digest", {":digest": held.digest}
    try:
        rows.delete(table.LEASE, table.DRAFT, condition=condition, values=values)
    except ConditionError:
        return False
    return True


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
