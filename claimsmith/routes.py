"""The grammar of routes: methods, paths and where a tenant is named; and how the path of a request is read.

Lint and the authorizer both read by these functions, so a row that lint accepts is one that a request can match.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import quote, unquote

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Methods of a route; ``ANY`` is every one.
METHODS: Final = ("ANY", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")

#: Where a request names its tenant: ``path:NAME``, ``header:NAME`` or ``query:NAME``.
TENANT_FROM: Final = re.compile(r"(path|header|query):([A-Za-z0-9_-]{1,64})")

_VARIABLE: Final = re.compile(r"\{([A-Za-z0-9_-]+)(\+?)\}")
_BROKEN_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ESCAPE: Final = re.compile(r"%[0-9A-Fa-f]{2}")

#: Escapes of characters that need none (RFC 3986 section 2.3): only a reader that does not decode tells them apart.
_NEEDLESS_ESCAPE: Final = re.compile(r"%(?:2[DE]|3[0-9]|[46][1-9A-F]|5[0-9A]|5F|7[0-9A]|7E)", re.IGNORECASE)

#: What makes a decoded segment mean different things to different servers: it is empty; it holds a slash or backslash,
#: which many servers decode before they split; what would be a parameter (RFC 3986 section 3.3), a query or a fragment;
#: what is left of octets that were no UTF-8; it ends in a dot, or begins or ends with a blank, which file systems and
#: some servers drop.
_AMBIGUOUS: Final = re.compile(r"\A\Z|\A |[/\\;?#\ufffd]|[. ]\Z")

#: The same for a row's path that is not of the grammar: what may be dropped from a part of it.
_DROPPED: Final = re.compile(r"\A +|[;?#].*|[. ]+\Z", re.DOTALL)
_MAX_ENCODINGS: Final = 3
_SEPARATORS: Final = re.compile(r"[/\\]+")


class Variable(NamedTuple):
    """``{name}``, which stands for one segment, or ``{name+}``, for one or more."""

    name: str
    rest: bool


#: Literal segments, decoded, and variables.
Template = tuple[str | Variable, ...]

#: Stands for text in an encoding that was not understood: no literal, but something for a variable to stand for.
_GARBLED: Final = "\ufffd"

#: Stands for any number of segments, also for none: in ``meant``, where nobody can say what a row was to match.
ANYTHING: Final = Variable("", rest=True)


class Reading(NamedTuple):
    """A way in which a server may take a path apart.

    Attributes:
        segments: after a slash at the end, which some servers take for an empty segment, the last one is empty.
        must_match: whether a row has to speak for it; otherwise the rows that do are only asked as well.
    """

    segments: tuple[str, ...]
    must_match: bool


def segments(path: str) -> tuple[str, ...] | None:
    """The decoded segments of a path, or ``None`` where it could mean different things to different servers.

    That is: what is ``_AMBIGUOUS``, plain or encoded; broken escapes, and escapes of escapes; octets that are no UTF-8;
    control characters. A slash at the end is dropped.
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
    """The ways to read a path that ``segments`` accepts; that one is the first.

    Some routers decode a path and some do not, some take text beyond ASCII for another encoding (apig-wsgi does where
    it gets it decoded), and some take a slash at the end for the beginning of another segment. Where a literal needs
    an escape, a router that does not decode cannot match it; so a row has to speak for the path as it was sent only
    where it has escapes that it does not need.
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
    """A template taken apart, with whatever it holds between its slashes."""
    taken_apart: list[str | Variable] = []
    for part in path[1:].split("/") if path != "/" else ():
        variable = _VARIABLE.fullmatch(part)
        taken_apart.append(part if variable is None else Variable(variable[1], variable[2] == "+"))
    return tuple(taken_apart)


def template(path: str) -> Template | None:
    """The parts of a row's path, or ``None`` where no request can match it as it is written.

    Literals are written decoded, as requests are read: ``/caf\u00e9``, not ``/caf%C3%A9``.
    """
    if not path.startswith("/"):
        return None
    taken_apart = parts(path)
    names = [part.name for part in taken_apart if isinstance(part, Variable)]
    if len(set(names)) < len(names):
        return None
    if any(isinstance(part, Variable) and part.rest for part in taken_apart[:-1]):
        return None
    return taken_apart if all(isinstance(part, Variable) or _is_literal(part) for part in taken_apart) else None


def _is_literal(part: str) -> bool:
    """Whether a request can be read as this."""
    return part.isprintable() and not set("{}") & set(part) and segments("/" + quote(part, safe="")) == (part,)


def spelling(path: str) -> str | None:
    """How a row's path must be written to match what it seems to mean, where that is clear."""
    plain = [_decoded(part) for part in path.split("/") if part]
    written = "/" + "/".join(plain)
    return None if any("/" in part for part in plain) or template(written) is None else written


def meant(path: str) -> Template:
    """What a row may have been meant for whose path is not of the grammar: rather too much than too little."""
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
    """Decoded as often as somebody may have encoded it; what is encoded more often stays so, and is no literal."""
    for _ in range(_MAX_ENCODINGS):
        text = unquote(text)
    return text
