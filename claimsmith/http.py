"""Responses of HTTP/1.1 (RFC 9112), as much of it as DynamoDB and the hosts of key sets use.

In place of ``http.client``, which imports the whole of ``email`` for the headers, at every cold start.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from io import BufferedReader

#: Octets of a line and number of lines in a response's head: more than either ever sends.
_LINE: Final = 16_384
_LINES: Final = 100

_STATUS: Final = re.compile(rb"HTTP/1\.([01]) ([0-9]{3})(?: [^\r\n]*)?\r?\n")


class BrokenResponseError(OSError):
    """What came is not a whole HTTP response, or not as it was sent."""


class ClosedConnectionError(ConnectionError):
    """The server has closed the connection instead of responding."""


class Head(NamedTuple):
    """What precedes a body.

    Attributes:
        headers: by their name in lower case; of several with one name the last.
        keep_alive: the connection can be used again after the body (RFC 9112 section 9.3).
    """

    status: int
    headers: Mapping[bytes, bytes]
    keep_alive: bool


def read_head(file: BufferedReader[Any]) -> Head:
    """Read the head of a response.

    Raises:
        OSError: there is none.
    """
    line = file.readline(_LINE)
    if not line:
        raise ClosedConnectionError
    status = _STATUS.fullmatch(line)
    if status is None:
        raise BrokenResponseError
    headers = dict(_headers(file))
    return Head(int(status[2]), headers, status[1] == b"1" and headers.get(b"connection", b"").lower() != b"close")


def read_body(file: BufferedReader[Any], head: Head, most: int, *, until_closed: bool = False) -> bytes:
    """Read the body after a head, whole (RFC 9112 section 6.3).

    Args:
        file: the rest of the response.
        head: as ``read_head`` returned it.
        most: octets that it may have.
        until_closed: whether a body of which no length is told ends with the connection. Nobody can tell such a one
            from a body that was cut off.

    Raises:
        OSError: it is larger, not complete, or of no known length.
    """
    try:
        if head.headers.get(b"transfer-encoding", b"").lower() == b"chunked":
            return b"".join(_chunks(file, most))
        length = head.headers.get(b"content-length")
        if length is not None:
            return _octets(file, int(length), most)
    except ValueError:
        raise BrokenResponseError from None
    body = file.read(most + 1) if until_closed else None
    if body is None or len(body) > most:
        raise BrokenResponseError
    return body


def _headers(file: BufferedReader[Any]) -> Iterator[tuple[bytes, bytes]]:
    for _ in range(_LINES):
        line = file.readline(_LINE)
        if line in (b"\r\n", b"\n"):
            return
        name, colon, value = line.partition(b":")
        if not colon or not line.endswith(b"\n"):
            break
        yield name.lower(), value.strip()
    raise BrokenResponseError


def _chunks(file: BufferedReader[Any], most: int) -> Iterator[bytes]:
    while size := int(file.readline(_LINE).partition(b";")[0], 16):
        yield _octets(file, size, most)
        most -= size
        file.readline(_LINE)
    while file.readline(_LINE).strip():
        pass


def _octets(file: BufferedReader[Any], number: int, most: int) -> bytes:
    octets = file.read(number) if 0 <= number <= most else b""
    if len(octets) != number:
        raise BrokenResponseError
    return octets
