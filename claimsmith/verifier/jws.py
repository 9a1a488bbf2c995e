"""A signed token in compact form (RFC 7515 section 3.1), RS256 and nothing else.

What the header says about keys (``jwk``, ``jku``, ``x5u``, ``x5c``) is never followed, and the algorithm is not taken
from it either: it may only name the one that is used anyway (RFC 8725 sections 3.1 and 3.2).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from claimsmith.errors import Code, VerificationError
from claimsmith.verifier.encoding import base64url, frozen, json_object
from claimsmith.verifier.jwk import KeySet

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

#: Characters. API Gateway passes at most 10,240 bytes of headers, so that no token that reaches an API is longer.
MAX_TOKEN: Final = 16_384
MAX_HEADER: Final = 1_024
MAX_SIGNATURE: Final = 1_366  # of an 8192-bit key

_SEGMENTS: Final = 3
_PADDING: Final = PKCS1v15()
_HASH: Final = SHA256()


class Jws(NamedTuple):
    """What a signature was found to cover.

    Attributes:
        header: the protected header, read-only.
        payload: the octets that were signed; not necessarily JSON.
    """

    header: Mapping[str, Any]
    payload: bytes


class Compact(NamedTuple):
    """A token taken apart. Nothing of it is verified."""

    header: Mapping[str, Any]
    kid: str
    payload: bytes
    signed: bytes
    signature: bytes


def _refused(code: Code) -> VerificationError:
    return VerificationError(code, "structure")


@lru_cache(maxsize=128)
def _header(segment: bytes) -> tuple[Mapping[str, Any], str]:
    """The header of a segment and its key id; an issuer's tokens share a handful of headers, hence the cache."""
    octets = base64url(segment)
    header = None if octets is None else json_object(octets)
    if header is None:
        raise _refused(Code.TOKEN_MALFORMED)
    if header.get("alg") != "RS256":
        raise _refused(Code.ALGORITHM_NOT_ALLOWED)
    if "crit" in header:  # RFC 7515 section 4.1.11: no extension is understood, so none may be critical
        raise _refused(Code.CRITICAL_HEADER)
    kid = header.get("kid")
    if not isinstance(kid, str) or not kid:
        raise _refused(Code.KEY_ID_MISSING)
    return frozen(header), kid


def take_apart(token: str) -> Compact:
    """Split a token and decode its parts, sizes first.

    Raises:
        VerificationError: at stage ``structure``.
    """
    if not isinstance(token, str):
        raise _refused(Code.TOKEN_MALFORMED)
    if len(token) > MAX_TOKEN:
        raise _refused(Code.TOKEN_TOO_LARGE)
    if not token.isascii():
        raise _refused(Code.TOKEN_MALFORMED)
    octets = token.encode()
    segments = octets.split(b".", _SEGMENTS)
    if len(segments) != _SEGMENTS:
        raise _refused(Code.TOKEN_MALFORMED)
    first, second, third = segments
    if len(first) > MAX_HEADER or len(third) > MAX_SIGNATURE:
        raise _refused(Code.TOKEN_TOO_LARGE)
    header, kid = _header(first)
    payload, signature = base64url(second), base64url(third)
    if payload is None or signature is None:
        raise _refused(Code.TOKEN_MALFORMED)
    return Compact(header, kid, payload, octets[: len(first) + 1 + len(second)], signature)


def check_signature(compact: Compact, keys: tuple[RSAPublicKey, ...]) -> None:
    """Check RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518 section 3.3) against the keys of the token's key id.

    Raises:
        VerificationError: none of the keys made this signature.
    """
    for key in keys:
        try:
            key.verify(compact.signature, compact.signed, _PADDING, _HASH)
        except InvalidSignature:
            continue
        return
    raise VerificationError(Code.SIGNATURE_INVALID, "signature")


def verify_jws(token: str, jwks: Mapping[str, Any]) -> Jws:
    """Verify a token's signature, and nothing else, against a JWK Set.

    Args:
        token: a JWS in compact serialization.
        jwks: a JWK Set (RFC 7517 section 5), as JSON reads it.

    Returns:
        The header and the payload that the signature covers. Claims are not looked at: that is ``Verifier``.

    Raises:
        VerificationError: the token or the key it asks for is not acceptable, or the signature is not right; the stage
            is ``structure``, ``key`` or ``signature``.
    """
    compact = take_apart(token)
    try:
        keys = KeySet(jwks, only=compact.kid).find(compact.kid)
    except ValueError:
        raise VerificationError(Code.KEYS_UNAVAILABLE, "key", "not a JWK Set") from None
    if keys is None:
        raise VerificationError(Code.KEY_NOT_FOUND, "key")
    check_signature(compact, keys)
    return Jws(compact.header, compact.payload)
