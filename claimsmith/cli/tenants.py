"""The ``tenants`` commands."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.markup import escape

from claimsmith.cli import completion, panels
from claimsmith.cli.session import Session
from claimsmith.cli.shown import attributes, status
from claimsmith.errors import Code, OperationError
from claimsmith.policy.finding import clipped, nearest
from claimsmith.service import lookup
from claimsmith.service.directory import TenantChange
from claimsmith.service.vocabulary import CLAIM_ATTRIBUTES

if TYPE_CHECKING:
    from rich.table import Table as Grid

Tenant = Annotated[str, typer.Argument(help="The tenant id.", autocompletion=completion.tenants)]

#: Attributes that ``set`` sets: text, and lists of names.
_TEXTS: Final = ("name", "plan", "description")
_LISTS: Final = ("default_roles", "roles_allowed", "scopes_allowed")
_SETTABLE: Final = (*_TEXTS, *_LISTS, *(f"{attribute}.NAME" for attribute in CLAIM_ATTRIBUTES))

tenants = typer.Typer(no_args_is_help=True, help="List, show and change tenants.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(tenants, name="tenants", rich_help_panel=panels.DIRECTORY)


@tenants.command("list")
def list_tenants(context: typer.Context) -> None:
    """List all tenants with status, plan and name. With --json, one tenant a line.

    Example: claimsmith tenants list
    """
    session: Session = context.obj
    session.lines(
        lookup.tenants(session.rows, session.now()),
        {"tenant": 24, "status": 12, "plan": 12, "name": 0},
        lambda found: (found["tenant"], status(found), found["plan"], found["name"]),
        "No tenants.",
    )


@tenants.command("show")
def show(context: typer.Context, tenant: Tenant) -> None:
    """Show everything the directory says about a tenant, and how many members it has.

    Example: claimsmith tenants show acme
    """
    session: Session = context.obj
    found = lookup.tenant(session.rows, tenant, session.now())
    session.answer(found, _grid(found))


@tenants.command("add")
def add(
    context: typer.Context,
    tenant: Tenant,
    name: Annotated[str | None, typer.Option(help="Set the display name, shown in the claim tenant_name.")] = None,
    plan: Annotated[str | None, typer.Option(help="Set the plan, which rules can read.")] = None,
) -> None:
    """Add a tenant, or change its name or plan.

    Example: claimsmith tenants add acme --name "Acme Ltd" --plan pro
    """
    session: Session = context.obj
    session.editor.add_tenant(tenant, name=name, plan=plan)
    session.answer({"tenant": tenant}, f"Tenant [bold]{escape(tenant)}[/bold] is in the directory.")


@tenants.command("set")
def set_attributes(
    context: typer.Context,
    tenant: Tenant,
    assignments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME=VALUE",
            help=f"Set these: {', '.join(_SETTABLE)}. Lists are separated by commas; NAME:=JSON sets a claim to a "
            "number, true, false, a list or an object.",
            show_default=False,
        ),
    ] = None,
    unset: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Remove this attribute or claim. Repeatable.")
    ] = None,
) -> None:
    """Set or remove attributes of a tenant; the others stay. A limit that is removed limits nothing.

    Example: claimsmith tenants set acme plan=pro roles_allowed=viewer,editor claims.seats:=25
    """
    session: Session = context.obj
    wanted = _parsed(assignments or [], unset or [])
    row, warnings = session.editor.set_tenant(tenant, wanted)
    found = {**lookup.tenant_data(row, session.now()), "warnings": warnings}
    session.answer(found, _grid(found))
    if not session.as_json:
        for warning in warnings:
            session.out.print(warning, style="yellow", markup=False, highlight=False)
        session.out.print("New tokens follow within cache_seconds of the policy.", highlight=False)


@tenants.command("suspend")
def suspend(context: typer.Context, tenant: Tenant) -> None:
    """Suspend a tenant, so that no new token is for it.

    Example: claimsmith tenants suspend acme
    """
    _set_status(context.obj, tenant, "suspended")


@tenants.command("activate")
def activate(context: typer.Context, tenant: Tenant) -> None:
    """Activate a suspended tenant.

    Example: claimsmith tenants activate acme
    """
    _set_status(context.obj, tenant, "active")


def _set_status(session: Session, tenant: str, value: str) -> None:
    session.editor.set_tenant_status(tenant, value)
    session.answer(
        {"tenant": tenant, "status": value},
        f"Tenant [bold]{escape(tenant)}[/bold] is {value}; new tokens follow within cache_seconds of the policy.",
    )


def _grid(found: dict[str, Any]) -> Grid:
    counts = found.get("members")
    members = f"{counts['total']:,}, {counts['usable']:,} of them usable" if counts else None
    return attributes({**found, "members": members, "warnings": None})


def _parsed(assignments: list[str], unset: list[str]) -> TenantChange:
    """What the arguments ask for.

    Raises:
        OperationError: one of them is not of the form, or names what cannot be set.
    """
    if not assignments and not unset:
        raise OperationError(Code.BAD_ARGUMENT, "Nothing to change. Give NAME=VALUE or --unset NAME.")
    values: dict[str, Any] = {}
    claims: dict[str, dict[str, Any]] = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals:
            raise OperationError(Code.BAD_ARGUMENT, f"{clipped(assignment)!r} is not of the form NAME=VALUE.")
        attribute, claim = _named(name.removesuffix(":"))
        value: Any = text
        if name.endswith(":"):
            value = _json(name, text)
        elif attribute in _LISTS:
            value = [part for part in map(str.strip, text.split(",")) if part]
        if claim is None:
            values[attribute] = value
        else:
            claims.setdefault(attribute, {})[claim] = value
    removed = [_named(name, whole=True) for name in unset]
    return TenantChange(values, claims, removed)


def _json(name: str, text: str) -> Any:  # noqa: ANN401 - a JSON value
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        message = f"{name}= takes JSON, and this is none. For a text, use {name.removesuffix(':')}=TEXT."
        raise OperationError(Code.BAD_ARGUMENT, message) from None


def _refuse(name: str) -> None:
    raise ValueError(name)


def _named(name: str, *, whole: bool = False) -> tuple[str, str | None]:
    """The attribute, and the claim of it; ``whole``: all claims of an attribute may be meant."""
    attribute, dot, claim = name.partition(".")
    if attribute in CLAIM_ATTRIBUTES and (claim if dot else whole):
        return attribute, claim or None
    if attribute in (*_TEXTS, *_LISTS) and not dot:
        return attribute, None
    if attribute == "status":
        raise OperationError(Code.BAD_ARGUMENT, "The status is set by tenants suspend and tenants activate.")
    close = nearest(name, (*_TEXTS, *_LISTS, *CLAIM_ATTRIBUTES))
    hint = f"Did you mean {close}?" if close and close != name else f"Use one of {', '.join(_SETTABLE)}."
    raise OperationError(Code.BAD_ARGUMENT, f"A tenant has no attribute {clipped(name)!r} to set. {hint}")
