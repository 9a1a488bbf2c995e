"""A server on loopback that does exactly what it is told with each request, down to the octets."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

#: No connection is kept longer than this, whatever a test forgets.
MAX_SECONDS = 600

#: What is not an answer but something that happens to a connection.
STALL: Final = b"stall"
HANG_UP: Final = b"hang up"
RESET: Final = b"reset"


def answer(body: bytes, *more: str, status: str = "200 OK", length: int | None = None) -> bytes:
    """A response; ``length`` is what it says of its body."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", *more]
    return "\r\n".join([*lines, "", ""]).encode() + body


@dataclass
class ScriptedServer:
    """The server, between ``with`` and its end.

    Attributes:
        respond: what is sent for a request; called with its number, from 1, and its octets.
        tls: what it speaks; None for plain http.
        handshake: whether it takes part in TLS at all.
        closing: whether it closes each connection after a response, without having said so.
        requests: what it has received, heads and bodies.
        connections: how many it has accepted.
    """

    respond: Callable[[int, bytes], bytes] = lambda _number, _request: answer(b"{}")
    tls: ssl.SSLContext | None = None
    handshake: bool = True
    closing: bool = False
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0

    def __post_init__(self) -> None:
        self._ended = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """From now on connections are refused."""
        self._ended.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            connection.settimeout(MAX_SECONDS)
            if not self.handshake:
                self._ended.wait(MAX_SECONDS)
                return
            with self._secured(connection) as stream:
                while (request := _request(stream)) is not None:
                    self.requests.append(request)
                    given = self.respond(len(self.requests), request)
                    if given == STALL:
                        self._ended.wait(MAX_SECONDS)
                    if given == RESET:
                        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                    if given in {STALL, HANG_UP, RESET}:
                        return
                    stream.sendall(given)
                    if self.closing or not _whole(given):
                        return

    def _secured(self, connection: socket.socket) -> socket.socket:
        return connection if self.tls is None else self.tls.wrap_socket(connection, server_side=True)


def _request(stream: socket.socket) -> bytes | None:
    """One request, head and body; None at the end of the connection."""
    octets = b""
    while b"\r\n\r\n" not in octets:
        more = stream.recv(65_536)
        if not more:
            return None
        octets += more
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", octets)
    whole = octets.index(b"\r\n\r\n") + 4 + (int(length[1]) if length else 0)
    while len(octets) < whole:
        octets += stream.recv(65_536)
    return octets


def _whole(given: bytes) -> bool:
    """Whether a response has the length that it says; the connection of any other ends with it."""
    head, _, body = given.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: (\d+)(?:\r\n|$)", head)
    return length is not None and int(length[1]) == len(body)
