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
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from claimsmith.errors import Code, VerificationError
from claimsmith.verifier.gateway import read
from claimsmith.verifier.routes import check_route

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from claimsmith.verifier.claims import Claims
    from claimsmith.verifier.gateway import Call
    from claimsmith.verifier.routes import Routes, TenantSource
    from claimsmith.verifier.verifier import Verifier

#: RFC 6750 section 2.1. The scheme's case does not matter (RFC 9110 section 11.1).
_BEARER: Final = re.compile(r"bearer +([^\s,]+) *", re.IGNORECASE)

#: What would make a policy's resource more than the one ARN it should be.
_PATTERN: Final = re.compile(r"[*?]|\$\{")

#: Characters of a policy's resource
#: (https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-output.html).
_MAX_RESOURCE: Final = 512

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
        call = read(event, simple=self._response == "simple")
        try:
            claims = self._verifier.verify(_bearer(call))
            rows = tuple(self._routes())
            tenant_sources = check_route(rows, call.request, claims, self._audience)
            _check_exact(call)
        except VerificationError as error:
            if error.code in _UNKNOWN:
                raise
            code = error.code
        else:
            if self._cached_by:
                self._check_cacheable(call, tenant_sources | self._with_slash(call, rows, claims))
            return Answer(_allowed(call, claims), None)
        if call.kind == "simple":
            return Answer({"isAuthorized": False}, code)
        if call.kind == "errors" and code not in _FORBIDDEN:
            raise UnauthorizedError(code)
        return Answer(_policy("Deny", call.arn, "refused"), code)

    def _check_cacheable(self, call: Call, tenant_sources: Collection[TenantSource]) -> None:
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

    def _with_slash(self, call: Call, rows: Iterable[Mapping[str, object]], claims: Claims) -> frozenset[TenantSource]:
        """Where the tenant is looked for if the answer is used for the same path with a slash at its end, as it may be.

        Raises:
            VerificationError: ``ANSWER_NOT_CACHEABLE``: that request would be refused.
        """
        if call.exact or "$context.path" in self._cached_by:
            return frozenset()
        spellings = (call.request.path, *call.request.spellings)
        ended = (spelling.removesuffix("/") + "/" for spelling in spellings)
        request = replace(call.request, spellings=(*call.request.spellings, *ended))
        try:
            return check_route(rows, request, claims, self._audience)
        except VerificationError:
            raise VerificationError(Code.ANSWER_NOT_CACHEABLE, "route") from None


def _source(identity_source: str) -> str:
    """An identity source in the words of an HTTP API; names of headers in lower case, since their case is nothing."""
    named = "$" + identity_source.removeprefix("$").removeprefix("method.").removeprefix("route.")
    return named.lower() if named.startswith("$request.header.") else named


def _bearer(call: Call) -> str:
    """The one token that the request presents.

    Raises:
        VerificationError: there is none, or more than one (RFC 6750 section 2).
    """
    match = _BEARER.fullmatch(call.credentials[0]) if len(call.credentials) == 1 else None
    if match is None:
        raise VerificationError(Code.TOKEN_MALFORMED, "structure")
    return match[1]


def _check_exact(call: Call) -> None:
    """Refuse to write a policy whose resource would match other requests too.

    Raises:
        VerificationError: the path has a character that policies read as a wildcard, or is too long for one.
    """
    if call.kind != "simple" and (_PATTERN.search(call.arn) or len(call.arn) > _MAX_RESOURCE):
        raise VerificationError(Code.ROUTE_NOT_FOUND, "route")


def _allowed(call: Call, claims: Claims) -> dict[str, Any]:
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
