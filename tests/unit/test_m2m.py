"""Machine tokens against a token endpoint on loopback."""

from __future__ import annotations

import json
from base64 import b64decode
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest

from claimsmith.errors import Code, ConfigurationError
from claimsmith.m2m import MachineTokenError, MachineTokens

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Seconds. A wait that takes this long has failed.
LONG = 60.0


class Endpoint:
    """A token endpoint.

    Attributes:
        requests: the form and the headers of each request.
        answers: status and body of the next responses; afterwards a new token for an hour each time.
        arrived: set when a request has come.
        go_on: a request waits for it.
    """

    def __init__(self) -> None:
        self.requests: list[tuple[dict[str, list[str]], dict[str, str]]] = []
        self.answers: list[tuple[int, bytes, dict[str, str]]] = []
        self.arrived, self.go_on = Event(), Event()
        self.go_on.set()
        self.url = ""

    def answer(self, form: str, headers: dict[str, str]) -> tuple[int, bytes, dict[str, str]]:
        self.requests.append((parse_qs(form), headers))
        number = len(self.requests)
        self.arrived.set()
        assert self.go_on.wait(LONG)
        return self.answers.pop(0) if self.answers else (200, issued(f"token-{number}"), {})

    @property
    def asked(self) -> int:
        return len(self.requests)


def issued(token: str = "t", **changes: Any) -> bytes:  # noqa: ANN401 - a JSON value
    return json.dumps({"access_token": token, "token_type": "Bearer", "expires_in": 3600} | changes).encode()


@contextmanager
def serving() -> Iterator[Endpoint]:
    endpoint = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = self.rfile.read(int(self.headers["Content-Length"])).decode()
            status, body, headers = endpoint.answer(form, dict(self.headers))
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        endpoint.url = f"http://127.0.0.1:{server.server_address[1]}/oauth2/token"
        try:
            yield endpoint
        finally:
            endpoint.go_on.set()
            server.shutdown()


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with serving() as endpoint:
        yield endpoint


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tokens(endpoint: Endpoint, clock: Clock) -> MachineTokens:
    return machine(endpoint, clock)


def machine(endpoint: Endpoint, clock: Clock, secret: str | Callable[[], str] = "s", **options: Any) -> MachineTokens:  # noqa: ANN401 - arguments of MachineTokens
    return MachineTokens(
        endpoint.url, "machine", secret, timeout=LONG, clock=clock, **{"jitter": lambda: 0.0} | options
    )


def test_the_request_is_that_of_the_client_credentials_grant(endpoint: Endpoint, clock: Clock) -> None:
    tokens = machine(
        endpoint, clock, "a b:ä%", scopes=["orders/read", "orders/write"], client_metadata={"tenant_id": "acme"}
    )
    assert tokens.authorization() == "Bearer token-1"
    form, headers = endpoint.requests[0]
    assert form == {
        "grant_type": ["client_credentials"],
        "scope": ["orders/read orders/write"],
        "aws_client_metadata": ['{"tenant_id":"acme"}'],
    }
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert b64decode(headers["Authorization"].removeprefix("Basic ")) == b"machine:a+b%3A%C3%A4%25"


def test_without_scopes_and_metadata_neither_is_sent(endpoint: Endpoint, tokens: MachineTokens) -> None:
    tokens.token()
    assert endpoint.requests[0][0] == {"grant_type": ["client_credentials"]}


@pytest.mark.parametrize(
    ("jitter", "seconds", "asked"),
    [(0.0, 2699, 1), (0.0, 2700, 2), (1.0, 2339, 1), (1.0, 2340, 2), (0.5, 2519, 1), (0.5, 2520, 2)],
)
def test_a_token_is_fetched_anew_from_three_quarters_of_its_lifetime_or_a_tenth_earlier(
    endpoint: Endpoint, clock: Clock, jitter: float, seconds: int, asked: int
) -> None:
    tokens = machine(endpoint, clock, jitter=lambda: jitter)
    tokens.token()
    clock.now += seconds
    assert tokens.token() == f"token-{asked}"
    assert endpoint.asked == asked


def test_threads_that_ask_together_share_one_fetch(endpoint: Endpoint, tokens: MachineTokens) -> None:
    endpoint.go_on.clear()
    with ThreadPoolExecutor(8) as threads:
        asking = [threads.submit(tokens.token) for _ in range(8)]
        assert endpoint.arrived.wait(LONG)
        endpoint.go_on.set()
        assert {one.result(LONG) for one in asking} == {"token-1"}
    assert endpoint.asked == 1


def test_while_one_thread_fetches_anew_the_others_go_on_with_the_old_token(
    endpoint: Endpoint, tokens: MachineTokens, clock: Clock
) -> None:
    tokens.token()
    clock.now += 3000
    endpoint.arrived.clear()
    endpoint.go_on.clear()
    with ThreadPoolExecutor(1) as threads:
        renewing = threads.submit(tokens.token)
        assert endpoint.arrived.wait(LONG)
        assert tokens.token() == "token-1"
        endpoint.go_on.set()
        assert renewing.result(LONG) == "token-2"
    assert tokens.token() == "token-2"
    assert endpoint.asked == 2


def test_a_failure_is_not_felt_while_the_old_token_is_good_and_not_repeated_by_each_call(
    endpoint: Endpoint, tokens: MachineTokens, clock: Clock
) -> None:
    tokens.token()
    clock.now += 2700
    endpoint.answers = [(503, b"", {})] * 2
    assert [tokens.token() for _ in range(3)] == ["token-1"] * 3
    assert endpoint.asked == 2
    clock.now += 72
    assert tokens.token() == "token-1"
    clock.now += 72
    assert tokens.token() == "token-4"


def test_a_secret_that_cannot_be_read_is_not_felt_while_the_old_token_is_good(endpoint: Endpoint, clock: Clock) -> None:
    secrets = iter(["s"])
    tokens = machine(endpoint, clock, lambda: next(secrets))
    tokens.token()
    clock.now += 2700
    assert tokens.token() == "token-1"
    clock.now += 900
    with pytest.raises(StopIteration):
        tokens.token()


def test_a_token_is_not_given_out_at_its_end(endpoint: Endpoint, tokens: MachineTokens, clock: Clock) -> None:
    tokens.token()
    clock.now += 3600 * 0.98
    endpoint.answers = [(503, b"", {})]
    with pytest.raises(MachineTokenError) as raised:
        tokens.token()
    assert raised.value.code is Code.TOKEN_ENDPOINT_UNAVAILABLE
    assert tokens.token() == "token-3"


def test_the_secret_is_read_for_every_fetch(endpoint: Endpoint, clock: Clock) -> None:
    secrets = iter(["old", "new"])
    tokens = machine(endpoint, clock, lambda: next(secrets))
    tokens.token()
    clock.now += 3600
    tokens.token()
    sent = [b64decode(headers["Authorization"].removeprefix("Basic ")) for _, headers in endpoint.requests]
    assert sent == [b"machine:old", b"machine:new"]


def test_a_refused_token_is_fetched_anew_but_not_twice_within_a_minute(
    endpoint: Endpoint, tokens: MachineTokens, clock: Clock
) -> None:
    first = tokens.token()
    tokens.refused(first)
    assert tokens.token() == first
    clock.now += 60
    tokens.refused(first)
    tokens.refused(first)
    assert tokens.token() == "token-2"
    clock.now += 60
    tokens.refused(first)
    assert tokens.token() == "token-2"
    assert endpoint.asked == 2


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        ("invalid_client", "secret"),
        ("unauthorized_client", "grant"),
        ("invalid_scope", "AllowedOAuthScopes"),
        ("server_error", "claimsmith preview"),
    ],
)
def test_a_refusal_names_its_reason_and_a_remedy(
    endpoint: Endpoint, tokens: MachineTokens, error: str, remedy: str
) -> None:
    endpoint.answers = [(400, json.dumps({"error": error}).encode(), {})]
    with pytest.raises(MachineTokenError, match=remedy) as raised:
        tokens.token()
    assert (raised.value.code, raised.value.error) == (Code.MACHINE_TOKEN_REFUSED, error)


@pytest.mark.parametrize(
    "answer",
    [
        (200, b"", {}),
        (200, b"<html>sign in</html>", {}),
        (200, b"[]", {}),
        (200, b"null", {}),
        (200, b"\xff", {}),
        (200, issued(expires_in=0), {}),
        (200, issued(expires_in="3600"), {}),
        (200, issued(expires_in=True), {}),
        (200, issued(token_type="mac"), {}),
        (200, issued(token="two words"), {}),
        (200, issued(token="line\nbreak"), {}),
        (200, json.dumps({"access_token": "t", "token_type": "Bearer"}).encode(), {}),
        (200, issued(token="t" * 70_000), {}),
        (302, b"", {"Location": "/elsewhere"}),
        (307, b"", {"Location": "/elsewhere"}),
        (400, b'{"error": "s e c r e t"}', {}),
        (400, b'{"error": 1}', {}),
        (500, b"oops", {}),
    ],
)
def test_what_is_no_answer_of_a_token_endpoint_is_an_error_that_shows_nothing_of_it(
    endpoint: Endpoint, tokens: MachineTokens, answer: tuple[int, bytes, dict[str, str]]
) -> None:
    endpoint.answers = [answer]
    with pytest.raises(MachineTokenError) as raised:
        tokens.token()
    assert raised.value.code is Code.TOKEN_ENDPOINT_UNAVAILABLE
    assert not any(text in str(raised.value) for text in ("oops", "s e c r e t", "html"))
    assert endpoint.asked == 1


def test_an_endpoint_that_is_not_there_is_an_error(clock: Clock) -> None:
    with serving() as gone:
        pass
    with pytest.raises(MachineTokenError, match="cannot be reached") as raised:
        machine(gone, clock).token()
    assert raised.value.code is Code.TOKEN_ENDPOINT_UNAVAILABLE


@pytest.mark.parametrize("address", ["http://example.com/oauth2/token", "ftp://127.0.0.1/", "", "//x"])
def test_an_endpoint_without_tls_is_refused_except_on_this_machine(address: str) -> None:
    with pytest.raises(ConfigurationError, match="https"):
        MachineTokens(address, "machine", "s")


@pytest.mark.parametrize("scopes", ["orders/read", ["a b"], [""]])
def test_scopes_are_single_words_in_a_list(scopes: Any) -> None:  # noqa: ANN401 - also a wrong type
    with pytest.raises(ConfigurationError, match="scopes"):
        MachineTokens("https://example.com/oauth2/token", "machine", "s", scopes=scopes)
