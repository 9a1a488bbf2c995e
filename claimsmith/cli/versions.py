"""``versions``, ``diff``, ``rollback``, `resume`, ``stage``, ``promote``, ``release``: which version serves whom."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.markup import escape
from rich.table import Table as Grid

from claimsmith.cli.session import Session
from claimsmith.engine.staging import MAX_VERSION
from claimsmith.errors import Code, OperationError, PolicyError
from claimsmith.service import versions as service
from claimsmith.service.difference import Difference, difference
from claimsmith.service.publish import Outcome, Result

if TYPE_CHECKING:
    from claimsmith.engine.staging import Staging
    from claimsmith.service.versions import PublishingStatus
    from claimsmith.store.bundles import Version

Number = Annotated[int, typer.Argument(metavar="N", min=1, max=MAX_VERSION, help="The version's number.")]

_SOON: Final = "Tokens see it within the policy's cache_seconds."

_TOLD: Final = {
    Result.PUBLISHED: "[green]Version {version} is in force[/green] for all. " + _SOON,
    Result.UNCHANGED: "Version {version} is in force already; nothing changed.",
    Result.HELD: "[yellow]Not published[/yellow]: somebody rolled back just now, and publishing is on hold.",
    Result.MANUAL: "[yellow]Stored, not in force[/yellow]: the settings say publish: manual. "
    "claimsmith promote puts the draft in force.",
    Result.WAITING: "[yellow]Not published[/yellow]: somebody has begun to apply a policy and has not finished. "
    "claimsmith versions says who; claimsmith release gives it up.",
}


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("versions")(versions)
    app.command("diff")(diff)
    app.command("rollback")(rollback)
    app.command("resume")(resume)
    app.command("stage")(stage)
    app.command("promote")(promote)
    app.command("release")(release)


def versions(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many, newest first.")] = 20,
) -> None:
    """Show the versions, which one is in force or staged, and what keeps the draft from being published."""
    session: Session = context.obj
    standing = service.publishing_status(session.rows, limit=limit)
    if session.as_json:
        session.answer(_standing_data(standing), "")
        return
    if standing.versions:
        session.out.print(_grid(standing))
    for line in _lines(standing):
        session.out.print(line, highlight=False)


def diff(
    context: typer.Context,
    before: Annotated[int, typer.Argument(metavar="A", min=1, max=MAX_VERSION, help="One version's number.")],
    after: Annotated[int, typer.Argument(metavar="B", min=1, max=MAX_VERSION, help="The other's.")],
) -> None:
    """Show what version B says differently from version A: roles, scopes, rules, settings and so on."""
    session: Session = context.obj
    found = difference(session.rows, before, after)
    if session.as_json:
        session.answer({"from": before, "to": after, "differences": [each._asdict() for each in found]}, "")
        return
    if not found:
        session.out.print(f"Versions {before} and {after} say the same.", highlight=False)
    section = None
    for each in found:
        if each.section != section:
            section = each.section
            session.out.print(section, style="bold", markup=False, highlight=False)
        sign, style = {"added": ("+", "green"), "removed": ("-", "red"), "changed": ("~", "yellow")}[each.kind]
        session.out.print(f"  {sign} {_difference(each)}", style=style, markup=False, highlight=False, soft_wrap=True)


def rollback(context: typer.Context, number: Number) -> None:
    """Put an earlier version in force for all and hold publishing until resume. A staged version is staged no longer.

    With the number of the version in force, only the staging ends and the hold begins.
    """
    session: Session = context.obj
    pointer = service.rollback(session.rows, number, by=session.by)
    session.answer(
        {"in_force": pointer.version, "hold": True},
        f"[green]Version {pointer.version} is in force[/green] for all. {_SOON}\n"
        "Publishing is on hold: edits of the policy are stored and change no token until claimsmith resume.",
    )


def resume(context: typer.Context) -> None:
    """End the hold of a rollback and publish the draft. Exit code 1 where the draft is refused."""
    session: Session = context.obj
    outcome = service.resume(session.rows, by=session.by)
    _answer(session, outcome, "The hold is over, but the draft is refused.", before="The hold is over. ")


def stage(
    context: typer.Context,
    number: Number,
    percent: Annotated[
        int | None, typer.Option(min=0, max=100, help="Serve this part of all users; 0 alone ends it.")
    ] = None,
    subject: Annotated[
        list[str] | None,
        typer.Option(metavar="U", help="Serve this user: a subject, with a known pool also a username. Repeatable."),
    ] = None,
    client: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="Serve this app client's machine tokens. Repeatable.")
    ] = None,
) -> None:
    """Try a version on a part of the users before it is in force for all; says anew whom it serves, each time.

    Who is served by a percentage is served by every higher one; everybody else is served by the version in force.

    Promoting puts the staged version in force. A staging of 0 percent, a rollback, and a version published for all end
    it.
    """
    session: Session = context.obj
    if percent is None and not subject and not client:
        raise OperationError(Code.BAD_ARGUMENT, "Whom does it serve? Give --percent, --subject or --client.")
    named = [*(session.user(name).sub for name in subject or ()), *(client or ())]
    pointer = service.stage(session.rows, number, percent=percent or 0, subjects=named, by=session.by)
    text = f"Nothing is staged; version {pointer.version} serves all. {_SOON}"
    if pointer.staging is not None:
        text = f"[green]Version {number} is staged[/green]: it serves {_whom(pointer.staging)}. {_SOON}"
        standing = service.publishing_status(session.rows, limit=1)
        if not pointer.hold and not standing.manual:
            text += (
                "\n[yellow]Publishing is automatic[/yellow]: the next change of the policy goes to all and ends the "
                "staging. Set publish: manual in the settings to keep it until you promote."
            )
    session.answer({"in_force": pointer.version, "staged": _staged_data(pointer.staging)}, text)


def promote(
    context: typer.Context,
    number: Annotated[
        int | None, typer.Argument(metavar="N", min=1, max=MAX_VERSION, help="A version's number.")
    ] = None,
) -> None:
    """Put version N in force for all; without N the staged version, or else the draft (for publish: manual).

    A hold stays until resume. Exit code 1 where the draft is refused.
    """
    session: Session = context.obj
    _answer(session, service.promote(session.rows, number, by=session.by), "The draft is refused.")


def release(context: typer.Context) -> None:
    """Give up the lease of an apply that did not finish, so that edits are published again."""
    session: Session = context.obj
    lease = service.release(session.rows)
    if lease is None:
        session.answer({"released": None}, "Nobody is applying a policy.")
        return
    session.answer(
        {"released": {"by": lease.by, "started_at": lease.started_at}},
        f"What {escape(lease.by)} began at {_time(lease.started_at)} is given up.\n"
        "The draft is as they left it, perhaps half written, and its next change publishes it: "
        "apply a whole file, or look at it first with claimsmith lint.",
    )


def _answer(session: Session, outcome: Outcome, refused: str, *, before: str = "") -> None:
    if outcome.result is Result.REFUSED:
        raise PolicyError(outcome.findings[0].code, refused, outcome.findings)
    told = before + _TOLD[outcome.result].format(version=outcome.version)
    session.answer({"result": outcome.result, "policy_version": outcome.version}, told)
    if outcome.result in (Result.WAITING, Result.HELD):
        raise typer.Exit(1)


def _grid(standing: PublishingStatus) -> Grid:
    grid = Grid("version", "created", "by", "note", "serves")
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


def _lines(standing: PublishingStatus) -> list[str]:
    """What there is to know besides the list; a line each."""
    pointer, lease, problems = standing.pointer, standing.lease, standing.problems
    lines = []
    if pointer is None:
        lines.append("[red]No version is in force[/red]; every sign-in is refused. Apply a policy, or promote.")
    else:
        changed = f"{_time(pointer.updated_at)} by {escape(pointer.updated_by or 'unknown')}"
        lines.append(f"Version {pointer.version} is in force. What serves whom was changed last at {changed}.")
        if pointer.staging is not None:
            lines.append(f"Version {pointer.staging.candidate} is staged: it serves {_whom(pointer.staging)}.")
        if pointer.problem is not None:
            told = f"What is staged cannot be read: {pointer.problem.attribute} {pointer.problem.why}."
            lines.append(f"[red]{escape(told)}[/red]")
        if pointer.hold:
            lines.append("[yellow]Publishing is on hold[/yellow] since a rollback; claimsmith resume ends it.")
    if standing.manual and not (pointer is not None and pointer.hold):
        what = "staged version" if pointer is not None and pointer.staging is not None else "draft"
        lines.append(f"Publishing is manual; claimsmith promote puts the {what} in force.")
    if lease is not None:
        lines.append(
            f"[yellow]{escape(lease.by)} has been applying a policy since {_time(lease.started_at)}[/yellow]; until "
            "they finish, nothing is published. claimsmith release gives it up."
        )
    if problems is not None:
        count = sum(_stands_for(finding) for finding in _findings(problems))
        lines.append(
            f"[red]The draft was refused[/red] at {_time(problems.get('at'))} with {count} "
            f"{'finding' if count == 1 else 'findings'}; claimsmith lint shows what is wrong with it now."
        )
    return lines


def _standing_data(standing: PublishingStatus) -> dict[str, Any]:
    pointer, lease, problems = standing.pointer, standing.lease, standing.problems
    return {
        "in_force": pointer.version if pointer else None,
        "staged": _staged_data(pointer.staging) if pointer else None,
        "staging_problem": pointer.problem._asdict() if pointer and pointer.problem else None,
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


def _stands_for(finding: object) -> int:
    """How many findings an entry of the problems row stands for: more than one where the list was cut there."""
    left_out = finding.get("left_out") if isinstance(finding, dict) else None
    return left_out if isinstance(left_out, int) else 1


def _whom(staging: Staging) -> str:
    named = len(staging.subjects)
    parts = [f"{staging.percent} % of all subjects"] if staging.percent else []
    parts += [f"{named} by name" if parts else f"{named} {'subject' if named == 1 else 'subjects'} by name"] * bool(
        named
    )
    return " and ".join(parts) or "nobody"


def _difference(each: Difference) -> str:
    what = " ".join(filter(None, (each.name, ".".join(each.path)))) or each.section
    if each.kind == "changed":
        gained, lost = _members(each.before, each.after), _members(each.after, each.before)
        if gained or lost:
            return f"{what}: {', '.join([f'+{member}' for member in gained] + [f'-{member}' for member in lost])}"
        return f"{what}: {_json(each.before)} -> {_json(each.after)}"
    value = each.after if each.kind == "added" else each.before
    return f"{what}: {_json(value)}"


def _members(old: object, new: object) -> list[str]:
    """The strings that only the second of two lists of strings has."""
    if not isinstance(old, list) or not isinstance(new, list):
        return []
    if not all(isinstance(member, str) for member in (*old, *new)):
        return []
    return [member for member in new if member not in old]


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _time(seconds: object) -> str:
    """Epoch seconds as people read them."""
    if not isinstance(seconds, int):
        return "unknown"
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, ValueError, OSError):
        return str(seconds)
