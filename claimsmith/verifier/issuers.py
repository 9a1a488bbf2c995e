"""The allowed issuers: their names, and the addresses of their keys."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from claimsmith.addresses import check_address
from claimsmith.cognito.identifiers import check_issuer, is_of_another_region, pool_issuers
from claimsmith.errors import ConfigurationError
from claimsmith.named_tuple import NamedTuple
from claimsmith.oidc import OidcIssuer

if TYPE_CHECKING:
    from typing import TypeAlias

    #: An issuer; or several. One of Cognito's is its address, alone or with the address of its keys.
    Issuers: TypeAlias = (
        str | OidcIssuer | Mapping[str, str | None] | Iterable[str | tuple[str, str | None] | OidcIssuer]
    )

_LOG: Final = logging.getLogger(__name__)


class NotPublishedError(OSError):
    """The host of a key address answered that there is no key set."""


def equivalents(issuer: str) -> tuple[str, ...]:
    """The issuers in tokens of this issuer: for a user pool, the ORIGINAL and the UPDATED one, otherwise this one."""
    return pool_issuers(issuer) or (issuer,)


def _well_known(issuer: str) -> str:
    """Where an issuer publishes its keys (OpenID Connect Discovery, in Cognito's form)."""
    return issuer.removesuffix("/") + "/.well-known/jwks.json"


class AllowList(NamedTuple):
    """The configured issuers.

    Attributes:
        pools: user pools, and local stacks that stand for one, each with its configured key address, if any.
        oidc: the others, by ``iss``, each with its rules.
    """

    pools: Mapping[str, str | None]
    oidc: Mapping[str, OidcIssuer]


def allow_list(issuers: Issuers) -> AllowList:
    """The configured issuers.

    Raises:
        ConfigurationError: there is none, a value has none of these forms, or two rules are given for one issuer.
    """
    entries: object = issuers.items() if isinstance(issuers, Mapping) else issuers
    several = isinstance(entries, Iterable) and not isinstance(entries, str | OidcIssuer)
    pools: dict[str, str | None] = {}
    oidc: dict[str, OidcIssuer] = {}
    for entry in entries if several else (entries,):  # type: ignore[attr-defined] # see above
        match entry:
            case OidcIssuer():
                if entry.issuer in oidc:
                    raise ConfigurationError(f"Two OIDC issuers are {entry.issuer}.")
                oidc[entry.issuer] = entry
            case str():
                pools[entry] = None
            case (str() as issuer, (str() | None) as jwks_uri):
                pools[issuer] = jwks_uri
            case _:
                raise ConfigurationError(
                    "issuers must be addresses, pairs of an address and its key address, or OidcIssuers; not ANY."
                )
    if not oidc.keys().isdisjoint(pools):
        raise ConfigurationError("An issuer is listed by its address and as an OIDC issuer; only one can be.")
    if not pools and not oidc:
        raise ConfigurationError("No issuer is allowed.")
    return AllowList(pools, oidc)


def key_addresses(pools: Mapping[str, str | None], development_hosts: frozenset[str] = frozenset()) -> dict[str, str]:
    """The key address of each user pool's issuer, by the exact ``iss`` of its tokens.

    Args:
        pools: of the allow-list. An issuer's keys are at its own ``/.well-known/jwks.json``; another key address is
            accepted only on this machine, for local stacks.
        development_hosts: hosts that count as this machine.

    Raises:
        ConfigurationError: an address is not https (http is accepted on this machine only), no token can have this
            issuer (``claimsmith.cognito.identifiers.check_issuer``), or a key address is neither the issuer's own nor
            on this machine.
    """
    addresses: dict[str, str] = {}
    for issuer, jwks_uri in pools.items():
        check_issuer(issuer)
        check_address(issuer, development_hosts)
        if is_of_another_region(issuer):
            _LOG.warning("an issuer names another region than its pool's id, as only a replica's does: %s", issuer)
        if jwks_uri is not None and jwks_uri != _well_known(issuer):
            host, local = check_address(jwks_uri, development_hosts)
            if not local:
                raise ConfigurationError(
                    f"A key address other than the issuer's own must be on this machine, but {host} is not."
                )
        for name in equivalents(issuer):
            if name == issuer or name not in pools:
                addresses[name] = jwks_uri or _well_known(name)
    return addresses
