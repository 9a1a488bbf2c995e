"""The ``backup`` and ``restore`` commands."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.markup import escape

from claimsmith.cli import completion, panels, shown
from claimsmith.cli.exit_codes import INTERRUPTED
from claimsmith.cli.progress import progress
from claimsmith.cli.session import Session
from claimsmith.cli.terminal import one_line, say
from claimsmith.errors import Code, ConfigurationError, OperationError
from claimsmith.service.backup import Backup, lines, plain
from claimsmith.service.difference import row_differences
from claimsmith.service.publish import Outcome
from claimsmith.service.restore import Fate, Restore, Step
from claimsmith.service.selection import Selection
from claimsmith.service.times import iso
from claimsmith.store.attributes import decode
from claimsmith.store.dynamodb import PATIENT, connect
from claimsmith.store.exact import ExactTable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import BinaryIO

    from claimsmith.service.difference import Difference

#: Rows that stay and are printed.
_PRINTED: Final = 20

_SIGNS: Final = {Fate.ADDED: ("+", "green"), Fate.REPLACED: ("~", "yellow"), Fate.KEPT: ("!", "red")}

Policy = Annotated[bool, typer.Option("--policy", help="Only the policy: the draft, its versions, which is in force.")]
TenantId = Annotated[
    str | None,
    typer.Option("--tenant", metavar="ID", help="Only a tenant and its members.", autocompletion=completion.tenants),
]
UserSub = Annotated[str | None, typer.Option("--user", metavar="SUB", help="Only a user with all memberships.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("backup", rich_help_panel=panels.OPERATIONS)(backup)
    app.command("restore", rich_help_panel=panels.OPERATIONS)(restore)


def backup(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE|DIR", help="The file to write, or a folder for it.")],
    tenant: TenantId = None,
    user: UserSub = None,
    *,
    policy: Policy = False,
) -> None:
    """Write rows of the table to a file, exactly as DynamoDB has them, for claimsmith restore.

    The file is readable only by you: it has personal data, and digests of secrets. It appears once it is whole. Rows
    that are written while the table is read may be missing; point-in-time recovery of DynamoDB has no such gap.

    Example: claimsmith backup /var/backups/claimsmith
    """
    session: Session = context.obj
    selection = _selection(policy=policy, tenant=tenant, user=user)
    now = session.now()
    if file.is_dir():
        time = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
        part = "" if selection.part == "table" else f"-{selection.part}"
        file /= f"{session.rows.name.rpartition('/')[2]}{part}-{time}.jsonl"
    count = -2  # the first line and the last are no rows
    try:
        with _written(file) as output, progress("Reading rows") as done:
            for line in lines(_exact(session), selection, now=now, done=done):
                output.write(line)
                count += 1
    except KeyboardInterrupt:
        say("Stopped. No backup was written.", err=True)
        raise typer.Exit(INTERRUPTED) from None
    if not count:
        say(f"There are no rows of {selection}.", err=True)
    session.answer(
        {"file": str(file), "rows": count, "part": selection.part, "id": selection.id or None},
        f"[green]Written[/green]: {count:,} rows to {escape(one_line(str(file)))}",
    )


def restore(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A backup.", exists=True, dir_okay=False)],
    tenant: TenantId = None,
    user: UserSub = None,
    *,
    policy: Policy = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would change; write nothing.")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Also replace rows that differ and may be newer than the backup.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Write rows of a backup to the table: those that are missing, and those that are certainly older there.

    Nothing is deleted, no revocation is weakened, no version is changed, and where one is in force, it stays. The whole
    file is checked before the first row is written. A restore that was interrupted is finished by running it again.
    Exits with 1 if a row that differs stays.

    Example: claimsmith restore claimsmith-20270131T180000Z.jsonl --dry-run
    """
    session: Session = context.obj
    rows, selection = _exact(session), _selection(policy=policy, tenant=tenant, user=user)
    counts: Counter[Fate] = Counter()
    with file.open("rb") as opened:
        try:
            found = Backup(opened)
            plan = Restore(rows, found, selection, overwrite=overwrite)
            _introduced(session, found)
            with progress("Comparing", found.count) as done:
                for step in plan.steps():
                    counts[step.fate] += 1
                    done(1)
                    if dry_run:
                        _told(session, step)
            if dry_run:
                _summed(session, counts, None, dry_run=True)
            else:
                if not yes:
                    _confirm(session, counts, rows.name)
                counts, outcome = _restored(session, plan, found.count)
                _summed(session, counts, outcome, dry_run=False)
        except KeyboardInterrupt:
            say("Stopped. Restore the file again to finish.", err=True)
            raise typer.Exit(INTERRUPTED) from None
    if counts[Fate.KEPT]:
        raise typer.Exit(1)


def _restored(session: Session, plan: Restore, total: int) -> tuple[Counter[Fate], Outcome | None]:
    counts: Counter[Fate] = Counter()
    outcome = None
    with progress("Restoring", total) as done:
        for result in plan.run(session.by):
            if isinstance(result, Outcome):
                outcome = result
                continue
            counts[result.fate] += 1
            done(1)
            if result.fate is Fate.KEPT and (session.as_json or counts[Fate.KEPT] <= _PRINTED):
                _told(session, result)
    return counts, outcome


def _selection(*, policy: bool, tenant: str | None, user: str | None) -> Selection:
    given = [
        *([Selection("policy")] if policy else []),
        *([Selection("tenant", tenant)] if tenant else []),
        *([Selection("user", user)] if user else []),
    ]
    if len(given) > 1:
        raise OperationError(Code.BAD_ARGUMENT, "Give one of --policy, --tenant and --user.")
    return given[0] if given else Selection()


def _exact(session: Session) -> ExactTable:
    place = session.connection
    return ExactTable(connect(PATIENT, endpoint_url=place.endpoint_url, region=place.region), session.rows.name)


@contextmanager
def _written(file: Path) -> Iterator[BinaryIO]:
    """A new file, readable only by its owner, that gets its name once it is whole.

    Raises:
        ConfigurationError: it exists, or cannot be written.
    """
    part = file.with_name(f".{file.name}.part")
    if file.exists():
        raise ConfigurationError(f"{file} exists. Choose another name.")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as output:
            yield output
        part.replace(file)
    except OSError as error:
        message = f"{file} cannot be written ({error.strerror}). Check the folder, its permissions and its space."
        raise ConfigurationError(message) from error
    finally:
        part.unlink(missing_ok=True)


def _introduced(session: Session, found: Backup) -> None:
    if not session.as_json:
        header = found.header
        part = "" if header.part == "table" else f", {header.part} {header.id}".rstrip()
        say(one_line(f"Backup of {header.table}{part}, {iso(header.made_at)}, {found.count:,} rows."))


def _confirm(session: Session, counts: Counter[Fate], name: str) -> None:
    """Ask before rows are written.

    Raises:
        OperationError: the answer is no, or nobody can be asked.
    """
    if not counts[Fate.ADDED] and not counts[Fate.REPLACED]:
        return
    what = f"{counts[Fate.ADDED]:,} rows are missing in {name}, and {counts[Fate.REPLACED]:,} are to be replaced."
    if session.as_json or not sys.stdin.isatty():
        message = f"{what} Nothing was written. Look at --dry-run, then add --yes."
        raise OperationError(Code.NOT_CONFIRMED, message)
    if not typer.confirm(f"{what} Restore?"):
        raise OperationError(Code.NOT_CONFIRMED, "Not restored; nothing was written.")


def _told(session: Session, step: Step) -> None:
    """Say what becomes of a row; where it differs, how."""
    pk, sk = step.key
    differs = step.fate in (Fate.REPLACED, Fate.KEPT) and step.present is not None
    differences = _differences(step) if differs else []
    if session.as_json:
        say(json.dumps(_data(step, differences), ensure_ascii=False))
        return
    if step.fate not in _SIGNS:
        return
    sign, style = _SIGNS[step.fate]
    why = f": {step.why}" if step.why else ""
    text = f"{sign} {one_line(pk)} {one_line(sk)}{why}"
    session.out.print(text, style=style, markup=False, highlight=False, soft_wrap=True)
    for each in differences:
        shown.difference(session.out, each)


def _differences(step: Step) -> list[Difference]:
    """How the row of the table differs from that of the backup."""
    before, after = (
        {name: _readable(value) for name, value in plain(item).items()} for item in (step.present or {}, step.item)
    )
    return row_differences(before, after)


def _readable(value: Any) -> Any:  # noqa: ANN401 - a value in DynamoDB's representation, as JSON
    """A value without the names of types, as people write it."""
    [(kind, content)] = value.items()
    match kind:
        case "M":
            return {name: _readable(member) for name, member in content.items()}
        case "L":
            return [_readable(member) for member in content]
        case "N" | "NULL":
            return decode(value)
        case _:
            return content


def _data(step: Step, differences: Iterable[Difference]) -> dict[str, Any]:
    pk, sk = step.key
    return {
        "pk": pk,
        "sk": sk,
        "fate": step.fate,
        "why": step.why or None,
        "differences": [
            {"kind": each.kind, "attribute": list(each.path), "before": each.before, "after": each.after}
            for each in differences
        ],
    }


def _summed(session: Session, counts: Counter[Fate], outcome: Outcome | None, *, dry_run: bool) -> None:
    numbers = {str(fate): counts[fate] for fate in Fate}
    if session.as_json:
        published = None if outcome is None else {"result": outcome.result, "version": outcome.version}
        say(json.dumps({"dry_run": dry_run, **numbers, "published": published}))
        return
    if outcome is not None:
        version = "no version is in force" if outcome.version is None else f"version {outcome.version} is in force"
        say(f"Policy: {outcome.result}, {version}.")
    start, end = ("Dry run", " Nothing is written.") if dry_run else ("Restored", "")
    say(f"{start}: {', '.join(f'{number:,} {fate}' for fate, number in numbers.items())}.{end}")
    if counts[Fate.KEPT]:
        message = "Rows that differ stay; to replace them, see what would be lost by --dry-run, then add --overwrite."
        say(f"{message} [{Code.ROWS_KEPT}]", err=True)
