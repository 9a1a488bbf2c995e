"""What a function is configured for, by its environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from claimsmith import environment

if TYPE_CHECKING:
    from claimsmith.store.deployment import Function


def table_of(function: Function) -> str:
    """The table that a function uses; empty if it is none of Claimsmith's."""
    return function.variables.get(environment.TABLE, "")


def is_trigger(function: Function) -> bool:
    """Whether a function is a pre token generation trigger of ours: not a publisher and not a verifier."""
    others = (environment.AUDIT_TABLE, environment.ISSUERS)
    return bool(table_of(function)) and not any(name in function.variables for name in others)
