"""The ``verify`` command."""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer
from rich.markup import escape

from claimsmith.cli import completion, panels
from claimsmith.cli.files import text_of
from claimsmith.cli.session import Session
from claimsmith.errors import Code, ConfigurationError, OperationError
from claimsmith.oidc import OidcIssuer
from claimsmith.service.active_bundle import ActiveBundle
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

Repeated = list[str] | None


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("verify", rich_help_panel=panels.TOKENS)(verify_command)


def verify_command(  # noqa: PLR0913 - each is an option
    context: typer.Context,
    token: Annotated[
        str, typer.Argument(help="The token; - reads it from standard input, to keep it out of the shell history.")
    ],
    client: Annotated[
        Repeated,
        typer.Option(
            help="Accept only tokens of this app client; default: any. Repeatable.", autocompletion=completion.clients
        ),
    ] = None,
    issuer: Annotated[str | None, typer.Option(help="Accept this issuer; default: the user pool.")] = None,
    jwks_uri: Annotated[str | None, typer.Option(help="Fetch its keys from this address, on loopback only.")] = None,
    oidc_issuers: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Accept access tokens of these issuers that are no user pools, each by its own rules: oidc_issuers of "
            "a stage's file (.toml), or the list in JSON of CLAIMSMITH_OIDC_ISSUERS.",
        ),
    ] = None,
    development_host: Annotated[
        Repeated, typer.Option(metavar="HOST", help="Fetch keys from this local stack without https. Repeatable.")
    ] = None,
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
    Example: claimsmith verify - --oidc-issuers stages/production.toml < keycloak-token.txt
    """
    session: Session = context.obj
    given = sys.stdin.read().strip() if token == "-" else token
    others = () if oidc_issuers is None else _oidc_issuers(oidc_issuers)
    pool = _issuer(session, issuer)
    if pool is None and not others:
        raise ConfigurationError("No issuer given. Use --user-pool-id, --issuer or --oidc-issuers.")
    if pool is None and (client or audience or jwks_uri):
        raise OperationError(
            Code.BAD_ARGUMENT,
            "--client, --audience and --jwks-uri go with --issuer or --user-pool-id; the issuers in the file have "
            "client_ids, audience and jwks_uri of their own.",
        )
    verifier = Verifier(
        issuers=[*([] if pool is None else [(pool, jwks_uri or _local_keys(session))]), *others],
        client_ids=client or ANY,
        token_use=token_use,
        revocations=StoredRevocations(session.rows) if revocation else ANY,
        audience=audience or (),
        claim_names=_claim_names(session.rows, token_use) if revocation else CLAIM_NAMES,
        development_hosts=development_host or (),
    )
    claims = dict(verifier.verify(given))
    lines = [f"{escape(name)}: {escape(str(value))}" for name, value in sorted(claims.items())]
    session.answer({"claims": claims}, "\n".join(["[green]Valid.[/green]", *lines]))


def _issuer(session: Session, given: str | None) -> str | None:
    return given or (None if session.pool is None else session.pool.issuer)


def _oidc_issuers(file: Path) -> tuple[OidcIssuer, ...]:
    """The issuers that a stage's file lists, or a file with the value of ``CLAIMSMITH_OIDC_ISSUERS``.

    Raises:
        OperationError: the file cannot be read, or lists none.
        ConfigurationError: an entry is no ``OidcIssuer``.
    """
    text = text_of(file)
    try:
        entries = tomllib.loads(text).get("oidc_issuers") if file.suffix == ".toml" else json.loads(text)
    except (ValueError, RecursionError):
        entries = None
    if not isinstance(entries, list) or not entries:
        raise OperationError(
            Code.INPUT_UNREADABLE,
            f"{file} lists no issuers. Name a stage's file with oidc_issuers, which ends in .toml; or one with a list "
            'in JSON: [{"issuer": "https://sso.example.com", "audience": ["orders"], "client_ids": ["web"]}].',
        )
    try:
        return tuple(map(OidcIssuer.from_json, entries))
    except ConfigurationError as error:
        raise ConfigurationError(f"{file}: {error.message}") from None


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
