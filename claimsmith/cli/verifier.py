"""``revoke``, ``verify`` and ``resources``: the verifier's side."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Final, get_args
from urllib.parse import urlsplit

import typer
from rich.markup import escape

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

Many = list[str] | None
Resource = Annotated[str, typer.Argument(help="The id of the protected resource.")]

resources = typer.Typer(no_args_is_help=True, help="Protected resources: who may ask the introspection endpoint.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("revoke")(revoke_command)
    app.command("verify")(verify_command)
    app.add_typer(resources, name="resources")


def revoke_command(
    context: typer.Context,
    kind: Annotated[Kind, typer.Argument(help=f"What: {', '.join(_KINDS)}.")],
    identifier: Annotated[
        str, typer.Argument(metavar="ID", help="origin_jti, jti, subject or username, client id, tenant id.")
    ],
    reason: Annotated[str | None, typer.Option(help="For those who read the row; users do not see it.")] = None,
) -> None:
    """End tokens at once, wherever they are verified against the table; a user is signed out in the pool, too."""
    session: Session = context.obj
    username = None
    if kind == "user":
        user = session.user(identifier)
        identifier, username = user.sub, user.username
    signed_out = revoke(
        session.rows, kind, identifier, by=session.by, reason=reason, pool=session.pool, username=username
    )
    told = f"Revoked: {kind} [bold]{escape(identifier)}[/bold]."
    if kind == "user":
        told += (
            " The pool signed them out."
            if signed_out
            else " [yellow]Refresh tokens still work: give --user-pool-id to sign the user out in the pool.[/yellow]"
        )
    session.answer({"kind": kind, "id": identifier, "signed_out": signed_out}, told)


def verify_command(
    context: typer.Context,
    token: Annotated[str, typer.Argument(help="The token; - reads it from standard input, which no history keeps.")],
    client: Annotated[Many, typer.Option(help="An app client whose tokens are accepted; default: any.")] = None,
    issuer: Annotated[str | None, typer.Option(help="The issuer; default: the user pool's.")] = None,
    jwks_uri: Annotated[str | None, typer.Option(help="Another address of its keys; only on loopback.")] = None,
    token_use: Annotated[TokenUse, typer.Option(help="Which kind of token is accepted.")] = "access",
    audience: Annotated[
        Many, typer.Option(help="A resource that the token may be bound to (aud); default: none but its own client.")
    ] = None,
    *,
    revocation: Annotated[
        bool, typer.Option(help="Ask the table: for the names of the claims, and whether the token is revoked.")
    ] = True,
) -> None:
    """Verify a token as the authorizer does before it looks at the route, and show its claims.

    Exit code 1 and a code where it is refused.
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
        raise ConfigurationError("Which issuer? Give --user-pool-id or --issuer.")
    return session.pool.issuer


def _claim_names(rows: Table, token_use: TokenUse) -> Mapping[str, str | None] | NamesOf:
    """As the version says that made the token; before there is one, nobody has chosen other names.

    An ID token does not tell its version, and is read by the names of the one in force.
    """
    if bundles.pointer(rows) is None:
        return CLAIM_NAMES
    active = ActiveBundle(rows)
    bundle = active.get()
    return claim_names(bundle) if token_use == "id" else TokenNames(rows, active).under(bundle)


def _local_keys(session: Session) -> str | None:
    """Where an emulator on this machine serves the keys; None for AWS, where the issuer itself says."""
    address = session.places.endpoint_url
    if not address or session.pool is None or urlsplit(address).hostname not in ("127.0.0.1", "::1", "localhost"):
        return None
    return f"{address.rstrip('/')}/{session.pool.id}/.well-known/jwks.json"


def _edits(session: Session) -> Resources:
    return Resources(session.rows, session.by)


def _show_secret(session: Session, resource: str, secret: str) -> None:
    session.answer(
        {"resource": resource, "secret": secret},
        f"The secret of [bold]{escape(resource)}[/bold], shown this once and kept nowhere:\n{escape(secret)}",
    )


@resources.command("add")
def add(
    context: typer.Context,
    resource: Resource,
    client: Annotated[Many, typer.Option(help="A client whose tokens it may ask about; * for all.")] = None,
    tenant: Annotated[Many, typer.Option(help="A tenant whose tokens it may ask about; * for all.")] = None,
    audience: Annotated[
        Many, typer.Option(help="A resource (aud) that a token must be bound to; * for any; default: the deployment's.")
    ] = None,
) -> None:
    """Let somebody ask about tokens; shows their secret once."""
    session: Session = context.obj
    if not client or not tenant:
        raise OperationError(Code.BAD_ARGUMENT, "About whose tokens? Give --client and --tenant; '*' means all.")
    _show_secret(
        session, resource, _edits(session).add(resource, clients=client, tenants=tenant, audience=audience or ())
    )


@resources.command("rotate")
def rotate(context: typer.Context, resource: Resource) -> None:
    """Give a new secret; the one before stays valid until the next rotation."""
    session: Session = context.obj
    _show_secret(session, resource, _edits(session).rotate(resource))


@resources.command("remove")
def remove(context: typer.Context, resource: Resource) -> None:
    """Take the right to ask away; all its secrets are worth nothing at once."""
    session: Session = context.obj
    _edits(session).remove(resource)
    session.answer({"resource": resource}, f"[bold]{escape(resource)}[/bold] may no longer ask.")
