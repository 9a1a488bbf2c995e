"""What roles give together: worked out once for each set of roles that occurs, since many users have the same ones.

It depends on the policy alone, and nothing of a user is kept with it.
"""

from __future__ import annotations

from itertools import groupby
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from claimsmith.cognito.claims import TOKENS
from claimsmith.engine.bundle import NO_CLAIMS, Part, Role
from claimsmith.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from claimsmith.engine.bundle import Grant
    from claimsmith.engine.reasons import Reason

#: Sets that are kept of one policy, and claims and scopes of one that is kept: three megabytes at most.
_MAX_SETS: Final = 64
_MAX_ENTRIES: Final = 256


class RoleSet(NamedTuple):
    """What some roles give together.

    Attributes:
        claims: what they set in each token, as ``TOKENS`` orders them; parts that are all literals are one.
        grants: the scopes that they grant, each once, by the first role that does.
        all_possible: why a token may have each of these; None where no token may have one of them.
        groups: the groups that they name, each with the row of the first role that does.
    """

    claims: tuple[tuple[Part, ...], ...]
    grants: tuple[Grant, ...]
    all_possible: Mapping[str, Reason] | None
    groups: Mapping[str, str] = MappingProxyType({})


class RoleBook(dict[str, Role]):
    """The roles of a policy by name, and the sets of them that have occurred. Thread-safe."""

    __slots__ = ("_sets",)

    def __init__(self, roles: Mapping[str, Role]) -> None:
        super().__init__(roles)
        self._sets: dict[tuple[str, ...], RoleSet] = {}

    def together(self, names: tuple[str, ...]) -> RoleSet:
        """What these roles give, in this order."""
        found = self._sets.get(names)
        if found is None:
            found = _together(self, names)
            entries = sum(len(part.literals) for parts in found.claims for part in parts) + len(found.grants)
            entries += len(found.groups)
            if entries <= _MAX_ENTRIES and len(self._sets) < _MAX_SETS:
                self._sets[names] = found
        return found


def together(roles: Mapping[str, Role], names: tuple[str, ...]) -> RoleSet:
    """What these roles give, in this order."""
    return roles.together(names) if isinstance(roles, RoleBook) else _together(roles, names)


def _together(roles: Mapping[str, Role], names: tuple[str, ...]) -> RoleSet:
    held = [roles[name] for name in names]
    parts = [[role.claims[at] for role in held if role.claims is not NO_CLAIMS] for at in range(len(TOKENS))]
    grants: dict[str, Grant] = {}
    for role in held:
        for grant in role.grants:
            grants.setdefault(grant.scope, grant)
    possible = {scope: grant.reason for scope, grant in grants.items() if grant.possible}
    return RoleSet(
        tuple(tuple(_merged(each)) for each in parts),
        tuple(grants.values()),
        possible if len(possible) == len(grants) else None,
        {group: role.row for role in reversed(held) for group in role.add_groups},
    )


def _merged(parts: Iterable[Part]) -> Iterable[Part]:
    """These parts, and where some in a row are all literals, one instead of them."""
    for evaluated, group in groupby(parts, key=lambda part: bool(part.others)):
        if evaluated:
            yield from group
            continue
        literals: dict[str, object] = {}
        reasons: dict[str, Reason] = {}
        for part in group:
            literals.update(part.literals)
            reasons.update(part.reasons)
        yield Part("", literals, reasons)
