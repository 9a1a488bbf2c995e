"""Conditions: their syntax, their size, and whether they can hold for the type of their paths."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from claimsmith.engine.language.conditions import BRANCHES, MAX_DEPTH, MAX_NODES, OPERATORS
from claimsmith.engine.language.paths import kind
from claimsmith.engine.language.values import CONVERSIONS
from claimsmith.errors import Code
from claimsmith.policy.checks import paths, roles
from claimsmith.policy.checks.values import LIST_CONVERSIONS
from claimsmith.policy.finding import Suggestion, clipped, found, quoting_hint
from claimsmith.policy.operands import OPERANDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from claimsmith.engine.language.paths import Kind
    from claimsmith.policy.draft import Entry
    from claimsmith.policy.finding import Finding, Path
    from claimsmith.policy.reading import Policy

_LEAF: Final = ("field", "as", "op", "value")

#: The path to the roles of a token; it can only contain roles that exist.
_ROLES: Final = "roles"


def check(policy: Policy) -> Iterator[Finding]:
    """Yield the errors in the conditions of rules."""
    for name, rule in policy.rules.items():
        if rule.when is not None:
            entry = policy.entries["rules"][name]
            if _nodes(rule.when, MAX_DEPTH) > MAX_NODES:
                message = f"a condition has at most {MAX_NODES} parts in {MAX_DEPTH} levels; use in, or several rules"
                yield found(Code.CONDITION_TOO_LARGE, entry, ("when",), message)
            else:
                yield from _condition(policy, entry, ("when",), rule.when)


def parts(condition: object) -> Iterator[tuple[Path, object]]:
    """Yield the conditions directly inside a branch, with their paths."""
    if not isinstance(condition, Mapping):
        return
    for branch in BRANCHES:
        inner = condition.get(branch)
        if isinstance(inner, list):
            yield from (((branch, str(index)), part) for index, part in enumerate(inner))
        elif inner is not None:
            yield (branch,), inner


def _nodes(condition: object, levels: int) -> int:
    """Count the branches and leaves of a condition; over the limit if it has too many levels."""
    if not levels:
        return MAX_NODES + 1
    return 1 + sum(_nodes(part, levels - 1) for _, part in parts(condition))


def _condition(policy: Policy, entry: Entry, at: Path, condition: object) -> Iterator[Finding]:
    if not isinstance(condition, Mapping):
        yield found(Code.INVALID_CONDITION, entry, at, "write all, any or not; or field, op and value")
        return
    branches = [key for key in condition if key in BRANCHES]
    unknown = [key for key in condition if key not in BRANCHES and key not in _LEAF]
    if unknown:
        form = "; write all, any or not; or field, op and value"
        suggestion = Suggestion((str(unknown[0]),), (*BRANCHES, *_LEAF), form)
        yield found(Code.INVALID_CONDITION, entry, (*at, str(unknown[0])), "a condition has no such key", suggestion)
    elif not branches:
        yield from _leaf(policy, entry, at, condition)
    elif len(condition) > 1:
        message = f"{branches[0]} allows no other keys beside it; combine the conditions with all"
        yield found(Code.INVALID_CONDITION, entry, at, message)
    elif branches[0] != "not" and not (isinstance(condition[branches[0]], list) and condition[branches[0]]):
        message = f"{branches[0]} needs a list of at least one condition"
        yield found(Code.INVALID_CONDITION, entry, (*at, branches[0]), message)
    elif branches[0] == "not" and not isinstance(condition["not"], Mapping):
        yield found(Code.INVALID_CONDITION, entry, (*at, "not"), "not needs one condition")
    else:
        for path, part in parts(condition):
            yield from _condition(policy, entry, (*at, *path), part)


def _leaf(policy: Policy, entry: Entry, at: Path, leaf: Mapping[str, Any]) -> Iterator[Finding]:
    path, operator = leaf.get("field"), leaf.get("op")
    if not isinstance(path, str) or not isinstance(operator, str):
        missing = "field" if not isinstance(path, str) else "op"
        yield found(Code.INVALID_CONDITION, entry, at, f"{missing} is required and must be text")
        return
    unknown_path = paths.unknown(entry, (*at, "field"), path)
    if unknown_path:
        yield unknown_path
    conversion = leaf.get("as")
    if "as" in leaf and (wrong := _conversion(path, conversion)):
        yield found(Code.INVALID_CONDITION, entry, (*at, "as"), *wrong)
    elif operator not in OPERATORS:
        message = f"there is no op {clipped(operator)}"
        yield found(Code.UNKNOWN_OPERATOR, entry, (*at, "op"), message, Suggestion((operator,), OPERATORS))
    elif "value" not in leaf and OPERATORS[operator].default is None:
        yield found(Code.INVALID_CONDITION, entry, at, f"{operator} needs a value")
    elif "value" in leaf and not OPERANDS[OPERATORS[operator].operand].accepts(leaf["value"]):
        message = f"the value of {operator} must be {OPERANDS[OPERATORS[operator].operand].words}"
        yield found(Code.INVALID_CONDITION, entry, (*at, "value"), message)
    elif not unknown_path and "value" in leaf:
        yield from _holds(policy, entry, at, leaf)


def _conversion(path: str, conversion: object) -> tuple[str, Suggestion | None] | None:
    """Return what is wrong with ``as`` of a leaf, and a suggestion; None if nothing is."""
    if not isinstance(conversion, str) or conversion not in CONVERSIONS:
        suggestion = Suggestion((conversion,), CONVERSIONS) if isinstance(conversion, str) else None
        return f"as must be one of {', '.join(CONVERSIONS)}", suggestion
    if kind(path) == "list" and conversion not in LIST_CONVERSIONS:
        return f"{clipped(path)} is a list and cannot be read as {conversion}; remove as", None
    return None


def _holds(policy: Policy, entry: Entry, at: Path, leaf: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield a finding if the operator can never hold for the type of the field."""
    path, operator, value, conversion = leaf["field"], leaf["op"], leaf["value"], leaf.get("as")
    yields = _KIND_AFTER.get(conversion, kind(path) or "any")
    field = clipped(path) if conversion is None else f"{clipped(path)} as {conversion}"
    if yields not in OPERATORS[operator].fields:
        message = f"{field} is {_KINDS[yields]}, so {operator} never holds"
        if operator == "contains":
            message += "; use contains_text for a part of the text, or as: list if the text is a list"
        yield found(Code.NEVER_HOLDS, entry, (*at, "op"), message)
        return
    for place, item in _operands(operator, value, (*at, "value")) if yields != "any" else ():
        # A list that was parsed from text may have members of any type.
        wrong = _never_equal(field, yields, operator, item, texts=conversion != "list")
        if wrong is not None:
            yield found(Code.NEVER_HOLDS, entry, place, wrong)
            return
    if path == _ROLES:
        known = policy.entries["roles"]
        for place, name in _texts(value, (*at, "value")):
            if name not in known:
                yield roles.unknown(entry, place, name, known)


def _operands(operator: str, value: Any, at: Path) -> Iterator[tuple[Path, Any]]:  # noqa: ANN401 - a JSON value
    """Yield what the field, or a member of it, is compared with for equality, with its path."""
    if operator == "in":
        yield from (((*at, str(index)), item) for index, item in enumerate(value))
    elif operator == "contains" or OPERATORS[operator].operand == "any":
        yield at, value


def _never_equal(field: str, yields: Kind, operator: str, item: object, *, texts: bool) -> str | None:
    """Return why a value never equals a field of this type, or a member of it (``texts``: all members are text)."""
    if yields == "text" or operator == "contains":
        if isinstance(item, str) or not (texts or yields == "text"):
            return None
        what = "contains only text" if yields == "list" else "is text"
        when = "always" if operator == "not_equals" else "never"
        return f"{field} {what} and this value is not, so {operator} {when} holds{quoting_hint(item)}"
    if isinstance(item, list) and (not texts or all(isinstance(member, str) for member in item)):
        return None
    return f"{field} is a list, and {operator} compares the whole list; use contains for one member"


def _texts(value: object, at: Path) -> Iterator[tuple[Path, str]]:
    """Yield the texts in a value, at any depth of lists, with their paths."""
    if isinstance(value, str):
        yield at, value
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, (*at, str(index)))


#: The type that each conversion yields.
_KIND_AFTER: Final[Mapping[object, Kind]] = {
    "string": "text",
    "number": "any",
    "boolean": "any",
    "list": "list",
    "json": "any",
}

_KINDS: Final[Mapping[Kind, str]] = {"text": "text", "list": "a list", "any": "of any type"}


ERRORS: Final = (check,)
