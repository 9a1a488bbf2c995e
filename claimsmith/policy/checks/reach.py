"""Rules that never apply: switched off, or with a condition that no sign-in can make true.

Only what is certain is said. A path is tried with every value that it could have where the condition is true; what the
other paths have stays open. Where no value leaves the condition possible, it is never true.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from claimsmith.cognito.event import SOURCES
from claimsmith.engine.language.conditions import OPERATORS, fields
from claimsmith.engine.language.paths import MISSING
from claimsmith.errors import Code
from claimsmith.policy.checks.conditions import parts
from claimsmith.policy.finding import found

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from claimsmith.policy.finding import Finding
    from claimsmith.policy.reading import Policy

_ACTIVE: Final = ("active", MISSING)

#: Every value of paths that have few: before a rule is asked, other sources are refused, and so is who is not active.
_DOMAINS: Final[Mapping[str, Sequence[Any]]] = {
    "request.source": tuple(sorted(SOURCES)),
    "user.status": _ACTIVE,
    "tenant.status": _ACTIVE,
}


def check(policy: Policy) -> Iterator[Finding]:
    """Rules that never apply. Takes only conditions that lint has no error for."""
    for name, rule in policy.rules.items():
        entry = policy.entries["rules"][name]
        if not rule.enabled:
            yield found(Code.RULE_NEVER_APPLIES, entry, ("enabled",), "the rule is not enabled")
        elif rule.when is not None and never(rule.when):
            yield found(Code.RULE_NEVER_APPLIES, entry, ("when",), "this condition can never be true")


def never(condition: Mapping[str, Any]) -> bool:
    """Whether a condition is certainly false, whatever is known."""
    if _outcome(condition, {}) is False:
        return True
    inner = [part for _, part in parts(condition) if isinstance(part, dict)]
    if "all" in condition and any(map(never, inner)):
        return True
    if "any" in condition:
        return all(map(never, inner))
    for path in sorted(set(fields(condition))):
        candidates = _candidates(condition, path)
        if candidates is not None and all(_outcome(condition, {path: value}) is False for value in candidates):
            return True
    return _ranges_apart(condition)


def _outcome(condition: Mapping[str, Any], known: Mapping[str, Any]) -> bool | None:
    """What a condition is where only these paths are known; None where that leaves it open."""
    if "field" in condition:
        return _leaf(condition, known)
    inner = [_outcome(part, known) for _, part in parts(condition) if isinstance(part, dict)]
    if "not" in condition:
        return None if inner[0] is None else not inner[0]
    decisive = "any" in condition
    if decisive in inner:
        return decisive
    return None if None in inner else not decisive


def _leaf(leaf: Mapping[str, Any], known: Mapping[str, Any]) -> bool | None:
    if leaf["op"] == "in" and not leaf["value"]:
        return False
    if leaf["field"] not in known:
        return None
    if known[leaf["field"]] is MISSING:
        value = leaf.get("value", True)
        return leaf["op"] == "not_equals" or (leaf["op"] == "exists" and value is False)
    return OPERATORS[leaf["op"]].holds(known[leaf["field"]], leaf.get("value", True))


def _candidates(condition: Mapping[str, Any], path: str) -> Sequence[Any] | None:
    """Values of a path of which it must have one where the condition is true; None where that cannot be told."""
    if path in _DOMAINS:
        return _DOMAINS[path]
    for leaf in _conjuncts(condition):
        if leaf.get("field") != path:
            continue
        value = leaf.get("value", True)
        if leaf["op"] == "equals":
            return [value]
        if leaf["op"] == "in":
            return list(value)
        if leaf["op"] == "exists" and value is False:
            return [MISSING]
    return None


def _conjuncts(condition: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Leaves that are all true where the condition is."""
    if "field" in condition:
        yield condition
    elif "all" in condition:
        for part in condition["all"]:
            yield from _conjuncts(part)


def _ranges_apart(condition: Mapping[str, Any]) -> bool:
    """Whether a path would have to be below one number and above another that is no smaller."""
    below: dict[str, Any] = {}
    above: dict[str, Any] = {}
    for leaf in _conjuncts(condition):
        path = leaf["field"]
        if leaf["op"] == "less_than":
            below[path] = min(leaf["value"], below.get(path, leaf["value"]))
        elif leaf["op"] == "greater_than":
            above[path] = max(leaf["value"], above.get(path, leaf["value"]))
    return any(path in above and above[path] >= below[path] for path in below)
