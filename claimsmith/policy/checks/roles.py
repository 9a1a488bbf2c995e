"""Roles: those that are named exist, and none inherits itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from claimsmith.errors import Code
from claimsmith.policy.finding import Near, clipped, found

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from claimsmith.policy.documents import Role
    from claimsmith.policy.draft import Entry
    from claimsmith.policy.finding import Finding, Path
    from claimsmith.policy.reading import Policy

#: Where a test gives roles: a typo there would leave it green for the wrong reason.
_GIVEN: Final = (("user", "roles"), ("tenant", "default_roles"), ("tenant", "roles_allowed"), ("membership", "roles"))


def check(policy: Policy) -> Iterator[Finding]:
    """Unknown roles and circles of inheritance."""
    # A role whose row is wrong exists all the same; one finding for it is enough.
    known = policy.entries["roles"]
    for entry, path, names in _lists(policy):
        for index, name in enumerate(names):
            if name not in known:
                yield unknown(entry, (*path, str(index)), name, known)
    for name in in_circles(policy.roles):
        message = "this role inherits itself, at some depth"
        yield found(Code.INHERITANCE_CYCLE, known[name], ("inherits",), message)


def unknown(entry: Entry, path: Path, name: str, known: Collection[str]) -> Finding:
    """The finding for a role that does not exist."""
    return found(Code.UNKNOWN_ROLE, entry, path, f"there is no role {clipped(name)}", Near((name,), known))


def _lists(policy: Policy) -> Iterator[tuple[Entry, Path, Sequence[str]]]:
    yield policy.settings_entry, ("default_roles",), policy.settings.default_roles
    for name, role in policy.roles.items():
        yield policy.entries["roles"][name], ("inherits",), role.inherits
    for name, group in policy.groups.items():
        yield policy.entries["groups"][name], ("roles",), group.roles
    for name, client in policy.clients.items():
        yield policy.entries["clients"][name], ("roles",), client.roles
    for name, route in policy.routes.items():
        yield policy.entries["routes"][name], ("any_role",), route.any_role
    for name, test in policy.tests.items():
        for part, attribute in _GIVEN:
            row = getattr(test.given, part)
            yield policy.entries["tests"][name], ("given", part, attribute), getattr(row, attribute, None) or ()


def closures(roles: Mapping[str, Role]) -> dict[str, int]:
    """Each role with all that it inherits, at any depth: a set bit for each, counted as the names are sorted.

    Takes only roles without circles. As numbers, closures cost little even where written out they would be endless.
    """
    parents = _parents(roles)
    bits = {name: 1 << at for at, name in enumerate(sorted(roles))}
    closed: dict[str, int] = {}
    for name in _parents_first(parents):
        closed[name] = bits[name]
        for parent in parents[name]:
            closed[name] |= closed[parent]
    return closed


def written_out(closure: int, names: Sequence[str]) -> Iterator[str]:
    """The names of a closure; ``names`` are those of all roles, sorted."""
    while closure:
        lowest = closure & -closure
        yield names[lowest.bit_length() - 1]
        closure ^= lowest


def in_circles(roles: Mapping[str, Role]) -> list[str]:
    """The roles that inherit themselves, in the order of the mapping."""
    # Kosaraju: taken from the last, each role reaches back along inheritance exactly those it shares a circle with.
    parents = _parents(roles)
    children: dict[str, list[str]] = {name: [] for name in roles}
    for name, inherited in parents.items():
        for parent in inherited:
            children[parent].append(name)
    circle: dict[str, str] = {}
    size: dict[str, int] = {}
    for first in reversed(_parents_first(parents)):
        waiting = [first]
        while waiting:
            name = waiting.pop()
            if name not in circle:
                circle[name] = first
                size[first] = size.get(first, 0) + 1
                waiting += children[name]
    return [name for name in roles if size[circle[name]] > 1 or name in parents[name]]


def _parents(roles: Mapping[str, Role]) -> dict[str, list[str]]:
    """The roles that each inherits directly, as far as they exist, each once."""
    return {
        name: [parent for parent in dict.fromkeys(role.inherits) if parent in roles] for name, role in roles.items()
    }


def _parents_first(parents: Mapping[str, Sequence[str]]) -> list[str]:
    """All roles, each after those it inherits unless that goes round in circles."""
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
