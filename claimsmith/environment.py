"""The only reader of ``os.environ``: what the functions are told by their deployment."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, cast

from claimsmith.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

TABLE: Final = "CLAIMSMITH_TABLE"
AUDIT_TABLE: Final = "CLAIMSMITH_AUDIT_TABLE"
ON_FAILURE: Final = "CLAIMSMITH_ON_FAILURE"
ISSUERS: Final = "CLAIMSMITH_ISSUERS"
CLIENT_IDS: Final = "CLAIMSMITH_CLIENT_IDS"
AUTHORIZER_RESPONSE: Final = "CLAIMSMITH_AUTHORIZER_RESPONSE"
USER_POOL_ID: Final = "CLAIMSMITH_USER_POOL_ID"

OnFailure = Literal["deny", "unenriched"]
AuthorizerResponse = Literal["simple", "iam"]


def required(name: str, environ: Mapping[str, str] | None = None) -> str:
    """The value of a variable that must be there.

    Raises:
        ConfigurationError: it is absent or empty.
    """
    value = (os.environ if environ is None else environ).get(name, "").strip()
    if not value:
        raise ConfigurationError(f"The environment variable {name} is not set.")
    return value


def _one_of(name: str, allowed: tuple[str, ...], environ: Mapping[str, str] | None) -> str:
    """The value of a variable with a closed set of values; the first one is the default."""
    value = (os.environ if environ is None else environ).get(name, "").strip() or allowed[0]
    if value not in allowed:
        raise ConfigurationError(f"The environment variable {name} must be one of: {', '.join(allowed)}.")
    return value


@dataclass(frozen=True, slots=True)
class TriggerEnvironment:
    """What the pre token generation trigger is told."""

    table: str
    on_failure: OnFailure

    @classmethod
    def read(cls, environ: Mapping[str, str] | None = None) -> TriggerEnvironment:
        """Read it.

        Raises:
            ConfigurationError: a variable is missing or not one of its values.
        """
        return cls(
            table=required(TABLE, environ),
            on_failure=cast("OnFailure", _one_of(ON_FAILURE, ("deny", "unenriched"), environ)),
        )


@dataclass(frozen=True, slots=True)
class PublisherEnvironment:
    """What the publisher is told."""

    table: str
    audit_table: str

    @classmethod
    def read(cls, environ: Mapping[str, str] | None = None) -> PublisherEnvironment:
        """Read it.

        Raises:
            ConfigurationError: a variable is missing.
        """
        return cls(table=required(TABLE, environ), audit_table=required(AUDIT_TABLE, environ))


@dataclass(frozen=True, slots=True)
class VerifierEnvironment:
    """What the authorizer and the introspection endpoint are told.

    Attributes:
        issuers: each allow-listed issuer and, where it is not the issuer's own, the address of its key set.
    """

    table: str
    issuers: tuple[tuple[str, str | None], ...]
    client_ids: tuple[str, ...]
    authorizer_response: AuthorizerResponse

    @classmethod
    def read(cls, environ: Mapping[str, str] | None = None) -> VerifierEnvironment:
        """Read it: ``CLAIMSMITH_ISSUERS`` is ``issuer[=jwks_uri],…``, ``CLAIMSMITH_CLIENT_IDS`` is ``id,…``.

        Raises:
            ConfigurationError: a variable is missing or not one of its values.
        """
        issuers = []
        for entry in _listed(ISSUERS, environ):
            issuer, _, jwks_uri = entry.partition("=")
            issuers.append((issuer.strip(), jwks_uri.strip() or None))
        return cls(
            table=required(TABLE, environ),
            issuers=tuple(issuers),
            client_ids=_listed(CLIENT_IDS, environ),
            authorizer_response=cast("AuthorizerResponse", _one_of(AUTHORIZER_RESPONSE, ("simple", "iam"), environ)),
        )


def _listed(name: str, environ: Mapping[str, str] | None) -> tuple[str, ...]:
    """The entries of a comma-separated variable that must have at least one."""
    entries = tuple(part.strip() for part in required(name, environ).split(",") if part.strip())
    if not entries:
        raise ConfigurationError(f"The environment variable {name} names nothing.")
    return entries
