"""The draft in the table: the policy's rows, the lease of their writer, the problems of the last refused draft."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from claimsmith import table
from claimsmith.store.dynamodb import TRANSACTION, delete_action, put_action
from claimsmith.store.failures import ConditionError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from claimsmith.store.dynamodb import Table


@dataclass(frozen=True, slots=True)
class Lease:
    """Somebody is writing the draft; nothing is published until the draft has this digest.

    Attributes:
        digest: of the complete draft; empty if the row cannot be read.
        started_at: epoch seconds.
        note: a comment on the version that the draft will become.
        revision: unique to each time the lease is acquired; None if the row has none.
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


def replace(rows: Table, lease: Lease, puts: Sequence[Mapping[str, Any]], deletes: Sequence[str]) -> None:
    """Write and delete policy rows while holding the lease, in transactions of up to 99 rows.

    So a writer that was interrupted and has lost the lease cannot write into somebody else's draft.

    Args:
        rows: the table.
        lease: the lease that the caller holds.
        puts: the rows to write.
        deletes: the sort keys of the rows to delete.

    Raises:
        ConditionError: the lease is no longer held, or somebody else is writing the same rows.
    """
    actions = [put_action(rows.name, row) for row in puts]
    actions += [delete_action(rows.name, table.POLICY, sk) for sk in deletes]
    # Put the same row again: a ConditionCheck would need another permission than acquiring the lease does.
    renew = put_action(rows.name, lease.row(), "digest = :digest", {":digest": lease.digest})
    step = TRANSACTION - 1
    for start in range(0, len(actions), step):
        rows.transact([renew, *actions[start : start + step]])


def lease(rows: Table) -> Lease | None:
    """The lease, if somebody holds it. An unreadable one counts as held: it blocks, and can be taken over."""
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
    """Acquire the lease. Acquiring it again for the same digest is a repair, not a conflict.

    Args:
        rows: the table.
        lease: the lease to hold.
        force: take it even if somebody else holds it for another digest.

    Raises:
        ConditionError: somebody else holds it.
    """
    rows.put(
        lease.row(),
        condition=None if force else "attribute_not_exists(pk) OR digest = :digest",
        values=None if force else {":digest": lease.digest},
    )


def release(rows: Table, lease: Lease) -> bool:
    """Release this lease, but no other, even for the same digest: its draft may be half written by now.

    Returns:
        Whether it existed.
    """
    condition, values = "attribute_exists(pk)", None
    if lease.revision is not None:
        condition, values = "revision = :revision", {":revision": lease.revision}
    elif lease.digest:
        condition, values = "digest = :digest", {":digest": lease.digest}
    try:
        rows.delete(table.LEASE, table.DRAFT, condition=condition, values=values)
    except ConditionError:
        return False
    return True


def write_problems(rows: Table, findings: Sequence[Mapping[str, Any]], *, digest: str, at: int) -> None:
    """Record why the draft was refused."""
    rows.put(
        {table.PK: table.PROBLEMS, table.SK: table.DRAFT, "findings": list(findings), "digest": digest, "at": at},
    )


def problems(rows: Table) -> dict[str, Any] | None:
    """The reasons why the draft was refused; None if it was not."""
    return rows.get(table.PROBLEMS, table.DRAFT)


def clear_problems(rows: Table) -> None:
    """Delete the recorded problems, because the draft has none."""
    rows.delete(table.PROBLEMS, table.DRAFT)
