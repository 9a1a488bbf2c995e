"""The size of a document, determined from its bytes alone, and what is not read because of it."""

from __future__ import annotations

import json
import sys
import zlib
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claimsmith.engine.bounds import PUBLISHED, SERVED, Size, rows, size
from claimsmith.engine.codec import BundleError, canonical, decode, encode
from claimsmith.policy import compile as compile_policy
from claimsmith.policy import from_rows
from tests.policies import policy_rows

if TYPE_CHECKING:
    from claimsmith.engine.bundle import Bundle

#: Text with all that JSON writes differently, and all that looks like its structure.
_text = st.text(st.sampled_from('"\\[]{},:a\n\x00ü'), max_size=6)
_values = st.recursive(
    st.one_of(_text, st.integers(), st.booleans(), st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(_text, inner, max_size=4)),
    max_leaves=20,
)


def counted(value: object) -> tuple[int, int]:
    """Values, an empty array or object counted twice, and depth; by going through them."""
    if not isinstance(value, dict | list):
        return 1, 0
    inside = [counted(item) for item in (value.values() if isinstance(value, dict) else value)]
    return 1 + (sum(values for values, _ in inside) or 1), 1 + max((depth for _, depth in inside), default=0)


@given(_values)
def test_values_and_depth_are_those_of_the_parsed_document(value: Any) -> None:  # noqa: ANN401 - a JSON value
    for written in (canonical({"x": value}), json.dumps({"x": value}).encode()):
        assert size(written) == Size(len(written), *counted({"x": value}), 0)


def nested(levels: int) -> Any:  # noqa: ANN401 - a JSON value
    value: Any = "x"
    for level in range(levels):
        value = [value] if level % 2 else {"y": value}
    return value


def test_depth_is_measured_up_to_the_bound_and_no_further() -> None:
    for levels in (0, 1, 39, 40, 41, 500):
        assert size(json.dumps(nested(levels)).encode()).depth == min(levels, SERVED.depth + 1)


def document() -> dict[str, Any]:
    return compile_policy(from_rows(policy_rows(roles={"viewer": {"scopes": ["orders/read"]}})))


def read(content: dict[str, Any]) -> Bundle:
    return decode(*encode(content), 3)


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ({"x": "x" * SERVED.octets}, "2,000,000 bytes of JSON"),
        ({"x": [1] * SERVED.values}, "200,000 values"),
        ({"x": nested(SERVED.depth)}, "40 levels of arrays and objects"),
        ({"groups": {f"g{number}": [] for number in range(SERVED.rows)}}, "8,000 rows"),
    ],
    ids=["bytes", "values", "depth", "rows"],
)
def test_a_document_beyond_a_bound_is_not_read_and_the_error_names_the_bound(more: dict[str, Any], what: str) -> None:
    with pytest.raises(BundleError, match=f"too large to be read: it has more than {what}"):
        read(document() | more)


def test_a_document_within_the_bounds_of_what_is_served_is_read_though_lint_would_refuse_it() -> None:
    groups: dict[str, list[str]] = {f"g{number}": [] for number in range(PUBLISHED.rows + 1)}
    larger = document() | {"groups": groups, "x": [nested(SERVED.depth - 2), "x" * PUBLISHED.octets]}
    assert read(larger).groups.keys() == groups.keys()


def test_nesting_is_refused_whatever_python_would_recurse_through() -> None:
    plain = b'{"format":2,"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(limit + 200_000)
    try:
        with pytest.raises(BundleError, match="40 levels"):
            decode(zlib.compress(plain), sha256(plain).hexdigest(), 3)
    finally:
        sys.setrecursionlimit(limit)


def test_rows_are_those_of_all_sections_and_format_one_has_no_rules() -> None:
    sections: dict[str, Any] = {"roles": {"a": {}}, "groups": {"b": [], "c": []}, "clients": {}, "routes": {"d": {}}}
    assert rows(sections) == 4
    assert rows(sections | {"rules": [{}, {}]}) == 6
