"""How rows of the directory, and differences of any row, are shown to people."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from rich.markup import escape
from rich.table import Table as Grid

from claimsmith.cli.terminal import columns, one_line
from claimsmith.engine.facts import LATEST
from claimsmith.service.times import iso

if TYPE_CHECKING:
    from collections.abc import Mapping

    from claimsmith.cli.terminal import Terminal
    from claimsmith.service.difference import Difference

_TIMES: Final = ("expires_at", "updated_at", "ttl")


def attributes(found: Mapping[str, Any]) -> Grid:
    """Attributes and their values, line by line; what is empty is left out, but for limits."""
    grid = columns("", "", show_header=False)
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


#: How each kind of difference begins, and its colour.
SIGNS: Final = {"added": ("+", "green"), "removed": ("-", "red"), "changed": ("~", "yellow")}


def difference(out: Terminal, each: Difference) -> None:
    """Print one difference; of two lists of strings, what only one of them has."""
    sign, style = SIGNS[each.kind]
    out.print(f"  {sign} {one_line(difference_text(each))}", style=style, markup=False, highlight=False, soft_wrap=True)


def difference_text(each: Difference) -> str:
    """A difference in words, without its section."""
    what = " ".join(filter(None, (each.name, ".".join(each.path)))) or each.section
    if each.kind == "changed":
        gained, lost = _members(each.before, each.after), _members(each.after, each.before)
        if gained or lost:
            return f"{what}: {', '.join([f'+{member}' for member in gained] + [f'-{member}' for member in lost])}"
        return f"{what}: {_json(each.before)} -> {_json(each.after)}"
    value = each.after if each.kind == "added" else each.before
    return f"{what}: {_json(value)}"


def _members(old: object, new: object) -> list[str]:
    """Return the strings that are only in the second list; none unless both are lists of strings."""
    if not isinstance(old, list) or not isinstance(new, list):
        return []
    if not all(isinstance(member, str) for member in (*old, *new)):
        return []
    return [member for member in new if member not in old]


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
