"""Values of claims: JSON literals, ``{from: PATH}``, ``{template: "…{PATH}…"}``, ``{value: …}``.

A ``from`` with no value and no default yields no claim; nor does a template with a missing part.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

from claimsmith.engine.paths import MISSING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Read = Callable[[str], Any]
    Value = Callable[[Read], Any]

#: The keys that make an object an expression.
FROM: Final = "from"
TEMPLATE: Final = "template"
LITERAL: Final = "value"

_FROM_KEYS: Final = frozenset({FROM, "default", "as"})

#: A part of a template: ``{{`` and ``}}`` stand for the braces themselves.
_PART: Final = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")

_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")

#: Characters of a text that ``as: json`` and ``as: list`` read.
_MAX_TEXT: Final = 32_768


def _as_string(value: object) -> Any:  # noqa: ANN401 - any claim value
    if isinstance(value, str):
        return value
    return MISSING if isinstance(value, list | Mapping) else json.dumps(value)


def _as_number(value: object) -> Any:  # noqa: ANN401 - any claim value
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()) and len(value) <= 400:  # noqa: PLR2004 - a number of that length is none
        number = json.loads(value)
        return number if isfinite(number) else MISSING
    return value if isinstance(value, int | float) and not isinstance(value, bool) else MISSING


def _as_boolean(value: object) -> Any:  # noqa: ANN401 - any claim value
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}.get(value, MISSING) if isinstance(value, str) else MISSING


def _as_list(value: object) -> Any:  # noqa: ANN401 - any claim value
    """A list; a text as identity providers send lists: JSON, or ``[a, b]``, or ``a,b``."""
    if isinstance(value, list):
        return value
    if not isinstance(value, str):
        return [value] if not isinstance(value, Mapping) else MISSING
    parsed = _as_json(value)
    if isinstance(parsed, list):
        return parsed
    inner = value.strip()
    if inner.startswith("[") and inner.endswith("]"):
        inner = inner[1:-1]
    return [part.strip() for part in inner.split(",") if part.strip()]


def _as_json(value: object) -> Any:  # noqa: ANN401 - any claim value
    if not isinstance(value, str) or len(value) > _MAX_TEXT:
        return MISSING
    try:
        return json.loads(value, parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        return MISSING


#: What ``as`` may say.
CONVERSIONS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "string": _as_string,
    "number": _as_number,
    "boolean": _as_boolean,
    "list": _as_list,
    "json": _as_json,
}


def is_expression(value: object) -> bool:
    """Whether a value is an expression rather than a literal."""
    if not isinstance(value, Mapping):
        return False
    return (FROM in value and value.keys() <= _FROM_KEYS) or value.keys() in ({TEMPLATE}, {LITERAL})


def looks_like_expression(value: object) -> bool:
    """Whether a value was perhaps meant as an expression; a literal object like that is written ``{value: …}``."""
    return isinstance(value, Mapping) and bool(value.keys() & {FROM, TEMPLATE, LITERAL})


def compiled(value: object) -> Value:
    """A value that lint has accepted, as a function of how to read a path; yields ``MISSING`` for no claim."""
    if not is_expression(value) or not isinstance(value, Mapping):
        return lambda _: value
    if LITERAL in value:
        literal = value[LITERAL]
        return lambda _: literal
    if TEMPLATE in value:
        return _template(value[TEMPLATE])
    path, default = value[FROM], value.get("default", MISSING)
    convert = CONVERSIONS[value["as"]] if "as" in value else None

    def read_from(read: Read) -> Any:  # noqa: ANN401 - any claim value
        found = read(path)
        if found is not MISSING and convert is not None:
            found = convert(found)
        return default if found is MISSING else found

    return read_from


def _template(text: str) -> Value:
    parts = tuple(template_parts(text))

    def fill(read: Read) -> Any:  # noqa: ANN401 - a string or MISSING
        filled: list[str] = []
        for literal, path in parts:
            filled.append(literal)
            if path is not None:
                value = read(path)
                text = MISSING if value is MISSING else _as_string(value)
                if text is MISSING:
                    return MISSING
                filled.append(text)
        return "".join(filled)

    return fill


def template_parts(text: str) -> Iterator[tuple[str, str | None]]:
    """A template as literal texts, each with the path that follows it.

    Raises:
        ValueError: a brace stands alone.
    """
    literal, end = "", 0
    for part in _PART.finditer(text):
        literal += text[end : part.start()]
        end = part.end()
        if part[0] in ("{{", "}}"):
            literal += part[0][0]
        elif part[1] is None:
            raise ValueError("a brace stands alone")
        else:
            yield literal, part[1].strip()
            literal = ""
    yield literal + text[end:], None


def paths(value: object) -> Iterator[str]:
    """Every path that a value reads.

    Raises:
        ValueError: a template has a brace that stands alone.
    """
    if is_expression(value) and isinstance(value, Mapping):
        if FROM in value:
            yield value[FROM]
        elif TEMPLATE in value:
            yield from (path for _, path in template_parts(value[TEMPLATE]) if path is not None)
