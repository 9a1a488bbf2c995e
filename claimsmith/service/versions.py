"""Which version is in force, and for whom: roll back, resume, stage, promote, and give up a lease.

Each moves the pointer on the condition that nobody else has since it was read, and reads it anew where somebody has.
A version is read and decides before the pointer names it: one that cannot serve never gets in force.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from claimsmith import table
from claimsmith.engine.staging import Staging
from claimsmith.errors import Code, OperationError
from claimsmith.service import names
from claimsmith.service.publish import Outcome, Result, publish, retry_on_conflict
from claimsmith.service.smoke_test import smoke_test
from claimsmith.store import bundles, drafts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from claimsmith.store.bundles import Pointer, Version
    from claimsmith.store.drafts import Lease
    from claimsmith.store.dynamodb import Table


@dataclass(frozen=True, slots=True)
class PublishingStatus:
    """How things stand.

    Attributes:
        pointer: None before anything was published.
        versions: newest first.
        lease: who is writing the draft.
        problems: the row ``PROBLEMS DRAFT``: why the last refused draft was refused.
        manual: the draft's settings say ``publish: manual``.
    """

    pointer: Pointer | None
    versions: tuple[Version, ...]
    lease: Lease | None
    problems: dict[str, Any] | None
    manual: bool


def publishing_status(rows: Table, *, limit: int) -> PublishingStatus:
    """How things stand, with the newest versions, and those in use however old they are.

    Args:
        rows: the table.
        limit: how many of the newest versions.

    Raises:
        BundleError: the pointer cannot be read.
        OperationError: a row among the versions was made by hand.
        StoreError: DynamoDB does not answer.
    """
    pointer = bundles.pointer(rows)
    listed = bundles.versions(rows, limit=limit)
    used = [] if pointer is None else [pointer.version]
    if pointer is not None and pointer.staging is not None:
        used.append(pointer.staging.candidate)
    for number in sorted(set(used) - {version.number for version in listed}, reverse=True):
        older = bundles.version(rows, number)
        if older is not None:
            listed.append(older)
    listed.sort(key=lambda version: version.number, reverse=True)
    settings = rows.get(table.POLICY, table.SETTINGS) or {}
    manual = settings.get("publish") == "manual"
    return PublishingStatus(pointer, tuple(listed), drafts.lease(rows), drafts.problems(rows), manual)


def rollback(rows: Table, number: int, *, by: str, clock: Callable[[], float] = time.time) -> Pointer:
    """Put an earlier version in force, end a staging, and hold publishing until somebody resumes.

    The version in force itself may be named: then nothing but the staging and the hold changes.

    Raises:
        BundleError: the version is damaged, too large, of a format newer than this code, or cannot decide.
        OperationError: there is no such version, or it is a later one.
        StoreError: DynamoDB does not answer; calling again repairs.
    """
    version, document = _servable(rows, number)

    def attempt() -> Pointer:
        pointer = _pointer(rows)
        if number > pointer.version:
            message = (
                f"Version {number} is later than version {pointer.version}, which is in force; promote it instead."
            )
            raise OperationError(Code.BAD_ARGUMENT, message)
        told = names.register(rows, document, number)
        return bundles.move(rows, version, pointer, by=by, at=int(clock()), hold=True, version_claims=told)

    return retry_on_conflict(attempt)


def resume(rows: Table, *, by: str, clock: Callable[[], float] = time.time) -> Outcome:
    """End the hold, if there is one, and publish the draft.

    Raises:
        BundleError: the pointer cannot be read.
        OperationError: others kept publishing at the same moment.
        StoreError: DynamoDB does not answer; calling again repairs.
    """

    def attempt() -> None:
        pointer = bundles.pointer(rows)
        if pointer is not None and pointer.hold:
            same = bundles.Version(pointer.version, pointer.digest)
            bundles.move(rows, same, pointer, by=by, at=int(clock()), staging=pointer.staging)

    retry_on_conflict(attempt)
    return publish(rows, by=by, clock=clock)


def stage(
    rows: Table,
    number: int,
    *,
    percent: int = 0,
    subjects: Iterable[str] = (),
    by: str,
    clock: Callable[[], float] = time.time,
) -> Pointer:
    """Let a version serve a part of all subjects; what was staged before no longer is. Serving nobody ends it.

    Args:
        rows: the table.
        number: the version's.
        percent: of all subjects, 0 to 100.
        subjects: served whatever the percentage: users' ``sub``, or ids of app clients that get machine tokens.
        by: who stages.
        clock: epoch seconds.

    Raises:
        BundleError: the version is damaged, too large, of a format newer than this code, or cannot decide.
        OperationError: there is no such version, it is in force, or another one is staged that this would end.
        StoreError: DynamoDB does not answer; calling again repairs.
    """
    staging = Staging(number, percent, frozenset(subjects))
    ends = not staging.percent and not staging.subjects
    document = None if ends else _servable(rows, number)[1]

    def attempt() -> Pointer:
        pointer = _pointer(rows)
        if not ends and number == pointer.version:
            raise OperationError(Code.BAD_ARGUMENT, f"Version {number} is in force for all; there is nothing to stage.")
        if ends and pointer.staging is not None and pointer.staging.candidate != number:
            message = f"Version {pointer.staging.candidate} is staged, and not version {number}."
            raise OperationError(Code.BAD_ARGUMENT, message)
        same = bundles.Version(pointer.version, pointer.digest)
        now, staged, told = int(clock()), None if ends else staging, None
        if document is not None:
            told = names.register(rows, document, number)
        return bundles.move(rows, same, pointer, by=by, at=now, hold=pointer.hold, staging=staged, version_claims=told)

    return retry_on_conflict(attempt)


def promote(rows: Table, number: int | None, *, by: str, clock: Callable[[], float] = time.time) -> Outcome:
    """Put a version in force for all: the one that is named, else the staged one, else the draft as a version.

    The last of these is what ``publish: manual`` waits for. A hold stays; only ``resume`` ends it.

    Raises:
        BundleError: the version is damaged, too large, of a format newer than this code, or cannot decide; or the
            pointer cannot be read.
        OperationError: there is no such version, it is an earlier one, or none is named and publishing is on hold or
            what is staged cannot be read.
        StoreError: DynamoDB does not answer; calling again repairs.
    """

    def attempt() -> Outcome | None:
        pointer = bundles.pointer(rows)
        wanted = number
        if wanted is None and pointer is not None:
            if pointer.problem is not None:
                problem = pointer.problem
                raise OperationError(Code.ROW_UNREADABLE, f"{problem.row} {problem.attribute} {problem.why}. Name one.")
            if pointer.staging is not None:
                wanted = pointer.staging.candidate
            elif pointer.hold:
                message = "Publishing is on hold. Resume, or name the version to put in force."
                raise OperationError(Code.ON_HOLD, message)
        if wanted is None:
            return None
        if pointer is not None and wanted == pointer.version:
            return Outcome(Result.UNCHANGED, wanted)
        if pointer is not None and wanted < pointer.version:
            message = (
                f"Version {wanted} is earlier than version {pointer.version}, which is in force; roll back instead."
            )
            raise OperationError(Code.BAD_ARGUMENT, message)
        version, document = _servable(rows, wanted)
        told = names.register(rows, document, wanted)
        held = pointer is not None and pointer.hold
        bundles.move(rows, version, pointer, by=by, at=int(clock()), hold=held, version_claims=told)
        return Outcome(Result.PUBLISHED, wanted)

    return retry_on_conflict(attempt) or publish(rows, by=by, force=True, clock=clock)


def release(rows: Table) -> Lease | None:
    """Give up the lease of whoever is writing the draft, which stays as they left it; the lease, or None."""
    lease = drafts.lease(rows)
    return lease if lease is not None and drafts.release(rows, lease) else None


def _servable(rows: Table, number: int) -> tuple[Version, dict[str, Any]]:
    """A version that can serve, and what it says."""
    row = bundles.read_row(rows, number)
    if row is None:
        raise OperationError(Code.NOT_FOUND, f"There is no version {number}.")
    return smoke_test(row, number), bundles.decode_document(row)


def _pointer(rows: Table) -> Pointer:
    pointer = bundles.pointer(rows)
    if pointer is None:
        raise OperationError(Code.NOT_FOUND, "No version is in force yet; promote one first.")
    return pointer
