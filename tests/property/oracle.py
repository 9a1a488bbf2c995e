"""What a condition means, written a second time: slow, obvious, and without a line of the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

JsonValue = Any


def kind(value: JsonValue) -> str:
    """The JSON type of a value."""
    match value:
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "text"
        case list():
            return "list"
    return "object"


def equal(left: JsonValue, right: JsonValue) -> bool:
    """Equal in type and value, all the way down."""
    if kind(left) != kind(right):
        return False
    if kind(left) == "list":
        return len(left) == len(right) and all(equal(a, b) for a, b in zip(left, right, strict=True))
    if kind(left) == "object":
        return sorted(left) == sorted(right) and all(equal(left[name], right[name]) for name in left)
    return bool(left == right)


#: Operators that take one type on each side, and what they say of such a pair.
_TYPED: dict[tuple[str, str, str], Callable[[JsonValue, JsonValue], bool]] = {
    ("starts_with", "text", "text"): lambda field, value: [*field][: len(value)] == [*value],
    ("ends_with", "text", "text"): lambda field, value: [*field][::-1][: len(value)] == [*value][::-1],
    ("contains_text", "text", "text"): lambda field, value: field.find(value) >= 0,
    ("less_than", "number", "number"): lambda field, value: field < value,
    ("greater_than", "number", "number"): lambda field, value: value < field,
}


def holds(condition: Mapping[str, Any], known: Mapping[str, JsonValue]) -> bool:
    """Whether a condition holds of these fields; one that is not among them is missing."""
    if "all" in condition:
        return not [part for part in condition["all"] if not holds(part, known)]
    if "any" in condition:
        return bool([part for part in condition["any"] if holds(part, known)])
    if "not" in condition:
        return not holds(condition["not"], known)
    op, value = condition["op"], condition["value"]
    if condition["field"] not in known:
        return op == "not_equals" or (op == "exists" and value is False)
    return _leaf(op, known[condition["field"]], value)


def _leaf(op: str, field: JsonValue, value: JsonValue) -> bool:
    if op == "exists":
        return value is True
    if op in ("equals", "not_equals"):
        return equal(field, value) is (op == "equals")
    if op == "in":
        return kind(value) == "list" and any(equal(field, member) for member in value)
    if op == "contains" and kind(field) == "list":
        return any(equal(member, value) for member in field)
    if not any(op == typed for typed, _, _ in _TYPED) and op != "contains":
        raise NotImplementedError(f"The oracle does not know {op}: add it here.")
    holds = _TYPED.get((op, kind(field), kind(value)))
    return holds is not None and holds(field, value)
