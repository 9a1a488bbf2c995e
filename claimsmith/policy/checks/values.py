"""Claim values: malformed expressions, and values that Cognito does not accept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from claimsmith.cognito.claims import UnacceptableError, checked
from claimsmith.engine.language.paths import kind
from claimsmith.engine.language.values import (
    CONVERSIONS,
    FORMS,
    LITERAL,
    form_of,
    looks_like_expression,
    template_parts,
)
from claimsmith.errors import Code
from claimsmith.policy.checks import paths
from claimsmith.policy.finding import Suggestion, clipped, found

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from claimsmith.cognito.claims import Token
    from claimsmith.engine.language.values import Form
    from claimsmith.policy.draft import Entry
    from claimsmith.policy.finding import Finding, Path

_AS: Final = "as"

_WRITE: Final = (
    "write one of "
    + ", ".join("{" + ", ".join(f"{key}: …" for key in form.keys) + "}" for form in FORMS.values())
    + ", without other keys"
)

#: Conversions that accept a list; the others take a single value.
LIST_CONVERSIONS: Final = frozenset({"list", "json"})


def check(entry: Entry, at: Path, name: str, value: Any, tokens: Sequence[Token]) -> Iterator[Finding]:  # noqa: ANN401 - a JSON value
    """Yield the errors in the value of a claim.

    Args:
        entry: the row.
        at: the path of the value in the row.
        name: the name of the claim.
        value: a literal or an expression.
        tokens: the tokens that get the claim.
    """
    form = form_of(value)
    if form is not None:
        yield from _expression(entry, at, name, value, form, tokens)
    elif not looks_like_expression(value):
        yield from _composed(entry, at, name, value, tokens)
    else:
        meant = FORMS[next(key for key in FORMS if key in value)].keys
        known = tuple(meant) if len(meant) > 1 else tuple(FORMS)
        suggestion = Suggestion([str(key) for key in value if key not in known], known)
        yield found(Code.INVALID_EXPRESSION, entry, at, _WRITE, suggestion)


def _expression(
    entry: Entry, at: Path, name: str, value: Mapping[str, Any], form: Form, tokens: Sequence[Token]
) -> Iterator[Finding]:
    """Yield the errors in what each key takes, then in what they yield together."""
    path: object = None
    conversion: object = None
    for key, part in value.items():
        match form.keys[key]:
            case "path":
                path = part
                yield from _path(entry, (*at, key), part)
            case "conversion":
                if wrong := [*_conversion(entry, (*at, key), part)]:
                    yield from wrong
                    return
                conversion = part
            case "template":
                yield from _template(entry, (*at, key), part)
            case "literal" if key == LITERAL:
                yield from _accepted(entry, (*at, key), name, part, tokens)
            case "literal":
                yield from _default(entry, (*at, key), name, part, tokens)
    if isinstance(path, str):
        yield from _read(entry, at, name, path, conversion, tokens)


def _read(
    entry: Entry, at: Path, name: str, path: str, conversion: object, tokens: Sequence[Token]
) -> Iterator[Finding]:
    """Yield the errors in what a path yields, after a conversion."""
    lists = kind(path) == "list"
    if lists and conversion is not None and conversion not in LIST_CONVERSIONS:
        message = f"{clipped(path)} is a list and cannot be read as {conversion}; remove as"
        yield found(Code.INVALID_EXPRESSION, entry, (*at, _AS), message)
    elif conversion == "list" or (lists and conversion is None):
        yield from _accepted(entry, at, name, [], tokens)


def _composed(entry: Entry, at: Path, name: str, value: Any, tokens: Sequence[Token]) -> Iterator[Finding]:  # noqa: ANN401 - a JSON value
    """Yield the errors in a literal, and in the expressions inside it."""
    inner = [*_nested(value, at)]
    for path, part in inner:
        yield from check(entry, path, name, part, tokens)
    yield from _accepted(entry, at, name, _without_expressions(value) if inner else value, tokens)


def _without_expressions(value: Any) -> Any:  # noqa: ANN401 - a JSON value
    """The value with a text in place of each expression: what it may yield Cognito takes wherever it takes a text."""
    if looks_like_expression(value):
        return ""
    if isinstance(value, Mapping):
        return {key: _without_expressions(part) for key, part in value.items()}
    return [_without_expressions(part) for part in value] if isinstance(value, list) else value


def _literal(entry: Entry, at: Path, name: str, value: Any, tokens: Sequence[Token]) -> Iterator[Finding]:  # noqa: ANN401 - a JSON value
    nested, _ = next(_nested(value, at), (None, None))
    if nested is not None:
        message = "a default cannot contain an expression; write {value: …} around the whole literal"
        yield found(Code.INVALID_EXPRESSION, entry, nested, message)
        return
    yield from _accepted(entry, at, name, value, tokens)


def _nested(value: object, at: Path) -> Iterator[tuple[Path, Any]]:
    """Yield the expressions inside a literal, with their paths."""
    parts = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for name, part in parts:
        if looks_like_expression(part):
            yield (*at, str(name)), part
        else:
            yield from _nested(part, (*at, str(name)))


def _accepted(entry: Entry, at: Path, name: str, value: Any, tokens: Sequence[Token]) -> Iterator[Finding]:  # noqa: ANN401 - a JSON value
    for token in tokens:
        try:
            checked(token, name, value)
        except UnacceptableError as unacceptable:
            yield found(Code.UNSUPPORTED_VALUE, entry, at, str(unacceptable))
            return


def _template(entry: Entry, at: Path, text: object) -> Iterator[Finding]:
    if not isinstance(text, str):
        yield found(Code.INVALID_EXPRESSION, entry, at, "template must be text")
        return
    try:
        parts = list(template_parts(text))
    except ValueError as error:
        yield found(Code.INVALID_EXPRESSION, entry, at, str(error))
        return
    for _, path in parts:
        if path is None:
            continue
        if unknown := paths.unknown(entry, at, path):
            yield unknown
        elif kind(path) == "list":
            yield found(
                Code.INVALID_EXPRESSION, entry, at, f"{clipped(path)} is a list and cannot be part of a text; use from"
            )


def _path(entry: Entry, at: Path, path: object) -> Iterator[Finding]:
    if not isinstance(path, str):
        yield found(Code.INVALID_EXPRESSION, entry, at, f"{at[-1]} must be a path")
    elif unknown := paths.unknown(entry, at, path):
        yield unknown


def _conversion(entry: Entry, at: Path, conversion: object) -> Iterator[Finding]:
    if not isinstance(conversion, str) or conversion not in CONVERSIONS:
        suggestion = Suggestion((conversion,), CONVERSIONS) if isinstance(conversion, str) else None
        yield found(Code.INVALID_EXPRESSION, entry, at, f"as must be one of {', '.join(CONVERSIONS)}", suggestion)


def _default(entry: Entry, at: Path, name: str, value: Any, tokens: Sequence[Token]) -> Iterator[Finding]:  # noqa: ANN401 - a JSON value
    if looks_like_expression(value):
        yield found(Code.INVALID_EXPRESSION, entry, at, "default must be a literal, not an expression")
    else:
        yield from _literal(entry, at, name, value, tokens)
