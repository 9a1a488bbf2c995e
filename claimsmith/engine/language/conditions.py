"""Conditions: ``all``, ``any`` and ``not`` over leaves ``{field, as, op, value}``, compiled once into functions.

Types are not coerced: ``"5"`` does not equal ``5``, and ``true`` does not equal ``1``. ``as``, which may be
left out, converts the field first, as it does in values. A field that is missing or does not convert makes every
operator false, but ``not_equals`` and ``exists: false``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal

from claimsmith.engine.language.paths import MISSING
from claimsmith.engine.language.values import CONVERSIONS
from claimsmith.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from claimsmith.engine.language.paths import EvaluationContext

    Test = Callable[[EvaluationContext], bool]

#: Leaves and branches of one condition: a bound on what one sign-in evaluates.
MAX_NODES: Final = 200

#: Levels of ``all``, ``any`` and ``not`` inside each other.
MAX_DEPTH: Final = 16

BRANCHES: Final = ("all", "any", "not")

#: Members of a leaf without ``as``.
_LEAF: Final = 3

#: Operators that hold only where the field is their text, or a list with it.
_OF_ONE_TEXT: Final = ("equals", "contains")

_NUMBERS: Final = frozenset({int, float})
_TEXT: Final = frozenset({str})


def same(left: object, right: object) -> bool:
    """Equality that distinguishes numbers from booleans and text, also inside lists and objects."""
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if type(left) in _NUMBERS and type(right) in _NUMBERS:
        return left == right
    return type(left) is type(right) and left == right


def _texts(field: object, value: object) -> bool:
    return isinstance(field, str) and isinstance(value, str)


def _has_member(field: object, value: object) -> bool:
    return isinstance(field, list) and any(same(item, value) for item in field)


def _has_part(field: Any, value: Any) -> bool:  # noqa: ANN401 - any claim value
    return _texts(field, value) and value in field


def _numbers(field: object, value: object) -> bool:
    return type(field) in _NUMBERS and type(value) in _NUMBERS


#: What an operator's value is: anything but null, text, a number, a list, true or false, or one member of a list.
Operand = Literal["any", "text", "number", "list", "boolean", "member"]


#: Stands for a text of which nothing is known.
ANY_TEXT: Final = "any"


class Operator(NamedTuple):
    """An operator on a field that is there.

    Attributes:
        operand: what its value must be.
        fields: kinds of paths on which it can hold at all.
        holds: of the field and the value.
        missing: whether it holds for a missing field, by its value.
        default: its value where a condition leaves it out; None where it must not.
        samples: fields that it distinguishes, by its value: the plainest for which it holds comes first. An operator
            on lists names members. ``explain`` proposes them, ``plan`` tries them.
    """

    operand: Operand
    fields: frozenset[str]
    holds: Callable[[Any, Any], bool]
    missing: Callable[[Any], bool] = lambda _: False
    default: bool | None = None
    samples: Callable[[Any], Sequence[Any]] = lambda value: (value,)


def _around(*steps: int) -> Callable[[Any], Sequence[Any]]:
    """Numbers beside a number."""
    return lambda value: [value + step for step in steps] if type(value) in _NUMBERS else ()


_ALL: Final = frozenset({"any", "text", "list"})
_TEXTS: Final = frozenset({"any", "text"})
_LISTS: Final = frozenset({"any", "list"})
_OPEN: Final = frozenset({"any"})

OPERATORS: Final[Mapping[str, Operator]] = {
    "equals": Operator("any", _ALL, same),
    "not_equals": Operator("any", _ALL, lambda field, value: not same(field, value), missing=lambda _: True),
    "starts_with": Operator(
        "text",
        _TEXTS,
        lambda field, value: _texts(field, value) and field.startswith(value),
        samples=lambda value: (value, f"{value} {ANY_TEXT}"),
    ),
    "ends_with": Operator(
        "text",
        _TEXTS,
        lambda field, value: _texts(field, value) and field.endswith(value),
        samples=lambda value: (value, f"{ANY_TEXT} {value}"),
    ),
    "contains": Operator("member", _LISTS, _has_member),
    "contains_text": Operator("text", _TEXTS, _has_part, samples=lambda value: (value, f"{value} {ANY_TEXT}")),
    "in": Operator(
        "list",
        _ALL,
        lambda field, value: isinstance(value, list) and any(same(field, item) for item in value),
        samples=lambda value: value if isinstance(value, list) else (),
    ),
    "exists": Operator(
        "boolean",
        _ALL,
        lambda _, value: value is True,
        missing=lambda value: value is False,
        default=True,
        samples=lambda _: (ANY_TEXT,),
    ),
    "less_than": Operator(
        "number", _OPEN, lambda field, value: _numbers(field, value) and field < value, samples=_around(-1, 0, 1)
    ),
    "greater_than": Operator(
        "number", _OPEN, lambda field, value: _numbers(field, value) and field > value, samples=_around(1, 0, -1)
    ),
}

#: The operators of formats 1 and 2 of a bundle, where ``contains`` also meant a part of a text.
OPERATORS_BEFORE_3: Final[Mapping[str, Operator]] = {
    **{name: operator for name, operator in OPERATORS.items() if name != "contains_text"},
    "contains": Operator("member", _ALL, lambda field, value: _has_member(field, value) or _has_part(field, value)),
}


def compiled(condition: object, operators: Mapping[str, Operator] = OPERATORS) -> Test:
    """A condition as a function of its context.

    Args:
        condition: as a document holds it.
        operators: what the names of operators mean in a document of its format.

    Raises:
        ValueError: it is none.
    """
    return _compiled(condition, operators, MAX_DEPTH)


def _compiled(condition: object, operators: Mapping[str, Operator], depth: int) -> Test:
    kind, parts = _apart(condition, operators, depth)
    if kind == "field":
        [leaf] = parts
        path, name, value = leaf["field"], leaf["op"], leaf["value"]
        if "as" in leaf:
            return _converted(path, CONVERSIONS[leaf["as"]], name, value, operators[name])
        return _leaf(path, name, value, operators[name])
    tests = tuple([_compiled(part, operators, depth - 1) for part in parts])
    if kind == "all":
        return _all(tests)
    if kind == "any":
        return _any(tests)
    [inner] = tests
    return lambda context: not inner(context)


def _apart(condition: object, operators: Mapping[str, Operator], depth: int) -> tuple[str, Sequence[Any]]:
    """What a condition is, and what it is made of: a branch and its parts, or ``field`` and the leaf itself.

    Raises:
        ValueError: it is no condition.
    """
    if isinstance(condition, dict) and depth:
        members = len(condition)
        if members == 1:
            [(branch, part)] = condition.items()
            if branch == "not":
                return branch, (part,)
            if branch in BRANCHES and isinstance(part, list):
                return branch, part
        elif "value" in condition and (members == _LEAF or (members == _LEAF + 1 and _converts(condition))):
            path, name = condition.get("field"), condition.get("op")
            if isinstance(path, str) and isinstance(name, str) and name in operators:
                return "field", (condition,)
    raise ValueError("not a condition")


def _converts(leaf: Mapping[str, Any]) -> bool:
    return isinstance(leaf.get("as"), str) and leaf["as"] in CONVERSIONS


def required(condition: object, operators: Mapping[str, Operator] = OPERATORS) -> tuple[tuple[str, str], ...] | None:
    """Texts without any of which a condition cannot hold.

    Args:
        condition: as ``compiled``.
        operators: as ``compiled``.

    Returns:
        Paths, each with a text that it must lead to, or to a list with it: one of these at least. ``None`` where the
        condition may hold without.

    Raises:
        ValueError: it is none.
    """
    return _required(condition, operators, MAX_DEPTH)


def _required(condition: object, operators: Mapping[str, Operator], depth: int) -> tuple[tuple[str, str], ...] | None:
    kind, parts = _apart(condition, operators, depth)
    if kind == "field":
        [leaf] = parts
        name, value = leaf["op"], leaf["value"]
        of_one = name in _OF_ONE_TEXT and operators[name] is OPERATORS[name]
        members: list[Any] = value if name == "in" and isinstance(value, list) else [value if of_one else None]
        if "as" in leaf or not _TEXT.issuperset([type(member) for member in members]):
            return None
        return tuple([(leaf["field"], text) for text in members])
    found = [_required(part, operators, depth - 1) for part in parts]
    if kind == "all":
        return min([texts for texts in found if texts is not None], key=len, default=None)
    if kind == "not" or None in found:
        return None
    return tuple([text for texts in found if texts is not None for text in texts])


class UnknownError(Exception):
    """What a path leads to is not known; a context that knows only a part raises it.

    A condition raises it only where no other part settles the outcome, whatever the order of the parts.
    """


def _all(tests: tuple[Test, ...]) -> Test:
    def test(context: EvaluationContext) -> bool:
        try:
            for part in tests:
                if not part(context):
                    return False
        except UnknownError:
            if _settled(tests, context, outcome=False):
                return False
            raise
        return True

    return test


def _any(tests: tuple[Test, ...]) -> Test:
    def test(context: EvaluationContext) -> bool:
        try:
            for part in tests:
                if part(context):
                    return True
        except UnknownError:
            if _settled(tests, context, outcome=True):
                return True
            raise
        return False

    return test


def _settled(tests: tuple[Test, ...], context: EvaluationContext, *, outcome: bool) -> bool:
    """Whether one of these is known to have this outcome."""
    for test in tests:
        try:
            if test(context) == outcome:
                return True
        except UnknownError:
            continue
    return False


def _leaf(path: str, name: str, value: Any, operator: Operator) -> Test:  # noqa: ANN401 - any JSON value
    if isinstance(value, str) and name in _OF_TEXT and operator is OPERATORS[name]:
        return _OF_TEXT[name](path, value)
    if name == "in" and isinstance(value, list) and all(isinstance(item, str) for item in value):
        return _in_texts(path, frozenset(value))
    holds, missing = operator.holds, operator.missing(value)

    def test(context: EvaluationContext) -> bool:
        field = context[path]
        return missing if field is MISSING else holds(field, value)

    return test


def _converted(path: str, convert: Callable[[Any], Any], name: str, value: Any, operator: Operator) -> Test:  # noqa: ANN401 - any JSON value
    holds, missing = operator.holds, operator.missing(value)
    if name == "contains" and isinstance(value, str) and operator is OPERATORS[name]:

        def has_text(context: EvaluationContext) -> bool:
            field = context.converted(path, convert)
            return isinstance(field, list) and context.has_text(field, value)

        return has_text

    def test(context: EvaluationContext) -> bool:
        field = context.converted(path, convert)
        return missing if field is MISSING else holds(field, value)

    return test


# The commonest leaves ask about text, which equals nothing but text, so that Python's own comparison will do.


def _has_text(path: str, value: str) -> Test:
    def test(context: EvaluationContext) -> bool:
        field = context[path]
        return isinstance(field, list) and context.has_text(field, value)

    return test


def _in_texts(path: str, values: frozenset[str]) -> Test:
    def test(context: EvaluationContext) -> bool:
        field = context[path]
        return isinstance(field, str) and field in values

    return test


_OF_TEXT: Final[Mapping[str, Callable[[str, str], Test]]] = {
    "equals": lambda path, value: lambda context: bool(context[path] == value),
    "not_equals": lambda path, value: lambda context: bool(context[path] != value),
    "contains": _has_text,
}


def fields(condition: object) -> Iterator[str]:
    """Every path that a condition reads; none where it is no condition."""
    return (leaf["field"] for leaf in leaves(condition))


def leaves(condition: object) -> Iterator[Mapping[str, Any]]:
    """Every leaf of a condition; none where it is no condition."""
    if not isinstance(condition, Mapping):
        return
    for branch in BRANCHES:
        part = condition.get(branch)
        for inner in part if isinstance(part, list) else (part,):
            yield from leaves(inner)
    if isinstance(condition.get("field"), str):
        yield condition
