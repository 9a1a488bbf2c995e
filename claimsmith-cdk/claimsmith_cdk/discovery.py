"""What the documents say by which clients find out where to sign in."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from aws_cdk import Token

from claimsmith import environment as variables
from claimsmith.environment import parse_issuers
from claimsmith.errors import ConfigurationError
from claimsmith_cdk.props import PropsError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: Where each document is, below the address of an API (RFC 8414, OpenID Connect Discovery, RFC 9728).
WELL_KNOWN: Final = (
    "/.well-known/oauth-authorization-server",
    "/.well-known/openid-configuration",
    "/.well-known/oauth-protected-resource",
)

#: An address without what would end an entry of a list, a quoted string of a header, or API Gateway's own quotes.
_ADDRESS: Final = re.compile(r"https://[!-~]+")
_RESERVED: Final = frozenset(""" '"\\,#""")


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveryProps:
    """What the documents say.

    Attributes:
        logins: the address of each pool's domain, by the pool's id: ``{pool.user_pool_id: domain.base_url()}``. A pool
            without one has no document.
        introspection_endpoint: its address, if clients do not reach it where they read the document.
        authorization_servers: what resources name in place of the issuers: the API's own address, for clients that need
            what Cognito's document leaves out.
        scopes_supported: whether a resource's document names the scopes of its routes. Clients that read them ask for
            them, and Cognito refuses a sign-in with a scope that its app client does not have.
        token_from: as of the authorizer (``AuthorizerProps``).

    Raises:
        PropsError: an address is not possible, or no token can have an issuer.
    """

    logins: Mapping[str, str] = field(default_factory=dict)
    introspection_endpoint: str | None = None
    authorization_servers: Sequence[str] = ()
    scopes_supported: bool = True
    token_from: Sequence[str] = ()

    def __post_init__(self) -> None:
        if isinstance(self.authorization_servers, str):
            raise PropsError("authorization_servers is one text; give a list or a tuple of them.")
        for address in self.logins.values():
            check_address("logins", address)
        if self.introspection_endpoint is not None:
            check_address("introspection_endpoint", self.introspection_endpoint)
        for server in self.authorization_servers:
            check_address("authorization_servers", server)
            try:
                parse_issuers(() if Token.is_unresolved(server) else (server,))
            except ConfigurationError as error:
                said = error.message.removeprefix(f"{variables.ISSUERS}: ")
                raise PropsError(f"authorization_servers: {said}") from None

    def environment(self) -> dict[str, str]:
        """The variables of the function; defaults are left out."""
        found = {
            variables.LOGINS: ",".join(f"{pool}={address}" for pool, address in self.logins.items()),
            variables.INTROSPECTION_ENDPOINT: self.introspection_endpoint or "",
            variables.AUTHORIZATION_SERVERS: ",".join(self.authorization_servers),
            variables.SCOPES_SUPPORTED: "" if self.scopes_supported else "off",
            variables.TOKEN_FROM: ",".join(self.token_from),
        }
        return {name: value for name, value in found.items() if value}


DEFAULT_PROPS: Final = DiscoveryProps()


def check_address(name: str, address: str) -> None:
    """Refuse what clients cannot be sent to.

    Raises:
        PropsError: it is no https address, or has a quote, a comma or a fragment.
    """
    if not Token.is_unresolved(address) and (not _ADDRESS.fullmatch(address) or _RESERVED & set(address)):
        raise PropsError(f"{name}: {address!r} is not possible; write an address as in https://api.example.com.")
