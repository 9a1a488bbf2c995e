"""Route rows: what a request to an API needs, and which row speaks for a request.

A row (``POLICY / ROUTE#<id>``) has ``path`` (``/orders``, ``/orders/{id}``, ``/files/{rest+}``), ``method`` (``ANY`` if
absent), ``api`` (an API's id; any API if absent), ``any_scope``, ``all_scopes``, ``any_role``, ``audience`` (resources:
the token must be bound to one of them; if absent, those of the verifier count) and ``tenant_from`` (``path:NAME``,
``header:NAME`` or ``query:NAME``: what the request says there must be the token's tenant).

The most specific row decides: segment by segment a literal before ``{name}`` before ``{name+}``, then the method itself
before ``ANY``, then the API itself before any. Rows that are equally specific must all be met. A request that no row
speaks for is refused, and so is one whose row cannot be read.

Whoever stands behind reads the request again, with a router of its own. Where routers are known to differ
(``readings``, ``_methods``) the row that each of them would come to must be met; what none of them can be trusted to
read in one way, or what API Gateway itself has read differently (``template`` and ``taken``), matches no row.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol
from urllib.parse import unquote

from claimsmith.errors import Code, ConfigurationError, VerificationError
from claimsmith.routes import (
    ANYTHING,
    TENANT_FROM,
    Template,
    Variable,
    meant,
    parts,
    readings,
    segments,
    template,
)
from claimsmith.verifier.checks import ANY, Requirement, check_audience
from claimsmith.verifier.headers import only

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from claimsmith.verifier.checks import Names, Unchecked
    from claimsmith.verifier.claims import Claims

#: How specific a part of a template is; first what was meant for nobody knows what.
_ANYTHING: Final = -1
_LITERAL: Final = 0
_ONE: Final = 1
_REST: Final = 2

#: Row paths whose parts are remembered: more than a policy that is in force can have.
_MAX_TEMPLATES: Final = 8_192


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
        headers: every value of each header, by its name as it was sent.
        query: every value of each parameter.
        template: the path of API Gateway's own route (``/orders/{id}``), where the event tells it.
        taken: what API Gateway has taken out of the path for the variables of that route.
        spellings: other paths that the service behind may be told instead.
        by_name: whether only a row whose path is this very path speaks for it.
        mapped: whether the path may begin with a custom domain's API mapping, which ``template`` does not have.
    """

    api: str
    method: str
    path: str
    headers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    query: Mapping[str, Sequence[str]] = field(default_factory=dict)
    template: str | None = None
    taken: Mapping[str, str] = field(default_factory=dict)
    spellings: Sequence[str] = ()
    by_name: bool = False
    mapped: bool = False


class TenantSource(NamedTuple):
    """Where a row says that the tenant is named."""

    kind: str
    """``path``, ``header`` or ``query``."""

    name: str


class _Path(NamedTuple):
    """A path as some server reads it, and as it is read here."""

    read: tuple[str, ...]
    decoded: tuple[str, ...]


class _Row(NamedTuple):
    """A row that is for the request's method and API. ``demands`` is ``None`` where the row cannot be read."""

    pattern: Template
    method: str
    for_any_api: bool
    demands: Mapping[str, object] | None


class _Route(NamedTuple):
    """A row that decides. ``requirement`` is ``None`` where what it demands cannot be read."""

    requirement: Requirement | None
    tenant_from: TenantSource | None
    variables: Mapping[str, str]


@lru_cache(maxsize=_MAX_TEMPLATES)
def _template(path: str) -> tuple[Template, bool]:
    """What a row's path matches, and whether that is what it says; otherwise it may be what it was meant for."""
    read = template(path)
    return (meant(path), False) if read is None else (read, True)


def _match(pattern: Template, path: Sequence[str]) -> tuple[int, ...] | None:
    """How specific a template is, where it matches a path."""
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
    """What a template's variables stand for in a path that it matches."""
    return {
        part.name: "/".join(path[index:]) if part.rest else path[index]
        for index, part in enumerate(pattern)
        if isinstance(part, Variable) and part != ANYTHING
    }


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


def _length(pattern: Template, taken: Mapping[str, str]) -> int:
    """How many segments API Gateway's own route has matched."""
    last = pattern[-1]
    more = taken.get(last.name, "").removesuffix("/").count("/") if isinstance(last, Variable) and last.rest else 0
    return len(pattern) + more


def _agrees(request: Request, path: Sequence[str]) -> bool:
    """Whether API Gateway has read the path as it is read here, as far as the event tells.

    It chooses its route, and hands its variables to the service behind it, by a reading of its own. An HTTP API decodes
    the path before the event says it, and is reported to cut it off at an encoded question mark.
    """
    if not request.taken or request.template is None or not request.template.startswith("/"):
        return True
    pattern = parts(request.template)
    if request.mapped:
        path = path[max(len(path) - _length(pattern, request.taken), 0) :]
    if _match(pattern, path) is None:
        return False
    variables = _variables(pattern, path)
    for name, value in request.taken.items():
        taken = value.removesuffix("/")  # a slash at the end means nothing
        if name not in variables or variables[name] not in (taken, unquote(taken)):
            return False
    return True


def _demanded(row: Mapping[str, object]) -> tuple[Requirement | None, TenantSource | None]:
    """What a row demands, and where the tenant comes from."""
    tenant_from = row.get("tenant_from")
    source = TENANT_FROM.fullmatch(tenant_from) if isinstance(tenant_from, str) else None
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


def _candidates(rows: Iterable[Mapping[str, object]], request: Request) -> list[_Row]:
    """The rows that are for the request's method and API, or may have been meant to be.

    They are read once, since a path may have to be read in many ways.
    """
    methods = {method for ranks in _methods(request.method) for method in ranks}
    found: list[_Row] = []
    for row in rows:
        written, method, api = row.get("path"), row.get("method", "ANY"), row.get("api")
        asked = method.upper() if isinstance(method, str) else "ANY"
        if asked not in methods or (isinstance(api, str) and api not in ("*", request.api)):
            continue
        pattern, readable = _template(written) if isinstance(written, str) else ((ANYTHING,), False)
        readable = readable and asked == method and (api is None or isinstance(api, str))
        found.append(_Row(pattern, asked, api != request.api, row if readable else None))
    return found


def _best(rows: Iterable[_Row], request: Request, path: _Path) -> list[_Route]:
    """The rows that decide about a request if it is read so; for each way to read its method, the most specific."""
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
    """What a row that decides demands of the request."""
    if row.demands is None:
        return _Route(None, None, {})
    return _Route(*_demanded(row.demands), _variables(row.pattern, path.decoded))


def _methods(method: str) -> tuple[Mapping[str, int], ...]:
    """Which rows' methods speak for a request's, and in which order; once for each way in which servers read it.

    Many answer a ``HEAD`` like a ``GET`` (RFC 9110 section 9.3.2) where nothing is registered for it; others, and API
    Gateway itself, pass it on to what takes any method.
    """
    itself = {method: 0, "ANY": 2}
    return ({**itself, "GET": 1}, itself) if method == "HEAD" else (itself,)


def _tenant(route: _Route, request: Request) -> str | None:
    """The tenant that the request names, if it names exactly one."""
    if route.tenant_from is None:
        return None
    kind, name = route.tenant_from
    if kind == "path":
        return route.variables.get(name)
    if kind == "header":
        return only(request.headers, name)
    values = request.query.get(name, ())
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
            requirement = replace(requirement, tenant=tenant)
        requirement.check(claims)
    return frozenset(route.tenant_from for route in deciding if route.tenant_from is not None)


def _deciding(rows: Iterable[Mapping[str, object]], request: Request) -> list[_Route]:
    """All rows that a request must meet, however it is read.

    Raises:
        VerificationError: ``ROUTE_NOT_FOUND``: there is none, or the request can be read in ways that nobody foresees.
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
