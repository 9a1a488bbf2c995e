"""DynamoDB attribute values <-> plain Python values.

Sets stay sets (``frozenset``), so that callers can distinguish them from lists. A number is an int if it is written as
one, otherwise a float: everything that Claimsmith stores fits.
"""

from __future__ import annotations

import re
from base64 import b64decode
from decimal import Decimal
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

from claimsmith.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


#: A number as DynamoDB writes it; Python would also accept ``nan``, ``1_000`` and digits of other scripts.
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")

#: The Python type of each scalar type's value.
_SCALARS: Final = {"S": str, "BOOL": bool, "B": bytes}


def decode_row(item: Mapping[str, Any]) -> dict[str, Any]:
    """Convert a row from DynamoDB's representation to plain values.

    Raises:
        ValueError, TypeError, AttributeError: it is malformed.
    """
    return {name: decode(value) for name, value in item.items()}


def decode(value: Mapping[str, Any]) -> Any:  # noqa: ANN401, PLR0911 - any value a row can hold; a line a type
    """Convert one attribute value to a plain value; None for an unknown type.

    Raises:
        ValueError, TypeError, AttributeError: it is malformed.
    """
    [(kind, content)] = value.items()
    if kind == "S" and type(content) is str:
        return content  # most are
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
    """An attribute value already in DynamoDB's representation, so that a copy of a row is exact.

    Attributes:
        value: for example ``{"N": "1.0"}``.
    """

    value: Mapping[str, Any]


def from_json(item: Mapping[str, Any]) -> dict[str, Any]:
    """Convert a row from a stream event, with binary as base64, to the form that a client accepts, with bytes.

    Raises:
        ValueError, TypeError, AttributeError: it is malformed.
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
    """Convert a plain row to DynamoDB's representation.

    Raises:
        TypeError: a value cannot be stored in an attribute.
    """
    return {name: encode(value) for name, value in row.items()}


def encode(value: object) -> dict[str, Any]:  # noqa: C901, PLR0911 - a line a type
    """Convert one plain value to an attribute value.

    Raises:
        TypeError: it cannot be stored in an attribute.
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
    raise TypeError(f"a value of type {type(value).__name__} cannot be stored in a row")


def _scalar(kind: str, content: object) -> object:
    if not isinstance(content, _SCALARS[kind]):
        raise TypeError(f"an attribute of type {kind} has a value of another type")
    return content


def _list(content: object) -> list[Any]:
    if not isinstance(content, list):
        raise TypeError("a list or set has a value of another type")
    return content


def _number(text: str) -> int | float:
    if not _NUMBER.fullmatch(text):
        raise ValueError("a number is not written as one")
    try:
        return int(text)
    except ValueError:
        number = float(text)
    if not isfinite(number):
        raise ValueError("a number is out of DynamoDB's range")
    return number


def _encode_set(value: set[Any] | frozenset[Any]) -> dict[str, Any]:
    if value and all(isinstance(item, str) for item in value):
        return {"SS": sorted(value)}
    if value and all(isinstance(item, bytes) for item in value):
        return {"BS": sorted(value)}
    if value and all(isinstance(item, int | float) for item in value):
        return {"NS": [encode(item)["N"] for item in sorted(value)]}
    raise TypeError("an empty or mixed set cannot be stored in a row")
