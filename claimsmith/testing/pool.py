"""The contents of a user pool: users, app clients, and the sessions of sign-ins."""

from __future__ import annotations

import re
import secrets
import string
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from claimsmith.testing.contract import ADMIN_SCOPE, OIDC_SCOPES
from claimsmith.testing.errors import (
    InvalidOAuthFlowException,
    InvalidParameterException,
    NotAuthorizedException,
    RefreshTokenReuseException,
    TokenEndpointError,
    UnsupportedOperationException,
)
from claimsmith.testing.response import Groups

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: The default flows of an app client: every sign-in except the administrator's, and refreshing.
USER_FLOWS: Final = frozenset({"code", "ALLOW_USER_SRP_AUTH", "ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"})

MACHINE_FLOW: Final = "client_credentials"

_ABOUT_USERS: Final = OIDC_SCOPES | {ADMIN_SCOPE}
_RESOURCE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s#]+")
_ID_LETTERS: Final = string.ascii_lowercase + string.digits


@dataclass
class User:
    """A user; changes take effect with the next token.

    Attributes:
        username: the name in the pool.
        sub: the subject.
        attributes: without ``sub``; strings, as Cognito stores them (``"email_verified": "true"``).
        groups: names.
        iam_roles: ARNs of the roles that come with the groups.
        preferred_role: one of them.
        status: ``cognito:user_status``.
        enabled: a disabled user gets no token.
    """

    username: str
    sub: str
    attributes: dict[str, str] = field(default_factory=dict)
    groups: list[str] = field(default_factory=list)
    iam_roles: list[str] = field(default_factory=list)
    preferred_role: str | None = None
    status: str = "CONFIRMED"
    enabled: bool = True

    def event_attributes(self) -> dict[str, str]:
        """The attributes as a trigger sees them.

        Raises:
            InvalidParameterException: one is not a string.
        """
        attributes = {"sub": self.sub, "cognito:user_status": self.status, **self.attributes}
        check_strings("attributes", attributes)
        return attributes

    def held_groups(self) -> Groups:
        """The groups and what comes with them."""
        return Groups(tuple(self.groups), tuple(self.iam_roles), self.preferred_role)


@dataclass(frozen=True)
class AppClient:
    """An app client.

    Attributes:
        id: the client id.
        secret: None for a public client.
        scopes: allowed scopes; a machine's are custom scopes.
        flows: OAuth flows (``code``, ``client_credentials``) and ``ExplicitAuthFlows`` (``ALLOW_USER_SRP_AUTH``).
        readable_attributes: attributes that the ID token may contain; None for all.
        token_seconds: lifetime of access and ID tokens.
        refresh_seconds: lifetime of a refresh token.
        rotation_grace_seconds: with refresh token rotation, how long a replaced one still works; None without.
        token_revocation: whether tokens have ``jti`` and ``origin_jti`` and can be revoked.
        callback_urls: where managed login may send its codes; none allows any address on this machine.
    """

    id: str
    secret: str | None = None
    scopes: tuple[str, ...] = ()
    flows: frozenset[str] = USER_FLOWS
    readable_attributes: frozenset[str] | None = None
    token_seconds: int = 3_600
    refresh_seconds: int = 30 * 86_400
    rotation_grace_seconds: int | None = None
    token_revocation: bool = True
    callback_urls: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse flows that CreateUserPoolClient refuses.

        Raises:
            InvalidOAuthFlowException: client credentials together with a user's flow, or without a secret.
        """
        if MACHINE_FLOW not in self.flows:
            return
        if self.flows & {"code", "implicit"}:
            raise InvalidOAuthFlowException(
                "client_credentials flow can not be selected along with code flow or implicit flow."
            )
        if self.secret is None:
            raise InvalidOAuthFlowException(
                "client_credentials flow can not be selected if client does not have a client secret."
            )

    def granted(self, requested: Iterable[str] | None, *, custom_only: bool = False) -> tuple[str, ...]:
        """Requested scopes that are allowed, or all allowed ones if none are requested; others are ignored.

        Args:
            requested: None if the request has no ``scope``.
            custom_only: for a machine, which cannot get scopes of OpenID Connect.
        """
        allowed = [scope for scope in self.scopes if not (custom_only and scope in _ABOUT_USERS)]
        return tuple(allowed) if requested is None else tuple(s for s in dict.fromkeys(requested) if s in allowed)

    def readable(self, attributes: Mapping[str, str]) -> dict[str, str]:
        """Attributes that this app client may read."""
        may = self.readable_attributes
        return {name: value for name, value in attributes.items() if may is None or name in may}


def new_client_id() -> str:
    """An id in Cognito's format."""
    return "".join(secrets.choice(_ID_LETTERS) for _ in range(26))


def check_resource(resource: str) -> None:
    """Refuse a resource that is not an absolute URI without a fragment (RFC 8707 section 2).

    Raises:
        TokenEndpointError: with ``invalid_target``.
    """
    if not _RESOURCE.fullmatch(resource):
        raise TokenEndpointError("A resource is an absolute URI without a fragment.", "invalid_target")


def check_strings(what: str, values: Mapping[str, object]) -> None:
    """Refuse a map with other values than strings.

    Raises:
        InvalidParameterException: a value is not a string.
    """
    wrong = sorted(name for name, value in values.items() if not isinstance(value, str))
    if wrong:
        raise InvalidParameterException(f"{what}: values must be strings, but these are not: {', '.join(wrong)}.")


@dataclass
class Session:
    """One sign-in, with the tokens of one ``origin_jti``.

    Attributes:
        username: the user.
        client: the app client.
        scopes: granted; a refresh grants the same.
        oauth: whether it began at the token endpoint.
        auth_time: epoch seconds; a refresh does not change it.
        expires_at: when the refresh token expires. A rotated one inherits it.
        device_key: of the device that signed in.
        resource: the resource that its access tokens are bound to; a refresh does not change it.
        origin_jti: common to all its tokens.
        revoked: whether RevokeToken, a sign-out or disabling the user has ended it.
    """

    username: str
    client: AppClient
    scopes: tuple[str, ...]
    oauth: bool
    auth_time: int
    expires_at: int
    device_key: str | None = None
    resource: str | None = None
    origin_jti: str = field(default_factory=lambda: str(uuid.uuid4()))
    revoked: bool = False


class Sessions:
    """The sessions of a pool, by refresh token."""

    def __init__(self) -> None:
        #: With the time from which a replaced refresh token is refused.
        self._by_refresh_token: dict[str, tuple[Session, float | None]] = {}
        self._by_access_token: dict[str, tuple[Session, Mapping[str, Any]]] = {}

    def begin(self, session: Session) -> str:
        """Store a session and return its refresh token."""
        refresh_token = secrets.token_urlsafe(48)
        self._by_refresh_token[refresh_token] = (session, None)
        return refresh_token

    def issued(self, access_token: str, session: Session, claims: Mapping[str, Any]) -> None:
        """Store the session of an access token."""
        self._by_access_token[access_token] = (session, claims)

    def of_access_token(self, access_token: str) -> tuple[Session, Mapping[str, Any]]:
        """The session and the claims of an access token, revoked or not.

        Raises:
            NotAuthorizedException: it is not a user's access token of this pool.
        """
        known = self._by_access_token.get(access_token)
        if known is None:
            raise NotAuthorizedException("Invalid Access Token")
        return known

    def of_refresh_token(self, refresh_token: str, client: AppClient, now: float) -> Session:
        """The session of a refresh token that may be used.

        Raises:
            NotAuthorizedException: it is unknown, another client's, expired or revoked.
            RefreshTokenReuseException: rotation has replaced it.
        """
        session, replaced_at = self._known(refresh_token, client)
        if session.revoked:
            raise NotAuthorizedException("Refresh Token has been revoked")
        if now >= session.expires_at:
            raise NotAuthorizedException("Refresh Token has expired")
        if replaced_at is not None and now >= replaced_at:
            raise RefreshTokenReuseException("Refresh token has been invalidated by rotation")
        return session

    def rotate(self, refresh_token: str, session: Session, now: float) -> str | None:
        """The next refresh token of a session; None if the app client does not rotate them."""
        grace = session.client.rotation_grace_seconds
        if grace is None:
            return None
        if self._by_refresh_token[refresh_token][1] is None:
            self._by_refresh_token[refresh_token] = (session, now + grace)
        return self.begin(session)

    def revoke(self, refresh_token: str, client: AppClient) -> None:
        """Revoke a session by any of its refresh tokens.

        Raises:
            NotAuthorizedException: it is unknown or another client's.
            UnsupportedOperationException: the app client has revocation switched off.
        """
        if not client.token_revocation:
            raise UnsupportedOperationException("Revocation is not enabled for the client")
        self._known(refresh_token, client)[0].revoked = True

    def revoke_all(self, username: str) -> None:
        """Revoke every session of a user."""
        for session, _ in self._by_refresh_token.values():
            if session.username == username:
                session.revoked = True

    def _known(self, refresh_token: str, client: AppClient) -> tuple[Session, float | None]:
        known = self._by_refresh_token.get(refresh_token)
        if known is None or known[0].client.id != client.id:
            raise NotAuthorizedException("Invalid Refresh Token")
        return known
