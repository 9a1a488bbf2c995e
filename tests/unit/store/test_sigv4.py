"""Signatures, against those that AWS publishes and those that botocore makes of the same requests."""

from __future__ import annotations

import json
import random
from base64 import b64encode
from datetime import UTC, datetime
from functools import cache
from itertools import cycle, product
from typing import TYPE_CHECKING, NamedTuple

import botocore.session
import pytest
from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials

from claimsmith.store.connection import Endpoint
from claimsmith.store.reads import TOKEN_PATH
from claimsmith.store.sigv4 import Credentials, Signer
from claimsmith.store.wire import WireTable

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Of AWS's test suite for Signature Version 4.
SUITE_KEY = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", None)
SUITE_TOKEN = (
    "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthA"
    "x7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9"
    "q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA=="
)
FORM = "application/x-www-form-urlencoded"

#: Name -> more headers, body and signature of the examples that are a POST to "/" without a query.
PUBLISHED = {
    "post-vanilla": ({}, b"", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
    "post-header-key-sort": (
        {"my-header1": "value1"},
        b"",
        "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c",
    ),
    "post-header-value-case": (
        {"my-header1": "VALUE1"},
        b"",
        "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d",
    ),
    "post-x-www-form-urlencoded": (
        {"content-type": FORM},
        b"Param1=value1",
        "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
    ),
    "post-x-www-form-urlencoded-parameters": (
        {"content-type": f"{FORM}; charset=utf8"},
        b"Param1=value1",
        "1a72ec8f64bd914b0e42e42607c7fbce7fb2c7465f63e3092b3b0d39fa77a6fe",
    ),
    "post-sts-header-before": (
        {"x-amz-security-token": SUITE_TOKEN},
        b"",
        "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead",
    ),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_published_examples_have_their_published_signatures(name: str) -> None:
    more, body, signature = PUBLISHED[name]
    headers = dict(sorted({"host": "example.amazonaws.com", "x-amz-date": "20150830T123600Z", **more}.items()))
    signed = Signer("us-east-1", "service").authorization(headers, body, SUITE_KEY)
    assert signed == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        f"SignedHeaders={';'.join(headers)}, Signature={signature}"
    )


REQUESTS = 10_000
OPERATIONS = ("GetItem", "Query", "BatchGetItem")
ODD = "aZ09 /+=%&?#\\\"'\t\n\x00\x7fäßøлأ漢\u2028\ufeff😀\ud800"


def regions() -> list[str]:
    session = botocore.session.get_session()
    found = {
        name for of in session.get_available_partitions() for name in session.get_available_regions("dynamodb", of)
    }
    assert len(found) > 30
    return sorted(found)


class Request(NamedTuple):
    region: str
    time: float
    credentials: Credentials
    operation: str
    body: bytes


def requests(pick: random.Random) -> Iterator[Request]:
    """Each region with and without a token; times, keys and bodies at random."""
    for number, (region, temporary, operation) in zip(
        range(REQUESTS), cycle(product(regions(), (True, False), OPERATIONS)), strict=False
    ):
        access, secret, token = (b64encode(pick.randbytes(pick.choice((12, 30, 60)))).decode() for _ in range(3))
        texts = ["".join(pick.choices(ODD, k=number % 30)) for _ in range(3)]
        body = {"TableName": texts[0], "Key": {"pk": {"S": texts[1]}, "sk": {"S": texts[2]}}}
        credentials = Credentials(access, secret, token if temporary else None)
        yield Request(region, pick.uniform(0, 4e9), credentials, operation, json.dumps(body).encode())


def test_ten_thousand_requests_are_signed_as_botocore_signs_them(monkeypatch: pytest.MonkeyPatch) -> None:
    current: list[Request] = []
    monkeypatch.setattr(auth, "get_current_datetime", lambda: datetime.fromtimestamp(current[-1].time, UTC))

    @cache
    def table(host: str, region: str) -> WireTable:
        credentials, clock = (lambda: current[-1].credentials), (lambda: current[-1].time)
        return WireTable("t", Endpoint(host, 443, tls=True), region, credentials, patience=TOKEN_PATH, clock=clock)

    for request in requests(random.Random(4)):  # noqa: S311 - the same ones each time
        current.append(request)
        host = f"dynamodb.{request.region}.amazonaws.com"
        head, _, sent = table(host, request.region).signed(request.operation, request.body).partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        assert (first, sent) == ("POST / HTTP/1.1", request.body)
        own = {name: headers[name] for name in ("content-type", "x-amz-target")}
        expected = AWSRequest("POST", f"https://{host}/", own, request.body)
        auth.SigV4Auth(BotocoreCredentials(*request.credentials), "dynamodb", request.region).add_auth(expected)
        assert {name: headers.pop(name.lower()) for name in expected.headers} == dict(expected.headers.items())
        assert headers == {"host": host, "content-length": str(len(sent)), "user-agent": "claimsmith"}
