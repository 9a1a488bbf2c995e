"""The documents by which clients find out where to sign in, as plain values; without I/O.

``authorization_server`` is a user pool's metadata (RFC 8414; OpenID Connect Discovery 1.0): what Cognito says at its
own address, with what it leaves out there. ``protected_resource`` is that of a service which takes the pool's tokens
(RFC 9728), and ``protected_resource_metadata`` is the address of that document, for challenges.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult, urlsplit

from claimsmith.addresses import is_loopback
from claimsmith.cognito.identifiers import check_issuer
from claimsmith.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

__all__ = ["authorization_server", "protected_resource", "protected_resource_metadata"]

#: RFC 9728 section 3, RFC 8414 section 3 and OpenID Connect Discovery section 4.
PROTECTED_RESOURCE: Final = "/.well-known/oauth-protected-resource"
AUTHORIZATION_SERVER: Final = "/.well-known/oauth-authorization-server"
OPENID_CONFIGURATION: Final = "/.well-known/openid-configuration"

#: How a caller of our introspection endpoint may authenticate: by methods of RFC 7591, and by a token (RFC 8414
#: section 2 allows both registries).
_INTROSPECTION_METHODS: Final = ("client_secret_basic", "client_secret_post", "Bearer")


def authorization_server(
    issuer: str,
    *,
    login: str,
    introspection_endpoint: str | None = None,
    jwks_uri: str | None = None,
    development_hosts: Collection[str] = (),
) -> dict[str, Any]:
    """A user pool's metadata (RFC 8414 section 2; OpenID Connect Discovery 1.0 section 3).

    Its endpoints are Cognito's own (https://docs.aws.amazon.com/cognito/latest/developerguide/federation-endpoints.html).
    What Cognito's document leaves out and is true: ``introspection_endpoint`` (ours), the only one of
    ``code_challenge_methods_supported`` (S256), ``grant_types_supported``, and that a client without a secret
    authenticates by ``none``.

    Args:
        issuer: ``iss`` of the pool's tokens: ``https://cognito-idp.REGION.amazonaws.com/POOL_ID``.
        login: the address of the pool's domain: ``https://PREFIX.auth.REGION.amazoncognito.com``, or one's own.
        introspection_endpoint: the whole address; left out if there is none.
        jwks_uri: the address of the keys, if it is not the issuer's own.
        development_hosts: as of ``KeySource``: hosts that need no https.

    Raises:
        ConfigurationError: no token has this issuer, with the right one in the message where that can be known; or an
            address is not https (http is accepted on this machine only).
    """
    check_issuer(issuer)
    _address(issuer, "issuer", development_hosts)
    at = login.removesuffix("/")
    if _address(at, "login", development_hosts).path:
        raise ConfigurationError(f"login: {login} has a path; the pool's domain is a scheme and a host.")
    methods = ["client_secret_basic", "client_secret_post", "none"]
    found: dict[str, Any] = {
        "issuer": issuer,
        "authorization_endpoint": f"{at}/oauth2/authorize",
        "token_endpoint": f"{at}/oauth2/token",
        "userinfo_endpoint": f"{at}/oauth2/userInfo",
        "end_session_endpoint": f"{at}/logout",
        "revocation_endpoint": f"{at}/oauth2/revoke",
        "jwks_uri": jwks_uri or issuer.removesuffix("/") + "/.well-known/jwks.json",
        "response_types_supported": ["code", "token"],
        "grant_types_supported": ["authorization_code", "implicit", "refresh_token", "client_credentials"],
        "scopes_supported": ["openid", "email", "phone", "profile"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_methods_supported": ["client_secret_basic", "none"],
        "code_challenge_methods_supported": ["S256"],
    }
    if introspection_endpoint is not None:
        _address(introspection_endpoint, "introspection_endpoint", development_hosts)
        found["introspection_endpoint"] = introspection_endpoint
        found["introspection_endpoint_auth_methods_supported"] = list(_INTROSPECTION_METHODS)
    return found


def protected_resource(
    resource: str,
    *,
    authorization_servers: Iterable[str],
    scopes: Iterable[str] = (),
    bearer_methods: Iterable[str] = ("header",),
    development_hosts: Collection[str] = (),
) -> dict[str, Any]:
    """The metadata of a service that takes the pool's tokens (RFC 9728 section 2).

    Args:
        resource: its address, as in ``aud`` of the tokens that are bound to it. Clients compare it with the address
            that they call (section 3.3).
        authorization_servers: the issuers of the tokens.
        scopes: for which clients should ask; left out if there are none.
        bearer_methods: how a request may present its token: ``header``, ``body``, ``query`` (RFC 6750 section 2).
        development_hosts: as of ``KeySource``: hosts of issuers that need no https.

    Raises:
        ConfigurationError: ``resource`` is no https address without a fragment (http is accepted on this machine only),
            no issuer is named, or one that no token can have, with the right one in the message.
    """
    _address(resource, "resource")
    issuers = list(dict.fromkeys(authorization_servers))
    if not issuers:
        raise ConfigurationError("authorization_servers: name the issuer of the tokens.")
    for issuer in issuers:
        check_server(issuer, development_hosts)
    optional = {"scopes_supported": sorted({*scopes}), "bearer_methods_supported": [*bearer_methods]}
    # Section 2: an empty list must be left out.
    given = {name: values for name, values in optional.items() if values}
    return {"resource": resource, "authorization_servers": issuers, **given}


def check_server(issuer: str, development_hosts: Collection[str] = ()) -> None:
    """Refuse what a resource's metadata cannot name as an authorization server.

    Raises:
        ConfigurationError: no token can have this issuer, or it is no address that a client may be sent to.
    """
    check_issuer(issuer)
    _address(issuer, "authorization_servers", development_hosts)


def protected_resource_metadata(resource: str) -> str:
    """The address of a resource's metadata: the well-known path between its host and its path (RFC 9728 section 3.1).

    Args:
        resource: such as ``https://api.example.com/mcp``, whose metadata is at
            ``https://api.example.com/.well-known/oauth-protected-resource/mcp``.

    Raises:
        ConfigurationError: it is no https address without a fragment (http is accepted on this machine only).
    """
    parts = _address(resource, "resource")
    path = PROTECTED_RESOURCE + ("" if parts.path == "/" else parts.path)
    return f"{parts.scheme}://{parts.netloc}{path}" + (f"?{parts.query}" if parts.query else "")


def is_address(text: str) -> bool:
    """Whether a resource has metadata: it is an https address without a fragment, or an http one on this machine."""
    try:
        _address(text, "resource")
    except ConfigurationError:
        return False
    return True


def _address(text: str, name: str, development_hosts: Collection[str] = ()) -> SplitResult:
    """The parts of an address.

    Raises:
        ConfigurationError: it is none that a client may be sent to.
    """
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    plain = all("!" <= character <= "~" and character not in '"\\' for character in text)
    if not host or port == 0 or not plain or "@" in parts.netloc or "#" in text:
        raise ConfigurationError(f"{name}: write an https address without a fragment, such as https://api.example.com.")
    local = is_loopback(host) or host in development_hosts
    if parts.scheme != "https" and not (parts.scheme == "http" and local):
        raise ConfigurationError(f"{name}: the address at {host} is not https.")
    return parts
