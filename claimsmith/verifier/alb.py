"""Verifies ``x-amzn-oidc-data``: what an Application Load Balancer says of the user whom it has signed in.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/listener-authenticate-users.html

It is a JWS with ES256, whose segments have base64 padding, against RFC 7515 section 2; the signature covers the
padding. The header names the load balancer (``signer``), the issuer, the app client and ``exp``. All load balancers of
a Region share their keys, so anybody with a load balancer can make such a token: only the pinned signer tells it apart.

This is a profile of its own: no token of Cognito is accepted here, and none of these by ``Verifier``, which takes RS256
alone.
"""

from __future__ import annotations

import re
import threading
from base64 import urlsafe_b64decode
from binascii import Error
from time import time
from typing import TYPE_CHECKING, Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from claimsmith.errors import Code, ConfigurationError, VerificationError
from claimsmith.verifier.encoding import frozen, json_object
from claimsmith.verifier.fetch import fetch as fetch_key
from claimsmith.verifier.jws import MAX_TOKEN

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_SIGNER: Final = re.compile(
    r"arn:aws[a-z-]*:elasticloadbalancing:(?P<region>[a-z]{2}(?:-[a-z]+)+-\d):\d{12}:loadbalancer/app/[\w-]+/[0-9a-f]+",
    re.ASCII,
)

#: AWS's key ids are UUIDs. Nothing else gets into an address.
_KID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SEGMENT: Final = re.compile(r"[A-Za-z0-9_-]+={0,2}")

#: How many keys are kept. AWS rotates them, and a made-up id finds none.
_MAX_KEYS: Final = 16
_COORDINATE: Final = 32
_TIMEOUT: Final = 3.0

#: Seconds between requests for ids that are not known: made-up ones cannot make many.
_COOLDOWN: Final = 1.0


class AlbVerifier:
    """Verifies the user claims of one load balancer, one issuer and one app client. Thread-safe.

    The claims are those of the issuer's userInfo endpoint, not of its tokens: no tenant, no roles and no scopes that a
    policy gave.
    """

    def __init__(
        self,
        *,
        signer: str,
        issuer: str,
        client_id: str,
        fetch: Callable[[str, float], bytes] = fetch_key,
        clock: Callable[[], float] = time,
    ) -> None:
        """Configure whose word is taken.

        Args:
            signer: the load balancer's ARN.
            issuer: the user pool's issuer, as the listener's rule has it.
            client_id: the app client of the listener's rule.
            fetch: fetches the body at an address, within a number of seconds.
            clock: epoch seconds.

        Raises:
            ConfigurationError: the signer is no load balancer's ARN, or something is empty.
        """
        found = _SIGNER.fullmatch(signer)
        if found is None:
            raise ConfigurationError("signer must be the ARN of an Application Load Balancer.")
        if not issuer or not client_id:
            raise ConfigurationError("An issuer and a client_id are required: without them, any user would do.")
        self._pinned = {"alg": "ES256", "signer": signer, "iss": issuer, "client": client_id}
        suffix = "amazonaws.com.cn" if found["region"].startswith("cn-") else "amazonaws.com"
        self._address = f"https://public-keys.auth.elb.{found['region']}.{suffix}/"
        if found["region"].startswith("us-gov-"):
            self._address = f"https://s3-{found['region']}.amazonaws.com/aws-elb-public-keys-prod-{found['region']}/"
        self._fetch, self._clock = fetch, clock
        self._keys: dict[str, EllipticCurvePublicKey] = {}
        self._not_before = 0.0
        self._lock = threading.Lock()

    def verify(self, data: str) -> Mapping[str, Any]:
        """The user's claims in a header ``x-amzn-oidc-data``.

        Raises:
            VerificationError: with the code and the stage of the first check that failed.
        """
        if len(data) > MAX_TOKEN:
            raise VerificationError(Code.TOKEN_MALFORMED, "structure")
        segments = data.split(".")
        octets = [_decoded(segment) for segment in segments]
        header = json_object(octets[0]) if len(octets) == 3 else None  # noqa: PLR2004 - RFC 7515 section 3.1
        if header is None or len(octets[2]) != 2 * _COORDINATE:
            raise VerificationError(Code.TOKEN_MALFORMED, "structure")
        kid = self._checked(header)
        r, s = (int.from_bytes(octets[2][start : start + _COORDINATE], "big") for start in (0, _COORDINATE))
        try:
            signed = data.rpartition(".")[0].encode()
            self._key(kid).verify(encode_dss_signature(r, s), signed, ECDSA(SHA256()))
        except InvalidSignature:
            raise VerificationError(Code.SIGNATURE_INVALID, "signature") from None
        expires, claims = header.get("exp"), json_object(octets[1])
        if claims is None or not isinstance(expires, int | float) or isinstance(expires, bool):
            raise VerificationError(Code.CLAIMS_MALFORMED, "claims")
        if not self._clock() < expires:
            raise VerificationError(Code.TOKEN_EXPIRED, "claims")
        if claims.get("iss", self._pinned["iss"]) != self._pinned["iss"] or not isinstance(claims.get("sub"), str):
            raise VerificationError(Code.CLAIMS_MALFORMED, "claims")
        verified: Mapping[str, Any] = frozen(claims)
        return verified

    def _checked(self, header: Mapping[str, Any]) -> str:
        """The key id in a header that has what is pinned."""
        if header.get("alg") != self._pinned["alg"]:
            raise VerificationError(Code.ALGORITHM_NOT_ALLOWED, "structure")
        if "crit" in header or "b64" in header:
            raise VerificationError(Code.CRITICAL_HEADER, "structure")
        if header.get("signer") != self._pinned["signer"] or header.get("iss") != self._pinned["iss"]:
            raise VerificationError(Code.ISSUER_NOT_ALLOWED, "key")
        if header.get("client") != self._pinned["client"]:
            raise VerificationError(Code.WRONG_CLIENT, "key")
        kid = header.get("kid")
        if not isinstance(kid, str) or not _KID.fullmatch(kid):
            raise VerificationError(Code.KEY_ID_MISSING, "structure")
        return kid

    def _key(self, kid: str) -> EllipticCurvePublicKey:
        known = self._keys.get(kid)
        if known is not None:  # not behind a thread that waits for another key
            return known
        with self._lock:
            key = self._keys.get(kid)
            if key is not None:
                return key
            now = self._clock()
            if now < self._not_before:
                raise VerificationError(Code.KEYS_UNAVAILABLE, "key")
            self._not_before = now + _COOLDOWN
            try:
                found = load_pem_public_key(self._fetch(self._address + kid, _TIMEOUT))
            except OSError:
                raise VerificationError(Code.KEYS_UNAVAILABLE, "key") from None
            except ValueError:
                raise VerificationError(Code.KEY_UNUSABLE, "key") from None
            if not isinstance(found, EllipticCurvePublicKey) or not isinstance(found.curve, SECP256R1):
                raise VerificationError(Code.KEY_UNUSABLE, "key")
            if len(self._keys) >= _MAX_KEYS:
                del self._keys[next(iter(self._keys))]
            self._keys[kid] = found
            return found


def _decoded(segment: str) -> bytes:
    """The octets of a segment with or without padding."""
    if not _SEGMENT.fullmatch(segment):
        raise VerificationError(Code.TOKEN_MALFORMED, "structure")
    plain = segment.rstrip("=")
    try:
        return urlsafe_b64decode(plain + "=" * (-len(plain) % 4))
    except Error:
        raise VerificationError(Code.TOKEN_MALFORMED, "structure") from None
