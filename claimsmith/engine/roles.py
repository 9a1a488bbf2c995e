"""Which roles a subject has: step 3 of docs/explanation/decision.md."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from claimsmith.engine.reasons import SETTINGS_ROW, Reason, new
from claimsmith.engine.role_sets import together

if TYPE_CHECKING:
    from collections.abc import Iterator

    from claimsmith.engine.bundle import Bundle
    from claimsmith.engine.role_sets import RoleSet
    from claimsmith.engine.subject import Subject

    #: Roles, and the row that assigns them.
    Assignments = tuple[tuple[str, ...], str]


class Roles(NamedTuple):
    """The assigned roles.

    Attributes:
        names: sorted.
        rows: the rows that assign them, separated by commas.
        given: what they give.
    """

    names: tuple[str, ...]
    rows: str
    reasons: tuple[Reason, ...]
    given: RoleSet


def assign(bundle: Bundle, subject: Subject) -> Roles:
    """The assigned roles and all that they inherit. Those from the tenant never exceed what the tenant allows."""
    assigned: dict[str, str] = {}
    reasons: list[Reason] = []
    allowed = subject.tenant.roles_allowed if subject.tenant else None
    roles = bundle.roles
    for assignments, ceiling in ((_from_tenant(subject), allowed), (_from_elsewhere(bundle, subject), None)):
        closed: set[str] = set()
        for named, row in assignments:
            # Many rows may name one role, or one row a role many times, and a role may inherit many.
            for assignment in dict.fromkeys(named):
                if assignment in closed:
                    continue
                role = roles.get(assignment)
                if role is None:
                    reasons.append(new(Reason, ("role", assignment, "dropped", row, "no such role", "")))
                    continue
                closed.add(assignment)
                for name in role.closure:
                    if name not in roles:
                        continue
                    if ceiling is None or name in ceiling:
                        assigned.setdefault(name, row)
                    else:
                        why = "the tenant does not allow it"
                        reasons.append(new(Reason, ("role", name, "dropped", subject.tenant_row, why, "")))
    names = tuple(sorted(assigned))
    reasons += [new(Reason, ("role", name, "granted", assigned[name], "", "")) for name in names]
    return Roles(names, ", ".join(sorted(set(assigned.values()))), tuple(reasons), together(roles, names))


def _from_tenant(subject: Subject) -> Iterator[Assignments]:
    if subject.tenant is None:
        return
    if subject.request.machine:
        yield subject.client.roles if subject.client else (), subject.client_row
    elif subject.membership is not None:
        yield subject.membership.roles, subject.membership_row
    yield subject.tenant.default_roles, subject.tenant_row


def _from_elsewhere(bundle: Bundle, subject: Subject) -> Iterator[Assignments]:
    if subject.request.machine:
        if subject.client is None:
            return
        if subject.tenant is None:
            yield subject.client.roles, subject.client_row
    elif subject.user is not None:
        yield subject.user.roles, subject.user_row
        for group in subject.request.groups:
            yield bundle.groups.get(group, ()), f"POLICY GROUP#{group}"
    yield bundle.settings.default_roles, SETTINGS_ROW
