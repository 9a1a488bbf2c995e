"""Routes: method, path and where the tenant is named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from claimsmith.errors import Code
from claimsmith.policy.finding import Near, clipped, found
from claimsmith.routes import METHODS, TENANT_FROM, Variable, parts, spelling, template

if TYPE_CHECKING:
    from collections.abc import Iterator

    from claimsmith.policy.documents import Route
    from claimsmith.policy.draft import Entry
    from claimsmith.policy.finding import Finding
    from claimsmith.policy.reading import Policy

_MALFORMED: Final = "a path is like /orders, /orders/{id} or /files/{path+}, without ?, #, ;, \\ and dots at an end"

#: Scopes on a route of an HTTP API's JWT authorizer (API Gateway, HTTP API quotas).
_MAX_SCOPES: Final = 10


def check(policy: Policy) -> Iterator[Finding]:
    """What no request could be matched with."""
    for name, route in policy.routes.items():
        entry = policy.entries["routes"][name]
        if route.method not in METHODS:
            near = Near((route.method.upper(),), METHODS)
            yield found(Code.INVALID_ROUTE, entry, ("method",), f"a method is one of {', '.join(METHODS)}", near)
        variables = [part.name for part in parts(route.path) if isinstance(part, Variable)]
        if len(set(variables)) < len(variables):
            yield found(Code.INVALID_ROUTE, entry, ("path",), "a path names each part once")
        elif template(route.path) is None:
            written = spelling(route.path)
            hint = f"no request is read as this, since paths are read decoded; write {clipped(written or '')}"
            yield found(Code.INVALID_ROUTE, entry, ("path",), _MALFORMED if written is None else hint)
        yield from _tenant(entry, route, variables)


def _tenant(entry: Entry, route: Route, variables: list[str]) -> Iterator[Finding]:
    if route.tenant_from is None:
        return
    source = TENANT_FROM.fullmatch(route.tenant_from)
    if source is None:
        message = "tenant_from is path:NAME, header:NAME or query:NAME"
        yield found(Code.INVALID_ROUTE, entry, ("tenant_from",), message)
    elif source[1] == "path" and source[2] not in variables:
        yield found(Code.INVALID_ROUTE, entry, ("tenant_from",), f"the path has no {{{clipped(source[2])}}}")


def many_scopes(policy: Policy) -> Iterator[Finding]:
    """Routes with more scopes than API Gateway's own authorizer takes."""
    for name, route in policy.routes.items():
        count = len({*route.any_scope, *route.all_scopes})
        if count > _MAX_SCOPES:
            message = f"{count} scopes; an API Gateway JWT authorizer takes {_MAX_SCOPES} on a route"
            yield found(Code.MANY_ROUTE_SCOPES, policy.entries["routes"][name], (), message)
