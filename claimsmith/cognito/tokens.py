"""The claims of the tokens Cognito issues, as far as a request decides them: what preview shows.

Source: ``amazon-cognito-user-pools-using-the-access-token`` and ``…-the-id-token``. Claims that only the moment of
issue decides are left out (``UNPREDICTABLE``).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from claimsmith.cognito.response import GROUPS_CLAIM, Groups

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from claimsmith.cognito.event import Request
    from claimsmith.cognito.response import Changes, TokenChanges

#: What no preview can know.
UNPREDICTABLE: Final = frozenset(
    [
        "acr",
        "amr",
        "at_hash",
        "auth_time",
        "device_key",
        "event_id",
        "exp",
        "iat",
        "jti",
        "nonce",
        "origin_jti",
        "version",
    ],
)

_IDENTITIES: Final = "identities"
#: What goes with the groups where these are suppressed; the ID token has them.
ROLE_CLAIMS: Final = ("cognito:preferred_role", "cognito:roles")

#: Attributes that are strings in the event and booleans in the ID token.
_BOOLEAN_ATTRIBUTES: Final = ("email_verified", "phone_number_verified")


def issued(
    request: Request, changes: Changes, *, issuer: str = "", readable: AbstractSet[str] | None = None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The access and the ID token's claims after these changes; an ID token that is not issued is empty.

    That is a machine's, and that of a managed login, or of its refresh, that did not ask for ``openid``.

    Args:
        request: what was asked.
        changes: what the trigger answers.
        issuer: the value of ``iss``; empty where it is not known, and then no claim.
        readable: the attributes that the app client may read; None for all.
    """
    scopes = [scope for scope in request.scopes if scope not in changes.scopes_to_suppress]
    scopes += [scope for scope in changes.scopes_to_add if scope not in scopes]
    common: dict[str, Any] = {"sub": request.sub or request.client_id}
    if issuer:
        common["iss"] = issuer
    current = changes.groups or Groups(request.groups, request.iam_roles, request.preferred_role)
    groups = {GROUPS_CLAIM: list(current.groups)} if current.groups else {}
    access: dict[str, Any] = {**common, **groups, "client_id": request.client_id, "token_use": "access"}
    if scopes:
        access["scope"] = " ".join(sorted(scopes))
    if request.machine:
        return _changed(access, changes.access), {}
    access["username"] = request.username
    if not request.api and "openid" not in request.scopes:
        return _changed(access, changes.access), {}
    roles: dict[str, Any] = {"cognito:roles": list(current.iam_roles)} if current.iam_roles else {}
    if current.preferred_role is not None:
        roles["cognito:preferred_role"] = current.preferred_role
    identity = {
        **_attributes(request, readable),
        **common,
        **groups,
        **roles,
        "aud": request.client_id,
        "cognito:username": request.username,
        "token_use": "id",
    }
    return _changed(access, changes.access), _changed(identity, changes.id)


def _attributes(request: Request, readable: AbstractSet[str] | None) -> dict[str, Any]:
    """The attributes as the ID token has them; ``identities`` is there whatever the client may read."""
    shown: dict[str, Any] = {
        name: value
        for name, value in request.attributes.items()
        if name != _IDENTITIES and not name.startswith("cognito:") and (readable is None or name in readable)
    }
    for name in _BOOLEAN_ATTRIBUTES:
        if name in shown:
            shown[name] = shown[name] == "true"
    if _IDENTITIES in request.attributes:
        shown[_IDENTITIES] = _parsed(request.attributes[_IDENTITIES])
    return shown


def _parsed(text: str) -> Any:  # noqa: ANN401 - any JSON value
    """JSON text as the value it is; other text as it is."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _changed(claims: dict[str, Any], changes: TokenChanges) -> dict[str, Any]:
    """Suppression wins over setting, as it does at Cognito, and takes the roles along with the groups."""
    claims.update(changes.claims)
    for name in changes.suppressed:
        claims.pop(name, None)
    if GROUPS_CLAIM in changes.suppressed:
        for name in ROLE_CLAIMS:
            claims.pop(name, None)
    return claims
