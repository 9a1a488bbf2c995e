"""The commands for policy versions, from ``versions`` to ``release``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.markup import escape
from rich.table import Table as Grid

from claimsmith.cli import completion, panels, rollout, shown
from claimsmith.cli.rollout import notes
from claimsmith.cli.session import Session
from claimsmith.cli.terminal import columns
from claimsmith.engine.staging import MAX_VERSION
from claimsmith.errors import Code, OperationError, PolicyError
from claimsmith.service import versions as service
from claimsmith.service.difference import difference
from claimsmith.service.publish import Outcome, Result
from claimsmith.service.rollout import rollout_of

if TYPE_CHECKING:
    from claimsmith.engine.staging import Staging
    from claimsmith.service.versions import PublishingStatus
    from claimsmith.store.bundles import Version

Number = Annotated[
    int,
    typer.Argument(metavar="N", min=1, max=MAX_VERSION, help="The version number.", autocompletion=completion.versions),
]

_SOON: Final = "New tokens follow within cache_seconds of the policy."

_MESSAGES: Final = {
    Result.PUBLISHED: "[green]Version {version} is in force[/green] for all users. " + _SOON,
    Result.UNCHANGED: "Nothing changed: version {version} is already in force.",
    Result.HELD: "[yellow]Not published[/yellow]: publishing is on hold since a rollback. "
    "Run claimsmith resume to end the hold.",
    Result.MANUAL: "[yellow]Stored, not in force[/yellow]: the settings have publish: manual. "
    "Run claimsmith promote to publish the draft.",
    Result.WAITING: "[yellow]Not published[/yellow]: somebody is applying a policy. "
    "claimsmith versions shows who; claimsmith release cancels it.",
}


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("versions", rich_help_panel=panels.VERSIONS)(versions)
    app.command("diff", rich_help_panel=panels.VERSIONS)(diff)
    app.command("rollback", rich_help_panel=panels.VERSIONS)(rollback)
    app.command("resume", rich_help_panel=panels.VERSIONS)(resume)
    app.command("stage", rich_help_panel=panels.VERSIONS)(stage)
    app.command("promote", rich_help_panel=panels.VERSIONS)(promote)
    app.command("release", rich_help_panel=panels.VERSIONS)(release)


def versions(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Show at most this many, newest first.")] = 20,
) -> None:
    """List the versions, which one is in force or staged, and what blocks publishing.

    Example: claimsmith versions --limit 5
    """
    session: Session = context.obj
    standing = service.publishing_status(session.rows, limit=limit)
    if session.as_json:
        session.answer(_standing_data(standing), "")
        return
    if standing.versions:
        session.out.print(_grid(standing))
    for line in _status_lines(standing):
        session.out.print(line, highlight=False)


def diff(
    context: typer.Context,
    before: Annotated[int, typer.Argument(metavar="A", min=1, max=MAX_VERSION, help="A version number.")],
    after: Annotated[
        int, typer.Argument(metavar="B", min=1, max=MAX_VERSION, help="The version number to compare with.")
    ],
) -> None:
    """Show what changed from version A to version B: roles, scopes, rules, settings and so on.

    Example: claimsmith diff 6 7
    """
    session: Session = context.obj
    found = difference(session.rows, before, after)
    if session.as_json:
        session.answer({"from": before, "to": after, "differences": [each._asdict() for each in found]}, "")
        return
    if not found:
        session.out.print(f"Versions {before} and {after} are the same.", highlight=False)
    section = None
    for each in found:
        if each.section != section:
            section = each.section
            session.out.print(section, style="bold", markup=False, highlight=False)
        shown.difference(session.out, each)


def rollback(context: typer.Context, number: Number) -> None:
    """Go back to an earlier version for all users, and hold publishing until resume. Ends any staging.

    With the number of the version in force, it only ends the staging and starts the hold.

    Example: claimsmith rollback 6
    """
    session: Session = context.obj
    pointer = service.rollback(session.rows, number, by=session.by)
    session.answer(
        {"in_force": pointer.version, "hold": True},
        f"[green]Version {pointer.version} is in force[/green] for all users. {_SOON}\n"
        "Publishing is on hold: edits are stored, but change no token until claimsmith resume.",
    )


def resume(context: typer.Context) -> None:
    """End the hold of a rollback and publish the draft. Exits with 1 if the draft has errors.

    Example: claimsmith resume
    """
    session: Session = context.obj
    outcome = service.resume(session.rows, by=session.by)
    _answer(session, outcome, "The hold has ended, but the draft has errors.", before="The hold has ended. ")


def stage(
    context: typer.Context,
    number: Number,
    percent: Annotated[
        int | None, typer.Option(min=0, max=100, help="Serve this percentage of all users; 0 alone ends the staging.")
    ] = None,
    subject: Annotated[
        list[str] | None,
        typer.Option(metavar="U", help="Serve this user: the sub, or with --user-pool-id the username. Repeatable."),
    ] = None,
    client: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="Serve machine tokens of this app client. Repeatable.")
    ] = None,
) -> None:
    """Stage a version: try it on some users before all. Each call replaces the previous selection.

    Users served at one percentage stay served at every higher one; all others get the version in force.

    Ends by promote, rollback, --percent 0, or when another version is published for all.

    Example: claimsmith stage 7 --percent 10
    """
    session: Session = context.obj
    if percent is None and not subject and not client:
        raise OperationError(Code.BAD_ARGUMENT, "No users given. Use --percent, --subject or --client.")
    named = [*(session.user(name).sub for name in subject or ()), *(client or ())]
    pointer = service.stage(session.rows, number, percent=percent or 0, subjects=named, by=session.by)
    text = f"Nothing is staged; version {pointer.version} serves all users. {_SOON}"
    if pointer.staging is not None:
        text = f"[green]Version {number} is staged[/green]: it serves {_served(pointer.staging)}. {_SOON}"
        standing = service.publishing_status(session.rows, limit=1)
        if not pointer.hold and not standing.manual:
            text += (
                "\n[yellow]Publishing is automatic[/yellow]: the next policy change goes live for all users and ends "
                "the staging. Set publish: manual in the settings to prevent this."
            )
    session.answer({"in_force": pointer.version, "staged": _staged_data(pointer.staging)}, text)


def promote(
    context: typer.Context,
    number: Annotated[
        int | None,
        typer.Argument(
            metavar="N", min=1, max=MAX_VERSION, help="The version number; default: the staged version, or the draft."
        ),
    ] = None,
) -> None:
    """Publish version N for all users; without N, the staged version, or the draft if none is staged.

    A hold stays in place until resume. Exits with 1 if the draft has errors.

    Example: claimsmith promote
    """
    session: Session = context.obj
    _answer(session, service.promote(session.rows, number, by=session.by), "The draft has errors.")


def release(context: typer.Context) -> None:
    """Cancel an apply that did not finish, so that edits are published again.

    Example: claimsmith release
    """
    session: Session = context.obj
    lease = service.release(session.rows)
    if lease is None:
        session.answer({"released": None}, "No apply is in progress.")
        return
    session.answer(
        {"released": {"by": lease.by, "started_at": lease.started_at}},
        f"The apply that {escape(lease.by)} started at {_time(lease.started_at)} is cancelled.\n"
        "The draft may be incomplete, and its next change publishes it: "
        "apply a complete file, or check the draft with claimsmith lint.",
    )


def _answer(session: Session, outcome: Outcome, refused: str, *, before: str = "") -> None:
    if outcome.result is Result.REFUSED:
        raise PolicyError(outcome.findings[0].code, refused, outcome.findings)
    text = "\n".join(
        [before + _MESSAGES[outcome.result].format(version=outcome.version), *notes(rollout_of(session.rows))]
    )
    session.answer({"result": outcome.result, "policy_version": outcome.version}, text)
    if outcome.result in (Result.WAITING, Result.HELD):
        raise typer.Exit(1)


def _grid(standing: PublishingStatus) -> Grid:
    grid = columns("version", "created", "by", "note", "serves")
    for version in standing.versions:
        cells = (str(version.number), _time(version.created_at), version.created_by or "unknown", version.note or "")
        grid.add_row(*map(escape, cells), _serves(standing, version))
    return grid


def _serves(standing: PublishingStatus, version: Version) -> str:
    pointer = standing.pointer
    if pointer is None:
        return ""
    if version.number == pointer.version:
        return "[green]in force[/green]"
    staging = pointer.staging
    return "[yellow]staged[/yellow]" if staging is not None and staging.candidate == version.number else ""


def _status_lines(standing: PublishingStatus) -> list[str]:
    """Return the status lines below the list."""
    pointer, lease, problems = standing.pointer, standing.lease, standing.problems
    lines = []
    if pointer is None:
        lines.append(
            "[red]No version is in force[/red]; every sign-in is refused. Run claimsmith apply or claimsmith promote."
        )
    else:
        changed = f"{_time(pointer.updated_at)} by {escape(pointer.updated_by or 'unknown')}"
        lines.append(f"Version {pointer.version} is in force. Last changed at {changed}.")
        if pointer.staging is not None:
            lines.append(f"Version {pointer.staging.candidate} is staged: it serves {_served(pointer.staging)}.")
        if pointer.problem is not None:
            text = f"The staging cannot be read: {pointer.problem.attribute} {pointer.problem.why}."
            lines.append(f"[red]{escape(text)}[/red]")
        lines += notes(pointer.rollout)
        if pointer.hold:
            lines.append("[yellow]Publishing is on hold[/yellow] since a rollback; run claimsmith resume to end it.")
    if standing.manual and not (pointer is not None and pointer.hold):
        what = "staged version" if pointer is not None and pointer.staging is not None else "draft"
        lines.append(f"Publishing is manual; run claimsmith promote to publish the {what}.")
    if lease is not None:
        lines.append(
            f"[yellow]{escape(lease.by)} has been applying a policy since {_time(lease.started_at)}[/yellow]; nothing "
            "is published until they finish. Run claimsmith release to cancel it."
        )
    if problems is not None:
        count = sum(_count(finding) for finding in _findings(problems))
        lines.append(
            f"[red]The draft was refused[/red] at {_time(problems.get('at'))} with {count} "
            f"{'finding' if count == 1 else 'findings'}; run claimsmith lint to list them."
        )
    return lines


def _standing_data(standing: PublishingStatus) -> dict[str, Any]:
    pointer, lease, problems = standing.pointer, standing.lease, standing.problems
    return {
        "in_force": pointer.version if pointer else None,
        "staged": _staged_data(pointer.staging) if pointer else None,
        "staging_problem": pointer.problem._asdict() if pointer and pointer.problem else None,
        "rollout": rollout.data(pointer.rollout) if pointer else None,
        "hold": pointer.hold if pointer else False,
        "manual": standing.manual,
        "updated_by": pointer.updated_by if pointer else None,
        "updated_at": pointer.updated_at if pointer else None,
        "lease": None if lease is None else {"by": lease.by, "started_at": lease.started_at, "note": lease.note},
        "problems": None if problems is None else {"at": problems.get("at"), "findings": _findings(problems)},
        "versions": [
            {
                "version": version.number,
                "digest": version.digest,
                "created_at": version.created_at,
                "created_by": version.created_by,
                "note": version.note,
            }
            for version in standing.versions
        ],
    }


def _staged_data(staging: Staging | None) -> dict[str, Any] | None:
    if staging is None:
        return None
    return {"version": staging.candidate, "percent": staging.percent, "subjects": sorted(staging.subjects)}


def _findings(problems: dict[str, Any]) -> list[Any]:
    findings = problems.get("findings")
    return findings if isinstance(findings, list) else []


def _count(finding: object) -> int:
    """Return how many findings an entry of the PROBLEMS row counts: more than one where the list was cut."""
    left_out = finding.get("left_out") if isinstance(finding, dict) else None
    return left_out if isinstance(left_out, int) else 1


def _served(staging: Staging) -> str:
    named = len(staging.subjects)
    parts = [f"{staging.percent} % of all subjects"] if staging.percent else []
    parts += [f"{named} by name" if parts else f"{named} {'subject' if named == 1 else 'subjects'} by name"] * bool(
        named
    )
    return " and ".join(parts) or "nobody"


def _time(seconds: object) -> str:
    """Return epoch seconds as readable text."""
    if not isinstance(seconds, int):
        return "unknown"
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, ValueError, OSError):
        return str(seconds)
