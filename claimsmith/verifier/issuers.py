"""The allowed issuers: their names, and the addresses of their keys."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from claimsmith.cognito.identifiers import check_issuer, is_of_another_region, pool_issuers
from claimsmith.errors import ConfigurationError

if TYPE_CHECKING:
    from typing import TypeAlias

    #: An issuer; or several, each with the address of its keys or without.
    Issuers: TypeAlias = str | Mapping[str, str | None] | Iterable[str | tuple[str, str | None]]

_LOG: Final = logging.getLogger(__name__)

_LOOPBACK_NAMES: Final = frozenset({"localhost", "::1"})


class NotPublishedError(OSError):
    """The host of a key address answered that there is no key set."""


def is_loopback(host: str | None) -> bool:
    """Whether a host, as written in an address, is this machine."""
    return host is not None and (
        host in _LOOPBACK_NAMES or re.fullmatch(r"127(?:\.\d{1,3}){3}", host, re.ASCII) is not None
    )


def _address(uri: str) -> tuple[str, bool]:
    """The host of an address that only has scheme, host, port and path, and whether it is this machine."""
    try:
        parts = urlsplit(uri)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, None
    if parts is None or not host or port == 0 or "@" in parts.netloc or parts.query or parts.fragment:
        raise ConfigurationError("An issuer or key address is not a plain http(s) address.")
    if any(not "!" <= character <= "~" for character in uri) or uri.endswith(("?", "#")):
        raise ConfigurationError("An issuer or key address is not a plain http(s) address.")
    loopback = is_loopback(host)
    if parts.scheme != "https" and not (parts.scheme == "http" and loopback):
        raise ConfigurationError(f"Keys are fetched by https only, but the address at {host} is not https.")
    return host, loopback


def equivalents(issuer: str) -> tuple[str, ...]:
    """The issuers in tokens of this issuer: for a user pool, the ORIGINAL and the UPDATED one, otherwise this one."""
    return pool_issuers(issuer) or (issuer,)


def _well_known(issuer: str) -> str:
    """Where an issuer publishes its keys (OpenID Connect Discovery, in Cognito's form)."""
    return issuer.removesuffix("/") + "/.well-known/jwks.json"


def allow_list(issuers: Issuers) -> dict[str, str | None]:
    """The configured issuers, each with its configured key address, if any.

    Raises:
        ConfigurationError: a value has none of these forms.
    """
    entries: object = issuers.items() if isinstance(issuers, Mapping) else issuers
    named: dict[str, str | None] = {}
    for entry in entries if isinstance(entries, Iterable) and not isinstance(entries, str) else (entries,):
        match entry:
            case str():
                named[entry] = None
            case (str() as issuer, (str() | None) as jwks_uri):
                named[issuer] = jwks_uri
            case _:
                raise ConfigurationError(
                    "issuers must be addresses, or pairs of an address and its key address; not ANY."
                )
    return named


def key_addresses(issuers: Issuers) -> dict[str, str]:
    """The key address of each allowed issuer, by the exact ``iss`` of its tokens.

    Args:
        issuers: the allow-list. An issuer's keys are at its own ``/.well-known/jwks.json``; another key address is
            accepted only on this machine, for local stacks.

    Raises:
        ConfigurationError: the list is empty, an address is not https (http is accepted on this machine only), no token
            can have this issuer (``claimsmith.cognito.identifiers.check_issuer``), or a key address is neither the
            issuer's own nor on this machine.
    """
    addresses: dict[str, str] = {}
    named = allow_list(issuers)
    for issuer, jwks_uri in named.items():
        check_issuer(issuer)
        _address(issuer)
        if is_of_another_region(issuer):
            _LOG.warning("an issuer names another region than its pool's id, as only a replica's does: %s", issuer)
        if jwks_uri is not None and jwks_uri != _well_known(issuer):
            host, loopback = _address(jwks_uri)
            if not loopback:
                raise ConfigurationError(
                    f"A key address other than the issuer's own must be on this machine, but {host} is not."
                )
        for name in equivalents(issuer):
            if name == issuer or name not in named:
                addresses[name] = jwks_uri or _well_known(name)
    if not addresses:
        raise ConfigurationError("No issuer is allowed.")
    return addresses
