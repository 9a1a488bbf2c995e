"""Route rows: what a request to an API needs, and which row applies to it.

A row (``POLICY / ROUTE#<id>``) has ``path`` (``/orders``, ``/orders/{id}``, ``/files/{rest+}``), ``method`` (``ANY`` if
absent), ``api`` (an API's id; any API if absent), ``any_scope``, ``all_scopes``, ``any_role``, ``audience`` (resources:
the token must be bound to one of them; if absent, those of the verifier count), ``tenant_from`` (``path:NAME``,
``header:NAME``, ``query:NAME`` or ``host:PATTERN``: the value in the request must be the token's tenant), or nothing of
that but ``access: public``: no token is needed.

The most specific row decides: segment by segment a literal before ``{name}`` before ``{name+}``, then the method itself
before ``ANY``, then the API itself before any. If several rows are equally specific, all of them must be met. A request
without a row is refused, and so is one whose row cannot be read.

The back end parses the request again, with its own router. Where routers are known to differ (``readings``,
``_methods``), the row that each of them would choose must be met. A path that routers read in unpredictable ways, or
that API Gateway itself has read differently (``template`` and ``path_parameters``), matches no row.
"""

from __future__ import annotations

from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import unquote

from claimsmith.errors import Code, ConfigurationError, VerificationError
from claimsmith.named_tuple import NamedTuple
from claimsmith.routes import (
    ANYTHING,
    DEMANDS,
    PUBLIC,
    Template,
    TenantSource,
    Variable,
    likely_template,
    parts,
    readings,
    segments,
    template,
    tenant_in_host,
    tenant_source,
)
from claimsmith.unchecked import ANY
from claimsmith.verifier.checks import Requirement, check_audience
from claimsmith.verifier.headers import single_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from claimsmith.unchecked import Unchecked
    from claimsmith.verifier.checks import Names
    from claimsmith.verifier.claims import Claims

#: How specific a part of a template is; ``ANYTHING`` comes first, so that an unreadable path is never skipped.
_ANYTHING: Final = -1
_LITERAL: Final = 0
_ONE: Final = 1
_REST: Final = 2

#: How many parsed row paths are cached: more than a policy can have.
_MAX_TEMPLATES: Final = 8_192

_NONE: Final[Mapping[str, Any]] = MappingProxyType({})


class Routes(Protocol):
    """Returns the route rows."""

    def __call__(self) -> Iterable[Mapping[str, object]]:
        """All route rows, as plain values.

        Raises:
            ClaimsmithError: they cannot be read.
        """


class Request(NamedTuple):
    """The parts of a request that a route can depend on.

    Attributes:
        api: the API's id.
        method: upper case.
        path: as sent, percent-encoded, without the stage.
        headers: every value of each header, by its name as sent.
        query: every value of each parameter.
        template: the path of API Gateway's own route (``/orders/{id}``), if the event has it.
        path_parameters: the values of that route's variables, from API Gateway.
        spellings: other paths that the back end may receive instead.
        by_name: whether only a row with exactly this path applies.
        mapped: whether the path may begin with a custom domain's API mapping, which is not in ``template``.
    """

    api: str
    method: str
    path: str
    headers: Mapping[str, Sequence[str]] = _NONE
    query: Mapping[str, Sequence[str]] = _NONE
    template: str | None = None
    path_parameters: Mapping[str, str] = _NONE
    spellings: Sequence[str] = ()
    by_name: bool = False
    mapped: bool = False


class _Path(NamedTuple):
    """A path as some router reads it, and as it is read here."""

    read: tuple[str, ...]
    decoded: tuple[str, ...]


class _Row(NamedTuple):
    """A row for the request's method and API. ``demands`` is ``None`` if the row cannot be read."""

    pattern: Template
    method: str
    for_any_api: bool
    demands: Mapping[str, object] | None


class _Route(NamedTuple):
    """A row that decides. ``requirement`` is ``None`` if it cannot be read."""

    requirement: Requirement | None
    tenant_from: TenantSource | None
    variables: Mapping[str, str]
    public: bool = False


@lru_cache(maxsize=_MAX_TEMPLATES)
def _template(path: str) -> tuple[Template, bool]:
    """A row's path as a template, and whether it is valid; for an invalid one, the template that it may stand for."""
    valid = template(path)
    return (likely_template(path), False) if valid is None else (valid, True)


def _match(pattern: Template, path: Sequence[str]) -> tuple[int, ...] | None:
    """How specific a template is; ``None`` if it does not match the path."""
    rank: list[int] = []
    for index, part in enumerate(pattern):
        if part == ANYTHING:
            return (*rank, _ANYTHING)
        if index >= len(path):
            return None
        if isinstance(part, str):
            if part != path[index]:
                return None
            rank.append(_LITERAL)
        elif part.rest:
            return (*rank, _REST) if index + 1 == len(pattern) else None
        elif path[index]:
            rank.append(_ONE)
        else:
            return None
    return (*rank, _LITERAL) if len(pattern) == len(path) else None


def _variables(pattern: Template, path: Sequence[str]) -> dict[str, str]:
    """The values of a template's variables in a path that it matches."""
    return {
        part.name: "/".join(path[index:]) if part.rest else path[index]
        for index, part in enumerate(pattern)
        if isinstance(part, Variable) and part != ANYTHING
    }


def _names(row: Mapping[str, object], attribute: str) -> Names | Unchecked:
    """A list or set of names, or ``ANY`` if the row does not have the attribute.

    Raises:
        ValueError: it is something else.
    """
    if attribute not in row:
        return ANY
    value = row[attribute]
    if not isinstance(value, list | tuple | set | frozenset) or not all(isinstance(name, str) for name in value):
        raise ValueError(attribute)
    return frozenset(value)


def _length(pattern: Template, path_parameters: Mapping[str, str]) -> int:
    """How many segments API Gateway's own route has matched."""
    last = pattern[-1]
    if not isinstance(last, Variable) or not last.rest:
        return len(pattern)
    return len(pattern) + path_parameters.get(last.name, "").removesuffix("/").count("/")


def _agrees(request: Request, path: Sequence[str]) -> bool:
    """Whether API Gateway has read the path as it is read here, as far as the event shows.

    It chooses its route, and the values of the variables that the back end gets, by its own parsing. An HTTP API
    decodes the path that is in the event, and is reported to cut it off at an encoded question mark.
    """
    if not request.path_parameters or request.template is None or not request.template.startswith("/"):
        return True
    pattern = parts(request.template)
    if request.mapped:
        path = path[max(len(path) - _length(pattern, request.path_parameters), 0) :]
    if _match(pattern, path) is None:
        return False
    variables = _variables(pattern, path)
    for name, value in request.path_parameters.items():
        plain = value.removesuffix("/")  # a trailing slash does not matter
        if name not in variables or variables[name] not in (plain, unquote(plain)):
            return False
    return True


def _demands(row: Mapping[str, object]) -> tuple[Requirement | None, TenantSource | None]:
    """The requirement of a row, and the source of the tenant."""
    tenant_from = row.get("tenant_from")
    source = tenant_source(tenant_from) if isinstance(tenant_from, str) else None
    if tenant_from is not None and source is None:
        return None, None
    access = row.get("access")
    if access is not None and (access != PUBLIC or any(name in row for name in DEMANDS)):
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
    return requirement, source


def _candidates(rows: Iterable[Mapping[str, object]], request: Request) -> list[_Row]:
    """The rows for the request's method and API, including invalid ones that may stand for it.

    They are parsed once, since a path may have to be read in many ways.
    """
    methods = {method for ranks in _methods(request.method) for method in ranks}
    found: list[_Row] = []
    for row in rows:
        written, method, api = row.get("path"), row.get("method", "ANY"), row.get("api")
        normalized = method.upper() if isinstance(method, str) else "ANY"
        if normalized not in methods or (isinstance(api, str) and api not in ("*", request.api)):
            continue
        pattern, readable = _template(written) if isinstance(written, str) else ((ANYTHING,), False)
        readable = readable and normalized == method and (api is None or isinstance(api, str))
        found.append(_Row(pattern, normalized, api != request.api, row if readable else None))
    return found


def _best(rows: Iterable[_Row], request: Request, path: _Path) -> list[_Route]:
    """The rows that decide for this reading of the path: for each way to read the method, the most specific."""
    matching: list[tuple[tuple[int, ...], _Row]] = []
    for row in rows:
        specificity = _match(row.pattern, path.read)
        if specificity is not None and not (request.by_name and row.pattern != path.read):
            matching.append((specificity, row))
    deciding: list[_Route] = []
    for methods in _methods(request.method):
        ranks = [
            ((specificity, methods[row.method], row.for_any_api), row)
            for specificity, row in matching
            if row.method in methods
        ]
        best = min((rank for rank, _ in ranks), default=None)
        deciding += [_route(row, path) for rank, row in ranks if rank == best]
    return deciding


def _route(row: _Row, path: _Path) -> _Route:
    """The requirement of a row that decides, with the variables of the path."""
    if row.demands is None:
        return _Route(None, None, {})
    public = row.demands.get("access") == PUBLIC
    return _Route(*_demands(row.demands), _variables(row.pattern, path.decoded), public)


def _methods(method: str) -> tuple[Mapping[str, int], ...]:
    """The methods of rows that apply to a request's method, with their order; one mapping per way to read it.

    Many servers answer a ``HEAD`` like a ``GET`` (RFC 9110 section 9.3.2) if no route is registered for it; others, and
    API Gateway itself, use a route for any method.
    """
    itself = {method: 0, "ANY": 2}
    return ({**itself, "GET": 1}, itself) if method == "HEAD" else (itself,)


def _tenant(route: _Route, request: Request) -> str | None:
    """The tenant in the request, if it names exactly one."""
    if route.tenant_from is None:
        return None
    kind, name = route.tenant_from
    if kind == "path":
        return route.variables.get(name)
    if kind == "header":
        return single_value(request.headers, name)
    if kind == "host":
        host = single_value(request.headers, "host")
        return None if host is None else tenant_in_host(name, host)
    values = request.query.get(name, ())
    return values[0] if len(values) == 1 else None


def check_route(
    rows: Iterable[Mapping[str, object]],
    request: Request,
    claims: Claims,
    audience: frozenset[str] | Unchecked = frozenset(),
) -> frozenset[TenantSource]:
    """Refuse a request if the token does not meet the requirements of its route.

    Args:
        rows: all route rows.
        request: the request.
        claims: of a valid token, which may be bound to any resource.
        audience: the resources that tokens may be bound to if the row has no audience.

    Returns:
        The tenant sources of the rows that decided: the answer depends on them, the token, the method and the path.

    Raises:
        VerificationError: ``ROUTE_NOT_FOUND`` at stage ``route``: no row applies, or it cannot be read; otherwise as
            ``Requirement.check``.
    """
    deciding = _deciding(rows, request)
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
            requirement = requirement._replace(tenant=tenant)
        requirement.check(claims)
    return frozenset(route.tenant_from for route in deciding if route.tenant_from is not None)


def is_public(rows: Iterable[Mapping[str, object]], request: Request) -> bool:
    """Whether a request needs no token: every row that decides says so, for every way to read the request.

    Args:
        rows: all route rows.
        request: the request.
    """
    try:
        deciding = _deciding(rows, request)
    except VerificationError:
        return False
    return bool(deciding) and all(route.public and route.requirement is not None for route in deciding)


def _deciding(rows: Iterable[Mapping[str, object]], request: Request) -> list[_Route]:
    """All rows that a request must meet, for every way to read it.

    Raises:
        VerificationError: ``ROUTE_NOT_FOUND``: there is none, or the request can be read in unpredictable ways.
    """
    candidates = _candidates(rows, request)
    found: dict[_Path, list[_Route]] = {}
    for spelling in dict.fromkeys((request.path, *request.spellings)):
        decoded = segments(spelling)
        if decoded is None or not request.method.isupper():
            raise VerificationError(Code.ROUTE_NOT_FOUND, "route")
        if spelling == request.path and not _agrees(request, decoded):
            raise VerificationError(Code.ROUTE_NOT_FOUND, "route")
        for reading in readings(spelling):
            path = _Path(reading.segments, decoded)
            if path not in found:
                found[path] = _best(candidates, request, path)
            if not found[path] and reading.must_match and spelling == request.path:
                raise VerificationError(Code.ROUTE_NOT_FOUND, "route")
    return [route for routes in found.values() for route in routes]
