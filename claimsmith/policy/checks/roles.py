"""Roles: references must exist, and no role may inherit itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from claimsmith.errors import Code
from claimsmith.policy.finding import Suggestion, clipped, found

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from claimsmith.policy.documents import Role
    from claimsmith.policy.draft import Entry
    from claimsmith.policy.finding import Finding, Path
    from claimsmith.policy.reading import Policy

#: Where a test gives roles: with a typo there, it could pass for the wrong reason.
_GIVEN: Final = (("user", "roles"), ("tenant", "default_roles"), ("tenant", "roles_allowed"), ("membership", "roles"))


def check(policy: Policy) -> Iterator[Finding]:
    """Yield findings for unknown roles and inheritance cycles."""
    # A role whose row is invalid still exists; one finding for it is enough.
    known = policy.entries["roles"]
    for entry, path, names in _lists(policy):
        for index, name in enumerate(names):
            if name not in known:
                yield unknown(entry, (*path, str(index)), name, known)
    for name in in_cycles(policy.roles):
        message = "this role inherits itself, directly or through others; break the cycle"
        yield found(Code.INHERITANCE_CYCLE, known[name], ("inherits",), message)


def unknown(entry: Entry, path: Path, name: str, known: Collection[str]) -> Finding:
    """Return the finding for a role that does not exist."""
    return found(Code.UNKNOWN_ROLE, entry, path, f"there is no role {clipped(name)}", Suggestion((name,), known))


def _lists(policy: Policy) -> Iterator[tuple[Entry, Path, Sequence[str]]]:
    yield policy.settings_entry, ("default_roles",), policy.settings.default_roles
    for name, role in policy.roles.items():
        yield policy.entries["roles"][name], ("inherits",), role.inherits
    for name, group in policy.groups.items():
        yield policy.entries["groups"][name], ("roles",), group.roles
    yield from _of_federated_groups(policy)
    for name, client in policy.clients.items():
        yield policy.entries["clients"][name], ("roles",), client.roles
    for name, route in policy.routes.items():
        yield policy.entries["routes"][name], ("any_role",), route.any_role
    for name, test in policy.tests.items():
        for part, attribute in _GIVEN:
            row = getattr(test.given, part)
            yield policy.entries["tests"][name], ("given", part, attribute), getattr(row, attribute, None) or ()


def _of_federated_groups(policy: Policy) -> Iterator[tuple[Entry, Path, Sequence[str]]]:
    for group, given in policy.settings.groups_from.roles.items():
        yield policy.settings_entry, ("groups_from", "roles", group), given
    for name, provider in policy.identity_providers.items():
        for group, given in (provider.roles or {}).items():
            yield policy.entries["identity_providers"][name], ("roles", group), given


def closures(roles: Mapping[str, Role]) -> dict[str, int]:
    """Return each role with all that it inherits, as a bit mask over the sorted role names.

    The roles must be free of cycles. Bit masks stay small even where lists of names would not.
    """
    parents = _parents(roles)
    bits = {name: 1 << at for at, name in enumerate(sorted(roles))}
    closed: dict[str, int] = {}
    for name in _parents_first(parents):
        closed[name] = bits[name]
        for parent in parents[name]:
            closed[name] |= closed[parent]
    return closed


def expanded(closure: int, names: Sequence[str]) -> Iterator[str]:
    """Yield the names in a closure; ``names`` are all role names, sorted."""
    while closure:
        lowest = closure & -closure
        yield names[lowest.bit_length() - 1]
        closure ^= lowest


def in_cycles(roles: Mapping[str, Role]) -> list[str]:
    """Return the roles that inherit themselves, in the order of the mapping."""
    # Kosaraju: in reverse order, each role reaches exactly those that it shares a cycle with.
    parents = _parents(roles)
    children: dict[str, list[str]] = {name: [] for name in roles}
    for name, inherited in parents.items():
        for parent in inherited:
            children[parent].append(name)
    cycle: dict[str, str] = {}
    size: dict[str, int] = {}
    for first in reversed(_parents_first(parents)):
        waiting = [first]
        while waiting:
            name = waiting.pop()
            if name not in cycle:
                cycle[name] = first
                size[first] = size.get(first, 0) + 1
                waiting += children[name]
    return [name for name in roles if size[cycle[name]] > 1 or name in parents[name]]


def _parents(roles: Mapping[str, Role]) -> dict[str, list[str]]:
    """Return the existing roles that each role inherits directly, without duplicates."""
    return {
        name: [parent for parent in dict.fromkeys(role.inherits) if parent in roles] for name, role in roles.items()
    }


def _parents_first(parents: Mapping[str, Sequence[str]]) -> list[str]:
    """Return all roles, each after those it inherits, except within cycles."""
    order: list[str] = []
    seen: set[str] = set()
    for start in parents:
        path = [] if start in seen else [(start, iter(parents[start]))]
        seen.add(start)
        while path:
            name, rest = path[-1]
            parent = next((parent for parent in rest if parent not in seen), None)
            if parent is None:
                order.append(name)
                path.pop()
            else:
                seen.add(parent)
                path.append((parent, iter(parents[parent])))
    return order


ERRORS: Final = (check,)
