"""Roles: those that are named exist, and none inherits itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from claimsmith.errors import Code
from claimsmith.policy.finding import did_you_mean, found

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

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


def unknown(entry: Entry, path: Path, name: str, known: Mapping[str, object]) -> Finding:
    """The finding for a role that does not exist."""
    return found(Code.UNKNOWN_ROLE, entry, path, f"there is no role {name}{did_you_mean(name, known)}")


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


def ancestors(name: str, roles: Mapping[str, Role]) -> set[str]:
    """Every role that a role inherits, at any depth; itself only where it is part of a circle."""
    found_so_far: set[str] = set()
    waiting = list(roles[name].inherits)
    while waiting:
        parent = waiting.pop()
        if parent in roles and parent not in found_so_far:
            found_so_far.add(parent)
            waiting += roles[parent].inherits
    return found_so_far


def in_circles(roles: Mapping[str, Role]) -> list[str]:
    """The roles that inherit themselves, in the order of the mapping."""
    # Taking away what inherits nothing that is left, again and again, leaves the circles and what leads into them.
    children: dict[str, list[str]] = {name: [] for name in roles}
    left = {}
    for name, role in roles.items():
        parents = {parent for parent in role.inherits if parent in roles}
        left[name] = len(parents)
        for parent in parents:
            children[parent].append(name)
    free = [name for name, count in left.items() if not count]
    while free:
        for child in children[free.pop()]:
            left[child] -= 1
            if not left[child]:
                free.append(child)
    return [name for name, count in left.items() if count and name in ancestors(name, roles)]
