"""Rules that never apply: switched off, or with a condition that no sign-in can make true.

Only what is certain is said. A field, which is a path with its conversion, is tried with every value that it could have
where the condition is true; what the other fields have stays open. Where no value leaves the condition possible, it is
never true.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

from claimsmith.cognito.event import SOURCES
from claimsmith.engine.language.conditions import OPERATORS
from claimsmith.engine.language.paths import MISSING
from claimsmith.errors import Code
from claimsmith.policy.checks.conditions import parts
from claimsmith.policy.finding import found

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from claimsmith.policy.finding import Finding
    from claimsmith.policy.reading import Policy

#: A path, and what it is read as; empty for as it is.
Field: TypeAlias = tuple[str, str]

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
    for field in sorted(set(_fields(condition))):
        candidates = _candidates(condition, field)
        if candidates is not None and all(_outcome(condition, {field: value}) is False for value in candidates):
            return True
    return _ranges_apart(condition)


def _field(leaf: Mapping[str, Any]) -> Field:
    return leaf["field"], leaf.get("as", "")


def _fields(condition: Mapping[str, Any]) -> Iterator[Field]:
    if "field" in condition:
        yield _field(condition)
    for _, part in parts(condition):
        if isinstance(part, dict):
            yield from _fields(part)


def _outcome(condition: Mapping[str, Any], known: Mapping[Field, Any]) -> bool | None:
    """What a condition is where only these fields are known; None where that leaves it open."""
    if "field" in condition:
        return _leaf(condition, known)
    inner = [_outcome(part, known) for _, part in parts(condition) if isinstance(part, dict)]
    if "not" in condition:
        return None if inner[0] is None else not inner[0]
    decisive = "any" in condition
    if decisive in inner:
        return decisive
    return None if None in inner else not decisive


def _leaf(leaf: Mapping[str, Any], known: Mapping[Field, Any]) -> bool | None:
    if leaf["op"] == "in" and not leaf["value"]:
        return False
    field = _field(leaf)
    if field not in known:
        return None
    if known[field] is MISSING:
        value = leaf.get("value", True)
        return leaf["op"] == "not_equals" or (leaf["op"] == "exists" and value is False)
    return OPERATORS[leaf["op"]].holds(known[field], leaf.get("value", True))


def _candidates(condition: Mapping[str, Any], field: Field) -> Sequence[Any] | None:
    """Values of a field of which it must have one where the condition is true; None where that cannot be told."""
    path, conversion = field
    if path in _DOMAINS and not conversion:
        return _DOMAINS[path]
    for leaf in _conjuncts(condition):
        if _field(leaf) != field:
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
    below: dict[Field, Any] = {}
    above: dict[Field, Any] = {}
    for leaf in _conjuncts(condition):
        field = _field(leaf)
        if leaf["op"] == "less_than":
            below[field] = min(leaf["value"], below.get(field, leaf["value"]))
        elif leaf["op"] == "greater_than":
            above[field] = max(leaf["value"], above.get(field, leaf["value"]))
    return any(field in above and above[field] >= below[field] for field in below)
