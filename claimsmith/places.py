"""The places in which a request may have its token, as settings name them.

=====================  =====================================================================================
place                  what it is
=====================  =====================================================================================
``bearer``             ``Authorization: Bearer TOKEN`` (RFC 6750 section 2.1)
``bare``               ``Authorization: TOKEN``, as Cognito's own authorizers take it
``cookie:NAME``        a cookie (RFC 6265 section 4.2)
``subprotocol:NAME``   of a WebSocket handshake: the subprotocol that follows NAME (RFC 6455 section 4.1)
``query:NAME``         of a WebSocket handshake: a parameter (RFC 6750 section 2.3)
=====================  =====================================================================================
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from claimsmith.errors import ConfigurationError
from claimsmith.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

#: A name that is a token of HTTP (RFC 9110 section 5.6.2), without characters that lists and queries use.
_PLACE: Final = r"(?P<whole>bearer|bare)|(?P<kind>cookie|subprotocol|query):(?P<name>[A-Za-z0-9_.-]{1,64})"

#: RFC 6454 section 6.2, as browsers write it.
_ORIGIN: Final = r"https?://[a-z0-9.-]+(?::[0-9]{1,5})?"


class Places(NamedTuple):
    """The places of a token that a deployment has chosen.

    Attributes:
        origins: of pages that may cause requests with a cookie and an unsafe method.
    """

    bearer: bool = True
    bare: bool = False
    cookies: tuple[str, ...] = ()
    subprotocols: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ("access_token",)
    origins: frozenset[str] = frozenset()

    @property
    def in_header(self) -> bool:
        """Whether every request but a WebSocket handshake has its token in ``Authorization``."""
        return not self.cookies and (self.bearer or self.bare)


#: The header; for a WebSocket, also the parameter of RFC 6750.
DEFAULT_PLACES: Final = Places()


def places(entries: Iterable[str], origins: Iterable[str] = ()) -> Places:
    """The places in a setting; the default ones if it has no entries.

    Args:
        entries: ``bearer``, ``bare``, ``cookie:NAME``, ``subprotocol:NAME``, ``query:NAME``.
        origins: of pages that may cause requests with a cookie and an unsafe method, such as
            ``https://app.example.com``.

    Raises:
        ConfigurationError: an entry is none of these, an origin is none, or only one of cookie and origins is given.
    """
    listed, known = tuple(entries), frozenset(origins)
    named: dict[str, list[str]] = {"cookie": [], "subprotocol": [], "query": []}
    for entry in listed:
        place = re.fullmatch(_PLACE, entry)
        if place is None:
            raise ConfigurationError(
                "A token's place is bearer, bare, cookie:NAME, subprotocol:NAME or query:NAME, with letters, digits, "
                "dots, hyphens and underscores in the name."
            )
        if place["kind"]:
            named[place["kind"]].append(place["name"])
    for origin in known:
        if not re.fullmatch(_ORIGIN, origin):
            raise ConfigurationError(
                "An origin is a scheme, a host in lower case and, if it is not the default, a port, as in "
                "https://app.example.com."
            )
    if bool(named["cookie"]) != bool(known):
        raise ConfigurationError(
            "A cookie's token needs the origins of the pages that may use it, and only a cookie's token does: name "
            "both, or neither."
        )
    if not listed:
        return DEFAULT_PLACES
    return Places(
        "bearer" in listed,
        "bare" in listed,
        tuple(named["cookie"]),
        tuple(named["subprotocol"]),
        tuple(named["query"]),
        known,
    )
