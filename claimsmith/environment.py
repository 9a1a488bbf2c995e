"""The only reader of ``os.environ``: the functions' settings from their deployment."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, cast

from claimsmith.cognito.identifiers import check_client_id, check_issuer
from claimsmith.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

TABLE: Final = "CLAIMSMITH_TABLE"
AUDIT_TABLE: Final = "CLAIMSMITH_AUDIT_TABLE"
ON_FAILURE: Final = "CLAIMSMITH_ON_FAILURE"
ISSUERS: Final = "CLAIMSMITH_ISSUERS"
CLIENT_IDS: Final = "CLAIMSMITH_CLIENT_IDS"
AUDIENCE: Final = "CLAIMSMITH_AUDIENCE"
AUTHORIZER_RESPONSE: Final = "CLAIMSMITH_AUTHORIZER_RESPONSE"
AUTHORIZER_CACHED_BY: Final = "CLAIMSMITH_AUTHORIZER_CACHED_BY"
REVOCATION: Final = "CLAIMSMITH_REVOCATION"
REVOCATION_CACHE_SECONDS: Final = "CLAIMSMITH_REVOCATION_CACHE_SECONDS"
REVOCATION_ON_FAILURE: Final = "CLAIMSMITH_REVOCATION_ON_FAILURE"
USER_POOL_ID: Final = "CLAIMSMITH_USER_POOL_ID"

OnFailure = Literal["deny", "unenriched"]
AuthorizerResponse = Literal["simple", "iam"]
RevocationMode = Literal["strict", "cached", "off"]
RevocationOnFailure = Literal["deny", "allow"]

#: Seconds for which a verifier may cache that something is not revoked: the default and the maximum.
DEFAULT_REVOCATION_CACHE_SECONDS: Final = 30
MAX_REVOCATION_CACHE_SECONDS: Final = 300


def required(name: str, environ: Mapping[str, str] | None = None) -> str:
    """The value of a variable that must be set.

    Raises:
        ConfigurationError: it is missing or empty.
    """
    value = _value(name, environ)
    if not value:
        raise ConfigurationError(f"The environment variable {name} is not set. Set it.")
    return value


def _one_of(name: str, allowed: tuple[str, ...], environ: Mapping[str, str] | None) -> str:
    """The value of a variable that allows only these values; the first one is the default."""
    value = _value(name, environ) or allowed[0]
    if value not in allowed:
        raise ConfigurationError(f"The environment variable {name} must be one of: {', '.join(allowed)}.")
    return value


@dataclass(frozen=True, slots=True)
class TriggerEnvironment:
    """The settings of the pre token generation trigger."""

    table: str
    on_failure: OnFailure

    @classmethod
    def read(cls, environ: Mapping[str, str] | None = None) -> TriggerEnvironment:
        """Read the settings.

        Raises:
            ConfigurationError: a variable is missing or has a value that is not allowed.
        """
        return cls(
            table=required(TABLE, environ),
            on_failure=cast("OnFailure", _one_of(ON_FAILURE, ("deny", "unenriched"), environ)),
        )


@dataclass(frozen=True, slots=True)
class PublisherEnvironment:
    """The settings of the publisher."""

    table: str
    audit_table: str

    @classmethod
    def read(cls, environ: Mapping[str, str] | None = None) -> PublisherEnvironment:
        """Read the settings.

        Raises:
            ConfigurationError: a variable is missing.
        """
        return cls(table=required(TABLE, environ), audit_table=required(AUDIT_TABLE, environ))


@dataclass(frozen=True, slots=True)
class VerifierEnvironment:
    """The settings of the authorizer and the introspection endpoint.

    Attributes:
        issuers: each allow-listed issuer, with the URL of its key set if that is not the issuer's default.
        authorizer_cached_by: the identity sources by which API Gateway caches the authorizer's responses; empty if it
            does not cache them.
        audience: the resources that access tokens may be bound to, unless the route or the caller names others; if
            empty, only tokens bound to nothing are accepted.
        revocation: ``strict``: query the table for every token; ``cached``: use its response for
            ``revocation_cache_seconds``; ``off``: do not query it, and accept revoked tokens until they expire.
        revocation_on_failure: whether to accept a token while the table is unavailable.
    """

    table: str
    issuers: tuple[tuple[str, str | None], ...]
    client_ids: tuple[str, ...]
    authorizer_response: AuthorizerResponse
    authorizer_cached_by: tuple[str, ...] = ()
    audience: tuple[str, ...] = ()
    revocation: RevocationMode = "strict"
    revocation_cache_seconds: int = DEFAULT_REVOCATION_CACHE_SECONDS
    revocation_on_failure: RevocationOnFailure = "deny"

    @classmethod
    def read(cls, environ: Mapping[str, str] | None = None) -> VerifierEnvironment:
        """Read the settings: ``CLAIMSMITH_ISSUERS`` is ``issuer[=jwks_uri],…``, ``CLAIMSMITH_CLIENT_IDS`` is ``id,…``.

        ``CLAIMSMITH_AUDIENCE`` is ``resource,…`` and optional.

        Raises:
            ConfigurationError: a variable is missing or has a value that is not allowed.
        """
        return cls(
            table=required(TABLE, environ),
            issuers=parse_issuers(_required_entries(ISSUERS, environ)),
            client_ids=parse_client_ids(_required_entries(CLIENT_IDS, environ)),
            authorizer_response=cast("AuthorizerResponse", _one_of(AUTHORIZER_RESPONSE, ("simple", "iam"), environ)),
            authorizer_cached_by=_entries(_value(AUTHORIZER_CACHED_BY, environ)),
            audience=_entries(_value(AUDIENCE, environ)),
            revocation=cast("RevocationMode", _one_of(REVOCATION, ("strict", "cached", "off"), environ)),
            revocation_cache_seconds=_seconds(
                REVOCATION_CACHE_SECONDS, DEFAULT_REVOCATION_CACHE_SECONDS, MAX_REVOCATION_CACHE_SECONDS, environ
            ),
            revocation_on_failure=cast(
                "RevocationOnFailure", _one_of(REVOCATION_ON_FAILURE, ("deny", "allow"), environ)
            ),
        )


def parse_issuers(entries: Iterable[str]) -> tuple[tuple[str, str | None], ...]:
    """The issuers in the entries of ``CLAIMSMITH_ISSUERS``, each with the URL of its key set if the entry has one.

    Raises:
        ConfigurationError: an entry cannot be the issuer of a token.
    """
    issuers = []
    for entry in entries:
        issuer, _, jwks_uri = (part.strip() for part in entry.partition("="))
        _check(ISSUERS, check_issuer, issuer)
        issuers.append((issuer, jwks_uri or None))
    return tuple(issuers)


def parse_client_ids(entries: Iterable[str]) -> tuple[str, ...]:
    """The app clients in the entries of ``CLAIMSMITH_CLIENT_IDS``.

    Raises:
        ConfigurationError: an entry cannot be the id of an app client.
    """
    client_ids = tuple(entries)
    for client_id in client_ids:
        _check(CLIENT_IDS, check_client_id, client_id)
    return client_ids


def _check(name: str, check: Callable[[str], None], value: str) -> None:
    """Check a value; the error names the variable."""
    try:
        check(value)
    except ConfigurationError as error:
        raise ConfigurationError(f"{name}: {error.message}") from None


def _value(name: str, environ: Mapping[str, str] | None) -> str:
    return (os.environ if environ is None else environ).get(name, "").strip()


def _entries(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _required_entries(name: str, environ: Mapping[str, str] | None) -> tuple[str, ...]:
    """The entries of a comma-separated variable that must have at least one."""
    entries = _entries(required(name, environ))
    if not entries:
        raise ConfigurationError(f"The environment variable {name} has no entries. List at least one.")
    return entries


def _seconds(name: str, default: int, maximum: int, environ: Mapping[str, str] | None) -> int:
    """A whole number of seconds, at least one."""
    text = _value(name, environ) or str(default)
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(maximum)) and 1 <= int(text) <= maximum):
        raise ConfigurationError(f"The environment variable {name} must be a number of seconds from 1 to {maximum}.")
    return int(text)
