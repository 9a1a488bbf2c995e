"""Token introspection (RFC 7662), for services that receive Cognito's tokens but cannot verify them.

``POST`` with a form, to an HTTP API (payload format 2.0). Callers authenticate and see only tokens of their clients and
tenants; for every other token, valid or not, the answer is the same: ``{"active": false}``.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

from claimsmith.errors import ClaimsmithError, Code, VerificationError
from claimsmith.named_tuple import NamedTuple
from claimsmith.unchecked import ANY
from claimsmith.verifier.callers import UNKNOWN, Callers, RefusedError, malformed
from claimsmith.verifier.checks import Requirement
from claimsmith.verifier.encoding import base64
from claimsmith.verifier.freshness import Freshness, freshness
from claimsmith.verifier.revocation import check_revocation
from claimsmith.verifier.shares import Shares

if TYPE_CHECKING:
    from collections.abc import Collection

    from claimsmith.unchecked import Unchecked
    from claimsmith.verifier.callers import Caller, ProtectedResources
    from claimsmith.verifier.claims import Claims
    from claimsmith.verifier.freshness import Grants
    from claimsmith.verifier.revocation import Revocations
    from claimsmith.verifier.signed_answers import AnswerSigner
    from claimsmith.verifier.verifier import Verifier

#: Octets of a form. A token may have 16,384 of them.
MAX_BODY: Final = 32_768
_MAX_FIELDS: Final = 16

_JSON: Final = "application/json"
#: Of a signed answer (RFC 9701 section 5).
_JWT: Final = "application/token-introspection+jwt"

#: A parameter of ``Accept`` with which a media type is not accepted (RFC 9110 section 12.4.2).
_NO_WEIGHT: Final = re.compile(r"q=0(\.0{0,3})?")

_NEVER_CACHED: Final = {"Cache-Control": "no-store", "Pragma": "no-cache"}
#: How long the keys of signed answers may be cached.
_KEYS_CACHED: Final = {"Cache-Control": "public, max-age=300"}

#: Nobody is counted.
NO_SHARES: Final = Shares()

#: Members of RFC 7662 section 2.2 that are claims of the same name.
_COPIED: Final = ("scope", "sub", "iss", "jti")

#: The same, for times, which are integers there but may have fractions in a JWT (RFC 7519 section 2): rounded so that
#: the token never looks valid when it is not.
_TIMES: Final = {"exp": math.floor, "iat": math.floor, "nbf": math.ceil}

#: All members that RFC 7662 or this endpoint defines.
_MEMBERS: Final = frozenset(
    {
        *("active", "client_id", "username", "token_type", "aud", *_COPIED, *_TIMES),
        *("tenant_id", "roles", "stale", "incomplete"),
    }
)


class Answer(NamedTuple):
    """The response for API Gateway, and for the log, why a request was refused or a token is not active.

    Attributes:
        response: the function's return value.
        code: ``None`` if the token is active.
        resource_id: the caller, if it has authenticated.
        credentials: how it authenticated, see ``Caller``.
    """

    response: dict[str, Any]
    code: Code | None
    resource_id: str | None
    credentials: str | None = None


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
        signer: AnswerSigner | None = None,
        shares: Shares = NO_SHARES,
        resource_metadata: str | None = None,
    ) -> None:
        """Create the endpoint.

        Args:
            tokens: verifies access tokens of the clients that are served. Without revocation, which is looked up here:
                only for a caller who may see the token, so that nobody else learns from a 503, or from the duration of
                a lookup, that a token is valid. Its ``audience`` applies to callers whose row has none.
            callers: verifies the bearer tokens of callers: access tokens of any client, since the client's row decides;
                with revocation.
            resources: the store of the callers' rows.
            revocations: the store of revocations, or ``ANY`` to call revoked tokens active.
            grants: the store of policy and directory, or ``ANY`` not to report whether a token is stale.
            signer: signs answers to callers that accept only such ones (RFC 9701); without one, nobody gets any.
            shares: how often each caller may ask; without them, as often as it likes.
            resource_metadata: the address of the endpoint's own metadata, which its challenges then name (RFC 9728
                section 5.1).
        """
        # The audience of the caller's row counts; without one, the verifier's.
        self._tokens = tokens.for_any_audience()
        self._audience = tokens.audience
        self._callers = Callers(callers, resources)
        self._revocations = revocations
        self._grants = grants
        self._signer = signer
        self._shares = shares
        self._resource_metadata = resource_metadata

    def answer(self, event: Mapping[str, Any]) -> Answer:
        """Answer an HTTP API event of payload format 2.0. Does not raise: failures become a 503."""
        caller: Caller | None = None
        code: Code | None = None
        members: Mapping[str, Any] | None = None
        try:
            _check_method(event)
            form, unreadable = _form(event, _body(event))
            caller = self._callers.authenticate(_header(event, "authorization"), form)
            self._check_share(caller)
            if unreadable is not None:
                raise unreadable
            claims = self._tokens.verify(_token(form))
            caller.check(claims, self._audience)
            _check_scopes(form, claims)
            if self._revocations is not ANY:
                check_revocation(claims, self._revocations)
            now = None if self._grants is ANY else _freshness(self._grants, claims)
            members = _with_ext(_active(claims, now, caller.claims), claims, caller.ext)
        except RefusedError as refused:
            response = _response(refused.status, {"error": refused.error}, self._challenging(refused.headers))
            return _answer(response, refused.code, refused.caller or caller)
        except VerificationError as error:
            code = error.code
            members = None if code in UNKNOWN else {"active": False}
        except ClaimsmithError as error:
            code = error.code
        if members is None or caller is None:
            return _answer(unavailable(), code, caller)
        try:
            return _answer(self._encoded(members, event, caller), code, caller)
        except ClaimsmithError as error:
            return _answer(unavailable(), error.code, caller)

    def _check_share(self, caller: Caller) -> None:
        """Before anything is done for a caller, and after it has shown who it is: nobody else spends its share."""
        wait = self._shares.wait(caller.resource_id, caller.requests_per_second)
        if wait:
            headers = {"Retry-After": str(wait)}
            raise RefusedError(429, "temporarily_unavailable", Code.TOO_MANY_REQUESTS, headers, caller)

    def _encoded(self, members: Mapping[str, Any], event: Mapping[str, Any], caller: Caller) -> dict[str, Any]:
        """The answer as JSON, or signed if the caller asks for that; an inactive token is no different."""
        response = _response(200, members)
        if self._signer is not None and _accepts_jwt(event):
            response["body"] = self._signer.signed(members, caller.resource_id)
            response["headers"]["Content-Type"] = _JWT
        return response

    def _challenging(self, headers: Mapping[str, str]) -> Mapping[str, str]:
        """The headers of a refusal; every challenge ends with the parameters of ``Bearer``."""
        if self._resource_metadata is None or "WWW-Authenticate" not in headers:
            return headers
        written = f'{headers["WWW-Authenticate"]}, resource_metadata="{self._resource_metadata}"'
        return {**headers, "WWW-Authenticate": written}


def _freshness(grants: Grants, claims: Claims) -> Freshness:
    granted = grants.of(claims)
    return Freshness(stale=False, roles=claims.roles) if granted is None else freshness(*granted, claims)


def _answer(response: dict[str, Any], code: Code | None, caller: Caller | None) -> Answer:
    if caller is None:
        return Answer(response, code, None)
    return Answer(response, code, caller.resource_id, caller.credentials)


def _check_method(event: Mapping[str, Any]) -> None:
    context = event.get("requestContext")
    http = context.get("http") if isinstance(context, Mapping) else None
    if not isinstance(http, Mapping) or http.get("method") != "POST":
        raise RefusedError(405, "invalid_request", Code.REQUEST_MALFORMED, {"Allow": "POST"})


def _header(event: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """The values of a header; its name is case-insensitive. An HTTP API joins several values with commas."""
    headers = event.get("headers")
    found = headers.items() if isinstance(headers, Mapping) else ()
    return tuple(value for key, value in found if isinstance(value, str) and str(key).lower() == name)


def _accepts_jwt(event: Mapping[str, Any]) -> bool:
    """Whether the caller asks for a signed answer (RFC 9701 section 4), by name and not with a weight of zero."""
    for entry in ",".join(_header(event, "accept")).lower().split(","):
        media_type, *parameters = (part.strip() for part in entry.split(";"))
        if media_type == _JWT:
            return not any(_NO_WEIGHT.fullmatch(parameter) for parameter in parameters)
    return False


def _body(event: Mapping[str, Any]) -> bytes:
    """The body, after checks of its size; forms arrive base64-encoded."""
    body = event.get("body") or ""
    if not isinstance(body, str):
        raise malformed()
    if len(body) > MAX_BODY * 4 // 3 + 4:
        raise malformed(413)
    octets = base64(body) if event.get("isBase64Encoded") else _utf8(body)
    if octets is None:
        raise malformed()
    if len(octets) > MAX_BODY:
        raise malformed(413)
    return octets


def _utf8(text: str) -> bytes | None:
    try:
        return text.encode()
    except UnicodeEncodeError:
        return None


def _form(event: Mapping[str, Any], body: bytes) -> tuple[Mapping[str, str], RefusedError | None]:
    """The form's parameters; or none, and the refusal, which only an authenticated caller gets.

    A parameter without a value counts as omitted, and none may occur twice (RFC 6749 section 3.2).
    """
    types = _header(event, "content-type")
    if len(types) != 1 or types[0].partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        return {}, malformed(415)
    try:
        fields = parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS)
    except ValueError:
        return {}, malformed()
    form = dict(fields)
    return (form, None) if len(form) == len(fields) else ({}, malformed())


def _token(form: Mapping[str, str]) -> str:
    """The one required parameter.

    ``token_type_hint`` is optional (section 2.1), and others but credentials and ``scope`` have no meaning here.
    """
    token = form.get("token")
    if not token:
        raise malformed()
    return token


def _check_scopes(form: Mapping[str, str], claims: Claims) -> None:
    """Refuse a token that lacks one of the scopes in ``scope``, as callers of Ory Hydra expect.

    After ``Caller.check``, so that a caller learns nothing of tokens that it may not see, and before anything is looked
    up.

    Raises:
        VerificationError: ``SCOPE_MISSING``.
    """
    wanted = form.get("scope", "").split()
    if wanted:
        Requirement(all_scopes=wanted).check(claims)


def _active(claims: Claims, now: Freshness | None, further: Collection[str]) -> dict[str, Any]:
    """The response for an active token (section 2.2), with its freshness if that is known.

    Neither a further claim nor one that was filled in replaces a member that every response may have.
    """
    others = {name: claims[name] for name in sorted(further) if name in claims and name not in _MEMBERS}
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
        return others | members
    members["stale"] = now.stale
    incomplete = sorted({*now.incomplete, *(name for name in now.filled if name in _MEMBERS)})
    if incomplete:
        members["incomplete"] = incomplete
    return {**others, **{name: value for name, value in now.filled.items() if name not in _MEMBERS}, **members}


def _with_ext(members: dict[str, Any], claims: Claims, names: Collection[str]) -> dict[str, Any]:
    """The response with an object ``ext``, where Ory Hydra has what RFC 7662 does not define.

    A member counts in place of the claim of its name, also where the answer lacks it: roles are those of now, and a
    tenant is what the policy calls so. Nothing, if the caller's row asks for none.
    """
    known = {name: claims[name] for name in names if name in claims and name not in _MEMBERS}
    known |= {name: members[name] for name in names if name in members}
    return {**members, "ext": {name: known[name] for name in sorted(known)}} if names else members


def published_keys(signer: AnswerSigner | None) -> dict[str, Any]:
    """The response with the keys of signed answers, for everybody; 404 if no answers are signed.

    Raises:
        ClaimsmithError: they are not known now.
    """
    if signer is None:
        return _response(404, {"error": "not_found"})
    return _response(200, signer.jwks(), caching=_KEYS_CACHED)


def unavailable() -> dict[str, Any]:
    """The answer if it is unknown whether a token is active."""
    return _response(503, {"error": "temporarily_unavailable"}, {"Retry-After": "5"})


def _response(
    status: int,
    members: Mapping[str, Any],
    headers: Mapping[str, str] | None = None,
    caching: Mapping[str, str] = _NEVER_CACHED,
) -> dict[str, Any]:
    return {
        "statusCode": status,
        "headers": {"Content-Type": _JSON, **caching, **(headers or {})},
        # Objects in claims are read-only mappings, which are no dictionaries.
        "body": json.dumps(members, separators=(",", ":"), default=dict),
    }
