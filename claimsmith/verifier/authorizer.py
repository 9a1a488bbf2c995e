"""The Lambda authorizer without Lambda: API Gateway's event in, API Gateway's answer out.

=======================  ==============================  ====================================  ======================
kind of API              the token is missing or no      the token is good, but not for this   it cannot be known
                         good
=======================  ==============================  ====================================  ======================
HTTP API 2.0, simple     ``isAuthorized: false``: 403    ``isAuthorized: false``: 403          any other error: 500
HTTP API 2.0, policies   a policy that denies: 403       a policy that denies: 403             any other error: 500
HTTP API 1.0             a policy that denies: 403       a policy that denies: 403             any other error: 500
REST TOKEN, REQUEST      error ``Unauthorized``: 401     a policy that denies: 403             any other error: 500
WebSocket ``$connect``   error ``Unauthorized``: 401     a policy that denies: 403             any other error: 500
=======================  ==============================  ====================================  ======================

All of them answer 401 by themselves, without asking, where an identity source is missing. Beyond that AWS documents a
401 for REST APIs, by an error that reads ``Unauthorized``. For an HTTP API it documents none: a function that fails is
a 500 there, which would tell a client to try a bad token again. AWS's own example for WebSocket APIs fails with
``Unauthorized``, without saying which status that makes. Any error refuses the request; at worst it is a 500.

Policies name the very ARN that API Gateway sent: the partition is never put together here.

Where API Gateway keeps answers, one that hangs on something it does not keep them by would open other requests. The
authorizer is told what answers are kept by (``cached_by``) and gives none that would (``Authorizer.authorize``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple
from urllib.parse import unquote

from claimsmith.errors import Code, VerificationError
from claimsmith.verifier.routes import Request, check_route

if TYPE_CHECKING:
    from collections.abc import Collection

    from claimsmith.verifier.claims import Claims
    from claimsmith.verifier.routes import Routes, TenantSource
    from claimsmith.verifier.verifier import Verifier

#: RFC 6750 section 2.1. The scheme's case does not matter (RFC 9110 section 11.1).
_BEARER: Final = re.compile(r"bearer +([^\s,]+) *", re.IGNORECASE)

#: ``arn:<partition>:execute-api:<region>:<account>:<api>/<stage>/<method>/<path>``; of a WebSocket API the third part
#: is the route's key, and there is no fourth.
_ARN: Final = re.compile(r"arn:[^:]+:execute-api:[^:]*:[^:]*:([^/:]+)/([^/]+)/([^/]+)(/.*)?", re.DOTALL)

#: What would make a policy's resource more than the one ARN it should be.
_PATTERN: Final = re.compile(r"[*?]|\$\{")

#: Characters of a policy's resource
#: (https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-output.html).
_MAX_RESOURCE: Final = 512

#: ``GET /orders``: the key of an HTTP API's route; ``$default`` has neither method nor path.
_ROUTE_KEY: Final = re.compile(r"([A-Z]+) (/.*)", re.DOTALL)

#: The token is good, but not for this.
_FORBIDDEN: Final = frozenset(
    {Code.SCOPE_MISSING, Code.GROUP_MISSING, Code.ROLE_MISSING, Code.WRONG_TENANT, Code.ROUTE_NOT_FOUND}
)

#: Whether the token is good cannot be known now.
_UNKNOWN: Final = frozenset({Code.KEYS_UNAVAILABLE, Code.REVOCATION_UNKNOWN})

_AUTHORIZATION: Final = "$request.header.authorization"


class UnauthorizedError(Exception):
    """API Gateway answers 401 to an authorizer whose error reads exactly ``Unauthorized``.

    Attributes:
        code: why, for the log.
    """

    def __init__(self, code: Code) -> None:
        super().__init__("Unauthorized")
        self.code = code


class Answer(NamedTuple):
    """What API Gateway gets, and for the log, why it is not a yes.

    Attributes:
        response: the function's return value.
        code: ``None`` where the request is let through.
    """

    response: dict[str, Any]
    code: Code | None


class _Call(NamedTuple):
    """An event, read.

    Attributes:
        kind: how the API is answered: with a word, with policies only, or with policies and an error for 401.
        route_key: the API's own route, by method and path, where it is of an HTTP API and the event tells it.
        exact: whether a policy that names ``arn`` says method and path.
    """

    request: Request
    arn: str
    credentials: tuple[str, ...]
    kind: Literal["simple", "policies", "errors"]
    route_key: tuple[str, str] | None = None
    exact: bool = True


class Authorizer:
    """Decides whether a request may pass. Keeps nothing about requests: every call decides anew."""

    def __init__(
        self,
        verifier: Verifier,
        routes: Routes,
        *,
        response: Literal["simple", "iam"],
        cached_by: Collection[str] = (),
    ) -> None:
        """Put it together.

        Args:
            verifier: which tokens are good at all. Its ``audience`` counts for routes that name none themselves.
            routes: what each route needs.
            response: what an HTTP API with payload format 2.0 is answered; the other kinds know only ``iam``.
            cached_by: the identity sources by which API Gateway keeps answers, in the words of an HTTP API
                (``$request.header.Authorization``, ``$context.path``) or of a REST API
                (``method.request.header.Authorization``, ``context.path``); none where it keeps no answers.
        """
        # Which resources count, the route says; where it says nothing, the verifier does.
        self._verifier = verifier.for_any_audience()
        self._audience = verifier.audience
        self._routes = routes
        self._response = response
        self._cached_by = frozenset(map(_source, cached_by))

    def authorize(self, event: Mapping[str, Any]) -> Answer:
        """Answer an authorizer event.

        Raises:
            UnauthorizedError: the token is missing or not good, where that is how the API is told.
            ClaimsmithError: it cannot be known: keys, revocations or routes are out of reach, or the event is none;
                or the answer would be kept and open other requests (``ANSWER_NOT_CACHEABLE``).
        """
        call = _read(event, simple=self._response == "simple")
        try:
            claims = self._verifier.verify(_bearer(call))
            tenant_sources = check_route(self._routes(), call.request, claims, self._audience)
            _check_exact(call)
        except VerificationError as error:
            if error.code in _UNKNOWN:
                raise
            code = error.code
        else:
            if self._cached_by:
                self._check_cacheable(call, tenant_sources)
            return Answer(_allowed(call, claims), None)
        if call.kind == "simple":
            return Answer({"isAuthorized": False}, code)
        if call.kind == "errors" and code not in _FORBIDDEN:
            raise UnauthorizedError(code)
        return Answer(_policy("Deny", call.arn, "refused"), code)

    def _check_cacheable(self, call: _Call, tenant_sources: Collection[TenantSource]) -> None:
        """Refuse to let a request pass where the same answer would be given to others.

        Whatever decided must be among what answers are kept by: the token; the method and the path, unless the answer
        is a policy for both; and where the tenant is named. A query parameter does not count: it may come several times
        and AWS does not say by which of its values answers are kept.

        Raises:
            VerificationError: ``ANSWER_NOT_CACHEABLE``.
        """
        by = self._cached_by
        method, path = call.route_key if call.route_key is not None and "$context.routeKey" in by else ("ANY", "{}")
        of_method = call.exact or "$context.httpMethod" in by or method != "ANY"
        of_path = call.exact or "$context.path" in by or "{" not in path
        of_tenant = all(
            source.kind == "path" or (source.kind == "header" and f"$request.header.{source.name.lower()}" in by)
            for source in tenant_sources
        )
        if not (_AUTHORIZATION in by and of_method and of_path and of_tenant):
            raise VerificationError(Code.ANSWER_NOT_CACHEABLE, "route")


def _source(identity_source: str) -> str:
    """An identity source in the words of an HTTP API; names of headers in lower case, since their case is nothing."""
    named = "$" + identity_source.removeprefix("$").removeprefix("method.").removeprefix("route.")
    return named.lower() if named.startswith("$request.header.") else named


def _bearer(call: _Call) -> str:
    """The one token that the request presents.

    Raises:
        VerificationError: there is none, or more than one (RFC 6750 section 2).
    """
    match = _BEARER.fullmatch(call.credentials[0]) if len(call.credentials) == 1 else None
    if match is None:
        raise VerificationError(Code.TOKEN_MALFORMED, "structure")
    return match[1]


def _check_exact(call: _Call) -> None:
    """Refuse to write a policy whose resource would match other requests too.

    Raises:
        VerificationError: the path has a character that policies read as a wildcard, or is too long for one.
    """
    if call.kind != "simple" and (_PATTERN.search(call.arn) or len(call.arn) > _MAX_RESOURCE):
        raise VerificationError(Code.ROUTE_NOT_FOUND, "route")


def _allowed(call: _Call, claims: Claims) -> dict[str, Any]:
    # Strings only: a REST or WebSocket API takes no list, and an HTTP API that is moved to one should go on.
    # A role with white space in it would read as two.
    context = {
        "sub": claims.sub,
        "roles": " ".join(role for role in claims.roles if role.split() == [role]),
        "scope": " ".join(claims.scopes),
    }
    if claims.tenant_id is not None:
        context["tenant_id"] = claims.tenant_id
    if call.kind == "simple":
        return {"isAuthorized": True, "context": context}
    return {**_policy("Allow", call.arn, claims.sub), "context": context}


def _policy(effect: Literal["Allow", "Deny"], arn: str, principal: str) -> dict[str, Any]:
    # A resource that is too long makes the whole answer an error; only a denial comes with one, and may be for all.
    resource = arn if len(arn) <= _MAX_RESOURCE else "*"
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": resource}
    return {"principalId": principal, "policyDocument": {"Version": "2012-10-17", "Statement": [statement]}}


def _malformed() -> VerificationError:
    return VerificationError(Code.REQUEST_MALFORMED, "structure")


def _text(members: Mapping[str, Any], name: str) -> str:
    value = members.get(name)
    if not isinstance(value, str):
        raise _malformed()
    return value


def _members(members: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """An object in an event; API Gateway writes null for an empty one."""
    value = members.get(name)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise _malformed()
    return value


def _values(event: Mapping[str, Any], single: str, several: str, *, fold: bool) -> dict[str, tuple[str, ...]]:
    """Every value of every header or parameter. Where an event has both forms, the one with all values counts."""
    found: dict[str, tuple[str, ...]] = {}
    lists = _members(event, several)
    for name, value in (lists or _members(event, single)).items():
        values = value if isinstance(value, list) else [value]
        if not all(isinstance(entry, str) for entry in values):
            raise _malformed()
        key = name.lower() if fold else name
        found[key] = (*found.get(key, ()), *values)
    return found


def _read(event: object, *, simple: bool) -> _Call:
    """Read an event of any kind.

    Raises:
        VerificationError: ``REQUEST_MALFORMED``: it is of none.
    """
    if not isinstance(event, Mapping):
        raise _malformed()
    if event.get("version") == "2.0":
        return _read_http(event, simple=simple)
    arn = _text(event, "methodArn")
    api, _stage, method, path = _taken_apart(arn)
    if event.get("type") == "TOKEN":
        request = Request(api, method, path or "/")
        return _Call(request, arn, (_text(event, "authorizationToken"),), "errors")
    if event.get("type") != "REQUEST":
        raise _malformed()
    headers = _values(event, "headers", "multiValueHeaders", fold=True)
    query = _values(event, "queryStringParameters", "multiValueQueryStringParameters", fold=False)
    credentials = headers.get("authorization", ())
    if path is None and method.startswith("$"):
        # A browser cannot set headers here; RFC 6750 section 2.3 names the parameter.
        credentials += tuple(f"Bearer {token}" for token in query.get("access_token", ()))
        # RFC 6455 section 4.1: the handshake is a GET.
        return _Call(Request(api, "GET", f"/{method}", headers, query), arn, credentials, "errors")
    template = event.get("resource")
    request = Request(
        api,
        method,
        path or "/",
        headers,
        query,
        template if isinstance(template, str) else None,
        _taken(event),
    )
    if event.get("version") == "1.0":
        return _Call(request, arn, credentials, "policies", exact=False)
    return _Call(request, arn, credentials, "errors")


def _read_http(event: Mapping[str, Any], *, simple: bool) -> _Call:
    """An HTTP API's event of payload format 2.0, whose path may begin with the stage."""
    context = _members(event, "requestContext")
    arn = _text(event, "routeArn")
    api, _stage, _method, arn_path = _taken_apart(arn)
    path = _without_stage(_text(event, "rawPath"), _text(context, "stage"), arn_path or "/")
    route_key = event.get("routeKey")
    route = _ROUTE_KEY.fullmatch(route_key) if isinstance(route_key, str) else None
    request = Request(
        api,
        _text(_members(context, "http"), "method"),
        path,
        _values(event, "headers", "", fold=True),
        _values(event, "queryStringParameters", "", fold=False),
        None if route is None else route[2],
        _taken(event),
    )
    return _Call(
        request,
        arn,
        tuple(request.headers.get("authorization", ())),
        "simple" if simple else "policies",
        None if route is None else (route[1], route[2]),
        exact=False,
    )


def _without_stage(path: str, stage: str, arn_path: str) -> str:
    """The path of an HTTP API's event without the stage that it may begin with.

    It begins with the stage at the API's own address and not at a domain of one's own, where a path may begin with the
    same word and mean it. The ARN tells which it is, since the stage is no part of the path there. Where it tells
    neither, what is left is no path, and matches no row: each reading could be meant for another one.
    """
    if stage == "$default" or not (path + "/").startswith(f"/{stage}/"):
        return path
    rest = path[len(stage) + 1 :] or "/"
    asked = _plain(arn_path)
    return path if _plain(path) == asked else rest if _plain(rest) == asked else ""


def _plain(path: str) -> str:
    """To compare: API Gateway may tell a path decoded here and encoded there, and end it with a slash or not."""
    return unquote(path).removesuffix("/")


def _taken(event: Mapping[str, Any]) -> dict[str, str]:
    """What API Gateway has taken out of the path for its route's variables."""
    taken = _members(event, "pathParameters")
    if not all(isinstance(value, str) for value in taken.values()):
        raise _malformed()
    return dict(taken)


def _taken_apart(arn: str) -> tuple[str, str, str, str | None]:
    """API, stage, method and path of a method's ARN."""
    match = _ARN.fullmatch(arn)
    if match is None:
        raise _malformed()
    return match[1], match[2], match[3], match[4]
