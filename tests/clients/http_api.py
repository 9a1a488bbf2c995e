"""A Lambda function behind an HTTP API, on loopback: ``python -m tests.clients.http_api MODULE``.

Requests become events of payload format 2.0, and the function's answers become responses:
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
The first line on standard output is the port; those after it are the function's log.
"""

from __future__ import annotations

import base64
import importlib
import subprocess
import sys
import uuid
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar, Final

from tests.clients.node import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

#: Seconds for which a connection may be idle.
_IDLE_SECONDS: Final = 30


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, handler: Callable[[dict[str, Any], object], dict[str, Any]]) -> None:
        super().__init__(("127.0.0.1", 0), _Requests)
        self.handler = handler


class _Requests(BaseHTTPRequestHandler):
    timeout: ClassVar[int] = _IDLE_SECONDS
    server: _Server

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): ",".join(self.headers.get_all(name, [])) for name in self.headers}
        event = {
            "version": "2.0",
            "rawPath": path,
            "rawQueryString": query,
            "headers": headers,
            "requestContext": {
                "http": {"method": self.command, "path": path, "protocol": self.protocol_version},
                "domainName": headers.get("host", ""),
                "requestId": str(uuid.uuid4()),
                "stage": "$default",
            },
            "body": base64.b64encode(body).decode(),
            "isBase64Encoded": True,
        }
        context = SimpleNamespace(aws_request_id=str(uuid.uuid4()), get_remaining_time_in_millis=lambda: 60_000)
        answer = self.server.handler(event, context)
        content = answer["body"].encode()
        self.send_response(answer["statusCode"])
        for name, value in {**answer["headers"], "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *_arguments: object) -> None:  # noqa: A002 - the name of the base class
        """Write no log: it would be among that of the function."""


@contextmanager
def serving(module: str, environment: Mapping[str, str]) -> Iterator[str]:
    """The address of a function's API, in a process of its own, until the block ends."""
    command = [sys.executable, "-m", "tests.clients.http_api", module]
    with subprocess.Popen(command, cwd=ROOT, env=dict(environment), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            port = process.stdout.readline().strip()
            assert port.isdigit(), "the function did not start"
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.communicate()


if __name__ == "__main__":
    handler = importlib.import_module(sys.argv[1]).handler
    with _Server(handler) as running:
        print(running.server_port, flush=True)  # noqa: T201 - the caller reads it
        running.serve_forever()
