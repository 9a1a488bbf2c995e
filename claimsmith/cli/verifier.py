"""The ``revoke``, ``verify`` and ``resources`` commands."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Final, get_args
from urllib.parse import urlsplit

import typer
from rich.markup import escape

from claimsmith.cli import panels
from claimsmith.cli.session import Session
from claimsmith.errors import Code, ConfigurationError, OperationError
from claimsmith.service.active_bundle import ActiveBundle
from claimsmith.service.resources import Resources
from claimsmith.service.revoke import Kind, revoke
from claimsmith.service.token_names import TokenNames, claim_names
from claimsmith.store import bundles
from claimsmith.store.revocations import StoredRevocations
from claimsmith.verifier import ANY, Verifier
from claimsmith.verifier.checks import TokenUse
from claimsmith.verifier.claims import CLAIM_NAMES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from claimsmith.store.dynamodb import Table
    from claimsmith.verifier.verifier import NamesOf

_KINDS: Final = get_args(Kind)

Repeated = list[str] | None
Resource = Annotated[str, typer.Argument(help="The id of the protected resource.")]

resources = typer.Typer(
    no_args_is_help=True, help="Add and remove callers of the introspection endpoint (protected resources)."
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("revoke", rich_help_panel=panels.TOKENS)(revoke_command)
    app.command("verify", rich_help_panel=panels.TOKENS)(verify_command)
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


def verify_command(
    context: typer.Context,
    token: Annotated[
        str, typer.Argument(help="The token; - reads it from standard input, to keep it out of the shell history.")
    ],
    client: Annotated[
        Repeated, typer.Option(help="Accept only tokens of this app client; default: any. Repeatable.")
    ] = None,
    issuer: Annotated[str | None, typer.Option(help="Accept this issuer; default: the user pool.")] = None,
    jwks_uri: Annotated[str | None, typer.Option(help="Fetch its keys from this address, on loopback only.")] = None,
    token_use: Annotated[TokenUse, typer.Option(help="Accept this kind of token.")] = "access",
    audience: Annotated[
        Repeated,
        typer.Option(help="Accept tokens bound to this resource (aud); default: only their own client. Repeatable."),
    ] = None,
    *,
    revocation: Annotated[bool, typer.Option(help="Check the table for revocations and claim names.")] = True,
) -> None:
    """Verify a token and show its claims, as the authorizer would without a route. Exits with 1 if refused.

    Example: claimsmith verify - --user-pool-id eu-west-1_Example < token.txt
    """
    session: Session = context.obj
    given = sys.stdin.read().strip() if token == "-" else token
    verifier = Verifier(
        issuers={_issuer(session, issuer): jwks_uri or _local_keys(session)},
        client_ids=client or ANY,
        token_use=token_use,
        revocations=StoredRevocations(session.rows) if revocation else ANY,
        audience=audience or (),
        claim_names=_claim_names(session.rows, token_use) if revocation else CLAIM_NAMES,
    )
    claims = dict(verifier.verify(given))
    lines = [f"{escape(name)}: {escape(str(value))}" for name, value in sorted(claims.items())]
    session.answer({"claims": claims}, "\n".join(["[green]Valid.[/green]", *lines]))


def _issuer(session: Session, given: str | None) -> str:
    if given:
        return given
    if session.pool is None:
        raise ConfigurationError("No issuer given. Use --user-pool-id or --issuer.")
    return session.pool.issuer


def _claim_names(rows: Table, token_use: TokenUse) -> Mapping[str, str | None] | NamesOf:
    """Return the claim names of the version that issued the token; the defaults if there is no version.

    An ID token does not carry its version, so the names of the version in force apply.
    """
    if bundles.pointer(rows) is None:
        return CLAIM_NAMES
    active = ActiveBundle(rows)
    bundle = active.get()
    return claim_names(bundle) if token_use == "id" else TokenNames(rows, active).for_bundle(bundle)


def _local_keys(session: Session) -> str | None:
    """Return where an emulator on this machine serves the keys; None for AWS, where the issuer serves them."""
    address = session.connection.endpoint_url
    if not address or session.pool is None or urlsplit(address).hostname not in ("127.0.0.1", "::1", "localhost"):
        return None
    return f"{address.rstrip('/')}/{session.pool.id}/.well-known/jwks.json"


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
