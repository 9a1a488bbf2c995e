"""The authorizer beside real routers: an accepted request reaches no handler whose row it does not satisfy.

Every request is read twice, by the authorizer and by the router of the service behind. What the two read differently
would be a way round a row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from claimsmith.errors import VerificationError
from tests.property.routers import ROUTERS, TENANT_HEADER, Reached, Row, Sent
from tests.unit.verifier.gateway_events import POOL, authorizer
from tests.unit.verifier.minting import access_claims

if TYPE_CHECKING:
    from collections.abc import Sequence

KINDS = ["REST TOKEN", "REST REQUEST", "HTTP 1.0", "HTTP 2.0"]
TENANT = access_claims()["tenant_id"]
OWN, OTHERS = "api/own", "api/others"

TEMPLATES = [
    "/",
    "/orders",
    "/orders/admin",
    "/orders/{id}",
    "/orders/{id}/admin",
    "/orders/{rest+}",
    "/{slug}",
    "/{tenant}/orders",
    "/{a}/{b}",
    "/caf\u00e9",
    "/a b/admin",
    "/{rest+}",
]


WORDS = st.sampled_from(["1", "admin", "orders", TENANT, "globex", "caf\u00e9", "a b", "100%25", "prod", "ADMIN"])

#: What a slash may be written as, or beside, for some reader to see another path.
SLASHES = [
    "%2F",
    "%2f",
    "%5C",
    "\\",
    "%252F",
    "%255C",
    "%25252F",
    "//",
    "/./",
    "/../",
    "/%2e%2e/",
    ";x/",
    "%3Bx/",
    "./",
]
ENDS = ["/", "//", "%2F", ".", "%20", ";x", "%3Bx", "?x", "%3Fx", "%23", "%00", "/..", "/%2e", "%ff"]
ESCAPES = ["%{:02X}", "%{:02x}", "%25{:02X}", "%2525{:02X}"]

METHODS = ["GET", "HEAD", "POST", "OPTIONS", "get", "head"]
HEADERS = st.sampled_from([TENANT_HEADER, TENANT_HEADER, "x-tenant", "X_Tenant", "x_tenant"])
VALUES = st.sampled_from([[TENANT], [TENANT], ["globex"], [TENANT, "globex"]])


@st.composite
def back_ends(draw: st.DrawFn) -> tuple[list[Row], Row]:
    """Rows, most specific first, and the one of them that the caller does not meet, or meets for one tenant only."""
    methods = st.sampled_from(["ANY", "ANY", "GET", "HEAD", "POST"])
    drawn = draw(st.lists(st.tuples(st.sampled_from(TEMPLATES), methods), min_size=2, max_size=4, unique=True))
    path, method = drawn[0]
    named = next((part.strip("{}") for part in path.split("/") if "{" in part and "+" not in part), None)
    source = draw(st.sampled_from([None, f"header:{TENANT_HEADER}", *([f"path:{named}"] if named else [])]))
    closed = Row(path, method, OTHERS if source is None else OWN, source)
    return sorted([closed, *(Row(path, method, OWN) for path, method in drawn[1:])], key=Row.rank), closed


@st.composite
def requests(draw: st.DrawFn, closed: Row) -> Sent:
    """A request that is for the closed row, or that only some reader takes for one."""
    parts: list[str] = []
    for part in closed.path[1:].split("/"):
        parts += draw(st.lists(WORDS, min_size=1, max_size=3 if "+" in part else 1)) if "{" in part else [part]
    path = "/" + parts[0]
    for part in parts[1:]:
        path += draw(st.sampled_from(["/"]) | st.sampled_from(SLASHES)) + part
    at = draw(st.none() | st.integers(1, len(path)))
    if at is not None and at < len(path) and path[at].isascii():
        path = path[:at] + draw(st.sampled_from(ESCAPES)).format(ord(path[at])) + path[at + 1 :]
    path += draw(st.just("") | st.sampled_from(ENDS))
    path = draw(st.sampled_from(["", "", "", "/prod", "/%70rod", "/else"])) + path
    kind = draw(st.sampled_from(KINDS))
    return Sent(
        kind,
        draw(st.sampled_from([closed.method.replace("ANY", "GET"), "HEAD"]) | st.sampled_from(METHODS)),
        quote(path, safe="/%;?\\") if draw(st.booleans()) else path,
        draw(st.dictionaries(HEADERS, VALUES, max_size=2)) if (closed.tenant_from or "").startswith("header") else {},
        draw(st.booleans()),
        draw(st.booleans()),
        draw(st.sampled_from([None, None, True, False])),
    )


EXCHANGES = back_ends().flatmap(lambda drawn: st.tuples(st.just(drawn[0]), requests(drawn[1])))


BEARER = "Bearer " + POOL.sign(access_claims(scope=OWN))


def let_through(behind: Sequence[Row], sent: Sent) -> bool:
    asked = authorizer(*(row.attributes() for row in behind), response="simple")
    try:
        return asked.authorize(sent.asked(BEARER)).code is None
    except VerificationError:
        return False


def is_met(reached: Reached) -> bool:
    """Whether the caller meets the row, as the handler sees the request."""
    kind, _, name = (reached.row.tenant_from or "").partition(":")
    named = reached.tenant_header if kind == "header" else unquote(reached.variables.get(name, ""))
    return reached.row.scope == OWN and (not kind or named == TENANT)


@settings(max_examples=300)
@given(EXCHANGES)
def test_every_request_that_reaches_a_handler_has_met_its_row(drawn: tuple[list[Row], Sent]) -> None:
    behind, sent = drawn
    if not let_through(behind, sent):
        return
    for name, router in ROUTERS.items():
        for reached in router(behind, sent):
            event(f"{name} behind {sent.kind} is reached")
            assert is_met(reached), (name, reached, sent.asked("token"))


@pytest.mark.parametrize("router", ROUTERS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("row", "method", "path"),
    [
        (Row("/orders/{id}", "GET", OWN), "GET", "/orders/1"),
        (Row("/orders/{id}", "GET", OWN), "GET", "/orders/%31"),
        (Row("/{rest+}", "ANY", OWN), "POST", "/orders/1/admin"),
        (Row("/{tenant}/orders", "ANY", OWN, "path:tenant"), "GET", f"/{TENANT}/orders"),
        (Row("/orders", "ANY", OWN, f"header:{TENANT_HEADER}"), "GET", "/orders"),
        (Row("/", "ANY", OWN), "GET", "/"),
        (Row("/a b/admin", "ANY", OWN), "GET", "/a%20b/admin"),
    ],
)
def test_requests_of_every_kind_reach_their_handlers(router: str, kind: str, row: Row, method: str, path: str) -> None:
    """Otherwise the test above could pass by refusing everything, or by routers that find nothing."""
    sent = Sent(kind, method, path, {TENANT_HEADER: [TENANT]})
    if kind == "REST TOKEN" and row.path == "/orders":
        row = Row("/orders", "ANY", OWN)  # such an authorizer receives no headers
    assert let_through([row], sent)
    (reached,) = ROUTERS[router]([row], sent)
    assert reached.row == row
    assert is_met(reached)
