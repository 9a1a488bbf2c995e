"""Requests for metadata, answered without a token: events of an HTTP API or a REST API in, responses out.

=============================================  =======================================================================
``/.well-known/oauth-authorization-server``    of the first pool that has a domain (RFC 8414); followed by ``/POOL_ID``,
                                               of that pool
``/.well-known/openid-configuration``          the same (OpenID Connect Discovery 1.0)
``/.well-known/oauth-protected-resource``      of the resource at this address; followed by a path, of the resource with
                                               that path (RFC 9728)
=============================================  =======================================================================

A pool's document is made of the settings and changes with them only: nothing is fetched. A resource is described if
tokens may be bound to it: a route's row or the settings name it as ``audience``. Its scopes are those of its routes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

from claimsmith.addresses import is_loopback
from claimsmith.cognito.identifiers import pool_of
from claimsmith.engine.language import INTROSPECTION_SCOPE
from claimsmith.errors import ClaimsmithError, Code, ConfigurationError
from claimsmith.named_tuple import NamedTuple
from claimsmith.routes import PUBLIC
from claimsmith.verifier.metadata import (
    AUTHORIZATION_SERVER,
    OPENID_CONFIGURATION,
    PROTECTED_RESOURCE,
    authorization_server,
    check_server,
    is_address,
    protected_resource,
    protected_resource_metadata,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from claimsmith.verifier.routes import Routes

#: The path of the introspection endpoint, unless the settings have another one.
INTROSPECT: Final = "/introspect"

#: How the path of each document begins (RFC 8615 section 3).
_WELL_KNOWN: Final = "/.well-known/"

#: Seconds for which clients may keep a document, so that a change of the policy is seen soon.
_MAX_AGE: Final = 300


class Answer(NamedTuple):
    """The response for API Gateway, and for the log, why there is no document.

    Attributes:
        response: the function's return value.
        code: ``None`` if there is one.
    """

    response: dict[str, Any]
    code: Code | None


class _Asked(NamedTuple):
    """A request for a document.

    Attributes:
        document: its well-known path.
        host: of the request, as API Gateway knows it.
        before: what is in front of the well-known path: a stage, or a custom domain's mapping.
        after: what follows it.
    """

    document: str
    host: str
    before: str
    after: str


class Discovery:
    """Answers requests for metadata. Keeps no state between requests."""

    def __init__(  # noqa: PLR0913 - one per setting
        self,
        issuers: Iterable[tuple[str, str | None]],
        *,
        logins: Mapping[str, str],
        introspection_endpoint: str = INTROSPECT,
        authorization_servers: Sequence[str] = (),
        others: Iterable[tuple[str, Collection[str]]] = (),
        audience: Collection[str] = (),
        routes: Routes,
        scopes: bool = True,
        bearer_methods: Sequence[str] = ("header",),
        development_hosts: Collection[str] = (),
    ) -> None:
        """Describe these pools, and the resources whose tokens they issue.

        Args:
            issuers: of the tokens, each with the address of its keys if that is not its own.
            logins: the address of each pool's domain, by the pool's id. A pool without one has no endpoints, and so no
                document.
            introspection_endpoint: its address; or its path, at the address at which the document is asked for.
            authorization_servers: what resources name in place of the issuers.
            others: issuers that are no user pools, each with the resources for which it issues tokens.
            audience: resources of routes whose row names none.
            routes: the policy's routes; read only for a resource's document.
            scopes: whether a resource's document names the scopes of its routes. A client that reads them asks for
                them, and Cognito refuses a sign-in with a scope that is not among the client's own.
            bearer_methods: as of ``metadata.protected_resource``.
            development_hosts: as of ``KeySource``: hosts that need no https.

        Raises:
            ConfigurationError: no token can have one of the issuers, or an address is none.
        """
        self._logins = {pool: address.removesuffix("/") for pool, address in logins.items()}
        self._pools: dict[str, tuple[str, str | None]] = {}
        for issuer, jwks_uri in issuers:
            self._pools.setdefault(pool_of(issuer), (issuer, jwks_uri))
        self._introspection_endpoint = introspection_endpoint
        self._servers = tuple(authorization_servers) or tuple(issuer for issuer, _ in self._pools.values())
        self._others = () if authorization_servers else tuple(others)
        self._audience = frozenset(audience)
        self._routes = routes
        self._scopes = scopes
        self._bearer_methods = tuple(bearer_methods)
        self._development_hosts = frozenset(development_hosts)
        for pool in self._logins:
            if pool not in self._pools:
                raise ConfigurationError(f"The pool {pool} has a domain here, but its issuer is not accepted.")
            self._server(pool, introspection_endpoint if "://" in introspection_endpoint else None)
        for server in (*self._servers, *(issuer for issuer, _ in self._others)):
            check_server(server, self._development_hosts)

    @property
    def of_introspection(self) -> str | None:
        """The address of the introspection endpoint's own metadata, if it is among the resources."""
        endpoint = self._introspection_endpoint
        return protected_resource_metadata(endpoint) if endpoint in self._audience and is_address(endpoint) else None

    def answer(self, event: Mapping[str, Any]) -> Answer:
        """Answer an event of an HTTP API (payload format 2.0) or a REST API. Does not raise: failures become a 503."""
        asked = _asked(event)
        try:
            found = None if asked is None else self._document(asked)
        except ClaimsmithError as error:
            return Answer(_response(503, {"error": "temporarily_unavailable"}, {"Retry-After": "5"}), error.code)
        if found is None:
            return Answer(_response(404, {"error": "not_found"}), Code.METADATA_NOT_FOUND)
        return Answer(_response(200, found, {"Cache-Control": f"public, max-age={_MAX_AGE}"}), None)

    def _document(self, asked: _Asked) -> dict[str, Any] | None:
        if asked.document == PROTECTED_RESOURCE:
            return self._resource(asked)
        pool = asked.after.strip("/") or next(iter(self._logins), "")
        if pool not in self._logins:
            return None
        endpoint = self._introspection_endpoint
        if "://" not in endpoint:
            scheme = "http" if is_loopback(asked.host.partition(":")[0]) else "https"
            endpoint = f"{scheme}://{asked.host}{asked.before}{endpoint}"
        # What is in front comes from the request, decoded: what makes no address is a path of none of our routes.
        return self._server(pool, endpoint) if is_address(endpoint) else None

    def _server(self, pool: str, introspection_endpoint: str | None) -> dict[str, Any]:
        issuer, jwks_uri = self._pools[pool]
        return authorization_server(
            issuer,
            login=self._logins[pool],
            introspection_endpoint=introspection_endpoint,
            jwks_uri=jwks_uri,
            development_hosts=self._development_hosts,
        )

    def _resource(self, asked: _Asked) -> dict[str, Any] | None:
        rows = tuple(_protected(self._routes()))
        named = self._audience.union(*(names for names, _ in rows if names is not None))
        resource = _at(filter(is_address, named), asked.host, asked.before + asked.after)
        if resource is None:
            return None
        if resource == self._introspection_endpoint:
            scopes = {INTROSPECTION_SCOPE}
        else:
            scopes = {
                scope
                for names, wanted in rows
                if resource in (self._audience if names is None else names)
                for scope in wanted
            }
        return protected_resource(
            resource,
            authorization_servers=[*self._servers, *(issuer for issuer, its in self._others if resource in its)],
            scopes=scopes if self._scopes else (),
            bearer_methods=self._bearer_methods,
            development_hosts=self._development_hosts,
        )


def asks_for_metadata(event: object) -> bool:
    """Whether an event is a request for one of these documents."""
    return isinstance(event, Mapping) and _asked(event) is not None


def _asked(event: Mapping[str, Any]) -> _Asked | None:
    """The document that an event asks for.

    The path of a REST API's event that is as sent, with the stage, is in ``requestContext``.
    """
    context = event.get("requestContext")
    if not isinstance(context, Mapping):
        return None
    path, host = event.get("rawPath", context.get("path")), context.get("domainName")
    if not isinstance(path, str):
        return None
    # The first one in the path is the one of the route: a second one, behind it, is what somebody has appended.
    before, found, rest = path.partition(_WELL_KNOWN)
    for document in (PROTECTED_RESOURCE, AUTHORIZATION_SERVER, OPENID_CONFIGURATION):
        after = (found + rest).removeprefix(document)
        if after != found + rest and (not after or after.startswith("/")):
            return _Asked(document, host if isinstance(host, str) else "", before, after)
    return None


def _protected(rows: Iterable[Mapping[str, object]]) -> Iterator[tuple[frozenset[str] | None, frozenset[str]]]:
    """The resources of each route that is not public, ``None`` if it names none; and the scopes that it asks for."""
    for row in rows:
        if row.get("access") != PUBLIC:
            scopes = _names(row.get("any_scope")) | _names(row.get("all_scopes"))
            yield (_names(row["audience"]) if "audience" in row else None), scopes


def _names(value: object) -> frozenset[str]:
    listed = value if isinstance(value, list | tuple | set | frozenset) else ()
    return frozenset(name for name in listed if isinstance(name, str))


def _at(resources: Iterable[str], host: str, path: str) -> str | None:
    """The resource at this host and path; or, if the request came through another host, the only one with the path."""
    matching = sorted(resource for resource in resources if _path(urlsplit(resource).path) == _path(path))
    here = [resource for resource in matching if urlsplit(resource).netloc.lower() == host.lower()]
    if here:
        return here[0]
    return matching[0] if len(matching) == 1 else None


def _path(path: str) -> str:
    """A path for comparison: API Gateway may send it decoded, and none is ``/`` (RFC 9110 section 4.2.3)."""
    return "" if path == "/" else unquote(path)


def _response(status: int, members: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> dict[str, Any]:
    return {
        "statusCode": status,
        "headers": {
            "Content-Type": "application/json",
            "Cache-Control": "no-store",
            # For clients in browsers; there is nothing here that depends on who asks.
            "Access-Control-Allow-Origin": "*",
            **(headers or {}),
        },
        "body": json.dumps(members, separators=(",", ":")),
    }
