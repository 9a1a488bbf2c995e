"""Publishing: from the draft to the bundle in force (DESIGN section 7). Called by the stream and by the command line.

Killed anywhere, it leaves nothing half done: a version that nothing points to is used by the next run, and the pointer
moves only on the condition that nobody else has moved it. What is edited by hand meanwhile is published too, and if not
by its own publisher, then by the one that stood in its way. Whatever moves it to another version ends a staging: the
draft is newer than what was staged, and those whom that served would else be the only ones to miss it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar
from uuid import uuid4

from claimsmith import table
from claimsmith.engine.codec import BundleError, encode
from claimsmith.errors import Code, OperationError, PolicyError
from claimsmith.policy import Finding, from_rows
from claimsmith.policy import compile as compile_policy
from claimsmith.policy.documents import Settings
from claimsmith.policy.draft import SETTINGS_SECTION, Draft
from claimsmith.policy.finding import clipped, cut
from claimsmith.service import names
from claimsmith.service.draft import TooLargeError, read_draft
from claimsmith.service.smoke_test import smoke_test
from claimsmith.store import bundles, drafts
from claimsmith.store.dynamodb import ConditionError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from claimsmith.store.dynamodb import Table

T = TypeVar("T")

#: Times to begin anew when somebody else publishes at the same moment.
_ATTEMPTS: Final = 8

#: Findings kept in the problems row, and characters of each part of one. A character has up to four bytes: whatever the
#: names in them are, the row has no more than 370 kB, and DynamoDB takes 400.
_KEPT_FINDINGS: Final = 100
_KEPT_PLACE: Final = 200
_KEPT_MESSAGE: Final = 500

_LEASE_LOST: Final = "The lease was taken away before all was written; the draft is now what others make of it."


class Result(StrEnum):
    """What came of publishing."""

    PUBLISHED = "published"
    UNCHANGED = "unchanged"
    REFUSED = "refused"
    WAITING = "waiting"
    HELD = "held"
    MANUAL = "manual"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of publishing.

    Attributes:
        version: the version in force; None where there is none yet.
        findings: why the draft was refused, or its version cannot serve.
    """

    result: Result
    version: int | None
    findings: tuple[Finding, ...] = ()


class _OvertakenError(Exception):
    """The draft was changed while it was judged."""


class _Signature(NamedTuple):
    """Who publishes, when (epoch seconds), and what they say about it."""

    by: str
    at: int
    note: str | None = None


def publish(rows: Table, *, by: str, force: bool = False, clock: Callable[[], float] = time.time) -> Outcome:
    """Publish the draft, if it is fine, new, and nobody holds it back.

    Args:
        rows: the table.
        by: who publishes; kept with the version, unless somebody's lease says who wrote it.
        force: although the settings say ``publish: manual``.
        clock: epoch seconds.

    Raises:
        BundleError: the pointer cannot be read.
        OperationError: others kept publishing at the same moment.
        StoreError: DynamoDB does not answer; calling again repairs.
    """
    return retry_on_conflict(lambda: _publish(rows, _Signature(by, int(clock())), force=force))


def retry_on_conflict(attempt: Callable[[], T]) -> T:
    """What an attempt returns once nobody has come in between; each begins with reading the pointer anew.

    Raises:
        OperationError: others kept coming in between.
    """
    for _ in range(_ATTEMPTS):
        try:
            return attempt()
        except (ConditionError, _OvertakenError):
            continue
    raise OperationError(Code.CONFLICT, "Others keep publishing at the same moment; try again.")


def _publish(rows: Table, signature: _Signature, *, force: bool = False, only: str | None = None) -> Outcome:
    # The pointer is read before the draft: if the draft read here is overtaken, so is the pointer, and moving it fails.
    # The lease is read after it: who wrote a part of what was read took the lease first, and holds it still, or has
    # made the draft whole before giving it up, and then it is not what was read.
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
    outcome = _put_in_force(rows, draft, pointer, author, force=force)
    if lease is not None:
        if pointer is not None and outcome.result is not Result.PUBLISHED:
            bundles.touch(rows, pointer)
        drafts.release(rows, lease)
    if lease is not None or outcome.result is Result.PUBLISHED:
        _catch_up(rows, draft, signature)
    return outcome


def _catch_up(rows: Table, draft: Draft, signature: _Signature) -> None:
    """Publish what was edited by hand since this draft was read, as the stream would: it will not do so again.

    The edit's own publisher has come and gone. It waited for the lease that is given up now; or it found the policy
    that was in force until now, and nothing to do. What comes of the edit is no part of what came of this draft. Who is
    killed right before this, and is not run again by the stream, leaves the edit to whoever publishes next.
    """
    if _changed(rows, draft):
        retry_on_conflict(lambda: _publish(rows, signature._replace(note=None)))


def _put_in_force(
    rows: Table, draft: Draft, pointer: bundles.Pointer | None, signature: _Signature, *, force: bool
) -> Outcome:
    in_force = pointer.version if pointer else None
    try:
        document = compile_policy(draft)
        stored, digest = encode(document)
        if pointer is None or pointer.digest != digest:
            names.check(rows, draft, document)
    except PolicyError as refused:
        return _refused(rows, draft, in_force, _findings(refused.findings), signature.at)
    if drafts.problems(rows) is not None:
        drafts.clear_problems(rows)
        _ensure_unchanged(rows, draft)
    if pointer is not None and pointer.digest == digest:
        return Outcome(Result.UNCHANGED, in_force)
    version = _stored(rows, digest)
    if version is None:
        version = _store(rows, stored, digest, pointer, signature)
        try:
            smoke_test(bundles.read_row(rows, version.number), version.number, digest)
        except BundleError as error:
            row = f"{table.BUNDLE} {table.version_sk(version.number)}"
            unfit = Finding(error.code, row, "document", f"what was stored cannot serve: {error.message}")
            return _refused(rows, draft, in_force, (unfit,), signature.at)
    if pointer is not None and pointer.hold:
        return Outcome(Result.HELD, in_force)
    if _is_manual(draft) and not force:
        return Outcome(Result.MANUAL, in_force)
    told = names.register(rows, document, version.number)
    bundles.move(rows, version, pointer, by=signature.by, at=signature.at, version_claims=told)
    return Outcome(Result.PUBLISHED, version.number)


def _ensure_unchanged(rows: Table, draft: Draft) -> None:
    """Make sure that the draft is still what was judged.

    Asked before anything is made of it, and after what is told of its problems was changed: a slow publisher would else
    tell of problems that are mended, or wipe out those of an edit it has not seen. The last one who writes has seen the
    draft as it is; an edit after that has a publisher of its own.

    Raises:
        _OvertakenError: it is not.
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


def _refused(rows: Table, draft: Draft, in_force: int | None, findings: tuple[Finding, ...], at: int) -> Outcome:
    """Remember why the draft does not get in force."""
    kept = [_finding_row(finding) for finding in cut(findings, _KEPT_FINDINGS)]
    drafts.write_problems(rows, kept, digest=draft.digest(), at=at)
    _ensure_unchanged(rows, draft)
    return Outcome(Result.REFUSED, in_force, findings)


def _stored(rows: Table, digest: str) -> bundles.Version | None:
    """The newest version, where it has this document and can serve."""
    newest = bundles.newest(rows)
    if newest is None or newest.digest != digest:
        return None
    try:
        smoke_test(bundles.read_row(rows, newest.number), newest.number, digest)
    except BundleError:
        # Its row was changed since, or made by other code; another one is stored in its place.
        return None
    return newest


def _store(
    rows: Table, document: bytes, digest: str, pointer: bundles.Pointer | None, signature: _Signature
) -> bundles.Version:
    """A new version with this document."""
    newest = bundles.newest(rows)
    given = [newest.number] if newest is not None else [0]
    if pointer is not None:
        # Numbers that were given, though somebody may have deleted the rows.
        given += [pointer.version, pointer.staging.candidate if pointer.staging is not None else 0]
    version = bundles.Version(max(given) + 1, digest, signature.at, signature.by, signature.note)
    bundles.store(rows, version, document)
    return version


def apply(
    rows: Table,
    draft: Draft,
    *,
    by: str,
    note: str | None = None,
    take_over: bool = False,
    clock: Callable[[], float] = time.time,
) -> Outcome:
    """Make the table's draft this one, and publish it.

    Args:
        rows: the table.
        draft: the policy that is to be.
        by: who applies; written to the rows that change, and kept with the version.
        note: what there is to say about the version; kept with it, where it is a new one.
        take_over: take the lease from somebody whose own apply did not finish.
        clock: epoch seconds.

    Raises:
        PolicyError: lint has findings; nothing was written.
        OperationError: somebody else is applying another policy, or has taken the lease away.
        StoreError: DynamoDB does not answer; calling again repairs.
    """
    try:
        document = compile_policy(draft)
        names.check(rows, draft, document)
    except PolicyError as refused:
        raise PolicyError(refused.code, "The policy is refused; nothing was written.", refused.findings) from None
    now = int(clock())
    lease = drafts.Lease(draft.digest(), by, now, note, uuid4().hex)
    try:
        drafts.acquire(rows, lease, force=take_over)
    except ConditionError as error:
        holder = drafts.lease(rows)
        who = holder.by if holder else "somebody"
        message = f"{who} is applying another policy. Wait for them, or take over with --take-over."
        raise OperationError(Code.LEASE_HELD, message) from error
    retry_on_conflict(lambda: _write(rows, draft, lease))
    # Only this draft: where somebody has taken over since, what is published is theirs, and no success of this run.
    return retry_on_conflict(lambda: _publish(rows, _Signature(by, now, note), only=lease.digest))


def _write(rows: Table, draft: Draft, lease: drafts.Lease) -> None:
    there = {row[table.SK]: row for row in drafts.policy_rows(rows)}
    wanted = {row[table.SK]: row for row in draft.rows()}
    puts = [
        {**row, "updated_by": lease.by, "updated_at": lease.started_at}
        for sk, row in wanted.items()
        if sk not in there or from_rows([there[sk]]).digest() != from_rows([row]).digest()
    ]
    try:
        drafts.replace(rows, lease, puts, [sk for sk in there if sk not in wanted])
    except ConditionError:
        held = drafts.lease(rows)
        if held is not None and held.digest == lease.digest:
            raise  # somebody else's transaction at the same moment, and no more than that
        # Where another run of the same apply has finished, all is as it should be.
        if from_rows(drafts.policy_rows(rows)).digest() != lease.digest:
            raise OperationError(Code.LEASE_LOST, _LEASE_LOST) from None


def _is_manual(draft: Draft) -> bool:
    entry = draft.section(SETTINGS_SECTION)[""]
    return Settings.model_validate(dict(entry.attributes)).publish == "manual"


def _findings(found: Sequence[object]) -> tuple[Finding, ...]:
    return tuple(finding for finding in found if isinstance(finding, Finding))


def _finding_row(finding: Finding) -> dict[str, str | int]:
    told: dict[str, str | int] = {
        "code": str(finding.code),
        "row": clipped(finding.row, _KEPT_PLACE),
        "attribute": clipped(finding.attribute, _KEPT_PLACE),
        "message": clipped(finding.message, _KEPT_MESSAGE),
    }
    return {**told, "left_out": finding.left_out} if finding.left_out else told
