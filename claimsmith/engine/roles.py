"""Which roles a subject has: step 3 of docs/explanation/decision.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

from claimsmith.engine import federation
from claimsmith.engine.reasons import SETTINGS_ROW, Reason, new
from claimsmith.engine.role_sets import closure, together
from claimsmith.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from claimsmith.engine.bundle import Bundle, Role
    from claimsmith.engine.federation import Given
    from claimsmith.engine.role_sets import RoleSet
    from claimsmith.engine.subject import Subject

    #: Roles, and the row that assigns them.
    Assignments = tuple[tuple[str, ...], str]


class Roles(NamedTuple):
    """The assigned roles.

    Attributes:
        names: sorted.
        listed: the same as a list, which is the value of the claim in both tokens.
        rows: the rows that assign them, separated by commas.
        given: what they give.
    """

    names: tuple[str, ...]
    listed: list[str]
    rows: str
    reasons: tuple[Reason, ...]
    given: RoleSet


def assign(bundle: Bundle, subject: Subject, possibly: tuple[Given, ...] = ()) -> Roles:
    """The assigned roles and all that they inherit. Those from the tenant never exceed what the tenant allows.

    Args:
        bundle: the policy.
        subject: who gets them.
        possibly: what an identity provider may say besides, where the sign-in is not known.
    """
    assigned: dict[str, str] = {}
    federated = federation.NOTHING
    if bundle.providers:
        federated = federation.given(bundle, subject.request, subject.tenant.id if subject.tenant else None)
    given = (*federated.given, *possibly)
    reasons = [*federated.reasons]
    allowed = subject.tenant.roles_allowed if subject.tenant else None
    roles = bundle.roles
    sources = (_from_tenant(subject, given), allowed), (_from_elsewhere(bundle, subject, given), None)
    for assignments, ceiling in sources:
        closed: set[str] = set()
        for named, row in assignments:
            # Many rows may name one role, which may inherit many.
            left = named if closed.isdisjoint(named) else tuple([name for name in named if name not in closed])
            if not left:
                continue
            names, unknown = closure(roles, left)
            closed.update(left)
            if unknown:
                closed.difference_update(unknown)
                reasons += [new(Reason, ("role", name, "dropped", row, "no such role", "")) for name in unknown]
            if ceiling is not None and not ceiling.issuperset(names):
                why = "the tenant does not allow it"
                reasons += [
                    new(Reason, ("role", name, "dropped", subject.tenant_row, why, ""))
                    for name in names
                    if name not in ceiling
                ]
                names = tuple([name for name in names if name in ceiling])
            for name in names:
                assigned.setdefault(name, row)
    listed = sorted(assigned)
    names = tuple(listed)
    reasons += _granted(roles, names, assigned, given)
    rows = ", ".join(sorted(set(assigned.values())))
    return Roles(names, listed, rows, tuple(reasons), together(roles, names, subject.ceiling))


def _granted(
    roles: Mapping[str, Role], names: tuple[str, ...], assigned: Mapping[str, str], given: tuple[Given, ...]
) -> list[Reason]:
    """Where each role comes from."""
    if not given:
        return [new(Reason, ("role", name, "granted", assigned[name], "", "")) for name in names]
    details = _details(roles, given)
    said = [(name, assigned[name], details.get((name, assigned[name]), "")) for name in names]
    return [new(Reason, ("role", name, "granted", row, detail, "")) for name, row, detail in said]


def _details(roles: Mapping[str, Role], given: tuple[Given, ...]) -> dict[tuple[str, str], str]:
    """Which group gives a role, by the role and the row of its provider."""
    details: dict[tuple[str, str], str] = {}
    for each in given:
        for name in (name for role in each.roles if role in roles for name in roles[role].closure):
            details.setdefault((name, each.row), each.detail)
    return details


def _from_tenant(subject: Subject, given: tuple[Given, ...]) -> Iterator[Assignments]:
    if subject.tenant is None:
        return
    if subject.request.machine:
        yield subject.client.roles if subject.client else (), subject.client_row
    elif subject.membership is not None:
        yield subject.membership.roles, subject.membership_row
        yield from ((each.roles, each.row) for each in given)
    yield subject.tenant.default_roles, subject.tenant_row


def _from_elsewhere(bundle: Bundle, subject: Subject, given: tuple[Given, ...]) -> Iterator[Assignments]:
    if subject.request.machine:
        if subject.client is None:
            return
        if subject.tenant is None:
            yield subject.client.roles, subject.client_row
    elif subject.user is not None:
        yield subject.user.roles, subject.user_row
        for group in subject.request.groups:
            yield bundle.groups.get(group, ()), f"POLICY GROUP#{group}"
        if subject.tenant is None:
            yield from ((each.roles, each.row) for each in given)
    yield bundle.settings.default_roles, SETTINGS_ROW
