"""Headers by name, as every server that may stand behind reads them.

CGI and WSGI turn ``X-Tenant`` and ``X_Tenant`` into one variable (RFC 3875 section 4.1.18), ASGI keeps both. So names
that are equal but for case, ``-`` and ``_`` are one header.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def folded(name: str) -> str:
    """A header's name without what some server takes for no difference."""
    # Some letters are changed by one of the two only: the dotless i, the long s, the Kelvin sign.
    return name.lower().upper().replace("-", "_")


def named(headers: Mapping[str, Sequence[str]], name: str) -> tuple[str, ...]:
    """Every value of a header, under whatever spelling of its name it was sent.

    Args:
        headers: names as they were sent, and the values of each.
        name: as it should be.
    """
    wanted = folded(name)
    return tuple(value for sent, values in headers.items() if folded(sent) == wanted for value in values)


def only(headers: Mapping[str, Sequence[str]], name: str) -> str | None:
    """The value of a header that was sent once, and under its own name: what every server reads.

    Args:
        headers: names as they were sent, and the values of each.
        name: as it should be; its case means nothing.
    """
    values = named(headers, name)
    own = any(sent.lower() == name.lower() for sent in headers)
    return values[0] if own and len(values) == 1 else None
