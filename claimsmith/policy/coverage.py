"""Which rules, roles and routes of a policy its tests depend on.

A test depends on a rule or a role if it comes out differently without it: each is left out in turn, and the test is run
again. Those that play no part in a test's decision need not be tried. Tests call no route, so for routes it is the keys
that count: a test depends on a route if it passes and expects a token that the route lets in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from claimsmith.policy.policy_tests import run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from collections.abc import Set as AbstractSet

    from claimsmith.engine.bundle import Bundle, Rule
    from claimsmith.engine.language.conditions import Test as Condition
    from claimsmith.engine.reasons import Reason
    from claimsmith.policy.documents import Expect, Test

    #: What a test came to.
    Result = tuple[tuple[tuple[str, ...], str, str], ...]

_RULE_ROW: Final = "POLICY RULE#"


class Share(NamedTuple):
    """How much of one kind of row tests depend on.

    Attributes:
        total: how many rows there are; disabled rules do not count.
        missing: the names of those that no test depends on, sorted.
    """

    total: int
    missing: tuple[str, ...]

    @property
    def depended_on(self) -> int:
        """How many rows some test depends on."""
        return self.total - len(self.missing)


def measure(bundle: Bundle, tests: Iterable[Test]) -> dict[str, Share]:
    """Return the share of ``rules``, ``roles`` and ``routes`` that these tests depend on.

    Args:
        bundle: the policy.
        tests: its tests, or some of them.
    """
    rules: set[str] = set()
    roles: set[str] = set()
    routes: set[str] = set()
    for test in tests:
        applied: set[str] = set()
        reasons: list[Reason] = []
        result = _result(test, _observed(bundle, applied), reasons.extend)
        for row in applied - rules:
            without = bundle._replace(rules=tuple(rule for rule in bundle.rules if rule.row != row))
            if _result(test, without) != result:
                rules.add(row)
        for role in ({reason.name for reason in reasons if reason.kind == "role"} & bundle.roles.keys()) - roles:
            without = bundle._replace(roles={name: kept for name, kept in bundle.roles.items() if name != role})
            if _result(test, without) != result:
                roles.add(role)
        if not result and test.expect.refused is None:
            held = _held(test.expect, bundle)
            routes |= {name for name, route in bundle.routes.items() if _lets_in(route, *held)}
    return {
        "rules": _share({rule.row.removeprefix(_RULE_ROW) for rule in bundle.rules}, {_id(row) for row in rules}),
        "roles": _share(bundle.roles.keys(), roles),
        "routes": _share(bundle.routes.keys(), routes),
    }


def _share(names: AbstractSet[str], depended_on: AbstractSet[str]) -> Share:
    return Share(len(names), tuple(sorted(names - depended_on)))


def _id(row: str) -> str:
    return row.removeprefix(_RULE_ROW)


def _result(test: Test, bundle: Bundle, observe: Callable[[Iterable[Reason]], None] | None = None) -> Result:
    return tuple((one.path, one.expected, one.got) for one in run(test, bundle, observe))


def _observed(bundle: Bundle, applied: set[str]) -> Bundle:
    """Return the bundle with rules that note when they apply."""
    return bundle._replace(rules=tuple(rule._replace(when=_noting(rule, applied)) for rule in bundle.rules))


def _noting(rule: Rule, applied: set[str]) -> Condition:
    def when(context: Any) -> bool:  # noqa: ANN401 - whatever the rule's own condition takes
        holds = rule.when is None or rule.when(context)
        if holds:
            applied.add(rule.row)
        return holds

    return when


def _held(expect: Expect, bundle: Bundle) -> tuple[set[str], set[str]]:
    """Return the scopes and the roles that a test expects in the access token."""
    roles = expect.access.get(bundle.settings.claim_names.get("roles", ""))
    return set(expect.scopes or ()), set(roles) if isinstance(roles, list) else set()


def _lets_in(route: Mapping[str, Any], scopes: set[str], roles: set[str]) -> bool:
    """Return whether these meet what a route requires. An empty list lets nobody in."""
    return (
        ("any_scope" not in route or bool(scopes & {*route["any_scope"]}))
        and ("any_role" not in route or bool(roles & {*route["any_role"]}))
        and ("all_scopes" not in route or bool(route["all_scopes"] and scopes >= {*route["all_scopes"]}))
    )
