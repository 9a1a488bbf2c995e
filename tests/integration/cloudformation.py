"""What a custom resource knows of CloudFormation, on loopback: where it waits for answers, and how a stack is."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_STACKS = (
    '<DescribeStacksResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><DescribeStacksResult><Stacks>'
    "<member><StackName>Shop</StackName><CreationTime>2027-01-01T00:00:00Z</CreationTime><StackStatus>{status}"
    "</StackStatus></member></Stacks></DescribeStacksResult></DescribeStacksResponse>"
)


class CloudFormation(NamedTuple):
    """Where it is.

    Attributes:
        url: the address, of its API and for answers.
        answers: what custom resources put there.
    """

    url: str
    answers: list[dict[str, Any]]


@contextmanager
def cloudformation(status: str = "UPDATE_IN_PROGRESS") -> Iterator[CloudFormation]:
    """One whose stack has this status."""
    answers: list[dict[str, Any]] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            answers.append(json.loads(self._body()))
            self._answer(b"")

        def do_POST(self) -> None:
            assert b"Action=DescribeStacks" in self._body()
            self._answer(_STACKS.format(status=status).encode())

        def _body(self) -> bytes:
            return self.rfile.read(int(self.headers["Content-Length"]))

        def _answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Receiver) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield CloudFormation(f"http://127.0.0.1:{server.server_port}/", answers)
        server.shutdown()
        thread.join()
