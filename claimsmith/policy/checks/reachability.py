"""Rules that never apply: disabled, or with a condition that no sign-in can meet.

Reports only what is certain. The search tries each value that one path could have if the condition were true, and
leaves all other paths open. If every value makes the condition false, it can never be true.
"""

from __future__ import annotations

from collections import Counter
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

#: A path and its ``as`` conversion; empty if it has none.
Field: TypeAlias = tuple[str, str]

_ACTIVE: Final = ("active", MISSING)

#: All values of paths that have few: other sources, and inactive users and tenants, are refused before any rule.
_DOMAINS: Final[Mapping[Field, Sequence[Any]]] = {
    ("request.source", ""): tuple(sorted(SOURCES)),
    ("user.status", ""): _ACTIVE,
    ("tenant.status", ""): _ACTIVE,
}

#: The most steps of a search: a base, plus some for each part of the condition and each value in its lists. Only
#: contrived conditions need more.
_STEPS: Final = 1_000
_STEPS_EACH: Final = 32


def check(policy: Policy) -> Iterator[Finding]:
    """Yield the rules that never apply. Their conditions must be free of lint errors."""
    for name, rule in policy.rules.items():
        entry = policy.entries["rules"][name]
        if not rule.enabled:
            yield found(Code.RULE_NEVER_APPLIES, entry, ("enabled",), "the rule is disabled; enable or delete it")
        elif rule.when is not None and is_unsatisfiable(rule.when):
            yield found(
                Code.RULE_NEVER_APPLIES,
                entry,
                ("when",),
                "this condition can never be true; correct it or delete the rule",
            )


def is_unsatisfiable(condition: Mapping[str, Any]) -> bool:
    """Return whether a condition is false for every sign-in.

    Also False if the answer would take more steps than a small multiple of the size of the condition.
    """
    root = _Node(condition)
    try:
        return _Search(_STEPS + _STEPS_EACH * root.size).is_unsatisfiable(root)
    except _TooLongError:
        return False


class _TooLongError(Exception):
    """The search is out of steps."""


class _Node:
    """A branch or leaf of a condition, with what every search needs.

    Attributes:
        inner: the branches and leaves directly inside it.
        by_field: those of them that read a field, by field; for a leaf, its own field.
        open: its outcome if no field is known; None if that depends on a field.
        opens: how many of those inside have each such outcome.
        texts: for a leaf with ``in``, the texts in its list.
        others: for a leaf with ``in``, the other values in its list, compared one by one.
        size: the number of branches, leaves, and values in their lists.
    """

    __slots__ = ("by_field", "condition", "inner", "open", "opens", "others", "size", "texts")

    def __init__(self, condition: Mapping[str, Any]) -> None:
        self.condition = condition
        self.inner: list[_Node] = [_Node(part) for _, part in parts(condition) if isinstance(part, dict)]
        self.by_field: dict[Field, list[_Node]] = {}
        self.opens = Counter(node.open for node in self.inner)
        self.open: bool | None = None
        self.size: int = 1 + sum(node.size for node in self.inner)
        self.texts: frozenset[str] = frozenset()
        self.others: Sequence[Any] = ()
        if "field" in condition:
            self._leaf()
            return
        for node in self.inner:
            for field in node.by_field:
                self.by_field.setdefault(field, []).append(node)
        self.open = self.combined(self.opens)

    def _leaf(self) -> None:
        value = self.condition.get("value")
        self.by_field[_field(self.condition)] = []
        self.size += len(value) if isinstance(value, list) else 0
        if self.condition["op"] == "in" and isinstance(value, list):
            self.open = None if value else False
            self.texts = frozenset(member for member in value if isinstance(member, str))
            self.others = [member for member in value if not isinstance(member, str)]

    def combined(self, outcomes: Mapping[bool | None, int]) -> bool | None:
        """Return the outcome of a branch, from the number of each outcome inside it."""
        if "not" in self.condition:
            return None if outcomes.get(None) else not outcomes.get(True)
        decisive = "any" in self.condition
        if outcomes.get(decisive):
            return decisive
        return None if outcomes.get(None) else not decisive

    def conjuncts(self) -> Iterator[_Node]:
        """Yield leaves that must all be true for the condition to be true."""
        if "field" in self.condition:
            yield self
        elif "all" in self.condition:
            for node in self.inner:
                yield from node.conjuncts()


class _Search:
    """Determines whether a condition can be true, in a limited number of steps."""

    def __init__(self, steps: int) -> None:
        self._left = steps

    def is_unsatisfiable(self, node: _Node) -> bool:
        """Return whether a condition is false for every sign-in.

        Raises:
            _TooLongError: no steps are left.
        """
        self._take(1 + len(node.inner))
        if node.open is False:
            return True
        if "all" in node.condition and any(map(self.is_unsatisfiable, node.inner)):
            return True
        if "any" in node.condition:
            return all(map(self.is_unsatisfiable, node.inner))
        leaves = [leaf.condition for leaf in node.conjuncts()]
        self._take(len(leaves) + len(node.by_field))
        candidates = _candidates(leaves)
        for field in sorted(node.by_field):
            values = candidates.get(field)
            if values is not None and all(self._outcome(node, field, value) is False for value in values):
                return True
        return _ranges_apart(leaves)

    def _outcome(self, node: _Node, field: Field, value: Any) -> bool | None:  # noqa: ANN401 - any claim value
        """Return the outcome of a condition if only this field is known."""
        inner = node.by_field.get(field)
        if inner is None:
            return node.open
        if "field" in node.condition:
            return self._leaf(node, value)
        self._take(1)
        outcomes: Counter[bool | None] = Counter()
        outcomes.update(node.opens)
        for part in inner:
            outcomes[part.open] -= 1
            outcomes[self._outcome(part, field, value)] += 1
        return node.combined(outcomes)

    def _leaf(self, node: _Node, known: Any) -> bool:  # noqa: ANN401 - any claim value
        """Return the outcome of a leaf for a value of its field."""
        operator, value = node.condition["op"], node.condition.get("value", OPERATORS[node.condition["op"]].default)
        if operator == "in" and not value:
            return False
        if known is MISSING:
            return OPERATORS[operator].missing(value)
        if operator == "in" and isinstance(known, str):
            self._take(1)
            return known in node.texts
        among = node.others if operator == "in" else value
        self._take(1 + sum(len(each) for each in (known, among) if isinstance(each, list | dict)))
        return OPERATORS[operator].holds(known, among)

    def _take(self, steps: int) -> None:
        self._left -= steps
        if self._left < 0:
            raise _TooLongError


def _field(leaf: Mapping[str, Any]) -> Field:
    return leaf["field"], leaf.get("as", "")


def _candidates(leaves: Sequence[Mapping[str, Any]]) -> dict[Field, Sequence[Any]]:
    """Return the values that a field can have if these leaves are all true; no entry if they do not limit it."""
    candidates: dict[Field, Sequence[Any]] = {}
    for leaf in leaves:
        value: Any = leaf.get("value", OPERATORS[leaf["op"]].default)
        values: Sequence[Any] | None = None
        if leaf["op"] == "equals":
            values = [value]
        elif leaf["op"] == "in":
            values = value
        elif leaf["op"] == "exists" and value is False:
            values = [MISSING]
        if values is not None and len(values) <= len(candidates.get(_field(leaf), values)):
            candidates[_field(leaf)] = values
    return {**candidates, **_DOMAINS}


def _ranges_apart(leaves: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether a field would have to be below one number and above another that is not smaller."""
    below: dict[Field, Any] = {}
    above: dict[Field, Any] = {}
    for leaf in leaves:
        field = _field(leaf)
        if leaf["op"] == "less_than":
            below[field] = min(leaf["value"], below.get(field, leaf["value"]))
        elif leaf["op"] == "greater_than":
            above[field] = max(leaf["value"], above.get(field, leaf["value"]))
    return any(field in above and above[field] >= below[field] for field in below)


WARNINGS: Final = (check,)
