"""``CognitoKit``: a user pool in memory that issues real tokens according to Cognito's rules."""

from __future__ import annotations

import re
import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from claimsmith.testing import events, pool, tokens
from claimsmith.testing.contract import ADMIN_SCOPE, TRIGGER_SECONDS, Rule
from claimsmith.testing.errors import (
    CognitoError,
    ContractViolation,
    InvalidParameterException,
    NotAuthorizedException,
    ResourceNotFoundException,
    TokenEndpointError,
    UserNotFoundException,
)
from claimsmith.testing.key_server import serving
from claimsmith.testing.managed_login import ManagedLogin
from claimsmith.testing.response import apply, unchanged
from claimsmith.testing.trigger import call

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from claimsmith.testing.events import Flow
    from claimsmith.testing.key_server import KeyServer
    from claimsmith.testing.pool import AppClient, Session, User
    from claimsmith.testing.response import Draft
    from claimsmith.testing.signing import Keys
    from claimsmith.testing.tokens import Tokens
    from claimsmith.testing.trigger import Handler

LambdaVersion = Literal["V2_0", "V3_0"]
OnViolation = Literal["raise", "drop"]
IssuerType = Literal["ORIGINAL", "UPDATED"]

_EVENT_VERSIONS: Final[dict[LambdaVersion, str]] = {"V2_0": "2", "V3_0": "3"}
_HOSTS: Final[dict[IssuerType, str]] = {"ORIGINAL": "cognito-idp", "UPDATED": "issuer-cognito-idp"}
_POOL_ID: Final = re.compile(r"[a-z0-9-]+_[0-9A-Za-z]+")


@dataclass(frozen=True)
class _Issue:
    """A request for tokens, ready for the trigger."""

    flow: Flow
    client_metadata: Mapping[str, str] | None
    #: None for a machine.
    session: Session | None
    #: Called after the trigger and its checks have succeeded.
    refresh_token: Callable[[], str | None]


class CognitoKit:
    """A user pool in memory: users, app clients, sessions, and the trigger called as Cognito calls it.

    A method with the name of a Cognito operation does the same as the operation. Times are epoch seconds of ``clock``.

    Attributes:
        trigger: the Lambda function, called once per issue; None for a pool without one.
        users: by username.
        clients: by id.
        issuer: ``iss`` of the tokens.
    """

    def __init__(
        self,
        trigger: Handler | None = None,
        *,
        lambda_version: LambdaVersion = "V2_0",
        on_violation: OnViolation = "raise",
        pool_id: str = "eu-central-1_CognitoKit",
        issuer_type: IssuerType = "ORIGINAL",
        clock: Callable[[], float] = time.time,
        trigger_seconds: float = TRIGGER_SECONDS,
        edit_event: Callable[[dict[str, Any]], object] | None = None,
    ) -> None:
        """Create an empty pool.

        Args:
            trigger: the handler, ``(event, context)``.
            lambda_version: version of the trigger. At ``V2_0`` machines get their tokens without it.
            on_violation: what happens if an answer breaks a rule and AWS does not document the result: ``raise`` fails
                the test with ``ContractViolation``; ``drop`` drops the change that breaks the rule.
            pool_id: the pool's id; its region is the part before ``_``. Pools with different ids have different keys.
            issuer_type: the ORIGINAL or the UPDATED form of the issuer.
            clock: epoch seconds.
            trigger_seconds: how long the trigger may take; in Cognito it is always five seconds.
            edit_event: changes each event before the trigger gets it, to test it with additions that AWS may make.

        Raises:
            InvalidParameterException: the pool's id is malformed.
        """
        if not _POOL_ID.fullmatch(pool_id):
            raise InvalidParameterException("A user pool id is a region, an underscore, letters and digits.")
        self.trigger = trigger
        self.users: dict[str, User] = {}
        self.clients: dict[str, AppClient] = {}
        self._pool = events.Pool(pool_id.partition("_")[0], pool_id)
        self.issuer = f"https://{_HOSTS[issuer_type]}.{self._pool.region}.amazonaws.com/{pool_id}"
        self._version: LambdaVersion = lambda_version
        self._on_violation = on_violation
        self._clock = clock
        self._trigger_seconds = trigger_seconds
        self._edit_event = edit_event
        self._sessions = pool.Sessions()
        self._made_keys: Keys | None = None

    # Users and app clients.

    def add_user(
        self,
        username: str,
        *,
        sub: str | None = None,
        attributes: Mapping[str, str] | None = None,
        groups: Iterable[str] = (),
        iam_roles: Iterable[str] = (),
        preferred_role: str | None = None,
        status: str = "CONFIRMED",
    ) -> User:
        """Add or replace a user. Changes to the returned user take effect with the next token.

        Raises:
            InvalidParameterException: an attribute is not a string.
        """
        user = pool.User(
            username,
            sub or str(uuid.uuid4()),
            dict(attributes or {}),
            list(groups),
            list(iam_roles),
            preferred_role,
            status,
        )
        user.event_attributes()
        self.users[username] = user
        return user

    def add_client(
        self,
        client_id: str | None = None,
        *,
        scopes: Iterable[str] = (),
        flows: Iterable[str] = pool.USER_FLOWS,
        **settings: Any,  # noqa: ANN401 - the other attributes of AppClient, which has their types
    ) -> AppClient:
        """Add or replace an app client; see ``AppClient`` for its settings.

        Raises:
            InvalidOAuthFlowException: the flows cannot be combined.
        """
        client = pool.AppClient(
            client_id or pool.new_client_id(), scopes=tuple(scopes), flows=frozenset(flows), **settings
        )
        self.clients[client.id] = client
        return client

    # Tokens.

    def sign_in(
        self,
        username: str,
        client_id: str,
        *,
        by: str = "RespondToAuthChallenge",
        scopes: Iterable[str] | None = None,
        client_metadata: Mapping[str, str] | None = None,
        nonce: str | None = None,
        resource: str | None = None,
    ) -> Tokens:
        """Sign a user in.

        Args:
            username: the user.
            client_id: the app client.
            by: a key of ``SIGN_INS``: the operation that returns the tokens, a challenge that is answered
                (``NEW_PASSWORD_REQUIRED``, ``DEVICE_PASSWORD_VERIFIER``), or ``authorization_code`` for managed login.
            scopes: requested scopes; only managed login can request any. None requests all allowed ones.
            client_metadata: reaches the trigger only from the answer to a challenge.
            nonce: of the authorization request.
            resource: of the authorization request: the access token is bound to it by ``aud`` (RFC 8707). Only managed
                login accepts one.

        Raises:
            CognitoError: no tokens.
            ContractViolation: the trigger's answer breaks a rule.
        """
        flow = _flow(events.SIGN_INS, by)
        client = self._client(client_id, flow)
        user = self._user(username)
        if scopes is not None and not flow.oauth:
            raise InvalidParameterException("An API sign-in cannot request scopes.")
        if resource is not None:
            if not flow.oauth:
                raise InvalidParameterException("An API sign-in cannot be bound to a resource.")
            pool.check_resource(resource)
        now = int(self._clock())
        session = pool.Session(
            username,
            client,
            client.granted(scopes) if flow.oauth else tokens.API_SCOPES,
            flow.oauth,
            auth_time=now,
            expires_at=now + client.refresh_seconds,
            device_key=f"{self._pool.region}_{uuid.uuid4()}" if flow.source == events.AUTHENTICATE_DEVICE else None,
            resource=resource,
        )
        issue = _Issue(flow, client_metadata, session, lambda: self._sessions.begin(session))
        return self._issue(user, issue, tokens.user_draft(user, session, self.issuer, now, nonce))

    def refresh(
        self,
        refresh_token: str,
        client_id: str,
        *,
        by: str = "GetTokensFromRefreshToken",
        client_metadata: Mapping[str, str] | None = None,
    ) -> Tokens:
        """Refresh a user's tokens.

        Args:
            refresh_token: of the sign-in, or of the last refresh if the app client rotates them.
            client_id: the app client that it was issued to.
            by: a key of ``REFRESHES``: ``GetTokensFromRefreshToken``, ``REFRESH_TOKEN_AUTH`` or the ``refresh_token``
                grant.
            client_metadata: reaches the trigger from ``GetTokensFromRefreshToken`` only.

        Raises:
            CognitoError: no tokens; the refresh token stays valid.
            ContractViolation: the trigger's answer breaks a rule.
        """
        flow = _flow(events.REFRESHES, by)
        client = self._client(client_id, flow)
        if by == "REFRESH_TOKEN_AUTH" and client.rotation_grace_seconds is not None:
            raise InvalidParameterException("REFRESH_TOKEN_AUTH does not work with refresh token rotation.")
        now = self._clock()
        try:
            session = self._sessions.of_refresh_token(refresh_token, client, now)
        except NotAuthorizedException as refused:
            if not flow.oauth:
                raise
            raise TokenEndpointError(refused.message, "invalid_grant") from refused
        user = self._user(session.username)
        issue = _Issue(flow, client_metadata, session, lambda: self._sessions.rotate(refresh_token, session, now))
        return self._issue(user, issue, tokens.user_draft(user, session, self.issuer, int(now), None))

    def client_credentials(
        self,
        client_id: str,
        *,
        by: str = "client_credentials",
        scopes: Iterable[str] | None = None,
        client_metadata: Mapping[str, str] | None = None,
    ) -> Tokens:
        """A machine's access token; the trigger is called at ``V3_0`` only.

        Args:
            client_id: the app client; it needs a secret and the flow ``client_credentials``.
            by: a key of ``MACHINES``: the grant, or ``GetClientToken``.
            scopes: requested; None requests all allowed ones.
            client_metadata: ``aws_client_metadata`` of the grant, ``ClientMetadata`` of the operation.

        Raises:
            CognitoError: no token.
            ContractViolation: the trigger's answer breaks a rule.
        """
        flow = _flow(events.MACHINES, by)
        client = self._client(client_id, flow)
        granted = client.granted(scopes, custom_only=True)
        issue = _Issue(flow, client_metadata, None, lambda: None)
        return self._issue(None, issue, tokens.machine_draft(client, granted, self.issuer, int(self._clock())))

    # Revocation.

    def revoke_token(self, refresh_token: str, client_id: str) -> None:
        """RevokeToken: revoke all tokens of one sign-in, by their common ``origin_jti``.

        Raises:
            CognitoError: it is not a refresh token of this client, or the client has revocation switched off.
        """
        self._sessions.revoke(refresh_token, self._client(client_id))

    def global_sign_out(self, access_token: str) -> None:
        """GlobalSignOut: revoke all tokens of the user.

        Raises:
            NotAuthorizedException: as for ``get_user``.
        """
        self._sessions.revoke_all(self._authorized(access_token).username)

    def admin_user_global_sign_out(self, username: str) -> None:
        """AdminUserGlobalSignOut: the same, by name.

        Raises:
            UserNotFoundException: there is no such user.
        """
        self._sessions.revoke_all(self._known_user(username).username)

    def admin_disable_user(self, username: str) -> None:
        """AdminDisableUser: issue no more tokens, and revoke the existing ones.

        Raises:
            UserNotFoundException: there is no such user.
        """
        self._known_user(username).enabled = False
        self._sessions.revoke_all(username)

    def admin_enable_user(self, username: str) -> None:
        """AdminEnableUser: new sign-ins work; revoked tokens stay revoked.

        Raises:
            UserNotFoundException: there is no such user.
        """
        self._known_user(username).enabled = True

    def get_user(self, access_token: str) -> dict[str, str]:
        """GetUser: the user's attributes; with Cognito, it also shows whether a token is revoked.

        Raises:
            NotAuthorizedException: the token is not a user's of this pool, has expired or been revoked, or lacks the
                scope ``aws.cognito.signin.user.admin``.
        """
        return {
            name: value
            for name, value in self._authorized(access_token).event_attributes().items()
            if not name.startswith("cognito:")
        }

    # Keys.

    @property
    def jwks(self) -> dict[str, Any]:
        """The key set (RFC 7517 section 5): a key for ID and a key for access tokens, and those not retired."""
        return self._keys.jwks()

    def rotate_keys(self, *, retire: bool = False) -> None:
        """Sign with new keys from now on.

        Args:
            retire: no longer publish the old keys.
        """
        self._keys.rotate(retire=retire)

    @contextmanager
    def serve(self, *, as_issuer: bool = False, sign_in_as: str | None = None) -> Iterator[KeyServer]:
        """Serve on a free port of 127.0.0.1 while the block runs: keys, discovery, and the endpoints of managed login.

        Args:
            as_issuer: use the served address as the issuer meanwhile, for clients that find keys only by the issuer.
            sign_in_as: the user who signs in at the authorization endpoint, without a page. A request can name another
                by ``login_hint``.
        """
        login = ManagedLogin(self, self._clock)
        with serving(self._pool.id, lambda: self.jwks, lambda: self.issuer, login, sign_in_as) as server:
            before = self.issuer
            if as_issuer:
                self.issuer = server.url
            try:
                yield server
            finally:
                self.issuer = before

    # Implementation.

    @property
    def _keys(self) -> Keys:
        if self._made_keys is None:
            # Imported late: the pytest plug-in loads this module in every run, and most runs sign nothing.
            from claimsmith.testing.signing import Keys  # noqa: PLC0415

            self._made_keys = Keys(self._pool.id)
        return self._made_keys

    def _issue(self, user: User | None, issue: _Issue, draft: Draft) -> Tokens:
        """Issue tokens with the trigger; a failed request changes nothing."""
        event, answer, applied = None, None, unchanged(draft)
        pool.check_strings("ClientMetadata", issue.client_metadata or {})
        if self.trigger is not None and (user is not None or self._version == "V3_0"):
            event = self._event(user, issue, draft)
            answer = call(self.trigger, event, self._trigger_seconds)
            applied = apply(answer, draft)
        quota = [violation for violation in applied.violations if violation.rule is Rule.QUOTA]
        if applied.violations and (self._on_violation == "raise" or quota):
            raise ContractViolation(applied.violations)
        access_token, id_token, identity = self._keys.pair(
            applied.access, applied.id, with_hash=issue.session is not None and issue.session.oauth
        )
        if issue.session is not None:
            self._sessions.issued(access_token, issue.session, applied.access)
        return tokens.Tokens(
            access_token,
            id_token,
            issue.refresh_token(),
            applied.access["exp"] - applied.access["iat"],
            applied.access,
            identity or {},
            event,
            answer,
            applied.violations,
        )

    def _event(self, user: User | None, issue: _Issue, draft: Draft) -> dict[str, Any]:
        event = events.build(
            version=_EVENT_VERSIONS[self._version],
            source=issue.flow.source,
            pool=self._pool,
            username=events.MACHINE_NAME if user is None else user.username,
            client_id=draft.client_id,
            attributes={} if user is None else user.event_attributes(),
            groups=draft.groups,
            scopes=draft.scopes,
            client_metadata=issue.client_metadata if issue.flow.passes_metadata else None,
        )
        if self._edit_event is not None:
            self._edit_event(event)
        return event

    def _client(self, client_id: str, flow: Flow | None = None) -> AppClient:
        client = self.clients.get(client_id)
        if client is None:
            raise ResourceNotFoundException("User pool client does not exist.")
        if flow is not None and flow.allowed_by and not flow.allowed_by & client.flows:
            refused: CognitoError = InvalidParameterException("The flow is not enabled for this client.")
            if flow.oauth:
                refused = TokenEndpointError("The grant is not allowed for this client.", "unauthorized_client")
            raise refused
        return client

    def _known_user(self, username: str) -> User:
        user = self.users.get(username)
        if user is None:
            raise UserNotFoundException("User does not exist.")
        return user

    def _user(self, username: str) -> User:
        """A user who may get tokens."""
        user = self._known_user(username)
        if not user.enabled:
            raise NotAuthorizedException("User is disabled.")
        return user

    def _authorized(self, access_token: str) -> User:
        """The user of an access token, after the checks of the operations that take one."""
        session, claims = self._sessions.of_access_token(access_token)
        if session.revoked:
            raise NotAuthorizedException("Access Token has been revoked")
        if self._clock() >= claims["exp"]:
            raise NotAuthorizedException("Access Token has expired")
        if ADMIN_SCOPE not in claims.get("scope", "").split():
            raise NotAuthorizedException("Access Token does not have required scopes")
        return self._user(session.username)


def _flow(flows: Mapping[str, Flow], by: str) -> Flow:
    if by not in flows:
        raise InvalidParameterException(f"{by} issues no tokens; these do: {', '.join(flows)}.")
    return flows[by]
