"""What the signature layer accepts and refuses."""

from __future__ import annotations

import json
import tracemalloc
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from hypothesis import given
from hypothesis import strategies as st

from claimsmith.errors import Code, VerificationError
from claimsmith.verifier.encoding import base64url, json_object
from claimsmith.verifier.jwk import MAX_SAME_KID
from claimsmith.verifier.jws import MAX_HEADER, MAX_HEADERS, MAX_TOKEN, split_token, verify_jws
from tests.unit.verifier.minting import KID, Pool, b64, b64_int, compact, jwk, private_key

if TYPE_CHECKING:
    from collections.abc import Mapping

POOL = Pool()
HEADER = json.dumps({"kid": KID, "alg": "RS256"}).encode()


def refusal(token: object, jwks: Mapping[str, Any] | None = None) -> tuple[Code, str]:
    with pytest.raises(VerificationError) as caught:
        verify_jws(token, POOL.jwks if jwks is None else jwks)  # type: ignore[arg-type] # some are no strings on purpose
    return caught.value.code, caught.value.stage


def with_header(**members: object) -> str:
    return POOL.sign(None, **members)


def raw_header(text: bytes) -> str:
    return compact(text, b"{}", POOL.key)


def test_a_signed_token_yields_its_header_and_the_signed_octets() -> None:
    payload = b'{"any": "octets", \x00 not JSON at all}'
    jws = verify_jws(compact(HEADER, payload, POOL.key), POOL.jwks)
    assert (dict(jws.header), jws.payload) == ({"kid": KID, "alg": "RS256"}, payload)


def test_the_header_that_is_returned_cannot_be_changed() -> None:
    token = POOL.sign(other={"nested": [1]})
    header: Any = verify_jws(token, POOL.jwks).header
    with pytest.raises(TypeError):
        header["kid"] = "mine"
    with pytest.raises(TypeError):
        header["other"]["nested"] = 2
    assert header["other"]["nested"] == (1,)


@pytest.mark.parametrize(
    "members",
    [
        '"kid":"%d","x":' + "[" * 345 + "]" * 345,
        '"kid":"%d","x":[' + "{}," * 230 + "{}]",
        '"kid":"%d","x":' + '{"a":' * 110 + "1" + "}" * 110,
        '"kid":"%d","x":["🔑' + "x" * 600 + '"]',
        '"kid":"🔑%0700d"',  # of a text with such a character Python keeps four octets for every one
    ],
)
def test_cached_headers_take_little_memory_whatever_they_contain(members: str) -> None:
    headers = ['{"alg":"RS256",' + members % number + "}" for number in range(2 * MAX_HEADERS)]
    tokens = [f"{b64(header.encode())}.e30.AAAA" for header in headers]
    for token in tokens[:MAX_HEADERS]:
        split_token(token)
    tracemalloc.start()
    try:
        for token in tokens[MAX_HEADERS:]:
            split_token(token)
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert used < 600_000


@pytest.mark.parametrize("value", [None, b"a.b.c", 7, "", ".", "..", "...", "a.b", "a.b.c.d", "a.b.c.d.e", " a.b.c"])
def test_what_is_not_three_segments_is_malformed(value: object) -> None:
    assert refusal(value) == (Code.TOKEN_MALFORMED, "structure")


@pytest.mark.parametrize("tail", ["=", "==", "\n", " ", "+", "/", "!", "\u00e9", "\u0662", "\x00"])
@pytest.mark.parametrize("segment", [0, 1, 2])
def test_a_character_that_is_not_base64url_is_refused_in_every_segment(segment: int, tail: str) -> None:
    parts = POOL.sign().split(".")
    parts[segment] += tail
    assert refusal(".".join(parts)) == (Code.TOKEN_MALFORMED, "structure")


def test_sizes_are_checked_before_anything_is_decoded() -> None:
    assert refusal("!" * (MAX_TOKEN + 1)) == (Code.TOKEN_TOO_LARGE, "structure")
    assert refusal("!" * (MAX_HEADER + 1) + ".a.b") == (Code.TOKEN_TOO_LARGE, "structure")
    assert refusal("a.b." + "!" * 2000) == (Code.TOKEN_TOO_LARGE, "structure")
    assert refusal(POOL.sign({"filler": "x" * 5_000_000})) == (Code.TOKEN_TOO_LARGE, "structure")


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[]",
        b'"RS256"',
        b"null",
        b'{"alg":"RS256","kid":"key-1"} x',
        b'{"alg":"RS256","alg":"RS256","kid":"key-1"}',
        b'{"alg":"RS256","kid":"key-1","x":{"a":1,"a":1}}',
        b'{"alg":"RS256","kid":"key-1","x":NaN}',
        b'{"alg":"RS256","kid":"key-1","x":1e999}',
        b'{"alg":"RS256","kid":"key-1","x":"\\ud800"}',
        b'\xef\xbb\xbf{"alg":"RS256","kid":"key-1"}',
        b'{"alg":"RS256","kid":"key-1","x":"\xff"}',
        b'{"alg":"RS256","kid":"key-1","x":"\xc0\x80"}',
        b'{"alg":"RS256","kid":"key-1","x":"\n"}',
        b'{"x":' + b"[" * 400,
    ],
)
def test_a_header_that_is_not_one_strict_json_object_is_malformed(text: bytes) -> None:
    assert refusal(raw_header(text)) == (Code.TOKEN_MALFORMED, "structure")


@pytest.mark.parametrize(
    "algorithm", [None, "none", "", "HS256", "rs256", "RS384", "RS512", "PS256", "ES256", 256, ["RS256"], {}]
)
def test_only_rs256_is_allowed(algorithm: object) -> None:
    assert refusal(with_header(alg=algorithm)) == (Code.ALGORITHM_NOT_ALLOWED, "structure")


@pytest.mark.parametrize("b64", [True, False, None, 0])
def test_an_unencoded_payload_is_refused_even_if_it_is_not_listed_as_critical(b64: object) -> None:
    """RFC 7797 section 6: who signs with ``b64`` must list it in ``crit``; otherwise other bytes were signed."""
    token = raw_header(json.dumps({"kid": KID, "alg": "RS256", "b64": b64}).encode())
    assert refusal(token) == (Code.CRITICAL_HEADER, "structure")


@pytest.mark.parametrize("kid", [None, "", 1, [KID], {"kid": KID}])
def test_a_key_id_is_required(kid: object) -> None:
    assert refusal(with_header(kid=kid)) == (Code.KEY_ID_MISSING, "structure")


def test_a_key_id_that_the_set_does_not_have_is_not_found() -> None:
    assert refusal(with_header(kid="key-2")) == (Code.KEY_NOT_FOUND, "key")


@pytest.mark.parametrize("jwks", [{"keys": None}, {"keys": {}}, {"keys": "x"}, {"key": []}])
def test_an_invalid_key_set_has_no_keys(jwks: dict[str, Any]) -> None:
    assert refusal(POOL.sign(), jwks) == (Code.KEYS_UNAVAILABLE, "key")
    assert refusal(POOL.sign(), {"keys": []}) == (Code.KEY_NOT_FOUND, "key")


@pytest.mark.parametrize(
    "change",
    [
        {"kty": "EC"},
        {"kty": "oct"},
        {"kty": None},
        {"kty": ["RSA"]},
        {"use": "enc"},
        {"use": ["sig"]},
        {"key_ops": ["encrypt"]},
        {"key_ops": ["sign"]},
        {"key_ops": []},
        {"key_ops": "verify"},
        {"alg": "RS512"},
        {"alg": "PS256"},
        {"alg": "RSA-OAEP"},
        {"n": None},
        {"n": ""},
        {"n": 7},
        {"n": "A" * 3000},
        {"n": b64_int(private_key().public_key().public_numbers().n) + "="},
        {"n": b64_int(private_key().public_key().public_numbers().n - 1)},
        {"n": b64(b"\0" + private_key().public_key().public_numbers().n.to_bytes(256, "big"))},
        {"n": b64_int((1 << 8193) + 1)},
        {"n": "\u00e9"},
        {"e": None},
        {"e": "AQ"},
        {"e": "AAEAAQ"},
        {"e": b64_int(65536)},
        {"e": b64_int((1 << 32) + 1)},
    ],
)
def test_a_key_that_may_not_or_cannot_verify_rs256_is_unusable(change: dict[str, Any]) -> None:
    assert refusal(POOL.sign(), {"keys": [jwk(POOL.key, **change)]}) == (Code.KEY_UNUSABLE, "key")


@pytest.mark.parametrize(
    "change",
    [{"use": None}, {"alg": None}, {"key_ops": ["verify"]}, {"key_ops": ["sign", "verify"]}, {"x5c": ["AAAA"]}],
)
def test_optional_members_of_a_key_may_be_absent_or_allow_verification(change: dict[str, Any]) -> None:
    assert verify_jws(POOL.sign(), {"keys": [jwk(POOL.key, **change)]}).payload


@pytest.mark.parametrize(("bits", "usable"), [(1024, False), (2047, False), (2048, True), (3072, True), (4096, True)])
def test_a_modulus_has_at_least_2048_bits(bits: int, usable: bool) -> None:  # noqa: FBT001 - a column of the table
    pool = Pool(private_key(bits=bits))
    if usable:
        assert verify_jws(pool.sign(), pool.jwks).payload
    else:
        assert refusal(pool.sign(), pool.jwks) == (Code.KEY_UNUSABLE, "key")


@pytest.mark.parametrize(
    "broken", [None, 1, "key", [], {}, {"kid": KID}, {"kid": 1, "kty": "RSA"}, {"kid": KID, "kty": "EC"}]
)
def test_one_malformed_key_does_not_reject_the_set(broken: object) -> None:
    assert verify_jws(POOL.sign(), {"keys": [broken, *POOL.jwks["keys"], broken]}).payload


def test_each_usable_key_with_the_same_id_is_tried() -> None:
    other = jwk(private_key("second"))
    assert verify_jws(POOL.sign(), {"keys": [other, *POOL.jwks["keys"]]}).payload
    assert verify_jws(POOL.sign(), {"keys": [*POOL.jwks["keys"], other]}).payload
    assert refusal(POOL.sign(), {"keys": [other]}) == (Code.SIGNATURE_INVALID, "signature")


def test_too_many_different_keys_with_one_id_are_refused_but_not_the_same_key_many_times() -> None:
    numbers = POOL.key.public_key().public_numbers()
    crowd = [jwk(POOL.key, n=b64_int(numbers.n + 2 * index)) for index in range(1, MAX_SAME_KID + 1)]
    assert refusal(POOL.sign(), {"keys": [*crowd, *POOL.jwks["keys"]]}) == (Code.KEY_UNUSABLE, "key")
    assert verify_jws(POOL.sign(), {"keys": POOL.jwks["keys"] * 50}).payload


def test_keys_in_the_token_are_ignored() -> None:
    """That a token signed with them is refused is in ``test_attacks.py``."""
    other = jwk(private_key("attacker"))
    token = POOL.sign(jwk=other, jku="https://attacker.example/jwks", x5u="https://attacker.example/x", x5c=["AA"])
    assert verify_jws(token, POOL.jwks).payload


def test_a_pss_or_sha512_signature_is_not_accepted_as_rs256() -> None:
    signed = f"{b64(HEADER)}.{b64(b'{}')}"
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
    for signature in (
        POOL.key.sign(signed.encode(), pss, hashes.SHA256()),
        POOL.key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA512()),
        ec.generate_private_key(ec.SECP256R1()).sign(signed.encode(), ec.ECDSA(hashes.SHA256())),
    ):
        assert refusal(f"{signed}.{b64(signature)}")[0] == Code.SIGNATURE_INVALID


@given(st.binary(max_size=400))
def test_base64url_reads_what_it_writes_and_nothing_else(octets: bytes) -> None:
    assert base64url(b64(octets).encode()) == octets


@given(st.text(alphabet="ABab01-_+/=! \n", max_size=12))
def test_two_spellings_never_mean_the_same_octets(text: str) -> None:
    octets = base64url(text.encode())
    assert octets is None or b64(octets) == text


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), JSON, max_size=5), st.booleans())
def test_every_json_object_without_lone_surrogates_is_read_unchanged(
    value: dict[str, Any],
    ascii_only: bool,  # noqa: FBT001 - given by hypothesis
) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    try:
        octets = text.encode()
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return
    assert json_object(octets) == value


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_reading_json_never_raises(octets: bytes) -> None:
    value = json_object(octets)
    assert value is None or json.loads(octets) == value


@given(
    st.dictionaries(st.sampled_from(["alg", "kid", "crit", "typ", "b64", "jwk", "x"]), JSON, max_size=5),
    st.binary(max_size=40),
)
def test_pyjwt_accepts_every_accepted_token(header: dict[str, Any], payload: bytes) -> None:
    """A spot check against another implementation, with headers that are signed for real."""
    token = compact(json.dumps({"alg": "RS256", "kid": KID, **header}).encode(), payload, POOL.key)
    try:
        mine = verify_jws(token, POOL.jwks).payload
    except VerificationError:
        return
    theirs = jwt.PyJWS(algorithms=["RS256"]).decode(token, POOL.key.public_key(), algorithms=["RS256"])
    assert mine == theirs == payload
