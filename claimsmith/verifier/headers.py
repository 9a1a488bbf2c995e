"""Headers by name, as any back end may read them.

CGI and WSGI turn ``X-Tenant`` and ``X_Tenant`` into one variable (RFC 3875 section 4.1.18); ASGI keeps both. So names
that differ only in case, ``-`` and ``_`` are one header.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def folded(name: str) -> str:
    """A header's name, normalized: equal for all names that some server takes for the same."""
    # Both, since some letters change in one direction only: the dotless i, the long s, the Kelvin sign.
    return name.lower().upper().replace("-", "_")


def header_values(headers: Mapping[str, Sequence[str]], name: str) -> tuple[str, ...]:
    """Every value of a header, under any spelling of its name.

    Args:
        headers: values by name, as sent.
        name: the correct name.
    """
    normalized = folded(name)
    return tuple(value for sent, values in headers.items() if folded(sent) == normalized for value in values)


def single_value(headers: Mapping[str, Sequence[str]], name: str) -> str | None:
    """The value of a header that was sent once and under its correct name, so that every server reads the same.

    Args:
        headers: values by name, as sent.
        name: the correct name; its case does not matter.
    """
    values = header_values(headers, name)
    exact = any(sent.lower() == name.lower() for sent in headers)
    return values[0] if exact and len(values) == 1 else None
