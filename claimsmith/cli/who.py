"""The ``who-can``, ``who-has`` and ``who-gets`` commands: everyone whose token can have something."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from claimsmith.cli import completion, panels, requests
from claimsmith.cli.exit_codes import INTERRUPTED
from claimsmith.cli.progress import progress
from claimsmith.cli.rollout import plain_notes
from claimsmith.cli.terminal import one_line, say
from claimsmith.engine.holding import Question
from claimsmith.service.rollout import rollout_of
from claimsmith.service.who import ANY_OTHER, Search

if TYPE_CHECKING:
    from claimsmith.cli.session import Session
    from claimsmith.service.who import Finding

Tenant = Annotated[str | None, typer.Option(help="Only tokens for this tenant.", autocompletion=completion.tenants)]
Client = Annotated[str | None, typer.Option(help="Only tokens of this app client.", autocompletion=completion.clients)]
Limit = Annotated[int | None, typer.Option(min=1, help="Stop after this many lines, and show how to go on after them.")]
After = Annotated[
    str | None, typer.Option(metavar="CURSOR", help="Go on after this line of the same command, as it says.")
]

_COLUMNS: Final = {"tenant": 16, "subject": 36, "row": 24, "how": 0}

_NO_TENANT: Final = "(no tenant)"

_FLOWS: Final = {"api": "sign-in by API at", "managed": "managed login at", "machine": "machine token of"}


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("who-can", rich_help_panel=panels.ANSWERS)(who_can)
    app.command("who-has", rich_help_panel=panels.ANSWERS)(who_has)
    app.command("who-gets", rich_help_panel=panels.ANSWERS)(who_gets)


def who_can(
    context: typer.Context,
    scope: Annotated[str, typer.Argument(help="The scope.", autocompletion=completion.scopes)],
    tenant: Tenant = None,
    client: Client = None,
    version: requests.Version = None,
    limit: Limit = None,
    after: After = None,
) -> None:
    """List every user and machine that can get a scope, by tenant, with the row that gives it. Exits with 1 if nobody.

    Example: claimsmith who-can orders/write
    """
    _list(context.obj, Question("scope", scope), tenant, client, version, limit, after)


def who_has(
    context: typer.Context,
    role: Annotated[str, typer.Argument(help="The role.", autocompletion=completion.roles)],
    tenant: Tenant = None,
    client: Client = None,
    version: requests.Version = None,
    limit: Limit = None,
    after: After = None,
) -> None:
    """List every user and machine that can have a role, by tenant, with the row that gives it. Exits with 1 if nobody.

    Example: claimsmith who-has editor --tenant acme
    """
    _list(context.obj, Question("role", role), tenant, client, version, limit, after)


def who_gets(
    context: typer.Context,
    claim: Annotated[
        str,
        typer.Argument(
            metavar="CLAIM[=VALUE]", help="The claim; with a value, only if it is this or a list with this."
        ),
    ],
    tenant: Tenant = None,
    client: Client = None,
    version: requests.Version = None,
    limit: Limit = None,
    after: After = None,
) -> None:
    """List every user and machine that can get a claim, by tenant, with the row that sets it. Exits with 1 if nobody.

    Example: claimsmith who-gets tier=gold
    """
    name, given, text = claim.partition("=")
    _list(context.obj, Question("claim", name, _values(text) if given else ()), tenant, client, version, limit, after)


def _values(text: str) -> tuple[Any, ...]:
    """A value as text, and as the JSON that it may be."""
    try:
        return text, json.loads(text)
    except (ValueError, RecursionError):
        return (text,)


def _list(
    session: Session,
    question: Question,
    tenant: str | None,
    client: str | None,
    version: int | None,
    limit: int | None,
    after: str | None,
) -> None:
    counts = _Counts()
    more = False
    with progress("Deciding users") as advance:
        search = Search(
            session.rows,
            question,
            pool=session.pool,
            tenant=tenant,
            client=client,
            version=version,
            after=after,
            progress=advance,
        )
        try:
            for finding in search.findings():
                if counts.lines == limit:
                    more = True
                    break
                _print(session, finding, first=counts.lines == 0)
                counts.add(finding)
        except KeyboardInterrupt:
            say(f"Interrupted after {_count(search.users_read, 'user')}; nothing was written.", err=True)
            _go_on(search.cursor)
            raise typer.Exit(INTERRUPTED) from None
    if not session.as_json:
        say(counts.summary(after is not None).removesuffix("\n"))
    for note in search.notes:
        say(f"Note: {note}.", err=True)
    for note in plain_notes(rollout_of(session.rows)):
        say(f"Note: {note}", err=True)
    if more:
        say(f"Stopped at {_count(counts.lines, 'line')}; there is more.", err=True)
        _go_on(search.cursor)
    if not counts.lines:
        raise typer.Exit(1)


def _go_on(cursor: str) -> None:
    say(f"Go on with the same command and --after {cursor}", err=True)


class _Counts:
    """How many there are, by tenant."""

    def __init__(self) -> None:
        self.lines = 0
        self.users: Counter[str | None] = Counter()
        self.machines: Counter[str | None] = Counter()
        self.of_kind: Counter[str] = Counter()
        self._last: tuple[str | None, str] | None = None

    def add(self, finding: Finding) -> None:
        self.lines += 1
        machine = finding.subject is None
        (self.machines if machine else self.users)[finding.tenant] += 1
        # All lines of a subject follow each other.
        subject = (finding.subject, finding.way.client_id if machine else "")
        if subject != self._last:
            self.of_kind["machine" if machine else "user"] += 1
        self._last = subject

    def summary(self, went_on: bool) -> str:  # noqa: FBT001 - whether there were lines before
        """A line for each tenant, and one for all."""
        tenants = sorted(self.users.keys() | self.machines.keys(), key=lambda name: (name is not None, name or ""))
        if not tenants:
            return "Nobody else.\n" if went_on else "Nobody.\n"
        lines = [f"{name or _NO_TENANT:<16}  {_counted(self.users[name], self.machines[name])}\n" for name in tenants]
        named = sum(1 for name in tenants if name is not None)
        where = f" in {_count(named, 'tenant')}" if named else ""
        all_of_them = _counted(self.of_kind["user"], self.of_kind["machine"])
        return "\n" + "".join(lines) + f"{all_of_them}{where}.\n"


def _counted(users: int, machines: int) -> str:
    return " and ".join(_count(number, what) for number, what in ((users, "user"), (machines, "machine")) if number)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def _print(session: Session, finding: Finding, *, first: bool) -> None:
    """One line, at once."""
    if session.as_json:
        say(json.dumps(_data(finding), ensure_ascii=False))
        return
    for cells in ([*_COLUMNS], _cells(finding)) if first else (_cells(finding),):
        columns = zip(cells, _COLUMNS.values(), strict=True)
        say("  ".join(f"{one_line(cell):<{width}}" for cell, width in columns).rstrip())


def _cells(finding: Finding) -> tuple[str, ...]:
    others = len(finding.clients) - 1
    client = "any other client" if finding.way.client_id == ANY_OTHER else finding.way.client_id
    how = f"{_FLOWS[finding.way.flow]} {client}" + (f" and {others} more" if others else "")
    if finding.metadata:
        how += " with " + ", ".join(f"{name}={value}" for name, value in finding.metadata.items())
    name = finding.username if finding.username is not None else client
    given = finding.held
    row = given.row + (f" ({given.why})" if given.why else "")
    if given.value is not None:
        row += f": {json.dumps(given.value, ensure_ascii=False)} in the {given.token} token"
    return tuple(_printable(cell) for cell in (finding.tenant or _NO_TENANT, name, row, how))


def _printable(text: str) -> str:
    """A text without what a terminal would take for a command."""
    return text if text.isprintable() else json.dumps(text)


def _data(finding: Finding) -> dict[str, Any]:
    given, way = finding.held, finding.way
    return {
        "tenant": finding.tenant,
        "kind": "machine" if finding.subject is None else "user",
        "subject": finding.subject or way.client_id,
        "username": finding.username,
        "row": given.row,
        "why": given.why,
        "token": given.token,
        "value": given.value,
        "client": way.client_id,
        "clients": list(finding.clients),
        "flow": way.flow,
        "source": way.source,
        "scopes": list(way.scopes),
        "metadata": dict(finding.metadata),
        "tenant_choice": finding.choice,
        "policy_version": finding.version,
        "cursor": finding.cursor,
    }
