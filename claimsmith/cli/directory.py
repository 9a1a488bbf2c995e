"""The ``tenants``, ``members`` and ``switch`` commands, which edit the directory."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table as Grid

from claimsmith.cli.session import Session

User = Annotated[str, typer.Argument(help="A user: the sub, or with --user-pool-id the username.")]
Tenant = Annotated[str, typer.Argument(help="The tenant id.")]

tenants = typer.Typer(no_args_is_help=True, help="Add, suspend and activate tenants.")
members = typer.Typer(no_args_is_help=True, help="List, grant and revoke memberships of tenants.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(tenants, name="tenants")
    app.add_typer(members, name="members")
    app.command("switch")(switch)


@tenants.command("add")
def add(
    context: typer.Context,
    tenant: Tenant,
    name: Annotated[str | None, typer.Option(help="Set the display name, shown in the claim tenant_name.")] = None,
    plan: Annotated[str | None, typer.Option(help="Set the plan, which rules can read.")] = None,
) -> None:
    """Add a tenant, or change its name or plan."""
    session: Session = context.obj
    session.editor.add_tenant(tenant, name=name, plan=plan)
    session.answer({"tenant": tenant}, f"Tenant [bold]{escape(tenant)}[/bold] is in the directory.")


@tenants.command("suspend")
def suspend(context: typer.Context, tenant: Tenant) -> None:
    """Suspend a tenant, so that no new token is for it."""
    _set_status(context.obj, tenant, "suspended")


@tenants.command("activate")
def activate(context: typer.Context, tenant: Tenant) -> None:
    """Activate a suspended tenant."""
    _set_status(context.obj, tenant, "active")


def _set_status(session: Session, tenant: str, status: str) -> None:
    session.editor.set_tenant_status(tenant, status)
    session.answer(
        {"tenant": tenant, "status": status},
        f"Tenant [bold]{escape(tenant)}[/bold] is {status}; new tokens follow within cache_seconds of the policy.",
    )


@members.command("list")
def list_members(context: typer.Context, tenant: Tenant) -> None:
    """List the members of a tenant with their roles."""
    session: Session = context.obj
    found = session.editor.members(tenant)
    grid = Grid("user", "roles", "usable")
    for member in found:
        grid.add_row(escape(member["sub"]), escape(" ".join(member["roles"])), "yes" if member["usable"] else "no")
    session.answer({"tenant": tenant, "members": found}, grid if found else "No members.")


@members.command("grant")
def grant(
    context: typer.Context,
    user: User,
    tenant: Tenant,
    role: Annotated[list[str] | None, typer.Option(help="Grant this role. Repeatable.")] = None,
) -> None:
    """Add a user to a tenant, or add roles to a member."""
    session: Session = context.obj
    roles = session.editor.grant(session.user(user).sub, tenant, role or [])
    text = ", ".join(roles) or "no roles of their own"
    session.answer(
        {"user": user, "tenant": tenant, "roles": roles},
        f"[bold]{escape(user)}[/bold] is a member of [bold]{escape(tenant)}[/bold] with {escape(text)}.",
    )


@members.command("revoke")
def revoke(context: typer.Context, user: User, tenant: Tenant) -> None:
    """End a membership, from the next token on."""
    session: Session = context.obj
    session.editor.revoke(session.user(user).sub, tenant)
    session.answer(
        {"user": user, "tenant": tenant},
        f"[bold]{escape(user)}[/bold] is no longer a member of [bold]{escape(tenant)}[/bold].",
    )


def switch(
    context: typer.Context,
    user: User,
    tenant: Tenant,
    client: Annotated[str | None, typer.Option(help="Switch only for this app client.")] = None,
) -> None:
    """Switch a user to a tenant, from the next token on."""
    session: Session = context.obj
    session.editor.switch(session.user(user).sub, tenant, client_id=client)
    where = f" in client {client}" if client else ""
    session.answer(
        {"user": user, "tenant": tenant, "client": client},
        f"[bold]{escape(user)}[/bold] now uses [bold]{escape(tenant)}[/bold]{escape(where)}.",
    )
