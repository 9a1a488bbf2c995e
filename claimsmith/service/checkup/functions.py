"""What a function is configured for, by its environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from claimsmith import environment

if TYPE_CHECKING:
    from claimsmith.store.deployment import Function


def table_of(function: Function) -> str:
    """The table that a function uses; empty if it is none of Claimsmith's."""
    return function.variables.get(environment.TABLE, "")
