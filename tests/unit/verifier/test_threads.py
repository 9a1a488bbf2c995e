"""One ``Verifier`` in 32 threads, its keys on a real host that rotates them, fails, and takes its time."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any, Final

import pytest

from claimsmith.errors import VerificationError
from claimsmith.verifier import ANY, KeySource, Verifier
from tests.unit.verifier.minting import CLIENT, ISSUER, NOW, Pool, private_key
from tests.unit.verifier.test_jwks import HANG, http, serving

THREADS: Final = 32
CALLS: Final = 100
SECONDS: Final = 200  # that pass on the verifier's clock
GENERATIONS: Final = [Pool(private_key(name), f"key-{name}") for name in ("a", "b", "c")]
FOREIGN: Final = private_key("foreign")


class Host:
    """Publishes two of the three keys, others with time; every third request fails, every other one is slow."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.requests = 0
        self.under_way = 0
        self.most_under_way = 0
        self.healthy = False

    def __call__(self, out: Any) -> None:  # noqa: ANN401 - a socket file
        with self.lock:
            self.requests += 1
            turn = self.requests
            self.under_way += 1
            self.most_under_way = max(self.most_under_way, self.under_way)
        time.sleep(0.01 * (turn % 2))
        with self.lock:
            # Before the response and not after it: its caller may ask again before this thread continues.
            self.under_way -= 1
        if self.healthy:
            out.write(self.keys(GENERATIONS))
            return
        failures = (b"", http(b"no", "503 Service Unavailable"), http(b"{}"), b"HTTP/1.1 200 OK\r\n\r\ngarbage")
        published = [GENERATIONS[turn % 3], GENERATIONS[(turn + 1) % 3]]
        out.write(failures[turn // 3 % len(failures)] if turn % 3 == 0 else self.keys(published))

    @staticmethod
    def keys(pools: list[Pool]) -> bytes:
        return http(json.dumps({"keys": [pool.jwks["keys"][0] for pool in pools]}).encode())


GENUINE: Final = {"accepted", "KEY_NOT_FOUND", "KEYS_UNAVAILABLE"}
#: What a token may be met with, by what it is. A key that is not published at the moment is not found.
RIGHT: Final = {
    "genuine": GENUINE,
    "forged": {"SIGNATURE_INVALID", "KEY_NOT_FOUND", "KEYS_UNAVAILABLE"},
    "made-up key": {"KEY_NOT_FOUND", "KEYS_UNAVAILABLE"},
    "foreign issuer": {"ISSUER_NOT_ALLOWED"},
    "malformed": {"TOKEN_MALFORMED"},
}


def tokens() -> list[tuple[str, str]]:
    genuine = [("genuine", pool.sign()) for pool in GENERATIONS]
    forged = [("forged", Pool(FOREIGN, pool.kid).sign()) for pool in GENERATIONS]
    others = [
        ("made-up key", GENERATIONS[0].sign(kid="made-up")),
        ("foreign issuer", GENERATIONS[0].sign({"iss": "https://elsewhere.example"})),
        ("malformed", GENERATIONS[0].sign()[:-1]),
    ]
    return [*genuine, *forged, *others]


def test_no_result_is_wrong_and_requests_are_few_and_one_at_a_time() -> None:
    host, ticks, slept = Host(), count(), 0.0

    def clock() -> float:
        """Goes on by itself, a little with every reading, so that keys age while they are used."""
        return NOW + slept + min(SECONDS, next(ticks) * SECONDS / (THREADS * CALLS * 2))

    with serving(host) as server:
        source = KeySource([(ISSUER, server.uri)], clock=clock, max_age=20, max_stale=60, cooldown=10)
        verifier = Verifier(issuers=source, client_ids=[CLIENT], token_use="access", revocations=ANY, clock=lambda: NOW)
        offered = tokens()

        def verdict(token: str) -> str:
            try:
                verifier.verify(token)
            except VerificationError as error:
                return error.code.name
            return "accepted"

        def work(worker: int) -> Counter[tuple[str, str]]:
            rng = random.Random(worker)  # noqa: S311 - an order, no secret
            drawn = [rng.choice(offered) for _ in range(CALLS)]
            return Counter((kind, verdict(token)) for kind, token in drawn)

        with ThreadPoolExecutor(THREADS) as threads:
            verdicts: Counter[tuple[str, str]] = sum(threads.map(work, range(THREADS)), Counter())

        assert sum(verdicts.values()) == THREADS * CALLS
        assert not [(kind, verdict) for kind, verdict in verdicts if verdict not in RIGHT[kind]], verdicts
        for seen in (("genuine", "accepted"), ("forged", "SIGNATURE_INVALID"), ("made-up key", "KEY_NOT_FOUND")):
            assert verdicts[seen], verdicts

        # Ages cause one request each 20 s and unknown ids two at first, then one each 10 s. A third of the requests
        # fails, and a failure is tried again after a second: half as many on top.
        assert host.requests <= (SECONDS / 20 + 2 + SECONDS / 10) * 1.5 + 1
        assert host.requests >= SECONDS / 20 / 2, "and the keys were not left to rot"
        assert host.most_under_way == 1

        # Nothing lasts: as soon as the host is well again, so is the verifier.
        host.healthy = True
        slept = 60.0
        assert {verdict(token) for kind, token in offered if kind == "genuine"} == {"accepted"}


@pytest.mark.parametrize("pools", [2, 8])
def test_sources_of_several_pools_do_not_wait_for_each_other(pools: int) -> None:
    """A pool whose host does not respond delays no request for another pool."""
    silence, asked = threading.Event(), threading.Event()
    issuers = [ISSUER.replace("aBcDeFgHi", f"pool{number}") for number in range(pools)]

    def fetch(uri: str, _timeout: float) -> bytes:
        if issuers[0] in uri:
            asked.set()
            assert silence.wait(HANG)
        return json.dumps(GENERATIONS[0].jwks).encode()

    source = KeySource(issuers, fetch=fetch, clock=lambda: NOW)
    with ThreadPoolExecutor(THREADS) as threads:
        waiting = [threads.submit(source.find, issuers[0], GENERATIONS[0].kid) for _ in range(4)]
        assert asked.wait(HANG)
        others = [threads.submit(source.find, issuer, GENERATIONS[0].kid) for issuer in issuers[1:] * 3]
        assert all(future.result() for future in others)
        assert not any(future.done() for future in waiting)
        silence.set()
        assert all(future.result() for future in waiting)
