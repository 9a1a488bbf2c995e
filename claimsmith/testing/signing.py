"""The pool's two key pairs, one for access and one for ID tokens, and tokens in compact form (RFC 7515, RS256)."""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

if TYPE_CHECKING:
    from collections.abc import Mapping

    from claimsmith.testing.contract import Token

_USES: Final[tuple[Token, Token]] = ("id", "access")


class Key:
    """One key pair. Its ``kid`` is a digest of the key: 44 characters, as Cognito's are."""

    def __init__(self) -> None:
        self._private = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
        numbers = self._private.public_key().public_numbers()
        modulus = numbers.n.to_bytes(256, "big")
        self.kid = base64.b64encode(hashlib.sha256(modulus).digest()).decode()
        self.jwk = {
            "alg": "RS256",
            "e": _b64(numbers.e.to_bytes(3, "big")),
            "kid": self.kid,
            "kty": "RSA",
            "n": _b64(modulus),
            "use": "sig",
        }

    def sign(self, claims: Mapping[str, Any]) -> str:
        """A token; its header has only ``kid`` and ``alg``, as Cognito's does."""
        header = {"kid": self.kid, "alg": "RS256"}
        signed = ".".join(_b64(json.dumps(part, separators=(",", ":")).encode()) for part in (header, dict(claims)))
        return f"{signed}.{_b64(self._private.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


class Keys:
    """The keys of a pool. Pools with the same id share them within a process, since generating a key is slow."""

    def __init__(self, pool_id: str) -> None:
        self._pool_id = pool_id
        self._generation = 0
        self._oldest = 0

    def pair(
        self, access: Mapping[str, Any], identity: Mapping[str, Any] | None, *, with_hash: bool
    ) -> tuple[str, str | None, dict[str, Any] | None]:
        """An access and an ID token, signed by the newest keys, and the ID token's claims.

        Args:
            access: the access token's claims.
            identity: the ID token's; None for no ID token.
            with_hash: tie the ID token to the access token (``at_hash``, OpenID Connect Core section 3.1.3.6).
        """
        access_token = _key(self._pool_id, "access", self._generation).sign(access)
        if identity is None:
            return access_token, None, None
        claims = dict(identity)
        if with_hash:
            claims["at_hash"] = _b64(hashlib.sha256(access_token.encode()).digest()[:16])
        return access_token, _key(self._pool_id, "id", self._generation).sign(claims), claims

    def rotate(self, *, retire: bool) -> None:
        """Sign with new keys from now on; retired ones are no longer published."""
        self._generation += 1
        if retire:
            self._oldest = self._generation

    def jwks(self) -> dict[str, Any]:
        """The key set (RFC 7517 section 5)."""
        generations = range(self._oldest, self._generation + 1)
        return {"keys": [dict(_key(self._pool_id, use, number).jwk) for number in generations for use in _USES]}


@cache
def _key(_pool_id: str, _use: Token, _generation: int) -> Key:
    return Key()


def _b64(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()
