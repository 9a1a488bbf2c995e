"""Controls which version is active, and for whom: roll back, resume, stage, promote, and release a lease.

Each operation moves the pointer only if nobody else has moved it since it was read, and starts over if somebody has.
Each version passes a smoke test before the pointer names it: a version that cannot serve never becomes active.
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
    """The state of publishing.

    Attributes:
        pointer: None before the first version is published.
        versions: newest first.
        lease: who is writing the draft; None if nobody is.
        problems: the row ``PROBLEMS DRAFT``: why the last refused draft was refused.
        manual: the draft's settings say ``publish: manual``.
    """

    pointer: Pointer | None
    versions: tuple[Version, ...]
    lease: Lease | None
    problems: dict[str, Any] | None
    manual: bool


def publishing_status(rows: Table, *, limit: int) -> PublishingStatus:
    """The state of publishing, with the newest versions and those in use, however old.

    Args:
        rows: the table.
        limit: how many of the newest versions.

    Raises:
        BundleError: the pointer cannot be read.
        OperationError: a row among the versions was written by hand.
        StoreError: DynamoDB is unavailable.
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
    """Activate an earlier version, end a staging, and put publishing on hold until somebody resumes it.

    It may be the active version itself: then only the staging and the hold change.

    Raises:
        BundleError: the version is damaged, too large, of a format newer than this code, or cannot decide.
        OperationError: there is no such version, or it is a later one.
        StoreError: DynamoDB is unavailable; call again to repair.
    """
    version, document = _servable(rows, number)

    def attempt() -> Pointer:
        pointer = _pointer(rows)
        if number > pointer.version:
            message = (
                f"Version {number} is later than version {pointer.version}, which is in force. Promote it instead."
            )
            raise OperationError(Code.BAD_ARGUMENT, message)
        claims = names.register(rows, document, number)
        return bundles.move(rows, version, pointer, by=by, at=int(clock()), hold=True, version_claims=claims)

    return retry_on_conflict(attempt)


def resume(rows: Table, *, by: str, clock: Callable[[], float] = time.time) -> Outcome:
    """End the hold, if there is one, and publish the draft.

    Raises:
        BundleError: the pointer cannot be read.
        OperationError: others kept publishing at the same moment.
        StoreError: DynamoDB is unavailable; call again to repair.
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
    """Let a version serve a part of all subjects, replacing any staging before. Serving nobody ends the staging.

    Args:
        rows: the table.
        number: the version to stage.
        percent: of all subjects, 0 to 100.
        subjects: served whatever the percentage: users' ``sub``, or app client ids for machine tokens.
        by: who stages.
        clock: epoch seconds.

    Raises:
        BundleError: the version is damaged, too large, of a format newer than this code, or cannot decide.
        OperationError: there is no such version, it is already active, or the staging to end is another version's.
        StoreError: DynamoDB is unavailable; call again to repair.
    """
    staging = Staging(number, percent, frozenset(subjects))
    ends = not staging.percent and not staging.subjects
    document = None if ends else _servable(rows, number)[1]

    def attempt() -> Pointer:
        pointer = _pointer(rows)
        if not ends and number == pointer.version:
            raise OperationError(
                Code.BAD_ARGUMENT, f"Version {number} already serves everybody. Stage another version."
            )
        if ends and pointer.staging is not None and pointer.staging.candidate != number:
            message = f"Version {number} is not staged. To end the staging, name version {pointer.staging.candidate}."
            raise OperationError(Code.BAD_ARGUMENT, message)
        same = bundles.Version(pointer.version, pointer.digest)
        claims = None if document is None else names.register(rows, document, number)
        return bundles.move(
            rows,
            same,
            pointer,
            by=by,
            at=int(clock()),
            hold=pointer.hold,
            staging=None if ends else staging,
            version_claims=claims,
        )

    return retry_on_conflict(attempt)


def promote(rows: Table, number: int | None, *, by: str, clock: Callable[[], float] = time.time) -> Outcome:
    """Activate a version for everybody: the given one; if none is given, the staged one; if none is staged, the draft.

    The last of these is what ``publish: manual`` waits for. A hold stays; only ``resume`` ends it.

    Raises:
        BundleError: the version is damaged, too large, of a format newer than this code, or cannot decide; or the
            pointer cannot be read.
        OperationError: there is no such version; it is an earlier one; or none is given, and publishing is on hold or
            the staged version cannot be read.
        StoreError: DynamoDB is unavailable; call again to repair.
    """

    def attempt() -> Outcome | None:
        pointer = bundles.pointer(rows)
        target = number
        if target is None and pointer is not None:
            if pointer.problem is not None:
                problem = pointer.problem
                message = f"{problem.row} {problem.attribute} {problem.why}. Name the version to put in force."
                raise OperationError(Code.ROW_UNREADABLE, message)
            if pointer.staging is not None:
                target = pointer.staging.candidate
            elif pointer.hold:
                message = "Publishing is on hold. Resume it, or name the version to put in force."
                raise OperationError(Code.ON_HOLD, message)
        if target is None:
            return None
        if pointer is not None and target == pointer.version:
            return Outcome(Result.UNCHANGED, target)
        if pointer is not None and target < pointer.version:
            message = (
                f"Version {target} is earlier than version {pointer.version}, which is in force. Use rollback instead."
            )
            raise OperationError(Code.BAD_ARGUMENT, message)
        version, document = _servable(rows, target)
        claims = names.register(rows, document, target)
        hold = pointer is not None and pointer.hold
        bundles.move(rows, version, pointer, by=by, at=int(clock()), hold=hold, version_claims=claims)
        return Outcome(Result.PUBLISHED, target)

    return retry_on_conflict(attempt) or publish(rows, by=by, force=True, clock=clock)


def release(rows: Table) -> Lease | None:
    """Release the lease of the one who is writing the draft; the draft stays as they left it.

    Returns:
        The released lease; None if there was none.
    """
    lease = drafts.lease(rows)
    return lease if lease is not None and drafts.release(rows, lease) else None


def _servable(rows: Table, number: int) -> tuple[Version, dict[str, Any]]:
    """A version that passes the smoke test, and its document."""
    row = bundles.read_row(rows, number)
    if row is None:
        raise OperationError(
            Code.NOT_FOUND, f"There is no version {number}. List the versions with claimsmith versions."
        )
    return smoke_test(row, number), bundles.decode_document(row)


def _pointer(rows: Table) -> Pointer:
    pointer = bundles.pointer(rows)
    if pointer is None:
        raise OperationError(Code.NOT_FOUND, "No version is in force yet. Promote one first.")
    return pointer
