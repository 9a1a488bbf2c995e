"""A key set (RFC 7517): its keys for signatures of one algorithm, by key id.

A key that cannot be used, for any reason, is ignored; it never makes the others unusable.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Final, cast

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers

from claimsmith.errors import Code, VerificationError
from claimsmith.verifier.encoding import base64url

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    from claimsmith.oidc import Algorithm
    from claimsmith.verifier.algorithms import PublicKey

#: Bits of a modulus. The lower bound is RFC 7518 section 3.3; the upper one bounds the work for one token.
MIN_MODULUS: Final = 2048
MAX_MODULUS: Final = 8192

#: RFC 8017 section 3.1 requires an odd exponent of at least 3. The RS256 padding is compared in full, so a small one
#: cannot be abused; the upper bound limits the work. Cognito's is 65537.
MIN_EXPONENT: Final = 3
MAX_EXPONENT: Final = (1 << 32) - 1

#: How many different usable keys may share a key id; with more, none of them is used.
MAX_SAME_KID: Final = 4

_MAX_INTEGER_SEGMENT: Final = 2048  # characters; 8192 bits need 1366


@lru_cache(maxsize=64)
def _public_key(n: str, e: str) -> RSAPublicKey | None:
    """The key of two ``Base64urlUInt`` (RFC 7518 section 2), or ``None`` if they are outside the bounds."""
    modulus, exponent = _unsigned(n), _unsigned(e)
    if modulus is None or exponent is None:
        return None
    if not MIN_MODULUS <= modulus.bit_length() <= MAX_MODULUS or not MIN_EXPONENT <= exponent <= MAX_EXPONENT:
        return None
    if modulus % 2 == 0 or exponent % 2 == 0:
        return None
    try:
        return RSAPublicNumbers(exponent, modulus).public_key()
    except ValueError:
        return None


def _unsigned(text: str) -> int | None:
    """A ``Base64urlUInt``: big-endian, in the fewest octets."""
    if len(text) > _MAX_INTEGER_SEGMENT or not text.isascii():
        return None
    octets = base64url(text.encode())
    return None if not octets or octets[0] == 0 else int.from_bytes(octets, "big")


def usable_key(jwk: Mapping[str, object], algorithm: Algorithm = "RS256") -> PublicKey | None:
    """The key of a JWK that may verify signatures of an algorithm, or ``None``.

    ``kty`` must be ``RSA``, for ES256 ``EC``. ``use``, ``key_ops`` and ``alg`` (RFC 7517 sections 4.2 to 4.4) are
    optional, but must allow this use if present. Embedded certificates (``x5c``) are ignored.
    """
    kind = "EC" if algorithm == "ES256" else "RSA"
    if jwk.get("kty") != kind or jwk.get("use", "sig") != "sig" or jwk.get("alg", algorithm) != algorithm:
        return None
    key_ops = jwk.get("key_ops", ["verify"])
    if not isinstance(key_ops, list | tuple) or "verify" not in key_ops:
        return None
    if kind == "EC":
        from claimsmith.verifier.algorithms import p256_key  # noqa: PLC0415 - few issuers sign with ES256

        return p256_key(jwk)
    n, e = jwk.get("n"), jwk.get("e")
    return _public_key(n, e) if isinstance(n, str) and isinstance(e, str) else None


def rsa_key(jwk: Mapping[str, object]) -> RSAPublicKey | None:
    """The key of a JWK that may verify RS256, or ``None``; see ``usable_key``."""
    return cast("RSAPublicKey | None", usable_key(jwk))


class KeySet:
    """The usable keys of a JWK Set by key id.

    RFC 7517 section 4.5 lets several keys share an id. Every usable one is tried: the issuer published all of them, so
    a signature by any of them is the issuer's. More than ``MAX_SAME_KID`` under one id are refused, because otherwise a
    token could cause any amount of work.
    """

    __slots__ = ("_keys",)

    def __init__(self, jwks: Mapping[str, object], *, only: str | None = None, algorithm: Algorithm = "RS256") -> None:
        """Read a set.

        Args:
            jwks: the set, as parsed JSON.
            only: the one key id of interest; the others are not read.
            algorithm: the one whose keys are of interest.

        Raises:
            ValueError: it is not a JWK Set (an object with a list ``keys``, RFC 7517 section 5).
        """
        members = jwks.get("keys")
        if not isinstance(members, list | tuple):
            raise ValueError("not a JWK Set")  # noqa: TRY004 - the value is wrong, not the caller's type
        keys: dict[str, tuple[PublicKey, ...]] = {}
        for jwk in members:
            kid = jwk.get("kid") if isinstance(jwk, Mapping) else None
            if not isinstance(kid, str) or (only is not None and kid != only):
                continue
            key, known = usable_key(jwk, algorithm), keys.setdefault(kid, ())
            # One more than may be used is enough to know: each further one would be compared with all before it.
            if key is not None and len(known) <= MAX_SAME_KID and key not in known:
                keys[kid] = (*known, key)
        # An id whose keys cannot be used is kept, without keys.
        self._keys = {kid: same if len(same) <= MAX_SAME_KID else () for kid, same in keys.items()}

    def find(self, kid: str) -> tuple[PublicKey, ...] | None:
        """The usable keys with this id, at least one, or ``None`` if the id is unknown.

        Raises:
            VerificationError: the id is known, but none of its keys can be used, or there are too many.
        """
        found = self._keys.get(kid)
        if found or found is None:
            return found
        raise VerificationError(Code.KEY_UNUSABLE, "key")

    def __contains__(self, kid: str) -> bool:
        return kid in self._keys

    def __bool__(self) -> bool:
        return any(self._keys.values())
