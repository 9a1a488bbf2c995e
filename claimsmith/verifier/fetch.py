"""One GET of a key set, bounded in time and size, without redirects, proxies or cookies.

All waits on the socket, including the TLS handshake, share one deadline, so a server that sends a byte now and then
gets no more time than one that sends nothing.
"""

from __future__ import annotations

import io
import socket
import ssl
from time import monotonic
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from claimsmith.addresses import is_loopback
from claimsmith.http import read_body, read_head
from claimsmith.verifier.issuers import NotPublishedError

if TYPE_CHECKING:
    from collections.abc import Container

    from _typeshed import WriteableBuffer

#: Octets. API Gateway's own limit for a key set is 150,000.
MAX_RESPONSE: Final = 150_000

_OK: Final = 200

#: Client errors that are temporary (RFC 9110 section 15.5.9, RFC 8470 section 5.2, RFC 6585 section 4).
_TEMPORARY: Final = frozenset({408, 425, 429})


class FetchError(OSError):
    """The key set was not fetched; the message has the reason and no text from the host."""


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


def _left(at: float) -> float:
    """Seconds until a time of the monotonic clock."""
    left = at - monotonic()
    if left <= 0:
        raise FetchError("the key set did not come in time")
    return left


def _connected(host: bytes, port: int, at: float, *, tls: bool, anywhere: bool) -> socket.socket:
    """A connection to the first address of the host that answers; without TLS, to this machine unless ``anywhere``."""
    reason: OSError = FetchError("the host has no address")
    for family, kind, protocol, _name, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        if not tls and not anywhere and not is_loopback(str(address[0])):
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


def fetch(uri: str, timeout: float, development_hosts: Container[str] = ()) -> bytes:
    """Fetch the body at an address.

    Args:
        uri: an https address, or an http address on this machine or a development host.
        timeout: seconds for the whole request.
        development_hosts: hosts that may be asked without TLS wherever they are.

    Raises:
        NotPublishedError: the host answered 4xx: the key set does not exist or is not public.
        OSError: the host could not be reached, took too long, sent more than ``MAX_RESPONSE``, or did not answer 200
            (redirects are not followed).
    """
    at = monotonic() + timeout
    parts = urlsplit(uri)
    tls = parts.scheme == "https"
    host = (parts.hostname or "").encode("ascii")  # for a str, the codec of IDNA would be imported
    request = f"GET {parts.path or '/'} HTTP/1.1\r\nHost: {parts.netloc}\r\nAccept: application/json\r\n"
    anywhere = (parts.hostname or "") in development_hosts
    sock = _connected(host, parts.port or (443 if tls else 80), at, tls=tls, anywhere=anywhere)
    try:
        sock.settimeout(_left(at))
        sock.sendall(f"{request}Connection: close\r\n\r\n".encode())
        answer = io.BufferedReader(_Reader(sock, at))
        head = read_head(answer)
        if head.status != _OK:
            not_there = head.status // 100 == 4 and head.status not in _TEMPORARY  # noqa: PLR2004 - 4xx
            kind = NotPublishedError if not_there else FetchError
            raise kind(f"the key set's host answered {head.status}")
        return read_body(answer, head, MAX_RESPONSE, until_closed=True)
    finally:
        sock.close()
