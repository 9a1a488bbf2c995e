"""What fails, and what happens: the failure table of the design, against a real server that fails in real ways.

The one promise about time of the whole project is checked here: an answer within 3.2 seconds, whatever happens. What is
added up is for how long a sign-in is ready to wait (``tests.waits``); nobody looks at a watch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import pytest

from claimsmith.errors import Code, SignInRefusedError
from claimsmith.policy import from_rows
from claimsmith.service.deadline import DeadlineError
from claimsmith.service.issue import READ_SECONDS, WARM_SECONDS, Issued, Issuer
from claimsmith.service.publish import apply
from claimsmith.store.dynamodb import Table
from claimsmith.store.reads import TOKEN_PATH
from tests import events
from tests.conftest import TABLE
from tests.events import SUB, event
from tests.integration.clients import CLIENTS, close_all, made
from tests.integration.dynamodb_server import LoopbackDynamoDB, Mode
from tests.policies import membership_row, policy_rows, tenant_row, user_row
from tests.property import referee
from tests.unit.service.test_deadline import worker_threads

if TYPE_CHECKING:
    from collections.abc import Iterator

    from claimsmith.environment import OnFailure
    from tests.conftest import Client
    from tests.integration.clients import Which
    from tests.waits import Waits

PROMISED_SECONDS = 3.2

FAILURES: list[Mode] = [mode for mode in get_args(Mode) if mode != "answer"]

#: Failures that nobody notices but by waiting.
SLOW: list[Mode] = ["stall", "trickle"]

ASKED = event(scopes=["openid", "legacy/x", "orders/read", events.API_SCOPES[0]], groups=["Staff"])


@pytest.fixture
def server(dynamodb: Client, rows: Table) -> Iterator[LoopbackDynamoDB]:
    settings = {"unmanaged_scopes": ["legacy/*"], "cache_seconds": 0}
    apply(rows, from_rows(policy_rows(settings=settings, roles={"viewer": {"scopes": ["orders/read"]}})), by="test")
    rows.put(tenant_row("acme"))
    rows.put(membership_row(SUB, "acme", roles=["viewer"]))
    with LoopbackDynamoDB(dynamodb) as running:
        yield running


@pytest.fixture(autouse=True)
def no_connection_is_left() -> Iterator[None]:
    yield
    close_all()


def issuer(server: LoopbackDynamoDB, on_failure: OnFailure, which: Which = "wire") -> Issuer:
    return Issuer(made(which, server.endpoint_url), on_failure)


def fail(server: LoopbackDynamoDB, mode: Mode, waits: Waits) -> Code:
    """From now on the server fails; the code of what a sign-in then makes of it."""
    if mode == "refuse":
        server.stop_listening()
    server.mode = mode
    if mode not in SLOW:
        return Code.STORE_UNAVAILABLE
    waits.passed = READ_SECONDS
    return Code.DEADLINE_EXCEEDED


def both(denying: Issuer, degrading: Issuer, waits: Waits) -> tuple[SignInRefusedError, Issued]:
    """What both do, each in time."""
    started = waits.clock()
    with pytest.raises(SignInRefusedError) as refused:
        denying.issue(ASKED)
    refused_at = waits.clock()
    issued = degrading.issue(ASKED)
    assert 0 < refused_at - started <= PROMISED_SECONDS
    assert 0 < waits.clock() - refused_at <= PROMISED_SECONDS
    return refused.value, issued


def test_the_server_itself_answers_as_dynamodb_does(server: LoopbackDynamoDB) -> None:
    issued = issuer(server, "deny").issue(ASKED)
    assert (issued.decision.tenant_id, issued.decision.roles, issued.degraded) == ("acme", ("viewer",), None)
    assert server.requests == 4


@pytest.mark.parametrize("which", CLIENTS)
@pytest.mark.parametrize("mode", FAILURES)
def test_without_a_bundle_the_answer_is_a_coded_refusal_or_only_what_no_policy_manages(
    server: LoopbackDynamoDB, waits: Waits, mode: Mode, which: Which
) -> None:
    denying, degrading = issuer(server, "deny", which), issuer(server, "unenriched", which)
    code = fail(server, mode, waits)
    refused, issued = both(denying, degrading, waits)
    assert str(refused) == f"Sign-in is not possible right now. [{refused.code}]"
    assert (refused.code, issued.degraded) == (code, code)
    check_degraded(issued, {"openid", events.API_SCOPES[0]})


@pytest.mark.parametrize("mode", FAILURES)
def test_with_a_bundle_remembered_its_unmanaged_scopes_stay_too(
    server: LoopbackDynamoDB, waits: Waits, mode: Mode
) -> None:
    denying, degrading = issuer(server, "deny"), issuer(server, "unenriched")
    assert denying.issue(ASKED).version == degrading.issue(ASKED).version == 1
    code = fail(server, mode, waits)
    refused, issued = both(denying, degrading, waits)
    assert refused.code == code
    check_degraded(issued, {"openid", events.API_SCOPES[0], "legacy/x"})


def check_degraded(issued: Issued, scopes: set[str]) -> None:
    """No tenant, no roles, no groups, no managed scope, and a mark with the code, in both tokens."""
    response = issued.event["response"]
    referee.check(ASKED, response)
    assert referee.scopes_issued(ASKED, response) == scopes
    details = response["claimsAndScopeOverrideDetails"]
    for generation in (details["accessTokenGeneration"], details["idTokenGeneration"]):
        assert generation["claimsToAddOrOverride"] == {"claims_degraded": issued.degraded}
        assert "cognito:groups" in generation["claimsToSuppress"]


@pytest.mark.parametrize("mode", SLOW)
def test_the_process_starts_in_time_though_nothing_answers(server: LoopbackDynamoDB, waits: Waits, mode: Mode) -> None:
    server.mode = mode
    waits.passed = WARM_SECONDS
    started = waits.clock()
    assert issuer(server, "deny").warm() is Code.DEADLINE_EXCEEDED
    assert waits.clock() - started <= 1.0


def test_a_silent_connection_times_out_before_the_deadline(server: LoopbackDynamoDB) -> None:
    """The client's own time-outs; they cannot come too early here, because the server sends nothing at all."""
    server.mode = "stall"
    waiting = Issuer(made("wire", server.endpoint_url, TOKEN_PATH), "deny")
    with pytest.raises(SignInRefusedError) as refused:
        waiting.issue(ASKED)
    assert refused.value.code is Code.STORE_UNAVAILABLE
    assert TOKEN_PATH.read * TOKEN_PATH.attempts < READ_SECONDS


def test_after_a_failure_the_next_sign_in_is_whole_again(server: LoopbackDynamoDB) -> None:
    degrading = issuer(server, "unenriched")
    server.mode = "500"
    assert degrading.issue(ASKED).degraded is Code.STORE_UNAVAILABLE
    server.mode = "answer"
    assert degrading.issue(ASKED).degraded is None


def test_garbage_instead_of_a_users_rows_is_not_a_user_without_rows(server: LoopbackDynamoDB, rows: Table) -> None:
    rows.put(user_row(SUB, status="suspended"))
    apply(rows, from_rows(policy_rows(settings={"cache_seconds": 60})), by="test")
    denying = issuer(server, "deny")
    denying.warm()
    server.mode = "garbage"
    with pytest.raises(SignInRefusedError) as refused:
        denying.issue(ASKED)
    assert refused.value.code is Code.STORE_UNAVAILABLE


def test_stuck_calls_are_bounded_however_many_sign_ins_there_are(server: LoopbackDynamoDB) -> None:
    impatient = Issuer(made("wire", server.endpoint_url), "deny", read_seconds=0.01)
    server.mode = "trickle"
    before = worker_threads()
    for _ in range(40):
        with pytest.raises(SignInRefusedError) as refused:
            impatient.issue(ASKED)
        assert refused.value.code is Code.DEADLINE_EXCEEDED
        assert isinstance(refused.value.__cause__, DeadlineError)
    assert worker_threads() - before <= 16


class EndlessClient:
    """A DynamoDB that never processes a BatchGetItem."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.batches = 0

    def __getattr__(self, operation: str) -> Any:  # noqa: ANN401 - botocore's methods have no type
        return getattr(self._client, operation)

    def batch_get_item(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401 - botocore's requests have no type
        self.batches += 1
        if self.batches > 1000:
            raise AssertionError("asked a thousand times without a pause")
        return {"Responses": {}, "UnprocessedKeys": request["RequestItems"]}


def test_keys_that_stay_unprocessed_end_in_an_error_and_not_in_a_loop(server: LoopbackDynamoDB) -> None:
    endless = EndlessClient(server.client)
    with pytest.raises(SignInRefusedError) as refused:
        Issuer(Table(endless, TABLE), "deny").issue(ASKED)
    assert refused.value.code in (Code.STORE_UNAVAILABLE, Code.DEADLINE_EXCEEDED)
    assert endless.batches < 50
