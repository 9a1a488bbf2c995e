"""The two endpoints of managed login, for OAuth clients: ``/oauth2/authorize`` and ``/oauth2/token``.

There is no login page: the authorization endpoint signs in whom the test names. Grants, errors and bounds are those of
Cognito: https://docs.aws.amazon.com/cognito/latest/developerguide/federation-endpoints.html
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass
from hmac import compare_digest
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import parse_qsl, unquote_plus, urlencode, urlsplit

from claimsmith.testing.errors import CognitoError, TokenEndpointError
from claimsmith.testing.pool import check_resource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from claimsmith.testing.pool import AppClient
    from claimsmith.testing.tokens import Tokens

#: Seconds for which a code can be exchanged.
_CODE_SECONDS: Final = 300

_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


class Issuer(Protocol):
    """What issues the tokens: ``CognitoKit``."""

    clients: dict[str, AppClient]

    def sign_in(  # noqa: D102
        self,
        username: str,
        client_id: str,
        *,
        by: str,
        scopes: Iterable[str] | None,
        nonce: str | None,
        resource: str | None,
    ) -> Tokens: ...

    def refresh(self, refresh_token: str, client_id: str, *, by: str) -> Tokens: ...  # noqa: D102

    def client_credentials(  # noqa: D102
        self, client_id: str, *, scopes: Iterable[str] | None, client_metadata: Mapping[str, str] | None
    ) -> Tokens: ...


@dataclass(frozen=True, slots=True)
class _Asked:
    """What an authorization request asked for, until its code is exchanged."""

    client_id: str
    redirect_uri: str
    username: str
    scopes: tuple[str, ...] | None
    nonce: str | None
    resource: str | None
    challenge: str | None
    ends_at: float


class ManagedLogin:
    """The endpoints of one pool."""

    def __init__(self, issuer: Issuer, clock: Callable[[], float]) -> None:
        """Answer for a pool.

        Args:
            issuer: the pool.
            clock: epoch seconds.
        """
        self._issuer = issuer
        self._clock = clock
        self._codes: dict[str, _Asked] = {}

    def authorize(self, query: str, username: str | None) -> str:
        """The authorization endpoint (RFC 6749 section 4.1.1), for somebody who signs in at once.

        Args:
            query: of the request: ``client_id``, ``redirect_uri``, ``response_type=code``; optional ``scope``,
                ``state``, ``nonce``, ``code_challenge`` with ``code_challenge_method=S256``, ``resource``, and
                ``login_hint`` for another user than ``username``.
            username: who signs in.

        Returns:
            Where the browser is sent: the client's address with a code or an error.

        Raises:
            TokenEndpointError: client or address are not known, so nobody is sent there.
        """
        asked = _fields(query)
        redirect_uri = asked.get("redirect_uri", "")
        _redirects(self._client(asked.get("client_id")), redirect_uri)
        try:
            answer = {"code": self._code(asked, redirect_uri, username)}
        except TokenEndpointError as refused:
            answer = {"error": refused.code, "error_description": refused.message}
        if "state" in asked:
            answer["state"] = asked["state"]
        return f"{redirect_uri}{'&' if urlsplit(redirect_uri).query else '?'}{urlencode(answer)}"

    def token(self, form: str, authorization: str | None) -> dict[str, Any]:
        """The token endpoint (RFC 6749 sections 4.1.3, 4.4.2 and 6).

        Args:
            form: the body.
            authorization: the header of that name.

        Raises:
            TokenEndpointError: no tokens.
        """
        asked = _fields(form)
        client = self._authenticated(asked, authorization)
        grants = {
            "authorization_code": self._exchange,
            "refresh_token": self._refresh,
            "client_credentials": self._machine,
        }
        grant = grants.get(asked.get("grant_type", ""))
        if grant is None:
            raise TokenEndpointError(f"grant_type is one of {', '.join(grants)}.", "unsupported_grant_type")
        try:
            issued = grant(asked, client)
        except TokenEndpointError:
            raise
        except CognitoError as refused:  # of the trigger too: the text is its own
            raise TokenEndpointError(refused.message, "invalid_grant") from refused
        answer = {
            "access_token": issued.access_token,
            "id_token": issued.id_token,
            "refresh_token": issued.refresh_token,
            "token_type": "Bearer",
            "expires_in": issued.expires_in,
        }
        return {name: value for name, value in answer.items() if value is not None}

    def _code(self, asked: Mapping[str, str], redirect_uri: str, username: str | None) -> str:
        if asked.get("response_type") != "code":
            raise TokenEndpointError("Only response_type=code is here.", "unsupported_response_type")
        if "code_challenge" in asked and asked.get("code_challenge_method") != "S256":
            raise TokenEndpointError("code_challenge_method must be S256.", "invalid_request")
        user = asked.get("login_hint", username)
        if user is None:
            raise TokenEndpointError("Nobody is signed in: serve(sign_in_as=...), or login_hint.", "login_required")
        if "resource" in asked:
            check_resource(asked["resource"])
        code = secrets.token_urlsafe(24)
        self._codes[code] = _Asked(
            asked["client_id"],
            redirect_uri,
            user,
            _scopes(asked),
            asked.get("nonce"),
            asked.get("resource"),
            asked.get("code_challenge"),
            self._clock() + _CODE_SECONDS,
        )
        return code

    def _exchange(self, asked: Mapping[str, str], client: AppClient) -> Tokens:
        begun = self._codes.pop(asked.get("code", ""), None)  # a code is good once, whatever comes of it
        if (
            begun is None
            or self._clock() >= begun.ends_at
            or (begun.client_id, begun.redirect_uri) != (client.id, asked.get("redirect_uri"))
            or begun.challenge != _challenge(asked.get("code_verifier"))
        ):
            raise TokenEndpointError("The code, its address or its verifier is wrong.", "invalid_grant")
        return self._issuer.sign_in(
            begun.username,
            client.id,
            by="authorization_code",
            scopes=begun.scopes,
            nonce=begun.nonce,
            resource=begun.resource,
        )

    def _refresh(self, asked: Mapping[str, str], client: AppClient) -> Tokens:
        return self._issuer.refresh(asked.get("refresh_token", ""), client.id, by="refresh_token")

    def _machine(self, asked: Mapping[str, str], client: AppClient) -> Tokens:
        try:
            metadata = json.loads(asked.get("aws_client_metadata", "null"))
        except ValueError:
            raise TokenEndpointError("aws_client_metadata is not JSON.", "invalid_request") from None
        return self._issuer.client_credentials(client.id, scopes=_scopes(asked), client_metadata=metadata)

    def _authenticated(self, asked: Mapping[str, str], authorization: str | None) -> AppClient:
        """The client of a request, by Basic or in the form (RFC 6749 section 2.3.1); a public one has only an id."""
        client_id, secret = asked.get("client_id"), asked.get("client_secret")
        if authorization is not None:
            scheme, _, encoded = authorization.partition(" ")
            try:
                pair = base64.b64decode(encoded, validate=True).decode() if scheme.lower() == "basic" else ""
            except ValueError:
                pair = ""
            client_id, _, secret = (unquote_plus(part) for part in pair.partition(":"))
        client = self._client(client_id)
        if not compare_digest((client.secret or "").encode(), (secret or "").encode()):
            raise TokenEndpointError("The client's secret is wrong.", "invalid_client")
        return client

    def _client(self, client_id: str | None) -> AppClient:
        client = self._issuer.clients.get(client_id or "")
        if client is None:
            raise TokenEndpointError("There is no such client.", "invalid_client")
        return client


def _redirects(client: AppClient, redirect_uri: str) -> None:
    """Refuse an address that is not the client's: one of its own, or without any, one on this machine.

    Raises:
        TokenEndpointError: with ``redirect_mismatch``, as Cognito says it.
    """
    known = redirect_uri in client.callback_urls
    if not known and (client.callback_urls or urlsplit(redirect_uri).hostname not in _LOOPBACK):
        raise TokenEndpointError("redirect_uri is not one of the client's callback_urls.", "redirect_mismatch")


def _fields(text: str) -> dict[str, str]:
    """The fields of a query or a form.

    Raises:
        TokenEndpointError: one occurs twice (RFC 6749 section 3.1).
    """
    pairs = parse_qsl(text, keep_blank_values=True)
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise TokenEndpointError("A parameter occurs twice.", "invalid_request")
    return fields


def _scopes(asked: Mapping[str, str]) -> tuple[str, ...] | None:
    return tuple(asked["scope"].split()) if "scope" in asked else None


def _challenge(verifier: str | None) -> str | None:
    """The S256 challenge of a verifier (RFC 7636 section 4.6)."""
    if verifier is None:
        return None
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
