"""The signatures of OIDC issuers that do not sign with RS256: PS256 and ES256 (RFC 7518 sections 3.4 and 3.5).

Imported only where such an issuer is allowed. The issuer's rules name the one algorithm; the token's header never
chooses, it can only agree.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePublicKey,
    EllipticCurvePublicNumbers,
)
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from claimsmith.errors import Code, VerificationError
from claimsmith.verifier.encoding import base64url

if TYPE_CHECKING:
    from collections.abc import Mapping

#: A key for one of the algorithms that an issuer may sign with.
PublicKey: TypeAlias = RSAPublicKey | EllipticCurvePublicKey

_HASH: Final = SHA256()

#: RFC 7518 section 3.5: the salt has the size of the hash.
_PADDING: Final = PSS(MGF1(SHA256()), SHA256.digest_size)
_ECDSA: Final = ECDSA(SHA256())

#: Octets of a coordinate, and of each half of a signature.
_COORDINATE: Final = 32


def p256_key(jwk: Mapping[str, object]) -> EllipticCurvePublicKey | None:
    """The key of a JWK with the curve P-256 (RFC 7518 section 6.2.1), or ``None``; its uses are not looked at."""
    x, y = (_coordinate(jwk.get(name)) for name in ("x", "y"))
    if jwk.get("crv") != "P-256" or x is None or y is None:
        return None
    try:
        return EllipticCurvePublicNumbers(x, y, SECP256R1()).public_key()
    except ValueError:  # not on the curve
        return None


def _coordinate(value: object) -> int | None:
    octets = base64url(value.encode()) if isinstance(value, str) and value.isascii() else None
    return int.from_bytes(octets, "big") if octets is not None and len(octets) == _COORDINATE else None


def check_other_signature(signature: bytes, signed: bytes, keys: tuple[PublicKey, ...]) -> None:
    """Check an ES256 or PS256 signature, as the kind of key says, against the keys of the token's key id.

    Raises:
        VerificationError: none of the keys made this signature.
    """
    for key in keys:
        try:
            if isinstance(key, RSAPublicKey):
                key.verify(signature, signed, _PADDING, _HASH)
            elif len(signature) == 2 * _COORDINATE:
                r, s = (int.from_bytes(half, "big") for half in (signature[:_COORDINATE], signature[_COORDINATE:]))
                key.verify(encode_dss_signature(r, s), signed, _ECDSA)
            else:
                continue
        except InvalidSignature:
            continue
        return
    raise VerificationError(Code.SIGNATURE_INVALID, "signature")
