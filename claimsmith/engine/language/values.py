"""Values of claims: JSON literals, ``{from: PATH}``, ``{template: "…{PATH}…"}``, ``{value: …}``.

A ``from`` with no value and no default yields no claim; nor does a template with a missing part, or one whose text
would be too long for any token. Objects and lists may have expressions inside; what yields nothing there is left out,
and so is an object or a list of which nothing is left.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from math import isfinite
from typing import TYPE_CHECKING, Any, Final, Literal

from claimsmith.engine.language.paths import MISSING
from claimsmith.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from claimsmith.engine.language.paths import EvaluationContext

#: The key of the form that is not evaluated.
LITERAL: Final = "value"

#: What a key of an expression takes: a path, a template, a literal, or the name of a conversion.
Shape = Literal["path", "template", "literal", "conversion"]


class Form(NamedTuple):
    """A form of expressions; ``FORMS`` has all of them.

    Attributes:
        keys: the keys and what they take. The first is required, and no other form has it.
        compiled: from an object with these keys to a literal or an ``Expression``; raises ``ValueError``.
    """

    keys: Mapping[str, Shape]
    compiled: Callable[[Mapping[str, Any]], Any]


#: A part of a template: ``{{`` and ``}}`` stand for the braces themselves.
_PART: Final = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")

_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")

#: Characters of a text that is read as something else; longer ones are a mistake or an attack.
_MAX_TEXT: Final = 32_768

#: Characters of a text that a template makes; no token has room for more (``verifier.jws`` takes 16,384 in all).
MAX_TEMPLATE: Final = 16_384

_CONTAINERS: Final = frozenset({dict, list})

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
        path: the path that it is, where it is nothing else.
    """

    __slots__ = ("evaluate", "path", "paths")

    def __init__(
        self, paths: tuple[str, ...], evaluate: Callable[[EvaluationContext], Any], path: str | None = None
    ) -> None:
        self.paths = paths
        self.evaluate = evaluate
        self.path = path


def is_expression(value: object) -> bool:
    """Whether a value is an expression rather than a literal."""
    return form_of(value) is not None


def looks_like_expression(value: object) -> bool:
    """Whether a value was perhaps meant as an expression; a literal object like that is written ``{value: …}``."""
    return isinstance(value, Mapping) and any(key in value for key in FORMS)


def holds_expression(value: object) -> bool:
    """Whether a literal has expressions inside."""
    waiting = [value] if type(value) in _CONTAINERS else []
    while waiting:
        container: Any = waiting.pop()
        for part in container.values() if type(container) is dict else container:
            if type(part) in _CONTAINERS:
                if type(part) is dict and any(key in part for key in FORMS):
                    return True
                waiting.append(part)
    return False


def compiled(value: Any, *, nested: bool = True) -> Any:  # noqa: ANN401 - a literal, or an expression
    """A policy's value: the literal, or an ``Expression`` that yields ``MISSING`` where there is no claim.

    Args:
        value: as a document holds it.
        nested: whether expressions inside of literals are such, as they are from format 4 on.

    Raises:
        ValueError: it is neither.
    """
    if not looks_like_expression(value):
        return _composed(value) if nested and holds_expression(value) else value
    form = form_of(value)
    if form is None:
        raise ValueError("not a value")
    return form.compiled(value)


def _composed(value: Mapping[str, Any] | list[Any]) -> Expression:
    """An object or a list with expressions inside. A list in a list becomes part of it: Cognito takes no other."""
    members: list[tuple[str, Any]]
    if isinstance(value, Mapping):
        members = [(name, compiled(part)) for name, part in value.items()]
    else:
        members = [("", compiled(part)) for part in value]
    of_names = isinstance(value, Mapping)
    paths = tuple(path for _, part in members if isinstance(part, Expression) for path in part.paths)

    def evaluate(context: EvaluationContext) -> Any:  # noqa: ANN401 - an object, a list or MISSING
        found: list[tuple[str, Any]] = []
        for name, part in members:
            if not isinstance(part, Expression):
                found.append((name, part))
            elif (result := part.evaluate(context)) is not MISSING:
                spliced = result if isinstance(result, list) and not of_names else [result]
                found += [(name, one) for one in spliced]
        if not found:
            return MISSING
        return dict(found) if of_names else [one for _, one in found]

    return Expression(paths, evaluate)


def _from(value: Mapping[str, Any]) -> Expression:
    path, default = value["from"], value.get("default", MISSING)
    if not isinstance(path, str):
        raise ValueError("not a value")  # noqa: TRY004 - the document is wrong, not the call
    if "as" not in value:
        if default is MISSING:
            return Expression((path,), lambda context: context[path], path)
        convert = None
    else:
        convert = CONVERSIONS.get(value["as"]) if isinstance(value["as"], str) else None
        if convert is None:
            raise ValueError("not a conversion")

    def evaluate(context: EvaluationContext) -> Any:  # noqa: ANN401 - any claim value
        found = context[path] if convert is None else context.converted(path, convert)
        return default if found is MISSING else found

    return Expression((path,), evaluate)


def _template(value: Mapping[str, Any]) -> Expression:
    text = value["template"]
    if not isinstance(text, str):
        raise ValueError("not a value")  # noqa: TRY004 - the document is wrong, not the call
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


#: Every form of expressions, by the key that makes an object one. The compiler, lint and the JSON Schema read it.
FORMS: Final[Mapping[str, Form]] = {
    "from": Form({"from": "path", "default": "literal", "as": "conversion"}, _from),
    "template": Form({"template": "template"}, _template),
    LITERAL: Form({LITERAL: "literal"}, lambda value: value[LITERAL]),
}


def form_of(value: object) -> Form | None:
    """Return the form of an expression; None for what is not one."""
    if isinstance(value, Mapping):
        for key, form in FORMS.items():
            if key in value and value.keys() <= form.keys.keys():
                return form
    return None
