"""Classic attacks on verifiers of JSON Web Tokens, one test each, by CVE, advisory or RFC section.

Each test builds what the attacker would send, or the key set that would let it through, and shows that it is refused,
and at which check. What is named was at fault in other libraries; the ids say where to read about it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import zlib
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, padding
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from claimsmith.errors import Code, ConfigurationError, VerificationError
from claimsmith.verifier import ANY, KeySource, Verifier
from tests.unit.verifier.minting import (
    CLIENT,
    ISSUER,
    KID,
    NOW,
    Pool,
    access_claims,
    b64,
    b64_int,
    compact,
    id_claims,
    jwk,
    private_key,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.hazmat.primitives.asymmetric import rsa

POOL = Pool()
PUBLIC = POOL.key.public_key()
PEM = PUBLIC.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
ADMIN = json.dumps(access_claims(sub="admin", roles=["admin"])).encode()


def no_network(uri: str, _timeout: float) -> bytes:
    raise AssertionError(f"a request left, to {uri}")


def verifier(jwks: dict[str, Any] | None = None, **changes: Any) -> Verifier:  # noqa: ANN401 - any argument of Verifier
    source = KeySource([ISSUER], preloaded={ISSUER: jwks or POOL.jwks}, fetch=no_network, clock=lambda: NOW)
    arguments = {"client_ids": [CLIENT], "token_use": "access", "revocations": ANY, "clock": lambda: NOW, **changes}
    return Verifier(issuers=source, **arguments)


def refused(token: str, jwks: dict[str, Any] | None = None, **changes: Any) -> Code:  # noqa: ANN401 - as above
    with pytest.raises(VerificationError) as caught:
        verifier(jwks, **changes).verify(token)
    return caught.value.code


def unsigned(payload: bytes = ADMIN, **header: object) -> str:
    """Header and payload, ready to be signed by whatever the attacker has."""
    return f"{b64(json.dumps({'alg': 'RS256', 'kid': KID, **header}).encode())}.{b64(payload)}"


def with_hmac(secret: bytes, algorithm: str = "HS256") -> str:
    token = unsigned(alg=algorithm)
    return f"{token}.{b64(hmac.digest(secret, token.encode(), hashlib.sha256))}"


def test_the_honest_token_is_accepted() -> None:
    """Without this, refusing everything would pass all that follows."""
    assert verifier().verify(POOL.sign()).sub == access_claims()["sub"]


# The algorithm.


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", "none ", "", "null"])
@pytest.mark.parametrize("signature", ["", "AA", b64(b"none")])
def test_cve_2015_2951_and_cve_2022_23540_unsigned_tokens(algorithm: str, signature: str) -> None:
    assert refused(f"{unsigned(alg=algorithm)}.{signature}") == Code.ALGORITHM_NOT_ALLOWED


def test_cve_2020_28042_an_empty_signature_under_a_genuine_algorithm() -> None:
    assert refused(unsigned() + ".") == Code.SIGNATURE_INVALID


def test_cve_2016_10555_the_public_key_as_hmac_secret() -> None:
    assert refused(with_hmac(PEM)) == Code.ALGORITHM_NOT_ALLOWED


def test_cve_2017_11424_the_public_key_in_pkcs1_pem_as_hmac_secret() -> None:
    pkcs1 = PUBLIC.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.PKCS1)
    assert refused(with_hmac(pkcs1)) == Code.ALGORITHM_NOT_ALLOWED


def test_cve_2022_29217_and_cve_2024_33663_the_public_key_in_ssh_form_as_hmac_secret() -> None:
    ssh = PUBLIC.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    assert refused(with_hmac(ssh)) == Code.ALGORITHM_NOT_ALLOWED


def test_cve_2023_48223_and_cve_2026_34950_the_public_key_with_white_space_around_it_as_hmac_secret() -> None:
    for secret in (b" " + PEM, b"\n" + PEM, PEM.strip(), PEM + b"\n"):
        assert refused(with_hmac(secret)) == Code.ALGORITHM_NOT_ALLOWED


def test_cve_2026_48526_the_jwk_as_hmac_secret() -> None:
    key = POOL.jwks["keys"][0]
    for secret in (json.dumps(key).encode(), key["n"].encode(), json.dumps(POOL.jwks).encode()):
        assert refused(with_hmac(secret)) == Code.ALGORITHM_NOT_ALLOWED


def test_cve_2022_23541_an_hmac_under_the_name_of_rs256() -> None:
    assert refused(with_hmac(PEM, "RS256")) == Code.SIGNATURE_INVALID


def test_cve_2026_22818_a_key_without_alg_does_not_leave_the_algorithm_to_the_header() -> None:
    """Also what aws-jwt-verify 5.2.1 lets through: such a key's RS256 signature under the name ES256."""
    jwks = {"keys": [jwk(POOL.key, alg=None, use=None)]}
    assert verifier(jwks).verify(POOL.sign())
    for algorithm in ("ES256", "EdDSA", "RS512", "PS256", "HS256"):
        assert refused(POOL.sign(alg=algorithm), jwks) == Code.ALGORITHM_NOT_ALLOWED


@pytest.mark.parametrize(
    "algorithm", ["rs256", "Rs256", "RS256 ", "RS256\u0000", "\uff32S256", ["RS256"], {"RS256": 1}]
)
def test_rfc_8725_3_1_an_algorithm_has_one_name(algorithm: object) -> None:
    assert refused(POOL.sign(alg=algorithm)) == Code.ALGORITHM_NOT_ALLOWED


# The key.


def test_cve_2018_0114_and_cve_2026_27962_and_cve_2026_34240_a_key_in_the_header() -> None:
    attacker = Pool(private_key("attacker"))
    assert refused(attacker.sign(jwk=jwk(attacker.key))) == Code.SIGNATURE_INVALID


def test_rfc_8725_3_10_a_key_address_in_the_header_causes_no_request() -> None:
    """The server-side request forgery of ``jku`` and ``x5u``: ``no_network`` fails the test if anything leaves."""
    attacker = Pool(private_key("attacker"))
    for member in ("jku", "x5u"):
        for address in ("https://attacker.example/keys", "http://169.254.169.254/latest/", "file:///etc/passwd"):
            assert refused(attacker.sign(None, **{member: address})) == Code.SIGNATURE_INVALID


def test_rfc_8725_3_10_a_certificate_chain_in_the_header_is_not_looked_at() -> None:
    attacker = Pool(private_key("attacker"))
    assert refused(attacker.sign(x5c=["AAAA"], x5t="AAAA")) == Code.SIGNATURE_INVALID


@pytest.mark.parametrize(
    "kid",
    [
        "../../../../dev/null",
        "/dev/null",
        "x' UNION SELECT 'secret",
        "key-1\u0000",
        "KEY-1",
        "key-1|id",
        "*",
        "__proto__",
    ],
)
def test_rfc_8725_3_10_a_key_id_is_looked_up_and_never_interpreted(kid: str) -> None:
    jwks = {"keys": [*POOL.jwks["keys"]]}
    requests: list[str] = []

    def keys_again(uri: str, _timeout: float) -> bytes:
        requests.append(uri)
        return json.dumps(jwks).encode()

    source = KeySource([ISSUER], fetch=keys_again, clock=lambda: NOW)
    with pytest.raises(VerificationError) as caught:
        Verifier(issuers=source, client_ids=ANY, token_use=ANY, revocations=ANY, clock=lambda: NOW).verify(
            POOL.sign(kid=kid)
        )
    assert caught.value.code == Code.KEY_NOT_FOUND
    assert set(requests) == {f"{ISSUER}/.well-known/jwks.json"}


def test_cve_2026_48522_a_key_address_of_another_scheme_cannot_even_be_configured() -> None:
    for address in ("file:///etc/passwd", "ftp://127.0.0.1/keys", "data:,{}", "http://keys.example/jwks.json"):
        with pytest.raises(ConfigurationError):
            KeySource([(ISSUER, address)])


def test_cve_2022_23539_a_key_of_another_type_under_an_rsa_name() -> None:
    curve = ec.generate_private_key(ec.SECP256R1())
    numbers = curve.public_key().public_numbers()
    members = {"kid": KID, "crv": "P-256", "x": b64_int(numbers.x), "y": b64_int(numbers.y), "alg": "RS256"}
    token = unsigned()
    signatures = [
        curve.sign(token.encode(), ec.ECDSA(hashes.SHA256())),
        dsa.generate_private_key(2048).sign(token.encode(), hashes.SHA256()),
    ]
    for kind in ("EC", "oct", "OKP", "DSA", "rsa"):
        jwks = {"keys": [{"kty": kind, "k": b64(PEM), **members}, jwk(private_key("second"), "another")]}
        for signature in signatures:
            assert refused(f"{token}.{b64(signature)}", jwks) == Code.KEY_UNUSABLE


def test_rfc_7518_3_3_a_key_short_enough_to_be_factored() -> None:
    small = Pool(private_key(bits=1024))
    assert refused(small.sign(), {"keys": [jwk(small.key), jwk(POOL.key, "other")]}) == Code.KEY_UNUSABLE


def test_rfc_7517_4_2_a_key_for_encryption_signs_nothing() -> None:
    for change in ({"use": "enc"}, {"key_ops": ["encrypt", "wrapKey"]}):
        assert refused(POOL.sign(), {"keys": [jwk(POOL.key, **change), jwk(POOL.key, "other")]}) == Code.KEY_UNUSABLE


def test_ghsa_fhv5_28vv_h8m8_a_flood_of_made_up_key_ids_is_no_flood_of_requests() -> None:
    requests: list[str] = []

    def counting(uri: str, _timeout: float) -> bytes:
        requests.append(uri)
        return json.dumps(POOL.jwks).encode()

    source = KeySource([ISSUER], fetch=counting, clock=lambda: NOW)
    subject = Verifier(issuers=source, client_ids=ANY, token_use=ANY, revocations=ANY, clock=lambda: NOW)
    for number in range(300):
        with pytest.raises(VerificationError):
            subject.verify(unsigned(kid=f"made-up-{number}") + ".AAAA")
    assert len(requests) <= 3
    assert subject.verify(POOL.sign()), "and the genuine ones go on"


# The signature.


def test_cve_2022_21449_zeros_as_a_signature() -> None:
    """Psychic signatures are ECDSA's, which is not spoken here; what RSA has in their place is refused as well."""
    token = unsigned()
    for forged in (
        bytes(256),
        bytes(255) + b"\x01",
        bytes(64),
        b"0\x06\x02\x01\x00\x02\x01\x00",
        b"\xff" * 256,
        b"\x01",
    ):
        assert refused(f"{token}.{b64(forged)}") == Code.SIGNATURE_INVALID
    assert refused(f"{unsigned(alg='ES256')}.{b64(bytes(64))}") == Code.ALGORITHM_NOT_ALLOWED


def _cube_root(number: int) -> int:
    low, high = 0, 1 << (number.bit_length() // 3 + 2)
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if middle**3 < number else (low, middle)
    return low


def test_cve_2022_24771_and_cve_2026_33894_a_forged_cube_under_a_key_of_exponent_3() -> None:
    """Bleichenbacher's: the digest right after short padding, and behind it whatever makes the whole a cube."""
    weak = private_key("cube", exponent=3)
    token = unsigned()
    digest_info = bytes.fromhex("3031300d060960864801650304020105000420") + hashlib.sha256(token.encode()).digest()
    begin = b"\x00\x01" + b"\xff" * 8 + b"\x00" + digest_info
    forged = _cube_root(int.from_bytes(begin + bytes(256 - len(begin)), "big"))
    assert (forged**3).to_bytes(256, "big").startswith(begin), "what a careless reader would take for the digest"
    assert refused(f"{token}.{b64(forged.to_bytes(256, 'big'))}", {"keys": [jwk(weak)]}) == Code.SIGNATURE_INVALID
    assert verifier({"keys": [jwk(weak)]}).verify(Pool(weak).sign()), "the key itself is good"


def test_a_signature_plus_the_modulus_is_another_spelling_and_refused() -> None:
    """RFC 8017 section 8.2.2 step 1: the signature representative is smaller than the modulus, and as long."""
    header, payload, _ = POOL.sign().split(".")
    signature = POOL.key.sign(f"{header}.{payload}".encode(), padding.PKCS1v15(), hashes.SHA256())
    number, modulus = int.from_bytes(signature, "big"), PUBLIC.public_numbers().n
    spellings = [b"\x00" + signature, signature + b"\x00", signature[1:], (number + modulus).to_bytes(257, "big")]
    for spelling in spellings:
        assert refused(f"{header}.{payload}.{b64(spelling)}") == Code.SIGNATURE_INVALID


def test_rfc_7515_2_a_token_has_one_spelling() -> None:
    """Malleable base64: a revoked or seen token must not come back as another text."""
    token = POOL.sign()
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    spare = [token[:-1] + alphabet[alphabet.index(token[-1]) + extra] for extra in (1, 2, 3)]
    others = [token + "=", token + "==", token + "\n", " " + token, token.replace(".", "=.", 1), token + "."]
    for other in [*spare, *others]:
        assert refused(other) == Code.TOKEN_MALFORMED


# Two readers, two tokens.


def test_cve_2022_39227_compact_and_json_serialization_in_one() -> None:
    header, payload, signature = POOL.sign().split(".")
    forged = b64(ADMIN)
    whole = {f"  {header}.{forged}.": "", "protected": header, "payload": payload, "signature": signature}
    polyglot = json.dumps(whole)
    for token in (polyglot, f"{header}.{forged}.{polyglot}", f"{header}.{payload}.{signature}.{forged}"):
        assert refused(token) == Code.TOKEN_MALFORMED


def test_rfc_7515_4_a_member_twice_in_the_header() -> None:
    for header in (
        b'{"alg":"none","alg":"RS256","kid":"key-1"}',
        b'{"alg":"RS256","kid":"key-1","kid":"other"}',
        b'{"alg":"RS256","\\u0061lg":"none","kid":"key-1"}',
    ):
        assert refused(compact(header, ADMIN, POOL.key)) == Code.TOKEN_MALFORMED


def test_rfc_7519_4_a_claim_twice() -> None:
    header = b'{"alg":"RS256","kid":"key-1"}'
    text = json.dumps(access_claims())
    for other in ('{"sub":"admin",', '{"\\u0073ub":"admin",', '{"nested":{"a":1,"a":2},'):
        assert refused(compact(header, text.replace("{", other, 1).encode(), POOL.key)) == Code.TOKEN_MALFORMED


@pytest.mark.parametrize(
    "change",
    [
        lambda text: b"\xef\xbb\xbf" + text,
        lambda text: text.decode().encode("utf-16"),
        lambda text: text.replace(b"ada", b"a\xc0\x80a"),
        lambda text: text.replace(b'"ada"', b'"\\ud800"'),
        lambda text: text + b"\x00",
        lambda text: text + text,
        lambda text: b"[" + text + b"]",
        lambda _: b"",
        lambda _: b"null",
        lambda text: text[:-1] + b",}",
        lambda text: text.replace(b'"', b"'"),
        lambda text: text[:-1] + b',"x":NaN}',
        lambda text: text[:-1] + b',"x":1e999}',
        lambda text: text[:-1] + b"/**/}",
    ],
)
def test_rfc_8259_text_that_readers_disagree_about(change: Callable[[bytes], bytes]) -> None:
    payload = change(json.dumps(access_claims()).encode())
    assert refused(compact(b'{"alg":"RS256","kid":"key-1"}', payload, POOL.key)) == Code.TOKEN_MALFORMED


@pytest.mark.parametrize("crit", [["exp"], ["b64"], ["cnf"], [], {}, 0, "exp", ["alg"], None])
def test_cve_2025_59420_and_cve_2026_32597_a_critical_extension_that_nobody_understands(crit: object) -> None:
    header = json.dumps({"alg": "RS256", "kid": KID, "crit": crit, "cnf": {}, "b64": True}).encode()
    assert refused(compact(header, json.dumps(access_claims()).encode(), POOL.key)) == Code.CRITICAL_HEADER


def test_rfc_7797_6_an_unencoded_payload_that_is_not_listed_as_critical() -> None:
    assert refused(POOL.sign(b64=False)) == Code.CRITICAL_HEADER


# Another kind of token.


def encrypted(key: rsa.RSAPublicKey, text: bytes, **header: object) -> list[str]:
    """A genuine JWE (RFC 7516) to a public key: what anybody can make who has it."""
    protected = b64(json.dumps({"alg": "RSA-OAEP-256", "enc": "A256GCM", "kid": KID, **header}).encode())
    secret, nonce = os.urandom(32), os.urandom(12)
    wrapped = key.encrypt(secret, padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None))
    sealed = AESGCM(secret).encrypt(nonce, text, protected.encode())
    return [protected, b64(wrapped), b64(nonce), b64(sealed[:-16]), b64(sealed[-16:])]


def test_cve_2022_3102_and_ghsa_c8v6_786g_vjx6_encrypted_to_the_public_key_is_not_signed() -> None:
    assert refused(".".join(encrypted(PUBLIC, ADMIN))) == Code.TOKEN_MALFORMED


def test_cve_2026_29000_an_unsigned_token_inside_an_encrypted_one() -> None:
    inner = f"{b64(b'{}')}.{b64(ADMIN)}.".encode()
    parts = encrypted(PUBLIC, inner, cty="JWT")
    assert refused(".".join(parts)) == Code.TOKEN_MALFORMED
    assert refused(".".join(parts[:3])) == Code.ALGORITHM_NOT_ALLOWED
    assert refused(".".join([parts[0], parts[3], parts[4]])) == Code.ALGORITHM_NOT_ALLOWED


def test_a_token_within_a_token_is_not_unpacked() -> None:
    """RFC 7519 section 5.2, ``cty``: the payload would have to be a token; here it must be claims."""
    header = json.dumps({"alg": "RS256", "kid": KID, "cty": "JWT"}).encode()
    assert refused(compact(header, POOL.sign().encode(), POOL.key)) == Code.TOKEN_MALFORMED


@pytest.mark.parametrize(
    "typ",
    ["logout+jwt", "secevent+jwt", "dpop+jwt", "JOSE", "JOSE+JSON", "token-introspection+jwt", "", 1, ["JWT"], {}],
)
def test_rfc_8725_3_11_a_token_of_another_kind_by_the_same_issuer(typ: object) -> None:
    assert refused(POOL.sign(typ=typ)) == Code.TYPE_NOT_ALLOWED


def test_an_id_token_opens_no_api() -> None:
    assert refused(POOL.sign(id_claims())) == Code.WRONG_TOKEN_USE
    assert refused(POOL.sign(id_claims(client_id=CLIENT, scope="orders/read"))) == Code.WRONG_TOKEN_USE


# Claims.


def test_cve_2024_53861_a_part_of_the_issuer() -> None:
    for issuer in ("", "https", ISSUER[:-1], ISSUER[8:], ISSUER + "x", list(ISSUER)):
        assert refused(POOL.sign(access_claims(iss=issuer))) == Code.ISSUER_NOT_ALLOWED


def test_rfc_8725_3_8_another_issuers_key_does_not_sign_for_this_one() -> None:
    second = ISSUER.replace("aBcDeFgHi", "jKlMnOpQr")
    other = Pool(private_key("second"))
    source = KeySource(
        [ISSUER, second], preloaded={ISSUER: POOL.jwks, second: other.jwks}, fetch=no_network, clock=lambda: NOW
    )
    subject = Verifier(issuers=source, client_ids=ANY, token_use=ANY, revocations=ANY, clock=lambda: NOW)
    assert subject.verify(other.sign(access_claims(iss=second)))
    with pytest.raises(VerificationError) as caught:
        subject.verify(other.sign(access_claims(iss=ISSUER)))
    assert caught.value.code == Code.SIGNATURE_INVALID


@pytest.mark.parametrize("aud", [[], [CLIENT], [CLIENT, "other"], "", None, {}])
def test_cve_2020_26160_an_audience_that_is_a_list_or_nothing(aud: object) -> None:
    claims = {**id_claims(), "aud": aud}
    assert refused(POOL.sign(claims), token_use="id") in {Code.WRONG_CLIENT, Code.CLAIMS_MALFORMED}


def test_an_access_token_without_a_client_is_not_everybodys() -> None:
    for claims in (access_claims(client_id=None), access_claims(client_id=None, aud=CLIENT)):
        assert refused(POOL.sign(claims)) == Code.WRONG_CLIENT


@pytest.mark.parametrize("exp", [None, True, str(NOW + 60), [NOW + 60], {"$gt": NOW}, "never", 1e300])
def test_rfc_7519_4_1_4_a_token_that_would_never_end(exp: object) -> None:
    assert refused(POOL.sign({**access_claims(), "exp": exp})) == Code.CLAIMS_MALFORMED


# Work.


def test_cve_2024_33664_and_cve_2024_28102_a_bomb_is_not_inflated() -> None:
    bomb = zlib.compress(b" " * 10_000_000, 9)
    assert refused(".".join(encrypted(PUBLIC, bomb[2:-4], zip="DEF"))) in {Code.TOKEN_MALFORMED, Code.TOKEN_TOO_LARGE}
    inflated = compact(b'{"alg":"RS256","kid":"key-1","zip":"DEF"}', zlib.compress(ADMIN)[2:-4], POOL.key)
    assert refused(inflated) == Code.TOKEN_MALFORMED


def test_cve_2025_27144_and_cve_2025_30204_a_token_of_dots() -> None:
    assert refused("." * 10_000) == Code.TOKEN_MALFORMED
    assert refused("." * 10_000_000) == Code.TOKEN_TOO_LARGE


def test_a_password_based_algorithm_costs_no_iterations() -> None:
    """The "billion hashes" of ``p2c`` (RFC 7518 section 4.8)."""
    assert refused(f"{unsigned(alg='PBES2-HS512+A256KW', p2c=2**31)}.AAAA") == Code.ALGORITHM_NOT_ALLOWED


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'{"a":['])
def test_nesting_without_end_is_refused_and_not_followed(opening: bytes) -> None:
    payload = opening * (9_000 // len(opening))
    assert refused(compact(b'{"alg":"RS256","kid":"key-1"}', payload, POOL.key)) == Code.TOKEN_MALFORMED


def test_a_number_of_ten_thousand_digits_is_refused_or_no_time() -> None:
    """Python's own limit for the conversion (4,300 digits) answers before the bound on values does."""
    for digits in (400, 4_000, 10_000):
        text = json.dumps(access_claims()).replace(str(NOW + 3540), "9" * digits)
        code = refused(compact(b'{"alg":"RS256","kid":"key-1"}', text.encode(), POOL.key))
        assert code in {Code.CLAIMS_MALFORMED, Code.TOKEN_MALFORMED}


def test_a_token_of_megabytes_is_refused_by_its_length() -> None:
    assert refused(POOL.sign(access_claims(filler="x" * 2_000_000))) == Code.TOKEN_TOO_LARGE
    assert refused("x" * 50_000_000) == Code.TOKEN_TOO_LARGE


def test_a_key_too_large_to_verify_with_is_none() -> None:
    """An exponent or a modulus of any length would be an issuer's way to any amount of work, or a proxy's."""
    numbers = PUBLIC.public_numbers()
    for change in ({"e": b64_int(numbers.n - 2)}, {"n": b64_int((1 << 16_384) + 1)}):
        assert refused(POOL.sign(), {"keys": [jwk(POOL.key, **change), jwk(POOL.key, "other")]}) == Code.KEY_UNUSABLE
