"""The ``preview`` command: both tokens of a user with the reasons, without a sign-in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table as Grid

from claimsmith.cli.session import Session
from claimsmith.cognito.event import MACHINE_SOURCE, MANAGED_LOGIN, SOURCES, Request
from claimsmith.cognito.limits import ADMIN_SCOPE, SUB
from claimsmith.engine.decide import Refusal
from claimsmith.engine.language import TENANT_HINT
from claimsmith.errors import Code, OperationError
from claimsmith.service.preview import Preview, preview

if TYPE_CHECKING:
    from claimsmith.engine.reasons import Reason

_PREFIX = "TokenGeneration_"

Repeated = list[str] | None


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("preview")(preview_command)


def preview_command(  # noqa: PLR0913 - the options of a request
    context: typer.Context,
    user: Annotated[
        str | None, typer.Option(help="Preview this user: the sub, or with --user-pool-id the username.")
    ] = None,
    client: Annotated[str, typer.Option(help="Sign in with this app client.")] = "preview",
    source: Annotated[
        str, typer.Option(help="Use this trigger source, with or without TokenGeneration_.")
    ] = "Authentication",
    tenant: Annotated[str | None, typer.Option(help="Request this tenant by client metadata.")] = None,
    scope: Annotated[
        Repeated, typer.Option(help="Request this scope; default: as in an API sign-in, or openid. Repeatable.")
    ] = None,
    group: Annotated[
        Repeated, typer.Option(help="Use this group instead of the user's groups in the pool. Repeatable.")
    ] = None,
    attribute: Annotated[
        Repeated, typer.Option(metavar="NAME=VALUE", help="Override a user attribute of the pool. Repeatable.")
    ] = None,
    version: Annotated[
        int | None, typer.Option(help="Use this version of the policy; default: the one in force.")
    ] = None,
    at: Annotated[int | None, typer.Option(help="Preview as of this time, in epoch seconds.")] = None,
) -> None:
    """Preview both tokens of a user, and the row that each part comes from. Exits with 1 if the sign-in is refused."""
    session: Session = context.obj
    request = _request(session, user, client, source, tenant, scope, group, attribute)
    clock = {"clock": lambda: float(at)} if at is not None else {}
    issuer = session.pool.issuer if session.pool else ""
    readable = session.pool.readable(client) if session.pool else None
    result = preview(session.rows, request, issuer=issuer, readable=readable, version=version, **clock)
    if session.as_json:
        session.out.print_json(json.dumps(_data(result)))
    else:
        _show(session, result)
    if isinstance(result.outcome, Refusal):
        raise typer.Exit(1)


def _request(
    session: Session,
    user: str | None,
    client: str,
    source: str,
    tenant: str | None,
    scopes: Repeated,
    groups: Repeated,
    attributes: Repeated,
) -> Request:
    source = _PREFIX + source.removeprefix(_PREFIX)
    if source not in SOURCES:
        known = ", ".join(sorted(name.removeprefix(_PREFIX) for name in SOURCES))
        raise OperationError(Code.BAD_ARGUMENT, f"There is no such source. Use one of {known}.")
    metadata = {} if tenant is None else {TENANT_HINT: tenant}
    if source == MACHINE_SOURCE:
        pool_id = session.pool.id if session.pool else ""
        return Request(
            source, client, None, "ClientCredentials", {}, (), tuple(scopes or ()), metadata, pool_id=pool_id
        )
    if user is None:
        raise OperationError(Code.BAD_ARGUMENT, "No user given. Use --user, or --source ClientCredentials.")
    found = session.user(user)
    if not SUB.fullmatch(found.sub):
        raise OperationError(Code.BAD_ARGUMENT, "This is not a sub. To use a username, add --user-pool-id.")
    given = dict(item.partition("=")[::2] for item in attributes or ())
    return Request(
        source=source,
        client_id=client,
        sub=found.sub,
        username=found.username,
        attributes={**found.attributes, **given, "sub": found.sub},
        groups=found.groups if groups is None else tuple(groups),
        scopes=(("openid",) if source == MANAGED_LOGIN else (ADMIN_SCOPE,)) if scopes is None else tuple(scopes),
        metadata=metadata,
        iam_roles=found.iam_roles if groups is None else (),
        preferred_role=found.preferred_role if groups is None else None,
        pool_id=session.pool.id if session.pool else "",
    )


def _data(result: Preview) -> dict[str, Any]:
    outcome = result.outcome
    return {
        "policy_version": result.version,
        "refused": outcome.code if isinstance(outcome, Refusal) else None,
        "access": result.access,
        "id": result.id,
        "reasons": [reason._asdict() for reason in outcome.reasons],
        "problems": [problem._asdict() for problem in outcome.problems],
    }


def _show(session: Session, result: Preview) -> None:
    outcome = result.outcome
    if isinstance(outcome, Refusal):
        session.out.print(f"[red]Refused[/red] with {outcome.code} ({outcome.code.name.lower()}).", highlight=False)
    session.out.print(f"Policy version {result.version}.", highlight=False)
    for title, token, claims in (("Access token", "access", result.access), ("ID token", "id", result.id)):
        if claims:
            session.out.print(_token(title, token, claims, outcome.reasons))
    grid = Grid("what", "name", "outcome", "row", "why", title="Why", title_justify="left", title_style="bold")
    for reason in outcome.reasons:
        if reason.kind != "claim" or reason.outcome != "set":
            cells = (reason.kind, reason.name, reason.outcome, reason.source, reason.detail)
            grid.add_row(*(escape(cell) for cell in cells))
    session.out.print(grid)
    for problem in outcome.problems:
        what = "cannot be read" if problem.code == Code.ROW_UNREADABLE else "ignored"
        text = f"{what}: {problem.row} {problem.attribute} {problem.why} [{problem.code}]"
        session.out.print(text, style="yellow", markup=False, highlight=False)


def _token(title: str, token: str, claims: dict[str, Any], reasons: tuple[Reason, ...]) -> Grid:
    sources = {
        reason.name: reason.source
        for reason in reasons
        if reason.kind == "claim" and reason.token == token and reason.outcome == "set"
    }
    sources["scope"] = "see scopes below"
    grid = Grid("claim", "value", "row", title=title, title_justify="left", title_style="bold")
    for name, value in claims.items():
        text = value if isinstance(value, str) else json.dumps(value)
        grid.add_row(escape(name), escape(text), escape(sources.get(name, "Cognito")))
    return grid
