"""Requests that servers read in different ways: every row that one of them may come to must be met."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claimsmith.errors import Code
from claimsmith.routes import segments
from claimsmith.verifier.authorizer import UnauthorizedError
from tests.unit.verifier.gateway_events import (
    API,
    BEARER,
    READ,
    arn,
    authorizer,
    http1,
    http2,
    rest_request,
    rest_token,
    websocket,
)

OPEN: dict[str, object] = {}
CLOSED: dict[str, object] = {"any_role": ["nobody"]}
KINDS = [http2, http1, rest_request, rest_token]


def outcome(event: dict[str, Any], *rows: tuple[str, dict[str, object]]) -> Code | None:
    """The same in whatever order the rows come."""
    dicts = [{"path": path, **attributes} for path, attributes in rows]
    first, second = (authorizer(*order, response="simple").authorize(event).code for order in (dicts, dicts[::-1]))
    assert first == second
    return first


# --- Paths ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", KINDS)
@pytest.mark.parametrize("path", ["/orders/1%2Fadmin", "/orders/1%5cadmin", "/tenants%2Fglobex%2Forders"])
def test_an_encoded_slash_matches_no_row_for_any_kind_of_api(make: Any, path: str) -> None:  # noqa: ANN401 - a maker of events
    rows = [("/orders/{id}", OPEN), ("/{page}", OPEN), ("/{rest+}", OPEN)]
    assert outcome(make(BEARER, path), *rows) == Code.ROUTE_NOT_FOUND


@pytest.mark.parametrize("make", KINDS)
@pytest.mark.parametrize(
    ("path", "decoded", "other"),
    [
        # A router that does not decode takes it for another literal.
        ("/%61dmin", "/admin", "/{slug}"),
        ("/caf%C3%A9", "/caf\u00e9", "/{slug}"),
        # One that decodes as another encoding does, too.
        ("/caf\u00e9", "/caf\u00e9", "/{slug}"),
        # Starlette and Flask take the slash for the beginning of another segment.
        ("/admin/", "/admin", "/{rest+}"),
        ("/admin/", "/admin", "/admin/{rest+}"),
        ("/%61dmin/", "/admin", "/{rest+}"),
    ],
)
def test_the_row_of_each_way_to_read_a_path_must_be_met(make: Any, path: str, decoded: str, other: str) -> None:  # noqa: ANN401 - a maker of events
    event = make(BEARER, path)
    assert outcome(event, (decoded, OPEN), (other, OPEN)) is None
    assert outcome(event, (decoded, CLOSED), (other, OPEN)) == Code.ROLE_MISSING
    assert outcome(event, (decoded, OPEN), (other, CLOSED)) == Code.ROLE_MISSING


def test_a_needless_escape_needs_a_row_for_the_path_as_sent_and_others_do_not() -> None:
    """Who does not decode would come to a handler that no row speaks for."""
    assert outcome(rest_token(path="/%61dmin"), ("/admin", OPEN)) == Code.ROUTE_NOT_FOUND
    assert outcome(rest_token(path="/caf%C3%A9"), ("/caf\u00e9", OPEN)) is None
    assert outcome(rest_token(path="/a%20b/"), ("/a b", OPEN)) is None


def test_every_different_spelling_of_the_path_in_an_event_counts() -> None:
    rows = [("/admin", OPEN), ("/{slug}", CLOSED)]
    assert outcome(http1(path="/admin"), *rows) is None
    assert outcome(http1(path="/admin") | {"path": "/%61dmin"}, *rows) == Code.ROLE_MISSING
    assert outcome(http2(path="/admin", routeArn=arn(path="/%61dmin")), *rows) == Code.ROLE_MISSING
    assert outcome(http1(path="/admin") | {"path": "/mapped/admin"}, *rows) is None, "a custom domain's mapping"


@pytest.mark.parametrize("make", [http1, rest_request, rest_token])
@pytest.mark.parametrize("path", ["/prod/admin", "/%70rod/admin", "/prod/admin/", "/prod/prod/admin"])
def test_any_back_end_may_remove_the_stage_from_a_path(make: Any, path: str) -> None:  # noqa: ANN401 - a maker of events
    """Mangum takes its base path off, and FastAPI its root path, whether it is the stage or only reads like it."""
    assert outcome(make(BEARER, path), ("/{rest+}", OPEN), ("/admin", CLOSED)) == Code.ROLE_MISSING
    assert outcome(make(BEARER, path), ("/{rest+}", OPEN), ("/admin", OPEN)) is None
    assert outcome(make(BEARER, path.replace("rod", "roduct")), ("/{rest+}", OPEN), ("/admin", CLOSED)) is None
    assert outcome(make(BEARER, "/prod"), ("/{rest+}", OPEN), ("/", CLOSED)) == Code.ROLE_MISSING


def test_at_a_custom_domain_a_back_end_may_remove_the_stage_from_a_path() -> None:
    event = http2(path="/prod/admin", routeArn=arn(path="/prod/admin", stage="prod"))
    event["requestContext"]["stage"] = "prod"
    assert outcome(event, ("/{rest+}", OPEN), ("/admin", CLOSED)) == Code.ROLE_MISSING
    assert outcome(event, ("/{rest+}", OPEN), ("/admin", OPEN)) is None


@pytest.mark.parametrize("path", ["/else/admin", "/a/bc/admin"])
def test_at_a_custom_domain_a_back_end_may_remove_as_many_characters_as_the_stage_has(path: str) -> None:
    event = http2(path=path, routeArn=arn(path=path, stage="prod"))
    event["requestContext"]["stage"] = "prod"
    assert outcome(event, ("/{rest+}", OPEN), ("/admin", CLOSED)) == Code.ROLE_MISSING
    assert outcome(event, ("/{rest+}", OPEN), ("/admin", OPEN)) is None


@pytest.mark.parametrize(
    ("key", "path", "taken", "code"),
    [
        ("GET /orders/{id}", "/shop/v1/orders/7", {"id": "7"}, None),
        ("GET /{proxy+}", "/shop/v1/orders/7", {"proxy": "orders/7"}, None),
        ("GET /{proxy+}", "/shop/v1/orders/7/", {"proxy": "orders/7/"}, None),
        ("GET /orders/{id}", "/shop/v1/orders/7", {"id": "8"}, Code.ROUTE_NOT_FOUND),
        ("GET /{proxy+}", "/shop/v1/orders/7", {"proxy": "orders/7?x/8"}, Code.ROUTE_NOT_FOUND),
        ("GET /a/b/c/d/{id}", "/orders/7", {"id": "7"}, Code.ROUTE_NOT_FOUND),
    ],
)
def test_a_custom_domains_mapping_comes_before_the_path_of_an_http_apis_own_route(
    key: str, path: str, taken: dict[str, str], code: Code | None
) -> None:
    rows = [("/shop/v1/orders/{id}", OPEN), ("/orders/{id}", CLOSED)]
    event = http2(path=path, routeKey=key, pathParameters=taken)
    event["requestContext"]["domainName"] = "api.example.com"
    assert outcome(event, *rows) == code
    event["requestContext"]["domainName"] = f"{API}.execute-api.eu-central-1.amazonaws.com"
    assert outcome(event, *rows) == Code.ROUTE_NOT_FOUND, "the API's own address has no mapping"


def test_a_row_is_parsed_once_for_all_readings_of_the_path() -> None:
    """There may be thousands of rows, and a caller chooses how many ways there are."""
    read: list[str] = []

    class Row(dict[str, object]):
        def get(self, key: str, default: object = None) -> object:
            read.append(key)
            return super().get(key, default)

    rows = [Row(path="/prod/{rest+}"), Row(path="/{rest+}"), Row(path="/else")]
    event = http1(path="/prod/%61/caf%C3%A9/", method="HEAD") | {"path": "/prod/a/caf\u00e9/"}
    assert authorizer(*rows, response="simple").authorize(event).code is None
    assert read.count("path") == len(rows)


@pytest.mark.parametrize("method", ["get", "Get", ""])
def test_a_method_that_is_not_in_capitals_matches_no_row(method: str) -> None:
    """Powertools and Flask would take it for one that is."""
    event = http2()
    event["requestContext"]["http"]["method"] = method
    assert outcome(event, ("/{rest+}", OPEN)) == Code.ROUTE_NOT_FOUND


# --- HEAD -------------------------------------------------------------------------------------------------------------

GET: dict[str, object] = {"method": "GET"}
HEAD: dict[str, object] = {"method": "HEAD"}


@pytest.mark.parametrize("make", KINDS)
@pytest.mark.parametrize(
    ("rows", "code"),
    [
        ([("/admin", GET)], None),
        ([("/admin", GET | CLOSED)], Code.ROLE_MISSING),
        ([("/admin", {"method": "POST"})], Code.ROUTE_NOT_FOUND),
        # It does not fall past the row for GET, neither to a laxer one nor to one that is less specific.
        ([("/admin", GET | CLOSED), ("/admin", OPEN)], Code.ROLE_MISSING),
        ([("/admin", GET | CLOSED), ("/{rest+}", OPEN)], Code.ROLE_MISSING),
        ([("/admin", GET | CLOSED), ("/{rest+}", HEAD)], Code.ROLE_MISSING),
        # API Gateway itself, FastAPI and Powertools pass it on to what takes any method.
        ([("/admin", GET), ("/{rest+}", CLOSED)], Code.ROLE_MISSING),
        ([("/admin", GET), ("/{rest+}", HEAD | CLOSED)], Code.ROLE_MISSING),
        # Unless a row names it.
        ([("/admin", GET | CLOSED), ("/admin", HEAD)], None),
        ([("/admin", GET), ("/admin", HEAD | CLOSED)], Code.ROLE_MISSING),
        ([("/admin", CLOSED), ("/admin", HEAD), ("/{rest+}", CLOSED)], None),
    ],
)
def test_head_is_decided_as_get_unless_a_row_names_it(
    make: Any,  # noqa: ANN401 - a maker of events
    rows: list[tuple[str, dict[str, object]]],
    code: Code | None,
) -> None:
    assert outcome(make(BEARER, "/admin", "HEAD"), *rows) == code


def test_a_row_for_head_applies_to_no_other_method() -> None:
    assert outcome(http2(path="/admin"), ("/admin", HEAD)) == Code.ROUTE_NOT_FOUND


# --- $connect ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/{rest+}", "/{slug}", "/$connect/{rest+}", "/$disconnect", "/$default"])
def test_a_websocket_is_opened_only_by_a_row_that_names_connect(path: str) -> None:
    assert outcome(websocket(), (path, OPEN)) == Code.ROUTE_NOT_FOUND
    assert outcome(websocket(), (path, CLOSED), ("/$connect", OPEN)) is None
    assert outcome(websocket(), (path, OPEN), ("/$connect", CLOSED)) == Code.ROLE_MISSING


# --- Headers ----------------------------------------------------------------------------------------------------------

NAMED: tuple[str, dict[str, object]] = ("/orders/{id}", {"tenant_from": "header:X-Tenant"})
TWINS = ["X_Tenant", "x_tenant", "X-TENANT"]


def with_headers(headers: dict[str, str]) -> list[dict[str, Any]]:
    """The same request for each kind of API whose events contain headers."""
    several: dict[str, Any] = {"multiValueHeaders": {name: [value] for name, value in headers.items()}}
    return [
        http2(headers=headers),
        rest_request(headers=headers, **several),
        http1(headers=headers, **several),
        # The two forms need not agree on the name.
        rest_request(headers={}, **several),
        rest_request(headers=headers, multiValueHeaders={}),
    ]


@pytest.mark.parametrize("twin", TWINS)
@pytest.mark.parametrize("value", ["acme", "globex"])
def test_a_tenant_in_two_headers_that_some_server_treats_as_one_is_refused(twin: str, value: str) -> None:
    own = {"Authorization": BEARER, "X-Tenant": "acme"}
    for event in with_headers(own):
        assert outcome(event, NAMED) is None
    for headers in (own | {twin: value}, {twin: value} | own):
        for event in with_headers(headers):
            assert outcome(event, NAMED) == Code.WRONG_TENANT


def test_a_tenant_in_a_header_that_only_some_servers_read_is_refused() -> None:
    for event in with_headers({"Authorization": BEARER, "X_Tenant": "acme"}):
        assert outcome(event, NAMED) == Code.WRONG_TENANT


def test_a_header_that_differs_in_two_forms_of_an_event_counts_twice() -> None:
    event = rest_request(
        headers={"Authorization": BEARER, "X-Tenant": "globex"},
        multiValueHeaders={"Authorization": [BEARER], "X-Tenant": ["acme"]},
    )
    assert outcome(event, NAMED) == Code.WRONG_TENANT


@pytest.mark.parametrize("twin", ["authorization", "AUTHORIZATION", "Author\u0131zation"])
def test_a_token_in_two_headers_that_some_server_treats_as_one_is_refused(twin: str) -> None:
    headers = {"Authorization": BEARER, twin: BEARER}
    several = {name: [value] for name, value in headers.items()}
    assert authorizer(READ, response="simple").authorize(http2(headers=headers)).code == Code.TOKEN_MALFORMED
    with pytest.raises(UnauthorizedError):
        authorizer(READ).authorize(rest_request(headers=headers, multiValueHeaders=several))


# --- The query --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "parsed", "code"),
    [
        ("tenant=acme", {"tenant": "acme"}, None),
        ("%74enant=%61cme&x=1&y", {"tenant": "acme", "x": "1", "y": ""}, None),
        ("", {"tenant": "acme"}, None),
        ("tenant=acme&tenant=globex", {"tenant": "acme,globex"}, Code.WRONG_TENANT),
        # If API Gateway does not decode names, or joins the values of none.
        ("tenant=acme&%74enant=globex", {"tenant": "acme", "%74enant": "globex"}, Code.WRONG_TENANT),
        ("tenant=acme&tenant=globex", {"tenant": "acme"}, Code.WRONG_TENANT),
        ("tenant=acme&tenant=", {"tenant": "acme"}, Code.WRONG_TENANT),
    ],
)
def test_a_tenant_that_differs_in_the_two_forms_of_a_query_is_refused(
    raw: str, parsed: dict[str, str], code: Code | None
) -> None:
    event = http2(rawQueryString=raw, queryStringParameters=parsed)
    assert outcome(event, ("/orders/{id}", {"tenant_from": "query:tenant"})) == code


# --- Rows that no request can match -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "path"),
    [
        ("/reports/Q1%202025", "/reports/Q1%202025"),
        ("/caf%C3%A9/admin", "/caf%C3%A9/admin"),
        ("/100%25/admin", "/100%25/admin"),
        ("/caf%25C3%25A9/{id}", "/caf%C3%A9/1"),
        ("/%61dmin", "/admin"),
        ("/admin/", "/admin"),
        ("//admin", "/admin"),
        ("admin", "/admin"),
        ("/admin;v=1", "/admin"),
        ("/admin.", "/admin"),
        ("/a%2Fb", "/a/b"),
        ("/a\\b", "/a/b"),
        ("/a/../b", "/b"),
        ("/a/{rest+}/c", "/a/b/c"),
        ("/a/{rest+}/c", "/a"),
        ("/a/x{id}", "/a/xy"),
        ("/a/%ff", "/a/b"),
        ("/{id}/{id}", "/a/b"),
    ],
)
def test_no_laxer_row_applies_instead_of_one_that_no_request_can_match(row: str, path: str) -> None:
    """As versions of the policy from before lint refused such a row may have them."""
    assert segments(path) is not None
    assert outcome(rest_token(path=path), (row, OPEN), ("/{rest+}", OPEN)) == Code.ROUTE_NOT_FOUND


@pytest.mark.parametrize("row", ["/caf%C3%A9/admin", "/a%2Fb", "/a/{rest+}/c", "/a/x{id}", "/a/%ff"])
def test_a_row_that_no_request_can_match_does_not_affect_other_paths(row: str) -> None:
    assert outcome(rest_token(path="/else/where"), (row, OPEN), ("/{rest+}", OPEN)) is None


@pytest.mark.parametrize(
    "changes", [{"path": None}, {"path": 1}, {"method": "get"}, {"method": None}, {"method": 1}, {"api": 1}]
)
def test_a_row_that_is_malformed_otherwise_does_not_affect_other_paths(changes: dict[str, object]) -> None:
    row = {"path": "/orders/{id}"} | changes
    for rows in ((row, {"path": "/{rest+}"}), ({"path": "/{rest+}"}, row)):
        assert authorizer(*rows, response="simple").authorize(http2()).code == Code.ROUTE_NOT_FOUND


@given(st.text(alphabet="/ab.%2Ffe5C3Bb0{}+* ;?#$\\", max_size=16))
def test_no_request_for_a_rows_path_gets_past_the_row(written: str) -> None:
    """Where a path spells a row's own, it is that row that decides, or nothing is let through."""
    event = rest_token(path=written if written.startswith("/") else "/" + written)
    assert outcome(event, (written, CLOSED), ("/{rest+}", OPEN), ("/", OPEN)) is not None
