"""Events as a real user pool sends them to the pre token generation trigger, versions 2 and 3.

The shapes are those of captured events: ``response`` holds null, ``preferredRole`` is null, ``clientMetadata`` is not
there unless the caller sent some, and a machine has neither attributes nor groups.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

HOSTED: Final = "TokenGeneration_HostedAuth"
SIGN_IN: Final = "TokenGeneration_Authentication"
REFRESH: Final = "TokenGeneration_RefreshTokens"
MACHINE: Final = "TokenGeneration_ClientCredentials"

#: The sources of a user's tokens.
USER_SOURCES: Final = (
    HOSTED,
    SIGN_IN,
    "TokenGeneration_NewPasswordChallenge",
    "TokenGeneration_AuthenticateDevice",
    REFRESH,
)

SOURCES: Final = (*USER_SOURCES, MACHINE)

#: All that an API sign-in can have: it cannot ask for a scope.
API_SCOPES: Final = ("aws.cognito.signin.user.admin",)

SUB: Final = "5c1b8f6e-9d6b-4a3e-8a57-0d6b2f0c9e11"
CLIENT: Final = "1example23456789"


def event(
    source: str = HOSTED,
    *,
    sub: str = SUB,
    client_id: str = CLIENT,
    scopes: Sequence[str] | None = None,
    groups: Sequence[str] = (),
    attributes: Mapping[str, str] | None = None,
    metadata: Mapping[str, str] | None = None,
    version: str | None = None,
) -> dict[str, Any]:
    """One event.

    Args:
        source: the trigger source.
        sub: the user; a machine has none.
        client_id: the app client.
        scopes: what was asked for; by default what this source asks for in practice.
        groups: the user's groups.
        attributes: the user's attributes beside ``sub`` and the usual ones.
        metadata: client metadata; without it the event has no such key. Managed login passes none on.
        version: the event version; machines exist from version 3 on.
    """
    machine = source == MACHINE
    assert metadata is None or source != HOSTED, "managed login passes no client metadata to the trigger"
    assert not (machine and (groups or attributes)), "a machine has neither groups nor attributes"
    if scopes is None:
        scopes = {HOSTED: ("openid", "orders/read"), MACHINE: ("orders/read",)}.get(source, API_SCOPES)
    request: dict[str, Any] = {
        "userAttributes": {} if machine else _attributes(sub, attributes or {}),
        "groupConfiguration": None if machine else _groups(groups),
        "scopes": list(scopes),
    }
    if metadata is not None:
        request["clientMetadata"] = dict(metadata)
    return {
        "version": version or ("3" if machine else "2"),
        "triggerSource": source,
        "region": "eu-central-1",
        "userPoolId": "eu-central-1_aBcDeFgHi",
        "userName": "ClientCredentials" if machine else sub,
        "callerContext": {"awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": client_id},
        "request": request,
        "response": {"claimsAndScopeOverrideDetails": None},
    }


def _attributes(sub: str, more: Mapping[str, str]) -> dict[str, str]:
    return {
        "sub": sub,
        "cognito:user_status": "CONFIRMED",
        "email": "user@example.com",
        "email_verified": "true",
        **more,
    }


def _groups(groups: Sequence[str]) -> dict[str, Any]:
    return {"groupsToOverride": list(groups), "iamRolesToOverride": [], "preferredRole": None}
