"""What API Gateway's own authorizers make of a token, as pure functions, to test a back end behind them.

Both return what the back end finds in ``requestContext.authorizer``. There every claim is text. How lists, objects and
times are written is not documented; it is here as users report it, so read them with care.

- https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html
- https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-integrate-with-cognito.html
"""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

#: Octets of request line and headers together, of an HTTP API.
_MAX_HEADERS: Final = 10_240
_TIMES: Final = frozenset({"exp", "iat"})


class GatewayRefusal(Exception):  # noqa: N818 - it is an answer
    """The request does not reach the back end.

    Attributes:
        status: 401, or 403 if the token is good and grants too little.
    """

    def __init__(self, status: int, why: str) -> None:
        super().__init__(f"{status}: {why}")
        self.status = status


def jwt_authorizer(
    authorization: str,
    *,
    jwks: Mapping[str, Any],
    issuer: str,
    audience: Collection[str],
    scopes: Collection[str] = (),
    now: float,
) -> dict[str, Any]:
    """The JWT authorizer of an HTTP API.

    Args:
        authorization: the header, with or without ``Bearer``.
        jwks: the pool's key set.
        issuer: configured.
        audience: configured. Compared with ``aud`` if the token has one, else with ``client_id``.
        scopes: of the route; one is enough.
        now: epoch seconds.

    Returns:
        ``requestContext.authorizer``: ``{"jwt": {"claims": …, "scopes": …}}``.

    Raises:
        GatewayRefusal: the request is refused.
    """
    if len(authorization.encode()) > _MAX_HEADERS:
        raise GatewayRefusal(401, "the header is too long")
    claims = _claims(authorization, jwks, issuer, now)
    bound = claims["aud"] if "aud" in claims else claims.get("client_id")
    if not set(bound if isinstance(bound, list) else [bound]) & set(audience):
        raise GatewayRefusal(401, "aud, or client_id without it, is not in the audience")
    _check_scopes(claims, scopes)
    return {
        "jwt": {
            "claims": {name: _text(value, " ") for name, value in claims.items()},
            "scopes": list(scopes) or None,
        }
    }


def cognito_authorizer(
    authorization: str, *, jwks: Mapping[str, Any], issuer: str, scopes: Collection[str] = (), now: float
) -> dict[str, Any]:
    """The Cognito authorizer of a REST API.

    Args:
        authorization: the header, with or without ``Bearer``.
        jwks: the pool's key set.
        issuer: of the pool.
        scopes: of the method; one is enough. Without any it takes ID tokens, with some it takes access tokens.
        now: epoch seconds.

    Returns:
        ``requestContext.authorizer``: ``{"claims": …}``.

    Raises:
        GatewayRefusal: the request is refused.
    """
    claims = _claims(authorization, jwks, issuer, now)
    wanted = "access" if scopes else "id"
    if claims.get("token_use") != wanted:
        raise GatewayRefusal(401, f"the token is no {wanted} token")
    _check_scopes(claims, scopes)
    return {
        "claims": {
            name: f"{datetime.fromtimestamp(value, UTC):%a %b %d %H:%M:%S UTC %Y}"
            if name in _TIMES
            else _text(value, ",").strip("[]")
            for name, value in claims.items()
        }
    }


def _check_scopes(claims: Mapping[str, Any], scopes: Collection[str]) -> None:
    if scopes and not set(scopes) & set(str(claims.get("scope", "")).split()):
        raise GatewayRefusal(403, "the token has none of the scopes")


def _claims(authorization: str, jwks: Mapping[str, Any], issuer: str, now: float) -> dict[str, Any]:
    """The claims of a token with a good signature, of this issuer, at its time."""
    token = authorization.removeprefix("Bearer ")
    signed, _, signature = token.rpartition(".")
    try:
        header, payload = (json.loads(_octets(part)) for part in signed.split("."))
        jwk = next(key for key in jwks["keys"] if key["kid"] == header["kid"])
        numbers = rsa.RSAPublicNumbers(*(int.from_bytes(_octets(jwk[part])) for part in ("e", "n")))
        numbers.public_key().verify(_octets(signature), signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        claims: dict[str, Any] = dict(payload)
    except (ValueError, KeyError, TypeError, StopIteration, InvalidSignature):
        raise GatewayRefusal(401, "the token is none of this pool") from None
    if header.get("alg") != "RS256" or claims.get("iss") != issuer:
        raise GatewayRefusal(401, "the token is none of this pool")
    if not claims.get("nbf", 0) <= now < claims["exp"] or claims["iat"] > now:
        raise GatewayRefusal(401, "the token has expired, or is not valid yet")
    return claims


def _text(value: object, between: str) -> str:
    match value:
        case bool():
            return str(value).lower()
        case list():
            return f"[{between.join(_text(one, between) for one in value)}]"
        case dict():
            return f"map[{' '.join(f'{name}:{_text(one, between)}' for name, one in value.items())}]"
    return str(value)


def _octets(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
