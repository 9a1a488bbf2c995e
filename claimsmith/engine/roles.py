"""Which roles a subject has: step 3 of docs/explanation/decision.md."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from claimsmith.engine.reasons import SETTINGS_ROW, Reason, new

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from claimsmith.engine.bundle import Bundle
    from claimsmith.engine.subject import Subject

    #: A role and the row that assigns it.
    Assignment = tuple[str, str]


class Roles(NamedTuple):
    """The assigned roles.

    Attributes:
        names: sorted.
        rows: the rows that assign them, separated by commas.
    """

    names: tuple[str, ...]
    rows: str
    reasons: tuple[Reason, ...]


def assign(bundle: Bundle, subject: Subject) -> Roles:
    """The assigned roles and all that they inherit. Those from the tenant never exceed what the tenant allows."""
    assigned: dict[str, str] = {}
    reasons: list[Reason] = []
    allowed = subject.tenant.roles_allowed if subject.tenant else None
    for assignments, ceiling in ((_from_tenant(subject), allowed), (_from_elsewhere(bundle, subject), None)):
        closed: set[str] = set()
        for assignment, row in assignments:
            if assignment in closed:
                continue  # many rows may name one role, which may inherit many
            role = bundle.roles.get(assignment)
            if role is None:
                reasons.append(new(Reason, ("role", assignment, "dropped", row, "no such role", "")))
                continue
            closed.add(assignment)
            for name in role.closure:
                if name not in bundle.roles:
                    continue
                if ceiling is None or name in ceiling:
                    assigned.setdefault(name, row)
                else:
                    why = "the tenant does not allow it"
                    reasons.append(new(Reason, ("role", name, "dropped", subject.tenant_row, why, "")))
    names = tuple(sorted(assigned))
    reasons += [new(Reason, ("role", name, "granted", assigned[name], "", "")) for name in names]
    return Roles(names, ", ".join(sorted(set(assigned.values()))), tuple(reasons))


def _from_tenant(subject: Subject) -> Iterator[Assignment]:
    if subject.tenant is None:
        return
    if subject.request.machine:
        yield from _named(subject.client.roles if subject.client else (), subject.client_row)
    elif subject.membership is not None:
        yield from _named(subject.membership.roles, subject.membership_row)
    yield from _named(subject.tenant.default_roles, subject.tenant_row)


def _from_elsewhere(bundle: Bundle, subject: Subject) -> Iterator[Assignment]:
    if subject.request.machine:
        if subject.client is None:
            return
        if subject.tenant is None:
            yield from _named(subject.client.roles, subject.client_row)
    elif subject.user is not None:
        yield from _named(subject.user.roles, subject.user_row)
        for group in subject.request.groups:
            yield from _named(bundle.groups.get(group, ()), f"POLICY GROUP#{group}")
    yield from _named(bundle.settings.default_roles, SETTINGS_ROW)


def _named(names: tuple[str, ...], row: str) -> Iterable[Assignment]:
    """The roles that a row names, each once, however often it does."""
    return [(name, row) for name in dict.fromkeys(names)]
