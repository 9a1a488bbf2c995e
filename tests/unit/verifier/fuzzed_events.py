"""Authorizer events of every kind, whole and broken, with good, bad and mangled tokens."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from tests.unit.verifier.gateway_events import BEARER, POOL, TOKEN, http1, http2, rest_request, rest_token, websocket
from tests.unit.verifier.minting import NOW, access_claims, id_claims

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KINDS: dict[str, Callable[..., dict[str, Any]]] = {
    "HTTP 2.0": http2,
    "HTTP 1.0": http1,
    "REST REQUEST": rest_request,
    "REST TOKEN": rest_token,
    "WebSocket": websocket,
}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10) | st.just(TOKEN),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)

#: Good, each for something else.
GOOD = [TOKEN, POOL.sign(access_claims(scope="openid")), POOL.sign(access_claims(tenant_id="globex", roles=["viewer"]))]

#: No good, and no token at all.
BAD = [
    POOL.sign(access_claims(exp=NOW)),
    POOL.sign(id_claims()),
    POOL.sign(alg="none"),
    "a.b.c",
]


@st.composite
def mangled(draw: st.DrawFn) -> str:
    """The good token with a part exchanged; seldom still the good one."""
    at = draw(st.integers(0, len(TOKEN)))
    return TOKEN[:at] + draw(st.text(max_size=4)) + TOKEN[at + draw(st.integers(0, 4)) :]


CREDENTIALS = st.one_of(
    st.just(BEARER),
    st.builds("{} {}".format, st.sampled_from(["Bearer", "bearer", "Basic", "", "Bearer  "]), st.just(TOKEN)),
    st.sampled_from([*GOOD, *BAD]).map("Bearer {}".format),
    mangled().map("Bearer {}".format),
    st.text(max_size=20),
    st.just(f"{BEARER},{BEARER}"),
    st.none(),
)

SEGMENT = st.one_of(
    st.sampled_from(
        ["orders", "1", "tenants", "acme", "globex", "%61cme", "..", ".", "", "%2f", "%2e%2e", "*", "${a}"]
    ),
    st.text(max_size=8),
)
PATH = st.lists(SEGMENT, max_size=5).map(lambda parts: "/" + "/".join(parts))


def places(value: object, above: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The way to every member of an event, at any depth."""
    members: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in members:
        yield (*above, key)
        yield from places(inner, (*above, key))


@st.composite
def events(draw: st.DrawFn) -> tuple[str, Any]:
    """A kind's name and an event of it: up to three members at any depth replaced, removed or added."""
    kind = draw(st.sampled_from(sorted(KINDS)))
    make, credentials = KINDS[kind], draw(CREDENTIALS)
    template = make(credentials) if kind == "WebSocket" else make(credentials, draw(PATH | st.just("/orders/1")))
    event: Any = copy.deepcopy(template)
    for _ in range(draw(st.integers(0, 3))):
        *above, last = draw(st.sampled_from(sorted(places(event), key=repr) or [("type",)]))
        holder = event
        for key in above:
            holder = holder[key]
        what = draw(st.sampled_from(["replace", "remove", "add"]))
        if what == "remove":
            del holder[last]
        elif what == "replace" or not isinstance(holder, dict):
            holder[last] = draw(JSON)
        else:
            holder[draw(st.sampled_from(["Authorization", "authorization", "AUTHORIZATION"]) | st.text())] = draw(JSON)
        if not event:
            break
    return kind, event
