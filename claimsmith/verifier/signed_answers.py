"""Signed answers of introspection (RFC 9701), and the keys to verify them with, as a JWK Set (RFC 7517).

Their issuer is the endpoint, not the user pool, whose keys are Cognito's: nobody can take such an answer for a token.
"""

from __future__ import annotations

import json
import time
from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, Protocol

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import load_der_public_key

from claimsmith.errors import Code, StoreError
from claimsmith.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

#: Bits of a modulus (RFC 7518 section 3.3).
_MIN_MODULUS: Final = 2048


class SigningKey(Protocol):
    """A key pair of which others keep the private key."""

    def public_key(self) -> bytes:
        """The public key as DER (SubjectPublicKeyInfo, RFC 5280 section 4.1).

        Raises:
            ClaimsmithError: it is not known now.
        """

    def sign(self, digest: bytes, algorithm: str, /) -> bytes:
        """A signature: PKCS #1 v1.5, or for ``ES256`` DER (RFC 3279 section 2.2.3).

        Args:
            digest: SHA-256 of what is signed.
            algorithm: ``RS256`` or ``ES256``.

        Raises:
            ClaimsmithError: there is none now.
        """


class _Published(NamedTuple):
    algorithm: str
    kid: str
    jwk: Mapping[str, str]


class AnswerSigner:
    """Signs answers. Thread-safe; public keys are read once."""

    def __init__(self, keys: Sequence[SigningKey], issuer: str, *, clock: Callable[[], float] = time.time) -> None:
        """Sign with the first of the keys.

        Args:
            keys: RSA of 2048 bits or more (RS256), or P-256 (ES256). The others are only published, so that callers
                know them before, or as long as, answers are signed with them.
            issuer: the value of ``iss``.
            clock: epoch seconds.
        """
        self._keys = keys
        self._issuer = issuer
        self._clock = clock
        self._published: dict[int, _Published] = {}

    def signed(self, members: Mapping[str, Any], resource_id: str) -> str:
        """An answer as a JWT (RFC 9701 section 5), without ``sub`` and ``exp``, so that it is no access token.

        Args:
            members: the answer.
            resource_id: the caller, for ``aud``.

        Raises:
            ClaimsmithError: it cannot be signed now.
        """
        key = self._public(0)
        header = {"typ": "token-introspection+jwt", "alg": key.algorithm, "kid": key.kid}
        claims = {
            "iss": self._issuer,
            "aud": resource_id,
            "iat": int(self._clock()),
            "token_introspection": members,
        }
        text = f"{_segment(_json(header))}.{_segment(_json(claims))}"
        signature = self._keys[0].sign(sha256(text.encode()).digest(), key.algorithm)
        return f"{text}.{_segment(_concatenated(signature) if key.algorithm == 'ES256' else signature)}"

    def jwks(self) -> dict[str, Any]:
        """All public keys, the one that signs first.

        Raises:
            ClaimsmithError: they are not known now.
        """
        return {"keys": [dict(self._public(number).jwk) for number in range(len(self._keys))]}

    def _public(self, number: int) -> _Published:
        found = self._published.get(number)
        if found is None:
            self._published[number] = found = _published(self._keys[number].public_key())
        return found


def _published(der: bytes) -> _Published:
    key = load_der_public_key(der)
    if isinstance(key, RSAPublicKey) and key.key_size >= _MIN_MODULUS:
        rsa = key.public_numbers()
        return _named("RS256", {"e": _integer(rsa.e, 1), "kty": "RSA", "n": _integer(rsa.n, 1)})
    if isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1):
        point = key.public_numbers()
        return _named("ES256", {"crv": "P-256", "kty": "EC", "x": _integer(point.x, 32), "y": _integer(point.y, 32)})
    raise StoreError(
        Code.ANSWER_NOT_SIGNED, "The key for introspection's answers is neither RSA of 2048 bits or more nor P-256."
    )


def _named(algorithm: str, members: dict[str, str]) -> _Published:
    """A key whose id is its thumbprint (RFC 7638); the members are those of a thumbprint, in its order."""
    kid = _segment(sha256(_json(members)).digest())
    return _Published(algorithm, kid, {**members, "use": "sig", "alg": algorithm, "kid": kid})


def _concatenated(der: bytes) -> bytes:
    """An ES256 signature as JWS has it (RFC 7518 section 3.4)."""
    r, s = decode_dss_signature(der)
    return r.to_bytes(32) + s.to_bytes(32)


def _integer(number: int, least: int) -> str:
    return _segment(number.to_bytes(max(least, (number.bit_length() + 7) // 8)))


def _segment(octets: bytes) -> str:
    return urlsafe_b64encode(octets).rstrip(b"=").decode()


def _json(value: object) -> bytes:
    # Objects in claims are read-only mappings, which are no dictionaries.
    return json.dumps(value, separators=(",", ":"), default=dict).encode()
