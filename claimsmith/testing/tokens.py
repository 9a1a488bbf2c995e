"""The claims of a pool's tokens before any trigger changes them, and the tokens that a caller gets.

Sources: ``amazon-cognito-user-pools-using-the-access-token`` and ``…-the-id-token`` of the Amazon Cognito developer
guide. Claims that the guide does not document are left out, so that nothing depends on them.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from claimsmith.testing.contract import ADMIN_SCOPE
from claimsmith.testing.response import Draft

if TYPE_CHECKING:
    from collections.abc import Mapping

    from claimsmith.testing.contract import Violation
    from claimsmith.testing.pool import AppClient, Session, User

#: Strings in the event, booleans in the ID token.
_BOOLEANS: Final = ("email_verified", "phone_number_verified")

#: The scopes of an API sign-in, which cannot request any.
API_SCOPES: Final = (ADMIN_SCOPE,)


@dataclass(frozen=True)
class Tokens:
    """The result of one request for tokens.

    Attributes:
        access_token: signed.
        id_token: signed; None for a machine, and for a managed login without ``openid``.
        refresh_token: of a sign-in, and of a refresh with rotation.
        expires_in: seconds.
        access: the access token's claims.
        id: the ID token's claims; empty if there is none.
        event: the trigger's event; None if it was not called.
        answer: the trigger's answer.
        violations: with ``on_violation="drop"``, the violations whose changes were dropped.
    """

    access_token: str = field(repr=False)
    id_token: str | None = field(repr=False)
    refresh_token: str | None = field(repr=False)
    expires_in: int
    access: Mapping[str, Any]
    id: Mapping[str, Any]
    event: Mapping[str, Any] | None = None
    answer: Any = None
    violations: tuple[Violation, ...] = ()


def user_draft(user: User, session: Session, issuer: str, now: int, nonce: str | None) -> Draft:
    """A user's tokens without a trigger.

    Args:
        user: the user.
        session: the session of the sign-in.
        issuer: ``iss``.
        now: epoch seconds.
        nonce: of the authorization request.
    """
    client = session.client
    event_id = str(uuid.uuid4())
    common: dict[str, Any] = {
        "sub": user.sub,
        "iss": issuer,
        "event_id": event_id,
        "auth_time": session.auth_time,
        "exp": now + client.token_seconds,
        "iat": now,
    }
    if client.token_revocation:
        common["origin_jti"] = session.origin_jti
    access: dict[str, Any] = {
        **common,
        **_jti(client),
        "client_id": client.id,
        "token_use": "access",
        "username": user.username,
    }
    if session.oauth:
        access["version"] = 2
    if session.device_key is not None:
        access["device_key"] = session.device_key
    if session.resource is not None:
        access["aud"] = session.resource
    identity: dict[str, Any] = {
        **_attribute_claims(client.readable(user.attributes)),
        **common,
        **_jti(client),
        "aud": client.id,
        "token_use": "id",
        "cognito:username": user.username,
    }
    if nonce is not None:
        identity["nonce"] = nonce
    issued = not session.oauth or "openid" in session.scopes
    return Draft(access, identity if issued else None, session.scopes, user.held_groups(), client.id, identity)


def machine_draft(client: AppClient, scopes: tuple[str, ...], issuer: str, now: int) -> Draft:
    """A machine's access token without a trigger: its subject is its client, and it cannot be revoked.

    It cannot be bound to a resource: Cognito only accepts that parameter in authorization requests.
    """
    access = {
        "sub": client.id,
        "iss": issuer,
        "client_id": client.id,
        "token_use": "access",
        "exp": now + client.token_seconds,
        "iat": now,
        "jti": str(uuid.uuid4()),
    }
    return Draft(access, None, scopes, None, client.id, {"aud": client.id})


def _jti(client: AppClient) -> dict[str, str]:
    return {"jti": str(uuid.uuid4())} if client.token_revocation else {}


def _attribute_claims(attributes: Mapping[str, str]) -> dict[str, Any]:
    claims: dict[str, Any] = {
        name: value for name, value in attributes.items() if not name.startswith("cognito:") and name != "sub"
    }
    for name in _BOOLEANS:
        if name in claims:
            claims[name] = claims[name] == "true"
    if "identities" in claims:
        claims["identities"] = json.loads(claims["identities"])
    return claims
