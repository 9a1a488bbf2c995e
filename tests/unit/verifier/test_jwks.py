"""The key source: what it fetches, how often, and what it does when the host misbehaves."""

from __future__ import annotations

import json
import logging
import socketserver
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from claimsmith.errors import Code, ConfigurationError, VerificationError
from claimsmith.verifier.fetch import MAX_RESPONSE, FetchError, fetch
from claimsmith.verifier.issuers import NotPublishedError
from claimsmith.verifier.jwks import KeySource
from tests.unit.verifier.minting import ISSUER, KID, NOW, UPDATED_ISSUER, Pool, jwk, private_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

#: Seconds that only end a test that would hang.
HANG = 60

OLD, NEW = Pool(), Pool(private_key("second"), "key-2")


class Clock:
    def __init__(self) -> None:
        self.now: float = NOW

    def __call__(self) -> float:
        return self.now


class Host:
    """A key set's host without a network: counts requests, and responds as configured."""

    def __init__(self, *pools: Pool) -> None:
        self.keys = [jwk(pool.key, pool.kid) for pool in pools]
        self.error: Exception | None = None
        self.body: bytes | None = None
        self.requests: list[str] = []

    def __call__(self, uri: str, _timeout: float) -> bytes:
        self.requests.append(uri)
        if self.error is not None:
            raise self.error
        return json.dumps({"keys": self.keys}).encode() if self.body is None else self.body


def source(host: Host, clock: Callable[[], float], **bounds: Any) -> KeySource:  # noqa: ANN401 - bounds of several types
    return KeySource(
        [ISSUER], **{"fetch": host, "clock": clock, "max_age": 100, "max_stale": 1000, "cooldown": 10, **bounds}
    )


def refusal(keys: KeySource, kid: str = KID, issuer: object = ISSUER) -> Code:
    with pytest.raises(VerificationError) as caught:
        keys.find(issuer, kid)
    assert caught.value.stage == "key"
    return caught.value.code


def test_keys_are_fetched_once_and_then_served_from_memory() -> None:
    host, clock = Host(OLD), Clock()
    keys = source(host, clock)
    assert host.requests == [], "nothing is fetched before a token needs it"
    for _ in range(5):
        assert keys.find(ISSUER, KID) == (OLD.key.public_key(),)
    assert host.requests == [f"{ISSUER}/.well-known/jwks.json"]


@pytest.mark.parametrize("issuer", [None, 7, "", ISSUER + "/", ISSUER.upper(), [ISSUER], "https://evil.example"])
def test_an_issuer_that_is_not_allowed_causes_no_request(issuer: object) -> None:
    host = Host(OLD)
    assert refusal(source(host, Clock()), issuer=issuer) == Code.ISSUER_NOT_ALLOWED
    assert host.requests == []


def test_the_updated_issuer_of_an_allowed_pool_has_its_own_key_address() -> None:
    host = Host(OLD)
    assert source(host, Clock()).find(UPDATED_ISSUER, KID)
    assert host.requests == [f"{UPDATED_ISSUER}/.well-known/jwks.json"]


def test_an_issuer_that_the_pool_does_not_use_is_key_not_found_and_causes_few_requests() -> None:
    """Cognito answers 403 for it, and anybody may write it into a token: that must not look like an outage."""
    host, clock = Host(OLD), Clock()
    host.error = NotPublishedError()
    keys, asked = source(host, clock), []
    for second in range(60):
        clock.now = NOW + second
        before = len(host.requests)
        for number in range(5):
            assert refusal(keys, f"made-up-{number}", UPDATED_ISSUER) == Code.KEY_NOT_FOUND
        asked += [second] * (len(host.requests) - before)
    assert asked == [0, 1, 3, 7, 15, 25, 35, 45, 55]
    host.error = None
    assert keys.find(ISSUER, KID), "the listed name goes on"
    clock.now += 10
    assert keys.find(UPDATED_ISSUER, KID), "and so does the other one as soon as the pool uses it"


def test_the_same_answer_for_a_listed_issuer_is_an_outage() -> None:
    host = Host(OLD)
    host.error = NotPublishedError()
    assert refusal(source(host, Clock())) == Code.KEYS_UNAVAILABLE
    both = KeySource([ISSUER, UPDATED_ISSUER], fetch=host, clock=Clock())
    assert refusal(both, issuer=UPDATED_ISSUER) == Code.KEYS_UNAVAILABLE


@pytest.mark.parametrize("error", [TimeoutError(), FetchError("the key set's host answered 500")])
def test_a_failing_host_is_an_outage_for_an_implied_issuer_too(error: Exception) -> None:
    host, clock = Host(OLD), Clock()
    keys = source(host, clock)
    host.error = NotPublishedError()
    assert refusal(keys, issuer=UPDATED_ISSUER) == Code.KEY_NOT_FOUND
    host.error = error
    clock.now += 10
    assert refusal(keys, issuer=UPDATED_ISSUER) == Code.KEYS_UNAVAILABLE, "the last answer counts"


def test_an_implied_issuer_that_works_again_is_used_again() -> None:
    host, clock = Host(OLD), Clock()
    keys = source(host, clock)
    assert keys.find(UPDATED_ISSUER, KID)
    host.error = NotPublishedError()
    assert refusal(keys, "made-up", UPDATED_ISSUER) == Code.KEY_NOT_FOUND
    for age in (0, 99, 100, 999):
        clock.now = NOW + age
        assert keys.find(UPDATED_ISSUER, KID)
    clock.now = NOW + 1000
    assert refusal(keys, issuer=UPDATED_ISSUER) == Code.KEY_NOT_FOUND
    host.error = None
    clock.now += 10
    assert keys.find(UPDATED_ISSUER, KID)


def test_several_pools_do_not_share_keys() -> None:
    second = ISSUER.replace("aBcDeFgHi", "jKlMnOpQr")
    host, keys_of = Host(), {ISSUER: OLD, second: NEW}

    def answer(uri: str, _timeout: float) -> bytes:
        host.requests.append(uri)
        return json.dumps(keys_of[uri.removesuffix("/.well-known/jwks.json")].jwks).encode()

    keys = KeySource([ISSUER, second], fetch=answer, clock=Clock())
    assert keys.find(ISSUER, OLD.kid)
    assert keys.find(second, NEW.kid)
    assert refusal(keys, OLD.kid, second) == Code.KEY_NOT_FOUND


def test_an_old_set_is_fetched_again_and_a_withdrawn_key_is_then_gone() -> None:
    host, clock = Host(OLD), Clock()
    keys = source(host, clock)
    keys.find(ISSUER, KID)
    host.keys = [jwk(NEW.key, NEW.kid)]
    clock.now += 99
    assert keys.find(ISSUER, KID)
    clock.now += 1
    assert refusal(keys, KID) == Code.KEY_NOT_FOUND
    assert len(host.requests) == 2, "the set had just come: the unknown id was no reason to fetch it once more"


def test_a_clock_that_goes_backwards_makes_a_set_old_and_not_eternal() -> None:
    host, clock = Host(OLD), Clock()
    keys = source(host, clock)
    keys.find(ISSUER, KID)
    clock.now -= 5000
    assert keys.find(ISSUER, KID)
    assert len(host.requests) == 2


def test_a_new_key_is_found_at_once() -> None:
    host, clock = Host(OLD), Clock()
    keys = source(host, clock)
    keys.find(ISSUER, KID)
    host.keys.append(jwk(NEW.key, NEW.kid))
    assert keys.find(ISSUER, NEW.kid)
    assert len(host.requests) == 2


def test_any_number_of_made_up_key_ids_causes_few_requests() -> None:
    host, clock = Host(OLD), Clock()
    keys = source(host, clock, burst=2)
    for index in range(500):
        assert refusal(keys, f"made-up-{index}") == Code.KEY_NOT_FOUND
    assert len(host.requests) == 1 + 2
    for _ in range(20):
        clock.now += 5
        keys.find(ISSUER, KID)
        refusal(keys, "made-up")
    assert len(host.requests) <= 1 + 2 + 11, "one for each cool-down of 10 seconds, and one for the set's age"


def test_one_made_up_key_id_does_not_hide_a_rotation() -> None:
    host, clock = Host(OLD), Clock()
    keys = source(host, clock)
    keys.find(ISSUER, KID)
    refusal(keys, "made-up")
    host.keys.append(jwk(NEW.key, NEW.kid))
    assert keys.find(ISSUER, NEW.kid)


def test_under_a_flood_of_made_up_ids_a_rotation_is_seen_within_the_cooldown() -> None:
    host, clock = Host(OLD), Clock()
    keys = source(host, clock)
    for _ in range(50):
        refusal(keys, "made-up")
    host.keys.append(jwk(NEW.key, NEW.kid))
    clock.now += 10
    assert keys.find(ISSUER, NEW.kid)


def test_a_failing_host_gets_fewer_and_fewer_requests() -> None:
    host, clock = Host(), Clock()
    host.error = ConnectionRefusedError()
    keys = source(host, clock)
    asked = []
    for second in range(60):
        clock.now = NOW + second
        before = len(host.requests)
        assert refusal(keys) == Code.KEYS_UNAVAILABLE
        if len(host.requests) > before:
            asked.append(second)
    assert asked == [0, 1, 3, 7, 15, 25, 35, 45, 55]


def test_a_host_that_fails_once_is_no_outage() -> None:
    host, clock = Host(OLD), Clock()
    host.error = TimeoutError()
    keys = source(host, clock)
    assert refusal(keys) == Code.KEYS_UNAVAILABLE
    host.error = None
    clock.now += 1
    assert keys.find(ISSUER, KID)


def test_while_the_host_fails_known_keys_are_used_until_they_are_too_old() -> None:
    host, clock = Host(OLD), Clock()
    keys = source(host, clock)
    keys.find(ISSUER, KID)
    host.error = TimeoutError()
    clock.now += 999
    assert keys.find(ISSUER, KID)
    assert refusal(keys, "unknown") == Code.KEYS_UNAVAILABLE, "it might exist by now: that cannot be known"
    clock.now += 1
    assert refusal(keys) == Code.KEYS_UNAVAILABLE


@pytest.mark.parametrize(
    "body", [b"", b"garbage", b"[]", b"{}", b'{"keys": []}', b'{"keys": [{"kty": "EC"}]}', b'{"keys": [1]}', b"\xff"]
)
def test_an_answer_without_a_usable_key_is_a_failure_and_does_not_replace_a_set(body: bytes) -> None:
    host, clock = Host(OLD), Clock()
    keys = source(host, clock)
    keys.find(ISSUER, KID)
    host.body = body
    clock.now += 100
    assert keys.find(ISSUER, KID), "the old set serves"
    assert refusal(source(host, clock)) == Code.KEYS_UNAVAILABLE


def test_an_unusable_key_of_an_old_set_is_looked_up_again() -> None:
    host, clock = Host(OLD), Clock()
    host.keys.append(jwk(NEW.key, NEW.kid, use="enc"))
    keys = source(host, clock)
    assert refusal(keys, NEW.kid) == Code.KEY_UNUSABLE
    host.keys[1]["use"] = "sig"
    clock.now += 100
    assert keys.find(ISSUER, NEW.kid)


def test_preloaded_keys_need_no_request_until_they_are_old() -> None:
    host, clock = Host(OLD), Clock()
    keys = source(host, clock, preloaded={ISSUER: OLD.jwks})
    assert keys.find(ISSUER, KID)
    assert keys.find(UPDATED_ISSUER, KID), "the same pool"
    assert host.requests == []
    clock.now += 100
    assert keys.find(ISSUER, KID)
    assert len(host.requests) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        {"preloaded": {"https://other.example": OLD.jwks}},
        {"preloaded": {ISSUER: {"keys": []}}},
        {"preloaded": {ISSUER: {}}},
        {"clock": None},
        {"fetch": None},
    ],
)
def test_a_source_that_cannot_work_is_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        KeySource(**{"issuers": [ISSUER], "fetch": Host(OLD), "clock": Clock(), **arguments})


@pytest.mark.parametrize(
    ("bound", "least", "most"),
    [
        ("max_age", 1, 1000),
        ("max_stale", 100, 604_800),
        ("timeout", 0.001, 60),
        ("cooldown", 1, 3600),
        ("burst", 1, 100),
    ],
)
def test_a_bound_out_of_range_is_refused(bound: str, least: float, most: float) -> None:
    for good in (least, most):
        source(Host(OLD), Clock(), **{bound: good})
    for bad in (0, -1, least / 2, most + 1, 1e300, float("inf"), float("-inf"), float("nan"), True, None, str(least)):
        with pytest.raises(ConfigurationError, match="must be a number from"):
            source(Host(OLD), Clock(), **{bound: bad})


def test_a_failure_is_logged_with_its_kind_and_nothing_from_a_token(caplog: pytest.LogCaptureFixture) -> None:
    host = Host()
    host.error = ConnectionRefusedError("secret detail")
    with caplog.at_level(logging.DEBUG):
        refusal(source(host, Clock()), "kid-of-the-token")
    assert "ConnectionRefusedError" in caplog.text
    assert "kid-of-the-token" not in caplog.text
    assert "secret detail" not in caplog.text


def test_a_failure_that_anybody_can_cause_is_not_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    host = Host()
    host.error = NotPublishedError()
    with caplog.at_level(logging.INFO):
        refusal(source(host, Clock()), issuer=UPDATED_ISSUER)
        refusal(source(host, Clock()))
    assert [record.levelname for record in caplog.records] == ["INFO", "WARNING"]


@pytest.mark.parametrize("error", [None, ConnectionResetError()])
def test_a_delayed_lookup_does_not_repeat_a_request_that_ended_meanwhile(
    error: Exception | None,
) -> None:
    """Between two steps of a thread others do any number of theirs: here, right after it has read the clock."""
    host, hand = Host(OLD), Clock()
    host.error = error
    meanwhile: list[Callable[[], object]] = []

    def clock() -> float:
        now = hand.now
        if meanwhile:
            hand.now += 0.5
            with suppress(VerificationError):
                meanwhile.pop()()
        return now

    keys = source(host, clock)
    meanwhile.append(lambda: keys.find(ISSUER, KID))
    with suppress(VerificationError):
        keys.find(ISSUER, KID)
    assert not meanwhile
    assert len(host.requests) == 1


def test_many_threads_cause_one_request_and_all_get_the_key() -> None:
    host, entered, go = Host(OLD), threading.Event(), threading.Event()

    def slow(uri: str, timeout: float) -> bytes:
        entered.set()
        assert go.wait(HANG)
        return host(uri, timeout)

    keys = KeySource([ISSUER], fetch=slow, clock=Clock())
    with ThreadPoolExecutor(32) as threads:
        found = [threads.submit(keys.find, ISSUER, KID) for _ in range(32)]
        assert entered.wait(HANG)
        go.set()
        assert [future.result() for future in found] == [(OLD.key.public_key(),)] * 32
    assert len(host.requests) == 1


def test_while_one_thread_renews_an_old_set_the_others_do_not_wait() -> None:
    host, clock, entered, go = Host(OLD), Clock(), threading.Event(), threading.Event()

    def slow(uri: str, timeout: float) -> bytes:
        if host.requests:
            entered.set()
            assert go.wait(HANG)
        return host(uri, timeout)

    keys = source(host, clock, fetch=slow)
    keys.find(ISSUER, KID)
    clock.now += 100
    with ThreadPoolExecutor(1) as threads:
        renewing = threads.submit(keys.find, ISSUER, KID)
        assert entered.wait(HANG)
        assert keys.find(ISSUER, KID), "served from the old set although the request has not ended"
        assert not renewing.done()
        go.set()
        assert renewing.result()


def test_a_fetcher_that_never_returns_is_abandoned_and_its_late_answer_ignored() -> None:
    go, host, clock = threading.Event(), Host(OLD), Clock()
    hanging: list[threading.Thread] = []

    def hangs_once(uri: str, timeout: float) -> bytes:
        if not hanging:
            hanging.append(threading.current_thread())
            assert go.wait(HANG)
            return json.dumps(NEW.jwks).encode()
        return host(uri, timeout)

    keys = source(host, clock, fetch=hangs_once, timeout=0.1)
    assert refusal(keys) == Code.KEYS_UNAVAILABLE

    def found_in_the_end() -> Any:  # noqa: ANN401 - as ``find``
        """A busy machine may not even start the thread of a request in a tenth of a second; then it is given up too."""
        while True:
            clock.now += 10
            try:
                return keys.find(ISSUER, KID)
            except VerificationError as error:
                assert error.code == Code.KEYS_UNAVAILABLE  # noqa: PT017 - until it is found

    assert found_in_the_end()
    go.set()
    hanging[0].join(HANG)
    assert keys.find(ISSUER, KID) == (OLD.key.public_key(),)


class Server(socketserver.ThreadingTCPServer):
    """A loopback server that reads a request and answers whatever a function writes."""

    allow_reuse_address = True
    daemon_threads = True
    answer: Callable[[Any], None]

    def __init__(self, answer: Callable[[Any], None], tls: ssl.SSLContext | None = None) -> None:
        self.answer = answer
        self.tls = tls
        self.requests: list[bytes] = []
        super().__init__(("127.0.0.1", 0), Handler)

    def get_request(self) -> tuple[Any, Any]:
        connection, address = super().get_request()
        return connection if self.tls is None else self.tls.wrap_socket(connection, server_side=True), address

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/jwks.json"


class Handler(socketserver.StreamRequestHandler):
    server: Server

    def handle(self) -> None:
        head = b""
        while line := self.rfile.readline().strip():
            head += line + b"\n"
        self.server.requests.append(head)
        try:
            self.server.answer(self.wfile)
        except OSError:
            return  # the client gave up, as it should


@contextmanager
def serving(answer: Callable[[Any], None], tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    with Server(answer, tls) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join(HANG)


def http(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    head = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers])
    return head.encode() + b"\r\n\r\n" + body


def writing(octets: bytes) -> Callable[[Any], None]:
    return lambda out: out.write(octets)


BODY = json.dumps(OLD.jwks).encode()


def test_a_key_set_is_fetched_over_a_real_connection() -> None:
    with serving(writing(http(BODY))) as server:
        keys = KeySource([(ISSUER, server.uri)])
        assert keys.find(ISSUER, KID)
        assert keys.find(ISSUER, KID)
        (request,) = server.requests
    assert request.startswith(b"GET /jwks.json HTTP/1.1\n")
    assert f"Host: {server.uri.split('/')[2]}".encode() in request
    assert b"Authorization" not in request


def test_a_chunked_answer_and_one_ended_by_closing_are_read_too() -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)
    for octets in (chunked, b"HTTP/1.0 200 OK\r\n\r\n" + BODY):
        with serving(writing(octets)) as server:
            assert fetch(server.uri, HANG) == BODY


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"])
def test_a_redirect_is_not_followed(status: str) -> None:
    with serving(writing(http(BODY))) as elsewhere:
        location = f"Location: {elsewhere.uri}"
        with serving(writing(http(BODY, status, location))) as server:
            assert refusal(KeySource([(ISSUER, server.uri)])) == Code.KEYS_UNAVAILABLE
            assert len(server.requests) == 1
        assert elsewhere.requests == []


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\x16\x03\x01\x02\x00",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        http(BODY, "403 Forbidden"),
        http(BODY, "500 Internal Server Error"),
        http(BODY, "204 No Content"),
        http(BODY[:-10]),
        b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n" + BODY,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 300 + b"\r\n" + BODY,
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 80_000 + b"\r\n\r\n" + BODY,
        http(b" " * MAX_RESPONSE + BODY),
        b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 2_000_000,
    ],
)
def test_garbage_errors_and_huge_answers_are_not_key_sets(octets: bytes) -> None:
    with serving(writing(octets)) as server:
        assert refusal(KeySource([(ISSUER, server.uri)])) == Code.KEYS_UNAVAILABLE
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("400 Bad Request", Code.KEY_NOT_FOUND),
        ("403 Forbidden", Code.KEY_NOT_FOUND),
        ("404 Not Found", Code.KEY_NOT_FOUND),
        ("410 Gone", Code.KEY_NOT_FOUND),
        ("204 No Content", Code.KEYS_UNAVAILABLE),
        ("302 Found", Code.KEYS_UNAVAILABLE),
        ("408 Request Timeout", Code.KEYS_UNAVAILABLE),
        ("425 Too Early", Code.KEYS_UNAVAILABLE),
        ("429 Too Many Requests", Code.KEYS_UNAVAILABLE),
        ("500 Internal Server Error", Code.KEYS_UNAVAILABLE),
        ("503 Service Unavailable", Code.KEYS_UNAVAILABLE),
    ],
)
def test_only_a_not_found_answer_is_key_not_found(status: str, code: Code) -> None:
    with serving(writing(http(BODY, status))) as server:
        keys = KeySource([(ISSUER, server.uri)])
        assert refusal(keys, issuer=UPDATED_ISSUER) == code
        assert refusal(keys) == Code.KEYS_UNAVAILABLE


def trickling(octets: bytes, pause: float) -> Callable[[Any], None]:
    def write(out: Any) -> None:  # noqa: ANN401 - a socket file
        for index in range(min(len(octets), 200)):
            out.write(octets[index : index + 1])
            time.sleep(pause)

    return write


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"])
def test_a_host_that_sends_a_byte_now_and_then_does_not_extend_the_deadline(head: bytes) -> None:
    """Every byte comes well within a socket's time-out; the whole answer would take 20 seconds."""

    def answer(out: Any) -> None:  # noqa: ANN401 - a socket file
        out.write(head)
        trickling(http(BODY), 0.1)(out)

    with serving(answer) as server, pytest.raises(OSError, match=r"in time|timed out"):
        fetch(server.uri, 0.5)


def test_a_silent_host_times_out() -> None:
    silence = threading.Event()

    def wait(_out: object) -> None:
        silence.wait()

    with serving(wait) as server:
        try:
            with pytest.raises(OSError, match=r"in time|timed out"):
                fetch(server.uri, 0.2)
        finally:
            silence.set()


def test_a_closed_port_is_an_error_and_not_a_hang() -> None:
    with serving(writing(b"")) as server:
        uri = server.uri
    with pytest.raises(OSError, match="refused"):
        fetch(uri, HANG)


def test_without_tls_only_this_machine_is_contacted() -> None:
    with pytest.raises(FetchError):
        fetch("http://0.0.0.0:9/jwks.json", 5)


def self_signed(folder: Path) -> ssl.SSLContext:
    """A server's context with a certificate for this machine that nobody vouches for."""
    key = private_key("tls")
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    begin = datetime.now(UTC) - timedelta(days=1)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=9))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    pem = folder / "server.pem"
    pem.write_bytes(private + certificate.public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


def test_an_untrusted_certificate_is_refused(tmp_path: Path) -> None:
    with serving(writing(http(BODY)), self_signed(tmp_path)) as server:
        with pytest.raises(ssl.SSLCertVerificationError):
            fetch(server.uri.replace("http:", "https:"), HANG)
        assert server.requests == []
