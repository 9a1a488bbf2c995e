"""AWS KMS on loopback with one asymmetric key: ``GetPublicKey`` and ``Sign`` of a digest, which moto does not have."""

from __future__ import annotations

import base64
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.unit.verifier.signing import LocalKey

ARN = "arn:aws:kms:eu-central-1:123456789012:key/0e0e0e0e-0000-4000-8000-000000000001"

#: KMS's names -> JWA's.
_ALGORITHMS = {"RSASSA_PKCS1_V1_5_SHA_256": "RS256", "ECDSA_SHA_256": "ES256"}


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, key: LocalKey) -> None:
        super().__init__(("127.0.0.1", 0), _Requests)
        self.key = key


class _Requests(BaseHTTPRequestHandler):
    timeout: ClassVar[int] = 60
    server: _Server

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        try:
            status, answer = 200, self._answer(self.headers["X-Amz-Target"], request)
        except (KeyError, ValueError) as wrong:
            status, answer = 400, {"__type": "ValidationException", "message": str(wrong)}
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _answer(self, target: str, request: dict[str, Any]) -> dict[str, Any]:
        if request["KeyId"] != ARN:
            raise ValueError("another key")
        if target == "TrentService.GetPublicKey":
            return {"KeyId": ARN, "PublicKey": base64.b64encode(self.server.key.public_key()).decode()}
        if target != "TrentService.Sign" or request["MessageType"] != "DIGEST":
            raise ValueError("not here")
        algorithm = _ALGORITHMS[request["SigningAlgorithm"]]
        signature = self.server.key.sign(base64.b64decode(request["Message"]), algorithm)
        return {"KeyId": ARN, "Signature": base64.b64encode(signature).decode()}

    def log_message(self, format: str, *_arguments: object) -> None:  # noqa: A002 - the name of the base class
        """Write no log."""


@contextmanager
def serving_kms(key: LocalKey) -> Iterator[str]:
    """The endpoint, until the block ends."""
    with _Server(key) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
