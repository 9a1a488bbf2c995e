"""The bearer token of a request (RFC 6750): verified, or refused with a status and a challenge.

For back ends that get their requests from a framework; ``fastapi`` and ``powertools`` use it. The code of a refusal is
logged; the client gets only the error codes of RFC 6750 section 3.1.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Final

from claimsmith.errors import Code, ConfigurationError, VerificationError
from claimsmith.unchecked import ANY
from claimsmith.verifier.metadata import protected_resource_metadata

if TYPE_CHECKING:
    from collections.abc import Iterable

    from claimsmith.verifier.checks import Requirement
    from claimsmith.verifier.claims import Claims
    from claimsmith.verifier.verifier import Verifier

__all__ = ["Bearer", "BearerError"]

_LOG: Final = logging.getLogger(__name__)

#: RFC 6750 section 2.1. The scheme's case does not matter (RFC 9110 section 11.1).
_CREDENTIALS: Final = re.compile(r"bearer +([^\s,]+) *", re.IGNORECASE | re.ASCII)
_SCHEME: Final = re.compile(r"bearer(?![^\s,])", re.IGNORECASE | re.ASCII)

#: A quoted string (RFC 9110 section 5.6.4) that needs no escapes; and what a scope in a challenge may be made of.
_QUOTABLE: Final = re.compile(r"[ !#-\[\]-~]*")

#: The token is valid but not sufficient.
FORBIDDEN: Final = frozenset({Code.SCOPE_MISSING, Code.GROUP_MISSING, Code.ROLE_MISSING, Code.WRONG_TENANT})

#: Whether the token is valid is not known now.
UNKNOWN: Final = frozenset({Code.KEYS_UNAVAILABLE, Code.REVOCATION_UNKNOWN})

#: Seconds.
_RETRY_AFTER: Final = "5"


class BearerError(VerificationError):
    """A request whose token is not accepted, with the answer to send.

    Attributes:
        status: 400 if the request presents its token wrongly, 401 without a valid one, 403 if it is valid but not
            sufficient, 503 if keys or revocations cannot be read.
        error: an error code of RFC 6750 section 3.1; None if the request has no bearer token at all.
        headers: of the answer: ``WWW-Authenticate`` with a challenge; for a 503 ``Retry-After``.
    """

    def __init__(self, cause: VerificationError, status: int, error: str | None, headers: dict[str, str]) -> None:
        super().__init__(cause.code, cause.stage, cause.message)
        self.status = status
        self.error = error
        self.headers = headers


class Bearer:
    """Finds and verifies the bearer token of a request. Thread-safe; keeps no state between requests."""

    __slots__ = ("_realm", "_require", "_resource", "_verifier")

    def __init__(
        self,
        verifier: Verifier,
        *,
        require: Requirement | None = None,
        realm: str = "api",
        resource: str | None = None,
    ) -> None:
        """Create one.

        Args:
            verifier: decides which tokens are valid.
            require: what a token must grant beyond what the verifier itself requires. Its ``audience`` replaces the
                verifier's.
            realm: the realm of the challenge.
            resource: the address of the service, whose challenges then name its metadata (RFC 9728 section 5.1;
                ``claimsmith.verifier.metadata.protected_resource``).

        Raises:
            ConfigurationError: the realm has a quote, a backslash or something that is not ASCII, or the resource is no
                https address without a fragment.
        """
        challenge(realm, resource=resource)  # refuses what no challenge can have
        has_audience = require is not None and require.audience is not ANY
        self._verifier = verifier.for_any_audience() if has_audience else verifier
        self._require = require
        self._realm, self._resource = realm, resource

    def verify(self, authorization: Iterable[str], *, scopes: Iterable[str] = ()) -> Claims:
        """Verify the token of a request.

        Args:
            authorization: the value of every ``Authorization`` header of the request.
            scopes: scopes that the token must have as well.

        Raises:
            BearerError: the token is not accepted.
        """
        values = tuple(authorization)
        required = tuple(scopes)
        try:
            claims = self._verifier.verify(self._token(values))
            if self._require is not None:
                self._require.check(claims)
            if not set(required).issubset(claims.scopes):
                raise VerificationError(Code.SCOPE_MISSING, "claims")  # noqa: TRY301 - refused like everything else
        except BearerError as error:
            _LOG.info("bearer token refused: %s", error.code)
            raise
        except VerificationError as error:
            _LOG.info("bearer token refused: %s", error.code)
            raise self._refused(error, required) from None
        return claims

    def _token(self, values: tuple[str, ...]) -> str:
        """The one token.

        Raises:
            BearerError: there is none, or more than one (RFC 6750 section 3.1, ``invalid_request``).
        """
        match = _CREDENTIALS.fullmatch(values[0]) if len(values) == 1 else None
        if match is not None:
            return match[1]
        cause = VerificationError(Code.TOKEN_MALFORMED, "structure")
        if len(values) > 1 or any(map(_SCHEME.match, values)):
            raise BearerError(cause, 400, "invalid_request", self._challenge("invalid_request"))
        # Section 3.1: a request without credentials gets no error code.
        raise BearerError(cause, 401, None, self._challenge(None))

    def _refused(self, cause: VerificationError, scopes: tuple[str, ...]) -> BearerError:
        if cause.code in UNKNOWN:
            return BearerError(cause, 503, "temporarily_unavailable", {"Retry-After": _RETRY_AFTER})
        if cause.code in FORBIDDEN:
            challenge = self._challenge("insufficient_scope", scopes)
            return BearerError(cause, 403, "insufficient_scope", challenge)
        return BearerError(cause, 401, "invalid_token", self._challenge("invalid_token"))

    def _challenge(self, error: str | None, scopes: tuple[str, ...] = ()) -> dict[str, str]:
        written = challenge(self._realm, error=error, scope=" ".join(scopes) or None, resource=self._resource)
        return {"WWW-Authenticate": written}


def challenge(
    realm: str = "api", *, error: str | None = None, scope: str | None = None, resource: str | None = None
) -> str:
    """A challenge (RFC 6750 section 3: the scheme and at least one parameter).

    Args:
        realm: printable ASCII without quotes and backslashes.
        error: a code of section 3.1.
        scope: what the token would need; left out if it cannot be quoted.
        resource: the address of the service, whose metadata the challenge then names (RFC 9728 section 5.1).

    Raises:
        ConfigurationError: the realm has another character, or the resource is no https address without a fragment.
    """
    if not _QUOTABLE.fullmatch(realm):
        raise ConfigurationError("A realm is printable ASCII without quotes and backslashes.")
    metadata = protected_resource_metadata(resource) if resource else None
    parameters = {"realm": realm, "error": error, "scope": scope, "resource_metadata": metadata}
    quoted = (f'{name}="{value}"' for name, value in parameters.items() if value and _QUOTABLE.fullmatch(value))
    return "Bearer " + ", ".join(quoted)
