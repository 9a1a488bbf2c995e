"""The examples of RFC 7515 appendix A and RFC 7520 section 4: RS256 is accepted, everything else is refused."""

from __future__ import annotations

import json

import pytest

from claimsmith.errors import Code, VerificationError
from claimsmith.verifier import verify_jws
from claimsmith.verifier.encoding import base64url
from claimsmith.verifier.jwk import rsa_key
from claimsmith.verifier.jws import check_signature

# RFC 7515 appendix A.2. Its header names no key, which is fine for a JWS and not enough for a token of a key set.
A2_KEY = {
    "kty": "RSA",
    "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZ"
    "S-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2Ca"
    "pHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h"
    "4FRWyuXpoQ",
    "e": "AQAB",
}
PAYLOAD = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
A2_SIGNATURE = (
    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t"
    "1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12j"
    "zDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQ"
    "Ge77Rw"
)
A2 = f"eyJhbGciOiJSUzI1NiJ9.{PAYLOAD}.{A2_SIGNATURE}"
A1 = f"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{PAYLOAD}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
A3 = (
    f"eyJhbGciOiJFUzI1NiJ9.{PAYLOAD}."
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
)
A5 = f"eyJhbGciOiJub25lIn0.{PAYLOAD}."

# RFC 7520 sections 3.3, 4.1 and 4.2.
BILBO = {
    "kty": "RSA",
    "kid": "bilbo.baggins@hobbiton.example",
    "use": "sig",
    "n": "n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_AJmSCpMaJMRBSFKrKb2w"
    "qVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpPe7Tpe-OfVfHd1E6cS6M1FZcD1NNLYD5lFHpPI9bTwJls"
    "de3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU4fg_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__kRhuaxwUkRz5iaiQkqgc"
    "5gHdrNP5zw",
    "e": "AQAB",
}
WORDS = (
    "SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb250byB0aGUgcm9hZCwgYW5k"
    "IGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4"
)
SECTION_4_1 = (
    f"eyJhbGciOiJSUzI1NiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9.{WORDS}."
    "MRjdkly7_-oTPTS3AXP41iQIGKa80A0ZmTuV5MEaHoxnW2e5CZ5NlKtainoFmKZopdHM1O2U4mwzJdQx996ivp83xuglII7PNDi84wnB-BDkoBwA"
    "78185hX-Es4JIwmDLJK3lfWRa-XtL0RnltuYv746iYTh_qHRD68BNt1uSNCrUCTJDt5aAE6x8wW1Kt9eRo4QPocSadnHXFxnt8Is9UzpERV0ePPQ"
    "dLuW3IS_de3xyIrDaLGdjluPxUAhb6L2aXic1U12podGU0KLUQSE_oI-ZnmKJ3F4uOZDnd6QZWJushZ41Axf_fcIe8u9ipH84ogoree7vjbU5y18"
    "kDquDg"
)
SECTION_4_2 = (
    f"eyJhbGciOiJQUzM4NCIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9.{WORDS}."
    "cu22eBqkYDKgIlTpzDXGvaFfz6WGoz7fUDcfT0kkOy42miAh2qyBzk1xEsnk2IpN6-tPid6VrklHkqsGqDqHCdP6O8TTB5dDDItllVo6_1OLPpcb"
    "UrhiUSMxbbXUvdvWXzg-UD8biiReQFlfz28zGWVsdiNAUf8ZnyPEgVFn442ZdNqiVJRmBqrYRXe8P_ijQ7p8Vdz0TTrxUeT3lm8d9shnr2lfJT8I"
    "mUjvAA2Xez2Mlp8cBE5awDzT0qI0n6uiP1aCN_2_jLAeQTlqRHtfa64QQSUmFAAjVKPbByi7xho0uTOcbH510a6GYmJUAfmWjwZ6oD4ifKo8DYM-"
    "X72Eaw"
)


def octets(segment: str) -> bytes:
    decoded = base64url(segment.encode())
    assert decoded is not None
    return decoded


def refusal(token: str, key: dict[str, str]) -> Code:
    with pytest.raises(VerificationError) as caught:
        verify_jws(token, {"keys": [key]})
    return caught.value.code


def test_rfc_7520_4_1_is_accepted_with_its_payload() -> None:
    jws = verify_jws(SECTION_4_1, {"keys": [BILBO]})
    assert dict(jws.header) == {"alg": "RS256", "kid": "bilbo.baggins@hobbiton.example"}
    assert jws.payload.decode().startswith("It\u2019s a dangerous business, Frodo, going out your door.")


def test_the_signature_of_rfc_7515_a_2_is_right_and_only_over_these_octets() -> None:
    key = rsa_key(A2_KEY)
    assert key is not None
    check_signature(octets(A2_SIGNATURE), A2.rpartition(".")[0].encode(), (key,))
    with pytest.raises(VerificationError):
        check_signature(octets(A2_SIGNATURE), A2.rpartition(".")[0].encode() + b" ", (key,))


def test_rfc_7515_a_2_as_a_token_lacks_a_key_id() -> None:
    assert refusal(A2, A2_KEY | {"kid": "x"}) == Code.KEY_ID_MISSING


@pytest.mark.parametrize(
    ("token", "key"),
    [(A1, A2_KEY), (A3, A2_KEY), (A5, A2_KEY), (SECTION_4_2, BILBO)],
    ids=["RFC 7515 A.1, HS256", "RFC 7515 A.3, ES256", "RFC 7515 A.5, none", "RFC 7520 4.2, PS384"],
)
def test_the_examples_of_other_algorithms_are_refused(token: str, key: dict[str, str]) -> None:
    assert refusal(token, key) == Code.ALGORITHM_NOT_ALLOWED


def test_the_examples_of_json_serialization_are_refused() -> None:
    """RFC 7515 appendices A.6 and A.7, RFC 7520 sections 4.6 to 4.8."""
    one = {"protected": "eyJhbGciOiJSUzI1NiJ9", "header": {"kid": "2010-12-29"}, "signature": A2_SIGNATURE}
    for form in ({"payload": PAYLOAD, "signatures": [one]}, {"payload": PAYLOAD, **one}):
        assert refusal(json.dumps(form), A2_KEY) == Code.TOKEN_MALFORMED


def test_a_detached_payload_is_not_filled_in() -> None:
    """RFC 7515 appendix F, RFC 7520 section 4.5."""
    header, _, signature = SECTION_4_1.split(".")
    assert refusal(f"{header}..{signature}", BILBO) == Code.SIGNATURE_INVALID
