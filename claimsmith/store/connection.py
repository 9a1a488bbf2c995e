"""Connections to one server that are kept, with TLS that is always verified."""

from __future__ import annotations

import logging
import socket
import ssl
from typing import TYPE_CHECKING, Final
from zlib import crc32

from claimsmith.http import BrokenResponseError, read_body, read_head
from claimsmith.named_tuple import NamedTuple
from claimsmith.store.roots import AMAZON_ROOTS

if TYPE_CHECKING:
    from claimsmith.store.reads import Patience

_LOG: Final = logging.getLogger(__name__)

#: Where the hosts are that Amazon's own authorities vouch for. Those of China are not known to be among them.
_AMAZON: Final = (".amazonaws.com", ".amazonaws.eu")

#: Octets of a response's body: more than DynamoDB ever sends.
_BODY: Final = 1 << 26


class Endpoint(NamedTuple):
    """Where a server is.

    Attributes:
        tls: https rather than http.
    """

    host: str
    port: int
    tls: bool

    @property
    def authority(self) -> str:
        """The value of the ``host`` header (RFC 9110 section 7.2)."""
        return self.host if self.port == (443 if self.tls else 80) else f"{self.host}:{self.port}"


class Response(NamedTuple):
    """A response.

    Attributes:
        keep_alive: the connection can be used again.
    """

    status: int
    body: bytes
    keep_alive: bool


class Connections:
    """Thread-safe: as many connections as there are exchanges at once, kept for the next ones."""

    def __init__(self, endpoint: Endpoint, patience: Patience, trust: ssl.SSLContext | None = None) -> None:
        """Connect when first needed.

        Args:
            endpoint: where to.
            patience: how long to wait for each step.
            trust: instead of Amazon's authorities.
        """
        self._endpoint = endpoint
        self._patience = patience
        self._trust = trust
        self._trusts_all = False
        self._idle: list[_Connection] = []

    def exchange(self, request: bytes) -> Response:
        """Send a request that may arrive twice, and read its response.

        It is sent again, once, if it went over a connection that the server had closed meanwhile.

        Raises:
            OSError: there is no response, or none that is whole.
        """
        try:
            connection = self._idle.pop()
        except IndexError:
            return self._over(self._connected(), request)
        try:
            return self._over(connection, request)
        except (ConnectionError, ssl.SSLEOFError):
            return self._over(self._connected(), request)

    def close(self) -> None:
        """Close what is kept and not in use; the next exchange connects again."""
        while self._idle:
            self._idle.pop().close()

    def _over(self, connection: _Connection, request: bytes) -> Response:
        try:
            response = connection.exchange(request)
        except BaseException:
            connection.close()
            raise
        if response.keep_alive:
            self._idle.append(connection)
        else:
            connection.close()
        return response

    def _connected(self) -> _Connection:
        try:
            return self._connect()
        except ssl.SSLCertVerificationError as error:
            if self._trusts_all:
                raise
            why = error.verify_message
            _LOG.warning(
                "Amazon's authorities do not vouch for %s (%s); botocore's are asked", self._endpoint.host, why
            )
            self._trust_all()
            return self._connect()

    def _connect(self) -> _Connection:
        _, port, tls = self._endpoint
        host = self._endpoint.host.encode("ascii")  # for a str, both calls below import the codec of IDNA
        sock = socket.create_connection((host, port), self._patience.connect)  # type: ignore[arg-type] # as getaddrinfo
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if tls:
                sock = self._trusted().wrap_socket(sock, server_hostname=host)
            sock.settimeout(self._patience.read)
        except BaseException:
            sock.close()
            raise
        return _Connection(sock)

    def _trusted(self) -> ssl.SSLContext:
        if self._trust is None:
            if not self._endpoint.host.endswith(_AMAZON):
                return self._trust_all()
            self._trust = ssl.create_default_context(cadata=AMAZON_ROOTS)
        return self._trust

    def _trust_all(self) -> ssl.SSLContext:
        """From now on trust whom botocore trusts, which takes far longer to read."""
        self._trust = ssl.create_default_context(cafile=every_root())
        self._trusts_all = True
        return self._trust


def every_root() -> str:
    """The file with the authorities that botocore trusts."""
    from pathlib import Path  # noqa: PLC0415 - both are needed only here, and this module is imported at every cold start

    import botocore  # noqa: PLC0415

    return str(Path(botocore.__file__).with_name("cacert.pem"))


class _Connection:
    """A connection, for one exchange at a time."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._file = sock.makefile("rb")

    def close(self) -> None:
        self._file.close()
        self._sock.close()

    def exchange(self, request: bytes) -> Response:
        """As ``Connections.exchange``, without sending it again."""
        self._sock.sendall(request)
        head = read_head(self._file)
        body = read_body(self._file, head, _BODY)
        checksum = head.headers.get(b"x-amz-crc32")
        if checksum is not None and checksum != b"%d" % crc32(body):
            raise BrokenResponseError
        return Response(head.status, body, head.keep_alive)
