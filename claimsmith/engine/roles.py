"""Which roles a token has: DESIGN section 5, step 3."""

from __future__ import annotations

from typing import TYPE_CHECKING

from claimsmith.engine.reasons import SETTINGS_ROW

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from claimsmith.engine.case import Case

    #: Roles with the row that gives each.
    Given = tuple[str, str]


def hold(case: Case) -> None:
    """Settle the roles that are left, sorted; a tenant's own never exceed what the tenant allows."""
    held: dict[str, str] = {}
    allowed = case.tenant.roles_allowed if case.tenant else None
    for name, source in _closed(case, _of_tenant(case)):
        if allowed is not None and name not in allowed:
            case.say("role", name, "dropped", case.tenant_row, "the tenant does not allow it")
        else:
            held.setdefault(name, source)
    for name, source in _closed(case, _from_elsewhere(case)):
        held.setdefault(name, source)
    case.roles = tuple(sorted(held))
    for name in case.roles:
        case.say("role", name, "granted", held[name])
    case.role_rows = ", ".join(sorted(set(held.values())))


def _of_tenant(case: Case) -> Iterator[Given]:
    if case.tenant is None:
        return
    if case.request.machine:
        yield from ((name, case.client_row) for name in (case.client.roles if case.client else ()))
    elif case.membership is not None:
        yield from ((name, case.membership_row) for name in case.membership.roles)
    yield from ((name, case.tenant_row) for name in case.tenant.default_roles)


def _from_elsewhere(case: Case) -> Iterator[Given]:
    if case.request.machine:
        if case.client is None:
            return
        if case.tenant is None:
            yield from ((name, case.client_row) for name in case.client.roles)
    elif case.user is not None:
        yield from ((name, case.user_row) for name in case.user.roles)
        for group in case.request.groups:
            yield from ((name, f"POLICY GROUP#{group}") for name in case.bundle.groups.get(group, ()))
    yield from ((name, SETTINGS_ROW) for name in case.bundle.settings.default_roles)


def _closed(case: Case, roles: Iterable[Given]) -> Iterator[Given]:
    """These roles and what they inherit; unknown ones are dropped and said."""
    known = case.bundle.roles
    done: set[str] = set()
    for name, source in roles:
        if name in done:
            continue  # a row may name one role many times, and each may inherit many
        role = known.get(name)
        if role is None:
            case.say("role", name, "dropped", source, "no such role")
            continue
        done.add(name)
        for member in role.closure:
            if member in known:
                yield member, source
