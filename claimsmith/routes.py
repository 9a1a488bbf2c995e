"""The grammar of routes: methods, paths and the place of the tenant; and how the path of a request is read.

Lint and the authorizer share these functions, so a request can match every row that lint accepts.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote

from claimsmith.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Methods of a route; ``ANY`` is every one.
METHODS: Final = ("ANY", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")

#: A route's ``access`` that needs no token, and the attributes that then make no sense.
PUBLIC: Final = "public"
DEMANDS: Final = ("any_scope", "all_scopes", "any_role", "audience", "tenant_from")

#: Where a request names its tenant: ``path:NAME``, ``header:NAME`` or ``query:NAME``.
TENANT_FROM: Final = re.compile(r"(path|header|query):([A-Za-z0-9_-]{1,64})")

#: ``host:{tenant}.example.com``: one label of the host, in a domain of at least two. In ASCII and lower case, as
#: certificates and browsers have it.
_HOST: Final = r"host:(?P<before>(?:[a-z0-9-]{1,63}\.){0,4})\{tenant\}(?P<after>(?:\.[a-z0-9-]{1,63}){2,8})"

#: A label of a host (RFC 1123 section 2.1); hosts are the same in capitals.
_LABEL: Final = "([a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)"

_VARIABLE: Final = re.compile(r"\{([A-Za-z0-9_-]+)(\+?)\}")
_BROKEN_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ESCAPE: Final = re.compile(r"%[0-9A-Fa-f]{2}")

#: Escapes of characters that need none (RFC 3986 section 2.3): only a router that does not decode sees a difference.
_NEEDLESS_ESCAPE: Final = re.compile(r"%(?:2[DE]|3[0-9]|[46][1-9A-F]|5[0-9A]|5F|7[0-9A]|7E)", re.IGNORECASE)

#: Decoded segments that servers read differently: an empty one; one with a slash or backslash, which many servers
#: decode before they split; one with the start of a parameter (RFC 3986 section 3.3), a query or a fragment; one with
#: the replacement of octets that are not UTF-8; one that ends in a dot, or begins or ends with a blank, which file
#: systems and some servers drop.
_AMBIGUOUS: Final = re.compile(r"\A\Z|\A |[/\\;?#\ufffd]|[. ]\Z")

#: The same for an invalid path of a row: text that servers may drop from a part of it.
_DROPPED: Final = re.compile(r"\A +|[;?#].*|[. ]+\Z", re.DOTALL)
_MAX_ENCODINGS: Final = 3
_SEPARATORS: Final = re.compile(r"[/\\]+")


class Variable(NamedTuple):
    """``{name}``, which stands for one segment, or ``{name+}``, for one or more."""

    name: str
    rest: bool


#: Literal segments, decoded, and variables.
Template = tuple[str | Variable, ...]

#: Stands for text in an unknown encoding: it equals no literal but can be the value of a variable.
_GARBLED: Final = "\ufffd"

#: Stands for any number of segments, also none: in ``likely_template``, for text that cannot be guessed.
ANYTHING: Final = Variable("", rest=True)


class Reading(NamedTuple):
    """A way in which a server may split a path.

    Attributes:
        segments: the last one is empty if the server takes a trailing slash for an empty segment.
        must_match: whether there has to be a row for this reading; otherwise rows that match only count as well.
    """

    segments: tuple[str, ...]
    must_match: bool


class TenantSource(NamedTuple):
    """The place in a request where a row expects the tenant.

    Attributes:
        kind: ``path``, ``header``, ``query`` or ``host``.
        name: of the variable, header or parameter; of a host, its pattern.
    """

    kind: str
    name: str

    @property
    def header(self) -> str | None:
        """The header in which the tenant is, in lower case."""
        return {"header": self.name.lower(), "host": "host"}.get(self.kind)


def tenant_source(written: str) -> TenantSource | None:
    """What ``tenant_from`` names; None if it has none of the forms."""
    source = TENANT_FROM.fullmatch(written)
    if source is not None:
        return TenantSource(source[1], source[2])
    host = re.fullmatch(_HOST, written)
    return None if host is None else TenantSource("host", written.removeprefix("host:"))


def tenant_in_host(pattern: str, host: str) -> str | None:
    """The label of a host that stands where a pattern has ``{tenant}``; None if the host is another one.

    A port does not matter. A host with a dot at its end, or beyond ASCII, is another one.
    """
    before, after = pattern.split("{tenant}")
    expected = re.escape(before) + _LABEL + re.escape(after) + "(?::[0-9]{1,5})?"
    found = re.fullmatch(expected, host.lower()) if host.isascii() else None
    return None if found is None else found[1]


def segments(path: str) -> tuple[str, ...] | None:
    """The decoded segments of a path, or ``None`` if servers could read it differently.

    These are: what is ``_AMBIGUOUS``, plain or encoded; broken escapes, and escapes of escapes; octets that are not
    UTF-8; control characters. A trailing slash is dropped.
    """
    if not path.startswith("/") or _BROKEN_ESCAPE.search(path):
        return None
    if path == "/":
        return ()
    try:
        decoded = tuple(unquote(segment, errors="strict") for segment in path[1:].removesuffix("/").split("/"))
    except UnicodeDecodeError:
        return None
    for segment in decoded:
        if not segment.isprintable() or _AMBIGUOUS.search(segment) or _ESCAPE.search(segment):
            return None
    return decoded


def readings(path: str) -> Iterator[Reading]:
    """The ways to read a path that ``segments`` accepts; the first is that of ``segments``.

    Some routers decode a path and some do not, some read text beyond ASCII in another encoding (apig-wsgi does if it
    gets it decoded), and some take a trailing slash for the beginning of another segment. If a literal needs an escape,
    a router that does not decode cannot match it; so the path as sent needs a row only if it has needless escapes.
    """
    trimmed = path[1:].removesuffix("/")
    sent = tuple(trimmed.split("/")) if trimmed else ()
    decoded = tuple(map(unquote, sent))
    garbled = tuple(segment if segment.isascii() else _GARBLED for segment in decoded)
    needless = _NEEDLESS_ESCAPE.search(path) is not None
    for read in dict.fromkeys((decoded, sent, garbled)):
        yield Reading(read, must_match=read == decoded or (read == sent and needless))
        if read and path.endswith("/"):
            yield Reading((*read, ""), must_match=False)


def parts(path: str) -> Template:
    """Split a template at its slashes, without checking the parts."""
    found: list[str | Variable] = []
    for part in path[1:].split("/") if path != "/" else ():
        variable = _VARIABLE.fullmatch(part)
        found.append(part if variable is None else Variable(variable[1], variable[2] == "+"))
    return tuple(found)


def template(path: str) -> Template | None:
    """The parts of a row's path, or ``None`` if no request can match it.

    Literals are written decoded: ``/caf\u00e9``, not ``/caf%C3%A9``.
    """
    if not path.startswith("/"):
        return None
    found = parts(path)
    names = [part.name for part in found if isinstance(part, Variable)]
    if len(set(names)) < len(names):
        return None
    if any(isinstance(part, Variable) and part.rest for part in found[:-1]):
        return None
    return found if all(isinstance(part, Variable) or _is_literal(part) for part in found) else None


def _is_literal(part: str) -> bool:
    """Whether a segment of a request can be this text."""
    return part.isprintable() and not set("{}") & set(part) and segments("/" + quote(part, safe="")) == (part,)


def spelling(path: str) -> str | None:
    """The correct form of an invalid path, if it is clear what it stands for."""
    plain = [_decoded(part) for part in path.split("/") if part]
    written = "/" + "/".join(plain)
    return None if any("/" in part for part in plain) or template(written) is None else written


def likely_template(path: str) -> Template:
    """What an invalid path of a row may stand for: rather too much than too little."""
    plain = [part for part in _SEPARATORS.split(_decoded(path)) if part]
    if ".." in plain:
        return (ANYTHING,)
    guessed: list[str | Variable] = []
    for part in plain:
        variable = _VARIABLE.fullmatch(part)
        if variable is not None and not variable[2]:
            guessed.append(Variable(variable[1], rest=False))
            continue
        literal = _DROPPED.sub("", part)
        if not literal or not _is_literal(literal):
            return (*guessed, ANYTHING)
        guessed.append(literal)
    return tuple(guessed)


def _decoded(text: str) -> str:
    """Decode up to ``_MAX_ENCODINGS`` times; text that was encoded more often is no literal."""
    for _ in range(_MAX_ENCODINGS):
        text = unquote(text)
    return text
