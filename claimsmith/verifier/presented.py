"""Where a request presents its token: in one of the places that the deployment has chosen, and in no second one.

``claimsmith.places`` has the places.

The ``Authorization`` header always counts, whatever is chosen: a service behind the API may read it.

A browser adds cookies to requests that other sites cause. So a request with an unsafe method, or a handshake, whose
token is in a cookie must have been made by a page of a listed origin (RFC 6454 section 7): a page cannot choose that
header. Requests with GET, HEAD and OPTIONS must therefore change nothing in the service.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from claimsmith.errors import Code, VerificationError
from claimsmith.verifier.headers import header_values, single_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from claimsmith.places import Places
    from claimsmith.verifier.gateway import Call

#: RFC 6750 section 2.1. The scheme's case does not matter (RFC 9110 section 11.1).
_BEARER: Final = re.compile(r"bearer +([^\s,]+) *", re.IGNORECASE)

#: A signed token (RFC 7515 section 3.1), so that no other credentials are taken for one.
_BARE: Final = re.compile(r" *([A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+) *")

#: RFC 9110 section 9.2.1, without TRACE, which browsers never send.
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


def presented(call: Call, chosen: Places) -> str | None:
    """The one token that a request presents; None if it presents none in any of these places.

    Raises:
        VerificationError: ``TOKEN_MALFORMED``: there is more than one (RFC 6750 section 2), or it has another form;
            ``ORIGIN_NOT_ALLOWED``: it is in a cookie, and another site may have caused the request.
    """
    found = [_authorization(value, chosen, call) for value in call.credentials]
    in_cookies = list(_in_cookies(call, chosen)) if chosen.cookies else []
    found += in_cookies
    if call.handshake:
        found += _in_handshake(call, chosen)
    if not found:
        return None
    if len(found) > 1 or not found[0]:
        raise VerificationError(Code.TOKEN_MALFORMED, "structure")
    if in_cookies and (call.handshake or call.request.method not in _SAFE):
        origin = single_value(call.request.headers, "origin")
        if origin not in chosen.origins:
            raise VerificationError(Code.ORIGIN_NOT_ALLOWED, "structure")
    return found[0]


def _authorization(value: str, chosen: Places, call: Call) -> str | None:
    match = _BEARER.fullmatch(value) if chosen.bearer else None
    if match is None and (chosen.bare or call.kind == "appsync"):
        # AppSync's clients send the token alone.
        match = _BARE.fullmatch(value)
    return None if match is None else match[1]


def _in_cookies(call: Call, chosen: Places) -> Iterator[str]:
    """The values of these cookies; an HTTP API may have them in a list, in a header, or in both."""
    sources = (call.cookies, header_values(call.request.headers, "cookie"))
    for name in chosen.cookies:
        values = [list(_named(source, name)) for source in sources]
        # The same cookies in two members of an event are one; twice in either, they are two.
        yield from max(values, key=len)
        if all(values) and values[0] != values[1]:
            yield from min(values, key=len)


def _named(source: Iterable[str], name: str) -> Iterator[str]:
    for header in source:
        # API Gateway joins repeated headers with a comma, which no cookie's value contains (RFC 6265 section 4.1.1).
        for pair in re.split("[;,]", header):
            written, separator, value = pair.partition("=")
            if separator and written.strip() == name:
                yield value.strip().removeprefix('"').removesuffix('"')


def _in_handshake(call: Call, chosen: Places) -> Iterator[str | None]:
    for name in chosen.parameters:
        for value in call.request.query.get(name, ()):
            match = _BEARER.fullmatch(value)
            yield value if match is None else match[1]
    if chosen.subprotocols:
        sent = header_values(call.request.headers, "sec-websocket-protocol")
        offered = [part.strip() for value in sent for part in value.split(",")]
        for index, part in enumerate(offered):
            if part in chosen.subprotocols:
                yield offered[index + 1] if index + 1 < len(offered) else None
