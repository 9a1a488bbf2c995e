"""Paths that conditions and values read exist."""

from __future__ import annotations

from typing import TYPE_CHECKING

from claimsmith.engine.language.paths import FIXED, OPEN, kind
from claimsmith.errors import Code
from claimsmith.policy.finding import Near, clipped, found

if TYPE_CHECKING:
    from claimsmith.policy.draft import Entry
    from claimsmith.policy.finding import Finding, Path


def unknown(entry: Entry, at: Path, path: str) -> Finding | None:
    """The finding for a path that does not exist; None for one that does."""
    if kind(path) is not None:
        return None
    name = path.rpartition(".")[2] or "NAME"
    near = Near((path,), (*FIXED, *(prefix + name for prefix in OPEN)))
    return found(Code.UNKNOWN_PATH, entry, at, f"there is no path {clipped(path)}", near)
