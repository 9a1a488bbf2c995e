"""Who calls, for a function behind an authorizer: the same object, whichever authorizer of API Gateway it was.

::

    caller = caller_of(event)
    if caller is None:
        ...  # nobody signed in: the route is public, or it has no authorizer

The authorizer has verified the token. Nothing is verified here, so use it only for events that come from
API Gateway. It needs the standard library alone.

- Lambda authorizer, HTTP API 2.0: ``requestContext.authorizer.lambda``
- Lambda authorizer, REST, WebSocket and HTTP API 1.0: ``requestContext.authorizer``
- JWT authorizer: ``requestContext.authorizer.jwt.claims``; in format 1.0 ``requestContext.authorizer.claims``
- Cognito authorizer: ``requestContext.authorizer.claims``
- Lambda authorizer of AppSync, for a Lambda resolver: ``identity.resolverContext``

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
https://docs.aws.amazon.com/appsync/latest/devguide/security-authz.html#aws-lambda-authorization
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from claimsmith.authorizer_context import read_back
from claimsmith.errors import Code, VerificationError
from claimsmith.named_tuple import NamedTuple
from claimsmith.verifier.claims import CLAIM_NAMES

#: What API Gateway adds to the context of a Lambda authorizer.
_ADDED: Final = frozenset({"principalId", "integrationLatency"})

#: Where a Lambda authorizer's context has what the policy may name otherwise in tokens.
_CONTEXT_NAMES: Final[Mapping[str, str | None]] = {name: name for name in CLAIM_NAMES}


class CallerContext(NamedTuple):
    """Who calls. The representation shows the values: do not log it.

    Attributes:
        sub: the user, or a machine's client id.
        tenant_id: the tenant, if the token has one.
        roles: in the tenant. An authorizer of AWS writes lists as text, in which a role with a comma or white space
            reads as two; no policy has such roles.
        scopes: of an access token.
        claims: everything that the authorizer passed on. Claims of ``settings.context_claims`` have the values of the
            token, for every kind of API; an authorizer of AWS makes text of all of them.
    """

    sub: str
    tenant_id: str | None
    roles: tuple[str, ...]
    scopes: tuple[str, ...]
    claims: Mapping[str, Any]


def caller_of(event: Mapping[str, Any], *, names: Mapping[str, str | None] = CLAIM_NAMES) -> CallerContext | None:
    """The caller of a back end's event.

    Args:
        event: as the function got it.
        names: the policy's ``claim_names``, if it has any; they count for JWT and Cognito authorizers, which pass on
            the token's claims.

    Returns:
        ``None`` if no authorizer passed on a token: the route is public, or it has no authorizer. Refuse it if the
        route must not be public.

    Raises:
        VerificationError: ``REQUEST_MALFORMED``: the event's authorizer is of no known form, or it is no event.
    """
    authorizer = _authorizer(_mapping(event))
    if authorizer is None:
        return None
    own, claims = _passed_on(authorizer)
    if not claims:
        return None
    by = _CONTEXT_NAMES if own else names
    sub = claims.get("sub")
    if not isinstance(sub, str) or not sub:
        raise _malformed()
    return CallerContext(
        sub,
        _text(claims, by.get("tenant_id")),
        _roles(_text(claims, by.get("roles")) or "", own=own),
        tuple((_text(claims, "scope") or "").split()),
        claims,
    )


def _authorizer(event: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What an authorizer said, in the event's own form; None if there is none."""
    context = event.get("requestContext")
    authorizer = context.get("authorizer") if isinstance(context, Mapping) else None
    if authorizer is not None:
        return _mapping(authorizer)
    # AppSync: the identity is null for an API key, and of another form for other ways to sign in.
    identity = event.get("identity")
    return None if identity is None else {"lambda": _mapping(_mapping(identity).get("resolverContext"))}


def _passed_on(authorizer: Mapping[str, Any]) -> tuple[bool, Mapping[str, Any]]:
    """What the authorizer passed on, and whether it was a Lambda authorizer.

    No further claim of our authorizer is called ``lambda``, ``claims`` or ``jwt``, so an object there is AWS's.
    """
    if "lambda" in authorizer:
        return True, _read_back(_mapping(authorizer["lambda"] or {}))
    if "jwt" in authorizer:
        return False, _mapping(_mapping(authorizer["jwt"]).get("claims"))
    if isinstance(authorizer.get("claims"), Mapping):
        return False, authorizer["claims"]
    # An HTTP API writes nulls in format 1.0 if there is no authorizer.
    return True, _read_back(
        {name: value for name, value in authorizer.items() if name not in _ADDED and value is not None}
    )


def _read_back(context: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        return read_back(context)
    except ValueError:
        raise _malformed() from None


def _roles(text: str, *, own: bool) -> tuple[str, ...]:
    """A list as text: ``a b`` from a Lambda authorizer, ``[a b]`` from a JWT, ``a,b`` from a Cognito authorizer."""
    return tuple((text if own else text.removeprefix("[").removesuffix("]").replace(",", " ")).split())


def _text(claims: Mapping[str, Any], name: str | None) -> str | None:
    value = None if name is None else claims.get(name)
    if value is not None and not isinstance(value, str):
        raise _malformed()
    return value


def _mapping(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise _malformed()
    return value


def _malformed() -> VerificationError:
    return VerificationError(Code.REQUEST_MALFORMED, "structure")
