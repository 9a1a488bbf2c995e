"""The event of the pre token generation trigger, versions 2 and 3, read tolerantly.

Source: ``user-pool-lambda-pre-token-generation`` in the Amazon Cognito developer guide. Real events differ from the
page's samples (``preferredRole`` null or a list, ``groupConfiguration`` null for machines, ``clientMetadata`` absent),
so whatever is not needed is not looked at, and whatever is needed is checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from claimsmith.cognito import limits
from claimsmith.errors import Code, EventError
from claimsmith.named_tuple import NamedTuple

MACHINE_SOURCE: Final = "TokenGeneration_ClientCredentials"
MANAGED_LOGIN: Final = "TokenGeneration_HostedAuth"
REFRESH: Final = "TokenGeneration_RefreshTokens"

#: Every source of the page. An unknown one is refused: what it means for a token is not known.
SOURCES: Final = frozenset(
    {
        MANAGED_LOGIN,
        "TokenGeneration_Authentication",
        "TokenGeneration_NewPasswordChallenge",
        "TokenGeneration_AuthenticateDevice",
        REFRESH,
        MACHINE_SOURCE,
    }
)

# A tuple, because a set cannot be asked for what is not hashable, and a hostile event may hold that.
_VERSIONS: Final = ("2", "3")


class Request(NamedTuple):
    """A token request: everything of the event that may decide something.

    Attributes:
        source: the trigger source, one of ``SOURCES``.
        client_id: the app client.
        sub: the user's subject; None for a machine (client credentials).
        username: the user's name in the pool.
        attributes: the user's attributes; all strings. Untrusted: users may write some of them.
        groups: the user's groups in the pool.
        scopes: requested scopes that the app client allows.
        metadata: client metadata. Untrusted: the caller writes it.
        iam_roles: the IAM roles of the user's groups; ``cognito:roles`` of the ID token.
        preferred_role: the first among them; ``cognito:preferred_role``.
        pool_id: the user pool; empty where it is not known. It only determines the length of ``iss``.
    """

    source: str
    client_id: str
    sub: str | None
    username: str
    attributes: Mapping[str, str]
    groups: tuple[str, ...]
    scopes: tuple[str, ...]
    metadata: Mapping[str, str]
    iam_roles: tuple[str, ...] = ()
    preferred_role: str | None = None
    pool_id: str = ""

    @property
    def machine(self) -> bool:
        """Whether this is a client credentials request: no user, no ID token."""
        return self.sub is None

    @property
    def api(self) -> bool:
        """Whether this is a sign-in by API, which can request no scope and always has this one.

        The refresh of a managed login that asked for this scope alone looks the same.
        """
        return self.source != MANAGED_LOGIN and set(self.scopes) == {limits.ADMIN_SCOPE}

    @property
    def may_be_bound(self) -> bool:
        """Whether Cognito may have bound the access token to a resource (RFC 8707); no event shows it.

        Only an authorization request can name a resource. So a machine's token is never bound, nor is that of a sign-in
        by API; a refresh does not show which kind of sign-in it goes back to, since a managed login may have asked
        for the one scope that an API sign-in has.
        """
        return not self.machine and (self.source == REFRESH or not self.api)


def parse(event: object) -> Request:
    """Read an event.

    Args:
        event: what Lambda hands to the handler.

    Raises:
        EventError: a part that is needed is missing or not of its type, the source is unknown, or the trigger is
            configured for event version 1, which cannot change an access token.
    """
    root = _map(event, "event")
    source = _text(root.get("triggerSource"), "triggerSource")
    if source not in SOURCES:
        raise EventError(Code.UNKNOWN_TRIGGER_SOURCE, "triggerSource")
    if root.get("version") not in _VERSIONS:
        raise EventError(Code.EVENT_VERSION, "version")
    client_id = _text(_map(root.get("callerContext"), "callerContext").get("clientId"), "callerContext.clientId")
    if not limits.CLIENT_ID.fullmatch(client_id):
        raise EventError(Code.MALFORMED_EVENT, "callerContext.clientId")
    request = _map(root.get("request"), "request")
    machine = source == MACHINE_SOURCE
    attributes = _strings_by_name(request.get("userAttributes"), "request.userAttributes")
    sub = None
    if not machine:
        sub = attributes.get("sub", "")
        if not limits.SUB.fullmatch(sub):
            raise EventError(Code.MALFORMED_EVENT, "request.userAttributes.sub")
    metadata = _strings_by_name(request.get("clientMetadata"), "request.clientMetadata")
    if sum(len(name) + len(value) for name, value in metadata.items()) > limits.MAX_METADATA:
        raise EventError(Code.MALFORMED_EVENT, "request.clientMetadata")
    groups = _map(request.get("groupConfiguration") or {}, "request.groupConfiguration")
    return Request(
        source=source,
        client_id=client_id,
        sub=sub,
        username=_text(root.get("userName"), "userName"),
        attributes=attributes,
        groups=_strings(groups.get("groupsToOverride"), "request.groupConfiguration.groupsToOverride"),
        scopes=_strings(request.get("scopes"), "request.scopes"),
        metadata=metadata,
        iam_roles=_strings(groups.get("iamRolesToOverride"), "request.groupConfiguration.iamRolesToOverride"),
        preferred_role=_first(groups.get("preferredRole")),
        pool_id=_first(root.get("userPoolId")) or "",
    )


def subject(event: object) -> tuple[str | None, str]:
    """Whom an event is about, and the user pool, as far as they can be read: of an event that ``parse`` refuses, too.

    Returns:
        The user's ``sub``, or the app client id of a machine; None if the event does not say. The pool's id; empty if
        the event does not say.
    """
    root = event if isinstance(event, Mapping) else {}
    pool = _first(root.get("userPoolId")) or ""
    if root.get("triggerSource") == MACHINE_SOURCE:
        where: tuple[str, ...] = ("callerContext", "clientId")
    else:
        where = ("request", "userAttributes", "sub")
    found: object = root
    for name in where:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found if isinstance(found, str) else None, pool


def _first(value: object) -> str | None:
    """The preferred role: text or null in real events, a list in the page's samples; nothing is decided by it."""
    if isinstance(value, list) and value:
        value = value[0]
    return value if isinstance(value, str) else None


def _map(value: object, path: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise EventError(Code.MALFORMED_EVENT, path)
    return value


def _text(value: object, path: str) -> str:
    if not isinstance(value, str) or not value:
        raise EventError(Code.MALFORMED_EVENT, path)
    return value


def _strings(value: object, path: str) -> tuple[str, ...]:
    """A list of strings; absent and null are the empty list."""
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise EventError(Code.MALFORMED_EVENT, path)
    return tuple(value)


def _strings_by_name(value: object, path: str) -> Mapping[str, str]:
    """A map of strings; absent and null are the empty map."""
    if value is None:
        return {}
    if not isinstance(value, Mapping) or not all(
        isinstance(name, str) and isinstance(item, str) for name, item in value.items()
    ):
        raise EventError(Code.MALFORMED_EVENT, path)
    return value
