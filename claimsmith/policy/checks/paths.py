"""Paths that conditions and values read must exist."""

from __future__ import annotations

from typing import TYPE_CHECKING

from claimsmith.engine.language.paths import FIXED, OPEN, kind
from claimsmith.errors import Code
from claimsmith.policy.finding import Suggestion, clipped, found

if TYPE_CHECKING:
    from claimsmith.policy.draft import Entry
    from claimsmith.policy.finding import Finding, Path


def unknown(entry: Entry, at: Path, path: str) -> Finding | None:
    """Return a finding if the path does not exist."""
    if kind(path) is not None:
        return None
    name = path.rpartition(".")[2] or "NAME"
    suggestion = Suggestion((path,), (*FIXED, *(prefix + name for prefix in OPEN)))
    return found(Code.UNKNOWN_PATH, entry, at, f"there is no path {clipped(path)}", suggestion)
