"""An introspection endpoint with callers and revocations in memory, and events as an HTTP API sends them."""

from __future__ import annotations

import base64
import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from claimsmith.errors import Code, StoreError
from claimsmith.verifier import ANY, KeySource, Verifier
from claimsmith.verifier.callers import SCOPE
from claimsmith.verifier.introspection import NO_SHARES, Introspection
from tests.unit.verifier.minting import CLIENT, ISSUER, NOW, Pool, access_claims

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from claimsmith.unchecked import Unchecked
    from claimsmith.verifier.freshness import Grants
    from claimsmith.verifier.introspection import Answer
    from claimsmith.verifier.shares import Shares
    from claimsmith.verifier.signed_answers import AnswerSigner

POOL = Pool()
MACHINE = "7machine12345"
SECRET, SECOND = "s3cret-of-256-random-bits", "the-next-one"
FORM = "application/x-www-form-urlencoded"
INACTIVE = (200, {"active": False})
DOWN = StoreError(Code.AWS_UNREACHABLE, "DynamoDB did not answer")
SOURCE = KeySource([ISSUER], preloaded={ISSUER: POOL.jwks}, clock=lambda: NOW)


def digest(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()


def row(**changes: object) -> dict[str, object]:
    return {"secrets": [digest(SECRET)], "clients": ["*"], "tenants": ["*"], **changes}


class Rows:
    """Protected resources in memory; records what was looked up."""

    def __init__(self, rows: Mapping[str, Mapping[str, object]]) -> None:
        self.rows = rows
        self.asked: list[str] = []

    def row(self, resource_id: str, /) -> Mapping[str, object] | None:
        self.asked.append(resource_id)
        return self.rows.get(resource_id)


class NoRows:
    """A table that does not answer."""

    def row(self, _resource_id: str, /) -> Mapping[str, object] | None:
        raise DOWN


class Revoked:
    """Revocations in memory, or out of reach; counts look-ups."""

    def __init__(self, rows: Mapping[str, float | None], error: StoreError | None = None) -> None:
        self.rows = rows
        self.error = error
        self.asked = 0

    def revoked_at(self, keys: Sequence[str], /) -> Mapping[str, float | None]:
        self.asked += 1
        if self.error is not None:
            raise self.error
        return {key: self.rows[key] for key in keys if key in self.rows}


def introspection(
    rows: Any = None,  # noqa: ANN401 - stand-ins
    revoked: Any = None,  # noqa: ANN401 - the same
    source: KeySource = SOURCE,
    grants: Grants | Unchecked = ANY,
    audience: Sequence[str] = (),
    signer: AnswerSigner | None = None,
    shares: Shares = NO_SHARES,
) -> Introspection:
    revocations = Revoked({}) if revoked is None else revoked

    def verifier(client_ids: Any, kept: Any) -> Verifier:  # noqa: ANN401 - what is given, or ANY
        return Verifier(
            issuers=source,
            client_ids=client_ids,
            token_use="access",
            revocations=kept,
            audience=list(audience),
            clock=lambda: NOW,
        )

    resources = Rows({"orders-api": row(), MACHINE: row()}) if rows is None else rows
    return Introspection(
        verifier([CLIENT], ANY),
        verifier(ANY, revocations),
        resources,
        revocations=revocations,
        grants=grants,
        signer=signer,
        shares=shares,
    )


def encoded(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


def basic(user: str = "orders-api", password: str = SECRET) -> str:
    return "Basic " + encoded(f"{user}:{password}".encode())


def machine_token(**changes: object) -> str:
    """What the machine's client gets from Cognito by its own credentials."""
    own = {
        "sub": MACHINE,
        "client_id": MACHINE,
        "username": None,
        "scope": f"other/x {SCOPE}",
        "tenant_id": None,
        "roles": None,
    }
    return POOL.sign(access_claims(**{**own, **changes}))


def event(
    token: str | None = None,
    authorization: str | None = None,
    *,
    body: str | None = None,
    method: str = "POST",
    media_type: str | None = FORM,
    encode: bool = True,
) -> dict[str, Any]:
    """An event as an HTTP API sends it: header names in lower case, forms base64-encoded."""
    form = urlencode({"token": POOL.sign() if token is None else token}) if body is None else body
    headers = {"authorization": basic() if authorization is None else authorization, "content-type": media_type}
    return {
        "version": "2.0",
        "rawPath": "/introspect",
        "rawQueryString": "",
        "headers": {name: value for name, value in headers.items() if value},
        "requestContext": {"http": {"method": method, "path": "/introspect"}, "stage": "$default"},
        "body": encoded(form.encode()) if encode else form,
        "isBase64Encoded": encode,
    }


def answered(request: Mapping[str, Any], service: Introspection | None = None) -> tuple[int, Any]:
    answer = (introspection() if service is None else service).answer(request)
    assert_never_cached_json(answer)
    return answer.response["statusCode"], json.loads(answer.response["body"])


def assert_never_cached_json(answer: Answer) -> None:
    headers = answer.response["headers"]
    assert headers["Content-Type"] == "application/json", "RFC 7662 section 2.2"
    assert headers["Cache-Control"] == "no-store", "RFC 6749 section 5.1"
    assert headers["Pragma"] == "no-cache"


def refused(authorization: str | None, service: Introspection | None = None) -> str:
    """The challenge of the 401 that a request with these credentials gets."""
    request = event(authorization=authorization)
    if authorization is None:
        del request["headers"]["authorization"]
    answer = (introspection() if service is None else service).answer(request)
    assert_never_cached_json(answer)
    assert answer.response["statusCode"] == 401, "RFC 7662 section 2.3"
    assert "active" not in answer.response["body"]
    assert (answer.code, answer.resource_id) == (Code.CALLER_REFUSED, None)
    challenge: str = answer.response["headers"]["WWW-Authenticate"]
    return challenge
