"""Equal policies compile to equal bytes; what is compiled is closed and sorted."""

from __future__ import annotations

from typing import Any

from claimsmith.engine.bundle import encode
from claimsmith.policy import compile as compile_policy
from claimsmith.policy import from_rows
from tests.policies import policy_rows


def compiled(**sections: Any) -> dict[str, Any]:  # noqa: ANN401 - passed on to policy_rows
    return compile_policy(from_rows(policy_rows(**sections)))


def test_the_order_of_rows_and_of_names_does_not_matter() -> None:
    rows = policy_rows(
        roles={"b": {"scopes": ["y", "x", "y"]}, "a": {"inherits": ["b"]}}, groups={"G": {"roles": ["b", "a"]}}
    )
    turned = [dict(row) for row in reversed(rows)]
    for row in turned:
        for name in ("scopes", "roles"):
            if name in row:
                row[name] = frozenset(row[name])
    assert encode(compile_policy(from_rows(rows))) == encode(compile_policy(from_rows(turned)))


def test_what_decides_nothing_is_not_compiled() -> None:
    said = {"description": "x", "updated_by": "someone", "updated_at": 1_800_000_000, "ttl": 1_900_000_000}
    assert compiled(settings=said, roles={"a": said}) == compiled(roles={"a": {}})


def test_inheritance_is_closed_at_any_depth() -> None:
    chain = {f"r{number:02d}": {"inherits": [f"r{number + 1:02d}"]} for number in range(30)} | {"r30": {}}
    assert compiled(roles=chain)["roles"]["r00"]["closure"] == [f"r{number:02d}" for number in range(31)]


def test_claims_are_told_by_token() -> None:
    role = compiled(roles={"a": {"claims": {"x": 1, "y": 1}, "access_claims": {"y": 2}}})["roles"]["a"]
    assert (role["access_claims"], role["id_claims"]) == ({"x": 1, "y": 2}, {"x": 1, "y": 1})


def test_a_set_among_claims_becomes_a_sorted_list() -> None:
    role = compiled(roles={"a": {"claims": {"tags": frozenset({"b", "a"})}}})["roles"]["a"]
    assert role["id_claims"] == {"tags": ["a", "b"]}
