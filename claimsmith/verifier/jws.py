"""A signed token in compact form (RFC 7515 section 3.1), with RS256 unless the rules of its issuer say otherwise.

Keys in the header (``jwk``, ``jku``, ``x5u``, ``x5c``) are never used, and neither is its algorithm: it must name
the one that is used in any case (RFC 8725 sections 3.1 and 3.2).
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, cast

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

from claimsmith.errors import Code, VerificationError
from claimsmith.named_tuple import NamedTuple
from claimsmith.oidc import ALGORITHMS
from claimsmith.verifier.encoding import base64url, decode_unpadded, frozen, json_object, to_standard_alphabet
from claimsmith.verifier.jwk import KeySet

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

#: Characters. API Gateway passes at most 10,240 bytes of headers, so no longer token reaches an API.
MAX_TOKEN: Final = 16_384
MAX_HEADER: Final = 1_024
MAX_SIGNATURE: Final = 1_366  # of an 8192-bit key

#: How many parsed headers are cached; with ``MAX_HEADER`` it bounds the memory that anybody can fill.
MAX_HEADERS: Final = 128

#: ``typ``, lower case (RFC 7519 section 5.1, RFC 9068 section 2.1). Cognito sends none; a token of another
#: type, for example a logout token, is not accepted (RFC 8725 section 3.11).
_ACCESS_TOKEN_TYPES: Final = frozenset({"at+jwt", "application/at+jwt"})
_TYPES: Final = _ACCESS_TOKEN_TYPES | {"jwt"}

_DOT: Final = ord(".")
_PADDING: Final = PKCS1v15()

#: What precedes a hash by SHA-256 in the ``DigestInfo`` that RSASSA-PKCS1-v1_5 signs (RFC 8017 section 9.2, note 1).
_SHA_256: Final = bytes.fromhex("3031300d060960864801650304020105000420")


class Jws(NamedTuple):
    """The content that a valid signature covers.

    Attributes:
        header: the protected header, read-only.
        payload: the octets that were signed; not necessarily JSON.
    """

    header: Mapping[str, Any]
    payload: bytes


class Header(NamedTuple):
    """The part of a protected header that is needed before the signature is checked. Not verified by itself.

    Other members are left out: parsed, they can take thirty times the memory of their text.

    Attributes:
        kid: the key id.
        is_jwt: whether its ``typ`` is that of a JWT, or absent.
        is_at_jwt: whether its ``typ`` is that of an access token (RFC 9068 section 2.1).
        algorithm: one of ``claimsmith.oidc.ALGORITHMS``.
    """

    kid: str
    is_jwt: bool
    is_at_jwt: bool
    algorithm: str


def _refused(code: Code) -> VerificationError:
    return VerificationError(code, "structure")


def _members(octets: bytes | None) -> dict[str, Any]:
    """The members of a header."""
    members = None if octets is None else json_object(octets)
    if members is None:
        raise _refused(Code.TOKEN_MALFORMED)
    return members


@lru_cache(maxsize=MAX_HEADERS)
def header_of_rs256(segment: bytes) -> Header:
    """The header of a segment in the alphabet of standard base64, for RS256.

    An issuer's tokens share a handful of headers, and the result depends on nothing but the octets: the last
    ``MAX_HEADERS`` acceptable ones are cached. Made-up ones can only cost the next genuine token one parse; refused
    ones are not cached.
    """
    return _parsed(segment, ("RS256",))


@lru_cache(maxsize=MAX_HEADERS)
def header_of_any(segment: bytes) -> Header:
    """The same, for all ``claimsmith.oidc.ALGORITHMS``. Whether it is the issuer's is still to be checked."""
    return _parsed(segment, ALGORITHMS)


def _parsed(segment: bytes, algorithms: tuple[str, ...]) -> Header:
    members = _members(decode_unpadded(segment))
    algorithm = members.get("alg")
    if algorithm not in algorithms:
        raise _refused(Code.ALGORITHM_NOT_ALLOWED)
    # RFC 7515 section 4.1.11: no extension is supported, so none may be critical. RFC 7797 section 6: b64 is always
    # critical, and a signer who forgot to list it signed other octets than these.
    if "crit" in members or "b64" in members:
        raise _refused(Code.CRITICAL_HEADER)
    kid = members.get("kid")
    if not isinstance(kid, str) or not kid:
        raise _refused(Code.KEY_ID_MISSING)
    kind = members.get("typ", "JWT")
    kind = kind.lower() if isinstance(kind, str) else ""
    return Header(kid, kind in _TYPES, kind in _ACCESS_TOKEN_TYPES, cast("str", algorithm))


def split_token(
    token: str, header_of: Callable[[bytes], Header] = header_of_rs256
) -> tuple[Header, bytes, bytes, bytes]:
    """Check the sizes of a token, split it and decode its parts.

    Args:
        token: as received.
        header_of: which algorithms are possible: RS256 alone, or with ``header_of_any`` also those of OIDC issuers.

    Returns:
        The header, the octets of the payload, the signature, and the octets that it should cover. Nothing is verified.

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
    text = to_standard_alphabet(octets)
    if text is None:
        raise _refused(Code.TOKEN_MALFORMED)
    first, _, rest = text.partition(b".")  # twice takes half the time of ``split``
    second, dot, third = rest.partition(b".")
    if not dot or _DOT in third:
        raise _refused(Code.TOKEN_MALFORMED)
    if len(first) > MAX_HEADER or len(third) > MAX_SIGNATURE:
        raise _refused(Code.TOKEN_TOO_LARGE)
    header = header_of(first)
    payload, signature = decode_unpadded(second), decode_unpadded(third)
    if payload is None or signature is None:
        raise _refused(Code.TOKEN_MALFORMED)
    return header, payload, signature, octets[: -1 - len(third)]


def check_signature(signature: bytes, signed: bytes, keys: tuple[RSAPublicKey, ...]) -> None:
    """Check RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518 section 3.3) against the keys of the token's key id.

    Args:
        signature: the token's.
        signed: the octets that it should cover.
        keys: for RS256.

    Raises:
        VerificationError: none of the keys made this signature.
    """
    # As RFC 8017 section 8.2.2 has it: what was signed is compared, whole, with what must have been signed, and nothing
    # in it is parsed. OpenSSL checks the padding before it, and that the signature is less than the modulus.
    expected = _SHA_256 + sha256(signed).digest()
    for key in keys:
        if len(signature) != (key.key_size + 7) >> 3:
            continue
        try:
            if key.recover_data_from_signature(signature, _PADDING, None) == expected:
                return
        except InvalidSignature:
            continue
    raise VerificationError(Code.SIGNATURE_INVALID, "signature")


def verify_jws(token: str, jwks: Mapping[str, Any]) -> Jws:
    """Verify only a token's signature, with a JWK Set.

    Args:
        token: a JWS in compact serialization.
        jwks: a JWK Set (RFC 7517 section 5), as parsed JSON.

    Returns:
        The header and the payload that the signature covers. ``Verifier`` also checks claims.

    Raises:
        VerificationError: the token, its key or its signature is not acceptable; the stage is ``structure``, ``key`` or
            ``signature``.
    """
    header, payload, signature, signed = split_token(token)
    try:
        keys = KeySet(jwks, only=header.kid).find(header.kid)
    except ValueError:
        raise VerificationError(Code.KEYS_UNAVAILABLE, "key", "not a JWK Set") from None
    if keys is None:
        raise VerificationError(Code.KEY_NOT_FOUND, "key")
    check_signature(signature, signed, cast("tuple[RSAPublicKey, ...]", keys))
    return Jws(frozen(_members(base64url(signed.partition(b".")[0]))), payload)
