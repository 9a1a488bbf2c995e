"""What somebody without any key can cause: a refusal. Never an error of ours, which would ring an alarm.

A pool has two issuer names, and anybody may write the one that it does not use into a token. Its host may not exist.
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claimsmith.errors import Code, VerificationError
from claimsmith.verifier import ANY, KeySource, Verifier
from claimsmith.verifier.authorizer import UnauthorizedError
from claimsmith.verifier.fetch import FetchError, fetch
from claimsmith.verifier.issuers import NotPublishedError
from tests.unit.verifier.fuzzed_events import JSON, KINDS
from tests.unit.verifier.gateway_events import READ, authorizer
from tests.unit.verifier.introspecting import INACTIVE, event, introspection
from tests.unit.verifier.minting import CLIENT, ISSUER, KID, NOW, UPDATED_ISSUER, Pool, access_claims, b64, jwk
from tests.unit.verifier.test_jwks import Clock, http, refusal, serving, writing

if TYPE_CHECKING:
    from collections.abc import Callable

    from claimsmith.verifier.authorizer import Authorizer

POOL = Pool()
KEYS = json.dumps(POOL.jwks).encode()

UNREACHABLE = [
    OSError("the name does not resolve"),
    ConnectionRefusedError(),
    TimeoutError(),
    FetchError("the key set's host answered 500"),
    FetchError("the key set's host does not speak HTTP"),
]


#: How much slower the clock of a test goes than the machine's, which must be in no hurry.
CLOCK = 20


class Hosts:
    """The hosts of both names of a pool, without a network: each has an answer, or an error.

    Attributes:
        requests: the issuer and the seconds of each request.
    """

    def __init__(self, listed: bytes | Exception, twin: bytes | Exception, clock: Clock | None = None) -> None:
        self.answers = {ISSUER: listed, UPDATED_ISSUER: twin}
        self.requests: list[tuple[str, float]] = []
        self.clock = clock

    def __call__(self, uri: str, timeout: float) -> bytes:
        issuer = uri.removesuffix("/.well-known/jwks.json")
        self.requests.append((issuer, timeout))
        answer = self.answers[issuer]
        if isinstance(answer, TimeoutError) and self.clock is not None:
            self.clock.now += timeout / CLOCK
        if isinstance(answer, Exception):
            raise answer
        return answer

    def asked(self, issuer: str) -> int:
        return sum(name == issuer for name, _ in self.requests)


def source(hosts: Callable[[str, float], bytes], clock: Clock, **bounds: Any) -> KeySource:  # noqa: ANN401 - of several types
    bounds = {"max_age": 100, "max_stale": 1000, "cooldown": 10, "timeout": 20, **bounds}
    return KeySource([ISSUER], fetch=hosts, clock=clock, **bounds)


def unsigned(claims: object, header: object = None, signature: bytes = b"x") -> str:
    """A token that nobody signed."""
    parts = {"kid": KID, "alg": "RS256"} if header is None else header, claims
    return ".".join([*(b64(json.dumps(part).encode()) for part in parts), b64(signature)])


def authorizing(keys: KeySource) -> Authorizer:
    verifier = Verifier(issuers=keys, client_ids=[CLIENT], token_use="access", revocations=ANY, clock=lambda: NOW)
    return authorizer(READ, {"path": "/$connect"}, verifier=verifier)


def verdicts(keys: KeySource, token: str) -> list[Code | None]:
    """Why each kind of API refuses a token; an error that is not the token's would be raised."""
    asked = authorizing(keys)
    codes: list[Code | None] = []
    for kind in KINDS.values():
        try:
            codes.append(asked.authorize(kind(f"Bearer {token}")).code)
        except UnauthorizedError as unauthorized:
            codes.append(unauthorized.code)
    return codes


@pytest.mark.parametrize("error", UNREACHABLE, ids=repr)
def test_an_unreachable_twin_is_key_not_found_while_the_listed_name_works(error: Exception) -> None:
    hosts = Hosts(KEYS, error)
    assert refusal(source(hosts, Clock()), issuer=UPDATED_ISSUER) == Code.KEY_NOT_FOUND
    assert [issuer for issuer, _ in hosts.requests] == [UPDATED_ISSUER, ISSUER], "the listed name was not known to work"
    assert sum(seconds for _, seconds in hosts.requests[:1]) == 10, "half of the time is left to ask the listed name"


def test_an_unsigned_token_of_a_twin_without_a_host_raises_no_alarm() -> None:
    """Over real connections: the listed issuer's host answers, at the twin's nobody listens."""
    with serving(writing(b"")) as gone:
        nowhere = gone.uri
    with serving(writing(http(KEYS))) as server:
        addresses = {ISSUER: server.uri, UPDATED_ISSUER: nowhere}

        def over_loopback(uri: str, timeout: float) -> bytes:
            return fetch(addresses[uri.removesuffix("/.well-known/jwks.json")], timeout)

        keys = source(over_loopback, Clock())
        token = unsigned(access_claims(iss=UPDATED_ISSUER))
        assert verdicts(keys, token) == [Code.KEY_NOT_FOUND] * len(KINDS)
        assert introspection(source=keys).answer(event(token)).code == Code.KEY_NOT_FOUND
        assert verdicts(keys, POOL.sign()) == [None] * len(KINDS), "and a valid token is accepted"


def test_keys_are_unavailable_if_the_listed_name_is_unreachable_too() -> None:
    """A cold start without a network: a token of either name may be genuine."""
    hosts, clock = Hosts(TimeoutError(), TimeoutError()), Clock()
    keys = source(hosts, clock)
    assert refusal(keys, issuer=UPDATED_ISSUER) == Code.KEYS_UNAVAILABLE
    assert refusal(keys, issuer=ISSUER) == Code.KEYS_UNAVAILABLE
    hosts.answers[ISSUER] = KEYS
    clock.now += 1
    assert refusal(keys, issuer=UPDATED_ISSUER) == Code.KEY_NOT_FOUND
    hosts.answers[UPDATED_ISSUER] = KEYS
    clock.now += 10
    assert keys.find(UPDATED_ISSUER, KID), "a pool that changes its name is served as soon as its host answers"


def test_a_listed_name_never_counts_as_made_up() -> None:
    hosts = Hosts(TimeoutError(), KEYS)
    keys = source(hosts, Clock())
    assert keys.find(UPDATED_ISSUER, KID)
    assert refusal(keys, issuer=ISSUER) == Code.KEYS_UNAVAILABLE
    both = KeySource([ISSUER, UPDATED_ISSUER], fetch=hosts, clock=Clock())
    assert both.find(UPDATED_ISSUER, KID)
    assert refusal(both, issuer=ISSUER) == Code.KEYS_UNAVAILABLE


def test_a_twin_that_has_worked_is_an_outage_when_it_fails() -> None:
    hosts, clock = Hosts(KEYS, KEYS), Clock()
    keys = source(hosts, clock)
    assert keys.find(ISSUER, KID)
    assert keys.find(UPDATED_ISSUER, KID)
    hosts.answers[UPDATED_ISSUER] = TimeoutError()
    clock.now += 1000
    assert keys.find(ISSUER, KID)
    assert refusal(keys, issuer=UPDATED_ISSUER) == Code.KEYS_UNAVAILABLE


def test_old_keys_of_the_listed_name_do_not_prove_that_it_works() -> None:
    hosts, clock = Hosts(KEYS, TimeoutError()), Clock()
    keys = source(hosts, clock)
    assert keys.find(ISSUER, KID)
    clock.now += 999
    hosts.answers[ISSUER] = TimeoutError()
    assert refusal(keys, issuer=UPDATED_ISSUER) == Code.KEY_NOT_FOUND
    clock.now += 1
    assert refusal(keys, issuer=UPDATED_ISSUER) == Code.KEYS_UNAVAILABLE


def test_preloaded_keys_do_not_count_as_fetched() -> None:
    hosts, clock = Hosts(TimeoutError(), TimeoutError()), Clock()
    keys = source(hosts, clock, preloaded={ISSUER: POOL.jwks})
    assert refusal(keys, "made-up", UPDATED_ISSUER) == Code.KEY_NOT_FOUND
    assert keys.find(UPDATED_ISSUER, KID), "the keys themselves serve"
    assert refusal(keys, "made-up", ISSUER) == Code.KEYS_UNAVAILABLE


def test_a_twin_that_times_out_costs_a_wait_now_and_then_and_not_for_each_token() -> None:
    clock = Clock()
    hosts = Hosts(KEYS, TimeoutError(), clock)
    keys = source(hosts, clock, timeout=3 * CLOCK, cooldown=30)
    waited = 0.0
    for _ in range(300):
        for number in range(10):
            before = clock.now
            assert refusal(keys, f"made-up-{number}", UPDATED_ISSUER) == Code.KEY_NOT_FOUND
            waited += clock.now - before
        clock.now += 1
    # After pauses of 1, 2, 4, 8, 16 and then 30 seconds, each request of half the time-out.
    assert hosts.asked(UPDATED_ISSUER) == 14
    assert waited == 14 * 1.5, "of 3,000 tokens 14 waited"
    assert hosts.asked(ISSUER) == 1


def test_a_failure_that_anybody_can_cause_is_not_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        refusal(source(Hosts(KEYS, TimeoutError()), Clock()), issuer=UPDATED_ISSUER)
        refusal(source(Hosts(TimeoutError(), TimeoutError()), Clock()), issuer=UPDATED_ISSUER)
    assert [record.levelname for record in caplog.records] == ["INFO", "INFO", "WARNING"]


KEY_IDS = st.sampled_from([KID, "made-up", "weak", ""]) | JSON
ISSUERS = st.sampled_from([ISSUER, UPDATED_ISSUER, ISSUER + "/", "https://elsewhere.example", ""]) | JSON
MEMBERS = st.dictionaries(st.sampled_from(["typ", "crit", "b64", "jku", "jwk", "x5c", "zip"]), JSON, max_size=2)
HEADERS = st.builds(lambda kid: {"kid": kid, "alg": "RS256"}, KEY_IDS) | st.builds(
    lambda more, kid, alg: {**more, "kid": kid, "alg": alg},
    MEMBERS,
    KEY_IDS,
    st.sampled_from(["RS256", "none", "HS256", "ES256"]) | JSON,
)
CLAIMS = st.builds(access_claims, iss=ISSUERS) | st.builds(
    lambda changed, issuer: {**access_claims(), **changed, "iss": issuer},
    st.dictionaries(st.sampled_from(sorted(access_claims())), JSON, max_size=3),
    ISSUERS,
)
NESTED = st.integers(1, 5000).map(lambda levels: b64(b'{"a":' + b"[" * levels))
NUMBERS = st.integers(4200, 5000).map(lambda digits: b64(b'{"iat":' + b"9" * digits + b"}"))
#: Often all but signed; otherwise every way in which a token can be none.
UNSIGNED = st.builds(unsigned, st.sampled_from([ISSUER, UPDATED_ISSUER]).map(lambda name: access_claims(iss=name))) | (
    st.builds(unsigned, CLAIMS, HEADERS, st.binary(max_size=300))
    | st.builds(unsigned, JSON, HEADERS | JSON)
    | st.builds(lambda payload: f"{unsigned({}).partition('.')[0]}.{payload}.eA", NESTED | NUMBERS)
    | st.text(max_size=50)
    | st.lists(st.binary(max_size=40).map(b64), min_size=1, max_size=4).map(".".join)
    | st.sampled_from(["", ".", "..", "a.b.c", POOL.sign()[:-4] + "AAAA", "e30.e30.e30"])
)


@pytest.mark.parametrize("twin", [KEYS, NotPublishedError(), TimeoutError()], ids=["works", "absent", "out of reach"])
@settings(max_examples=120)
@given(token=UNSIGNED, cold=st.booleans())
def test_any_unsigned_token_is_refused_and_never_an_internal_failure(
    twin: bytes | Exception, token: str, *, cold: bool
) -> None:
    clock = Clock()
    weak = json.dumps({"keys": [*POOL.jwks["keys"], jwk(POOL.key, "weak", use="enc")]}).encode()
    keys = source(Hosts(weak, twin), clock)
    if not cold:
        assert keys.find(ISSUER, KID)
    asked = authorizing(keys)
    for kind, make in KINDS.items():
        try:
            code = asked.authorize(make(f"Bearer {token}")).code
        except UnauthorizedError as unauthorized:
            code = unauthorized.code
            assert kind not in ("HTTP 1.0", "HTTP 2.0"), "an HTTP API would make a 500 of it"
        assert code is not None, "nobody passes"
    service = introspection(source=keys)
    presented = service.answer(event(POOL.sign(), f"Bearer {token}")).response
    assert presented["statusCode"] == 401
    if token.strip():
        about = service.answer(event(token)).response
        assert (about["statusCode"], json.loads(about["body"])) == INACTIVE


def test_the_tokens_above_are_refused_because_of_their_signature() -> None:
    """Otherwise that test could pass because nothing it makes is a token."""
    keys = source(Hosts(KEYS, KEYS), Clock())
    for issuer in (ISSUER, UPDATED_ISSUER):
        with pytest.raises(VerificationError) as caught:
            Verifier(issuers=keys, client_ids=ANY, token_use=ANY, revocations=ANY).verify(
                unsigned(access_claims(iss=issuer))
            )
        assert caught.value.code == Code.SIGNATURE_INVALID
