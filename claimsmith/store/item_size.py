"""The size of an item as DynamoDB counts it.

See https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html. Sizes here are never
too small: where AWS says "approximately", they are the maximum.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    #: An attribute's value in DynamoDB's representation: ``{"S": "text"}``.
    Value = Mapping[str, Any]

#: What an item may have at most, in bytes.
MAX_ITEM: Final = 400 * 1024

#: 38 digits at two per byte, one more byte, and one for the sign; also enough for a null or a Boolean.
_NUMBER: Final = 21

_CONTAINER: Final = 3
_ELEMENT: Final = 1


def text_size(text: str) -> int:
    """Bytes of a string in UTF-8."""
    return len(text.encode("utf-8", "surrogatepass"))


def value_size(value: Value) -> int:  # noqa: PLR0911 - a line a type
    """The maximum size of a value in bytes; a value of an unknown type counts as a scalar.

    Raises:
        ValueError: it does not have exactly one type.
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
