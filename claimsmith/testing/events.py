"""The event that Cognito sends to the trigger, versions 2 and 3.

Sources: ``user-pool-lambda-pre-token-generation`` and ``token-endpoint`` of the Amazon Cognito developer guide, and
events that users captured, for details that are not documented: ``preferredRole`` is null and not a list,
``response`` contains null, and there is no ``clientMetadata`` if the caller sent none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from claimsmith.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from claimsmith.testing.response import Groups

HOSTED_AUTH: Final = "TokenGeneration_HostedAuth"
AUTHENTICATION: Final = "TokenGeneration_Authentication"
NEW_PASSWORD_CHALLENGE: Final = "TokenGeneration_NewPasswordChallenge"
AUTHENTICATE_DEVICE: Final = "TokenGeneration_AuthenticateDevice"
REFRESH_TOKENS: Final = "TokenGeneration_RefreshTokens"
CLIENT_CREDENTIALS: Final = "TokenGeneration_ClientCredentials"

#: The user name in a machine's event.
MACHINE_NAME: Final = "ClientCredentials"


class Flow(NamedTuple):
    """A way to get tokens.

    Attributes:
        source: the trigger source.
        passes_metadata: whether client metadata reaches the trigger.
        oauth: whether it is the token endpoint, which grants requested scopes; an API sign-in requests none.
        allowed_by: the app client needs one of these.
    """

    source: str
    passes_metadata: bool
    oauth: bool
    allowed_by: frozenset[str]


_PASSWORD: Final = frozenset({"ALLOW_USER_PASSWORD_AUTH", "ALLOW_USER_AUTH"})
_ADMIN_PASSWORD: Final = frozenset({"ALLOW_ADMIN_USER_PASSWORD_AUTH"})
_CHALLENGES: Final = frozenset({"ALLOW_USER_SRP_AUTH", "ALLOW_CUSTOM_AUTH"}) | _PASSWORD

#: How a user signs in: the operation that returns the tokens, or the challenge that it answers.
SIGN_INS: Final[dict[str, Flow]] = {
    "InitiateAuth": Flow(AUTHENTICATION, passes_metadata=False, oauth=False, allowed_by=_PASSWORD),
    "AdminInitiateAuth": Flow(AUTHENTICATION, passes_metadata=False, oauth=False, allowed_by=_ADMIN_PASSWORD),
    "RespondToAuthChallenge": Flow(AUTHENTICATION, passes_metadata=True, oauth=False, allowed_by=_CHALLENGES),
    "AdminRespondToAuthChallenge": Flow(
        AUTHENTICATION, passes_metadata=True, oauth=False, allowed_by=_CHALLENGES | _ADMIN_PASSWORD
    ),
    "NEW_PASSWORD_REQUIRED": Flow(
        NEW_PASSWORD_CHALLENGE, passes_metadata=True, oauth=False, allowed_by=_CHALLENGES | _ADMIN_PASSWORD
    ),
    "DEVICE_PASSWORD_VERIFIER": Flow(AUTHENTICATE_DEVICE, passes_metadata=True, oauth=False, allowed_by=_CHALLENGES),
    "authorization_code": Flow(HOSTED_AUTH, passes_metadata=False, oauth=True, allowed_by=frozenset({"code"})),
}

#: How tokens are refreshed.
REFRESHES: Final[dict[str, Flow]] = {
    "GetTokensFromRefreshToken": Flow(REFRESH_TOKENS, passes_metadata=True, oauth=False, allowed_by=frozenset()),
    "REFRESH_TOKEN_AUTH": Flow(
        REFRESH_TOKENS, passes_metadata=False, oauth=False, allowed_by=frozenset({"ALLOW_REFRESH_TOKEN_AUTH"})
    ),
    "refresh_token": Flow(REFRESH_TOKENS, passes_metadata=False, oauth=True, allowed_by=frozenset()),
}

#: How a machine gets its token.
MACHINES: Final[dict[str, Flow]] = {
    name: Flow(CLIENT_CREDENTIALS, passes_metadata=True, oauth=True, allowed_by=frozenset({"client_credentials"}))
    for name in ("client_credentials", "GetClientToken")
}


class Pool(NamedTuple):
    """The user pool of an event."""

    region: str
    id: str


def build(  # noqa: PLR0913 - the members of an event
    *,
    version: str,
    source: str,
    pool: Pool,
    username: str,
    client_id: str,
    attributes: Mapping[str, str],
    groups: Groups | None,
    scopes: Iterable[str],
    client_metadata: Mapping[str, str] | None,
) -> dict[str, Any]:
    """One event.

    Args:
        version: ``"2"`` or ``"3"``.
        source: the trigger source.
        pool: the user pool.
        username: the user's name; ``ClientCredentials`` for a machine.
        client_id: the app client.
        attributes: the user's attributes; none for a machine.
        groups: the user's groups; None for a machine.
        scopes: requested and allowed.
        client_metadata: if it reaches the trigger and the caller sent some; otherwise the event has no such key.
    """
    request: dict[str, Any] = {
        "userAttributes": dict(attributes),
        "groupConfiguration": None
        if groups is None
        else {
            "groupsToOverride": list(groups.groups),
            "iamRolesToOverride": list(groups.roles),
            "preferredRole": groups.preferred_role,
        },
        "scopes": list(scopes),
    }
    if client_metadata:
        request["clientMetadata"] = dict(client_metadata)
    return {
        "version": version,
        "triggerSource": source,
        "region": pool.region,
        "userPoolId": pool.id,
        "userName": username,
        "callerContext": {"awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": client_id},
        "request": request,
        "response": {"claimsAndScopeOverrideDetails": None},
    }
