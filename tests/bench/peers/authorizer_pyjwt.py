"""An authorizer as people write it: PyJWT with its own client for the issuer's keys. It knows of no revocation."""

from __future__ import annotations

import json
import os
from typing import Any

import jwt

issuer, _, jwks_uri = os.environ["CLAIMSMITH_ISSUERS"].partition("=")
client_ids = os.environ["CLAIMSMITH_CLIENT_IDS"].split(",")
keys = jwt.PyJWKClient(jwks_uri)


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Allow a request whose token may read orders."""
    token = event["identitySource"][0].removeprefix("Bearer ")
    try:
        claims = verify(token, keys)
    except (jwt.PyJWTError, PermissionError) as error:
        print(json.dumps({"message": "refused", "why": str(error)}))  # noqa: T201 - its log
        return {"isAuthorized": False}
    print(json.dumps({"message": "allowed"}))  # noqa: T201 - its log
    return {"isAuthorized": "orders/read" in claims["scope"].split(), "context": {"sub": claims["sub"]}}


def verify(token: str, known: jwt.PyJWKClient) -> dict[str, Any]:
    """The claims of an access token of ours."""
    key = known.get_signing_key_from_jwt(token)
    options: Any = {"verify_aud": False, "require": ["exp", "iss"]}
    claims: dict[str, Any] = jwt.decode(token, key, algorithms=["RS256"], issuer=issuer, options=options)
    if claims.get("token_use") != "access" or claims.get("client_id") not in client_ids:
        raise PermissionError("not an access token of ours")
    return claims
