"""The claims of the tokens Cognito issues, as far as a request decides them: what preview shows.

Source: ``amazon-cognito-user-pools-using-the-access-token`` and ``…-the-id-token``. Claims that only the moment of
issue decides are left out (``UNPREDICTABLE``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from claimsmith.cognito.response import GROUPS_CLAIM

if TYPE_CHECKING:
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

#: Attributes that are strings in the event and booleans in the ID token.
_BOOLEAN_ATTRIBUTES: Final = ("email_verified", "phone_number_verified")


def issued(request: Request, changes: Changes, issuer: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The access and the ID token's claims after these changes; a machine's ID token is empty.

    Args:
        request: what was asked.
        changes: what the trigger answers.
        issuer: the value of ``iss``; empty where it is not known, and then no claim.
    """
    scopes = [scope for scope in request.scopes if scope not in changes.scopes_to_suppress]
    scopes += [scope for scope in changes.scopes_to_add if scope not in scopes]
    common: dict[str, Any] = {"sub": request.sub or request.client_id}
    if issuer:
        common["iss"] = issuer
    groups = {GROUPS_CLAIM: list(request.groups)} if request.groups else {}
    access: dict[str, Any] = {**common, **groups, "client_id": request.client_id, "token_use": "access"}
    if scopes:
        access["scope"] = " ".join(sorted(scopes))
    if request.machine:
        return _changed(access, changes.access), {}
    access["username"] = request.username
    attributes: dict[str, Any] = {
        name: value for name, value in request.attributes.items() if name != "sub" and not name.startswith("cognito:")
    }
    for name in _BOOLEAN_ATTRIBUTES:
        if name in attributes:
            attributes[name] = attributes[name] == "true"
    identity = {
        **attributes,
        **common,
        **groups,
        "aud": request.client_id,
        "cognito:username": request.username,
        "token_use": "id",
    }
    return _changed(access, changes.access), _changed(identity, changes.id)


def _changed(claims: dict[str, Any], changes: TokenChanges) -> dict[str, Any]:
    """Suppression wins over setting, as it does at Cognito."""
    merged = {**claims, **changes.claims}
    return {name: merged[name] for name in sorted(merged) if name not in changes.suppressed}
