"""A server on this machine that answers at once with what was prepared: DynamoDB, and an issuer's keys.

It keeps connections, as DynamoDB does, and counts what it is asked for: requests, and the read units that DynamoDB
would take for the rows that it answers with.
"""

from __future__ import annotations

import base64
import json
import math
import re
import socketserver
import threading
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from claimsmith.store.attributes import encode_row
from claimsmith.store.item_size import text_size, value_size

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

#: Bytes of one read unit.
_UNIT: Final = 4096


def answer(rows: Sequence[Mapping[str, Any]], operation: str) -> bytes:
    """What DynamoDB says if it finds these rows."""
    items = [encode_row(dict(row)) for row in rows]
    body: dict[str, Any] = {"Items": items, "Count": len(items), "ScannedCount": len(items)}
    if operation == "GetItem":
        body = {"Item": items[0]} if items else {}
    elif operation == "BatchGetItem":
        body = {"Responses": {"claimsmith": items}, "UnprocessedKeys": {}}
    return json.dumps(body, default=lambda value: base64.b64encode(value).decode()).encode()


class Canned:
    """The server.

    Attributes:
        url: where it is.
        requests: how many there were, by operation and first key.
        units: read units of all of them.
    """

    def __init__(self, answers: Mapping[str, bytes], url: str) -> None:
        self.url = url
        self.answers = answers
        self.requests: Counter[str] = Counter()
        self.units = 0.0

    def respond(self, head: bytes, body: bytes) -> bytes:
        """The body of the response."""
        target = re.search(rb"(?i)x-amz-target: \w+\.(\w+)", head)
        if target is None:
            return self.answers["keys"]
        name, asked = target[1].decode(), json.loads(body)
        if name == "GetItem":
            name += f" {asked['Key']['sk']['S'].partition('#')[0]}"
        elif name == "Query":
            name += f" {min(value['S'] for value in asked['ExpressionAttributeValues'].values()).partition('#')[0]}"
        elif (several := f"{name} {_first_sk(asked)}") in self.answers:
            name = several
        self.requests[name] += 1
        found = self.answers[name]
        self.units += _units(name.split()[0], asked, json.loads(found))
        return found


def _first_sk(asked: Mapping[str, Any]) -> str:
    """What is before a ``#`` in the sort key of the first row that a BatchGetItem asks for."""
    [wanted] = asked["RequestItems"].values()
    return str(wanted["Keys"][0].get("sk", {}).get("S", "")).partition("#")[0]


def _units(operation: str, asked: Mapping[str, Any], found: Mapping[str, Any]) -> float:
    """Read units by the published rules: of a Query the sum is rounded up, otherwise each item that is asked for."""
    if operation == "Query":
        return math.ceil(max(1, sum(map(_size, found["Items"]))) / _UNIT) * _factor(asked)
    if operation == "GetItem":
        return math.ceil(max(1, _size(found.get("Item", {}))) / _UNIT) * _factor(asked)
    [(table, wanted)] = asked["RequestItems"].items()
    items = found["Responses"].get(table, [])
    missing = len(wanted["Keys"]) - len(items)
    return (missing + sum(math.ceil(_size(item) / _UNIT) for item in items)) * _factor(wanted)


def _factor(asked: Mapping[str, Any]) -> float:
    return 1.0 if asked.get("ConsistentRead") else 0.5


def _size(item: Mapping[str, Any]) -> int:
    # A document is Base64 here, four characters for three bytes.
    return sum(
        text_size(name) + (len(value["B"]) * 3 // 4 if "B" in value else value_size(value))
        for name, value in item.items()
    )


class _Handler(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True
    server: _Server

    def handle(self) -> None:
        while True:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                line = self.rfile.readline()
                if not line:
                    return
                head += line
            length = re.search(rb"(?i)content-length: (\d+)", head)
            body = self.rfile.read(int(length[1])) if length else b""
            found = self.server.canned.respond(head, body)
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(found), found))


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    canned: Canned


@contextmanager
def serving(answers: Mapping[str, bytes]) -> Iterator[Canned]:
    """The server, as long as it is needed.

    Args:
        answers: bodies, by ``GetItem SK``, ``Query PK`` (what is before a ``#``) and ``BatchGetItem``, or for some
            ``BatchGetItem SK``; ``keys`` for any GET.
    """
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.canned = Canned(answers, f"http://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.canned
        server.shutdown()
        thread.join()
