"""Key pairs as AWS KMS has them, in this process."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


@dataclass(frozen=True)
class LocalKey:
    """A ``SigningKey``."""

    private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

    def public_key(self) -> bytes:
        return self.private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def sign(self, digest: bytes, algorithm: str, /) -> bytes:
        prehashed = Prehashed(SHA256())
        if isinstance(self.private, rsa.RSAPrivateKey):
            assert algorithm == "RS256"
            return self.private.sign(digest, padding.PKCS1v15(), prehashed)
        assert algorithm == "ES256"
        return self.private.sign(digest, ec.ECDSA(prehashed))


@cache
def local_key(kind: str, name: str = "") -> LocalKey:
    """A key pair, made once per process; the name distinguishes those of one kind."""
    assert isinstance(name, str)
    match kind:
        case "P-256":
            return LocalKey(ec.generate_private_key(ec.SECP256R1()))
        case "P-384":
            return LocalKey(ec.generate_private_key(ec.SECP384R1()))
    return LocalKey(rsa.generate_private_key(65537, int(kind.removeprefix("RSA "))))
