"""What lint costs grows with the policy and no faster, whatever is in it; and what it says stays short.

Counted in calls of functions, Python's own included: that is the same on every machine and under any load.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from claimsmith.engine.bounds import PUBLISHED
from claimsmith.errors import Code
from claimsmith.policy import Draft, from_rows, lint
from claimsmith.policy.checks.reachability import is_unsatisfiable
from claimsmith.policy.finding import MAX_FINDINGS
from tests.counting import calls
from tests.policies import policy_rows

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.slow

Sections = dict[str, Any]


def names(prefix: str, number: int) -> list[str]:
    return [f"{prefix}{at:05d}" for at in range(number)]


def leaf(field: str, op: str, value: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    return {"field": field, "op": op, "value": value}


def unknown_names(n: int) -> Sections:
    return {"roles": {name: {} for name in names("known", n)}, "groups": {"g": {"roles": names("knowm", n)}}}


def circle(n: int) -> Sections:
    ring = names("r", n)
    return {"roles": {name: {"inherits": [ring[at - 1]]} for at, name in enumerate(ring)}}


def unmanaged_prefixes(n: int) -> Sections:
    settings = {"unmanaged_scopes": [f"{name}/*" for name in names("api", n)]}
    return {"settings": settings, "roles": {"r": {"scopes": [f"{name}/x" for name in names("other", n)]}}}


def ceilings(n: int) -> Sections:
    ceiling = {name: {"scopes_allowed": [f"s/{name}"], "claims": {f"c{name}": 1}} for name in names("1", n)}
    open_ = {name: {"suppress_scopes": names("s/", 3)} for name in names("2", n)}
    return {"clients": ceiling | open_, "roles": {"r": {"scopes": names("s/", n)}}}


def disjoint_lists(n: int) -> Sections:
    first, second = (leaf("tenant.plan", "in", names(prefix, n)) for prefix in "ab")
    return {"rules": {"r": {"order": 1, "when": {"all": [first, second]}, "claims": {"x": 1}}}}


def disjoint_numbers(n: int) -> Sections:
    first, second = (leaf("user.claims.n", "in", list(range(start, start + n))) for start in (0, n))
    return {"rules": {"r": {"order": 1, "when": {"all": [first, second]}, "claims": {"x": 1}}}}


def many_rules(n: int) -> Sections:
    """Conditions as large as they may be, of many paths, none of which is ever true."""
    whole = {"any": [{"all": [leaf(f"user.claims.c{at}", "equals", at) for at in range(30)]} for _ in range(6)]}
    when = {"all": [whole, leaf("tenant.plan", "equals", "a"), leaf("tenant.plan", "equals", "b")]}
    return {"rules": {name: {"order": 1, "when": when, "claims": {"x": 1}} for name in names("r", n)}}


def many_paths(n: int) -> Sections:
    """A condition of many paths, that can be true."""
    when = {"all": [leaf(f"user.claims.c{at}", "equals", at) for at in range(n)]}
    return {"rules": {"r": {"order": 1, "when": when, "claims": {"x": 1}}}}


def hidden_preflights(n: int) -> Sections:
    options = {"method": "OPTIONS", "path": "/{rest+}", "access": "public"}
    routes = {name: {"path": f"/{name}/{{id}}"} for name in names("r", n)}
    return {"routes": {name: {**options, "api": name} for name in names("p", n)} | routes}


FAMILIES: dict[Callable[[int], Sections], int] = {
    unknown_names: 500, circle: 200, unmanaged_prefixes: 200, ceilings: 150, disjoint_lists: 300, disjoint_numbers: 300,
    many_rules: 5, many_paths: 48, hidden_preflights: 150,
}  # fmt: skip


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_four_times_the_policy_costs_about_four_times_as_much(family: Callable[[int], Sections]) -> None:
    size = FAMILIES[family]
    small, large = (from_rows(policy_rows(**family(number))) for number in (size, 4 * size))
    assert calls(lambda: lint(large)) < 5 * calls(lambda: lint(small))


class Name(str):
    """A name that counts how often it is looked at in search of a nearest one."""

    __slots__ = ()
    looked_at = 0

    def __len__(self) -> int:
        Name.looked_at += 1
        return super().__len__()


def test_nearest_names_are_looked_for_only_of_findings_that_are_reported() -> None:
    known = [Name(name) for name in names("role", 90)]
    Name.looked_at = 0
    missing = names("rolf", 20_000)
    found = lint(from_rows(policy_rows(roles={name: {} for name in known}, groups={"g": {"roles": missing}})))
    assert found[-1].left_out == len(missing) - (MAX_FINDINGS - 1)
    assert "did you mean role" in found[0].message
    assert Name.looked_at <= 10 * MAX_FINDINGS * len(known)


@pytest.mark.parametrize(
    ("known", "unknown"), [(names("role", 101), "role0000"), (["r" * 33, "viewer"], "r" * 33 + "s")]
)
def test_no_nearest_name_is_looked_for_among_many_or_for_a_long_one(known: list[str], unknown: str) -> None:
    [finding] = lint(from_rows(policy_rows(roles={name: {} for name in known}, groups={"g": {"roles": [unknown]}})))
    assert finding.message == f"there is no role {unknown}"


def test_errors_are_reported_before_warnings_and_all_are_counted() -> None:
    scopes = [f"s/{number}" for number in range(600)]
    policy = policy_rows(clients={"1a": {"scopes_allowed": []}}, roles={"a": {"scopes": scopes}})
    reported = lint(from_rows(policy))
    assert (len(reported), reported[-1].code, reported[-1].left_out) == (MAX_FINDINGS, Code.FINDINGS_CUT, 101)
    failing = {"pk": "POLICY", "sk": "TEST#t", "given": {}, "expect": {"groups": ["Nobody"]}}
    reported = lint(from_rows([*policy, failing]))
    assert (reported[0].code, reported[-1].left_out) == (Code.TEST_FAILED, 102)


@pytest.mark.parametrize(
    "policy",
    [
        policy_rows(roles={"r" * 400_000: {"scopes": ["a b"]}}),
        policy_rows(roles={"r": {"o" * 400_000: 1}}),
        policy_rows(groups={"g": {"roles": ["r" * 400_000]}}),
        policy_rows(rules={"r": {"order": 1, "when": leaf("x" * 400_000, "y", 1)}}),
        policy_rows(roles={"r": {"claims": {"x": {"from": "y" * 400_000}}}}),
        policy_rows(rules={"r": {"order": 1, "claims": {"email": {"from": "request.metadata." + "y" * 400_000}}}}),
        [*policy_rows(), {"pk": "POLICY", "sk": "TEST#t", "given": {}, "expect": {"access": {"a": "y" * 400_000}}}],
        [*policy_rows(), {"pk": "POLICY", "sk": "K" * 400_000}],
    ],
    ids=["row", "attribute", "role", "path", "from", "trust", "test", "unknown row"],
)
def test_every_part_of_a_finding_is_short_whatever_names_are_in_it(policy: list[dict[str, Any]]) -> None:
    found = lint(from_rows(policy))
    assert found
    for finding in found:
        assert len(finding.message) <= 1_000
        assert max(len(finding.row), len(finding.attribute)) <= 300


# The whole policy.


def equal_characters() -> Draft:
    return from_rows(policy_rows(roles={name: {"claims": {"x": "x" * 380_000}} for name in names("r", 45)}))


def large_conditions() -> Draft:
    when = {"any": [leaf("tenant.plan", "equals", f"p{number}") for number in range(199)]}
    return from_rows(policy_rows(rules={name: {"order": 1, "when": when} for name in names("r", 2300)}))


def many_rows() -> Draft:
    return from_rows(policy_rows(groups={name: {} for name in names("g", PUBLISHED.rows)}))


def many_tests() -> Draft:
    tests = [{"pk": "POLICY", "sk": f"TEST#{name}", "expect": {}} for name in names("t", PUBLISHED.rows)]
    return from_rows([*policy_rows(), *tests])


def long_chain() -> Draft:
    chain = names("r", 500)
    return from_rows(policy_rows(roles={name: {"inherits": chain[at - 1 : at]} for at, name in enumerate(chain)}))


def doubled_values() -> Draft:
    """Within bounds as it is written, and beyond them once each token has the claims."""
    return from_rows(policy_rows(roles={"r": {"claims": {name: [1, 2, 3] for name in names("c", 20_000)}}}))


def many_tests_of_a_large_policy() -> Draft:
    """Each test is a decision, and each decision goes through the whole policy."""
    tests = [{"pk": "POLICY", "sk": f"TEST#{name}", "expect": {"access": {"x": 1}}} for name in names("t", 600)]
    return from_rows([*policy_rows(roles={"r": {"id_claims": {"c": [1] * 90_000}}}), *tests])


@pytest.mark.parametrize(
    "draft",
    [
        equal_characters,
        large_conditions,
        many_rows,
        many_tests,
        long_chain,
        doubled_values,
        many_tests_of_a_large_policy,
    ],
)
def test_a_policy_beyond_the_bounds_is_refused_by_that_alone_and_looked_at_no_further(
    draft: Callable[[], Draft],
) -> None:
    made = draft()
    found: list[Any] = []
    most = 60 * (PUBLISHED.values + PUBLISHED.rows)
    assert calls(lambda: found.extend(lint(made))) < most
    assert [(finding.code, finding.row) for finding in found] == [(Code.POLICY_TOO_LARGE, "POLICY SETTINGS")]


def test_the_search_for_what_is_never_true_gives_up_on_a_condition_made_to_keep_it_busy() -> None:
    lists = [leaf("user.claims.x", "in", [[number] for number in range(400)]) for _ in range(20)]
    assert not is_unsatisfiable({"not": {"any": [{"not": {"all": lists}}, leaf("user.claims.x", "equals", [0])]}})


def test_a_thousand_rules_are_a_fraction_of_the_bounds() -> None:
    when = {"all": [leaf("tenant.plan", "in", ["pro", "enterprise"]), leaf("user.groups", "contains", "Staff")]}
    rule = {"order": 1, "when": when, "claims": {"plan": {"from": "tenant.plan"}}}
    assert lint(from_rows(policy_rows(rules=dict.fromkeys(names("r", 1000), rule)))) == []
