"""AWS Signature Version 4 of a ``POST /`` without a query, which is what DynamoDB is asked with.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

from hashlib import sha256
from hmac import digest
from typing import TYPE_CHECKING, Final

from claimsmith.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

_ALGORITHM: Final = "AWS4-HMAC-SHA256"


class Credentials(NamedTuple):
    """AWS credentials.

    Attributes:
        token: the session token of temporary credentials.
    """

    access_key: str
    secret_key: str
    token: str | None


class Signer:
    """Signs for one service in one region. Thread-safe: the cached key is replaced as a whole."""

    def __init__(self, region: str, service: str) -> None:
        self._region = region
        self._service = service
        self._cached: tuple[tuple[str, str], bytes] | None = None

    def authorization(self, headers: Mapping[str, str], body: bytes, credentials: Credentials) -> str:
        """The value of the ``authorization`` header.

        Args:
            headers: all that are signed, in the order of their lower-case names; ``x-amz-date`` is among them. Values
                have no white space at their ends and no two spaces in a row.
            body: the body.
            credentials: whose signature it is.
        """
        moment = headers["x-amz-date"]
        day = moment[:8]
        names = ";".join(headers)
        lines = "".join([f"{name}:{value}\n" for name, value in headers.items()])
        canonical = f"POST\n/\n\n{lines}\n{names}\n{sha256(body).hexdigest()}"
        scope = f"{day}/{self._region}/{self._service}/aws4_request"
        signed = f"{_ALGORITHM}\n{moment}\n{scope}\n{sha256(canonical.encode()).hexdigest()}"
        signature = digest(self._key(credentials.secret_key, day), signed.encode(), "sha256").hex()
        return f"{_ALGORITHM} Credential={credentials.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"

    def _key(self, secret_key: str, day: str) -> bytes:
        """The signing key of a day, from the cache if it is for these credentials."""
        of = (secret_key, day)
        cached = self._cached
        if cached is not None and cached[0] == of:
            return cached[1]
        key = f"AWS4{secret_key}".encode()
        for part in (day, self._region, self._service, "aws4_request"):
            key = digest(key, part.encode(), "sha256")
        self._cached = of, key
        return key
