"""No policy that lint accepts makes a sign-in read more than the stated bounds, or do more than its size accounts for.

Counted in bytes, values and calls of functions, never in time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from claimsmith.engine.bounds import PUBLISHED, SERVED, rows, size
from claimsmith.engine.codec import MAX_BYTES, canonical, decode, encode
from claimsmith.errors import Code
from claimsmith.policy import compile as compile_policy
from claimsmith.policy import from_rows, lint
from tests.counting import calls
from tests.policies import policy_rows
from tests.property.strategies import Policy, policies

if TYPE_CHECKING:
    from collections.abc import Callable

#: Calls that decoding makes at most: for any document, for each value, and for each byte (of templates' braces).
CALLS = 300
CALLS_A_VALUE = 25
CALLS_A_BYTE = 2


def check(document: dict[str, Any]) -> None:
    """Within the bounds, and decoded with no more work than they say."""
    written = canonical(document)
    measured = size(written)._replace(rows=rows(document))
    assert measured.excess(PUBLISHED) is None
    assert measured.excess(SERVED) is None
    stored, digest = encode(document)
    assert len(stored) <= MAX_BYTES
    assert calls(lambda: decode(stored, digest, 1)) <= (
        CALLS + CALLS_A_VALUE * measured.values + CALLS_A_BYTE * measured.octets
    )


@given(policies())
def test_any_accepted_policy_decodes_within_what_its_size_accounts_for(policy: Policy) -> None:
    check(compile_policy(from_rows(policy_rows(**policy.sections()))))


_leaf = {"field": "tenant.plan", "op": "equals", "value": "pro"}


def _inherited(name: str, number: int, fan: int) -> dict[str, Any]:
    return {"inherits": [f"{name}{parent:05d}" for parent in range(max(0, number - fan), number)]}


#: What may be large about a policy: by name, what so many of it are, in sections.
_LARGE: dict[str, Callable[[int, int], dict[str, Any]]] = {
    "roles that inherit": lambda n, m: {"roles": {f"r{i:05d}": _inherited("r", i, m % 5) for i in range(n)}},
    "roles with claims": lambda n, m: {
        "roles": {f"r{i:05d}": {"claims": {"x": "x" * (4 * m * m)}, "id_claims": {"y": [1] * m}} for i in range(n)}
    },
    "rules": lambda n, m: {
        "rules": {f"u{i:05d}": {"order": 1, "when": {"any": [_leaf] * (1 + m % 190)}} for i in range(n)}
    },
    "templates": lambda n, m: {
        "rules": {f"u{i:05d}": {"order": 1, "claims": {"x": {"template": "{tenant.id}{{" * m}}} for i in range(n)}
    },
    "groups": lambda n, m: {"groups": {f"g{i:05d}": {"roles": ["viewer"] * m} for i in range(n)}},
    "clients": lambda n, m: {
        "clients": {f"{i:05d}": {"scopes_allowed": [f"s/{scope}" for scope in range(m)]} for i in range(n)}
    },
    "standard claims": lambda n, m: {
        "rules": {
            f"u{i:05d}": {
                "order": 1,
                "when": {"all": [_leaf] * (1 + m % 190)},
                "claims": {name: {"from": "tenant.name"} for name in ("email", "name", "profile", "locale")},
            }
            for i in range(n)
        }
    },
}  # fmt: skip


@settings(max_examples=10)
@given(st.sampled_from(sorted(_LARGE)), st.one_of(st.integers(1, 20), st.integers(20, 300)), st.integers(0, 40))
def test_a_policy_that_is_large_in_some_way_is_refused_or_within_bounds(what: str, number: int, more: int) -> None:
    sections = _LARGE[what](number, more)
    sections["roles"] = {"viewer": {}, **sections.get("roles", {})}
    draft = from_rows(policy_rows(**sections))
    if errors := [finding.code for finding in lint(draft) if finding.severity == "error"]:
        assert errors in ([Code.POLICY_TOO_LARGE], [Code.BUNDLE_TOO_LARGE])
    else:
        check(compile_policy(draft))
