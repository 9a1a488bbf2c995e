"""The ``rollout`` command, and what other commands say while the policy does not reach everybody."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.text import Text

from claimsmith.cli import panels
from claimsmith.engine.rollout import Rollout
from claimsmith.errors import Code, OperationError
from claimsmith.service import rollout as service
from claimsmith.service.times import iso
from claimsmith.store import bundles

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from claimsmith.cli.session import Session
    from claimsmith.store.bundles import Pointer, RolloutChange

_CHANGES = 5

_WORDS = {"shadow": 0, "all": 100}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("rollout", rich_help_panel=panels.VERSIONS)(rollout)


def rollout(
    context: typer.Context,
    to: Annotated[
        str | None,
        typer.Argument(
            metavar="shadow|PERCENT|all", help="Whom the policy is to reach; default: show whom it reaches."
        ),
    ] = None,
    subject: Annotated[
        list[str] | None,
        typer.Option(metavar="U", help="Reach this user: the sub, or with --user-pool-id the username. Repeatable."),
    ] = None,
    client: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="Reach machine tokens of this app client. Repeatable.")
    ] = None,
    pool: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="Of this user pool only; any other is reached in full. Repeatable."),
    ] = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Let the policy reach nobody (shadow), a percentage of users, or all. Without an argument, show whom it reaches.

    All others get Cognito's own tokens, as if there were no trigger, and the trigger logs what it would have changed.
    Users who are reached at one percentage stay reached at every higher one. Publishing keeps the rollout.

    Example: claimsmith rollout 10
    """
    session: Session = context.obj
    named = [*(session.user(name).sub for name in subject or ()), *(client or ())]
    seen = service.current(session.rows)
    if to is None:
        _show(session, seen, named)
        return
    wanted = _wanted(to, named, pool or ())
    if _same(wanted, seen):
        _answer(session, seen, "Nothing changed. ")
        return
    if not yes:
        _confirm(session, wanted)
    _answer(session, service.roll_out(session.rows, wanted, seen=seen, by=session.by), "")


def _wanted(to: str, named: Sequence[str], pools: Sequence[str]) -> Rollout | None:
    number = re.fullmatch(r"([0-9]{1,3})%?", to)
    percent = int(number[1]) if number else _WORDS.get(to, -1)
    if not 0 <= percent <= _WORDS["all"]:
        raise OperationError(Code.BAD_ARGUMENT, "Give shadow, a whole percentage from 0 to 100, or all.")
    if percent < _WORDS["all"]:
        return Rollout(percent, frozenset(named), frozenset(pools))
    if named or pools:
        raise OperationError(Code.BAD_ARGUMENT, "all takes neither --subject, --client nor --pool.")
    return None


def _same(wanted: Rollout | None, seen: Pointer) -> bool:
    given = seen.rollout
    if wanted is None or given is None or given.problem is not None:
        return wanted is given
    return wanted[:3] == given[:3]


def _confirm(session: Session, wanted: Rollout | None) -> None:
    """Ask first.

    Raises:
        OperationError: the answer is no, or nobody can be asked.
    """
    if session.as_json or not sys.stdin.isatty():
        raise OperationError(Code.NOT_CONFIRMED, f"Nothing was changed. {_consequence(wanted)} Add --yes to do it.")
    if not typer.confirm(f"{_consequence(wanted)} Go on?"):
        raise OperationError(Code.NOT_CONFIRMED, "Nothing was changed.")


def _consequence(wanted: Rollout | None) -> str:
    if wanted is None:
        return "Every sign-in will be decided by the policy: it can be refused, and lose scopes and claims."
    others = "gets Cognito's own tokens: without the policy's claims, and with every scope that its client may request."
    if not wanted.percent and not wanted.subjects:
        return f"{_where(wanted)}nobody will be reached by the policy; everybody {others}"
    return f"{_where(wanted)}the policy will decide the sign-ins of {reached(wanted)}; everybody else {others}"


def _where(rollout: Rollout) -> str:
    """The pools, as the beginning of a sentence."""
    return f"In {', '.join(sorted(rollout.pools))}, " if rollout.pools else "From now on "


def reached(rollout: Rollout) -> str:
    """Whom a rollout reaches, in words."""
    named = len(rollout.subjects)
    parts = [f"{rollout.percent} % of all users and machines"] if rollout.percent else []
    parts += [f"{named} {'subject' if named == 1 else 'subjects'} by name"] if named else []
    return " and ".join(parts) or "nobody"


def _answer(session: Session, pointer: Pointer, before: str) -> None:
    text = f"{before}{_sentence(pointer.rollout)} New tokens follow within cache_seconds of the policy."
    session.answer(_data(pointer.rollout), text)


def _show(session: Session, pointer: Pointer, named: Sequence[str]) -> None:
    changes = bundles.rollout_changes(session.rows, limit=_CHANGES)
    if session.as_json:
        session.answer(
            {
                **_data(pointer.rollout),
                "reaches": {subject: _reaches(pointer.rollout, subject) for subject in named},
                "changes": [{**_data(change.rollout), "by": change.by, "at": change.at} for change in changes],
            },
            "",
        )
        return
    for line in _lines(pointer, named, changes):
        session.out.print(line, highlight=False, soft_wrap=True)


def _reaches(rollout: Rollout | None, subject: str) -> bool:
    return rollout is None or rollout.reaches(subject, "")


def _lines(pointer: Pointer, named: Sequence[str], changes: Sequence[RolloutChange]) -> Iterator[str]:
    yield _sentence(pointer.rollout)
    for subject in named:
        yield f"  {escape(subject)}: {'reached' if _reaches(pointer.rollout, subject) else 'not reached'}"
    if changes:
        yield "Changed:"
    for change in changes:
        when = "at an unknown time" if change.at is None else iso(change.at)
        yield f"  {when} by {escape(change.by or 'unknown')}: {_short(change.rollout)}"


def _short(rollout: Rollout | None) -> str:
    if rollout is None:
        return "all"
    pools = f", in {', '.join(map(escape, sorted(rollout.pools)))}" if rollout.pools else ""
    return f"{'shadow' if not rollout.percent and not rollout.subjects else reached(rollout)}{pools}"


def _sentence(rollout: Rollout | None) -> str:
    if rollout is None:
        return "[green]The policy reaches everybody.[/green]"
    if rollout.problem is not None:
        why = f"{rollout.problem.attribute} {rollout.problem.why}"
        return f"[red]The rollout cannot be read[/red]: {escape(why)}. Set it again."
    where = f" in {', '.join(map(escape, sorted(rollout.pools)))}" if rollout.pools else ""
    if not rollout.percent and not rollout.subjects:
        return f"[yellow]In shadow{where}[/yellow]: the policy reaches nobody, and every token is Cognito's own."
    return f"[yellow]The policy reaches {reached(rollout)}{where}[/yellow]; all other tokens are Cognito's own."


def _data(rollout: Rollout | None) -> dict[str, Any]:
    return {"rollout": data(rollout)}


def data(rollout: Rollout | None) -> dict[str, Any] | None:
    """A rollout for ``--json``; null if the policy reaches everybody."""
    if rollout is None:
        return None
    return {
        "percent": rollout.percent,
        "subjects": sorted(rollout.subjects),
        "pools": sorted(rollout.pools),
        "changed_by": rollout.changed_by,
        "changed_at": rollout.changed_at,
        "problem": rollout.problem._asdict() if rollout.problem is not None else None,
    }


def notes(rollout: Rollout | None) -> Iterator[str]:
    """A line for commands that show what the policy decides, while it does not decide for everybody."""
    if rollout is not None:
        yield f"{_sentence(rollout)} See claimsmith rollout."


def plain_notes(rollout: Rollout | None) -> Iterator[str]:
    """``notes`` without markup."""
    yield from (Text.from_markup(line).plain for line in notes(rollout))
