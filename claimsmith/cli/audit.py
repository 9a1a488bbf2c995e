"""The ``audit`` command: who changed which row, when, and what differs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from claimsmith.cli import panels, shown
from claimsmith.cli.exit_codes import INTERRUPTED
from claimsmith.cli.progress import progress
from claimsmith.cli.terminal import one_line, say
from claimsmith.engine.facts import LATEST
from claimsmith.errors import Code, OperationError
from claimsmith.service.changes import Wanted, changes, differences, newest
from claimsmith.service.times import iso, moment

if TYPE_CHECKING:
    from claimsmith.cli.session import Session
    from claimsmith.store.audit import AuditRow

#: Attributes that say nothing that the line of the change does not say.
_OF_THE_LINE: Final = (("updated_by",), ("updated_at",))

_WHEN: Final = "2027-01-31, 2027-01-31T18:00Z, epoch seconds, or 2h, 7d"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("audit", rich_help_panel=panels.ANSWERS)(audit)


def audit(
    context: typer.Context,
    pk: Annotated[
        str | None, typer.Argument(help="Only rows with this partition key: POLICY, TENANT#acme, USER#SUB…")
    ] = None,
    since: Annotated[str | None, typer.Option(metavar="T", help=f"Only changes since then: {_WHEN} (ago).")] = None,
    until: Annotated[str | None, typer.Option(metavar="T", help="Only changes before then; a day is included.")] = None,
    by: Annotated[
        str | None, typer.Option(metavar="WHO", help="Only changes that claim to be by this person, for example alice.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Show at most this many, newest first.")] = 100,
    *,
    everything: Annotated[
        bool, typer.Option("--all", help="Show all as they are read; without a key, in the order of the table.")
    ] = False,
) -> None:
    """Show who changed which row, when, and what differs. Without a key, it reads the whole audit table.

    Names are what the rows say: anyone who may write a row may write any name.

    Example: claimsmith audit TENANT#acme --since 7d
    """
    session: Session = context.obj
    now = session.now()
    start = 0 if since is None else moment(since, now)
    end = LATEST if until is None else moment(until, now, end_of_day=True)
    if start >= end:
        message = f"--since ({iso(start)}) is not before --until ({iso(end)}), so no change can be between them."
        raise OperationError(Code.BAD_ARGUMENT, message)
    wanted = Wanted(pk, start, end, by)
    printed = 0
    try:
        if everything:
            for change in changes(session.audit, wanted):
                _print(session, change)
                printed += 1
            more = False
        else:
            with progress("Reading the audit") as seen:
                found, more = newest(session.audit, wanted, limit, seen)
            for change in found:
                _print(session, change)
                printed += 1
    except KeyboardInterrupt:
        say(f"Stopped after {printed:,} {_changes(printed)}. Nothing was written.", err=True)
        raise typer.Exit(INTERRUPTED) from None
    if more:
        say(f"There are older changes. Use --limit, --all, or --until {iso(found[-1].at + 1)}.", err=True)
    if not printed and not session.as_json:
        say("No such change is recorded.")


def _changes(count: int) -> str:
    return "change" if count == 1 else "changes"


def _print(session: Session, change: AuditRow) -> None:
    if session.as_json:
        say(json.dumps(_data(change), ensure_ascii=False))
        return
    session.out.print(
        f"{iso(change.at)}  {one_line(change.pk)} {one_line(change.sk)}  {_kind(change)}  {_author(change)}",
        style="bold",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    found = [each for each in differences(change) if each.path not in _OF_THE_LINE]
    for each in found:
        shown.difference(session.out, each)
    if not found:
        say("  no attribute that is kept differs")
    for which in _abridged(change):
        text = f"  the row {which} the change was too large, so a part of it is kept as length and SHA-256"
        session.out.print(text, style="yellow", highlight=False, soft_wrap=True)


def _data(change: AuditRow) -> dict[str, Any]:
    return {
        "at": iso(change.at),
        "pk": change.pk,
        "sk": change.sk,
        "kind": _kind(change),
        "by_ttl": change.by_ttl,
        "claimed_by": change.claimed_by,
        "abridged": _abridged(change),
        "differences": [
            {"kind": each.kind, "attribute": list(each.path), "before": each.before, "after": each.after}
            for each in differences(change)
        ],
    }


def _kind(change: AuditRow) -> str:
    if change.before is None:
        return "created"
    return "deleted" if change.after is None else "changed"


def _author(change: AuditRow) -> str:
    if change.by_ttl:
        return "by DynamoDB: its ttl had passed"
    return "by unknown" if change.claimed_by is None else f"claimed by {one_line(change.claimed_by)}"


def _abridged(change: AuditRow) -> list[str]:
    return [name for name, cut in (("before", change.before_cut), ("after", change.after_cut)) if cut]
