"""Serves a pool's key set, discovery document and OAuth endpoints on loopback."""

from __future__ import annotations

import json
import threading
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, ClassVar, Final

from claimsmith.testing.errors import ContractViolation, TokenEndpointError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from claimsmith.testing.managed_login import ManagedLogin

#: Seconds for which a connection may be idle.
_IDLE_SECONDS: Final = 5

#: Requests remembered.
_REMEMBERED: Final = 1_000

_JWKS: Final = "/.well-known/jwks.json"
_DISCOVERY: Final = "/.well-known/openid-configuration"
_AUTHORIZE: Final = "/oauth2/authorize"
_TOKEN: Final = "/oauth2/token"

#: Octets of a form.
_MAX_FORM: Final = 65_536


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

    @property
    def authorization_endpoint(self) -> str:
        """Where a browser signs in; like Cognito's, it is not below the issuer."""
        return self._origin + _AUTHORIZE

    @property
    def token_endpoint(self) -> str:
        """Where codes, refresh tokens and machines' secrets are exchanged for tokens."""
        return self._origin + _TOKEN

    @property
    def _origin(self) -> str:
        return self.url.rpartition("/")[0]


class _Server(ThreadingHTTPServer):
    """Answers every request, and closes the connection afterwards."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, pool_id: str, login: ManagedLogin, sign_in_as: str | None) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.running = KeyServer(f"http://127.0.0.1:{self.server_port}/{pool_id}")
        #: Path -> the document at the time of a request.
        self.documents: dict[str, Callable[[], Mapping[str, Any]]] = {}
        self.login = login
        self.sign_in_as = sign_in_as


class _Answers(BaseHTTPRequestHandler):
    timeout: ClassVar[int] = _IDLE_SECONDS
    server: _Server

    def do_GET(self) -> None:
        self.server.running.requests.append(self.path)
        path, _, query = self.path.partition("?")
        if path == _AUTHORIZE:
            self._try(lambda: (HTTPStatus.FOUND, {}, self.server.login.authorize(query, self.server.sign_in_as)))
        elif document := self.server.documents.get(self.path):
            self._answer(HTTPStatus.OK, document())
        else:
            self._answer(HTTPStatus.NOT_FOUND, {})

    def do_POST(self) -> None:
        self.server.running.requests.append(self.path)
        form = self.rfile.read(min(int(self.headers.get("Content-Length", 0)), _MAX_FORM)).decode("ascii", "replace")
        if self.path == _TOKEN:
            authorization = self.headers.get("Authorization")
            self._try(lambda: (HTTPStatus.OK, self.server.login.token(form, authorization), None))
        else:
            self._answer(HTTPStatus.NOT_FOUND, {})

    def _try(self, answer: Callable[[], tuple[HTTPStatus, Mapping[str, Any], str | None]]) -> None:
        try:
            self._answer(*answer())
        except TokenEndpointError as refused:  # 400 for a wrong secret too, as Cognito does
            self._answer(HTTPStatus.BAD_REQUEST, {"error": refused.code, "error_description": refused.message})
        except ContractViolation as broken:  # the client shall fail, whatever it makes of errors
            self._answer(HTTPStatus.INTERNAL_SERVER_ERROR, {"error": "server_error", "error_description": str(broken)})

    def _answer(self, status: HTTPStatus, document: Mapping[str, Any], location: str | None = None) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if location is not None:
            self.send_header("Location", location)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *_arguments: object) -> None:  # noqa: A002 - the name of the base class
        """Write no log: tests read ``requests``."""


@contextmanager
def serving(
    pool_id: str,
    jwks: Callable[[], dict[str, Any]],
    issuer: Callable[[], str],
    login: ManagedLogin,
    sign_in_as: str | None,
) -> Iterator[KeyServer]:
    """Serve on a free port of 127.0.0.1 until the block ends.

    Args:
        pool_id: the path below which the documents are.
        jwks: the key set at the time of a request.
        issuer: likewise the issuer.
        login: what the OAuth endpoints answer.
        sign_in_as: who signs in at the authorization endpoint.
    """
    with _Server(pool_id, login, sign_in_as) as server:
        running = server.running

        def discovery() -> dict[str, Any]:
            return {
                "authorization_endpoint": running.authorization_endpoint,
                "id_token_signing_alg_values_supported": ["RS256"],
                "issuer": issuer(),
                "jwks_uri": running.jwks_uri,
                "response_types_supported": ["code", "token"],
                "scopes_supported": ["openid", "email", "phone", "profile"],
                "subject_types_supported": ["public"],
                "token_endpoint": running.token_endpoint,
                "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            }

        server.documents = {f"/{pool_id}{_JWKS}": jwks, f"/{pool_id}{_DISCOVERY}": discovery}
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield running
        finally:
            server.shutdown()
            thread.join()
