"""Conditions: of the grammar's form, of a bounded size, and able to hold on what their paths yield."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from claimsmith.engine.language.conditions import BRANCHES, MAX_DEPTH, MAX_NODES, OPERATORS
from claimsmith.engine.language.paths import kind
from claimsmith.engine.language.values import CONVERSIONS
from claimsmith.errors import Code
from claimsmith.policy.checks import paths, roles
from claimsmith.policy.checks.values import OF_LISTS
from claimsmith.policy.finding import Near, clipped, found, unquoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from claimsmith.engine.language.conditions import Operand
    from claimsmith.engine.language.paths import Kind
    from claimsmith.policy.draft import Entry
    from claimsmith.policy.finding import Finding, Path
    from claimsmith.policy.reading import Policy

_LEAF: Final = ("field", "as", "op", "value")

#: What an operator's value must be, in words.
_OPERANDS: Final[Mapping[Operand, str]] = {
    "any": "a value that is not null",
    "text": "text",
    "number": "a number",
    "list": "a list of values that are not null",
    "boolean": "true or false",
    "member": "text, a number, true or false",
}

#: The path that yields the roles of a token, all of which exist.
_ROLES: Final = "roles"


def check(policy: Policy) -> Iterator[Finding]:
    """What is wrong with the conditions of rules."""
    for name, rule in policy.rules.items():
        if rule.when is not None:
            entry = policy.entries["rules"][name]
            if _nodes(rule.when, MAX_DEPTH) > MAX_NODES:
                message = f"a condition has at most {MAX_NODES} parts, {MAX_DEPTH} levels deep"
                yield found(Code.CONDITION_TOO_LARGE, entry, ("when",), message)
            else:
                yield from _condition(policy, entry, ("when",), rule.when)


def parts(condition: object) -> Iterator[tuple[Path, object]]:
    """The conditions directly inside a branch, with their places below it."""
    if not isinstance(condition, Mapping):
        return
    for branch in BRANCHES:
        inner = condition.get(branch)
        if isinstance(inner, list):
            yield from (((branch, str(index)), part) for index, part in enumerate(inner))
        elif inner is not None:
            yield (branch,), inner


def _nodes(condition: object, levels: int) -> int:
    """Branches and leaves of a condition; more than are allowed where it has more levels than that."""
    if not levels:
        return MAX_NODES + 1
    return 1 + sum(_nodes(part, levels - 1) for _, part in parts(condition))


def _condition(policy: Policy, entry: Entry, at: Path, condition: object) -> Iterator[Finding]:
    if not isinstance(condition, Mapping):
        yield found(Code.INVALID_CONDITION, entry, at, "a condition is all, any or not; or field, op and value")
        return
    branches = [key for key in condition if key in BRANCHES]
    unknown = [key for key in condition if key not in BRANCHES and key not in _LEAF]
    if unknown:
        form = "; a condition is all, any or not; or field, op and value"
        near = Near((str(unknown[0]),), (*BRANCHES, *_LEAF), form)
        yield found(Code.INVALID_CONDITION, entry, (*at, str(unknown[0])), "no part of a condition", near)
    elif not branches:
        yield from _leaf(policy, entry, at, condition)
    elif len(condition) > 1:
        message = f"{branches[0]} stands alone; put what is beside it inside all"
        yield found(Code.INVALID_CONDITION, entry, at, message)
    elif branches[0] != "not" and not (isinstance(condition[branches[0]], list) and condition[branches[0]]):
        message = f"{branches[0]} holds a list of at least one condition"
        yield found(Code.INVALID_CONDITION, entry, (*at, branches[0]), message)
    elif branches[0] == "not" and not isinstance(condition["not"], Mapping):
        yield found(Code.INVALID_CONDITION, entry, (*at, "not"), "not holds one condition")
    else:
        for path, part in parts(condition):
            yield from _condition(policy, entry, (*at, *path), part)


def _leaf(policy: Policy, entry: Entry, at: Path, leaf: Mapping[str, Any]) -> Iterator[Finding]:
    path, operator = leaf.get("field"), leaf.get("op")
    if not isinstance(path, str) or not isinstance(operator, str):
        missing = "field" if not isinstance(path, str) else "op"
        yield found(Code.INVALID_CONDITION, entry, at, f"{missing} is needed, and is text")
        return
    unknown_path = paths.unknown(entry, (*at, "field"), path)
    if unknown_path:
        yield unknown_path
    conversion = leaf.get("as")
    if "as" in leaf and (wrong := _conversion(path, conversion)):
        yield found(Code.INVALID_CONDITION, entry, (*at, "as"), *wrong)
    elif operator not in OPERATORS:
        message = f"there is no op {clipped(operator)}"
        yield found(Code.UNKNOWN_OPERATOR, entry, (*at, "op"), message, Near((operator,), OPERATORS))
    elif "value" not in leaf and operator != "exists":
        yield found(Code.INVALID_CONDITION, entry, at, f"{operator} needs a value")
    elif "value" in leaf and not _is(OPERATORS[operator].operand, leaf["value"]):
        message = f"the value of {operator} is {_OPERANDS[OPERATORS[operator].operand]}"
        yield found(Code.INVALID_CONDITION, entry, (*at, "value"), message)
    elif not unknown_path and "value" in leaf:
        yield from _holds(policy, entry, at, leaf)


def _conversion(path: str, conversion: object) -> tuple[str, Near | None] | None:
    """What is wrong with a leaf's ``as``, and what could have been meant."""
    if not isinstance(conversion, str) or conversion not in CONVERSIONS:
        near = Near((conversion,), CONVERSIONS) if isinstance(conversion, str) else None
        return f"as is one of {', '.join(CONVERSIONS)}", near
    if kind(path) == "list" and conversion not in OF_LISTS:
        return f"{clipped(path)} is a list, which is no {conversion}", None
    return None


def _is(operand: Operand, value: object) -> bool:
    """Whether a value is what an operator takes."""
    match operand:
        case "any":
            return value is not None
        case "text":
            return isinstance(value, str)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "list":
            return isinstance(value, list) and None not in value
        case "boolean":
            return isinstance(value, bool)
        case "member":
            return isinstance(value, str | int | float)


def _holds(policy: Policy, entry: Entry, at: Path, leaf: Mapping[str, Any]) -> Iterator[Finding]:
    """Whether the operator can hold on what the field yields at all."""
    path, operator, value, conversion = leaf["field"], leaf["op"], leaf["value"], leaf.get("as")
    yields = _CONVERTED.get(conversion, kind(path) or "any")
    field = clipped(path) if conversion is None else f"{clipped(path)} as {conversion}"
    if yields not in OPERATORS[operator].fields:
        message = f"{field} is {_KINDS[yields]}, on which {operator} never holds"
        if operator == "contains":
            message += "; ask for a part of it by contains_text, or for a member of the list that it holds by as: list"
        yield found(Code.NEVER_HOLDS, entry, (*at, "op"), message)
        return
    for place, item in _operands(operator, value, (*at, "value")) if yields != "any" else ():
        # A list that a text holds may have members of any type.
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
    """What the field, or a member of it, is compared with for equality, and where it stands."""
    if operator == "in":
        yield from (((*at, str(index)), item) for index, item in enumerate(value))
    elif operator == "contains" or OPERATORS[operator].operand == "any":
        yield at, value


def _never_equal(field: str, yields: Kind, operator: str, item: object, *, texts: bool) -> str | None:
    """Why something is never equal to a field of this kind, or to a member of it (``texts``: all of them are text)."""
    if yields == "text" or operator == "contains":
        if isinstance(item, str) or not (texts or yields == "text"):
            return None
        what = "holds only text" if yields == "list" else "is text"
        when = "always" if operator == "not_equals" else "never"
        return f"{field} {what} and this value is not, so {operator} {when} holds{unquoted(item)}"
    if isinstance(item, list) and (not texts or all(isinstance(member, str) for member in item)):
        return None
    return f"{field} is a list, which {operator} compares as a whole; ask for one member by contains"


def _texts(value: object, at: Path) -> Iterator[tuple[Path, str]]:
    """The texts in a value, at any depth of lists, with their places."""
    if isinstance(value, str):
        yield at, value
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, (*at, str(index)))


#: What a conversion yields, where it yields anything.
_CONVERTED: Final[Mapping[object, Kind]] = {
    "string": "text",
    "number": "any",
    "boolean": "any",
    "list": "list",
    "json": "any",
}

_KINDS: Final[Mapping[Kind, str]] = {"text": "text", "list": "a list", "any": "of any type"}
