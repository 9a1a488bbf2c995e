"""The file of a stage that a program makes. The standard library reads TOML and does not write it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")


def document(options: Mapping[str, object]) -> str:
    """Write a TOML document (https://toml.io/en/v1.0.0): a line for each option, tables inline.

    Raises:
        TypeError: a value has no form in TOML, None for example.
        ValueError: a number is not finite.
    """
    return "".join(f"{_key(name)} = {_value(value)}\n" for name, value in options.items())


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _text(name)


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(name)} = {_value(each)}" for name, each in value.items()) + "}"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    if not isinstance(value, bool | int | float):
        raise TypeError(f"TOML has no form for {value!r}")
    return json.dumps(value, allow_nan=False)


def _text(text: str) -> str:
    """A basic string. It is JSON's, but TOML has no escapes for halves of characters, and DEL only escaped."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
