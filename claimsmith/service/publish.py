"""Publishing: from the draft to the bundle in force (DESIGN section 7). Called by the stream and by the command line.

Killed anywhere, it leaves nothing half done: a version that nothing points to is used by the next run, and the pointer
moves only on the condition that nobody else has moved it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from claimsmith import table
from claimsmith.engine.bundle import encode
from claimsmith.errors import Code, OperationError, PolicyError
from claimsmith.policy import Finding, from_rows
from claimsmith.policy import compile as compile_policy
from claimsmith.policy.documents import Settings
from claimsmith.policy.draft import SETTINGS_SECTION, Draft
from claimsmith.store import bundles, drafts
from claimsmith.store.dynamodb import ConditionError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from claimsmith.store.dynamodb import Table

#: Times to begin anew when somebody else publishes at the same moment.
_ATTEMPTS: Final = 8

#: Findings kept in the problems row; the first ones say enough, and the row stays small.
_KEPT_FINDINGS: Final = 100


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
        findings: why the draft was refused.
    """

    result: Result
    version: int | None
    findings: tuple[Finding, ...] = ()


def publish(rows: Table, *, by: str, clock: Callable[[], float] = time.time) -> Outcome:
    """Publish the draft, if it is fine, new, and nobody holds it back.

    Args:
        rows: the table.
        by: who publishes; kept with the version.
        clock: epoch seconds.

    Raises:
        BundleError: the pointer cannot be read.
        OperationError: others kept publishing at the same moment.
        StoreError: DynamoDB does not answer; calling again repairs.
    """
    for _ in range(_ATTEMPTS):
        try:
            return _publish(rows, by, int(clock()))
        except ConditionError:
            continue
    raise OperationError(Code.CONFLICT, "Others keep publishing at the same moment; try again.")


def _publish(rows: Table, by: str, now: int) -> Outcome:
    # The pointer is read before the draft: if the draft read here is overtaken, so is the pointer, and moving it fails.
    # The lease is read after it: who wrote a part of what was read took the lease first, and holds it still, or has
    # moved the pointer before giving it up.
    pointer = bundles.pointer(rows)
    draft = from_rows(drafts.policy_rows(rows))
    digest = draft.digest()
    lease = drafts.lease(rows)
    if lease is not None and lease.digest != digest:
        return Outcome(Result.WAITING, pointer.version if pointer else None)
    outcome = _put_in_force(rows, draft, pointer, by, now)
    if lease is not None:
        if pointer is not None and outcome.result is not Result.PUBLISHED:
            bundles.move(rows, bundles.Version(pointer.version, pointer.digest), pointer, hold=pointer.hold)
        drafts.release(rows, digest)
    return outcome


def _put_in_force(rows: Table, draft: Draft, pointer: bundles.Pointer | None, by: str, now: int) -> Outcome:
    in_force = pointer.version if pointer else None
    try:
        document = compile_policy(draft)
    except PolicyError as refused:
        findings = _findings(refused.findings)
        kept = [_finding_row(finding) for finding in findings[:_KEPT_FINDINGS]]
        drafts.write_problems(rows, kept, digest=draft.digest(), at=now)
        return Outcome(Result.REFUSED, in_force, findings)
    if drafts.problems(rows) is not None:
        drafts.clear_problems(rows)
    stored, digest = encode(document)
    if pointer is not None and pointer.digest == digest:
        return Outcome(Result.UNCHANGED, in_force)
    version = _store(rows, stored, digest, by, now)
    if pointer is not None and pointer.hold:
        return Outcome(Result.HELD, in_force)
    if _is_manual(draft):
        return Outcome(Result.MANUAL, in_force)
    bundles.move(rows, version, pointer)
    return Outcome(Result.PUBLISHED, version.number)


def _store(rows: Table, document: bytes, digest: str, by: str, now: int) -> bundles.Version:
    """The version with this document: the newest one where it has it already, else a new one."""
    newest = bundles.newest(rows)
    if newest is not None and newest.digest == digest:
        return newest
    version = bundles.Version(newest.number + 1 if newest else 1, digest)
    bundles.store(rows, version, document, created_at=now, created_by=by)
    return version


def apply(
    rows: Table, draft: Draft, *, by: str, take_over: bool = False, clock: Callable[[], float] = time.time
) -> Outcome:
    """Make the table's draft this one, and publish it.

    Args:
        rows: the table.
        draft: the policy that is to be.
        by: who applies; written to the rows that change.
        take_over: take the lease from somebody whose own apply did not finish.
        clock: epoch seconds.

    Raises:
        PolicyError: lint has findings; nothing was written.
        OperationError: somebody else is applying another policy.
        StoreError: DynamoDB does not answer; calling again repairs.
    """
    try:
        compile_policy(draft)
    except PolicyError as refused:
        raise PolicyError(refused.code, "The policy is refused; nothing was written.", refused.findings) from None
    now = int(clock())
    digest = draft.digest()
    try:
        drafts.take(rows, drafts.Lease(digest, by, now), over=take_over)
    except ConditionError as error:
        holder = drafts.lease(rows)
        who = holder.by if holder else "somebody"
        message = f"{who} is applying another policy. Wait for them, or take over with --take-over."
        raise OperationError(Code.LEASE_HELD, message) from error
    there = {row[table.SK]: row for row in drafts.policy_rows(rows)}
    wanted = {row[table.SK]: row for row in draft.rows()}
    puts = [
        {**row, "updated_by": by, "updated_at": now}
        for sk, row in wanted.items()
        if sk not in there or from_rows([there[sk]]).digest() != from_rows([row]).digest()
    ]
    drafts.replace(rows, puts, [sk for sk in there if sk not in wanted])
    return publish(rows, by=by, clock=clock)


def _is_manual(draft: Draft) -> bool:
    entry = draft.section(SETTINGS_SECTION)[""]
    return Settings.model_validate(dict(entry.attributes)).publish == "manual"


def _findings(found: Sequence[object]) -> tuple[Finding, ...]:
    return tuple(finding for finding in found if isinstance(finding, Finding))


def _finding_row(finding: Finding) -> dict[str, str]:
    return {
        "code": str(finding.code),
        "row": finding.row,
        "attribute": finding.attribute,
        "message": finding.message,
    }
