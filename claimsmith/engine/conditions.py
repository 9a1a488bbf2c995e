"""Conditions: ``all``, ``any``, ``not`` over leaves ``{field, op, value}``, compiled once into functions.

Types are not coerced: ``"5"`` does not equal ``5``, and ``true`` does not equal ``1``. A missing field makes every
operator false, but ``not_equals`` and ``exists: false``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from claimsmith.engine.paths import MISSING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    #: Reads a path.
    Read = Callable[[str], Any]
    Test = Callable[[Read], bool]

#: Leaves and branches of one condition; a bound on what one sign-in evaluates.
MAX_NODES: Final = 200

#: Levels of ``all``, ``any`` and ``not`` inside each other.
MAX_DEPTH: Final = 16


def same(left: object, right: object) -> bool:
    """Equality that tells numbers from booleans, also inside lists and objects."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    return type(left) is type(right) and left == right if not _numbers(left, right) else left == right


def _numbers(*values: object) -> bool:
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)


def _texts(*values: object) -> bool:
    return all(isinstance(value, str) for value in values)


def _contains(field: Any, value: Any) -> bool:  # noqa: ANN401 - any claim value
    if isinstance(field, list):
        return any(same(item, value) for item in field)
    return _texts(field, value) and value in field


#: Each operator on a field that is there.
OPERATORS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "equals": same,
    "not_equals": lambda field, value: not same(field, value),
    "starts_with": lambda field, value: _texts(field, value) and field.startswith(value),
    "ends_with": lambda field, value: _texts(field, value) and field.endswith(value),
    "contains": _contains,
    "in": lambda field, value: isinstance(value, list) and any(same(field, item) for item in value),
    "exists": lambda _, value: value is True,
    "less_than": lambda field, value: _numbers(field, value) and field < value,
    "greater_than": lambda field, value: _numbers(field, value) and field > value,
}

#: What an operator says of a field that is missing, where that is not "no".
_WHEN_MISSING: Final[Mapping[str, Callable[[Any], bool]]] = {
    "not_equals": lambda _: True,
    "exists": lambda value: value is False,
}


def compiled(condition: Mapping[str, Any]) -> Test:
    """A condition that lint has accepted, as a function of how to read a path.

    Raises:
        ValueError: it is none.
    """
    if "all" in condition:
        every = tuple(compiled(part) for part in condition["all"])
        return lambda read: all(test(read) for test in every)
    if "any" in condition:
        some = tuple(compiled(part) for part in condition["any"])
        return lambda read: any(test(read) for test in some)
    if "not" in condition:
        inner = compiled(condition["not"])
        return lambda read: not inner(read)
    return _leaf(condition)


def _leaf(condition: Mapping[str, Any]) -> Test:
    try:
        path, operator, value = condition["field"], OPERATORS[condition["op"]], condition["value"]
    except KeyError as error:
        raise ValueError("not a condition") from error
    missing = _WHEN_MISSING.get(condition["op"], lambda _: False)(value)

    def test(read: Read) -> bool:
        field = read(path)
        return missing if field is MISSING else operator(field, value)

    return test


def fields(condition: Mapping[str, Any]) -> Iterator[str]:
    """Every path that a condition reads."""
    for branch in ("all", "any"):
        for part in condition.get(branch, ()):
            yield from fields(part)
    if "not" in condition:
        yield from fields(condition["not"])
    if "field" in condition:
        yield condition["field"]
