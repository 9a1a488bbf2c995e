"""How rows of the directory are shown to people."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from rich.markup import escape
from rich.table import Table as Grid

from claimsmith.engine.facts import LATEST
from claimsmith.service.times import iso

if TYPE_CHECKING:
    from collections.abc import Mapping

_TIMES: Final = ("expires_at", "updated_at", "ttl")


def attributes(found: Mapping[str, Any]) -> Grid:
    """Attributes and their values, line by line; what is empty is left out, but for limits."""
    grid = Grid(show_header=False)
    for name, value in found.items():
        limit = name.endswith("_allowed")
        if name == "why_not" or (value in (None, [], {}) and not limit):
            continue
        if limit and value is None:
            text = "no limit"
        elif name == "usable":
            text = verdict(found)
        else:
            text = when(value) if name in _TIMES else names(value)
        grid.add_row(name, escape(text))
    return grid


def verdict(found: Mapping[str, Any]) -> str:
    """Whether a row counts, and why it does not."""
    return "yes" if found["usable"] else f"no: {found['why_not']}"


def status(found: Mapping[str, Any]) -> str:
    """The status, or why a row does not count although its status says otherwise."""
    return str(found["why_not"] if found["status"] == "active" and not found["usable"] else found["status"])


def names(value: object) -> str:
    """A list of names as words; anything else that a row has in its place as it is."""
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return " ".join(value) or "none"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def when(value: object) -> str:
    """Epoch seconds as a time; anything else that a row has in their place as it is."""
    if value is None:
        return ""
    return iso(value) if isinstance(value, int) and 0 <= value <= LATEST else str(value)
