"""Addresses that keys may come from: by https, or from this machine; in development also from hosts that are named.

In docker compose the pool of a local stack is ``http://cognito:9229/local_1``: no loopback address, and no https. Such
a host is accepted only where ``development_hosts`` names it. Without https, whoever is on the way to it can put keys of
their own in place of its keys, and so make any token.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from claimsmith.errors import ConfigurationError

_LOOPBACK_NAMES: Final = frozenset({"localhost", "::1"})


def is_loopback(host: str | None) -> bool:
    """Whether a host, as written in an address, is this machine."""
    return host is not None and (
        host in _LOOPBACK_NAMES or re.fullmatch(r"127(?:\.\d{1,3}){3}", host, re.ASCII) is not None
    )


def check_hosts(hosts: object) -> frozenset[str]:
    """Development hosts, as a set.

    Raises:
        ConfigurationError: it is not several names of hosts, as addresses have them: in lower case, without scheme and
            port, and no wildcard.
    """
    if not isinstance(hosts, list | tuple | set | frozenset):
        raise ConfigurationError("development_hosts must be several names of hosts.")
    for host in hosts:
        if not isinstance(host, str) or re.fullmatch(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?", host) is None:
            raise ConfigurationError(
                "A development host is a name as in http://NAME:PORT/: lower case, no scheme, port or wildcard."
            )
    return frozenset(hosts)


def check_address(uri: str, development_hosts: frozenset[str] = frozenset()) -> tuple[str, bool]:
    """The host of an address that only has scheme, host, port and path, and whether it is this machine.

    A development host counts as this machine.

    Raises:
        ConfigurationError: it is another address, or neither https nor on this machine.
    """
    try:
        parts = urlsplit(uri)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, None
    if parts is None or not host or port == 0 or "@" in parts.netloc or parts.query or parts.fragment:
        raise ConfigurationError("An issuer or key address is not a plain http(s) address.")
    if any(not "!" <= character <= "~" for character in uri) or uri.endswith(("?", "#")):
        raise ConfigurationError("An issuer or key address is not a plain http(s) address.")
    local = is_loopback(host) or host in development_hosts
    if parts.scheme != "https" and not (parts.scheme == "http" and local):
        raise ConfigurationError(
            f"Keys are fetched by https only, but the address at {host} is not https. "
            "For a stack of your own while you develop, name the host in development_hosts."
        )
    return host, local
