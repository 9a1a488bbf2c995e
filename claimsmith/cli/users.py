"""The ``users`` commands, and ``switch``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from claimsmith import table
from claimsmith.cli import panels
from claimsmith.cli.session import Session
from claimsmith.cli.shown import attributes, names, status, verdict, when
from claimsmith.cli.terminal import columns
from claimsmith.service import lookup

if TYPE_CHECKING:
    from claimsmith.store.pool import PoolUser

User = Annotated[
    str, typer.Argument(help="A user: the sub, or with --user-pool-id the username or a verified e-mail address.")
]

users = typer.Typer(no_args_is_help=True, help="List and show users, suspend and activate them.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(users, name="users", rich_help_panel=panels.DIRECTORY)
    app.command("switch", rich_help_panel=panels.DIRECTORY)(switch)


@users.command("list")
def list_users(context: typer.Context) -> None:
    """List the users that the directory knows, with their tenants. With --json, one user a line.

    Example: claimsmith users list
    """
    session: Session = context.obj
    session.lines(
        lookup.users(session.rows, session.now()),
        {"user": 36, "status": 12, "username": 24, "tenants": 0},
        lambda found: (found["sub"], status(found), found["username"], " ".join(found["tenants"])),
        "No users.",
    )


@users.command("show")
def show(context: typer.Context, user: User) -> None:
    """Show what the pool and the directory say about a user, with each membership and why it does not count.

    Example: claimsmith users show alice@example.com --user-pool-id eu-west-1_Example
    """
    session: Session = context.obj
    sub, known = session.known_user(user)
    found = {**lookup.user(session.rows, sub, session.now(), exists=known is not None), "pool": _pool_data(known)}
    if session.as_json:
        session.answer(found, "")
        return
    own = {name: value for name, value in found.items() if name not in ("memberships", "pool")}
    session.out.print(attributes({**(found["pool"] or {}), **own}))
    grid = columns("tenant", "roles", "scopes", "until", "usable")
    for membership in found["memberships"]:
        grid.add_row(
            escape(membership["tenant"]),
            *(escape(names(membership[name])) for name in ("roles", "scopes")),
            when(membership["expires_at"]),
            escape(verdict(membership)),
        )
    session.out.print(grid if found["memberships"] else "No memberships.", highlight=False)


@users.command("suspend")
def suspend(context: typer.Context, user: User) -> None:
    """Suspend a user, whose sign-ins are refused from then on.

    Example: claimsmith users suspend alice --user-pool-id eu-west-1_Example
    """
    _set_status(context.obj, user, "suspended")


@users.command("activate")
def activate(context: typer.Context, user: User) -> None:
    """Activate a suspended user.

    Example: claimsmith users activate alice --user-pool-id eu-west-1_Example
    """
    _set_status(context.obj, user, "active")


def _set_status(session: Session, user: str, value: str) -> None:
    sub, known = session.known_user(user)
    row = session.editor.set_user_status(sub, value, exists=known is not None)
    text = f"User [bold]{escape(user)}[/bold] is {value}"
    if value == "suspended":
        text += (
            ": sign-ins and refreshes are refused. Tokens that were issued before stay valid until they expire; "
            f"[bold]claimsmith revoke user {escape(user)}[/bold] ends them now."
        )
    else:
        text += ", from the next sign-in on."
    if table.TTL in row:
        end = when(row[table.TTL])
        text += f"\n[yellow]The row is deleted at {end}[/yellow] (ttl), and its status is gone with it."
    session.answer({"user": user, "sub": sub, "status": value}, text)


def switch(
    context: typer.Context,
    user: User,
    tenant: Annotated[str, typer.Argument(help="The tenant id.")],
    client: Annotated[str | None, typer.Option(help="Switch only for this app client.")] = None,
) -> None:
    """Switch a user to a tenant, from the next token on.

    Example: claimsmith switch alice globex --user-pool-id eu-west-1_Example
    """
    session: Session = context.obj
    session.editor.switch(session.user(user).sub, tenant, client_id=client)
    where = f" in client {client}" if client else ""
    session.answer(
        {"user": user, "tenant": tenant, "client": client},
        f"[bold]{escape(user)}[/bold] now uses [bold]{escape(tenant)}[/bold]{escape(where)}.",
    )


def _pool_data(known: PoolUser | None) -> dict[str, Any] | None:
    if known is None:
        return None
    return {
        "username": known.username,
        "email": known.attributes.get("email"),
        "email_verified": known.attributes.get("email_verified") == "true",
        "enabled": known.enabled,
        "user_status": known.attributes.get("cognito:user_status"),
        "groups": list(known.groups),
    }
