"""Checks of the version in force, of the draft, and of the publisher between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from claimsmith import table as names
from claimsmith.environment import ON_FAILURE
from claimsmith.errors import Code
from claimsmith.service.checkup.finding import Finding
from claimsmith.service.checkup.functions import table_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from claimsmith.policy import Finding as LintFinding
    from claimsmith.store.bundles import Pointer
    from claimsmith.store.deployment import Function, StreamReader
    from claimsmith.store.drafts import Lease

#: Seconds after which an apply that has not finished counts as interrupted: it takes seconds.
_APPLYING: Final = 600

#: Seconds that the publisher may be behind the table; as the alarm PublisherBehind.
_BEHIND: Final = 300


@dataclass(frozen=True, slots=True)
class Draft:
    """The draft as publishing sees it.

    Attributes:
        digest: of the version that it would become; empty if it has errors.
        findings: its errors.
        manual: the settings say ``publish: manual``.
    """

    digest: str = ""
    findings: tuple[LintFinding, ...] = ()
    manual: bool = False


def in_force(pointer: Pointer | None, unreadable: Mapping[int, str]) -> Iterator[Finding]:
    """There must be a version in force that the trigger can read, and so must a staged one.

    Args:
        pointer: None before the first version is published.
        unreadable: the versions in use that cannot be read, and why.
    """
    if pointer is None:
        yield Finding(
            Code.NO_BUNDLE,
            f"{names.BUNDLE} {names.CURRENT}",
            "No version is in force: every sign-in is refused.",
            "Apply a policy: claimsmith apply FILE.",
        )
        return
    for number, why in unreadable.items():
        serves = number == pointer.version
        means = "every sign-in is refused" if serves else "the version in force serves in its place"
        remedy = "claimsmith rollback N, to a version that can be read" if serves else "claimsmith stage N --percent 0"
        yield Finding(
            Code.BUNDLE_UNREADABLE,
            f"{names.BUNDLE} {names.version_sk(number)}",
            f"{why} So {means}.",
            f"Deploy the newest release of the functions, or: {remedy}.",
        )
    if pointer.problem is not None:
        yield Finding(
            Code.ROW_UNREADABLE,
            pointer.problem.row,
            f"The staging cannot be read: {pointer.problem.attribute} {pointer.problem.why}. It serves nobody.",
            "End the staging: claimsmith stage N --percent 0.",
        )


def reach(pointer: Pointer | None) -> str:
    """Whom the policy reaches, in a word.

    Args:
        pointer: None before the first version is published.
    """
    if pointer is None:
        return "off"
    rollout = pointer.rollout
    if rollout is None:
        return "on"
    if rollout.problem is not None:
        return "not readable"
    named = f" and {len(rollout.subjects):,} by name" if rollout.subjects else ""
    where = f" of {', '.join(sorted(rollout.pools))}" if rollout.pools else ""
    return f"{rollout.percent} %{where}{named}" if rollout.percent or named else f"shadow{where}"


def rollout(pointer: Pointer | None, now: int) -> Iterator[Finding]:
    """The policy should reach everybody, some day.

    Args:
        pointer: None before the first version is published.
        now: epoch seconds.
    """
    rollout = pointer.rollout if pointer is not None else None
    if rollout is None:
        return
    row = f"{names.BUNDLE} {names.CURRENT}"
    if rollout.problem is not None:
        yield Finding(
            Code.ROW_UNREADABLE,
            row,
            f"The rollout cannot be read: {rollout.problem.attribute} {rollout.problem.why}.",
            "Set it again: claimsmith rollout shadow, a percentage, or all.",
        )
        return
    named = f" and {len(rollout.subjects):,} by name" if rollout.subjects else ""
    where = f" of {', '.join(sorted(rollout.pools))}" if rollout.pools else ""
    days = "" if rollout.changed_at is None else f" for {max(now - rollout.changed_at, 0) // 86_400:,} days"
    who = "" if rollout.changed_by is None else f", set by {rollout.changed_by}"
    yield Finding(
        Code.ROLLOUT_UNFINISHED,
        row,
        f"The policy has reached {rollout.percent} % of the subjects{where}{named}{days}{who}; all others get "
        "Cognito's own tokens.",
        "Widen the rollout when its figures are right: claimsmith rollout PERCENT, then claimsmith rollout all.",
    )


def on_failure(pointer: Pointer | None, trigger: Function) -> Iterator[Finding]:
    """What the trigger does without the table should suit how far the policy reaches.

    Args:
        pointer: None before the first version is published.
        trigger: the pool's trigger.
    """
    if ON_FAILURE not in trigger.variables or pointer is None:
        return
    unchanged = trigger.variables[ON_FAILURE] == "unchanged"
    if pointer.rollout is not None and not unchanged:
        yield Finding(
            Code.ROLLOUT_NOT_HELD,
            trigger.name,
            "The policy does not reach everybody, but a new process of the trigger that cannot read the table does not "
            f"know that, and {'refuses' if trigger.variables[ON_FAILURE] == 'deny' else 'degrades'} every sign-in.",
            f"Set {ON_FAILURE} to unchanged (on_failure) until the policy reaches everybody.",
        )
    if pointer.rollout is None and unchanged:
        yield Finding(
            Code.UNCHANGED_ON_FAILURE,
            trigger.name,
            "The policy reaches everybody, but while the table cannot be read, tokens are Cognito's own: with every "
            "scope that the client may request, and without a mark.",
            f"Set {ON_FAILURE} to deny or unenriched (on_failure).",
        )


def draft(
    draft: Draft, pointer: Pointer | None, problems: Mapping[str, Any] | None, lease: Lease | None, now: int
) -> Iterator[Finding]:
    """What people have edited should be in force, or something should say why not.

    Args:
        draft: the draft.
        pointer: None before the first version is published.
        problems: the row ``PROBLEMS DRAFT``; None if there is none.
        lease: who is applying a policy; None if nobody is.
        now: epoch seconds.
    """
    if pointer is not None and pointer.hold:
        yield Finding(
            Code.ON_HOLD,
            f"{names.BUNDLE} {names.CURRENT}",
            f"Somebody rolled back to version {pointer.version}; nothing is published until somebody resumes.",
            "End the hold: claimsmith resume.",
        )
    if lease is not None and now - lease.started_at >= _APPLYING:
        yield Finding(
            Code.APPLY_UNFINISHED,
            f"{names.LEASE} {names.DRAFT}",
            f"{lease.by} began to apply a policy {(now - lease.started_at) // 60:,} minutes ago and has not finished; "
            "until then nothing is published.",
            "Apply the file again with --take-over, or cancel: claimsmith release.",
        )
    row = f"{names.POLICY} {names.SETTINGS}"
    if draft.findings:
        first, more = draft.findings[0], len(draft.findings) - 1
        rest = f", and {more} more" if more else ""
        yield Finding(
            Code.DRAFT_REFUSED,
            first.row or row,
            f"The draft has errors, so it is not published: {first.message} ({first.code}){rest}.",
            "Correct the rows; claimsmith lint lists every error.",
        )
    elif problems is not None:
        yield Finding(
            Code.DRAFT_REFUSED,
            f"{names.PROBLEMS} {names.DRAFT}",
            f"The publisher refused the draft{_first(problems)}.",
            "See claimsmith versions, correct the rows, and publish: claimsmith promote.",
        )
    elif pointer is not None and draft.digest != pointer.digest and lease is None:
        why = (
            "publishing is on hold" if pointer.hold else "publish is manual" if draft.manual else "it was not published"
        )
        yield Finding(
            Code.DRAFT_NOT_IN_FORCE,
            row,
            f"The draft differs from version {pointer.version}, which is in force: {why}.",
            "Publish it with claimsmith promote (claimsmith resume while on hold), or apply the policy that should be "
            "in force.",
        )


def _first(problems: Mapping[str, Any]) -> str:
    findings = problems.get("findings")
    if not isinstance(findings, list) or not findings or not isinstance(findings[0], dict):
        return ""
    return f": {findings[0].get('message')} ({findings[0].get('code')})"


def publisher(table: str, readers: Sequence[tuple[StreamReader, Function]]) -> Iterator[Finding]:
    """A function of ours must read the table's stream, and keep what it cannot handle.

    Args:
        table: the table.
        readers: what reads its stream, each with its function.
    """
    ours = [(reader, function) for reader, function in readers if table_of(function) == table]
    if not ours and all(function.name != reader.function for reader, function in readers):
        yield Finding(
            Code.PUBLISHER_MISSING,
            table,
            "No publisher reads the table's stream: edits in the console are not published, and nothing is audited.",
            "Restore the event source mapping from the stream to the publisher; CloudFormation can detect such drift.",
        )
    for reader, function in readers:
        if function.name == reader.function:  # as an observation names one that it did not find
            yield Finding(
                Code.PUBLISHER_MISSING,
                function.name.rpartition(":")[2],
                "This function reads the table's stream, and does not exist: its changes are not audited or published.",
                "Deploy the stack again. DynamoDB keeps changes for 24 hours.",
            )
    for reader, function in ours:
        if reader.state in ("Disabled", "Disabling") or reader.last_result.startswith("PROBLEM"):
            result = f", last result {reader.last_result}" if reader.last_result else ""
            yield Finding(
                Code.PUBLISHER_MISSING,
                function.name,
                f"The publisher does not work (state {reader.state}{result}): edits in the console are not published, "
                "and changes are not audited. DynamoDB keeps them for 24 hours.",
                "Enable the event source mapping, and see the publisher's log.",
            )
        if not reader.dead_letters:
            yield from no_destination(function.name, "it has no destination for failures")


def no_destination(publisher: str, why: str) -> Iterator[Finding]:
    """There must be a place for changes that the publisher cannot handle."""
    yield Finding(
        Code.NO_DEAD_LETTER_QUEUE,
        publisher,
        f"Changes that the publisher cannot handle are lost: {why}.",
        "Make the stack's bucket (output FailedRecordsBucket) the mapping's destination for failures.",
    )


def lag(publisher: str, seconds: float) -> Iterator[Finding]:
    """The publisher should keep up with the table.

    Args:
        publisher: the function.
        seconds: the greatest age of a change that it has received lately.
    """
    if seconds >= _BEHIND:
        yield Finding(
            Code.PUBLISHER_BEHIND,
            publisher,
            f"Changes reach the publisher up to {seconds / 60:,.0f} minutes late.",
            "See its log for errors that repeat, and its alarms for throttles.",
        )


def dead_letters(destination: str, batches: int) -> Iterator[Finding]:
    """No change should have been given up.

    Args:
        destination: the name of the bucket or queue.
        batches: how many it has.
    """
    if batches:
        what = "1 batch" if batches == 1 else f"{batches:,} batches"
        yield Finding(
            Code.DEAD_LETTERS,
            destination,
            f"The publisher gave up on changes ({what}): they are not audited, or not published.",
            "See its log for the cause, then replay them: claimsmith replay --all. From a queue: claimsmith promote, "
            "then purge it.",
        )
