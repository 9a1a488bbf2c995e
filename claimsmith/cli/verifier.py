"""The ``revoke`` and ``resources`` commands."""

from __future__ import annotations

from typing import Annotated, Final, get_args

import typer
from rich.markup import escape

from claimsmith.cli import panels
from claimsmith.cli.session import Session
from claimsmith.errors import Code, OperationError
from claimsmith.service.resources import Resources
from claimsmith.service.revoke import Kind, revoke

_KINDS: Final = get_args(Kind)

Repeated = list[str] | None
Resource = Annotated[str, typer.Argument(help="The id of the protected resource.")]

resources = typer.Typer(
    no_args_is_help=True, help="Add and remove callers of the introspection endpoint (protected resources)."
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("revoke", rich_help_panel=panels.TOKENS)(revoke_command)
    app.add_typer(resources, name="resources", rich_help_panel=panels.TOKENS)


def revoke_command(
    context: typer.Context,
    kind: Annotated[Kind, typer.Argument(help=f"What to revoke: {', '.join(_KINDS)}.")],
    identifier: Annotated[
        str, typer.Argument(metavar="ID", help="Its id: origin_jti, jti, sub or username, client id, or tenant id.")
    ],
    reason: Annotated[str | None, typer.Option(help="Record a reason in the row; users do not see it.")] = None,
) -> None:
    """Revoke tokens at once, wherever verifiers check the table; also signs a user out of the pool.

    Example: claimsmith revoke user alice --reason "lost laptop"
    """
    session: Session = context.obj
    username = None
    if kind == "user":
        identifier, known = session.known_user(identifier)
        username = None if known is None else known.username
    signed_out = revoke(
        session.rows, kind, identifier, by=session.by, reason=reason, pool=session.pool, username=username
    )
    text = f"Revoked: {kind} [bold]{escape(identifier)}[/bold]."
    if kind == "user":
        if signed_out:
            text += " The user is signed out of the pool."
        elif session.pool is not None:
            text += " The pool has no such user, so there is nobody to sign out."
        else:
            text += " [yellow]Refresh tokens still work: add --user-pool-id to sign the user out of the pool.[/yellow]"
    session.answer({"kind": kind, "id": identifier, "signed_out": signed_out}, text)


def _resources(session: Session) -> Resources:
    return Resources(session.rows, session.by)


def _show_secret(session: Session, resource: str, secret: str) -> None:
    session.answer(
        {"resource": resource, "secret": secret},
        f"The secret of [bold]{escape(resource)}[/bold], shown only now and stored only as a hash:\n{escape(secret)}",
    )


@resources.command("add")
def add(
    context: typer.Context,
    resource: Resource,
    client: Annotated[Repeated, typer.Option(help="Allow tokens of this app client; * for all. Repeatable.")] = None,
    tenant: Annotated[Repeated, typer.Option(help="Allow tokens of this tenant; * for all. Repeatable.")] = None,
    audience: Annotated[
        Repeated,
        typer.Option(
            help="Require tokens bound to this resource (aud); * for any; default: the deployment's. Repeatable."
        ),
    ] = None,
    claim: Annotated[
        Repeated, typer.Option(help="Also tell it this claim, by its name in the token. Repeatable.")
    ] = None,
    ext: Annotated[
        Repeated, typer.Option(help="Also tell it this member or claim in an object ext, as Ory Hydra. Repeatable.")
    ] = None,
    requests_per_second: Annotated[
        float | None, typer.Option(help="Let it ask so often in each process; default: the deployment's number.")
    ] = None,
) -> None:
    """Add a caller of the introspection endpoint and show its secret once.

    Example: claimsmith resources add orders-api --client 1example23456789 --tenant acme
    """
    session: Session = context.obj
    if not client or not tenant:
        raise OperationError(Code.BAD_ARGUMENT, "No tokens allowed. Use --client and --tenant; '*' means all.")
    secret = _resources(session).add(
        resource,
        clients=client,
        tenants=tenant,
        audience=audience or (),
        claims=claim or (),
        ext=ext or (),
        requests_per_second=requests_per_second,
    )
    _show_secret(session, resource, secret)


@resources.command("rotate")
def rotate(context: typer.Context, resource: Resource) -> None:
    """Replace the secret and show the new one; the old one stays valid until the next rotation.

    Example: claimsmith resources rotate orders-api
    """
    session: Session = context.obj
    _show_secret(session, resource, _resources(session).rotate(resource))


@resources.command("remove")
def remove(context: typer.Context, resource: Resource) -> None:
    """Remove a caller; its secrets stop working at once.

    Example: claimsmith resources remove orders-api
    """
    session: Session = context.obj
    _resources(session).remove(resource)
    session.answer({"resource": resource}, f"[bold]{escape(resource)}[/bold] is removed.")
