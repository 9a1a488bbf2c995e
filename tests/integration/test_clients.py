"""Both clients of the token path, ``store.wire`` and botocore, make the same of whatever comes back."""

from __future__ import annotations

import json
import logging
import re
import ssl
import threading
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING
from zlib import crc32

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from claimsmith.errors import Code, StoreError
from claimsmith.store import connection
from claimsmith.store.attributes import encode_row
from claimsmith.store.connection import Endpoint
from claimsmith.store.failures import InvalidRequestError
from claimsmith.store.reads import Patience
from claimsmith.store.roots import AMAZON_ROOTS
from claimsmith.store.wire import WireTable
from lambdas.rows import open_table
from tests.conftest import REGION, TABLE
from tests.integration.clients import CLIENTS, INVENTED, OPENED, UNHURRIED, close_all, made
from tests.integration.dynamodb_server import GARBAGE
from tests.integration.scripted_server import HANG_UP, RESET, STALL, ScriptedServer, answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from claimsmith.store.reads import ReadableTable
    from tests.integration.clients import Which


#: For faults that nobody notices but by waiting; it cannot come too early, because the server never says anything.
HASTY = Patience(0.1, 0.1, 2)


@pytest.fixture(autouse=True)
def no_connection_is_left() -> Iterator[None]:
    yield
    close_all()


def row(text: str = "x") -> bytes:
    return json.dumps({"Item": encode_row({"pk": "P", "sk": "1", "text": text})}).encode()


def error(code: str, message: str = "no") -> bytes:
    return json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": message}).encode()


def refused(code: str, message: str = "no", status: str = "400 Bad Request") -> bytes:
    return answer(error(code, message), status=status)


GOOD = answer(row(), f"x-amz-crc32: {crc32(row())}")
OTHER_KEYS = "The provided key element does not match the schema"

#: What the server does with a request -> the code, and how many requests it takes until that is known. Of a response
#: that is cut, botocore does not ask for another.
FAULTS: dict[str, tuple[bytes, Code, int]] = {
    "hung up on": (HANG_UP, Code.AWS_UNREACHABLE, 2),
    "reset": (RESET, Code.AWS_UNREACHABLE, 2),
    "cut in the body": (answer(row()[:20], length=len(row())), Code.AWS_UNREACHABLE, 2),
    "cut in the head": (b"HTTP/1.1 200 OK\r\nContent-Le", Code.AWS_UNREACHABLE, 2),
    "longer than it says": (answer(row(), length=len(row()) - 2), Code.AWS_UNREACHABLE, 1),
    "no HTTP": (b"220 mail.example ESMTP\r\n\r\n", Code.AWS_UNREACHABLE, 2),
    "HTML": (answer(GARBAGE, "Content-Type: text/html"), Code.AWS_UNREACHABLE, 1),
    "no JSON object": (answer(b'[{"Item": 1}]'), Code.AWS_UNREACHABLE, 1),
    "no UTF-8": (answer(b'{"Item": {"pk": {"S": "\xff"}}}'), Code.AWS_UNREACHABLE, 1),
    "too deep": (answer(b'{"Item":' * 100_000 + b"1" + b"}" * 100_000), Code.AWS_UNREACHABLE, 1),
    "an empty body": (answer(b""), Code.AWS_UNREACHABLE, 1),
    "an empty object": (answer(b"{}"), Code.AWS_UNREACHABLE, 1),
    "another row": (answer(row().replace(b'"P"', b'"Q"')), Code.AWS_UNREACHABLE, 1),
    "a redirect": (answer(b"", "Location: http://127.0.0.1:9/", status="302 Found"), Code.AWS_UNREACHABLE, 1),
    "a permanent redirect": (
        answer(b"{}", "Location: http://127.0.0.1:9/", status="308 Permanent Redirect"),
        Code.AWS_UNREACHABLE,
        1,
    ),
    "4xx without a body": (answer(b"", status="403 Forbidden"), Code.AWS_UNREACHABLE, 1),
    "4xx with HTML": (answer(GARBAGE, status="407 Proxy Authentication Required"), Code.AWS_UNREACHABLE, 1),
    "5xx without a body": (answer(b"", status="503 Service Unavailable"), Code.AWS_UNREACHABLE, 2),
    "5xx with HTML": (answer(GARBAGE, status="502 Bad Gateway"), Code.AWS_UNREACHABLE, 2),
    "5xx with a code": (refused("InternalServerError", status="500 Oops"), Code.AWS_UNREACHABLE, 2),
    "throttled": (refused("ProvisionedThroughputExceededException"), Code.AWS_UNREACHABLE, 2),
    "an unknown code": (refused("NewException"), Code.AWS_UNREACHABLE, 1),
    "no table": (refused("ResourceNotFoundException"), Code.TABLE_MISSING, 1),
    "denied": (refused("AccessDeniedException"), Code.ACCESS_DENIED, 1),
    "no such key": (refused("UnrecognizedClientException"), Code.ACCESS_DENIED, 1),
    "expired": (refused("ExpiredTokenException"), Code.ACCESS_DENIED, 1),
    "no valid request": (refused("ValidationException"), Code.AWS_UNREACHABLE, 1),
    "other keys": (refused("ValidationException", OTHER_KEYS), Code.TABLE_KEYS, 1),
}


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        yield running


@pytest.fixture(scope="module")
def by_botocore(server: ScriptedServer, aws_environment: dict[str, str]) -> ReadableTable:
    """Made once because making one is slow."""
    assert aws_environment
    return made("botocore", f"http://127.0.0.1:{server.port}")


@pytest.fixture(params=CLIENTS)
def which(request: pytest.FixtureRequest) -> Which:
    chosen: Which = request.param
    return chosen


@pytest.fixture
def table(server: ScriptedServer, by_botocore: ReadableTable, which: Which) -> ReadableTable:
    return by_botocore if which == "botocore" else made("wire", f"http://127.0.0.1:{server.port}")


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_has_the_same_verdict_and_the_next_request_succeeds(
    server: ScriptedServer, table: ReadableTable, fault: str, which: Which
) -> None:
    given, code, requests = FAULTS[fault]
    server.requests.clear()
    server.respond = lambda _number, _request: given
    with pytest.raises(StoreError) as raised:
        table.get("P", "1")
    assert raised.value.code == code
    assert len(server.requests) == (1 if which == "botocore" and fault.startswith("cut") else requests)
    assert isinstance(raised.value, InvalidRequestError) == ("ValidationException" in str(given))
    assert "sign in" not in raised.value.message
    server.respond = lambda _number, _request: GOOD
    assert table.get("P", "1") == {"pk": "P", "sk": "1", "text": "x"}


@pytest.mark.parametrize("given", [HANG_UP, refused("ThrottlingException"), answer(b"", status="429 Too Many")])
def test_what_passes_by_itself_is_asked_once_more(server: ScriptedServer, table: ReadableTable, given: bytes) -> None:
    server.requests.clear()
    server.respond = lambda number, _request: given if number == 1 else GOOD
    assert table.get("P", "1") is not None
    assert len(server.requests) == 2


@pytest.mark.parametrize("where", ["response", "handshake", "connection"])
def test_who_waits_in_vain_stops_waiting(which: Which, where: str) -> None:
    with ScriptedServer(lambda _number, _request: STALL, handshake=where != "handshake") as server:
        scheme = "http" if where == "response" else "https"
        table = made(which, f"{scheme}://127.0.0.1:{server.port}", HASTY)
        if where == "connection":
            server.stop()
        with pytest.raises(StoreError, match="does not respond") as raised:
            table.get("P", "1")
        assert raised.value.code is Code.AWS_UNREACHABLE
        assert server.connections == (0 if where == "connection" else 2)


#: Names and values that a client could take for something of DynamoDB's own.
ODD = {"s": '\u00e4\u2028"\\ {"B": "x"}', "n": -1.5, "big": 10**30, "b": b"\x00\xff", "yes": True, "none": None}
ROWS = [
    {
        "pk": "P",
        "sk": sk,
        "l": [ODD, [b""]],
        "m": {"B": b"x", "BS": {"BS": "S"}, "Item": 0},
        "B": {"B": {"B": b""}},
        "ss": frozenset("ab"),
        "bs": frozenset((b"a", b"\xff")),
        "ns": frozenset((1, 2.5)),
    }
    for sk in "012"
]


def test_rows_are_read_alike_whatever_they_hold(server: ScriptedServer, table: ReadableTable) -> None:
    items = [encode_row(row) for row in ROWS]
    responses = {
        b"GetItem": {"Item": items[0]},
        b"Query": {"Items": items, "Count": 3, "ScannedCount": 3},
        b"BatchGetItem": {"Responses": {TABLE: items}, "UnprocessedKeys": {}},
    }

    def respond(_number: int, request: bytes) -> bytes:
        operation = re.search(rb"\.(\w+)\r\n", request[request.index(b"DynamoDB_20120810") :])
        assert operation
        return answer(json.dumps(responses[operation[1]], default=lambda octets: b64encode(octets).decode()).encode())

    server.respond = respond
    assert table.get("P", "0") == ROWS[0]
    assert table.query("P") == ROWS
    assert table.batch_get([("P", sk) for sk in "0123"]) == ROWS


# ``store.wire`` is stricter than botocore, which takes a second wrong checksum and leaves out what is not Base64.


@pytest.mark.parametrize(
    ("given", "requests"),
    [
        (answer(row(), "x-amz-crc32: 1"), 2),
        (answer(row(), "x-amz-crc32: none"), 2),
        (answer(b'{"Item": {"pk": {"S": "P"}, "sk": {"S": "1"}, "b": {"B": "?"}}}'), 1),
        (answer(b'{"Item": {"pk": {"S": "P"}, "sk": {"S": "1"}, "b": {"BS": "Lg=="}}}'), 1),
    ],
)
def test_what_is_damaged_is_not_read(fresh: ScriptedServer, given: bytes, requests: int) -> None:
    fresh.respond = lambda _number, _request: given
    with pytest.raises(StoreError) as raised:
        made("wire", f"http://127.0.0.1:{fresh.port}").get("P", "1")
    assert raised.value.code is Code.AWS_UNREACHABLE
    assert len(fresh.requests) == requests


# Connections of ``store.wire``.


@pytest.fixture
def fresh() -> Iterator[ScriptedServer]:
    with ScriptedServer(lambda _number, _request: GOOD) as running:
        yield running


def test_a_connection_is_kept(fresh: ScriptedServer) -> None:
    table = made("wire", f"http://127.0.0.1:{fresh.port}")
    for _ in range(3):
        table.get("P", "1")
    assert fresh.connections == 1


def test_a_connection_that_the_server_has_closed_is_opened_again_without_a_retry(fresh: ScriptedServer) -> None:
    fresh.closing = True
    table = made("wire", f"http://127.0.0.1:{fresh.port}", UNHURRIED._replace(attempts=1))
    for _ in range(3):
        assert table.get("P", "1") is not None
    assert fresh.connections == 3


def test_after_a_failure_the_second_attempt_has_a_connection_of_its_own(fresh: ScriptedServer) -> None:
    both = threading.Barrier(2)

    def respond(number: int, _request: bytes) -> bytes:
        if number <= 2:
            both.wait(60)
        return b"no HTTP\r\n\r\n" if number == 3 else GOOD

    fresh.respond = respond
    table = made("wire", f"http://127.0.0.1:{fresh.port}")
    with ThreadPoolExecutor(2) as pool:
        assert all(pool.map(lambda _: table.get("P", "1"), range(2)))
    assert table.get("P", "1") is not None
    assert (fresh.connections, len(fresh.requests)) == (3, 4)


@pytest.mark.parametrize("closes", ["Connection: close", "HTTP/1.0"])
def test_a_connection_that_the_server_will_close_is_not_kept(fresh: ScriptedServer, closes: str) -> None:
    said = answer(row(), closes) if ":" in closes else GOOD.replace(b"HTTP/1.1", b"HTTP/1.0")
    fresh.respond = lambda _number, _request: said
    table = made("wire", f"http://127.0.0.1:{fresh.port}")
    table.get("P", "1")
    table.get("P", "1")
    assert fresh.connections == 2


def test_a_body_in_chunks_is_read(fresh: ScriptedServer) -> None:
    first, rest = row()[:7], row()[7:]
    chunks = b"%x;part=1\r\n%b\r\n%x\r\n%b\r\n0\r\nTrailer: x\r\n\r\n" % (len(first), first, len(rest), rest)
    fresh.respond = lambda _number, _request: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks
    for which in CLIENTS:
        assert made(which, f"http://127.0.0.1:{fresh.port}").get("P", "1") is not None


@pytest.mark.parametrize("head", ["x: y\r\n" * 200, f"x: {'y' * 100_000}\r\n", "Content-Length: 99999999999\r\n", ""])
def test_a_response_without_bounds_is_not_read(fresh: ScriptedServer, head: str) -> None:
    fresh.respond = lambda _number, _request: f"HTTP/1.1 200 OK\r\n{head}\r\n".encode()
    with pytest.raises(StoreError, match="BrokenResponseError"):
        made("wire", f"http://127.0.0.1:{fresh.port}").get("P", "1")


def test_threads_do_not_read_each_others_responses(fresh: ScriptedServer) -> None:
    def respond(_number: int, request: bytes) -> bytes:
        key = json.loads(request.partition(b"\r\n\r\n")[2])["Key"]
        return answer(json.dumps({"Item": {**key, "text": {"S": key["sk"]["S"]}}}).encode())

    fresh.respond = respond
    table = made("wire", f"http://127.0.0.1:{fresh.port}")
    together = threading.Barrier(8)

    def work(worker: int) -> bool:
        together.wait(60)
        return all((table.get("P", sk) or {})["text"] == sk for sk in (f"{worker}-{number}" for number in range(25)))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(8)))
    assert len(fresh.requests) == 200
    assert fresh.connections <= 8


def test_credentials_may_change_while_the_process_lives(fresh: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{fresh.port}")
    opened = open_table(TABLE)
    assert opened.why is None
    assert isinstance(opened.table, WireTable)
    OPENED.append(opened.table)
    opened.table.get("P", "1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "another")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "for a while")
    opened.table.get("P", "1")
    first, second = fresh.requests
    assert b"Credential=invented/" in first
    assert b"x-amz-security-token" not in first
    assert b"Credential=another/" in second
    assert b"x-amz-security-token: for a while\r\n" in second
    assert fresh.connections == 1


# TLS.


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate that vouches for 127.0.0.1 and for itself."""
    name, key = (
        x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "here")]),
        ec.generate_private_key(ec.SECP256R1()),
    )
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "here.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(private + signed.public_bytes(Encoding.PEM))
    return path


@pytest.fixture
def secured(certified: Path) -> Iterator[ScriptedServer]:
    speaks = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    speaks.load_cert_chain(certified)
    with ScriptedServer(lambda _number, _request: GOOD, tls=speaks) as running:
        yield running


def amazon_only() -> ssl.SSLContext:
    return ssl.create_default_context(cadata=AMAZON_ROOTS)


def test_a_server_whom_nobody_vouches_for_is_told_nothing(secured: ScriptedServer, which: Which) -> None:
    with pytest.raises(StoreError, match="SSL"):
        made(which, f"https://127.0.0.1:{secured.port}").get("P", "1")
    assert secured.requests == []


def test_a_server_with_another_name_is_told_nothing(secured: ScriptedServer, certified: Path) -> None:
    trust = ssl.create_default_context(cafile=str(certified))
    endpoint = Endpoint("localhost", secured.port, tls=True)
    with pytest.raises(StoreError, match="SSL"):
        WireTable(TABLE, endpoint, REGION, lambda: INVENTED, patience=UNHURRIED, trust=trust).get("P", "1")
    assert secured.requests == []


def test_a_trusted_server_is_asked_over_one_connection(secured: ScriptedServer, certified: Path) -> None:
    trust = ssl.create_default_context(cafile=str(certified))
    table = made("wire", f"https://127.0.0.1:{secured.port}", trust=trust)
    assert table.get("P", "1") is not None
    assert table.get("P", "1") is not None
    assert secured.connections == 1


def test_whom_amazon_does_not_vouch_for_botocores_authorities_may_and_that_is_logged_once(
    secured: ScriptedServer, certified: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(connection, "every_root", lambda: str(certified))
    secured.closing = True
    table = made("wire", f"https://127.0.0.1:{secured.port}", trust=amazon_only())
    with caplog.at_level(logging.WARNING):
        assert table.get("P", "1") is not None
        assert table.get("P", "1") is not None
    assert [record.message.partition(" (")[0] for record in caplog.records] == [
        "Amazon's authorities do not vouch for 127.0.0.1"
    ]


def test_where_nobody_vouches_for_the_server_all_authorities_are_asked_once(
    secured: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def every_root(found: Callable[[], str] = connection.every_root) -> str:
        asked.append(found())
        return asked[-1]

    monkeypatch.setattr(connection, "every_root", every_root)
    table = made("wire", f"https://127.0.0.1:{secured.port}", trust=amazon_only())
    for _ in range(2):
        with pytest.raises(StoreError, match="SSLCertVerificationError"):
            table.get("P", "1")
    assert len(asked) == 1
    assert secured.requests == []
