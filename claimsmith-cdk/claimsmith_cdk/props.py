"""What constructs refuse in their constructors."""

from __future__ import annotations

from collections.abc import Sequence


class PropsError(ValueError):
    """A property of a construct that is not possible; the message says what is."""


def check_choice(name: str, value: object, allowed: tuple[object, ...]) -> None:
    """Refuse a value that is none of several.

    Raises:
        PropsError: it is none of them.
    """
    if value not in allowed:
        raise PropsError(f"{name}={value!r} is not possible; use {' or '.join(map(repr, allowed))}.")


def check_kind(name: str, value: object, kind: type) -> None:
    """Refuse what is not of a class, such as a dictionary of its values, which the CDK takes for classes of its own.

    Raises:
        PropsError: it is not.
    """
    if not isinstance(value, kind):
        raise PropsError(f"{name} is {type(value).__name__}, not {kind.__name__}; write {kind.__name__}(...).")


def check_several(name: str, value: object) -> None:
    """Refuse one thing where several belong, as Python would only where they are read.

    Raises:
        PropsError: it is no list, tuple or the like.
    """
    if isinstance(value, str):
        raise PropsError(f"{name} is one text; give a list or a tuple of them.")
    if not isinstance(value, Sequence):
        raise PropsError(f"{name} is no list: {value!r}. Give a list or a tuple, even of one.")


def check_seconds(name: str, value: object, *, least: int, most: int) -> None:
    """Refuse what is not a whole number of seconds in a range.

    Raises:
        PropsError: it is not.
    """
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise PropsError(
            f"{name}={value!r} is not possible; use {least} to {most}. A revoked token still works for that time."
        )
