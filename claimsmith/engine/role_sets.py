"""What roles give together: worked out once for each set of roles that occurs, since many users have the same ones.

It depends on the policy alone, and nothing of a user is kept with it.
"""

from __future__ import annotations

from itertools import chain
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from claimsmith.cognito.claims import TOKENS
from claimsmith.engine.bundle import NO_CLAIMS, Role, merged
from claimsmith.engine.reasons import Reason, new
from claimsmith.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from claimsmith.engine.bundle import Part


#: Names, claims and scopes in what is kept of one policy, and in each set that is: three megabytes at most.
_MAX_ENTRIES: Final = 16_384
_MAX_SET: Final = 256

#: Names of roles that count as one entry: their text is in the policy already.
_NAMES: Final = 8

#: Entries that a set counts for by itself.
_SET: Final = 8


class Ceiling(NamedTuple):
    """The scopes that a row allows.

    Attributes:
        row: its key, as reasons name it.
    """

    row: str
    scopes: frozenset[str]


class RoleSet(NamedTuple):
    """What some roles give together.

    Attributes:
        claims: what they set in each token, as ``TOKENS`` orders them, in as few parts as possible.
        scopes: those that a token may have, each with the reason of the first role that grants it.
        refused: why a token has none of the other scopes that they grant, by scope.
        groups: the groups that they name, each with the row of the first role that does.
    """

    claims: tuple[tuple[Part, ...], ...]
    scopes: Mapping[str, Reason]
    refused: Mapping[str, Reason]
    groups: Mapping[str, str] = MappingProxyType({})


class Closure(NamedTuple):
    """The roles that a row assigns.

    Attributes:
        names: those it names and all that they inherit, each once.
        unknown: what it names that is no role.
    """

    names: tuple[str, ...]
    unknown: tuple[str, ...]


class RoleBook(dict[str, Role]):
    """The roles of a policy by name, and the sets of them that have occurred. Thread-safe."""

    __slots__ = ("_closures", "_entries", "_sets")

    def __init__(self, roles: Mapping[str, Role]) -> None:
        super().__init__(roles)
        self._sets: dict[tuple[tuple[str, ...], str], RoleSet] = {}
        self._closures: dict[tuple[str, ...], Closure] = {}
        self._entries = 0

    def together(self, names: tuple[str, ...], ceiling: Ceiling | None) -> RoleSet:
        """What these roles give, in this order, within the ceiling of a client of the same policy."""
        key = names, ceiling.row if ceiling is not None else ""
        found = self._sets.get(key)
        if found is None:
            found = _together(self, names, ceiling)
            entries = sum(len(part.literals) + len(part.others) for parts in found.claims for part in parts)
            entries += len(found.scopes) + len(found.refused) + len(found.groups) + len(names) // _NAMES
            if self._has_room(entries):
                self._sets[key] = found
        return found

    def closure(self, named: tuple[str, ...]) -> Closure:
        """What a row that names these roles assigns."""
        found = self._closures.get(named)
        if found is None:
            found = _closure(self, named)
            # What is no role may come from a row of the directory.
            if not found.unknown and self._has_room(len(named) + len(found.names) // _NAMES):
                self._closures[named] = found
        return found

    def _has_room(self, entries: int) -> bool:
        """Whether what has so many entries is to be kept, which they then count for."""
        if entries > _MAX_SET or self._entries + entries > _MAX_ENTRIES:
            return False
        self._entries += entries + _SET
        return True


def together(roles: Mapping[str, Role], names: tuple[str, ...], ceiling: Ceiling | None) -> RoleSet:
    """What these roles give, in this order, within the ceiling of a client of the same policy."""
    return roles.together(names, ceiling) if isinstance(roles, RoleBook) else _together(roles, names, ceiling)


def closure(roles: Mapping[str, Role], named: tuple[str, ...]) -> Closure:
    """What a row that names these roles assigns."""
    return roles.closure(named) if isinstance(roles, RoleBook) else _closure(roles, named)


def _together(roles: Mapping[str, Role], names: tuple[str, ...], ceiling: Ceiling | None) -> RoleSet:
    held = [roles[name] for name in names]
    parts = [[role.claims[at] for role in held if role.claims is not NO_CLAIMS] for at in range(len(TOKENS))]
    scopes: dict[str, Reason] = {}
    refused: dict[str, Reason] = {}
    for role in held:
        for scope, reason, possible in role.grants:
            if not possible:
                refused.setdefault(scope, reason)
            elif ceiling is None or scope in ceiling.scopes:
                scopes.setdefault(scope, reason)
            else:
                refused.setdefault(scope, beyond(ceiling, scope, "the client does not allow it"))
    return RoleSet(
        tuple(tuple(merged(each)) for each in parts),
        scopes,
        refused,
        {group: role.row for role in reversed(held) for group in role.add_groups},
    )


def beyond(ceiling: Ceiling, scope: str, why: str) -> Reason:
    """Why a scope is left out that is not within a ceiling."""
    return new(Reason, ("scope", scope, "dropped", ceiling.row, why, TOKENS[0]))


def _closure(roles: Mapping[str, Role], named: tuple[str, ...]) -> Closure:
    once = dict.fromkeys(named)
    names = tuple(dict.fromkeys(chain.from_iterable([roles[role].closure for role in once if role in roles])))
    if not roles.keys() >= set(names):
        names = tuple([name for name in names if name in roles])
    return Closure(names, tuple([role for role in once if role not in roles]))
