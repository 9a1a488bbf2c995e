"""What a load balancer says of its users: ES256 with padding, pinned to one load balancer."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, SECP384R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from claimsmith.errors import Code, ConfigurationError, VerificationError
from claimsmith.verifier.alb import AlbVerifier
from tests.unit.verifier.gateway_events import TOKEN, VERIFIER
from tests.unit.verifier.minting import ISSUER, NOW

SIGNER = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/app/web/0123456789abcdef"
KID = "0d9c1c2e-1111-4222-8333-444455556666"
KEY, OTHER_KEY = generate_private_key(SECP256R1()), generate_private_key(SECP256R1())
HEADER = {"alg": "ES256", "kid": KID, "signer": SIGNER, "iss": ISSUER, "client": "web", "exp": NOW + 120, "typ": "JWT"}
CLAIMS = {"sub": "s", "email": "ada@example.com", "iss": ISSUER, "exp": NOW + 120}


def signed(key: Any = KEY, claims: object = CLAIMS, **changes: object) -> str:  # noqa: ANN401 - a key of any curve
    parts = [urlsafe_b64encode(json.dumps(part).encode()) for part in ({**HEADER, **changes}, claims)]
    r, s = decode_dss_signature(key.sign(b".".join(parts), ECDSA(SHA256())))
    return b".".join([*parts, urlsafe_b64encode(r.to_bytes(32, "big") + s.to_bytes(32, "big"))]).decode()


def verifier(key: Any = KEY, asked: list[str] | None = None) -> AlbVerifier:  # noqa: ANN401 - a key of any curve
    def fetch(uri: str, _timeout: float) -> bytes:
        if asked is not None:
            asked.append(uri)
        return bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))

    return AlbVerifier(signer=SIGNER, issuer=ISSUER, client_id="web", fetch=fetch, clock=lambda: NOW)


def test_a_user_of_the_load_balancer_is_read_with_one_request_for_the_key() -> None:
    asked: list[str] = []
    made, data = verifier(asked=asked), signed()
    assert "=" in data
    assert made.verify(data)["email"] == made.verify(data)["email"] == "ada@example.com"
    assert asked == [f"https://public-keys.auth.elb.eu-central-1.amazonaws.com/{KID}"]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (signed(OTHER_KEY), Code.SIGNATURE_INVALID),
        (signed(signer=SIGNER.replace("web", "evil")), Code.ISSUER_NOT_ALLOWED),
        (signed(signer=None), Code.ISSUER_NOT_ALLOWED),
        (signed(iss="https://evil.example"), Code.ISSUER_NOT_ALLOWED),
        (signed(client="other"), Code.WRONG_CLIENT),
        (signed(alg="none"), Code.ALGORITHM_NOT_ALLOWED),
        (signed(alg="RS256"), Code.ALGORITHM_NOT_ALLOWED),
        (signed(alg="HS256"), Code.ALGORITHM_NOT_ALLOWED),
        (signed(kid="../../evil"), Code.KEY_ID_MISSING),
        (signed(kid=f"{KID}?x"), Code.KEY_ID_MISSING),
        (signed(kid=f"{KID}\n"), Code.KEY_ID_MISSING),
        (signed(crit=["exp"]), Code.CRITICAL_HEADER),
        (signed(exp=NOW), Code.TOKEN_EXPIRED),
        (signed(exp=None), Code.CLAIMS_MALFORMED),
        (signed(claims={**CLAIMS, "iss": "https://evil.example"}), Code.CLAIMS_MALFORMED),
        (signed(claims={"email": "x"}), Code.CLAIMS_MALFORMED),
        (signed(claims={**CLAIMS, "x": json.loads("[" * 450 + "]" * 450)}), Code.CLAIMS_MALFORMED),
        (signed() + ".", Code.TOKEN_MALFORMED),
        (signed() + ".x", Code.TOKEN_MALFORMED),
        ("a.b", Code.TOKEN_MALFORMED),
        (TOKEN, Code.TOKEN_MALFORMED),
    ],
)
def test_anything_else_is_refused_before_a_key_is_asked_for_in_vain(data: str, code: Code) -> None:
    asked: list[str] = []
    with pytest.raises(VerificationError) as refused:
        verifier(asked=asked).verify(data)
    assert refused.value.code is code
    assert all(uri.endswith(f"/{KID}") for uri in asked)


def test_a_verifier_of_cognitos_tokens_takes_none_of_them() -> None:
    with pytest.raises(VerificationError):
        VERIFIER.verify(signed().replace("=", ""))


def test_a_key_of_another_curve_is_not_used() -> None:
    with pytest.raises(VerificationError, match="CS3012"):
        verifier(generate_private_key(SECP384R1())).verify(signed())


@pytest.mark.parametrize("changes", [{"signer": "*"}, {"signer": SIGNER.replace("/app/", "/net/")}, {"issuer": ""}])
def test_nothing_is_left_unpinned(changes: dict[str, Any]) -> None:
    pinned: dict[str, Any] = {"signer": SIGNER, "issuer": ISSUER, "client_id": "web"}
    with pytest.raises(ConfigurationError):
        AlbVerifier(**{**pinned, **changes})
