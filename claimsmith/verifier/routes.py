"""Route rows: what a request to an API needs, and which row speaks for a request.

A row (``POLICY / ROUTE#<id>``) has ``path`` (``/orders``, ``/orders/{id}``, ``/files/{rest+}``), ``method`` (``ANY`` if
absent), ``api`` (an API's id; any API if absent), ``any_scope``, ``all_scopes``, ``any_role``, ``audience`` (resources:
the token must be bound to one of them; if absent, those of the verifier count) and ``tenant_from`` (``path:NAME``,
``header:NAME`` or ``query:NAME``: what the request says there must be the token's tenant).

The most specific row decides: segment by segment a literal before ``{name}`` before ``{name+}``, then the method itself
before ``ANY``, then the API itself before any. Rows that are equally specific must all be met. A request that no row
speaks for is refused, and so is one whose row cannot be read.

Paths are read once and strictly: what two readers could read differently, or what API Gateway itself has read
differently (``template`` and ``taken``), matches no row.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol
from urllib.parse import unquote

from claimsmith.errors import Code, ConfigurationError, VerificationError
from claimsmith.verifier.checks import ANY, Requirement, check_audience

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from claimsmith.verifier.checks import Names, Unchecked
    from claimsmith.verifier.claims import Claims

_VARIABLE: Final = re.compile(r"\{([A-Za-z0-9_-]+)(\+?)\}")
_TENANT_FROM: Final = re.compile(r"(path|header|query):([A-Za-z0-9_-]{1,64})")
_BROKEN_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ESCAPE: Final = re.compile(r"%[0-9A-Fa-f]{2}")
_SEPARATOR: Final = re.compile(r"[/\\]")

#: Of a decoded segment, taken apart again where a slash or backslash was encoded: parts that are empty; that end in a
#: dot or begin or end with a blank, which file systems and some servers drop; parameters (RFC 3986 section 3.3), which
#: others drop; and what would be a query or a fragment.
_AMBIGUOUS: Final = re.compile(r"(?:^|[/\\])[ ]|(?:^|[/\\. ])(?:[/\\]|\Z)|[;?#]")

_LITERAL: Final = 0
_ONE: Final = 1
_REST: Final = 2


class Routes(Protocol):
    """Where route rows come from."""

    def __call__(self) -> Iterable[Mapping[str, object]]:
        """All of them, as plain values.

        Raises:
            ClaimsmithError: they cannot be known.
        """


@dataclass(frozen=True, slots=True)
class Request:
    """What a route is chosen by, and where a tenant may be named.

    Attributes:
        api: the API's id.
        method: upper case.
        path: as it was sent, percent-encoded, without the stage.
        headers: every value of each header, names in lower case.
        query: every value of each parameter.
        template: the path of API Gateway's own route (``/orders/{id}``), where the event tells it.
        taken: what API Gateway has taken out of the path for the variables of that route.
    """

    api: str
    method: str
    path: str
    headers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    query: Mapping[str, Sequence[str]] = field(default_factory=dict)
    template: str | None = None
    taken: Mapping[str, str] = field(default_factory=dict)


class TenantSource(NamedTuple):
    """Where a row says that the tenant is named."""

    kind: str
    """``path``, ``header`` or ``query``."""

    name: str


class _Route(NamedTuple):
    """A row, read. ``requirement`` is ``None`` where what it demands cannot be read."""

    rank: tuple[tuple[int, ...], bool, bool]
    requirement: Requirement | None
    tenant_from: TenantSource | None
    variables: Mapping[str, str]


def segments(path: str) -> tuple[str, ...] | None:
    """The decoded segments of a path, or ``None`` where it could mean different things to different readers.

    That is: what is ``_AMBIGUOUS``, plain or encoded, also behind an encoded slash; broken escapes, and escapes of
    escapes; octets that are no UTF-8; control characters. A slash at the end means nothing.
    """
    if not path.startswith("/") or _BROKEN_ESCAPE.search(path):
        return None
    trimmed = path[1:].removesuffix("/")
    if not trimmed:
        return () if path == "/" else None
    try:
        decoded = tuple(unquote(segment, errors="strict") for segment in trimmed.split("/"))
    except UnicodeDecodeError:
        return None
    for segment in decoded:
        if not segment.isprintable() or _AMBIGUOUS.search(segment) or _ESCAPE.search(segment):
            return None
    return decoded


def _match(template: str, path: Sequence[str]) -> tuple[tuple[int, ...], dict[str, str]] | None:
    """How specific a template is, and its variables, where it matches a path."""
    if not template.startswith("/"):
        return None
    parts = template[1:].split("/") if template != "/" else []
    rank: list[int] = []
    variables: dict[str, str] = {}
    for index, part in enumerate(parts):
        if index >= len(path):
            return None
        variable = _VARIABLE.fullmatch(part)
        if variable is not None and variable[2]:
            rest = path[index:]
            # What is one segment here may be two to whoever decodes it: no wildcard is meant to cover that.
            if index + 1 < len(parts) or any(_SEPARATOR.search(segment) for segment in rest):
                return None
            return (*rank, _REST), {**variables, variable[1]: "/".join(rest)}
        if variable is not None:
            variables[variable[1]] = path[index]
        elif part != path[index]:
            return None
        rank.append(_LITERAL if variable is None else _ONE)
    return (tuple(rank), variables) if len(parts) == len(path) else None


def _names(row: Mapping[str, object], attribute: str) -> Names | Unchecked:
    """A list or set of names, or ``ANY`` where the row does not have the attribute.

    Raises:
        ValueError: it is something else.
    """
    if attribute not in row:
        return ANY
    value = row[attribute]
    if not isinstance(value, list | tuple | set | frozenset) or not all(isinstance(name, str) for name in value):
        raise ValueError(attribute)
    return frozenset(value)


def _agrees(request: Request, path: Sequence[str]) -> bool:
    """Whether API Gateway has read the path as it is read here, as far as the event tells.

    It chooses its route, and hands its variables to the service behind it, by a reading of its own. An HTTP API decodes
    the path before the event says it, and is reported to cut it off at an encoded question mark.
    """
    if not request.taken or request.template is None or not request.template.startswith("/"):
        return True
    match = _match(request.template, path)
    if match is None:
        return False
    variables = match[1]
    for name, value in request.taken.items():
        taken = value.removesuffix("/")  # a slash at the end means nothing
        if name not in variables or variables[name] not in (taken, unquote(taken)):
            return False
    return True


def _demanded(row: Mapping[str, object]) -> tuple[Requirement | None, TenantSource | None]:
    """What a row demands, and where the tenant comes from."""
    tenant_from = row.get("tenant_from")
    source = _TENANT_FROM.fullmatch(tenant_from) if isinstance(tenant_from, str) else None
    if tenant_from is not None and source is None:
        return None, None
    try:
        requirement = Requirement(
            any_scope=_names(row, "any_scope"),
            all_scopes=_names(row, "all_scopes"),
            any_role=_names(row, "any_role"),
            audience=_names(row, "audience"),
        )
    except (ValueError, ConfigurationError):
        return None, None
    return requirement, None if source is None else TenantSource(source[1], source[2])


def _read(row: Mapping[str, object], request: Request, path: Sequence[str]) -> _Route | None:
    """A row, if it speaks for the request."""
    template, method, api = row.get("path"), row.get("method", "ANY"), row.get("api")
    if not isinstance(template, str) or method not in (request.method, "ANY") or api not in (None, "*", request.api):
        return None
    match = _match(template, path)
    if match is None:
        return None
    specificity, variables = match
    return _Route((specificity, method == "ANY", api != request.api), *_demanded(row), variables)


def _tenant(route: _Route, request: Request) -> str | None:
    """The tenant that the request names, if it names exactly one."""
    if route.tenant_from is None:
        return None
    kind, name = route.tenant_from
    if kind == "path":
        return route.variables.get(name)
    values = request.query.get(name, ()) if kind == "query" else request.headers.get(name.lower(), ())
    return values[0] if len(values) == 1 else None


def check_route(
    rows: Iterable[Mapping[str, object]],
    request: Request,
    claims: Claims,
    audience: frozenset[str] | Unchecked = frozenset(),
) -> frozenset[TenantSource]:
    """Refuse a request whose route demands what the token does not grant.

    Args:
        rows: all route rows.
        request: what is asked.
        claims: of a token that is good, but may be bound to any resource.
        audience: the resources that tokens may be bound to where the row names none.

    Returns:
        Where the rows that decided look for the tenant: what, beyond token, method and path, the answer hangs on.

    Raises:
        VerificationError: ``ROUTE_NOT_FOUND`` at stage ``route``: no row speaks for it, or none that can be read;
            otherwise as ``Requirement.check``.
    """
    path = segments(request.path)
    if path is None or not _agrees(request, path):
        raise VerificationError(Code.ROUTE_NOT_FOUND, "route")
    routes = [route for row in rows if (route := _read(row, request, path)) is not None]
    if not routes:
        raise VerificationError(Code.ROUTE_NOT_FOUND, "route")
    best = min(route.rank for route in routes)
    deciding = [route for route in routes if route.rank == best]
    for route in deciding:
        if route.requirement is None:
            raise VerificationError(Code.ROUTE_NOT_FOUND, "route")
        requirement = route.requirement
        if requirement.audience is ANY:
            check_audience(claims, audience)
        if route.tenant_from is not None:
            tenant = _tenant(route, request)
            if not tenant:
                raise VerificationError(Code.WRONG_TENANT, "claims")
            requirement = replace(requirement, tenant=tenant)
        requirement.check(claims)
    return frozenset(route.tenant_from for route in deciding if route.tenant_from is not None)
