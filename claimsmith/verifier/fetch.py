"""One GET of a key set, bounded in time and size, without redirects, proxies or cookies.

Every wait on the socket, the TLS handshake's too, gets what is left of the one deadline, so that a server that sends a
byte now and then does not live longer than one that sends nothing.
"""

from __future__ import annotations

import io
import socket
import ssl
from http.client import HTTPConnection, HTTPException, HTTPResponse
from time import monotonic
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from claimsmith.verifier.issuers import NotPublishedError, is_loopback

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

#: Octets. API Gateway's own limit for a key set is 150,000.
MAX_RESPONSE: Final = 150_000

_OK: Final = 200

#: Refusals that are about the moment and not about what was asked for (RFC 9110 section 15.5.9, RFC 8470 section 5.2,
#: RFC 6585 section 4).
_LATER: Final = frozenset({408, 425, 429})


class FetchError(OSError):
    """The key set did not come; the message says why, in words of this module only."""


class _Reader(io.RawIOBase):
    """The reading side of a socket."""

    def __init__(self, sock: socket.socket, at: float) -> None:
        self._sock = sock
        self._at = at

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        self._sock.settimeout(_left(self._at))
        return self._sock.recv_into(buffer)


class _Deadline:
    """What ``http.client`` uses of a socket, with every wait bounded by one point in time."""

    def __init__(self, sock: socket.socket, at: float) -> None:
        self._sock = sock
        self._at = at

    def sendall(self, octets: bytes) -> None:
        self._sock.settimeout(_left(self._at))
        self._sock.sendall(octets)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Reader(self._sock, self._at))

    def close(self) -> None:
        """Nothing: ``http.client`` closes its connection before the response is read. Whoever opened it closes it."""


def _left(at: float) -> float:
    """Seconds until a point in time of the monotonic clock."""
    left = at - monotonic()
    if left <= 0:
        raise FetchError("the key set did not come in time")
    return left


def _connected(host: str, port: int, at: float, *, tls: bool) -> socket.socket:
    """A connection to the first of the host's addresses that answers; without TLS to this machine only."""
    reason: OSError = FetchError("the host has no address")
    for family, kind, protocol, _name, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        if not tls and not is_loopback(str(address[0])):
            continue
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(_left(at))
            sock.connect(address)
            if not tls:
                return sock
            sock.settimeout(_left(at))
            return ssl.create_default_context().wrap_socket(sock, server_hostname=host)
        except OSError as error:
            sock.close()
            reason = error
    raise reason


def fetch(uri: str, timeout: float) -> bytes:
    """The body at an address.

    Args:
        uri: an https address, or an http address on this machine.
        timeout: seconds for all of it.

    Raises:
        NotPublishedError: the host answered 4xx: what was asked for is not there, or not for us.
        OSError: it could not be reached, took too long, was larger than ``MAX_RESPONSE``, or did not answer 200 (a
            redirect is not followed).
    """
    at = monotonic() + timeout
    parts = urlsplit(uri)
    tls = parts.scheme == "https"
    host = parts.hostname or ""
    connection = HTTPConnection(host)
    sock = _connected(host, parts.port or (443 if tls else 80), at, tls=tls)
    try:
        connection.sock = _Deadline(sock, at)
        connection.request("GET", parts.path or "/", headers={"Host": parts.netloc, "Accept": "application/json"})
        response: HTTPResponse = connection.getresponse()
        if response.status != _OK:
            not_there = response.status // 100 == 4 and response.status not in _LATER  # noqa: PLR2004 - 4xx
            kind = NotPublishedError if not_there else FetchError
            raise kind(f"the key set's host answered {response.status}")
        with response:
            body = response.read(MAX_RESPONSE + 1)
            missing = response.length
    except (HTTPException, ValueError) as error:
        raise FetchError(f"the key set's host does not speak HTTP ({type(error).__name__})") from None
    finally:
        sock.close()
    if len(body) > MAX_RESPONSE:
        raise FetchError("the key set is too large")
    if missing:
        raise FetchError("the key set is not complete")
    return body
