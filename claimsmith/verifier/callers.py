"""Who asks the introspection endpoint: how callers authenticate, and about which tokens they may ask.

A caller is a row ``PROTECTED_RESOURCE#<id>``. It shows one of its secrets, by Basic or in the form (RFC 6749 section
2.3.1), or, where its id is that of an app client, the access token of that client (RFC 6750). Basic and the form at
once are taken where both say the same; ``docs/adr/0015-how-callers-of-introspection-authenticate.md`` says why.
"""

from __future__ import annotations

import hmac
import re
from hashlib import sha256
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol
from urllib.parse import unquote_plus

from claimsmith.engine.language import INTROSPECTION_SCOPE
from claimsmith.errors import Code, VerificationError
from claimsmith.verifier.checks import Requirement, check_audience
from claimsmith.verifier.encoding import base64

if TYPE_CHECKING:
    from collections.abc import Mapping

    from claimsmith.verifier.checks import Unchecked
    from claimsmith.verifier.claims import Claims
    from claimsmith.verifier.verifier import Verifier

#: The scope that lets an M2M client ask.
SCOPE: Final = INTROSPECTION_SCOPE

#: Whether a token is good cannot be known now.
UNKNOWN: Final = frozenset({Code.KEYS_UNAVAILABLE, Code.REVOCATION_UNKNOWN})

_MAX_CREDENTIALS: Final = 1_024
_RESOURCE_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_MAX_SECRETS: Final = 2
_AUTHORIZATION: Final = re.compile(r"(basic|bearer) +([^\s,]+) *", re.IGNORECASE | re.ASCII)
_NO_DIGEST: Final = "-" * 64  # no SHA-256 reads like this
_ALL: Final = "*"

#: The row of nobody, so that an unknown id is checked like a known one.
_NOBODY: Final[Mapping[str, object]] = {"secrets": []}

#: Parameters by which a caller would authenticate in a way that is not taken here (RFC 7521 section 4.2, RFC 6750
#: section 2.2); beside another way they make the request malformed (RFC 6749 section 5.2).
_FOREIGN_CREDENTIALS: Final = ("client_assertion", "access_token")

_REALM: Final = 'realm="claimsmith"'
_CHALLENGE: Final = f'Basic {_REALM}, charset="UTF-8", Bearer {_REALM}'


class ProtectedResources(Protocol):
    """Where the callers' rows are kept."""

    def row(self, resource_id: str, /) -> Mapping[str, object] | None:
        """The row ``PROTECTED_RESOURCE#<id>`` as plain values, or ``None`` where there is none.

        Raises:
            ClaimsmithError: it cannot be known.
        """


class RefusedError(Exception):
    """The request is answered with an error.

    Attributes:
        status: of HTTP.
        error: the word of RFC 6749 section 5.2 or RFC 6750 section 3.1.
        code: for the log.
        headers: further ones of the answer.
        caller: who asks, where that is known.
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
    """A caller who has authenticated.

    Attributes:
        resource_id: the row's id.
        clients: app clients whose tokens it may see; ``*`` for all.
        tenants: tenants whose tokens it may see; ``*`` for all, and for tokens without a tenant.
        audience: resources that a token must be bound to for the caller to see it; ``*`` for tokens bound to anything
            or to nothing. ``None`` where the row says nothing.
        credentials: how it has authenticated: ``basic``, ``form``, ``basic and form`` or ``bearer``.
    """

    resource_id: str
    clients: frozenset[str]
    tenants: frozenset[str]
    audience: frozenset[str] | None
    credentials: str

    def check(self, claims: Claims, audience: frozenset[str] | Unchecked) -> None:
        """Refuse a token that is not the caller's business.

        Args:
            claims: of a token that is good, but may be bound to any resource.
            audience: the resources that count where the caller's row names none.

        Raises:
            VerificationError: the caller learns nothing of it.
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
    """Tells who a caller is."""

    def __init__(self, tokens: Verifier, resources: ProtectedResources) -> None:
        """Put it together.

        Args:
            tokens: which bearer tokens callers may present: access tokens of any client, since the client's row
                decides; with revocation.
            resources: the callers.
        """
        self._tokens = tokens
        self._resources = resources

    def authenticate(self, authorization: tuple[str, ...], form: Mapping[str, str]) -> Caller:
        """Find out who is asking (RFC 7662 section 2.1).

        Args:
            authorization: every ``Authorization`` header.
            form: the request's parameters; none where its body cannot be read.

        Raises:
            RefusedError: 401, nobody who may ask; 400, somebody who may, but the request has a second credential that
                says something else.
            ClaimsmithError: that cannot be known.
        """
        caller = self._authenticated(authorization, form)
        if any(form.get(name) for name in _FOREIGN_CREDENTIALS):
            raise malformed(caller=caller)
        return caller

    def _authenticated(self, authorization: tuple[str, ...], form: Mapping[str, str]) -> Caller:
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

        An unknown id goes the way of a known one: one look-up, one hash, two comparisons in constant time.
        """
        row = self._resources.row(resource_id) if _RESOURCE_ID.fullmatch(resource_id) else None
        given = sha256(secret.encode()).hexdigest()
        matched = False
        for digest in _digests(_NOBODY if row is None else row):
            matched |= hmac.compare_digest(digest, given)
        if row is None or not matched:
            raise _unauthenticated("invalid_client", _CHALLENGE)
        return _caller(resource_id, row, credentials)

    def _by_token(self, token: str) -> Caller:
        """An M2M client by its own access token (RFC 6750); a user's token is none, whatever its scopes."""
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
    """The refusal of a request that is none."""
    return RefusedError(status, "invalid_request", Code.REQUEST_MALFORMED, caller=caller)


def _unauthenticated(error: str, challenge: str) -> RefusedError:
    return RefusedError(401, error, Code.CALLER_REFUSED, {"WWW-Authenticate": challenge})


def _invalid_token() -> RefusedError:
    """RFC 7662 section 2.3 asks for a 401 also where the token is good but not enough."""
    return _unauthenticated("invalid_token", f'Bearer {_REALM}, error="invalid_token"')


def _user_and_password(credentials: str) -> tuple[str, str]:
    """Both parts of Basic credentials (RFC 7617 section 2), form-decoded (RFC 6749 section 2.3.1).

    Both are empty where the credentials are none.
    """
    octets = base64(credentials) if len(credentials) <= _MAX_CREDENTIALS else None
    try:
        user, colon, password = (octets or b"").decode().partition(":")
        parts = unquote_plus(user, errors="strict"), unquote_plus(password, errors="strict")
    except ValueError:
        return "", ""
    return parts if colon else ("", "")


def _digests(row: Mapping[str, object]) -> tuple[str, str]:
    """The digests of a row's secrets, always two; a row with more than two, or with something else, has none."""
    secrets = _entries(row, "secrets")
    first, second, *_ = (*(secrets if len(secrets) <= _MAX_SECRETS else ()), _NO_DIGEST, _NO_DIGEST)
    return _digest(first), _digest(second)


def _digest(entry: object) -> str:
    return entry if isinstance(entry, str) and _DIGEST.fullmatch(entry) else _NO_DIGEST


def _entries(row: Mapping[str, object], attribute: str) -> tuple[object, ...]:
    """A list or set of a row; empty where it is neither."""
    value = row.get(attribute)
    return tuple(value) if isinstance(value, list | tuple | set | frozenset) else ()


def _caller(resource_id: str, row: Mapping[str, object], credentials: str) -> Caller:
    def names(attribute: str) -> frozenset[str]:
        return frozenset(entry for entry in _entries(row, attribute) if isinstance(entry, str) and entry)

    audience = names("audience") if "audience" in row else None
    return Caller(resource_id, names("clients"), names("tenants"), audience, credentials)
