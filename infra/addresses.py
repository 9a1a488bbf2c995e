"""Addresses among the options: what Cognito takes for redirects, and where a local stack is."""

from __future__ import annotations

import re
import unicodedata
from typing import Final
from urllib.parse import urlsplit

from claimsmith.addresses import check_hosts
from claimsmith.errors import ConfigurationError

_LOCAL_HOSTS: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_SCRIPT_SCHEMES: Final = frozenset({"javascript", "data", "vbscript", "file", "about", "blob"})
_MAX_URL: Final = 1024
_RESOURCE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s#,*]+")


def check_redirect(url: str) -> str:
    """Check Cognito's rules for redirect addresses (``RedirectUrlType``); http only on this computer."""
    if len(url) > _MAX_URL:
        raise ValueError(f"an address has {len(url)} characters; Cognito takes {_MAX_URL}")
    if not all(unicodedata.category(character)[0] in "LMNPS" for character in url):
        raise ValueError(f"{url!r} has a space or a character that cannot be seen; remove it, or write %20 for a space")
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        raise ValueError(f"{url!r} is not an address") from None
    if not parts.scheme or parts.scheme in _SCRIPT_SCHEMES or "#" in url or "*" in url:
        raise ValueError(f"{url!r} is not an absolute address without a fragment")
    if parts.scheme == "https" and not host:
        raise ValueError(f"{url!r} names no host")
    if parts.scheme == "http" and host not in _LOCAL_HOSTS:
        raise ValueError(f"{url!r} is not encrypted; use https: http is for this computer only, in development")
    return url


def check_resource(resource: str) -> str:
    """Check a resource in ``aud``: an absolute URI without a fragment (RFC 8707 section 2)."""
    if not _RESOURCE.fullmatch(resource):
        raise ValueError(
            f"{resource!r} is not possible; use absolute addresses without a fragment or a comma, as in "
            '["https://api.example.com/mcp"]. A token bound to nothing is accepted in any case'
        )
    return resource


def check_host(name: str) -> str:
    """Check a development host."""
    try:
        check_hosts([name])
    except ConfigurationError as error:
        raise ValueError(error.message) from None
    return name


def bare_address(address: str) -> str:
    """Check that an address has only scheme, host and port."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        port, parts = 0, urlsplit("")
    bare = address.removesuffix("/") == f"{parts.scheme}://{parts.netloc}" and "@" not in parts.netloc
    if not (bare and parts.scheme in {"http", "https"} and parts.hostname and port != 0):
        raise ValueError(f"{address!r} is not possible; use an address of this computer, as in http://127.0.0.1:4566")
    return address.removesuffix("/")
