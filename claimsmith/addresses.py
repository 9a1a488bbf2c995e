"""Addresses that keys may come from: by https, or from this machine; in development also from hosts that are named.

In docker compose the pool of a local stack is ``http://cognito:9229/local_1``: no loopback address, and no https. Such
a host is accepted only where ``development_hosts`` names it. Without https, whoever is on the way to it can put keys of
their own in place of its keys, and so make any token.

Beside this machine, the hosts of a network may answer at addresses of the link, such as those from which AWS gives an
instance its credentials; no issuer is there. An address that is written in another way than usual is refused, so that
what is compared here is what is asked later.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final
from urllib.parse import urlsplit

from claimsmith.errors import ConfigurationError

#: Where AWS answers the instances of a network beside 169.254.0.0/16, by IPv6:
#: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
_OF_AWS: Final = IPv6Network("fd00:ec2::/32")


def is_loopback(host: str | None) -> bool:
    """Whether a host, as written in an address, is this machine: the names are those of RFC 6761 section 6.3."""
    if host is None:
        return False
    address = _numbers(host)
    return host == "localhost" or host.endswith(".localhost") if address is None else address.is_loopback


def _numbers(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _check_host(host: str) -> None:
    """Refuse hosts that are no issuer's, and those of which only the network knows where they lead.

    Raises:
        ConfigurationError: it is such a host.
    """
    address = _numbers(host)
    # 127.1, 0x7f.1 and 2130706433 are 127.0.0.1 to a resolver: https://url.spec.whatwg.org/#ends-in-a-number-checker
    in_numbers = address is None and re.search(r"(?:^|\.)(?:[0-9]+|0x[0-9a-f]*)\.?$", host) is not None
    if in_numbers or (isinstance(address, IPv6Address) and address.ipv4_mapped is not None):
        raise ConfigurationError(f"Write an IP address as four numbers, as in 192.0.2.1; {host} is another form.")
    if host.endswith("."):
        raise ConfigurationError(f"Write the host without the dot at its end: {host.rstrip('.')}.")
    if address is None or address.is_loopback:
        return
    if address.is_link_local or address.is_unspecified or address.is_multicast or address.is_reserved:
        raise ConfigurationError(f"No issuer has its keys at {host}, an address of the link or of no host.")
    if address in _OF_AWS:
        raise ConfigurationError(f"No issuer has its keys at {host}, where AWS answers instances.")


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
        ConfigurationError: it is another address, neither https nor on this machine, or at a host that is no issuer's.
    """
    try:
        parts = urlsplit(uri)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, None
    if parts is None or not host or port == 0 or parts.query or parts.fragment:
        raise ConfigurationError("An issuer or key address is not a plain http(s) address.")
    # urlsplit takes "[::1].example.com" for ::1; another reader may not.
    plain = re.fullmatch(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]*)?", parts.netloc) is not None
    if not plain or any(not "!" <= character <= "~" for character in uri) or uri.endswith(("?", "#")):
        raise ConfigurationError("An issuer or key address is not a plain http(s) address.")
    if host not in development_hosts:
        _check_host(host)
    local = is_loopback(host) or host in development_hosts
    if parts.scheme != "https" and not (parts.scheme == "http" and local):
        raise ConfigurationError(
            f"Keys are fetched by https only, but the address at {host} is not https. "
            "For a stack of your own while you develop, name the host in development_hosts."
        )
    return host, local
