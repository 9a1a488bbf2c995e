"""Restores rows of a backup, and loses nothing that was written since.

A row that is missing is added. One that differs stays, unless it is certainly older than that of the backup, or its
owner says otherwise. Nothing is deleted. What the engine trusts has rules of its own: a revocation only ever becomes
later; a version never changes; the pointer is restored only where no version is in force, after a test of the version;
the draft is written under the lease, so that no half of it is published. See ADR 35.

Rows are written in an order in which nobody can do in the meantime what they could not do afterwards: revocations, then
the directory, then versions, then the pointer, then the draft. A restore that was interrupted is finished by running
it again.
"""

from __future__ import annotations

import time
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from claimsmith import table
from claimsmith.engine.codec import BundleError
from claimsmith.errors import Code, OperationError
from claimsmith.named_tuple import NamedTuple
from claimsmith.policy import from_rows
from claimsmith.service.backup import Kind, plain
from claimsmith.service.publish import Outcome, finish
from claimsmith.service.smoke_test import smoke_test
from claimsmith.store import bundles, drafts
from claimsmith.store.attributes import Encoded, decode_row
from claimsmith.store.exact import item_key, put_over
from claimsmith.store.failures import ConditionError
from claimsmith.store.item_size import text_size, value_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from claimsmith.service.backup import Backup
    from claimsmith.service.selection import Selection
    from claimsmith.store.exact import ExactTable, Item

#: Rows that are compared at once, and that one transaction writes; and its bytes, of which DynamoDB takes 4 MB.
_COMPARED: Final = 100
_WRITTEN: Final = 25
_BYTES: Final = 3_000_000


class Fate(StrEnum):
    """What becomes of a row of the backup.

    Attributes:
        ADDED: there is none with its key.
        REPLACED: that of the table is older.
        UNCHANGED: that of the table is the same.
        KEPT: that of the table differs, and stays.
        LEFT: it is not restored, and should not be.
    """

    ADDED = "added"
    REPLACED = "replaced"
    UNCHANGED = "unchanged"
    KEPT = "kept"
    LEFT = "left"


class Step(NamedTuple):
    """A row of the backup and what becomes of it.

    Attributes:
        present: the row of the table; None if there is none.
        why: why it is not restored; empty if it is.
    """

    fate: Fate
    item: Item
    present: Item | None = None
    why: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """Of the row."""
        return item_key(self.item)


class Restore:
    """A restore of a backup, or of a part of it, into a table."""

    def __init__(
        self,
        rows: ExactTable,
        backup: Backup,
        selection: Selection,
        *,
        overwrite: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Prepare a restore; nothing is read yet.

        Args:
            rows: the table.
            backup: what to restore.
            selection: only these rows of it.
            overwrite: also replace rows of the table that differ, except revocations, versions and the pointer.
            clock: epoch seconds.
        """
        self._rows = rows
        self._backup = backup
        self._selection = selection
        self._overwrite = overwrite
        self._clock = clock
        self._in_force: bool | None = None

    def steps(self) -> Iterator[Step]:
        """What would become of each row, in the order of writing. Keeps a hundred rows in memory, and writes nothing.

        Raises:
            StoreError: DynamoDB is unavailable.
        """
        for kind in (Kind.REVOCATION, Kind.OTHER, Kind.BUNDLE, Kind.POLICY):
            yield from self._compared(kind)

    def run(self, by: str) -> Iterator[Step | Outcome]:
        """Restore, and say what became of each row, and at last of the draft if there is one.

        Args:
            by: who restores; the author of the version that the draft becomes.

        Raises:
            OperationError: somebody else is applying a policy. What was yielded is done.
            StoreError: DynamoDB is unavailable. Likewise.
        """
        yield from self._written(self._compared(Kind.REVOCATION))
        yield from self._written(self._compared(Kind.OTHER))
        pointer: list[Step] = []
        yield from self._written(self._all_but_pointer(pointer))
        for step in pointer:
            yield self._point(step)
        yield from self._draft(by)

    def _all_but_pointer(self, pointer: list[Step]) -> Iterator[Step]:
        for step in self._compared(Kind.BUNDLE):
            if step.key == (table.BUNDLE, table.CURRENT):
                pointer.append(step)
            else:
                yield step

    def _compared(self, kind: Kind) -> Iterator[Step]:
        selected = (item for item in self._backup.items(kind) if self._selection.includes(*item_key(item)))
        while batch := list(islice(selected, _COMPARED)):
            present = self._rows.rows_of([item_key(item) for item in batch])
            for item in batch:
                yield self._step(item, present.get(item_key(item)))

    def _step(self, item: Item, present: Item | None) -> Step:
        if present is not None and plain(present) == plain(item):
            return Step(Fate.UNCHANGED, item, present)
        if why := self._why_left(item, present):
            return Step(Fate.LEFT, item, present, why)
        if present is None:
            return Step(Fate.ADDED, item)
        if why := self._why_kept(item, present):
            return Step(Fate.KEPT, item, present, why)
        return Step(Fate.REPLACED, item, present)

    def _why_left(self, item: Item, present: Item | None) -> str:
        pk, sk = item_key(item)
        ttl = _number(item, table.TTL)
        if ttl is not None and ttl <= self._clock():
            return "its ttl has passed"
        if pk == table.BUNDLE and not sk.startswith(table.VERSION) and self._has_pointer():
            return "the table has a version in force"
        if pk.startswith(table.REVOKED_PREFIX) and present is not None and not _is_later(item, present, "revoked_at"):
            return "the revocation in the table is as late, or later"
        return ""

    def _why_kept(self, item: Item, present: Item) -> str:
        pk, _ = item_key(item)
        if pk == table.BUNDLE:
            return "the table has another row under this key, and versions never change"
        if pk.startswith(table.REVOKED_PREFIX) or self._overwrite or _is_later(item, present, "updated_at"):
            return ""
        return "the row in the table differs, and may be newer"

    def _has_pointer(self) -> bool:
        if self._in_force is None:
            self._in_force = self._rows.get(table.BUNDLE, table.CURRENT) is not None
        return self._in_force

    def _written(self, steps: Iterator[Step]) -> Iterator[Step]:
        for batch in _batches(steps):
            actions = [put_over(self._rows.name, step.item, step.present) for step in batch if _writes(step)]
            try:
                if actions:
                    self._rows.transact(actions)
            except ConditionError:
                yield from map(self._written_alone, batch)
            else:
                yield from batch

    def _written_alone(self, step: Step) -> Step:
        if not _writes(step):
            return step
        try:
            self._rows.transact([put_over(self._rows.name, step.item, step.present)])
        except ConditionError:
            return step._replace(fate=Fate.KEPT, why="somebody changed the row in the table in the meantime")
        return step

    def _point(self, step: Step) -> Step:
        """Put the version of the backup in force, if none is and it can decide."""
        if step.fate is not Fate.ADDED:
            return step
        pointer = decode_row(step.item)
        try:
            number, digest = int(pointer["version"]), str(pointer["digest"])
            smoke_test(bundles.read_row(self._rows, number), number, digest)
        except (BundleError, KeyError, TypeError, ValueError) as error:
            why = error.message if isinstance(error, BundleError) else "the row cannot be read"
            return step._replace(fate=Fate.KEPT, why=f"no version is put in force: {why} [{Code.VERSION_NOT_RESTORED}]")
        return self._written_alone(step)

    def _draft(self, by: str) -> Iterator[Step | Outcome]:
        """Write the draft under the lease, and publish it."""
        steps = list(self._compared(Kind.POLICY))
        puts = [step for step in steps if _writes(step)]
        there = {row[table.SK]: row for row in drafts.policy_rows(self._rows)}
        wanted = there | {step.key[1]: decode_row(step.item) for step in puts}
        digest = from_rows(wanted.values()).digest()
        held = drafts.lease(self._rows)
        if not puts and (held is None or held.digest != digest):
            yield from steps
            return
        note = f"restored from a backup of {self._backup.header.table}"
        lease = drafts.Lease(digest, by, int(self._clock()), note, uuid4().hex)
        try:
            drafts.acquire(self._rows, lease, force=False)
        except ConditionError as error:
            message = (
                "Somebody is applying a policy, so the draft is not restored; all else is. Wait, or cancel it by "
                "claimsmith release; then restore again."
            )
            raise OperationError(Code.LEASE_HELD, message) from error
        drafts.replace(self._rows, lease, [_encoded(step.item) for step in puts], ())
        yield from steps
        yield finish(self._rows, lease)


def _writes(step: Step) -> bool:
    return step.fate in (Fate.ADDED, Fate.REPLACED)


def _batches(steps: Iterable[Step]) -> Iterator[list[Step]]:
    """Steps, as many at a time as a transaction takes."""
    batch: list[Step] = []
    size = 0
    for step in steps:
        bytes_ = sum(text_size(name) + value_size(value) for name, value in step.item.items())
        # What is there now is in the condition.
        bytes_ += sum(text_size(name) + value_size(value) for name, value in (step.present or {}).items())
        if batch and (len(batch) == _WRITTEN or size + bytes_ > _BYTES):
            yield batch
            batch, size = [], 0
        batch.append(step)
        size += bytes_
    if batch:
        yield batch


def _encoded(item: Item) -> dict[str, Any]:
    return {name: Encoded(value) for name, value in item.items()}


def _number(item: Item, name: str) -> Decimal | None:
    try:
        return Decimal(item[name]["N"])
    except (KeyError, TypeError, InvalidOperation):
        return None


def _is_later(item: Item, present: Item, name: str) -> bool:
    """Whether a row of the backup is certainly later than that of the table."""
    restored, there = _number(item, name), _number(present, name)
    return restored is not None and there is not None and restored > there
