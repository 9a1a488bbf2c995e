"""The Lambda authorizer without Lambda: the event of API Gateway or AppSync in, its answer out.

=======================  ==============================  ====================================  ======================
kind of API              the token is missing or not     the token is valid but not            unknown: a lookup
                         valid                           sufficient                            failed
=======================  ==============================  ====================================  ======================
HTTP API 2.0, simple     ``isAuthorized: false``: 403    ``isAuthorized: false``: 403          any other error: 500
HTTP API 2.0, policies   a policy that denies: 403       a policy that denies: 403             any other error: 500
HTTP API 1.0             a policy that denies: 403       a policy that denies: 403             any other error: 500
REST TOKEN, REQUEST      error ``Unauthorized``: 401     a policy that denies: 403             any other error: 500
WebSocket ``$connect``   error ``Unauthorized``: 401     a policy that denies: 403             any other error: 500
AppSync                  ``isAuthorized: false``: 401    ``isAuthorized: false``: 401          any other error: 401
=======================  ==============================  ====================================  ======================

If an identity source is missing, API Gateway answers 401 itself, without calling the function. Beyond that, AWS
documents a 401 for REST APIs: an error that reads ``Unauthorized``. For an HTTP API it documents none: a function that
fails gives a 500 there, which would make a client retry a bad token. AWS's own example for WebSocket APIs fails with
``Unauthorized`` but does not document the status. Any error refuses the request; at worst it is a 500.

Policies contain exactly the ARN that API Gateway sent: this module never builds a partition name.

If API Gateway caches answers, an answer that depends on something outside the cache key would open other requests. The
authorizer knows the cache key (``cached_by``) and never gives such an answer (``Authorizer.authorize``). AppSync lets
the answer say how long it is kept: not at all.

A route whose row says ``access: public`` needs no token. A token that is sent to it must be valid all the same.

What the service behind is told is in ``claimsmith.authorizer_context``.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final, Literal

from claimsmith.authorizer_context import TAKEN, WEBSOCKET_BYTES, further
from claimsmith.errors import Code, ConfigurationError, VerificationError
from claimsmith.named_tuple import NamedTuple
from claimsmith.places import DEFAULT_PLACES
from claimsmith.verifier.claims import OidcClaims
from claimsmith.verifier.gateway import read
from claimsmith.verifier.presented import presented
from claimsmith.verifier.routes import check_route, is_public

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from claimsmith.places import Places
    from claimsmith.routes import TenantSource
    from claimsmith.verifier.claims import Claims
    from claimsmith.verifier.gateway import Call
    from claimsmith.verifier.routes import Routes
    from claimsmith.verifier.verifier import Verifier

#: What would make a policy's resource match more than its one ARN.
_PATTERN: Final = re.compile(r"[*?]|\$\{")

#: Characters of a policy's resource
#: (https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-output.html).
_MAX_RESOURCE: Final = 512

#: The token is valid but not sufficient.
_FORBIDDEN: Final = frozenset(
    {
        Code.SCOPE_MISSING,
        Code.GROUP_MISSING,
        Code.ROLE_MISSING,
        Code.WRONG_TENANT,
        Code.ROUTE_NOT_FOUND,
        Code.ORIGIN_NOT_ALLOWED,
    }
)

#: Whether the token is valid is not known now.
_UNKNOWN: Final = frozenset({Code.KEYS_UNAVAILABLE, Code.REVOCATION_UNKNOWN})

_AUTHORIZATION: Final = "$request.header.authorization"


class UnauthorizedError(Exception):
    """Raised for a 401: API Gateway answers so if the error of an authorizer reads exactly ``Unauthorized``.

    Attributes:
        code: the reason, for the log.
    """

    def __init__(self, code: Code) -> None:
        super().__init__("Unauthorized")
        self.code = code


class Answer(NamedTuple):
    """The response for API Gateway, and for the log, the reason of a refusal.

    Attributes:
        response: the function's return value.
        code: ``None`` if the request is allowed.
    """

    response: dict[str, Any]
    code: Code | None


class Authorizer:
    """Decides whether a request is allowed. Keeps no state between requests."""

    def __init__(
        self,
        verifier: Verifier,
        routes: Routes,
        *,
        response: Literal["simple", "iam"],
        cached_by: Collection[str] = (),
        token_from: Places = DEFAULT_PLACES,
        context_claims: Collection[str] = (),
    ) -> None:
        """Create an authorizer.

        Args:
            verifier: decides which tokens are valid. Its ``audience`` applies to routes without one.
            routes: what each route needs.
            response: the response format for an HTTP API with payload format 2.0; the other kinds have only ``iam``.
            cached_by: the identity sources in API Gateway's cache key, in the syntax of an HTTP API
                (``$request.header.Authorization``, ``$context.path``) or of a REST API
                (``method.request.header.Authorization``, ``context.path``); empty if caching is off.
            token_from: where requests have their token (``claimsmith.places``).
            context_claims: further claims for the context, by their names in the token; a name that the context has
                anyhow is left out.

        Raises:
            ConfigurationError: answers are cached, and a token may be elsewhere than in the header: a cached answer
                would then be used for a request with a second token.
        """
        if cached_by and not token_from.in_header:
            raise ConfigurationError(
                "Answers can be cached only if the token is in the Authorization header. Turn the cache off."
            )
        # The route's audience counts; without one, the verifier's.
        self._verifier = verifier.for_any_audience()
        self._audience = verifier.audience
        self._routes = routes
        self._response = response
        self._cached_by = frozenset(map(_source, cached_by))
        self._token_from = token_from
        self._context_claims = tuple(sorted({*context_claims} - TAKEN))

    def authorize(self, event: Mapping[str, Any]) -> Answer:
        """Answer an authorizer event.

        Raises:
            UnauthorizedError: the token is missing or not valid, and this kind of API takes an error for a 401.
            ClaimsmithError: keys, revocations or routes cannot be read, or the event is not an authorizer event; or API
                Gateway would cache the answer and open other requests with it (``ANSWER_NOT_CACHEABLE``); or a
                WebSocket API would not take so long an answer, or a claim for the context is nested too deeply
                (``CONTEXT_TOO_LARGE``).
        """
        call = read(event, simple=self._response == "simple")
        try:
            token = presented(call, self._token_from)
            if token is None:
                return self._without_token(call)
            claims = self._verifier.verify(token)
            rows = tuple(self._routes())
            tenant_sources = check_route(rows, call.request, claims, self._audience)
            _check_exact(call)
        except VerificationError as error:
            if error.code in _UNKNOWN:
                raise
            code = error.code
        else:
            if self._cached_by:
                self._check_cacheable(call, tenant_sources | self._sources_with_slash(call, rows, claims))
            return Answer(self._allowed(call, claims), None)
        if call.kind == "simple":
            return Answer({"isAuthorized": False}, code)
        if call.kind == "appsync":
            return Answer({"isAuthorized": False, "ttlOverride": 0}, code)
        if call.kind == "errors" and code not in _FORBIDDEN:
            raise UnauthorizedError(code)
        return Answer(_policy("Deny", call.arn, "refused"), code)

    def _without_token(self, call: Call) -> Answer:
        """Allow a request without a token if its route is public.

        Raises:
            VerificationError: it is not; or API Gateway would cache the answer for paths that may not be public.
        """
        if not is_public(self._routes(), call.request):
            raise VerificationError(Code.TOKEN_MALFORMED, "structure")
        _check_exact(call)
        if self._cached_by:
            self._check_cacheable(call, ())
            if not call.exact and "$context.path" not in self._cached_by:
                raise VerificationError(Code.ANSWER_NOT_CACHEABLE, "route")
        return Answer(_allowed(call, None, {}), None)

    def _allowed(self, call: Call, claims: Claims) -> dict[str, Any]:
        # Another issuer may put anything under the names that mean something in a pool's tokens.
        names = () if isinstance(claims, OidcClaims) else self._context_claims
        try:
            more = further(claims, names, as_text=not call.takes_json)
        except VerificationError:  # the context would be without it, which a service may take for permission
            raise VerificationError(Code.CONTEXT_TOO_LARGE, "route") from None
        response = _allowed(call, claims, {**more, **_context(claims)})
        if more and call.handshake and len(json.dumps(response).encode()) > WEBSOCKET_BYTES:
            # API Gateway would fail with a 500, too, and nothing would say why.
            raise VerificationError(Code.CONTEXT_TOO_LARGE, "route")
        return response

    def _check_cacheable(self, call: Call, tenant_sources: Collection[TenantSource]) -> None:
        """Refuse to allow a request if the cached answer would be used for other requests.

        Everything that the decision depends on must be in the cache key: the token; the method and the path, unless the
        answer is a policy for both; and the place that names the tenant. A query parameter does not count: it may occur
        several times, and AWS does not document which of its values is in the key.

        Raises:
            VerificationError: ``ANSWER_NOT_CACHEABLE``.
        """
        by = self._cached_by
        method, path = call.route_key if call.route_key is not None and "$context.routeKey" in by else ("ANY", "{}")
        of_method = call.exact or "$context.httpMethod" in by or method != "ANY"
        of_path = call.exact or "$context.path" in by or "{" not in path
        of_tenant = all(
            source.kind == "path" or (source.header is not None and f"$request.header.{source.header}" in by)
            for source in tenant_sources
        )
        if not (_AUTHORIZATION in by and of_method and of_path and of_tenant):
            raise VerificationError(Code.ANSWER_NOT_CACHEABLE, "route")

    def _sources_with_slash(
        self, call: Call, rows: Iterable[Mapping[str, object]], claims: Claims
    ) -> frozenset[TenantSource]:
        """The tenant sources for the same path with a trailing slash, for which the cached answer may be used too.

        Raises:
            VerificationError: ``ANSWER_NOT_CACHEABLE``: that request would be refused.
        """
        if call.exact or "$context.path" in self._cached_by:
            return frozenset()
        spellings = (call.request.path, *call.request.spellings)
        ended = (spelling.removesuffix("/") + "/" for spelling in spellings)
        request = call.request._replace(spellings=(*call.request.spellings, *ended))
        try:
            return check_route(rows, request, claims, self._audience)
        except VerificationError:
            raise VerificationError(Code.ANSWER_NOT_CACHEABLE, "route") from None


def _source(identity_source: str) -> str:
    """An identity source in the syntax of an HTTP API; header names in lower case, since they are case-insensitive."""
    named = "$" + identity_source.removeprefix("$").removeprefix("method.").removeprefix("route.")
    return named.lower() if named.startswith("$request.header.") else named


def _check_exact(call: Call) -> None:
    """Refuse a request whose policy would match other requests too.

    Raises:
        VerificationError: the path has a character that is a wildcard in a policy, or is too long for one.
    """
    if call.kind not in ("simple", "appsync") and (_PATTERN.search(call.arn) or len(call.arn) > _MAX_RESOURCE):
        raise VerificationError(Code.ROUTE_NOT_FOUND, "route")


def _allowed(call: Call, claims: Claims | None, context: Mapping[str, Any]) -> dict[str, Any]:
    if call.kind == "simple":
        return {"isAuthorized": True, "context": context}
    if call.kind == "appsync":
        # What AppSync keeps an answer by is the token alone, but the tenant may be in a header.
        return {"isAuthorized": True, "resolverContext": context, "deniedFields": [], "ttlOverride": 0}
    return {**_policy("Allow", call.arn, "public" if claims is None else claims.sub), "context": context}


def _context(claims: Claims) -> dict[str, str]:
    # Strings only: REST and WebSocket APIs take no lists, and an HTTP API that moves to one of them should keep
    # working. A role with white space in it would read as two.
    context = {
        "sub": claims.sub,
        "roles": " ".join(role for role in claims.roles if role.split() == [role]),
        "scope": " ".join(claims.scopes),
    }
    if claims.tenant_id is not None:
        context["tenant_id"] = claims.tenant_id
    if isinstance(claims, OidcClaims):
        context["iss"] = claims.issuer  # there, a user may have the id that another has in the pool
    return context


def _policy(effect: Literal["Allow", "Deny"], arn: str, principal: str) -> dict[str, Any]:
    # A resource that is too long makes the whole answer an error. Only a denial has one, and may be for everything.
    resource = arn if len(arn) <= _MAX_RESOURCE else "*"
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": resource}
    return {"principalId": principal, "policyDocument": {"Version": "2012-10-17", "Statement": [statement]}}
