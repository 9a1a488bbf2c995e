"""Serves a pool's key set and discovery document on loopback."""

from __future__ import annotations

import json
import threading
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, ClassVar, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Seconds for which a connection may be idle.
_IDLE_SECONDS: Final = 5

#: Requests remembered.
_REMEMBERED: Final = 1_000

_JWKS: Final = "/.well-known/jwks.json"
_DISCOVERY: Final = "/.well-known/openid-configuration"


@dataclass(frozen=True)
class KeyServer:
    """A running server.

    Attributes:
        url: the pool's address; documents are below it.
        requests: requested paths, the last thousand.
    """

    url: str
    requests: deque[str] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))

    @property
    def jwks_uri(self) -> str:
        """The address of the key set."""
        return self.url + _JWKS

    @property
    def discovery_uri(self) -> str:
        """The address of the discovery document."""
        return self.url + _DISCOVERY


@contextmanager
def serving(pool_id: str, jwks: Callable[[], dict[str, Any]], issuer: Callable[[], str]) -> Iterator[KeyServer]:
    """Serve on a free port of 127.0.0.1 until the block ends; every request gets an answer and a closed connection.

    Args:
        pool_id: the path below which the documents are.
        jwks: the key set at the time of a request.
        issuer: likewise the issuer.
    """

    class Documents(BaseHTTPRequestHandler):
        timeout: ClassVar[int] = _IDLE_SECONDS

        def do_GET(self) -> None:
            running.requests.append(self.path)
            document = {f"/{pool_id}{_JWKS}": jwks, f"/{pool_id}{_DISCOVERY}": discovery}.get(self.path)
            body = b"{}" if document is None else json.dumps(document()).encode()
            self.send_response(HTTPStatus.NOT_FOUND if document is None else HTTPStatus.OK)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *_arguments: object) -> None:  # noqa: A002 - the name of the base class
            """Write no log: tests read ``requests``."""

    def discovery() -> dict[str, Any]:
        return {
            "id_token_signing_alg_values_supported": ["RS256"],
            "issuer": issuer(),
            "jwks_uri": running.jwks_uri,
            "response_types_supported": ["code", "token"],
            "scopes_supported": ["openid", "email", "phone", "profile"],
            "subject_types_supported": ["public"],
        }

    with ThreadingHTTPServer(("127.0.0.1", 0), Documents) as server:
        server.daemon_threads = True
        server.block_on_close = False
        running = KeyServer(f"http://127.0.0.1:{server.server_port}/{pool_id}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield running
        finally:
            server.shutdown()
            thread.join()
