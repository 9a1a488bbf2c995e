"""DynamoDB attribute values <-> plain Python values.

Sets stay sets (``frozenset``), so that a reader can tell them from lists. Numbers are int where they are written as
one, else float: everything Claimsmith stores fits.
"""

from __future__ import annotations

import re
from base64 import b64decode
from decimal import Decimal
from math import isfinite
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


#: A number as DynamoDB writes one; Python would also read ``nan``, ``1_000`` and digits of other scripts.
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")

#: What the value of each scalar type must be.
_SCALARS: Final = {"S": str, "BOOL": bool, "B": bytes}


def decode_row(item: Mapping[str, Any]) -> dict[str, Any]:
    """A row as DynamoDB returns it, with plain values.

    Raises:
        ValueError, TypeError, AttributeError: it is none.
    """
    return {name: decode(value) for name, value in item.items()}


def decode(value: Mapping[str, Any]) -> Any:  # noqa: ANN401, PLR0911 - any value a row can hold; a line a type
    """One attribute value, plain; None for a type that is not known.

    Raises:
        ValueError, TypeError, AttributeError: it is none.
    """
    [(kind, content)] = value.items()
    match kind:
        case "S" | "BOOL" | "B":
            return _scalar(kind, content)
        case "N":
            return _number(content)
        case "M":
            return decode_row(content)
        case "L":
            return [decode(item) for item in _list(content)]
        case "SS" | "BS":
            return frozenset(_scalar(kind[0], item) for item in _list(content))
        case "NS":
            return frozenset(_number(item) for item in _list(content))
        case _:
            return None


class Encoded(NamedTuple):
    """An attribute value that is as DynamoDB has it already, so that a copy of a row differs in nothing.

    Attributes:
        value: for example ``{"N": "1.0"}``.
    """

    value: Mapping[str, Any]


def from_json(item: Mapping[str, Any]) -> dict[str, Any]:
    """A row of a stream's event, where binary is base64, as a client takes it, where binary is bytes.

    Raises:
        ValueError, TypeError, AttributeError: it is none.
    """
    return {name: _from_json(value) for name, value in item.items()}


def _from_json(value: Mapping[str, Any]) -> dict[str, Any]:
    [(kind, content)] = value.items()
    match kind:
        case "B":
            return {"B": b64decode(content, validate=True)}
        case "BS":
            return {"BS": [b64decode(item, validate=True) for item in content]}
        case "M":
            return {"M": from_json(content)}
        case "L":
            return {"L": [_from_json(item) for item in content]}
        case _:
            return {kind: content}


def encode_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """A plain row as DynamoDB takes it.

    Raises:
        TypeError: a value that no attribute can hold.
    """
    return {name: encode(value) for name, value in row.items()}


def encode(value: object) -> dict[str, Any]:  # noqa: C901, PLR0911 - a line a type
    """One plain value as an attribute value.

    Raises:
        TypeError: no attribute can hold it.
    """
    match value:
        case None:
            return {"NULL": True}
        case Encoded():
            return dict(value.value)
        case bool():
            return {"BOOL": value}
        case str():
            return {"S": value}
        case int():
            return {"N": str(value)}
        case float():
            return {"N": format(Decimal(repr(value)), "f")}
        case bytes():
            return {"B": value}
        case list() | tuple():
            return {"L": [encode(item) for item in value]}
        case set() | frozenset():
            return _encode_set(value)
        case dict():
            return {"M": encode_row(value)}
    raise TypeError(f"a row cannot hold a {type(value).__name__} like this")


def _scalar(kind: str, content: object) -> object:
    if not isinstance(content, _SCALARS[kind]):
        raise TypeError(f"a value of type {kind} is none")
    return content


def _list(content: object) -> list[Any]:
    if not isinstance(content, list):
        raise TypeError("a list or set is none")
    return content


def _number(text: str) -> int | float:
    if not _NUMBER.fullmatch(text):
        raise ValueError("a number is none")
    try:
        return int(text)
    except ValueError:
        number = float(text)
    if not isfinite(number):
        raise ValueError("a number is beyond what DynamoDB holds")
    return number


def _encode_set(value: set[Any] | frozenset[Any]) -> dict[str, Any]:
    if value and all(isinstance(item, str) for item in value):
        return {"SS": sorted(value)}
    if value and all(isinstance(item, bytes) for item in value):
        return {"BS": sorted(value)}
    if value and all(isinstance(item, int | float) for item in value):
        return {"NS": [encode(item)["N"] for item in sorted(value)]}
    raise TypeError("a row cannot hold an empty or a mixed set")
