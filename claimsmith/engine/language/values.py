"""Values of claims: JSON literals, ``{from: PATH}``, ``{template: "…{PATH}…"}``, ``{value: …}``.

A ``from`` with no value and no default yields no claim; nor does a template with a missing part, or one whose text
would be too long for any token.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

from claimsmith.engine.language.paths import MISSING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from claimsmith.engine.language.paths import EvaluationContext

#: The keys that make an object an expression.
FROM: Final = "from"
TEMPLATE: Final = "template"
LITERAL: Final = "value"

_FROM_KEYS: Final = frozenset({FROM, "default", "as"})

#: A part of a template: ``{{`` and ``}}`` stand for the braces themselves.
_PART: Final = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")

_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")

#: Characters of a text that is read as something else; longer ones are a mistake or an attack.
_MAX_TEXT: Final = 32_768

#: Characters of a text that a template makes; no token has room for more (``verifier.jws`` takes 16,384 in all).
MAX_TEMPLATE: Final = 16_384

#: Characters of a text that is read as a number.
_MAX_NUMBER: Final = 400


def _as_string(value: Any) -> Any:  # noqa: ANN401 - any claim value
    if isinstance(value, str):
        return value
    return MISSING if isinstance(value, list | Mapping) else json.dumps(value)


def _as_number(value: Any) -> Any:  # noqa: ANN401 - any claim value
    if isinstance(value, str):
        text = value.strip()
        if len(text) > _MAX_NUMBER or not _NUMBER.fullmatch(text):
            return MISSING
        number = json.loads(text)
        return number if isinstance(number, int) or isfinite(number) else MISSING
    return value if isinstance(value, int | float) and not isinstance(value, bool) else MISSING


def _as_boolean(value: Any) -> Any:  # noqa: ANN401 - any claim value
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}.get(value, MISSING) if isinstance(value, str) else MISSING


def _as_list(value: Any) -> Any:  # noqa: ANN401 - any claim value
    """A list; a text as identity providers send lists: JSON, or ``[a, b]``, or ``a,b``."""
    if isinstance(value, list):
        return value
    if isinstance(value, Mapping):
        return MISSING
    if not isinstance(value, str):
        return [value]
    parsed = _as_json(value)
    if isinstance(parsed, list):
        return parsed
    inner = value.strip()
    if inner.startswith("[") and inner.endswith("]"):
        inner = inner[1:-1]
    return [part.strip() for part in inner.split(",") if part.strip()]


def _as_json(value: Any) -> Any:  # noqa: ANN401 - any claim value
    """The JSON value that a text is; what is no text is a value already."""
    if not isinstance(value, str):
        return value
    if len(value) > _MAX_TEXT:
        return MISSING
    try:
        parsed = json.loads(value, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return MISSING
    return MISSING if parsed is None else parsed


def _no_constant(name: str) -> None:
    raise ValueError(name)


#: What ``as`` may name.
CONVERSIONS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "string": _as_string,
    "number": _as_number,
    "boolean": _as_boolean,
    "list": _as_list,
    "json": _as_json,
}


class Expression:
    """A value that each decision evaluates.

    Attributes:
        paths: what it reads.
    """

    __slots__ = ("evaluate", "paths")

    def __init__(self, paths: tuple[str, ...], evaluate: Callable[[EvaluationContext], Any]) -> None:
        self.paths = paths
        self.evaluate = evaluate


def is_expression(value: object) -> bool:
    """Whether a value is an expression rather than a literal."""
    if not isinstance(value, Mapping):
        return False
    return (FROM in value and value.keys() <= _FROM_KEYS) or value.keys() in ({TEMPLATE}, {LITERAL})


def looks_like_expression(value: object) -> bool:
    """Whether a value was perhaps meant as an expression; a literal object like that is written ``{value: …}``."""
    return isinstance(value, Mapping) and bool(value.keys() & {FROM, TEMPLATE, LITERAL})


def compiled(value: Any) -> Any:  # noqa: ANN401 - a literal, or an expression
    """A policy's value: the literal, or an ``Expression`` that yields ``MISSING`` where there is no claim.

    Raises:
        ValueError: it is neither.
    """
    if not looks_like_expression(value):
        return value
    match value:
        case {"value": literal, **rest} if not rest:
            return literal
        case {"template": str(text), **rest} if not rest:
            return _template(text)
        case {"from": str(path), **rest} if rest.keys() <= _FROM_KEYS:
            return _from(path, rest)
    raise ValueError("not a value")


def _from(path: str, rest: Mapping[Any, Any]) -> Expression:
    default = rest.get("default", MISSING)
    if "as" not in rest:
        if default is MISSING:
            return Expression((path,), lambda context: context[path])
        convert = None
    elif (convert := CONVERSIONS.get(rest["as"])) is None:
        raise ValueError("not a conversion")

    def evaluate(context: EvaluationContext) -> Any:  # noqa: ANN401 - any claim value
        found = context[path] if convert is None else context.converted(path, convert)
        return default if found is MISSING else found

    return Expression((path,), evaluate)


def _template(text: str) -> Expression:
    parts = tuple(template_parts(text))

    def evaluate(context: EvaluationContext) -> Any:  # noqa: ANN401 - a string or MISSING
        filled: list[str] = []
        room = MAX_TEMPLATE
        for literal, path in parts:
            value = "" if path is None else context[path]
            text = MISSING if value is MISSING else _as_string(value)
            # A caller chooses how long metadata are, and a policy may name them many times.
            if text is MISSING or (room := room - len(literal) - len(text)) < 0:
                return MISSING
            filled += (literal, text)
        return "".join(filled)

    return Expression(tuple(path for _, path in parts if path is not None), evaluate)


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
            raise ValueError("a brace stands alone; two of them stand for one")
        else:
            yield literal, part[1].strip()
            literal = ""
    yield literal + text[end:], None
