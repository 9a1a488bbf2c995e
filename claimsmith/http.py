"""Responses of HTTP/1.1 (RFC 9112), as much of it as DynamoDB and the hosts of key sets use.

In place of ``http.client``, which imports the whole of ``email`` for the headers, at every cold start.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from claimsmith.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from io import BufferedReader

#: Octets of a line and number of lines in a response's head: more than either ever sends.
_LINE: Final = 16_384
_LINES: Final = 100

#: Interim responses (RFC 9110 section 15.2) that may precede the final one.
_INTERIM: Final = 4

_LENGTH: Final = re.compile(rb"[0-9]{1,12}")
_CHUNK: Final = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?\r?\n")
_NAME: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_STATUS: Final = re.compile(rb"HTTP/1\.([01]) ([0-9]{3})(?: [^\r\n]*)?\r?\n")


class BrokenResponseError(OSError):
    """What came is not a whole HTTP response, or not as it was sent."""


class ClosedConnectionError(ConnectionError):
    """The server has closed the connection instead of responding."""


class Head(NamedTuple):
    """What precedes a body.

    Attributes:
        headers: by their name in lower case; several with one name are joined by commas (RFC 9110 section 5.3).
        keep_alive: the connection can be used again after the body (RFC 9112 section 9.3).
    """

    status: int
    headers: Mapping[bytes, bytes]
    keep_alive: bool


def read_head(file: BufferedReader[Any]) -> Head:
    """Read the head of a response; interim ones before it are skipped.

    Raises:
        OSError: there is none.
    """
    for _ in range(_INTERIM + 1):
        line = file.readline(_LINE)
        if not line:
            raise ClosedConnectionError
        status = _STATUS.fullmatch(line)
        if status is None:
            break
        headers = _headers(file)
        if status[2] >= b"200":
            keep_alive = status[1] == b"1" and headers.get(b"connection", b"").lower() != b"close"
            return Head(int(status[2]), headers, keep_alive)
    raise BrokenResponseError


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
    coding, length = head.headers.get(b"transfer-encoding"), head.headers.get(b"content-length")
    if coding is not None:  # it counts, and not a length beside it
        if coding.lower() != b"chunked":
            raise BrokenResponseError
        return b"".join(_chunks(file, most))
    if length is not None:
        if not _LENGTH.fullmatch(length):  # nor several of them
            raise BrokenResponseError
        return _octets(file, int(length), most)
    body = file.read(most + 1) if until_closed else None
    if body is None or len(body) > most:
        raise BrokenResponseError
    return body


def _headers(file: BufferedReader[Any]) -> dict[bytes, bytes]:
    headers: dict[bytes, bytes] = {}
    for _ in range(_LINES):
        line = file.readline(_LINE)
        if line in (b"\r\n", b"\n"):
            return headers
        name, colon, value = line.partition(b":")
        if not colon or not line.endswith(b"\n") or not _NAME.fullmatch(name):  # nor folded lines
            break
        name, value = name.lower(), value.strip()
        headers[name] = headers[name] + b"," + value if name in headers else value
    raise BrokenResponseError


def _chunks(file: BufferedReader[Any], most: int) -> Iterator[bytes]:
    while True:
        line = _CHUNK.fullmatch(file.readline(_LINE))
        if line is None:
            raise BrokenResponseError
        size = int(line[1], 16)
        if not size:
            _headers(file)  # trailers
            return
        yield _octets(file, size, most)
        most -= size
        if file.readline(_LINE) != b"\r\n":
            raise BrokenResponseError


def _octets(file: BufferedReader[Any], number: int, most: int) -> bytes:
    octets = file.read(number) if 0 <= number <= most else b""
    if len(octets) != number:
        raise BrokenResponseError
    return octets
