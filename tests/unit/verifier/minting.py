"""An issuer for the tests: its own keys, its own encoding, nothing of the code under test."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

NOW = 1_800_000_000
POOL = "eu-central-1_aBcDeFgHi"
ISSUER = f"https://cognito-idp.eu-central-1.amazonaws.com/{POOL}"
UPDATED_ISSUER = f"https://issuer-cognito-idp.eu-central-1.amazonaws.com/{POOL}"
CLIENT = "1example23456789"
KID = "key-1"


def b64(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def b64_int(number: int) -> str:
    return b64(number.to_bytes((number.bit_length() + 7) // 8, "big"))


@cache
def private_key(name: str = "first", bits: int = 2048, exponent: int = 65537) -> rsa.RSAPrivateKey:
    """A key made once per process; the name distinguishes keys of the same size."""
    assert name
    return rsa.generate_private_key(exponent, bits)


def jwk(key: rsa.RSAPrivateKey, kid: str = KID, **members: object) -> dict[str, Any]:
    """The public JWK of a key as Cognito publishes it; a member given as None is left out."""
    numbers = key.public_key().public_numbers()
    full: dict[str, Any] = {
        "kty": "RSA",
        "use": "sig",
        "alg": "RS256",
        "kid": kid,
        "n": b64_int(numbers.n),
        "e": b64_int(numbers.e),
        **members,
    }
    return {name: value for name, value in full.items() if value is not None}


def compact(header: bytes, payload: bytes, key: rsa.RSAPrivateKey) -> str:
    """A token over exactly these octets, signed for real."""
    signed = f"{b64(header)}.{b64(payload)}"
    signature = key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{signed}.{b64(signature)}"


def access_claims(**changes: object) -> dict[str, Any]:
    """A user's access token as Cognito makes it; a claim given as None is left out."""
    claims: dict[str, Any] = {
        "sub": "5c2f7a0e-0000-4000-8000-000000000001",
        "iss": ISSUER,
        "client_id": CLIENT,
        "origin_jti": "0a0a0a0a-0000-4000-8000-000000000002",
        "event_id": "0b0b0b0b-0000-4000-8000-000000000003",
        "token_use": "access",
        "scope": "openid orders/read orders/write",
        "auth_time": NOW - 60,
        "exp": NOW + 3540,
        "iat": NOW - 60,
        "jti": "0c0c0c0c-0000-4000-8000-000000000004",
        "username": "ada",
        "cognito:groups": ["Staff"],
        "tenant_id": "acme",
        "roles": ["editor", "viewer"],
        **changes,
    }
    return {name: value for name, value in claims.items() if value is not None}


def id_claims(**changes: object) -> dict[str, Any]:
    """The ID token that goes with it."""
    own = {"client_id": None, "scope": None, "username": None, "jti": "0d0d0d0d-0000-4000-8000-000000000005"}
    return access_claims(**{**own, "aud": CLIENT, "token_use": "id", "cognito:username": "ada", **changes})


def _written(members: dict[str, Any]) -> bytes:
    """JSON as Cognito writes it."""
    return json.dumps(members, separators=(",", ":")).encode()


@dataclass
class Pool:
    """A user pool's key and what it signs."""

    key: rsa.RSAPrivateKey = field(default_factory=private_key)
    kid: str = KID

    @property
    def jwks(self) -> dict[str, Any]:
        return {"keys": [jwk(self.key, self.kid)]}

    def sign(self, claims: dict[str, Any] | None = None, **header: object) -> str:
        full = {"kid": self.kid, "alg": "RS256", **header}
        members = {name: value for name, value in full.items() if value is not None}
        payload = access_claims() if claims is None else claims
        return compact(_written(members), _written(payload), self.key)
