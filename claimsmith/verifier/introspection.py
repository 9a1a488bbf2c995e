"""Token introspection (RFC 7662) for a service that Cognito's tokens are used at but that cannot verify them itself.

``POST`` with a form, to an HTTP API (payload format 2.0). Callers authenticate and see only tokens of their clients and
tenants; of every other token, good or not, they learn the same: ``{"active": false}``.
"""

from __future__ import annotations

import hmac
import json
import math
import re
from collections.abc import Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol
from urllib.parse import parse_qsl, unquote_plus

from claimsmith.errors import ClaimsmithError, Code, VerificationError
from claimsmith.verifier.checks import ANY
from claimsmith.verifier.encoding import base64
from claimsmith.verifier.freshness import freshness
from claimsmith.verifier.revocation import check_revocation

if TYPE_CHECKING:
    from claimsmith.verifier.checks import Unchecked
    from claimsmith.verifier.claims import Claims
    from claimsmith.verifier.freshness import Freshness, Grants
    from claimsmith.verifier.revocation import Revocations
    from claimsmith.verifier.verifier import Verifier

#: The scope that lets an M2M client ask.
SCOPE: Final = "claimsmith/introspect"

#: Octets of a form. A token may have 16,384 of them.
MAX_BODY: Final = 32_768
_MAX_FIELDS: Final = 16
_MAX_CREDENTIALS: Final = 1_024

_RESOURCE_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_MAX_SECRETS: Final = 2
_AUTHORIZATION: Final = re.compile(r"(basic|bearer) +([^\s,]+) *", re.IGNORECASE | re.ASCII)
_NO_DIGEST: Final = "-" * 64  # no SHA-256 reads like this

#: The row of nobody, so that an unknown id is checked like a known one.
_NOBODY: Final[Mapping[str, object]] = {"secrets": []}

#: Parameters by which a caller would authenticate a second time (RFC 6749 section 2.3.1, RFC 7521 section 4.2, RFC 6750
#: section 2.2); more than one way in a request is malformed (RFC 6749 section 5.2).
_SECOND_CREDENTIALS: Final = frozenset({"client_secret", "client_assertion", "access_token"})

_REALM: Final = 'realm="claimsmith"'
_CHALLENGE: Final = f'Basic {_REALM}, charset="UTF-8", Bearer {_REALM}'

#: Whether the token is active cannot be known now.
_UNKNOWN: Final = frozenset({Code.KEYS_UNAVAILABLE, Code.REVOCATION_UNKNOWN})

#: Members of RFC 7662 section 2.2 that are claims of the same name.
_COPIED: Final = ("scope", "sub", "iss", "jti")

#: The same, for times, which are integers there but may have fractions in a JWT (RFC 7519 section 2): rounded so that
#: nobody takes the token for valid at a time when it is not.
_TIMES: Final = {"exp": math.floor, "iat": math.floor, "nbf": math.ceil}

#: All members that have a meaning of their own, there or here.
_MEMBERS: Final = frozenset(
    {
        *("active", "client_id", "username", "token_type", "aud", *_COPIED, *_TIMES),
        *("tenant_id", "roles", "stale", "incomplete"),
    }
)


class ProtectedResources(Protocol):
    """Where the callers' rows are kept."""

    def row(self, resource_id: str, /) -> Mapping[str, object] | None:
        """The row ``PROTECTED_RESOURCE#<id>`` as plain values, or ``None`` where there is none.

        Raises:
            ClaimsmithError: it cannot be known.
        """


class Answer(NamedTuple):
    """What API Gateway gets, and for the log, why a request was refused or a token is not active.

    Attributes:
        response: the function's return value.
        code: ``None`` where the token is active.
        resource_id: the caller, once it is known.
    """

    response: dict[str, Any]
    code: Code | None
    resource_id: str | None


class _RefusedError(Exception):
    """The request is answered with an error."""

    def __init__(self, status: int, error: str, code: Code, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.code = code
        self.headers = dict(headers or {})


class _Caller(NamedTuple):
    resource_id: str
    clients: frozenset[str]
    tenants: frozenset[str]

    def check(self, claims: Claims) -> None:
        """Refuse a token that is not of one of the caller's clients and one of its tenants; ``*`` stands for all.

        Raises:
            VerificationError: the caller learns nothing of it.
        """
        for mine, its, code in (
            (self.clients, claims.client_id, Code.WRONG_CLIENT),
            (self.tenants, claims.tenant_id, Code.WRONG_TENANT),
        ):
            if "*" not in mine and its not in mine:
                raise VerificationError(code, "claims")


class Introspection:
    """Answers introspection requests."""

    def __init__(
        self,
        tokens: Verifier,
        callers: Verifier,
        resources: ProtectedResources,
        *,
        revocations: Revocations | Unchecked,
        grants: Grants | Unchecked,
    ) -> None:
        """Put it together.

        Args:
            tokens: which tokens are good: access tokens of the clients that are served. Without revocation, which is
                looked up here: only for a caller who may know of the token, so that nobody else learns from a 503,
                or from the time a look-up takes, that a token is good.
            callers: which bearer tokens callers may present: access tokens with ``SCOPE``, of any client, since the
                client's row decides; with revocation.
            resources: the callers.
            revocations: where revocations are kept, or ``ANY`` to call revoked tokens active.
            grants: where policy and directory are kept, or ``ANY`` to leave out whether a token is stale.
        """
        self._tokens = tokens
        self._callers = callers
        self._resources = resources
        self._revocations = revocations
        self._grants = grants

    def answer(self, event: Mapping[str, Any]) -> Answer:
        """Answer an HTTP API event of payload format 2.0. Never raises on purpose: what cannot be known is a 503."""
        caller = None
        try:
            _check_method(event)
            body = _body(event)
            caller = self._authenticate(_header(event, "authorization"))
            token = _token(event, body)
            claims = self._tokens.verify(token)
            caller.check(claims)
            if self._revocations is not ANY:
                check_revocation(claims, self._revocations)
            now = None if self._grants is ANY else freshness(*self._grants.of(claims), claims)
        except _RefusedError as refused:
            response = _response(refused.status, {"error": refused.error}, refused.headers)
            code = refused.code
        except VerificationError as error:
            code = error.code
            response = unavailable() if code in _UNKNOWN else _response(200, {"active": False})
        except ClaimsmithError as error:
            code, response = error.code, unavailable()
        else:
            return Answer(_response(200, _active(claims, now)), None, caller.resource_id)
        return Answer(response, code, None if caller is None else caller.resource_id)

    def _authenticate(self, credentials: tuple[str, ...]) -> _Caller:
        """Who is asking (RFC 7662 section 2.1).

        Raises:
            ClaimsmithError: that cannot be known.
        """
        match = _AUTHORIZATION.fullmatch(credentials[0]) if len(credentials) == 1 else None
        if match is None:
            raise _unauthenticated("invalid_client", _CHALLENGE)
        if match[1].lower() == "basic":
            return self._basic(match[2])
        return self._bearer(match[2])

    def _basic(self, credentials: str) -> _Caller:
        """A protected resource by its id and secret (RFC 6749 section 2.3.1).

        An unknown id goes the way of a known one: one look-up, one hash, two comparisons in constant time.
        """
        resource_id, secret = _user_and_password(credentials)
        row = self._resources.row(resource_id) if _RESOURCE_ID.fullmatch(resource_id) else None
        given = sha256(secret.encode()).hexdigest()
        matched = False
        for digest in _digests(_NOBODY if row is None else row):
            matched |= hmac.compare_digest(digest, given)
        if row is None or not matched:
            raise _unauthenticated("invalid_client", _CHALLENGE)
        return _caller(resource_id, row)

    def _bearer(self, token: str) -> _Caller:
        """An M2M client by its own access token (RFC 6750); a user's token is none, whatever its scopes."""
        try:
            claims = self._callers.verify(token)
        except VerificationError as error:
            if error.code in _UNKNOWN:
                raise _RefusedError(503, "temporarily_unavailable", error.code, {"Retry-After": "5"}) from None
            raise _invalid_token() from None
        if SCOPE not in claims.scopes or claims.sub != claims.client_id or claims.username is not None:
            raise _invalid_token()
        row = self._resources.row(claims.client_id)
        if row is None:
            raise _invalid_token()
        return _caller(claims.client_id, row)


def _unauthenticated(error: str, challenge: str) -> _RefusedError:
    return _RefusedError(401, error, Code.CALLER_REFUSED, {"WWW-Authenticate": challenge})


def _invalid_token() -> _RefusedError:
    """RFC 7662 section 2.3 asks for a 401 also where the token is good but not enough."""
    return _unauthenticated("invalid_token", f'Bearer {_REALM}, error="invalid_token"')


def _bad_request(status: int = 400) -> _RefusedError:
    return _RefusedError(status, "invalid_request", Code.REQUEST_MALFORMED)


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


def _caller(resource_id: str, row: Mapping[str, object]) -> _Caller:
    def names(attribute: str) -> frozenset[str]:
        return frozenset(entry for entry in _entries(row, attribute) if isinstance(entry, str))

    return _Caller(resource_id, names("clients"), names("tenants"))


def _check_method(event: Mapping[str, Any]) -> None:
    context = event.get("requestContext")
    http = context.get("http") if isinstance(context, Mapping) else None
    if not isinstance(http, Mapping) or http.get("method") != "POST":
        raise _RefusedError(405, "invalid_request", Code.REQUEST_MALFORMED, {"Allow": "POST"})


def _header(event: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """The values of a header, whose name is in any case; an HTTP API joins several by commas."""
    headers = event.get("headers")
    found = headers.items() if isinstance(headers, Mapping) else ()
    return tuple(value for key, value in found if isinstance(value, str) and str(key).lower() == name)


def _body(event: Mapping[str, Any]) -> bytes:
    """The body, sizes first; forms arrive base64-encoded."""
    body = event.get("body") or ""
    if not isinstance(body, str):
        raise _bad_request()
    if len(body) > MAX_BODY * 4 // 3 + 4:
        raise _bad_request(413)
    octets = base64(body) if event.get("isBase64Encoded") else _utf8(body)
    if octets is None:
        raise _bad_request()
    if len(octets) > MAX_BODY:
        raise _bad_request(413)
    return octets


def _utf8(text: str) -> bytes | None:
    try:
        return text.encode()
    except UnicodeEncodeError:
        return None


def _token(event: Mapping[str, Any], body: bytes) -> str:
    """The form's one ``token``.

    The ``token_type_hint`` is not needed (section 2.1), and other parameters have no meaning here, except that none may
    occur twice and that none may be a second credential.
    """
    types = _header(event, "content-type")
    if len(types) != 1 or types[0].partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise _bad_request(415)
    try:
        fields = parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS)
    except ValueError:
        raise _bad_request() from None
    form = dict(fields)
    # RFC 6749 section 3.2: no parameter more than once
    if len(form) != len(fields) or not form.get("token") or any(map(form.get, _SECOND_CREDENTIALS)):
        raise _bad_request()
    return form["token"]


def _active(claims: Claims, now: Freshness | None) -> dict[str, Any]:
    """What is said of an active token (section 2.2), and how it stands to the directory, where that is known.

    A claim that was filled in does not pass for one of the members that are said of every token.
    """
    members: dict[str, Any] = {"active": True, "client_id": claims.client_id, "token_type": "Bearer"}
    members |= {name: claims[name] for name in _COPIED if name in claims}
    members |= {name: whole(claims[name]) for name, whole in _TIMES.items() if name in claims}
    audience = claims.get("aud")
    if isinstance(audience, str) or (isinstance(audience, tuple) and all(isinstance(name, str) for name in audience)):
        members["aud"] = audience
    if claims.username is not None:
        members["username"] = claims.username
    if claims.tenant_id is not None:
        members["tenant_id"] = claims.tenant_id
    roles = claims.roles if now is None else now.roles
    if roles is not None:
        members["roles"] = list(roles)
    if now is None:
        return members
    members["stale"] = now.stale
    incomplete = sorted({*now.incomplete, *(name for name in now.filled if name in _MEMBERS)})
    if incomplete:
        members["incomplete"] = incomplete
    return {**{name: value for name, value in now.filled.items() if name not in _MEMBERS}, **members}


def unavailable() -> dict[str, Any]:
    """The answer where it cannot be known whether a token is active."""
    return _response(503, {"error": "temporarily_unavailable"}, {"Retry-After": "5"})


def _response(status: int, members: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> dict[str, Any]:
    return {
        "statusCode": status,
        "headers": {
            "Content-Type": "application/json",
            "Cache-Control": "no-store",
            "Pragma": "no-cache",
            **(headers or {}),
        },
        "body": json.dumps(members, separators=(",", ":")),
    }
