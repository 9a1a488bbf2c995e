"""Which rules apply to a token: those that can are found by what they ask, and made ready when they first do."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, overload

from claimsmith.cognito.claims import TOKENS
from claimsmith.engine.bundle import NO_CLAIMS, merged
from claimsmith.engine.language import conditions
from claimsmith.engine.reasons import Reason, new
from claimsmith.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from claimsmith.engine.bundle import Grant, Part, Rule
    from claimsmith.engine.language.conditions import Operator, Test
    from claimsmith.engine.language.paths import EvaluationContext

    #: Makes a rule of what a document has, and of its condition.
    Read = Callable[[Mapping[str, Any], Test | None], Rule]


#: Rules, claims, scopes and groups in what is kept of one policy, and in each set that is; a set itself counts as some.
_MAX_ENTRIES: Final = 16_384
_MAX_SET: Final = 1_024
_SET: Final = 16


class RuleSet(NamedTuple):
    """Rules that apply, and what they do together.

    Attributes:
        rules: in the order of the policy.
        reasons: effects that a rule does not have because it reads what its users or callers can write.
        grants: what each that adds scopes grants.
        suppressed_scopes: each with the row of the first rule that suppresses it; likewise the following.
        groups: those to add.
        claims: what they set in each token, as ``TOKENS`` orders them, and whether it is optional.
        suppressing: those that suppress claims.
    """

    rules: tuple[Rule, ...]
    reasons: tuple[Reason, ...]
    grants: tuple[tuple[Grant, ...], ...]
    suppressed_scopes: Mapping[str, str]
    groups: Mapping[str, str]
    suppressed_groups: Mapping[str, str]
    claims: tuple[tuple[tuple[Part, bool], ...], ...]
    suppressing: tuple[Rule, ...]


def together(rules: tuple[Rule, ...]) -> RuleSet:
    """What these rules do."""
    why = "it reads what its users or callers can write"
    setting = [rule for rule in rules if rule.claims is not NO_CLAIMS]
    latest = rules[::-1]
    return RuleSet(
        rules,
        tuple([new(Reason, ("rule", name, "dropped", rule.row, why, "")) for rule in rules for name in rule.withheld]),
        tuple([rule.grants for rule in rules if rule.grants]),
        {scope: rule.row for rule in latest for scope in rule.suppress_scopes},
        {group: rule.row for rule in latest for group in rule.add_groups},
        {group: rule.row for rule in latest for group in rule.suppress_groups},
        tuple([tuple(_parts(setting, at)) for at in range(len(TOKENS))]),
        tuple([rule for rule in rules if any(rule.suppress_claims)]),
    )


def _parts(rules: list[Rule], at: int) -> Iterator[tuple[Part, bool]]:
    for optional, alike in groupby(rules, key=attrgetter("optional")):
        parts = (rule.claims[at] for rule in alike)
        # Of optional rules, the order in which they set claims counts, too.
        for part in parts if optional else merged(parts):
            yield part, optional


def apply(rules: Sequence[Rule], context: EvaluationContext) -> RuleSet:
    """Those of the policy's rules whose condition is true."""
    if isinstance(rules, Rules):
        return rules.that_apply(context)
    return together(tuple([rule for rule in rules if rule.when is None or rule.when(context)]))


class _Condition:
    """A condition, compiled when it is first asked, and the places of the rules that have it."""

    __slots__ = ("places", "test", "written")

    def __init__(self, written: object) -> None:
        self.written = written
        self.test: Test | None = None
        self.places: list[int] = []


class Rules(Sequence["Rule"]):
    """The rules of a document in their order, which are what they would be in a tuple.

    Reading a document only checks their shape, groups them by condition, and notes for each condition the texts without
    which it cannot hold. Rules are made when somebody asks for them or their condition is first true. Thread-safe: what
    is made twice is the same.
    """

    __slots__ = (
        "_always",
        "_by_text",
        "_conditions",
        "_entries",
        "_made",
        "_operators",
        "_others",
        "_read",
        "_sets",
        "_written",
    )

    def __init__(self, written: Sequence[Mapping[str, Any]], read: Read, operators: Mapping[str, Operator]) -> None:
        """Find out what the rules ask.

        Args:
            written: the rules, as a document has them, of whose shape nothing but ``when`` is checked here.
            read: makes a rule.
            operators: what the names of operators mean in this document.

        Raises:
            ValueError: a condition is none.
        """
        self._written: list[Mapping[str, Any] | None] = [*written]
        self._made: list[Rule | None] = [None] * len(self._written)
        self._read = read
        self._operators = operators
        self._always: list[int] = []
        self._conditions: list[_Condition | None] = []
        self._by_text: dict[str, dict[str, list[_Condition]]] = {}
        self._others: list[_Condition] = []
        self._sets: dict[tuple[int, ...], RuleSet] = {}
        self._entries = 0
        known: dict[str, _Condition] = {}
        for place, rule in enumerate(written):
            when = rule.get("when")
            if when is None:
                self._always.append(place)
                self._conditions.append(None)
                continue
            # Text tells 1 from true, and nothing else that differs looks the same.
            text = repr(when)
            condition = known.get(text)
            if condition is None:
                condition = known[text] = _Condition(when)
                self._note(condition)
            condition.places.append(place)
            self._conditions.append(condition)

    def _note(self, condition: _Condition) -> None:
        required = conditions.required(condition.written, self._operators)
        if required is None:
            self._others.append(condition)
            return
        for path, text in required:
            self._by_text.setdefault(path, {}).setdefault(text, []).append(condition)

    def that_apply(self, context: EvaluationContext) -> RuleSet:
        """Those whose condition is true, and what they do: worked out once for each set that occurs."""
        places = self._always.copy()
        for condition in self._that_may_hold(context):
            if (condition.test or self._test(condition))(context):
                places += condition.places
        places.sort()
        key = tuple(places)
        found = self._sets.get(key)
        if found is None:
            found = together(tuple([self._made[place] or self._make(place) for place in places]))
            listed = found.rules, found.reasons, found.suppressed_scopes, found.groups, found.suppressed_groups
            claims = sum(len(part.literals) + len(part.others) for parts in found.claims for part, _ in parts)
            entries = claims + sum(map(len, listed))
            if entries <= _MAX_SET and self._entries + entries <= _MAX_ENTRIES:
                self._entries += entries + _SET
                self._sets[key] = found
        return found

    def _that_may_hold(self, context: EvaluationContext) -> Iterable[_Condition]:
        """The conditions that can hold, each once."""
        found = dict.fromkeys(self._others)
        for path, by_text in self._by_text.items():
            value = context[path]
            for text in value if isinstance(value, list) else (value,):
                if isinstance(text, str) and text in by_text:
                    found.update(dict.fromkeys(by_text[text]))
        return found

    def _test(self, condition: _Condition) -> Test:
        written = condition.written  # before the test, which is there once this is not
        if condition.test is None:
            condition.test = conditions.compiled(written, self._operators)
            condition.written = None
        return condition.test

    def _make(self, place: int) -> Rule:
        written = self._written[place]  # likewise
        rule = self._made[place]
        if rule is None:
            condition = self._conditions[place]
            test = None if condition is None else self._test(condition)
            rule = self._made[place] = self._read(written or {}, test)
            self._written[place] = None
        return rule

    def __len__(self) -> int:
        return len(self._made)

    @overload
    def __getitem__(self, place: int) -> Rule: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[Rule, ...]: ...
    def __getitem__(self, place: int | slice) -> Rule | tuple[Rule, ...]:
        if isinstance(place, slice):
            return tuple([self[at] for at in range(*place.indices(len(self)))])
        return self._made[place] or self._make(range(len(self))[place])
