"""Publishes the draft: from the rows that people edit to the active bundle. Called by the stream and the command line.

If the process is killed at any point, nothing is left half done: the next run uses a version that nothing points to
yet, and the pointer moves only if nobody else has moved it in the meantime. A row that is edited while a draft is being
published is published as well: if not by its own publisher, then by the one that got in its way. Moving the pointer to
another version ends any staging: the draft is newer than the staged version, and otherwise the subjects served by that
version would be the only ones to miss the change.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeVar
from uuid import uuid4

from claimsmith import table
from claimsmith.engine.codec import BundleError, encode
from claimsmith.errors import Code, OperationError, PolicyError
from claimsmith.named_tuple import NamedTuple
from claimsmith.policy import Finding, from_rows
from claimsmith.policy import compile as compile_policy
from claimsmith.policy.documents import SETTINGS_SECTION, Settings
from claimsmith.policy.finding import clipped, cut
from claimsmith.service import names
from claimsmith.service.draft import TooLargeError, read_draft
from claimsmith.service.smoke_test import smoke_test
from claimsmith.store import bundles, drafts
from claimsmith.store.failures import ConditionError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from claimsmith.policy.draft import Draft
    from claimsmith.store.dynamodb import Table

T = TypeVar("T")

#: Attempts when somebody else publishes at the same moment.
_ATTEMPTS: Final = 8

#: Findings kept in the problems row, and characters kept of each part of a finding. A character takes up to four bytes,
#: so the row never exceeds 370 kB; DynamoDB accepts 400.
_KEPT_FINDINGS: Final = 100
_KEPT_PLACE: Final = 200
_KEPT_MESSAGE: Final = 500

_LEASE_LOST: Final = (
    "Somebody took over the lease before this apply had written all rows; the draft is now theirs. "
    "Check it with claimsmith lint, then apply again."
)


class Result(StrEnum):
    """The result of publishing."""

    PUBLISHED = "published"
    UNCHANGED = "unchanged"
    REFUSED = "refused"
    WAITING = "waiting"
    HELD = "held"
    MANUAL = "manual"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of publishing, with details.

    Attributes:
        version: the active version; None if there is none yet.
        findings: why the draft was refused, or why its version cannot serve.
    """

    result: Result
    version: int | None
    findings: tuple[Finding, ...] = ()


class _OvertakenError(Exception):
    """The draft changed while it was being checked."""


class _Signature(NamedTuple):
    """Who publishes, when (epoch seconds), and their note about it."""

    by: str
    at: int
    note: str | None = None


def publish(rows: Table, *, by: str, force: bool = False, clock: Callable[[], float] = time.time) -> Outcome:
    """Publish the draft, unless it has errors, is unchanged, or publishing is on hold.

    Args:
        rows: the table.
        by: who publishes; stored with the version, unless a lease names the author.
        force: publish even if the settings say ``publish: manual``.
        clock: epoch seconds.

    Raises:
        BundleError: the pointer cannot be read.
        OperationError: others kept publishing at the same moment.
        StoreError: DynamoDB is unavailable; call again to repair.
    """
    return retry_on_conflict(lambda: _publish(rows, _Signature(by, int(clock())), force=force))


def retry_on_conflict(attempt: Callable[[], T]) -> T:
    """Run an attempt, and again if somebody else changed the pointer or the draft meanwhile; return its result.

    Each attempt must read the pointer itself.

    Raises:
        OperationError: others kept publishing at the same moment.
    """
    for _ in range(_ATTEMPTS):
        try:
            return attempt()
        except (ConditionError, _OvertakenError):
            continue
    raise OperationError(Code.CONFLICT, "Others kept publishing at the same moment. Try again.")


def _publish(rows: Table, signature: _Signature, *, force: bool = False, only: str | None = None) -> Outcome:
    # Read the pointer before the draft: if a newer draft overtakes this one, the pointer moves too, and moving it here
    # fails. Read the lease after the draft: whoever wrote a part of what was read acquired the lease before, and either
    # still holds it or completed the draft before releasing it, and then the draft differs from what was read.
    pointer = bundles.pointer(rows)
    try:
        draft = read_draft(rows)
    except TooLargeError as too_large:
        return _not_read(rows, too_large.finding, pointer.version if pointer else None, signature.at)
    digest = draft.digest()
    lease = drafts.lease(rows)
    if lease is None:
        _ensure_unchanged(rows, draft)
    elif lease.digest != digest:
        only = lease.digest
    if only is not None and only != digest:
        return Outcome(Result.WAITING, pointer.version if pointer else None)
    author = signature if lease is None else signature._replace(by=lease.by, note=lease.note)
    outcome = _activate(rows, draft, pointer, author, force=force)
    if lease is not None:
        if pointer is not None and outcome.result is not Result.PUBLISHED:
            bundles.touch(rows, pointer)
        drafts.release(rows, lease)
    if lease is not None or outcome.result is Result.PUBLISHED:
        _catch_up(rows, draft, signature)
    return outcome


def _catch_up(rows: Table, draft: Draft, signature: _Signature) -> None:
    """Publish edits made by hand since this draft was read, because the stream will not deliver them again.

    The edit's own publisher has already run. It stopped because of the lease that has just been released, or it found
    the previously active policy and had nothing to do. The result of publishing the edit is not part of this draft's
    outcome. If the process is killed just before this, and the stream does not retry it, the edit is left to the next
    publisher.
    """
    if _changed(rows, draft):
        retry_on_conflict(lambda: _publish(rows, signature._replace(note=None)))


def _activate(
    rows: Table, draft: Draft, pointer: bundles.Pointer | None, signature: _Signature, *, force: bool
) -> Outcome:
    active = pointer.version if pointer else None
    try:
        document = compile_policy(draft)
        stored, digest = encode(document)
        if pointer is None or pointer.digest != digest:
            names.check(rows, draft, document)
    except PolicyError as refused:
        return _refused(rows, draft, active, _findings(refused.findings), signature.at)
    if drafts.problems(rows) is not None:
        drafts.clear_problems(rows)
        _ensure_unchanged(rows, draft)
    if pointer is not None and pointer.digest == digest:
        return Outcome(Result.UNCHANGED, active)
    version = _stored(rows, digest)
    if version is None:
        version = _store(rows, stored, digest, pointer, signature)
        try:
            smoke_test(bundles.read_row(rows, version.number), version.number, digest)
        except BundleError as error:
            row = f"{table.BUNDLE} {table.version_sk(version.number)}"
            finding = Finding(error.code, row, "document", f"the stored version cannot be used: {error.message}")
            return _refused(rows, draft, active, (finding,), signature.at)
    if pointer is not None and pointer.hold:
        return Outcome(Result.HELD, active)
    if _is_manual(draft) and not force:
        return Outcome(Result.MANUAL, active)
    version_claims = names.register(rows, document, version.number)
    bundles.move(rows, version, pointer, by=signature.by, at=signature.at, version_claims=version_claims)
    return Outcome(Result.PUBLISHED, version.number)


def _ensure_unchanged(rows: Table, draft: Draft) -> None:
    """Make sure that the draft is still the one that was checked.

    Called before anything is stored, and after the problems row was changed: otherwise a slow publisher could report
    problems that are already fixed, or clear those of an edit that it has not seen. The last publisher to write has
    seen the draft as it is; a later edit has its own publisher.

    Raises:
        _OvertakenError: it has changed.
    """
    if _changed(rows, draft):
        raise _OvertakenError


def _changed(rows: Table, draft: Draft) -> bool:
    try:
        return read_draft(rows).digest() != draft.digest()
    except TooLargeError:
        return True


def _not_read(rows: Table, finding: Finding, in_force: int | None, at: int) -> Outcome:
    """Remember that the draft is too large; of no digest, for it has none. Half of what somebody applies may be so."""
    if drafts.lease(rows) is not None:
        return Outcome(Result.WAITING, in_force)
    drafts.write_problems(rows, [_finding_row(finding)], digest="", at=at)
    return Outcome(Result.REFUSED, in_force, (finding,))


def _refused(rows: Table, draft: Draft, active: int | None, findings: tuple[Finding, ...], at: int) -> Outcome:
    """Record why the draft was refused."""
    kept = [_finding_row(finding) for finding in cut(findings, _KEPT_FINDINGS)]
    drafts.write_problems(rows, kept, digest=draft.digest(), at=at)
    _ensure_unchanged(rows, draft)
    return Outcome(Result.REFUSED, active, findings)


def _stored(rows: Table, digest: str) -> bundles.Version | None:
    """The newest version, if it has this document and passes the smoke test."""
    newest = bundles.newest(rows)
    if newest is None or newest.digest != digest:
        return None
    try:
        smoke_test(bundles.read_row(rows, newest.number), newest.number, digest)
    except BundleError:
        # Its row was edited later, or written by other code; store a new version instead.
        return None
    return newest


def _store(
    rows: Table, document: bytes, digest: str, pointer: bundles.Pointer | None, signature: _Signature
) -> bundles.Version:
    """Store this document as a new version."""
    newest = bundles.newest(rows)
    used = [newest.number] if newest is not None else [0]
    if pointer is not None:
        # Numbers that are in use even if somebody has deleted the rows.
        used += [pointer.version, pointer.staging.candidate if pointer.staging is not None else 0]
    version = bundles.Version(max(used) + 1, digest, signature.at, signature.by, signature.note)
    bundles.store(rows, version, document)
    return version


def waiting(rows: Table, *, clock: Callable[[], float] = time.time) -> float | None:
    """For how many seconds the draft has been waiting for somebody; None if it is not.

    It waits while it is refused, and while somebody who began to apply a policy has not finished. A hold and ``publish:
    manual`` are what somebody wants.

    Raises:
        StoreError: DynamoDB is unavailable.
    """
    problems, lease = drafts.problems(rows) or {}, drafts.lease(rows)
    since = [at for at in (problems.get("at"), lease and lease.started_at) if isinstance(at, int)]
    return max(0.0, clock() - min(since)) if since else None


def apply(
    rows: Table,
    draft: Draft,
    *,
    by: str,
    note: str | None = None,
    take_over: bool = False,
    clock: Callable[[], float] = time.time,
) -> Outcome:
    """Replace the draft in the table with this one, and publish it.

    Args:
        rows: the table.
        draft: the new policy.
        by: who applies; written to the rows that change, and stored with the version.
        note: a comment on the version; stored with it if it is a new one.
        take_over: take over the lease of an apply that did not finish.
        clock: epoch seconds.

    Raises:
        PolicyError: the policy has errors; nothing was written.
        OperationError: somebody else is applying another policy, or has taken over the lease.
        StoreError: DynamoDB is unavailable; call again to repair.
    """
    try:
        document = compile_policy(draft)
        names.check(rows, draft, document)
    except PolicyError as refused:
        raise PolicyError(
            refused.code,
            "The policy is refused; nothing was written.",
            refused.findings,
        ) from None
    now = int(clock())
    lease = drafts.Lease(draft.digest(), by, now, note, uuid4().hex)
    try:
        drafts.acquire(rows, lease, force=take_over)
    except ConditionError as error:
        holder = drafts.lease(rows)
        who = holder.by if holder else "somebody"
        message = f"{who} is applying another policy. Wait until it is done, or take over with --take-over."
        raise OperationError(Code.LEASE_HELD, message) from error
    retry_on_conflict(lambda: _write(rows, draft, lease))
    return finish(rows, lease)


def finish(rows: Table, lease: drafts.Lease) -> Outcome:
    """Publish the draft that somebody has written under a lease, and release the lease.

    Only this draft: if somebody has taken over since, the published draft is theirs, and not a success of this run.

    Raises:
        OperationError: others kept publishing at the same moment.
        StoreError: DynamoDB is unavailable.
    """
    signature = _Signature(lease.by, lease.started_at, lease.note)
    return retry_on_conflict(lambda: _publish(rows, signature, only=lease.digest))


def _write(rows: Table, draft: Draft, lease: drafts.Lease) -> None:
    existing = {row[table.SK]: row for row in drafts.policy_rows(rows)}
    target = {row[table.SK]: row for row in draft.rows()}
    puts = [
        {**row, "updated_by": lease.by, "updated_at": lease.started_at}
        for sk, row in target.items()
        if sk not in existing or from_rows([existing[sk]]).digest() != from_rows([row]).digest()
    ]
    try:
        drafts.replace(rows, lease, puts, [sk for sk in existing if sk not in target])
    except ConditionError:
        holder = drafts.lease(rows)
        if holder is not None and holder.digest == lease.digest:
            raise  # only a conflict with another transaction at the same moment
        # If another run of the same apply has finished, there is nothing left to do.
        if from_rows(drafts.policy_rows(rows)).digest() != lease.digest:
            raise OperationError(Code.LEASE_LOST, _LEASE_LOST) from None


def _is_manual(draft: Draft) -> bool:
    entry = draft.section(SETTINGS_SECTION)[""]
    return Settings.model_validate(dict(entry.attributes)).publish == "manual"


def _findings(found: Sequence[object]) -> tuple[Finding, ...]:
    return tuple(finding for finding in found if isinstance(finding, Finding))


def _finding_row(finding: Finding) -> dict[str, str | int]:
    row: dict[str, str | int] = {
        "code": str(finding.code),
        "row": clipped(finding.row, _KEPT_PLACE),
        "attribute": clipped(finding.attribute, _KEPT_PLACE),
        "message": clipped(finding.message, _KEPT_MESSAGE),
    }
    return {**row, "left_out": finding.left_out} if finding.left_out else row
