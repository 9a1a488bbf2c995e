"""Where a request has its token and its tenant; the rows that need no token; AppSync."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from claimsmith.errors import Code, ConfigurationError
from claimsmith.places import places
from claimsmith.verifier.authorizer import Authorizer, UnauthorizedError
from tests.unit.verifier.gateway_events import API, BEARER, POOL, TOKEN, VERIFIER, http2, rest_token, websocket

if TYPE_CHECKING:
    from collections.abc import Mapping

ORIGIN = "https://app.example.com"
COOKIE = {"token_from": ["cookie:id"], "origins": [ORIGIN]}
ORDERS = {"path": "/orders/{id}"}
CONNECT = {"path": "/$connect"}
PUBLIC = {"path": "/health", "access": "public"}
HOST = {**ORDERS, "tenant_from": "host:{tenant}.example.com"}


def code(
    event: dict[str, Any],
    *rows: Mapping[str, object],
    token_from: list[str] | None = None,
    origins: list[str] | None = None,
    cached_by: tuple[str, ...] = (),
) -> Code | None:
    chosen = places(token_from or [], origins or [])
    made = Authorizer(VERIFIER, lambda: rows, response="simple", token_from=chosen, cached_by=cached_by)
    try:
        return made.authorize(event).code
    except UnauthorizedError as error:
        return error.code


def with_headers(method: str = "GET", cookies: list[str] | None = None, **headers: str) -> dict[str, Any]:
    event = http2(None, method=method, headers=headers)
    return event if cookies is None else {**event, "cookies": cookies}


@pytest.mark.parametrize(
    ("event", "setting", "expected"),
    [
        (http2(TOKEN), {}, Code.TOKEN_MALFORMED),
        (http2(TOKEN), {"token_from": ["bearer", "bare"]}, None),
        (http2(f" {TOKEN} "), {"token_from": ["bare"]}, None),
        (rest_token(TOKEN), {"token_from": ["bare"]}, None),
        (http2(BEARER), {"token_from": ["bare"]}, Code.TOKEN_MALFORMED),
        (http2(f"{TOKEN},{TOKEN}"), {"token_from": ["bare"]}, Code.TOKEN_MALFORMED),
        (http2("Basic YTpi"), {"token_from": ["bare"]}, Code.TOKEN_MALFORMED),
        (with_headers(cookie=f"id={TOKEN}"), {}, Code.TOKEN_MALFORMED),
        (with_headers(cookie=f"a=b; id={TOKEN}"), COOKIE, None),
        (with_headers(cookies=["a=b", f"id={TOKEN}"]), COOKIE, None),
        (with_headers(cookies=[f"id={TOKEN}"], Cookie=f"id={TOKEN}"), COOKIE, None),
        (with_headers(cookies=[f"id={TOKEN}"], cookie="id=x"), COOKIE, Code.TOKEN_MALFORMED),
        (with_headers(cookie=f"id={TOKEN}; id={TOKEN}"), COOKIE, Code.TOKEN_MALFORMED),
        (with_headers(cookie=f"id={TOKEN},id=x"), COOKIE, Code.TOKEN_MALFORMED),
        (with_headers(cookie=f"ID={TOKEN}"), COOKIE, Code.TOKEN_MALFORMED),
        (with_headers(cookie=f"id={TOKEN}", authorization=BEARER), COOKIE, Code.TOKEN_MALFORMED),
        (
            with_headers(cookie=f"id={TOKEN}", authorization=BEARER),
            {"token_from": ["bearer", "cookie:id"], "origins": [ORIGIN]},
            Code.TOKEN_MALFORMED,
        ),
        (with_headers("POST", cookie=f"id={TOKEN}"), COOKIE, Code.ORIGIN_NOT_ALLOWED),
        (with_headers("POST", cookie=f"id={TOKEN}", origin="null"), COOKIE, Code.ORIGIN_NOT_ALLOWED),
        (with_headers("POST", cookie=f"id={TOKEN}", origin=ORIGIN + ".evil"), COOKIE, Code.ORIGIN_NOT_ALLOWED),
        (with_headers("POST", cookie=f"id={TOKEN}", origin=f"{ORIGIN},{ORIGIN}"), COOKIE, Code.ORIGIN_NOT_ALLOWED),
        (with_headers("post", cookie=f"id={TOKEN}"), COOKIE, Code.ORIGIN_NOT_ALLOWED),
        (with_headers("DELETE", cookie=f"id={TOKEN}", origin=ORIGIN), COOKIE, None),
        (http2(method="POST"), {"token_from": ["bearer", "cookie:id"], "origins": [ORIGIN]}, None),
    ],
)
def test_a_request_has_one_token_in_a_place_that_is_listed(
    event: dict[str, Any], setting: dict[str, Any], expected: Code | None
) -> None:
    assert code(event, ORDERS, **setting) is expected


@pytest.mark.parametrize(
    ("event", "listed", "expected"),
    [
        (websocket(None, queryStringParameters={"access_token": TOKEN}), [], None),
        (websocket(None, queryStringParameters={"token": TOKEN}), [], Code.TOKEN_MALFORMED),
        (websocket(None, queryStringParameters={"token": TOKEN}), ["query:token"], None),
        (websocket(None, queryStringParameters={"token": BEARER}), ["query:token"], None),
        (websocket(queryStringParameters={"token": TOKEN}), ["bearer", "query:token"], Code.TOKEN_MALFORMED),
        (http2(None, queryStringParameters={"token": TOKEN}), ["query:token"], Code.TOKEN_MALFORMED),
        (websocket(None, headers={"Sec-WebSocket-Protocol": f"bearer, {TOKEN}"}), ["subprotocol:bearer"], None),
        (websocket(None, headers={"Sec-WebSocket-Protocol": f"v1,bearer,{TOKEN}"}), ["subprotocol:bearer"], None),
        (websocket(None, headers={"Sec-WebSocket-Protocol": "bearer"}), ["subprotocol:bearer"], Code.TOKEN_MALFORMED),
        (
            websocket(None, headers={"Sec-WebSocket-Protocol": f"bearer,{TOKEN},bearer,{TOKEN}"}),
            ["subprotocol:bearer"],
            Code.TOKEN_MALFORMED,
        ),
        (
            websocket(None, headers={"Sec-WebSocket-Protocol": f"bearer,{TOKEN}", "Sec_WebSocket_Protocol": "bearer"}),
            ["subprotocol:bearer"],
            Code.TOKEN_MALFORMED,
        ),
    ],
)
def test_a_handshake_may_have_it_in_a_parameter_or_subprotocol(
    event: dict[str, Any], listed: list[str], expected: Code | None
) -> None:
    assert code(event, CONNECT, ORDERS, token_from=listed) is expected


def test_another_site_opens_no_socket_with_a_cookie() -> None:
    cookie = {"Cookie": f"id={TOKEN}"}
    assert (
        code(websocket(None, headers=cookie), CONNECT, token_from=["cookie:id"], origins=[ORIGIN])
        is Code.ORIGIN_NOT_ALLOWED
    )
    mine = {**cookie, "Origin": ORIGIN}
    assert (
        code(websocket(None, multiValueHeaders={}, headers=mine), CONNECT, token_from=["cookie:id"], origins=[ORIGIN])
        is None
    )


@pytest.mark.parametrize(
    ("listed", "origins"),
    [
        (["header:x"], []),
        (["cookie:"], [ORIGIN]),
        (["cookie:a b"], [ORIGIN]),
        (["cookie:id"], []),
        ([], [ORIGIN]),
        (["cookie:id"], ["*"]),
        (["cookie:id"], ["https://app.example.com/"]),
        (["cookie:id"], ["null"]),
    ],
)
def test_places_that_are_not_possible_are_refused(listed: list[str], origins: list[str]) -> None:
    with pytest.raises(ConfigurationError):
        places(listed, origins)


def test_only_the_header_can_be_cached() -> None:
    with pytest.raises(ConfigurationError, match="cached only"):
        code(http2(), ORDERS, cached_by=("$request.header.Authorization",), token_from=["cookie:id"], origins=[ORIGIN])


@pytest.mark.parametrize(
    ("event", "rows", "expected"),
    [
        (http2(None, "/health"), [PUBLIC], None),
        (http2(BEARER, "/health"), [PUBLIC], None),
        (http2("Bearer x", "/health"), [PUBLIC], Code.TOKEN_MALFORMED),
        (http2(None, "/orders/1", "OPTIONS"), [ORDERS, {"path": "/{r+}", "method": "OPTIONS", "access": "public"}],
         Code.TOKEN_MALFORMED),
        (http2(None, "/orders/1", "OPTIONS"), [{"path": "/{r+}", "method": "OPTIONS", "access": "public"}], None),
        (http2(None, "/health"), [PUBLIC, {"path": "/health"}], Code.TOKEN_MALFORMED),
        (http2(None, "/health/"), [PUBLIC, {"path": "/health/{r+}"}], Code.TOKEN_MALFORMED),
        (http2(None, "/%68ealth"), [PUBLIC, {"path": "/{slug}"}], Code.TOKEN_MALFORMED),
        (http2(None, "/health"), [{**PUBLIC, "any_role": ["admin"]}], Code.TOKEN_MALFORMED),
        (http2(None, "/health"), [{**PUBLIC, "access": "Public"}], Code.TOKEN_MALFORMED),
        (http2(None, "/health"), [{**PUBLIC, "access": True}], Code.TOKEN_MALFORMED),
        (http2(None, "/health"), [], Code.TOKEN_MALFORMED),
    ],
)  # fmt: skip
def test_a_public_route_needs_no_token(
    event: dict[str, Any], rows: list[Mapping[str, object]], expected: Code | None
) -> None:
    assert code(event, *rows) is expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("acme.example.com", None),
        ("ACME.Example.com:443", None),
        ("other.example.com", Code.WRONG_TENANT),
        ("acme.example.com.", Code.WRONG_TENANT),
        ("acme.example.com.evil.test", Code.WRONG_TENANT),
        ("x.acme.example.com", Code.WRONG_TENANT),
        ("acme.exampleXcom", Code.WRONG_TENANT),
        ("acme.other.example.com", Code.WRONG_TENANT),
        ("acm\u00e9.example.com", Code.WRONG_TENANT),
        ("acme\u3002example.com", Code.WRONG_TENANT),
        ("acme.example.com:99999999", Code.WRONG_TENANT),
        ("acme.example.com, acme.example.com", Code.WRONG_TENANT),
        ("user@acme.example.com", Code.WRONG_TENANT),
    ],
)
def test_the_tenant_may_be_a_label_of_the_host(host: str, expected: Code | None) -> None:
    token = f"Bearer {POOL.sign(tenant_id='acme')}"
    headers = {"authorization": token, "host": host, "x-forwarded-host": "acme.example.com"}
    assert code(http2(headers=headers), HOST) is expected


@pytest.mark.parametrize("pattern", ["host", "host:{tenant}", "host:{tenant}.com", "host:{tenant}.{tenant}.com.x",
                                     "host:a{tenant}.example.com", "host:{tenant}.EXAMPLE.com"])  # fmt: skip
def test_a_host_is_named_whole(pattern: str) -> None:
    token = f"Bearer {POOL.sign(tenant_id='acme')}"
    event = http2(headers={"authorization": token, "host": "acme.example.com"})
    assert code(event, {**HOST, "tenant_from": pattern}) is Code.ROUTE_NOT_FOUND


def test_a_cached_answer_for_a_host_needs_it_in_the_key() -> None:
    token = f"Bearer {POOL.sign(tenant_id='acme')}"
    event = http2(headers={"authorization": token, "host": "acme.example.com"})
    key = ("$request.header.Authorization", "$context.httpMethod", "$context.path")
    with pytest.raises(Exception, match="CS3063"):
        code(event, HOST, cached_by=key)
    assert code(event, HOST, cached_by=(*key, "$request.header.Host")) is None


def _appsync(token: str, **headers: str) -> dict[str, Any]:
    context = {"apiId": API, "accountId": "123456789012", "requestId": "r", "queryString": "{ orders }"}
    return {"authorizationToken": token, "requestContext": context, "requestHeaders": headers}


def test_appsync_is_answered_in_its_own_form() -> None:
    rows = [{"path": "/graphql", "api": API, "tenant_from": "header:x-tenant"}]
    made = Authorizer(VERIFIER, lambda: rows, response="iam")
    token = POOL.sign(tenant_id="acme")
    for sent in (token, f"Bearer {token}"):
        response = made.authorize(_appsync(sent, **{"x-tenant": "acme"})).response
        assert (response["isAuthorized"], response["deniedFields"], response["ttlOverride"]) == (True, [], 0)
        assert response["resolverContext"]["tenant_id"] == "acme"
    refused = {"isAuthorized": False, "ttlOverride": 0}
    assert made.authorize(_appsync(token, **{"x-tenant": "other"})) == (refused, Code.WRONG_TENANT)
    assert made.authorize(_appsync("x")) == (refused, Code.TOKEN_MALFORMED)
    everything = Authorizer(VERIFIER, lambda: [{"path": "/{rest+}"}], response="iam")
    assert everything.authorize(_appsync(token)).code is Code.ROUTE_NOT_FOUND
