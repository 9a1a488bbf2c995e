"""Lint warns of a row for any method exactly where the authorizer lets it hide a public row for ``OPTIONS``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import event, example, given
from hypothesis import strategies as st

from claimsmith.errors import Code
from claimsmith.policy import from_rows, lint
from claimsmith.routes import parts
from claimsmith.verifier.routes import Request, is_public
from tests.policies import policy_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_LITERALS = st.sampled_from(["a", "b"])
_PATHS = st.builds(
    lambda inner, last: (
        "/" + "/".join([f"{{v{at}}}" if part == "{}" else part for at, part in enumerate(inner)] + last)
    ),
    st.lists(_LITERALS | st.just("{}"), max_size=3),
    st.sampled_from([[], [], ["{rest+}"]]),
)
#: Only rows for OPTIONS are public here: a public row for any method hides nothing.
_KINDS = st.sampled_from([{}, {"method": "ANY"}, {"method": "GET"}, {"method": "OPTIONS"}, {"method": "OPTIONS"}])


#: A public row whose preflights any other row hides.
PREFLIGHTS = {"method": "OPTIONS", "path": "/{rest+}", "access": "public"}


@st.composite
def route(draw: st.DrawFn) -> dict[str, Any]:
    row: dict[str, Any] = {"path": draw(_PATHS), **draw(_KINDS)}
    if row.get("method") == "OPTIONS" and draw(st.booleans()):
        row["access"] = "public"
    api = draw(st.sampled_from([None, None, "one", "two"]))
    if api is not None:
        row["api"] = api
    return row


def _preflights(row: Mapping[str, Any]) -> Iterable[Request]:
    """Of the row's path, at each API that the row is for: with values that no literal is, and longer than any row."""
    segments = [part if isinstance(part, str) else "x/x/x/x/x" if part.rest else "x" for part in parts(row["path"])]
    for api in [row["api"]] if "api" in row else ["one", "two"]:
        yield Request(api=api, method="OPTIONS", path="/" + "/".join(segments))


@given(
    st.lists(route(), max_size=4),
    st.sampled_from(["/{rest+}", "/{x}/{y}", "/a/{rest+}", "/{x}"]),
    st.sampled_from([{}, {"api": "one"}]),
)
@example([{"path": "/a", "api": "two"}, {**PREFLIGHTS, "api": "one"}], "/{x}/{y}", {})
@example([{"path": "/a"}, {**PREFLIGHTS, "api": "one"}], "/{x}/{y}", {})
@example([{"path": "/a"}, {**PREFLIGHTS, "path": "/a", "api": "one"}], "/{rest+}", {"api": "one"})
def test_a_row_is_reported_if_it_hides_a_public_one(rows: list[dict[str, Any]], path: str, api: dict[str, Any]) -> None:
    rows = [*rows, {"method": "OPTIONS", "path": path, "access": "public", **api}]
    keyed = [{"pk": "POLICY", "sk": f"ROUTE#{at}", **row} for at, row in enumerate(rows)]
    reported = {
        finding.row for finding in lint(from_rows([*policy_rows(), *keyed])) if finding.code == Code.PREFLIGHT_HIDDEN
    }
    public = [row for row in rows if row.get("access") == "public"]
    for key, row in zip(keyed, rows, strict=True):
        others = [other for other in rows if other is not row]
        if f"POLICY {key['sk']}" in reported:
            event("reported")
            assert row.get("method", "ANY") == "ANY"
            # Of the paths that end in anything, some may have a row that is still more specific.
            beside = [[one] for one in public] if "+" in row["path"] else [public]
            among = [[row, *some] for some in beside] if "+" in row["path"] else [rows]
            assert any(
                is_public(some, request) and not is_public(together, request)
                for some, together in zip(beside, among, strict=True)
                for request in _preflights(row)
            )
        elif row.get("method", "ANY") == "ANY":
            # Of the paths that end in anything, a row that is longer matches some only: those are not reported.
            known = [one for one in others if len(parts(one["path"])) <= len(parts(row["path"]))]
            without, whole = (known, [*known, row]) if "+" in row["path"] else (others, rows)
            assert not any(
                is_public(without, request) and not is_public(whole, request) for request in _preflights(row)
            )
