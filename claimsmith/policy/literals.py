"""JSON values as DynamoDB returns them, so that equal values compare equal however they were written."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

#: Limits of DynamoDB: its numbers (data types, "Number"), and how deep maps and lists nest.
_MAX_INTEGER: Final = 10**38
_MIN_FLOAT: Final = 1e-130
_MAX_FLOAT: Final = 1e126
_MAX_DEPTH: Final = 32


def plain(value: Any) -> Any:  # noqa: ANN401 - any value of a row
    """Turn sets into sorted lists and whole numbers into integers, at any depth; leave other non-JSON values alone."""
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted(map(plain, value), key=lambda item: (type(item).__name__, item))
    if isinstance(value, float) and value.is_integer():
        return int(Decimal(repr(value)))  # the decimal digits that are stored, not the binary value
    return value


def unstorable(value: object) -> tuple[tuple[str, ...], str] | None:
    """Return the path of the first part that DynamoDB cannot store, and why; None if there is none."""
    return _unstorable(value, (), 0)


def _unstorable(value: object, path: tuple[str, ...], depth: int) -> tuple[tuple[str, ...], str] | None:
    if isinstance(value, Mapping | list):
        if depth >= _MAX_DEPTH:
            return path, f"nested more than {_MAX_DEPTH} levels deep; flatten it"
        parts = value.items() if isinstance(value, Mapping) else enumerate(value)
        return next(filter(None, (_unstorable(item, (*path, str(name)), depth + 1) for name, item in parts)), None)
    why = None
    if isinstance(value, set | frozenset | tuple) and value:
        return next(filter(None, (_unstorable(item, path, depth) for item in value)), None)
    if isinstance(value, set | frozenset):
        why = "DynamoDB cannot store an empty set; use a list"
    elif isinstance(value, int) and abs(value) >= _MAX_INTEGER:
        why = "DynamoDB stores at most 38 digits; shorten the number"
    elif isinstance(value, float) and value and not _MIN_FLOAT <= abs(value) < _MAX_FLOAT:
        why = "DynamoDB cannot store a number this large or small; use another"
    return None if why is None else (path, why)
