"""Access tokens for a machine: fetched from the pool's token endpoint, kept, and fetched anew in time.

::

    tokens = MachineTokens(
        "https://example.auth.eu-central-1.amazoncognito.com/oauth2/token",
        client_id="…",
        client_secret=read_secret,
        scopes=["orders/read"],
    )
    headers = {"Authorization": tokens.authorization()}

Cognito bills every token that it issues to a machine, so make one object for each client and set of scopes, outside the
function that uses it, and share it among threads.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from http.client import HTTPException
from random import random
from threading import Lock
from time import time
from typing import TYPE_CHECKING, Final
from urllib.error import HTTPError
from urllib.parse import quote_plus, urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

from claimsmith.errors import Code, ConfigurationError, OperationError
from claimsmith.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

#: The part of a token's lifetime after which it is fetched anew, and by how much earlier at most. Many processes that
#: began together would otherwise ask together.
_RENEWED_AT: Final = 0.75
_JITTER: Final = 0.1
#: A token is not given out in the last part of its lifetime: the request has to travel, and clocks differ.
_LAST_PART: Final = 0.02
#: After a failure, while the present token is good: the part of a lifetime until the next try.
_PAUSE: Final = 0.02
#: Seconds in which a token that an API refused is not fetched anew a second time, because each costs money.
_REFUSED_AGAIN: Final = 60.0

#: Octets. Cognito's answer has one token.
_MAX_RESPONSE: Final = 65_536
_ERROR: Final = re.compile(r"[a-z_]{1,40}")
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})

#: RFC 6749 section 5.2, as Cognito uses it.
_REMEDIES: Final = {
    "invalid_client": "Check client id and secret; a rotated secret needs client_secret to be a function.",
    "unauthorized_client": "The app client must allow the client_credentials grant.",
    "invalid_scope": "The app client must be allowed each scope: AllowedOAuthScopes, from a resource server.",
    "invalid_grant": "The app client must allow the client_credentials grant.",
    "invalid_request": "Check the token endpoint: the pool's domain followed by /oauth2/token.",
}


class MachineTokenError(OperationError):
    """No token could be fetched.

    Attributes:
        error: the ``error`` of the response (RFC 6749 section 5.2); None if the endpoint did not answer like one.
    """

    def __init__(self, code: Code, message: str, error: str | None = None) -> None:
        super().__init__(code, message)
        self.error = error


class _Held(NamedTuple):
    token: str
    fetched: float
    renew: float
    end: float
    pause: float


class _NoRedirects(HTTPRedirectHandler):
    """A redirect is an answer like another: the secret is for the endpoint alone."""

    def redirect_request(self, *_: object) -> None:
        return None


class MachineTokens:
    """The access tokens of one app client, for one set of scopes. May be shared among threads."""

    def __init__(
        self,
        token_endpoint: str,
        client_id: str,
        client_secret: str | Callable[[], str],
        *,
        scopes: Iterable[str] = (),
        client_metadata: Mapping[str, str] | None = None,
        timeout: float = 5.0,
        clock: Callable[[], float] = time,
        jitter: Callable[[], float] = random,
    ) -> None:
        """Remember what to ask for; nothing is fetched yet.

        Args:
            token_endpoint: the pool's domain followed by ``/oauth2/token``; https, or http on this machine.
            client_id: the app client.
            client_secret: its secret, or a function that returns it. The function is called for every fetch, so that a
                rotated secret is used.
            scopes: to ask for; none asks for all that the client is allowed.
            client_metadata: what the trigger gets as ``clientMetadata`` (``aws_client_metadata``; event version 3).
            timeout: seconds for connecting and for each wait afterwards.
            clock: seconds since 1970. Not a monotonic clock: that stands still while a function is frozen.
            jitter: a number from 0 to 1.

        Raises:
            ConfigurationError: the endpoint is not one, or a scope is not a single word.
        """
        parts = urlsplit(token_endpoint)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
            raise ConfigurationError(f"The token endpoint {token_endpoint!r} is not possible; use an https address.")
        wanted = tuple(scopes)
        if isinstance(scopes, str) or not all(scope and scope.split() == [scope] for scope in wanted):
            raise ConfigurationError("scopes is not possible; use a list of scopes, each without blanks.")
        form = {"grant_type": "client_credentials"}
        if wanted:
            form["scope"] = " ".join(wanted)
        if client_metadata:
            form["aws_client_metadata"] = json.dumps(dict(client_metadata), separators=(",", ":"))
        self._endpoint, self._form = token_endpoint, urlencode(form).encode()
        self._client_id, self._secret = client_id, client_secret
        self._timeout, self._clock, self._jitter = timeout, clock, jitter
        # Without TLS it is on this machine, where no proxy is in between.
        self._opener = build_opener(_NoRedirects, *([ProxyHandler({})] if parts.scheme == "http" else ()))
        self._fetching = Lock()
        self._held: _Held | None = None
        self._failure: Exception | None = None

    def token(self) -> str:
        """A token that is good for a while.

        From three quarters of its lifetime on (or up to a tenth earlier, at random) one thread fetches a new one, and
        the others go on with the old one; so does everybody if that fails, until it ends.

        Raises:
            MachineTokenError: there is none, and none could be fetched. Threads that waited for the same fetch get the
                same error; so they do for what the function of the secret raises.
        """
        held = self._held
        if held is not None and self._clock() < held.end:
            if self._clock() >= held.renew and self._fetching.acquire(blocking=False):
                try:
                    self._renew(held)
                finally:
                    self._fetching.release()
            return (self._held or held).token
        failure = self._failure
        with self._fetching:
            if self._held is not held and self._held is not None:  # fetched while this thread waited
                return self._held.token
            if self._failure is not failure and self._failure is not None:  # failed while this thread waited
                raise self._failure
            return self._fetched().token

    def authorization(self) -> str:
        """The value of the header ``Authorization`` (RFC 6750 section 2.1). Raises as ``token`` does."""
        return f"Bearer {self.token()}"

    def refused(self, token: str) -> None:
        """An API answered 401: fetch anew when next asked, but not twice within a minute, because each costs money.

        Args:
            token: the one that was refused; another thread may have fetched a new one already.
        """
        with self._fetching:
            held = self._held
            if held is not None and held.token == token and self._clock() - held.fetched >= _REFUSED_AGAIN:
                self._held = None

    def _renew(self, held: _Held) -> None:
        if self._held is not held:
            return
        try:
            self._fetched()
        except Exception:  # noqa: BLE001 - also of the secret's function; nobody needs to hear of it yet
            self._held = held._replace(renew=self._clock() + held.pause)

    def _fetched(self) -> _Held:
        # From before the request: the token's lifetime begins somewhere during it.
        now = self._clock()
        try:
            token, lifetime = self._fetch()
        except Exception as error:
            self._failure = error
            raise
        self._held = held = _Held(
            token,
            fetched=now,
            renew=now + lifetime * (_RENEWED_AT - _JITTER * self._jitter()),
            end=now + lifetime * (1 - _LAST_PART),
            pause=lifetime * _PAUSE,
        )
        return held

    def _fetch(self) -> tuple[str, float]:
        """A token and its lifetime in seconds."""
        secret = self._secret if isinstance(self._secret, str) else self._secret()
        # RFC 6749 section 2.3.1: both are form-encoded before they are joined.
        credentials = f"{quote_plus(self._client_id)}:{quote_plus(secret)}".encode()
        request = Request(  # noqa: S310 - the scheme was checked
            self._endpoint,
            self._form,
            {
                "Authorization": f"Basic {b64encode(credentials).decode()}",
                "Content-Type": "application/x-www-form-urlencoded",
                "Accept": "application/json",
            },
        )
        try:
            with self._opener.open(request, timeout=self._timeout) as response:
                return _read(response.read(_MAX_RESPONSE))
        except HTTPError as error:
            with error:
                raise _refusal(error.code, error.read(_MAX_RESPONSE)) from None
        except (OSError, HTTPException) as error:
            raise MachineTokenError(
                Code.TOKEN_ENDPOINT_UNAVAILABLE,
                f"The token endpoint cannot be reached ({type(error).__name__}). Check its address, and the network.",
            ) from error


def _read(body: bytes) -> tuple[str, float]:
    """Token and lifetime in a response (RFC 6749 section 5.1)."""
    try:
        answer = json.loads(body)
        token, kind, lifetime = answer["access_token"], answer["token_type"], answer["expires_in"]
    except (ValueError, TypeError, KeyError):
        token = kind = lifetime = None
    if not (
        isinstance(token, str)
        and re.fullmatch(r"[A-Za-z0-9._~+/-]+=*", token)
        and isinstance(kind, str)
        and kind.lower() == "bearer"
        and type(lifetime) is int
        and lifetime > 0
    ):
        raise MachineTokenError(
            Code.TOKEN_ENDPOINT_UNAVAILABLE,
            "The token endpoint's response has no bearer token with a lifetime. Check its address: the pool's domain "
            "followed by /oauth2/token.",
        )
    return token, float(lifetime)


def _refusal(status: int, body: bytes) -> MachineTokenError:
    """What an error response says (RFC 6749 section 5.2); of its text only the code, which has no secret in it."""
    try:
        error = json.loads(body)["error"]
    except (ValueError, TypeError, KeyError):
        error = None
    if not isinstance(error, str) or not _ERROR.fullmatch(error):
        return MachineTokenError(
            Code.TOKEN_ENDPOINT_UNAVAILABLE, f"The token endpoint answered {status}. It may recover; try again."
        )
    remedy = _REMEDIES.get(
        error, "The trigger may have refused it: claimsmith preview --source ClientCredentials shows why."
    )
    return MachineTokenError(
        Code.MACHINE_TOKEN_REFUSED, f"The token endpoint refused to issue a token: {error}. {remedy}", error
    )
