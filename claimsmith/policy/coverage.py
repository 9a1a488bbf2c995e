"""Which rules, roles and routes of a policy its tests depend on.

A test depends on a rule or a role if it comes out differently without it: each is left out in turn, and the test is run
again. What cannot make a difference is not tried: what plays no part in a test's decision, and a rule that has no
effect but claims that the test does not ask about. Tests call no route, so for routes it is the keys that count: a
test depends on a route if it passes and expects a token that the route lets in.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from claimsmith.engine.bundle import Rule
from claimsmith.named_tuple import NamedTuple
from claimsmith.policy.policy_tests import run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from collections.abc import Set as AbstractSet

    from claimsmith.engine.bundle import Bundle, Claims
    from claimsmith.engine.language.conditions import Test as Condition
    from claimsmith.engine.reasons import Reason
    from claimsmith.policy.documents import Expect, Test

    #: What a test came to.
    Result = tuple[tuple[tuple[str, ...], str, str], ...]

_RULE_ROW: Final = "POLICY RULE#"

#: Outcomes of reasons where the length of a token, or how much is in it, decided something.
_TOO_LONG: Final = frozenset({"shed", "refused"})


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
    claims = _claims_alone(bundle)
    for test in tests:
        applied: set[str] = set()
        reasons: list[Reason] = []
        result = _result(test, _observed(bundle, applied), reasons.extend)
        if not any(reason.outcome in _TOO_LONG for reason in reasons):
            asked = _asked(test)
            applied = {row for row in applied if row not in claims or claims[row] & asked}
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


def _claims_alone(bundle: Bundle) -> dict[str, set[str]]:
    """Return the names of the claims of each rule that has no other effect and shares none of them with another row.

    Without such a rule a token is shorter, and otherwise the same.
    """
    rows = [role.claims for role in bundle.roles.values()]
    rows += [client.claims for client in bundle.clients.values()]
    rows += [rule.claims for rule in bundle.rules]
    shared = Counter(name for claims in rows for name in _names(claims))
    alone = {}
    for rule in bundle.rules:
        names = _names(rule.claims)
        if rule == Rule(rule.row, rule.when, rule.optional, rule.claims) and all(shared[name] == 1 for name in names):
            alone[rule.row] = names
    return alone


def _names(claims: Claims) -> set[str]:
    return {name for part in claims for name in (*part.literals, *(name for name, _, _ in part.others))}


def _asked(test: Test) -> set[str]:
    """Return the names of the claims that a test expects, or gives a value by itself."""
    expect, given = test.expect, test.given
    rows = (row for row in (given.user, given.tenant, given.membership) if row is not None)
    held = {name for row in rows for name in (*row.claims, *row.access_claims, *row.id_claims)}
    held |= given.user.attributes.keys() if given.user is not None else set()
    return held | {*expect.access, *expect.id, *expect.absent.access, *expect.absent.id}


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
