"""The Lambda authorizer without Lambda: API Gateway's event in, API Gateway's answer out.

=====================  ==============================  ====================================  =========================
kind of API            who the caller is, is unknown   the caller may not do this            it cannot be known
=====================  ==============================  ====================================  =========================
HTTP API 2.0, simple   ``isAuthorized: false``: 403    ``isAuthorized: false``: 403          any other error: 500
all others             error ``Unauthorized``: 401     a policy that denies: 403             any other error: 500
=====================  ==============================  ====================================  =========================

A simple answer has no way to say 401; API Gateway says it by itself where the identity source is missing. The others
are HTTP API 2.0 with policies, HTTP API 1.0, REST ``TOKEN`` and ``REQUEST``, and WebSocket ``$connect``. AWS documents
for REST APIs that the error's text makes a 401; for the others it is not confirmed. Any error refuses the request; at
worst the caller sees a 500.

Policies name the very ARN that API Gateway sent: the partition is never put together here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from claimsmith.errors import Code, VerificationError
from claimsmith.verifier.routes import Request, check_route

if TYPE_CHECKING:
    from claimsmith.verifier.claims import Claims
    from claimsmith.verifier.routes import Routes
    from claimsmith.verifier.verifier import Verifier

#: RFC 6750 section 2.1. The scheme's case does not matter (RFC 9110 section 11.1).
_BEARER: Final = re.compile(r"bearer +([^\s,]+) *", re.IGNORECASE)

#: ``arn:<partition>:execute-api:<region>:<account>:<api>/<stage>/<method>/<path>``; of a WebSocket API the third part
#: is the route's key, and there is no fourth.
_ARN: Final = re.compile(r"arn:[^:]+:execute-api:[^:]*:[^:]*:([^/:]+)/([^/]+)/([^/]+)(/.*)?", re.DOTALL)

#: What would make a policy's resource more than the one ARN it should be.
_PATTERN: Final = re.compile(r"[*?]|\$\{")

#: The token is good, but not for this.
_FORBIDDEN: Final = frozenset(
    {Code.SCOPE_MISSING, Code.GROUP_MISSING, Code.ROLE_MISSING, Code.WRONG_TENANT, Code.ROUTE_NOT_FOUND}
)

#: Whether the token is good cannot be known now.
_UNKNOWN: Final = frozenset({Code.KEYS_UNAVAILABLE, Code.REVOCATION_UNKNOWN})


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
    """An event, read."""

    request: Request
    arn: str
    credentials: tuple[str, ...]
    simple: bool


class Authorizer:
    """Decides whether a request may pass. Keeps nothing about requests: every call decides anew."""

    def __init__(self, verifier: Verifier, routes: Routes, *, response: Literal["simple", "iam"]) -> None:
        """Put it together.

        Args:
            verifier: which tokens are good at all.
            routes: what each route needs.
            response: what an HTTP API with payload format 2.0 is answered; the other kinds know only ``iam``.
        """
        self._verifier = verifier
        self._routes = routes
        self._response = response

    def authorize(self, event: Mapping[str, Any]) -> Answer:
        """Answer an authorizer event.

        Raises:
            UnauthorizedError: the token is missing or not good, where that is how the API is told.
            ClaimsmithError: it cannot be known: keys, revocations or routes are out of reach, or the event is none.
        """
        call = _read(event, simple=self._response == "simple")
        try:
            claims = self._verifier.verify(_bearer(call))
            check_route(self._routes(), call.request, claims)
            _check_exact(call)
        except VerificationError as error:
            if error.code in _UNKNOWN:
                raise
            code = error.code
        else:
            return Answer(_allowed(call, claims), None)
        if call.simple:
            return Answer({"isAuthorized": False}, code)
        if code not in _FORBIDDEN:
            raise UnauthorizedError(code)
        return Answer(_policy("Deny", call.arn, "refused"), code)


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
        VerificationError: the path has a character that policies read as a wildcard.
    """
    if not call.simple and _PATTERN.search(call.arn):
        raise VerificationError(Code.ROUTE_NOT_FOUND, "route")


def _allowed(call: _Call, claims: Claims) -> dict[str, Any]:
    # A role with white space in it would read as two.
    context = {
        "sub": claims.sub,
        "roles": " ".join(role for role in claims.roles if role.split() == [role]),
        "scope": " ".join(claims.scopes),
    }
    if claims.tenant_id is not None:
        context["tenant_id"] = claims.tenant_id
    if call.simple:
        return {"isAuthorized": True, "context": context}
    return {**_policy("Allow", call.arn, claims.sub), "context": context}


def _policy(effect: Literal["Allow", "Deny"], arn: str, principal: str) -> dict[str, Any]:
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": arn}
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
    websocket = path is None and method.startswith("$")
    if event.get("type") == "TOKEN":
        request = Request(api, method, path or "/")
        return _Call(request, arn, (_text(event, "authorizationToken"),), simple=False)
    if event.get("type") != "REQUEST":
        raise _malformed()
    request = Request(
        api,
        "GET" if websocket else method,  # RFC 6455 section 4.1: the handshake is a GET
        f"/{method}" if websocket else path or "/",
        _values(event, "headers", "multiValueHeaders", fold=True),
        _values(event, "queryStringParameters", "multiValueQueryStringParameters", fold=False),
    )
    credentials = tuple(request.headers.get("authorization", ()))
    if websocket:  # a browser cannot set headers here; RFC 6750 section 2.3 names the parameter
        credentials += tuple(f"Bearer {token}" for token in request.query.get("access_token", ()))
    return _Call(request, arn, credentials, simple=False)


def _read_http(event: Mapping[str, Any], *, simple: bool) -> _Call:
    """An HTTP API's event of payload format 2.0, whose path may begin with the stage."""
    context = _members(event, "requestContext")
    arn, path, stage = _text(event, "routeArn"), _text(event, "rawPath"), _text(context, "stage")
    api, _stage, _method, arn_path = _taken_apart(arn)
    if stage != "$default" and path != (arn_path or "/") and (path + "/").startswith(f"/{stage}/"):
        path = path[len(stage) + 1 :] or "/"
    request = Request(
        api,
        _text(_members(context, "http"), "method"),
        path,
        _values(event, "headers", "", fold=True),
        _values(event, "queryStringParameters", "", fold=False),
    )
    return _Call(request, arn, tuple(request.headers.get("authorization", ())), simple=simple)


def _taken_apart(arn: str) -> tuple[str, str, str, str | None]:
    """API, stage, method and path of a method's ARN."""
    match = _ARN.fullmatch(arn)
    if match is None:
        raise _malformed()
    return match[1], match[2], match[3], match[4]
