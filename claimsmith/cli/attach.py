"""The commands ``attach`` and ``detach``, for user pools that exist already."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from claimsmith.cli import panels, shown
from claimsmith.cli.session import Session
from claimsmith.cli.terminal import say
from claimsmith.errors import Code, ConfigurationError, OperationError
from claimsmith.service.attach import Attacher, EventVersion, Proposal
from claimsmith.service.difference import Difference, Kind
from claimsmith.store.deployment import Deployment
from claimsmith.store.dynamodb import PATIENT, Table, connect
from claimsmith.store.pool_settings import PoolSettings

if TYPE_CHECKING:
    from claimsmith.cognito.user_pool import Change

Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("attach", rich_help_panel=panels.OPERATIONS)(attach)
    app.command("detach", rich_help_panel=panels.OPERATIONS)(detach)


def attach(
    context: typer.Context,
    function: Annotated[
        str | None,
        typer.Option(
            metavar="ARN|NAME[:ALIAS]", help="Attach this trigger; default: the only one that reads the table."
        ),
    ] = None,
    event_version: Annotated[
        EventVersion | None,
        typer.Option(help="Have Cognito send events of this version; default: the present one, at least V2_0."),
    ] = None,
    *,
    replace: Annotated[
        bool, typer.Option("--replace", help="Take the place of another trigger, and remember it for detach.")
    ] = False,
    yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """Make Claimsmith's function the trigger of a user pool that exists. Shows what changes, and asks.

    Changes the pre token generation trigger and nothing else of the pool, and lets Cognito call the function. Refused
    while no policy is in force, because every sign-in would be. To reach nobody at first, see rollout.

    What manages the pool must know of the trigger too, or takes it off: docs/how-to/adopt.md.

    Example: claimsmith attach --user-pool-id eu-central-1_EXAMPLE --table TABLE
    """
    session: Session = context.obj
    attacher = _attacher(session)
    proposal = attacher.propose_attaching(
        _pool_id(session),
        function=function,
        table=session.connection.table,
        version=event_version,
        replace_other=replace,
    )
    _carry_out(session, attacher, proposal, "Attach", "Attached", yes=yes, dry_run=dry_run)


def detach(
    context: typer.Context,
    function: Annotated[
        str | None,
        typer.Option(metavar="ARN|NAME[:ALIAS]", help="The trigger that was attached, if it no longer exists."),
    ] = None,
    *,
    yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """Take Claimsmith's trigger off a user pool, and put back what was there before. Shows what changes, and asks.

    Changes nothing else of the pool, and nothing at all if its trigger is no longer Claimsmith's.

    Example: claimsmith detach --user-pool-id eu-central-1_EXAMPLE
    """
    session: Session = context.obj
    attacher = _attacher(session)
    proposal = attacher.propose_detaching(_pool_id(session), function=function, table=session.connection.table)
    _carry_out(session, attacher, proposal, "Detach", "Detached", yes=yes, dry_run=dry_run)


def _attacher(session: Session) -> Attacher:
    place = session.connection

    def open_table(name: str) -> Table:
        return Table(connect(PATIENT, endpoint_url=place.endpoint_url, region=place.region), name)

    return Attacher(
        PoolSettings(endpoint_url=place.endpoint_url, region=place.region),
        Deployment(endpoint_url=place.endpoint_url, region=place.region),
        open_table,
        session.by,
    )


def _pool_id(session: Session) -> str:
    if not session.connection.user_pool_id:
        raise ConfigurationError("No user pool is given. Use --user-pool-id ID, or set CLAIMSMITH_USER_POOL_ID.")
    return session.connection.user_pool_id


def _carry_out(
    session: Session, attacher: Attacher, proposal: Proposal, ask: str, done: str, *, yes: bool, dry_run: bool
) -> None:
    """Show what changes, ask, do it, and say that it is done."""
    if not session.as_json:
        _show(session, proposal)
    if proposal.empty or dry_run:
        _answer(session, proposal, proposal.after, applied=False)
        return
    _confirm(session, ask, yes=yes)
    after = attacher.carry_out(proposal)
    _answer(session, proposal, after, applied=True)
    if not session.as_json:
        session.out.print(f"[green]{done}[/green], and read again: nothing else of the pool has changed.")
        if proposal.remember is not None:
            say(f"To go back: claimsmith detach --user-pool-id {proposal.settings['Id']}")


def _show(session: Session, proposal: Proposal) -> None:
    settings = proposal.settings
    plan = f", {settings['UserPoolTier'].capitalize()} plan" if settings.get("UserPoolTier") else ""
    say(f"User pool {settings['Id']} ({settings.get('Name', '')}{plan})")
    for change in proposal.changes:
        shown.difference(session.out, _difference(change))
    say("  Its other triggers and all other settings stay as they are.")
    if proposal.permission is not None:
        say(f"Function {proposal.function}")
        sign, style = shown.SIGNS["added" if proposal.permission == "add" else "removed"]
        text = f"  {sign} Cognito may call it for this pool (statement {proposal.statement_id})"
        session.out.print(text, style=style, markup=False, highlight=False, soft_wrap=True)
    if proposal.note:
        say(proposal.note)
    if proposal.empty:
        say("Nothing to do.")


def _difference(change: Change) -> Difference:
    kind: Kind = "added" if change.before is None else "removed" if change.after is None else "changed"
    return Difference(kind, "pool", change.setting, (), change.before, change.after)


def _confirm(session: Session, ask: str, *, yes: bool) -> None:
    """Ask, unless ``yes`` answers.

    Raises:
        OperationError: the answer is no, or nobody can be asked.
    """
    if yes:
        return
    if session.as_json or not sys.stdin.isatty():
        raise OperationError(Code.NOT_CONFIRMED, "Nothing was changed, because nobody can be asked. Add --yes.")
    if not typer.confirm(f"{ask}?"):
        raise OperationError(Code.NOT_CONFIRMED, "Nothing was changed.")


def _answer(session: Session, proposal: Proposal, after: dict[str, Any], *, applied: bool) -> None:
    if not session.as_json:
        return
    data = {
        "user_pool_id": proposal.settings["Id"],
        "function": proposal.function or None,
        "applied": applied,
        "changes": [change._asdict() for change in proposal.changes],
        "permission": proposal.permission,
        "note": proposal.note or None,
        "before": proposal.settings,
        "after": after,
    }
    session.out.print_json(json.dumps(data, ensure_ascii=False, default=str))
