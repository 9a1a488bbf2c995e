"""How large DynamoDB counts an item.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html says it. Sizes here are
never below that: where AWS says "approximately", they are the most it can be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    #: An attribute's value as DynamoDB has it: ``{"S": "text"}``.
    Value = Mapping[str, Any]

#: 38 digits, two in a byte, one byte more, and one for a sign; and no less than what a null or a truth value takes.
_NUMBER: Final = 21

_CONTAINER: Final = 3
_ELEMENT: Final = 1


def text_size(text: str) -> int:
    """Bytes of a text in UTF-8."""
    return len(text.encode("utf-8", "surrogatepass"))


def value_size(value: Value) -> int:  # noqa: PLR0911 - a line a type
    """Bytes of a value, at most; a value of a type that is not known counts as a scalar.

    Raises:
        ValueError: it has not exactly one type.
    """
    [(kind, content)] = value.items()
    match kind:
        case "S":
            return text_size(content)
        case "B":
            return len(content)
        case "SS":
            return sum(map(text_size, content))
        case "BS":
            return sum(map(len, content))
        case "NS":
            return _NUMBER * len(content)
        case "L":
            return _CONTAINER + sum(_ELEMENT + value_size(item) for item in content)
        case "M":
            return _CONTAINER + sum(_ELEMENT + text_size(name) + value_size(item) for name, item in content.items())
        case _:
            return _NUMBER
