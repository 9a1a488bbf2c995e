"""JSON values as the table gives them back, so that two ways of writing the same value are one."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

#: DynamoDB's numbers (data types, "Number"), and how deep it nests maps and lists.
_MAX_INTEGER: Final = 10**38
_MIN_FLOAT: Final = 1e-130
_MAX_FLOAT: Final = 1e126
_MAX_DEPTH: Final = 32


def plain(value: Any) -> Any:  # noqa: ANN401 - any value of a row
    """Sets as sorted lists and whole numbers as integers, at any depth; what JSON has not stays as it is."""
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted(map(plain, value), key=lambda item: (type(item).__name__, item))
    if isinstance(value, float) and value.is_integer():
        return int(Decimal(repr(value)))  # the digits that are stored, not those of its binary form
    return value


def unstorable(value: object) -> tuple[tuple[str, ...], str] | None:
    """The first part of a value that no row of DynamoDB can hold: its path, and why."""
    return _unstorable(value, (), 0)


def _unstorable(value: object, path: tuple[str, ...], depth: int) -> tuple[tuple[str, ...], str] | None:
    if isinstance(value, Mapping | list):
        if depth >= _MAX_DEPTH:
            return path, f"nested more than {_MAX_DEPTH} levels deep"
        parts = value.items() if isinstance(value, Mapping) else enumerate(value)
        return next(filter(None, (_unstorable(item, (*path, str(name)), depth + 1) for name, item in parts)), None)
    why = None
    if isinstance(value, set | frozenset | tuple) and value:
        return next(filter(None, (_unstorable(item, path, depth) for item in value)), None)
    if isinstance(value, set | frozenset):
        why = "an empty set cannot be stored; write a list"
    elif isinstance(value, int) and abs(value) >= _MAX_INTEGER:
        why = "a number has at most 38 digits"
    elif isinstance(value, float) and value and not _MIN_FLOAT <= abs(value) < _MAX_FLOAT:
        why = "the number is too large or too small to be stored"
    return None if why is None else (path, why)
