"""The callers of the introspection endpoint: how they authenticate, and which tokens they may see.

A caller is a row ``PROTECTED_RESOURCE#<id>``. It sends one of its secrets, by Basic or in the form (RFC 6749 section
2.3.1), or, if its id is that of an app client, the access token of that client (RFC 6750). Basic and the form together
are accepted if they are equal; ``docs/adr/0015-how-callers-of-introspection-authenticate.md`` has the reasons.
"""

from __future__ import annotations

import hmac
import math
import re
from hashlib import sha256
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import unquote_plus

from claimsmith.engine.language import INTROSPECTION_SCOPE
from claimsmith.errors import Code, VerificationError
from claimsmith.named_tuple import NamedTuple
from claimsmith.verifier.checks import Requirement, check_audience
from claimsmith.verifier.encoding import base64

if TYPE_CHECKING:
    from collections.abc import Mapping

    from claimsmith.unchecked import Unchecked
    from claimsmith.verifier.claims import Claims
    from claimsmith.verifier.verifier import Verifier

#: The scope with which an M2M client may call.
SCOPE: Final = INTROSPECTION_SCOPE

#: Whether a token is valid is not known now.
UNKNOWN: Final = frozenset({Code.KEYS_UNAVAILABLE, Code.REVOCATION_UNKNOWN})

_MAX_CREDENTIALS: Final = 1_024
_RESOURCE_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_MAX_SECRETS: Final = 2
_AUTHORIZATION: Final = re.compile(r"(basic|bearer) +([^\s,]+) *", re.IGNORECASE | re.ASCII)
_NO_DIGEST: Final = "-" * 64  # equals no SHA-256
_ALL: Final = "*"

#: Used for an unknown id, so that it is checked like a known one.
_UNKNOWN_ROW: Final[Mapping[str, object]] = {"secrets": []}

#: Parameters of authentication methods that are not supported here (RFC 7521 section 4.2, RFC 6750 section 2.2); next
#: to another method they make the request malformed (RFC 6749 section 5.2).
_UNSUPPORTED_CREDENTIALS: Final = ("client_assertion", "access_token")

_REALM: Final = 'realm="claimsmith"'
_CHALLENGE: Final = f'Basic {_REALM}, charset="UTF-8", Bearer {_REALM}'


class ProtectedResources(Protocol):
    """The store of the callers' rows."""

    def row(self, resource_id: str, /) -> Mapping[str, object] | None:
        """The row ``PROTECTED_RESOURCE#<id>`` as plain values, or ``None`` if there is none.

        Raises:
            ClaimsmithError: the row cannot be read.
        """


class RefusedError(Exception):
    """The request is answered with an error.

    Attributes:
        status: the HTTP status.
        error: an error code of RFC 6749 section 5.2 or RFC 6750 section 3.1.
        code: for the log.
        headers: additional headers of the answer.
        caller: the caller, if known.
    """

    def __init__(
        self,
        status: int,
        error: str,
        code: Code,
        headers: Mapping[str, str] | None = None,
        caller: Caller | None = None,
    ) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.code = code
        self.headers = dict(headers or {})
        self.caller = caller


class Caller(NamedTuple):
    """An authenticated caller.

    Attributes:
        resource_id: the row's id.
        clients: app clients whose tokens it may see; ``*`` for all.
        tenants: tenants whose tokens it may see; ``*`` for all, and for tokens without a tenant.
        audience: resources that a token must be bound to for the caller to see it; ``*`` for tokens bound to anything
            or to nothing. ``None`` if the row has none.
        claims: further claims that the answer has if the token does.
        requests_per_second: its own share; None for the deployment's.
        ext: members of the answer, and claims, that it also has in an object ``ext``, as callers of Ory Hydra expect.
        credentials: how it authenticated: ``basic``, ``form``, ``basic and form`` or ``bearer``.
    """

    resource_id: str
    clients: frozenset[str]
    tenants: frozenset[str]
    audience: frozenset[str] | None
    claims: frozenset[str]
    ext: frozenset[str]
    requests_per_second: float | None
    credentials: str

    def check(self, claims: Claims, audience: frozenset[str] | Unchecked) -> None:
        """Refuse a token that the caller may not see.

        Args:
            claims: of a valid token, which may be bound to any resource.
            audience: the resources that count if the caller's row has no audience.

        Raises:
            VerificationError: the caller may not see it.
        """
        for mine, its, code in (
            (self.clients, claims.client_id, Code.WRONG_CLIENT),
            (self.tenants, claims.tenant_id, Code.WRONG_TENANT),
        ):
            if _ALL not in mine and its not in mine:
                raise VerificationError(code, "claims")
        if self.audience is None:
            check_audience(claims, audience)
        elif _ALL not in self.audience:
            Requirement(audience=self.audience).check(claims)


class Callers:
    """Authenticates callers."""

    def __init__(self, tokens: Verifier, resources: ProtectedResources) -> None:
        """Create one.

        Args:
            tokens: verifies the bearer tokens of callers: access tokens of any client, since the client's row decides;
                with revocation.
            resources: the store of the callers' rows.
        """
        self._tokens = tokens
        self._resources = resources

    def authenticate(self, authorization: tuple[str, ...], form: Mapping[str, str]) -> Caller:
        """Authenticate the caller (RFC 7662 section 2.1).

        Args:
            authorization: every ``Authorization`` header.
            form: the request's parameters; empty if its body cannot be read.

        Raises:
            RefusedError: 401: no valid credentials; 400: valid ones, but the request has a second, different
            credential. ClaimsmithError: a row cannot be read.
        """
        caller = self._identify(authorization, form)
        if any(form.get(name) for name in _UNSUPPORTED_CREDENTIALS):
            raise malformed(caller=caller)
        return caller

    def _identify(self, authorization: tuple[str, ...], form: Mapping[str, str]) -> Caller:
        posted_id, posted_secret = form.get("client_id", ""), form.get("client_secret", "")
        if not authorization and posted_secret:
            return self._by_secret(posted_id, posted_secret, "form")
        match = _AUTHORIZATION.fullmatch(authorization[0]) if len(authorization) == 1 else None
        if match is None:
            raise _unauthenticated("invalid_client", _CHALLENGE)
        if match[1].lower() == "bearer":
            caller = self._by_token(match[2])
            if posted_secret:
                raise malformed(caller=caller)
            return caller
        resource_id, secret = _user_and_password(match[2])
        caller = self._by_secret(resource_id, secret, "basic")
        if not posted_secret:
            return caller
        if posted_id != resource_id or not hmac.compare_digest(posted_secret.encode(), secret.encode()):
            raise malformed(caller=caller)
        return caller._replace(credentials="basic and form")

    def _by_secret(self, resource_id: str, secret: str, credentials: str) -> Caller:
        """A protected resource by its id and secret (RFC 6749 section 2.3.1).

        An unknown id costs the same as a known one: one lookup, one hash, two comparisons in constant time.
        """
        row = self._resources.row(resource_id) if _RESOURCE_ID.fullmatch(resource_id) else None
        given = sha256(secret.encode()).hexdigest()
        matched = False
        for digest in _digests(_UNKNOWN_ROW if row is None else row):
            matched |= hmac.compare_digest(digest, given)
        if row is None or not matched:
            raise _unauthenticated("invalid_client", _CHALLENGE)
        return _caller(resource_id, row, credentials)

    def _by_token(self, token: str) -> Caller:
        """An M2M client by its own access token (RFC 6750); a user's token is refused, whatever its scopes."""
        try:
            claims = self._tokens.verify(token)
        except VerificationError as error:
            if error.code in UNKNOWN:
                raise RefusedError(503, "temporarily_unavailable", error.code, {"Retry-After": "5"}) from None
            raise _invalid_token() from None
        if SCOPE not in claims.scopes or claims.sub != claims.client_id or claims.username is not None:
            raise _invalid_token()
        row = self._resources.row(claims.client_id)
        if row is None:
            raise _invalid_token()
        return _caller(claims.client_id, row, "bearer")


def malformed(status: int = 400, caller: Caller | None = None) -> RefusedError:
    """The refusal of a malformed request."""
    return RefusedError(status, "invalid_request", Code.REQUEST_MALFORMED, caller=caller)


def _unauthenticated(error: str, challenge: str) -> RefusedError:
    return RefusedError(401, error, Code.CALLER_REFUSED, {"WWW-Authenticate": challenge})


def _invalid_token() -> RefusedError:
    """RFC 7662 section 2.3: a 401 even if the token is valid but not sufficient."""
    return _unauthenticated("invalid_token", f'Bearer {_REALM}, error="invalid_token"')


def _user_and_password(credentials: str) -> tuple[str, str]:
    """Both parts of Basic credentials (RFC 7617 section 2), form-decoded (RFC 6749 section 2.3.1).

    Both are empty if the credentials are malformed.
    """
    octets = base64(credentials) if len(credentials) <= _MAX_CREDENTIALS else None
    try:
        user, colon, password = (octets or b"").decode().partition(":")
        parts = unquote_plus(user, errors="strict"), unquote_plus(password, errors="strict")
    except ValueError:
        return "", ""
    return parts if colon else ("", "")


def _digests(row: Mapping[str, object]) -> tuple[str, str]:
    """The digests of a row's secrets, always two; if the row has more than two, or no list, they match nothing."""
    secrets = _entries(row, "secrets")
    first, second, *_ = (*(secrets if len(secrets) <= _MAX_SECRETS else ()), _NO_DIGEST, _NO_DIGEST)
    return _digest(first), _digest(second)


def _digest(entry: object) -> str:
    return entry if isinstance(entry, str) and _DIGEST.fullmatch(entry) else _NO_DIGEST


def _entries(row: Mapping[str, object], attribute: str) -> tuple[object, ...]:
    """A list or set attribute of a row; empty if it is neither."""
    value = row.get(attribute)
    return tuple(value) if isinstance(value, list | tuple | set | frozenset) else ()


def _caller(resource_id: str, row: Mapping[str, object], credentials: str) -> Caller:
    def names(attribute: str) -> frozenset[str]:
        return frozenset(entry for entry in _entries(row, attribute) if isinstance(entry, str) and entry)

    audience = names("audience") if "audience" in row else None
    return Caller(
        resource_id,
        names("clients"),
        names("tenants"),
        audience,
        names("claims"),
        names("ext"),
        _share(row.get("requests_per_second")),
        credentials,
    )


def _share(value: object) -> float | None:
    """A number of requests; None if a row has none, so that a slip neither locks a caller out nor frees it."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf else None
