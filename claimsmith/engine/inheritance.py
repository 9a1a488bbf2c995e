"""What a compiled role inherits directly.

A compiled role knows what it inherits at any depth, not from whom. What it inherits and nothing that it inherits does
as well, it inherits directly: without a cycle, the policy must say so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


def parents(closures: Mapping[str, Collection[str]], name: str) -> list[str]:
    """The roles that a role inherits directly: those that no other of them brings along.

    Args:
        closures: of each role, itself and every role that it inherits; roles that are not there are left out.
        name: of the role.
    """
    below = [other for other in closures[name] if other != name and other in closures]
    further = {last for other in below for last in closures[other] if last != other}
    return [other for other in below if other not in further]
