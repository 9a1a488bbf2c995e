"""Where API Gateway keeps answers: none is given that would open another request.

API Gateway keeps an answer by the identity sources and uses it for every request in which they read the same. A simple
answer opens all of them; a policy opens the ARN that it names.
"""

from __future__ import annotations

from contextlib import suppress
from itertools import product
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from claimsmith.errors import ClaimsmithError, Code, VerificationError
from tests.unit.verifier.gateway_events import (
    BEARER,
    READ,
    VERIFIER,
    authorizer,
    http1,
    http2,
    policy,
    rest_request,
    rest_token,
)
from tests.unit.verifier.gateway_events import TOKEN as TOKEN_TEXT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from claimsmith.verifier import Claims, Verifier
    from claimsmith.verifier.authorizer import Authorizer

TOKEN, ROUTE, METHOD, PATH = (
    "$request.header.Authorization",
    "$context.routeKey",
    "$context.httpMethod",
    "$context.path",
)
HEADER, QUERY = "$request.header.X-Tenant", "$request.querystring.tenant"
ORDER = {"path": "/orders/{id}"}


def outcome(http_event: dict[str, Any], *cached_by: str, row: Mapping[str, object] | None = None) -> str:
    """The response to a valid token with this cache key."""
    try:
        answer = authorizer(row or ORDER, response="simple", cached_by=cached_by).authorize(http_event)
    except VerificationError as error:
        return "error" if error.code == Code.ANSWER_NOT_CACHEABLE else str(error.code)
    return "denied" if answer.code else "allowed"


GET = {"routeKey": "GET /orders/{id}"}


@pytest.mark.parametrize(
    ("cached_by", "expected"),
    [
        ((), "allowed"),
        ((TOKEN, ROUTE, PATH), "allowed"),
        ((TOKEN, METHOD, PATH), "allowed"),
        (("$request.header.AUTHORIZATION", ROUTE, PATH), "allowed"),
        ((TOKEN,), "error"),
        ((TOKEN, ROUTE), "error"),
        ((TOKEN, PATH), "error"),
        ((TOKEN, METHOD), "error"),
        ((ROUTE, PATH), "error"),
        (("$request.header.X-Token", ROUTE, PATH), "error"),
    ],
)
def test_token_method_and_path_must_be_in_the_cache_key(cached_by: tuple[str, ...], expected: str) -> None:
    assert outcome(http2(**GET), *cached_by) == expected


def test_a_route_key_covers_path_and_method_only_if_it_names_them() -> None:
    assert outcome(http2(routeKey="GET /orders/1"), TOKEN, ROUTE) == "allowed"
    assert outcome(http2(routeKey="ANY /orders/1"), TOKEN, ROUTE) == "error"
    assert outcome(http2(routeKey="ANY /orders/1"), TOKEN, ROUTE, PATH) == "error"
    assert outcome(http2(routeKey="ANY /orders/1"), TOKEN, ROUTE, METHOD) == "allowed"
    assert outcome(http2(routeKey="ANY /{proxy+}"), TOKEN, METHOD, PATH) == "allowed"
    for key in ("$default", None, 1):
        assert outcome(http2(routeKey=key), TOKEN, ROUTE, PATH) == "error"
        assert outcome(http2(routeKey=key), TOKEN, METHOD, PATH) == "allowed"


def test_the_cached_answer_of_a_route_without_variables_must_hold_for_a_trailing_slash_too() -> None:
    """Where that one would be refused, no answer is given that would open it."""
    rows: tuple[dict[str, object], ...] = ({"path": "/orders"}, {"path": "/{rest+}", "any_role": ["nobody"]})
    http_event = http2(path="/orders", routeKey="GET /orders")
    with pytest.raises(VerificationError, match=Code.ANSWER_NOT_CACHEABLE):
        authorizer(*rows, response="simple", cached_by=(TOKEN, ROUTE)).authorize(http_event)
    for kept in ((), (TOKEN, METHOD, PATH)):
        assert authorizer(*rows, response="simple", cached_by=kept).authorize(http_event).code is None
    assert authorizer(rows[0], response="simple", cached_by=(TOKEN, ROUTE)).authorize(http_event).code is None
    named = {"path": "/{rest+}", "tenant_from": "header:x-tenant"}
    http_event |= {"headers": {"authorization": BEARER, "x-tenant": "acme"}}
    with pytest.raises(VerificationError, match=Code.ANSWER_NOT_CACHEABLE):
        authorizer(rows[0], named, response="simple", cached_by=(TOKEN, ROUTE)).authorize(http_event)


def test_the_tenant_source_must_be_in_the_cache_key() -> None:
    sent: dict[str, Any] = {
        "headers": {"authorization": BEARER, "x-tenant": "acme"},
        "queryStringParameters": {"tenant": "acme"},
    }
    http_event = http2(**GET, **sent)
    header, query = {**ORDER, "tenant_from": "header:x-tenant"}, {**ORDER, "tenant_from": "query:tenant"}
    assert outcome(http_event, row=header) == outcome(http_event, row=query) == "allowed", "nothing is kept"
    assert outcome(http_event, TOKEN, ROUTE, PATH, row=header) == "error"
    assert outcome(http_event, TOKEN, ROUTE, PATH, HEADER, row=header) == "allowed"
    assert outcome(http_event, TOKEN, ROUTE, PATH, "$request.header.x-TENANT", row=header) == "allowed"
    assert outcome(http_event, TOKEN, ROUTE, PATH, QUERY, row=query) == "error", "it may come twice"
    path = http2(path="/orders/acme", **GET)
    assert outcome(path, TOKEN, ROUTE, PATH, row={**ORDER, "tenant_from": "path:id"}) == "allowed"
    assert outcome(path, TOKEN, ROUTE, HEADER, row={**ORDER, "tenant_from": "path:id"}) == "error"


def test_of_several_deciding_rows_each_ones_tenant_counts() -> None:
    rows = ({**ORDER, "tenant_from": "path:id"}, {"path": "/orders/{x}", "tenant_from": "header:x-tenant"})
    http_event = http2(path="/orders/acme", headers={"authorization": BEARER, "x-tenant": "acme"}, **GET)
    with pytest.raises(VerificationError):
        authorizer(*rows, response="simple", cached_by=(TOKEN, ROUTE, PATH)).authorize(http_event)
    assert (
        authorizer(*rows, response="simple", cached_by=(TOKEN, ROUTE, PATH, HEADER)).authorize(http_event).code is None
    )


@pytest.mark.parametrize("make", [rest_token, rest_request])
def test_a_rest_apis_policy_covers_method_and_path(make: Callable[[], dict[str, Any]]) -> None:
    kept = authorizer(READ, cached_by=("method.request.header.Authorization",))
    assert policy(kept.authorize(make())) == ("Allow", make()["methodArn"])
    with pytest.raises(VerificationError):
        authorizer(READ, cached_by=("context.path",)).authorize(make())


def test_an_http_apis_arn_does_not_cover_method_and_path() -> None:
    """AWS shows a ``routeArn`` that is not of the path beside it; so method and path must be kept by."""
    for http_event in (http2(**GET), http1()):
        with pytest.raises(VerificationError):
            authorizer(READ, cached_by=(TOKEN,)).authorize(http_event)
        assert authorizer(READ, cached_by=(TOKEN, METHOD, PATH)).authorize(http_event).code is None


def test_a_denial_may_always_be_cached() -> None:
    closed: dict[str, object] = {**ORDER, "any_role": ["nobody"]}
    assert outcome(http2(**GET), TOKEN, row=closed) == "denied"


# --- What it is for: no cache makes a difference to who may do what ---------------------------------------------------

TEMPLATES = ["/a", "/a/{x}", "/a/acme", "/{x}/acme", "/{rest+}", "/a/globex"]
ROWS = st.lists(
    st.fixed_dictionaries(
        {"path": st.sampled_from(TEMPLATES)},
        optional={
            "method": st.sampled_from(["GET", "DELETE", "ANY"]),
            "any_role": st.sampled_from([["editor"], ["nobody"]]),
            "tenant_from": st.sampled_from(["path:x", "header:x-tenant", "query:tenant"]),
        },
    ),
    min_size=1,
    max_size=4,
)
ROUTE_KEYS = ["GET /a", "DELETE /a", "ANY /a", "GET /a/{x}", "ANY /a/{x}", "GET /a/acme", "ANY /{proxy+}", "$default"]
TENANTS = [None, "acme", "globex"]


def fits(route_key: str, method: str, path: str) -> bool:
    """Whether API Gateway could choose this route for a request."""
    if route_key == "$default":
        return True
    of, _, template = route_key.partition(" ")
    parts, segments = template.split("/"), path.rstrip("/").split("/")
    same = all(part.startswith("{") or part == segment for part, segment in zip(parts, segments, strict=False))
    return of in ("ANY", method) and same and ("{proxy+}" in template or len(parts) == len(segments))


def request(route_key: str, method: str, path: str, header: str | None, query: str | None) -> dict[str, Any]:
    """A request as an HTTP API passes it to its authorizer."""
    headers = {"authorization": BEARER} | ({} if header is None else {"x-tenant": header})
    return http2(
        BEARER,
        path,
        method,
        routeKey=route_key,
        headers=headers,
        queryStringParameters=None if query is None else {"tenant": query},
    )


REQUESTS = [
    request(*parts)
    for parts in product(
        ROUTE_KEYS,
        ["GET", "DELETE"],
        ["/a", "/a/acme", "/a/globex", "/b/acme", "/a/acme/"],
        TENANTS,
        [*TENANTS, "acme,x"],
    )
    if fits(*parts[:3])
]


def kept_by(asked: dict[str, Any], source: str) -> str | None:
    """What an identity source reads as; of a parameter that comes several times, the first value."""
    kind, _, name = source.rpartition(".")
    if kind == "$request.header":
        header: str | None = asked["headers"].get(name.lower())
        return header
    if kind == "$request.querystring":
        return str((asked["queryStringParameters"] or {}).get(name, "")).partition(",")[0] or None
    values: dict[str, str] = {
        ROUTE: asked["routeKey"],
        METHOD: asked["requestContext"]["http"]["method"],
        PATH: asked["rawPath"],
    }
    return values[source]


class Verified:
    """Verifies one token, once: which tokens are good is not the question here."""

    claims = VERIFIER.verify(TOKEN_TEXT)
    audience = VERIFIER.audience

    def for_any_audience(self) -> Verified:
        return self

    def verify(self, token: str) -> Claims:
        assert token == TOKEN_TEXT
        return self.claims


def simple(rows: list[dict[str, object]], cached_by: tuple[str, ...] = ()) -> Authorizer:
    return authorizer(*rows, response="simple", cached_by=cached_by, verifier=cast("Verifier", Verified()))


@pytest.mark.slow
@settings(max_examples=60)
@given(ROWS, st.sets(st.sampled_from([ROUTE, METHOD, PATH, HEADER, QUERY])))
def test_every_request_served_from_the_cache_would_have_been_allowed(
    rows: list[dict[str, object]], more: set[str]
) -> None:
    """Every request of a small API against every other one that the same answer would be used for."""
    sources = (TOKEN, *sorted(more))
    cached, uncached = simple(rows, sources), simple(rows)
    allowed: set[tuple[str | None, ...]] = set()
    refused: dict[tuple[str | None, ...], dict[str, Any]] = {}
    for asked in REQUESTS:
        key = tuple(kept_by(asked, source) for source in sources)
        if None in key:
            continue  # API Gateway answers 401 by itself
        with suppress(ClaimsmithError):
            if cached.authorize(asked).response["isAuthorized"]:
                allowed.add(key)
        if not uncached.authorize(asked).response["isAuthorized"]:
            refused[key] = asked
    event(f"something is kept: {bool(allowed)}")
    assert not allowed & refused.keys(), refused


def test_a_cache_without_this_check_would_open_another_tenant() -> None:
    """Shows that the test above can fail: the token alone is the cache key, and the authorizer does not know."""
    rows: list[dict[str, object]] = [{"path": "/a/{x}", "tenant_from": "path:x"}]
    own, other = (request("ANY /a/{x}", "GET", f"/a/{tenant}", None, None) for tenant in ("acme", "globex"))
    assert kept_by(own, TOKEN) == kept_by(other, TOKEN)
    assert [simple(rows).authorize(asked).response["isAuthorized"] for asked in (own, other)] == [True, False]
    with pytest.raises(VerificationError, match=Code.ANSWER_NOT_CACHEABLE):
        simple(rows, (TOKEN,)).authorize(own)
