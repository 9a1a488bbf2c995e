"""A DynamoDB on loopback that answers from the in-memory table, or fails in one of the ways a network has."""

from __future__ import annotations

import base64
import json
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Literal, Self

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from tests.conftest import Client

Mode = Literal["answer", "refuse", "hang up", "stall", "trickle", "garbage", "wrong shape", "no answer", "500"]

#: Seconds between two bytes of a trickle: far less than any read time-out.
TRICKLE_SECONDS = 0.1

#: No connection is kept longer than this, whatever a test forgets. Longer than any test may take.
MAX_SECONDS = 600

GARBAGE = b"<html><body>Please sign in to the guest network.</body></html>"


class LoopbackDynamoDB:
    """The server, between ``with`` and its end.

    Attributes:
        mode: what it does from the next request on; may change at any time.
        requests: how many it has received.
    """

    def __init__(self, client: Client) -> None:
        self.mode: Mode = "answer"
        self.requests = 0
        self.client = client
        self.ended = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.dynamodb = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self.endpoint_url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.stop_listening()

    def stop_listening(self) -> None:
        """From now on connections are refused, and those that are open are hung up on."""
        self.mode = "refuse"
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    dynamodb: LoopbackDynamoDB

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as socketserver has it
        """Say nothing of a process that is killed before it has its answer."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = MAX_SECONDS
    disable_nagle_algorithm = True
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        dynamodb = self.server.dynamodb
        dynamodb.requests += 1
        match dynamodb.mode:
            case "answer":
                self.answer(*_performed(dynamodb.client, self.headers["X-Amz-Target"], body))
            case "garbage":
                self.answer(200, GARBAGE)
            case "wrong shape":
                self.answer(200, b'{"Items": {"pk": 7}, "Item": ["x"], "Responses": {"claimsmith": {"S": "x"}}}')
            case "500":
                self.answer(500, b'{"__type": "InternalServerError"}')
            case "no answer":
                self.answer(200, b"")
            case "stall":
                dynamodb.ended.wait(MAX_SECONDS)
                self.close_connection = True
            case "trickle":
                self.trickle()
            case "refuse" | "hang up":
                self.close_connection = True

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def trickle(self) -> None:
        """The head at once, then a byte now and then: no wait between two bytes is long, and it never ends."""
        self.send_response(200)
        self.send_header("Content-Length", "100000")
        self.end_headers()
        self.close_connection = True
        for _ in range(int(MAX_SECONDS / TRICKLE_SECONDS)):
            try:
                self.wfile.write(b" ")
            except OSError:
                return
            if self.server.dynamodb.ended.wait(TRICKLE_SECONDS):
                return

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _performed(client: Client, target: str, body: bytes) -> tuple[int, bytes]:
    """The operation, performed on the in-memory table."""
    operation = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", target.partition(".")[2]).lower()
    try:
        answer = getattr(client, operation)(**_with_bytes(json.loads(body)))
    except ClientError as error:
        code = error.response["Error"]["Code"]
        reasons = {name: error.response[name] for name in ("CancellationReasons",) if name in error.response}
        return 400, json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{code}", **reasons}).encode()
    answer.pop("ResponseMetadata", None)
    return 200, json.dumps(_without_bytes(answer)).encode()


def _with_bytes(value: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        return {
            name: base64.b64decode(item)
            if name == "B" and isinstance(item, str)
            else list(map(base64.b64decode, item))
            if name == "BS" and isinstance(item, list)
            else _with_bytes(item)
            for name, item in value.items()
        }
    return [_with_bytes(item) for item in value] if isinstance(value, list) else value


def _without_bytes(value: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {name: _without_bytes(item) for name, item in value.items()}
    return [_without_bytes(item) for item in value] if isinstance(value, list) else value
