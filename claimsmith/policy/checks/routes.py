"""Routes: method, path, and where requests name the tenant."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from claimsmith.errors import Code
from claimsmith.policy.finding import Suggestion, clipped, found
from claimsmith.routes import DEMANDS, METHODS, PUBLIC, Variable, parts, spelling, template, tenant_source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from claimsmith.policy.documents import Route
    from claimsmith.policy.draft import Entry
    from claimsmith.policy.finding import Finding
    from claimsmith.policy.reading import Policy
    from claimsmith.routes import Template

_MALFORMED: Final = "write a path like /orders, /orders/{id} or /files/{path+}, without ?, #, ;, \\ or dot segments"

#: Scopes on a route of an HTTP API's JWT authorizer (API Gateway, HTTP API quotas).
_MAX_SCOPES: Final = 10

#: Public rows for ``OPTIONS`` that are compared with all other rows. One is usual, some for each API.
_PREFLIGHTS: Final = 20


def check(policy: Policy) -> Iterator[Finding]:
    """Yield findings for routes that no request can match."""
    for name, route in policy.routes.items():
        entry = policy.entries["routes"][name]
        if route.method not in METHODS:
            suggestion = Suggestion((route.method.upper(),), METHODS)
            yield found(Code.INVALID_ROUTE, entry, ("method",), f"use a method of {', '.join(METHODS)}", suggestion)
        variables = [part.name for part in parts(route.path) if isinstance(part, Variable)]
        if len(set(variables)) < len(variables):
            yield found(Code.INVALID_ROUTE, entry, ("path",), "each variable of a path needs its own name")
        elif template(route.path) is None:
            written = spelling(route.path)
            hint = f"no request matches this, because paths are matched decoded; write {clipped(written or '')}"
            yield found(Code.INVALID_ROUTE, entry, ("path",), _MALFORMED if written is None else hint)
        yield from _tenant(entry, route, variables)
        if route.access is not None:
            for demand in DEMANDS:
                if demand in route.model_fields_set:
                    yield found(Code.INVALID_ROUTE, entry, (demand,), f"a public route needs no token: remove {demand}")


def _tenant(entry: Entry, route: Route, variables: list[str]) -> Iterator[Finding]:
    if route.tenant_from is None:
        return
    source = tenant_source(route.tenant_from)
    if source is None:
        message = "tenant_from must be path:NAME, header:NAME, query:NAME or host:{tenant}.example.com"
        yield found(Code.INVALID_ROUTE, entry, ("tenant_from",), message)
    elif source.kind == "path" and source.name not in variables:
        yield found(
            Code.INVALID_ROUTE,
            entry,
            ("tenant_from",),
            f"the path has no {{{clipped(source.name)}}}; add it, or correct the name",
        )


def many_scopes(policy: Policy) -> Iterator[Finding]:
    """Yield routes with more scopes than an API Gateway JWT authorizer supports."""
    for name, route in policy.routes.items():
        count = len({*route.any_scope, *route.all_scopes})
        if count > _MAX_SCOPES:
            message = (
                f"the route has {count} scopes, and an API Gateway JWT authorizer supports {_MAX_SCOPES}; use a role"
            )
            yield found(Code.MANY_ROUTE_SCOPES, policy.entries["routes"][name], (), message)


def hidden_preflights(policy: Policy) -> Iterator[Finding]:
    """Yield rows for any method that hide a public row for ``OPTIONS``, so that a browser's preflight is refused.

    Reports only rows that are more specific for every request that they match.
    """
    options = [(name, route) for name, route in policy.routes.items() if route.method == "OPTIONS"]
    own = {(route.api, _shape(route.path)) for _, route in options}
    public = [
        (name, route, _shape(route.path))
        for name, route in islice((each for each in options if each[1].access == PUBLIC), _PREFLIGHTS)
    ]
    for name, route in policy.routes.items():
        shape = _shape(route.path)
        if route.method != "ANY" or route.access == PUBLIC:
            continue
        for hidden, preflight, covering in public:
            both = preflight.api is None or route.api in (None, preflight.api)
            api = route.api or preflight.api  # where both count; None is any
            if both and own.isdisjoint({(None, shape), (api, shape)}) and _covers(covering, shape):
                message = (
                    f"a preflight (OPTIONS) of this path needs a token, though {clipped(hidden)} lets those of "
                    f"{clipped(preflight.path)} pass without: the more specific row decides; name its methods in rows "
                    "of their own, or add a public one for OPTIONS"
                )
                yield found(Code.PREFLIGHT_HIDDEN, policy.entries["routes"][name], ("path",), message)
                break


def _shape(path: str) -> Template:
    """The parts of a path, whatever its variables are called."""
    return tuple(part._replace(name="") if isinstance(part, Variable) else part for part in parts(path))


def _covers(general: Template, shape: Template) -> bool:
    """Whether a template matches every path that another one matches; not the same."""
    if general == shape:
        return False
    for index, part in enumerate(general):
        if isinstance(part, Variable) and part.rest:
            return index < len(shape)
        if index == len(shape):
            return False
        other = shape[index]
        if part != other and not (isinstance(part, Variable) and isinstance(other, str)):
            return False
    return len(general) == len(shape)


ERRORS: Final = (check,)
WARNINGS: Final = (many_scopes, hidden_preflights)
