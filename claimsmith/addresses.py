"""Addresses that keys may come from: by https, or from this machine."""

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


def check_address(uri: str) -> tuple[str, bool]:
    """The host of an address that only has scheme, host, port and path, and whether it is this machine.

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
    loopback = is_loopback(host)
    if parts.scheme != "https" and not (parts.scheme == "http" and loopback):
        raise ConfigurationError(f"Keys are fetched by https only, but the address at {host} is not https.")
    return host, loopback
