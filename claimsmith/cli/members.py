"""The ``members`` commands."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.markup import escape

from claimsmith.cli import completion, panels
from claimsmith.cli.exit_codes import INTERRUPTED
from claimsmith.cli.policy import write
from claimsmith.cli.progress import progress
from claimsmith.cli.session import Session
from claimsmith.cli.shown import attributes, names, verdict, when
from claimsmith.cli.tenants import Tenant
from claimsmith.cli.terminal import Terminal, columns
from claimsmith.cli.users import User
from claimsmith.cognito.limits import SUB
from claimsmith.errors import Code, OperationError
from claimsmith.service import import_members, lookup, member_csv
from claimsmith.service.directory import is_gone
from claimsmith.service.times import instant, iso

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from claimsmith.service.import_members import Change, Checked
    from claimsmith.service.member_csv import Omitted, Refused

    Row = Mapping[str, Any]

members = typer.Typer(no_args_is_help=True, help="List, grant, revoke, import and export memberships of tenants.")

#: What Cognito gives a user as subject. In a file, a user of this form is not looked up in the pool.
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

#: Refused rows that are printed.
_PRINTED: Final = 20


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(members, name="members", rich_help_panel=panels.DIRECTORY)


@members.command("list")
def list_members(context: typer.Context, tenant: Tenant) -> None:
    """List the members of a tenant with their roles, and why one does not count.

    Example: claimsmith members list acme
    """
    session: Session = context.obj
    found = list(lookup.members(session.rows, tenant, session.now()))
    grid = columns("user", "roles", "until", "usable")
    for member in found:
        cells = (member["sub"], names(member["roles"]), when(member["expires_at"]), verdict(member))
        grid.add_row(*map(escape, cells))
    session.answer({"tenant": tenant, "members": found}, grid if found else "No members.")


@members.command("show")
def show(context: typer.Context, user: User, tenant: Tenant) -> None:
    """Show everything the directory says about a membership, and why it does not count.

    Example: claimsmith members show alice acme --user-pool-id eu-west-1_Example
    """
    session: Session = context.obj
    sub, _ = session.known_user(user)
    found = lookup.member(session.rows, sub, tenant, session.now())
    session.answer(found, attributes(found))


@members.command("grant")
def grant(
    context: typer.Context,
    user: User,
    tenant: Tenant,
    role: Annotated[
        list[str] | None, typer.Option(help="Grant this role. Repeatable.", autocompletion=completion.roles)
    ] = None,
    scope: Annotated[list[str] | None, typer.Option(help="Grant this scope by name. Repeatable.")] = None,
    until: Annotated[
        str | None,
        typer.Option(
            metavar="DAY|TIME|never",
            help="End the membership after this day (2027-01-31, UTC) or at this time (2027-01-31T18:00Z, or epoch "
            "seconds); never: it has no end. Default: the end stays as it is.",
        ),
    ] = None,
) -> None:
    """Add a user to a tenant, or add roles to a member.

    Example: claimsmith members grant alice acme --role editor --until 2027-01-31
    """
    session: Session = context.obj
    forever = until == "never"
    end = None if until is None or forever else instant(until, end_of_day=True)
    sub = session.user(user).sub
    granted = session.editor.grant(sub, tenant, role or [], scopes=scope or [], until=end, forever=forever)
    data = {
        "user": user,
        "tenant": tenant,
        "roles": granted.roles,
        "scopes": granted.scopes,
        "expires_at": granted.expires_at,
        "usable": granted.why_not is None,
        "why_not": granted.why_not,
    }
    text = f"[bold]{escape(user)}[/bold] is a member of [bold]{escape(tenant)}[/bold] with "
    text += escape(", ".join(granted.roles) or "no roles of their own")
    if granted.expires_at is not None:
        text += f" until {iso(granted.expires_at)}"
    text += "."
    if granted.why_not is not None:
        text += f"\n[yellow]The membership does not count[/yellow]: {escape(granted.why_not)}."
    session.answer(data, text)


@members.command("revoke")
def revoke(context: typer.Context, user: User, tenant: Tenant) -> None:
    """End a membership, from the next token on.

    Example: claimsmith members revoke alice acme --user-pool-id eu-west-1_Example
    """
    session: Session = context.obj
    sub, _ = session.known_user(user)
    session.editor.revoke(sub, tenant)
    session.answer(
        {"user": user, "tenant": tenant},
        f"[bold]{escape(user)}[/bold] is no longer a member of [bold]{escape(tenant)}[/bold].",
    )


@members.command("export")
def export(
    context: typer.Context,
    tenant: Annotated[str | None, typer.Argument(help="Only the members of this tenant.", show_default=False)] = None,
    output: Annotated[
        typer.FileTextWrite | None,
        typer.Option(encoding="utf-8", lazy=True, help="Write to this file; default: standard output."),
    ] = None,
) -> None:
    """Write memberships as CSV; members import of the file changes nothing. With --json, one membership a line.

    Exits with 1 if a row cannot be read or written as CSV; the other rows are written.

    Example: claimsmith members export acme --output members.csv
    """
    session: Session = context.obj
    omitted: list[Omitted] = []
    lines = _exported(session, lookup.member_rows(session.rows, tenant), omitted)
    file = output or typer.get_text_stream("stdout")
    if session.as_json:
        for line in lines:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
    else:
        member_csv.write(file, lines)
    errors = Terminal(stderr=True)
    for row in omitted:
        errors.print(f"Left out: {row.sub} {row.tenant}: {row.reason}.", style="yellow", markup=False, highlight=False)
    if omitted:
        raise typer.Exit(1)


def _exported(session: Session, found: Iterable[Row], omitted: list[Omitted]) -> Iterator[dict[str, str]]:
    """The cells of each membership, without those that are being revoked or wait for their deletion."""
    now = session.now()
    with progress("Reading") as done:
        for row in found:
            done(1)
            if is_gone(row, now):
                continue
            cells = member_csv.exported(row, now)
            if isinstance(cells, dict):
                yield cells
            else:
                omitted.append(cells)


@members.command("import")
def import_csv(
    context: typer.Context,
    file: Annotated[typer.FileBinaryRead, typer.Argument(help="The CSV file; - for standard input.")],
    refused: Annotated[
        Path | None,
        typer.Option(dir_okay=False, writable=True, help="Write the refused rows to this file, and import the others."),
    ] = None,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would change; write nothing.")] = False,
) -> None:
    """Make memberships as a CSV file says. All rows are checked first; if one is refused, nothing is written.

    Importing a file again changes nothing, so an import that was interrupted is finished by running it again.

    The first line names the columns: user, tenant, and those of roles, scopes, status and until that are to be set.

    A user is a sub, a username or a verified e-mail address. Roles and scopes are separated by spaces or ';'.

    A column that is not there changes nothing; an empty cell clears.

    Example: claimsmith members import members.csv --dry-run
    """
    session: Session = context.obj
    if refused is not None and _is_same(refused, file.name):
        raise OperationError(Code.BAD_ARGUMENT, "--refused is the file to import. Give it another name.")
    checked = _check(session, file.read())
    report = {
        "dry_run": dry_run,
        "added": checked.count("added"),
        "changed": checked.count("changed"),
        "unchanged": checked.unchanged,
        "refused": len(checked.refused),
        "written": 0,
    }
    _write_refused(refused, checked.refused)
    if not dry_run and (refused is not None or not checked.refused):
        _write(session, checked, report)
        _write_refused(refused, checked.refused)
    _report(session, checked, report, writes=refused is not None)
    if checked.refused:
        raise typer.Exit(1)


def _is_same(path: Path, name: object) -> bool:
    """Whether a path is the file of this name; standard input has none."""
    return isinstance(name, str) and path.exists() and Path(name).exists() and path.samefile(name)


def _check(session: Session, content: bytes) -> Checked:
    now = session.now()
    try:
        lines = list(member_csv.read(content))
        with progress("Checking", len(lines)) as done:
            return import_members.check(session.rows, lines, lambda user: _sub(session, user), now=now, done=done)
    except KeyboardInterrupt:
        _say("Stopped. Nothing was written.")
        raise typer.Exit(INTERRUPTED) from None


def _sub(session: Session, user: str) -> str:
    """The subject of a user of the file.

    Raises:
        OperationError: there is no such user, or it is not certain who is meant.
    """
    if session.pool is not None:
        return user if _UUID.fullmatch(user) else session.pool.sub(user)
    if "@" in user or not SUB.fullmatch(user):
        raise OperationError(Code.BAD_ARGUMENT, "The user is not a sub. To use another name, add --user-pool-id.")
    return user


def _write(session: Session, checked: Checked, report: dict[str, Any]) -> None:
    """Write the changes, and count in the report how many are."""
    changes = checked.changes
    finished = False
    try:
        with progress("Writing", len(changes)) as done:
            for written, conflicts in import_members.write(session.rows, changes, session.by):
                report["written"] += written
                report["refused"] += len(conflicts)
                checked.refused += conflicts
                done(written + len(conflicts))
        finished = True
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    finally:
        if not finished:
            _say(f"Stopped after {report['written']:,} of {len(changes):,} changes. Import the file again to finish.")


def _write_refused(file: Path | None, refused: list[Refused]) -> None:
    if file is None:
        return
    titles = dict.fromkeys([*(name for one in refused for name in one.cells), *member_csv.NOTES])
    text = io.StringIO()
    member_csv.write(text, map(member_csv.refused_cells, refused), titles)
    write(text.getvalue(), file)


def _report(session: Session, checked: Checked, report: dict[str, Any], *, writes: bool) -> None:
    refusals = [
        {"line": one.number, "user": one.cells.get("user"), "tenant": one.cells.get("tenant"), "reason": one.reason}
        for one in checked.refused
    ]
    changes = [_change_data(change) for change in checked.changes] if report["dry_run"] else []
    error = None
    if checked.refused and not writes and not report["dry_run"] and not report["written"]:
        what = "row is" if len(refusals) == 1 else "rows are"
        error = OperationError(
            Code.IMPORT_REFUSED,
            f"{len(refusals):,} {what} refused, so nothing was written. Correct the file, or import the others with "
            "--refused FILE.",
        )
    if session.as_json:
        data = {**report, "changes": changes, "refusals": refusals}
        if error is not None:
            data["error"] = {"code": error.code, "message": error.message}
        session.answer(data, "")
        return
    for change in checked.changes if report["dry_run"] else ():
        sign, style = ("+", "green") if change.kind == "added" else ("~", "yellow")
        session.out.print(f"{sign} {_described(change)}", style=style, markup=False, highlight=False, soft_wrap=True)
    for one in checked.refused[:_PRINTED]:
        _say(f"line {one.number}: {one.reason}")
    if len(refusals) > _PRINTED:
        _say(f"{len(refusals) - _PRINTED:,} more rows are refused; --refused FILE writes all to a file.")
    if error is not None:
        raise error
    start, end = ("Dry run", " Nothing is written.") if report["dry_run"] else ("Imported", "")
    counts = ", ".join(f"{report[kind]:,} {kind}" for kind in ("added", "changed", "unchanged", "refused"))
    session.out.print(f"{start}: {counts}.{end}", highlight=False, soft_wrap=True)


def _described(change: Change) -> str:
    parts = [change.line.user, change.line.tenant]
    for name, after in change.after.items():
        before = change.before.get(name)
        if isinstance(after, tuple):
            parts += [f"+{one}" for one in after if one not in (before or ())]
            parts += [f"-{one}" for one in before or () if one not in after]
        elif after != before:
            title, show = ("until", when) if name == "expires_at" else (name, str)
            parts.append(
                f"{title} {'none' if before is None else show(before)} -> {'none' if after is None else show(after)}"
            )
    return " ".join(parts)


def _change_data(change: Change) -> dict[str, Any]:
    return {
        "change": change.kind,
        "line": change.line.number,
        "user": change.line.user,
        "sub": change.sub,
        "tenant": change.line.tenant,
        "before": {**change.before} if change.kind == "changed" else None,
        "after": {**change.after},
    }


def _say(text: str) -> None:
    Terminal(stderr=True).print(text, markup=False, highlight=False, soft_wrap=True)
