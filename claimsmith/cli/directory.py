"""``tenants``, ``members`` and ``switch``: the directory."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table as Grid

from claimsmith.cli.session import Session

User = Annotated[str, typer.Argument(help="A subject; with a known pool also a username.")]
Tenant = Annotated[str, typer.Argument(help="The tenant's id.")]

tenants = typer.Typer(no_args_is_help=True, help="Tenants: add one, suspend one, let it in again.")
members = typer.Typer(no_args_is_help=True, help="Memberships: who belongs to which tenant, with which roles.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(tenants, name="tenants")
    app.add_typer(members, name="members")
    app.command("switch")(switch)


@tenants.command("add")
def add(
    context: typer.Context,
    tenant: Tenant,
    name: Annotated[str | None, typer.Option(help="What people call it; the claim tenant_name.")] = None,
    plan: Annotated[str | None, typer.Option(help="What it pays for.")] = None,
) -> None:
    """Make a tenant, or change the name or plan of one."""
    session: Session = context.obj
    session.editor.add_tenant(tenant, name=name, plan=plan)
    session.answer({"tenant": tenant}, f"Tenant [bold]{escape(tenant)}[/bold] is there.")


@tenants.command("suspend")
def suspend(context: typer.Context, tenant: Tenant) -> None:
    """Suspend a tenant: no token is made for it any more."""
    _set_status(context.obj, tenant, "suspended")


@tenants.command("activate")
def activate(context: typer.Context, tenant: Tenant) -> None:
    """Let a suspended tenant in again."""
    _set_status(context.obj, tenant, "active")


def _set_status(session: Session, tenant: str, status: str) -> None:
    session.editor.set_tenant_status(tenant, status)
    session.answer(
        {"tenant": tenant, "status": status},
        f"Tenant [bold]{escape(tenant)}[/bold] is {status}; new tokens see it within the policy's cache_seconds.",
    )


@members.command("list")
def list_members(context: typer.Context, tenant: Tenant) -> None:
    """Show who belongs to a tenant, with which roles."""
    session: Session = context.obj
    found = session.editor.members(tenant)
    grid = Grid("user", "roles", "usable")
    for member in found:
        grid.add_row(escape(member["sub"]), escape(" ".join(member["roles"])), "yes" if member["usable"] else "no")
    session.answer({"tenant": tenant, "members": found}, grid if found else "Nobody.")


@members.command("grant")
def grant(
    context: typer.Context,
    user: User,
    tenant: Tenant,
    role: Annotated[list[str] | None, typer.Option(help="A role; may be given several times.")] = None,
) -> None:
    """Make a user a member of a tenant, with these roles besides those they have."""
    session: Session = context.obj
    roles = session.editor.grant(session.user(user).sub, tenant, role or [])
    told = ", ".join(roles) or "no role of their own"
    session.answer(
        {"user": user, "tenant": tenant, "roles": roles},
        f"[bold]{escape(user)}[/bold] is a member of [bold]{escape(tenant)}[/bold] with {escape(told)}.",
    )


@members.command("revoke")
def revoke(context: typer.Context, user: User, tenant: Tenant) -> None:
    """End a membership; the next token is without it."""
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
    client: Annotated[str | None, typer.Option(help="For this app client only.")] = None,
) -> None:
    """Store a user's choice of tenant; the next token is for it."""
    session: Session = context.obj
    session.editor.switch(session.user(user).sub, tenant, client_id=client)
    where = f" in client {client}" if client else ""
    session.answer(
        {"user": user, "tenant": tenant, "client": client},
        f"[bold]{escape(user)}[/bold] works for [bold]{escape(tenant)}[/bold] now{escape(where)}.",
    )
