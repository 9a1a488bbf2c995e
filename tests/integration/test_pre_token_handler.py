"""The trigger as Lambda runs it: responses, coded refusals, a log without secrets, and no heavy imports."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from claimsmith.engine.rollout import Rollout
from claimsmith.policy import from_rows
from claimsmith.service.issue import READ_SECONDS
from claimsmith.service.publish import apply
from claimsmith.service.rollout import current, roll_out
from tests import events
from tests.conftest import TABLE
from tests.events import SIGN_IN, SUB, event
from tests.integration.dynamodb_server import LoopbackDynamoDB
from tests.integration.function import Ran, run
from tests.integration.test_failure import PROMISED_SECONDS
from tests.policies import membership_row, policy_rows, tenant_row, user_row
from tests.property import referee

if TYPE_CHECKING:
    from collections.abc import Iterator

    from claimsmith.store.dynamodb import Table
    from tests.conftest import Client

MODULE = "lambdas.pre_token.handler"

#: A value that must never be in a log, wherever it was put.
SECRET = "s3cret"

HOSTILE: list[object] = [
    None,
    [],
    "event",
    {},
    event() | {"triggerSource": "TokenGeneration_Future"},
    event() | {"version": "1"},
    event() | {"version": [SECRET]},
    event() | {"request": None},
    event() | {"callerContext": {"clientId": f"CLIENT#{SECRET}"}},
    event(sub=f"USER#{SECRET}"),
    event(sub=f"x#TENANT#{SECRET}"),
    event(sub="x" * 100_000),
    event(sub="\ud800"),
    event(SIGN_IN, metadata={"tenant_id": f"TENANT#{SECRET}"}),
    event(SIGN_IN, metadata={"tenant_id": SECRET * 10_000}),
    event(SIGN_IN, metadata={"tenant_id": "\ud800"}),
    event(attributes={"custom:x": SECRET}) | {"userName": None},
]


@pytest.fixture
def server(dynamodb: Client, rows: Table) -> Iterator[LoopbackDynamoDB]:
    claims = {"claims": {"note": SECRET}}
    apply(rows, from_rows(policy_rows(roles={"viewer": {"scopes": ["orders/read"], **claims}})), by="test")
    rows.put(tenant_row("acme", name=SECRET, **claims))
    rows.put(membership_row(SUB, "acme", roles=["viewer", "ghost"], scopes=["claimsmith/introspect"], **claims))
    rows.put(user_row(SUB, username=SECRET, claims={"note": SECRET, "sub": SECRET, "bad": [None, SECRET]}))
    rows.put(user_row("suspended", status="suspended", claims={"note": SECRET}))
    rows.put(user_row("broken", roles=SECRET))
    rows.put(membership_row(SUB, "globex", expires_at=SECRET))
    with LoopbackDynamoDB(dynamodb) as running:
        yield running


@pytest.fixture
def environment(server: LoopbackDynamoDB, aws_environment: dict[str, str]) -> dict[str, str]:
    return {**aws_environment, "AWS_ENDPOINT_URL": server.endpoint_url, "CLAIMSMITH_TABLE": TABLE}


def asked(**details: Any) -> dict[str, Any]:  # noqa: ANN401 - passed on to the factory
    """An event full of values that no log may hold."""
    return event(attributes={"email": SECRET, "custom:x": SECRET, "name": SECRET}, **details)


def check_refused(answer: dict[str, Any], *codes: str) -> None:
    """A refusal is one sentence and a code, and the error behind it is not shown with it."""
    assert set(answer) == {"error", "message", "seconds"}, answer
    assert re.fullmatch(r"[A-Z][A-Za-z ,-]+\. \[CS2\d{3}\]", answer["message"])
    assert not codes or answer["message"][-7:-1] in codes


def check_log(ran: Ran) -> None:
    """Every line is JSON, and none holds what was secret."""
    assert ran.entries()
    assert SECRET not in ran.log
    assert "Traceback" not in ran.log


def test_every_user_source_and_a_machine_are_answered(environment: dict[str, str]) -> None:
    given = [*(asked(source=source) for source in events.USER_SOURCES), event(events.MACHINE)]
    ran = run(MODULE, given, environment)
    for answer, sent in zip(ran.answers, given, strict=True):
        referee.check(sent, answer["answer"]["response"])
        assert {**answer["answer"], "response": None} == {**sent, "response": None}
    details = ran.answers[0]["answer"]["response"]["claimsAndScopeOverrideDetails"]
    assert details["accessTokenGeneration"]["claimsToAddOrOverride"]["tenant_id"] == "acme"
    check_log(ran)
    assert ran.metrics()["Issued"] == len(given)


def test_the_log_shows_what_was_issued_and_which_rows_cannot_be_read_or_are_not_applied(
    environment: dict[str, str],
) -> None:
    ran = run(MODULE, [asked()], environment)
    check_log(ran)
    issued = next(entry for entry in ran.entries() if entry.get("message") == "token issued")
    assert issued["function_request_id"] == "invocation-0"
    assert (issued["client_id"], issued["policy_version"], issued["roles"]) == (events.CLIENT, 1, 1)
    unreadable = next(entry for entry in ran.entries() if entry.get("message") == "row cannot be read")
    assert (unreadable["row"], unreadable["attribute"]) == (f"USER#{SUB} TENANT#globex", "expires_at")
    unfollowed = next(entry for entry in ran.entries() if entry.get("message") == "row is not applied")
    assert (unfollowed["code"], unfollowed["row"]) == ("CS4012", f"USER#{SUB} TENANT#acme")
    assert ran.metrics()["UnreadableRows"] == 2


def test_hostile_events_end_in_a_code_and_nothing_else(environment: dict[str, str]) -> None:
    ran = run(MODULE, [*HOSTILE, asked()], environment)
    for answer in ran.answers[:-1]:
        check_refused(answer, "CS2005", "CS2006", "CS2007", "CS2012")
    assert "answer" in ran.answers[-1], "the process does not survive hostile events"
    check_log(ran)
    counted = ran.metrics()
    assert counted["Refused"] + counted["Failed"] == len(HOSTILE)


def test_users_who_may_not_sign_in_are_refused_with_their_codes(environment: dict[str, str]) -> None:
    ran = run(
        MODULE,
        [asked(sub="suspended"), asked(sub="broken"), event(SIGN_IN, metadata={"tenant_id": "globex"})],
        environment,
    )
    for answer, code in zip(ran.answers, ["CS2009", "CS2010", "CS2007"], strict=True):
        check_refused(answer, code)
    check_log(ran)


@pytest.mark.parametrize("mode", ["stall", "trickle"])
def test_a_store_that_does_not_answer_ends_in_time_from_the_first_event_on(
    server: LoopbackDynamoDB,
    environment: dict[str, str],
    mode: Any,  # noqa: ANN401 - one of the server's modes
) -> None:
    server.mode = mode
    ran = run(MODULE, [asked()], environment, passed=READ_SECONDS)
    [answer] = ran.answers
    check_refused(answer, "CS2004")
    assert answer["seconds"] <= PROMISED_SECONDS
    check_log(ran)
    assert ran.entries()[0]["message"] == "no policy at start; the first sign-in tries again"


def test_a_deployment_may_choose_a_marked_token_over_a_refusal(
    server: LoopbackDynamoDB, environment: dict[str, str]
) -> None:
    server.mode = "500"
    sent = asked(groups=["Staff"])
    ran = run(MODULE, [sent], environment | {"CLAIMSMITH_ON_FAILURE": "unenriched"})
    response = ran.answers[0]["answer"]["response"]
    referee.check(sent, response)
    assert referee.scopes_issued(sent, response) == {"openid"}
    check_log(ran)
    assert ran.metrics()["Degraded"] == 1


def check_untouched(ran: Ran, given: list[object]) -> None:
    assert [answer.get("answer", answer) for answer in ran.answers] == given
    check_log(ran)


def test_in_shadow_every_event_is_answered_as_it_came_and_the_log_says_what_would_change(
    environment: dict[str, str], rows: Table
) -> None:
    roll_out(rows, Rollout(), seen=current(rows), by="test")
    given = [asked(), asked(sub="suspended"), asked(sub="broken"), event(events.MACHINE), *HOSTILE]
    ran = run(MODULE, given, environment)
    check_untouched(ran, given)
    counted = ran.metrics()
    assert (counted["Shadowed"], counted["ShadowRefused"]) == (len(given), 4), (
        "two of the hostile ones ask for a tenant"
    )
    assert counted["ShadowRefused"] + counted["ShadowFailed"] + 2 == len(given)
    assert (counted["ShadowChanged"], counted["ShadowTakesAway"]) == (2, 1)
    assert not {"Issued", "Refused", "Failed", "Degraded"} & counted.keys()
    would = next(entry for entry in ran.entries() if entry.get("message") == "sign-in left as it is")
    assert would["would"]["access_added"] == ["note", "policy_version", "roles", "tenant_id"]
    assert would["would_count"]["access_added"] == 4


def test_a_process_that_has_never_read_the_table_leaves_every_sign_in_as_it_is_if_told_so(
    server: LoopbackDynamoDB, environment: dict[str, str]
) -> None:
    server.mode = "500"
    given = [asked(), event(events.MACHINE), *HOSTILE]
    ran = run(MODULE, given, environment | {"CLAIMSMITH_ON_FAILURE": "unchanged"})
    check_untouched(ran, given)
    assert ran.metrics() == {"Degraded": len(given)}


def test_an_endpoint_that_refuses_every_request_is_a_store_that_does_not_answer(
    server: LoopbackDynamoDB, environment: dict[str, str]
) -> None:
    ran = run(MODULE, [asked()], environment | {"CLAIMSMITH_TABLE": "elsewhere"})
    check_refused(ran.answers[0], "CS2001")
    assert server.requests
    check_log(ran)


def test_a_function_without_its_variables_does_not_start(aws_environment: dict[str, str]) -> None:
    with pytest.raises(AssertionError, match="The environment variable CLAIMSMITH_TABLE is not set"):
        run(MODULE, [], aws_environment)


def test_what_runs_at_sign_in_imports_nothing_heavy(environment: dict[str, str]) -> None:
    modules = run(MODULE, [asked()], environment).modules
    heavy = {
        "pydantic", "pydantic_core", "yaml", "boto3", "s3transfer", "aws_xray_sdk", "jwt", "jose", "joserfc", "authlib",
        "jwcrypto", "cryptography", "asyncio", "aws_lambda_powertools.event_handler",
        "aws_lambda_powertools.utilities.parser", "claimsmith.policy", "claimsmith.verifier", "claimsmith.cli",
        "claimsmith.testing",
    }  # fmt: skip
    assert not heavy & modules


def test_the_answer_is_json_as_the_runtime_writes_it(environment: dict[str, str]) -> None:
    [answer] = run(MODULE, [asked()], environment).answers
    assert json.loads(json.dumps(answer["answer"], allow_nan=False)) == answer["answer"]
