"""Signed answers (RFC 9701), verified by PyJWT and joserfc as a caller that knows only the published keys does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from joserfc import jwk as joserfc_jwk
from joserfc import jws

from claimsmith.errors import Code, StoreError
from claimsmith.table import revocation_key
from claimsmith.verifier.introspection import published_keys
from claimsmith.verifier.signed_answers import AnswerSigner
from tests.unit.verifier.introspecting import (
    POOL,
    Revoked,
    Rows,
    answered,
    basic,
    event,
    introspection,
    row,
)
from tests.unit.verifier.minting import NOW, access_claims
from tests.unit.verifier.signing import local_key

if TYPE_CHECKING:
    from claimsmith.verifier.introspection import Introspection
    from claimsmith.verifier.signed_answers import SigningKey

ISSUER = "https://api.example.com"
SIGNED = "application/token-introspection+jwt"
KEYS = {"RS256": local_key("RSA 2048"), "ES256": local_key("P-256")}


class Down:
    """A key that is out of reach."""

    def public_key(self) -> bytes:
        raise StoreError(Code.ANSWER_NOT_SIGNED, "AWS KMS does not answer")

    def sign(self, _digest: bytes, _algorithm: str, /) -> bytes:
        raise NotImplementedError


def signer(*keys: SigningKey) -> AnswerSigner:
    return AnswerSigner(keys, ISSUER, clock=lambda: NOW + 0.9)


def service(*keys: SigningKey, **parts: Any) -> Introspection:  # noqa: ANN401 - stand-ins
    return introspection(signer=signer(*keys), **parts)


def ask(endpoint: Introspection, token: str | None = None, accept: str = SIGNED, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - of an event
    request = event(token, **changes)
    request["headers"]["accept"] = accept
    return endpoint.answer(request).response


def published(*keys: SigningKey) -> dict[str, Any]:
    response = published_keys(signer(*keys))
    assert response["statusCode"] == 200
    assert response["headers"] == {"Content-Type": "application/json", "Cache-Control": "public, max-age=300"}
    document: dict[str, Any] = json.loads(response["body"])
    return document


def verified(key: SigningKey, text: str) -> dict[str, Any]:
    """The claims, for PyJWT, which finds the key by its id and checks issuer and audience."""
    header = jwt.get_unverified_header(text)
    assert header["typ"] == "token-introspection+jwt", "section 5"
    (found,) = (one for one in jwt.PyJWKSet.from_dict(published(key)).keys if one.key_id == header["kid"])
    options: Any = {"verify_iat": False}
    claims: dict[str, Any] = jwt.decode(
        text, found, [header["alg"]], audience="orders-api", issuer=ISSUER, options=options
    )
    return claims


@pytest.mark.parametrize("algorithm", KEYS)
def test_section_5_an_answer_is_a_jwt_for_the_caller_that_is_no_access_token(algorithm: str) -> None:
    token = POOL.sign(access_claims(address={"city": ["Ulm"]}))
    callers = Rows({"orders-api": row(claims=["address"])})
    endpoint = service(KEYS[algorithm], rows=callers)
    response = ask(endpoint, token)
    assert (response["statusCode"], response["headers"]["Content-Type"]) == (200, SIGNED)
    assert response["headers"]["Cache-Control"] == "no-store"
    plain = answered(event(token), introspection(callers))[1]
    assert plain["address"] == {"city": ["Ulm"]}
    assert verified(KEYS[algorithm], response["body"]) == {
        "iss": ISSUER,
        "aud": "orders-api",
        "iat": NOW,
        "token_introspection": plain,
    }


@pytest.mark.parametrize("algorithm", KEYS)
def test_the_keys_are_those_of_rfc_7517_under_their_thumbprints(algorithm: str) -> None:
    endpoint = service(KEYS[algorithm])
    (key,) = published(KEYS[algorithm])["keys"]
    assert (key["use"], key["alg"]) == ("sig", algorithm)
    imported = joserfc_jwk.import_key(key)
    assert key["kid"] == imported.thumbprint(), "RFC 7638"
    assert not {"d", "p", "q"} & key.keys()
    assert (
        jws.deserialize_compact(ask(endpoint)["body"], imported, algorithms=[algorithm]).headers()["kid"] == key["kid"]
    )


def test_section_5_an_inactive_token_is_told_by_active_alone() -> None:
    """One that is out of time, one that the caller may not see, one that was revoked, and none at all."""
    key = KEYS["ES256"]
    others = service(key, rows=Rows({"orders-api": row(tenants=["globex"])}))
    revoked = service(key, revoked=Revoked({revocation_key("tenant", "acme"): NOW}))
    for endpoint, token in (
        (service(key), POOL.sign(access_claims(exp=NOW))),
        (others, POOL.sign()),
        (revoked, POOL.sign()),
        (service(key), "nonsense"),
    ):
        claims = verified(key, ask(endpoint, token)["body"])
        assert claims == {"iss": ISSUER, "aud": "orders-api", "iat": NOW, "token_introspection": {"active": False}}


@pytest.mark.parametrize(
    ("accept", "signed"),
    [
        (SIGNED, True),
        (SIGNED.upper(), True),
        (f"application/json;q=0.5, {SIGNED}", True),
        (f"{SIGNED};q=0.3 ,application/json", True),
        (f"{SIGNED}; q=0", False),
        (f"{SIGNED};q=0.000", False),
        (f"{SIGNED}x", False),
        ("application/json", False),
        ("application/*", False),
        ("*/*", False),
        ("", False),
    ],
)
def test_section_4_a_caller_that_does_not_ask_for_a_signed_answer_gets_none(accept: str, *, signed: bool) -> None:
    response = ask(service(KEYS["ES256"]), accept=accept)
    assert (response["headers"]["Content-Type"] == SIGNED) is signed
    assert signed or json.loads(response["body"])["active"] is True


def test_where_nothing_is_signed_the_answer_is_json_and_there_are_no_keys() -> None:
    endpoint = introspection()
    assert json.loads(ask(endpoint)["body"])["active"] is True
    assert published_keys(None)["statusCode"] == 404


@pytest.mark.parametrize(("changes", "status"), [({"authorization": basic(password="x")}, 401), ({"body": "x=y"}, 400)])
def test_errors_are_not_signed(changes: dict[str, Any], status: int) -> None:
    response = ask(service(KEYS["ES256"]), **changes)
    assert (response["statusCode"], response["headers"]["Content-Type"]) == (status, "application/json")


@pytest.mark.parametrize("key", [Down(), local_key("P-384"), local_key("RSA 1024")])
def test_an_answer_that_cannot_be_signed_is_503_whatever_it_is(key: SigningKey) -> None:
    endpoint = service(key)
    for token in (POOL.sign(), "nonsense"):
        request = event(token)
        request["headers"]["accept"] = SIGNED
        answer = endpoint.answer(request)
        assert (answer.response["statusCode"], answer.code) == (503, Code.ANSWER_NOT_SIGNED)
        assert (answer.resource_id, answer.response["headers"]["Retry-After"]) == ("orders-api", "5")
    assert answered(event(), endpoint)[1]["active"] is True, "others are not concerned"
    with pytest.raises(StoreError):
        published_keys(signer(key))


def test_a_key_is_published_before_and_after_it_signs() -> None:
    old, new = local_key("P-256", "old"), local_key("P-256", "new")
    documents = [published(old, new)["keys"], published(new, old)["keys"]]
    answers = [ask(service(old, new))["body"], ask(service(new, old))["body"]]
    assert documents[0] == documents[1][::-1]
    assert [jwt.get_unverified_header(answer)["kid"] for answer in answers] == [keys[0]["kid"] for keys in documents]


def test_a_signature_of_small_numbers_has_its_full_length() -> None:
    """RFC 7518 section 3.4: 32 octets each, whatever DER leaves out."""

    class Small:
        def public_key(self) -> bytes:
            return KEYS["ES256"].public_key()

        def sign(self, _digest: bytes, _algorithm: str, /) -> bytes:
            return encode_dss_signature(1, 2)

    signature = jwt.utils.base64url_decode(ask(service(Small()))["body"].rsplit(".", 1)[1])
    assert signature == b"\0" * 31 + b"\1" + b"\0" * 31 + b"\2"


def test_a_public_key_is_read_once() -> None:
    class Counting:
        read = 0

        def public_key(self) -> bytes:
            self.read += 1
            return KEYS["ES256"].public_key()

        def sign(self, digest: bytes, algorithm: str, /) -> bytes:
            return KEYS["ES256"].sign(digest, algorithm)

    key = Counting()
    signing = signer(key)
    for _ in range(3):
        ask(introspection(signer=signing))
        published_keys(signing)
    assert key.read == 1
