"""Events of introspection, made up: whatever they hold there is an answer with a code, and nothing of them gets out."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from claimsmith.errors import Code
from tests.unit.verifier.introspecting import (
    DOWN,
    FORM,
    POOL,
    SECRET,
    NoRows,
    Revoked,
    assert_never_cached_json,
    basic,
    digest,
    encoded,
    event,
    introspection,
    machine_token,
)
from tests.unit.verifier.minting import NOW, access_claims, id_claims

if TYPE_CHECKING:
    from claimsmith.verifier.introspection import Answer, Introspection

#: What a status may mean; a status or a code that is not here is a mistake.
MEANING: dict[int, set[Code | None]] = {
    200: {None}
    | {code for code in Code if code.startswith("CS30") and code not in {Code.ROUTE_NOT_FOUND, Code.REQUEST_MALFORMED}}
    - {Code.CALLER_REFUSED, Code.KEYS_UNAVAILABLE, Code.REVOCATION_UNKNOWN},
    400: {Code.REQUEST_MALFORMED},
    401: {Code.CALLER_REFUSED},
    405: {Code.REQUEST_MALFORMED},
    413: {Code.REQUEST_MALFORMED},
    415: {Code.REQUEST_MALFORMED},
    503: {Code.KEYS_UNAVAILABLE, Code.REVOCATION_UNKNOWN, Code.AWS_UNREACHABLE},
}

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)

TOKENS = st.sampled_from(
    [
        POOL.sign(),
        POOL.sign(access_claims(exp=NOW)),
        POOL.sign(access_claims(client_id="other")),
        POOL.sign(id_claims()),
        "a.b.c",
        "x" * 20_000,
    ]
) | st.text(max_size=60)

CREDENTIALS = st.sampled_from(
    [basic(), basic(password="wrong"), basic(user="unknown"), f"Bearer {machine_token()}", f"Bearer {POOL.sign()}"]
) | st.text(max_size=40)

FORMS = st.builds(
    lambda pairs, joint: joint.join(urlencode({name: value}, errors="replace") for name, value in pairs),
    st.lists(
        st.tuples(
            st.sampled_from(["token", "token_type_hint", "client_id", "client_secret", "client_assertion", "x"])
            | st.text(max_size=5),
            TOKENS | st.sampled_from([SECRET, "orders-api", "wrong"]),
        ),
        max_size=5,
    ),
    st.sampled_from(["&", ";", "&&", ""]),
)

WHOLE = st.builds(
    lambda form, credentials, method, media_type, encode: event(
        body=form.encode(errors="replace").decode(),
        authorization=credentials,
        method=method,
        media_type=media_type,
        encode=encode,
    ),
    FORMS | st.text(max_size=40),
    CREDENTIALS,
    st.sampled_from(["POST"] * 6 + ["GET", "PUT", ""]),
    st.sampled_from([FORM] * 6 + ["application/json", "text/plain", "", None]),
    st.booleans(),
)

MEMBERS = st.sampled_from(
    ["headers", "requestContext", "body", "isBase64Encoded", "rawQueryString", "rawPath", "version", "cookies"]
)

EVENTS = st.one_of(
    WHOLE,
    st.builds(lambda http_event, changes: {**http_event, **changes}, WHOLE, st.dictionaries(MEMBERS, JSON, max_size=3)),
    st.builds(lambda http_event, gone: {name: http_event[name] for name in http_event if name != gone}, WHOLE, MEMBERS),
    st.builds(
        lambda http_event, name, value: {**http_event, "headers": {**http_event["headers"], name: value}},
        WHOLE,
        st.sampled_from(["authorization", "Authorization", "content-type", "x"]) | st.text(max_size=8),
        JSON,
    ),
    st.dictionaries(MEMBERS | st.text(max_size=5), JSON, max_size=6),
)


def check(answer: Answer) -> int:
    """An answer is one of those that are documented; returns its status."""
    assert_never_cached_json(answer)
    response = answer.response
    assert response.keys() == {"statusCode", "headers", "body"}
    status: int = response["statusCode"]
    assert answer.code in MEANING[status], (status, answer.code)
    members = json.loads(response["body"])
    assert all(isinstance(value, str) and value.isprintable() for value in response["headers"].values())
    if status != 200:
        assert members.keys() == {"error"}
    elif answer.code is None:
        assert members["active"] is True
    else:
        assert members == {"active": False}
    assert ("WWW-Authenticate" in response["headers"]) == (status == 401)
    assert ("Allow" in response["headers"]) == (status == 405)
    assert ("Retry-After" in response["headers"]) == (status == 503)
    return status


@given(EVENTS)
def test_any_event_gets_a_documented_answer(http_event: dict[str, Any]) -> None:
    assert check(introspection().answer(http_event)) != 503, "everything is within reach"


@pytest.mark.parametrize(
    "service",
    [introspection(NoRows()), introspection(revoked=Revoked({}, DOWN))],
    ids=["no table", "no revocations"],
)
@given(http_event=EVENTS)
def test_any_event_gets_a_documented_answer_while_the_table_is_down(
    service: Introspection, http_event: dict[str, Any]
) -> None:
    check(service.answer(http_event))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    http_event=EVENTS,
    token=TOKENS,
    credentials=st.none() | CREDENTIALS,
    secret=st.sampled_from(["", SECRET, "a wrong secret"]) | st.text(max_size=40),
)
def test_nothing_from_a_token_or_a_secret_gets_into_the_answer_or_the_log(
    caplog: pytest.LogCaptureFixture, http_event: dict[str, Any], token: str, credentials: str | None, secret: str
) -> None:
    """The fixture only collects; that it outlives the examples does no harm."""
    http_event = {
        **http_event,
        "headers": {"content-type": FORM} | ({} if credentials is None else {"authorization": credentials}),
        "body": encoded(
            urlencode(
                {"token": token, "client_id": "orders-api", "client_secret": secret} if secret else {"token": token},
                errors="replace",
            ).encode()
        ),
        "isBase64Encoded": True,
    }
    with caplog.at_level(logging.DEBUG):
        answer = introspection().answer(http_event)
    output = "".join(map(str, (json.dumps(answer.response), *answer[1:]))) + caplog.text
    for kept in (SECRET, digest(SECRET), basic(), machine_token(), *(part for part in token.split(".") if part)):
        if len(kept) > 8:  # shorter ones may be in an answer by chance
            assert kept not in output
    for sent in (credentials or "", secret):
        assert len(sent) <= 8 or sent not in output


@pytest.mark.parametrize(
    ("http_event", "status"),
    [
        (event(), 200),
        (event(POOL.sign(access_claims(exp=NOW))), 200),
        (event(body="x"), 400),
        (event(authorization="x"), 401),
        (event(method="GET"), 405),
        (event(body="token=" + "x" * 40_000), 413),
        (event(media_type="text/plain"), 415),
    ],
)
def test_the_check_knows_every_answer(http_event: dict[str, Any], status: int) -> None:
    assert check(introspection().answer(http_event)) == status
