"""The kinds of values that condition operators take: how lint names and checks them, and their JSON Schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from claimsmith.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from claimsmith.engine.language.conditions import Operand


class OperandForm(NamedTuple):
    """A kind of operand.

    Attributes:
        words: what the value must be, in messages and in ``docs/reference/policy.md``.
        accepts: whether a value is of this kind.
        schema: the JSON Schema of such values.
        sample: such a value.
    """

    words: str
    accepts: Callable[[Any], bool]
    schema: Mapping[str, Any]
    sample: Any


_NOT_NULL: Final[Mapping[str, Any]] = {"not": {"type": "null"}}

OPERANDS: Final[Mapping[Operand, OperandForm]] = {
    "any": OperandForm("anything but null", lambda value: value is not None, _NOT_NULL, "x"),
    "text": OperandForm("text", lambda value: isinstance(value, str), {"type": "string"}, "x"),
    "number": OperandForm(
        "a number",
        lambda value: isinstance(value, int | float) and not isinstance(value, bool),
        {"type": "number"},
        1,
    ),
    "list": OperandForm(
        "a list without nulls",
        lambda value: isinstance(value, list) and None not in value,
        {"type": "array", "items": _NOT_NULL},
        ["x"],
    ),
    "boolean": OperandForm("true or false", lambda value: isinstance(value, bool), {"type": "boolean"}, sample=True),
    "member": OperandForm(
        "text, a number, true or false",
        lambda value: isinstance(value, str | int | float),
        {"type": ["string", "number", "boolean"]},
        "x",
    ),
}
