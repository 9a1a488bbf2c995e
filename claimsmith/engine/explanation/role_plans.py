"""What would have to change for a role to be assigned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from claimsmith import table
from claimsmith.engine import federation
from claimsmith.engine.explanation.situation import REQUEST, Plan, one
from claimsmith.engine.explanation.tenant_plans import TenantPlans, chosen

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from claimsmith.engine.explanation.situation import Situation


class RolePlans:
    """Makes up what may assign a role."""

    def __init__(self, situation: Situation) -> None:
        self.situation = situation
        self.bundle = situation.policy.bundle
        self.request = situation.request
        self.subject = situation.subject
        self.tenants = TenantPlans(situation)

    def assigning(self, name: str, because: str) -> Iterator[Plan]:
        """What makes a role be assigned.

        Args:
            name: the role.
            because: what it is for, in front of each reason.
        """
        if name not in self.bundle.roles:
            return
        ceiling = self.ceiling(chosen(self.situation) or "", name, because)
        if self.is_held(name):
            yield ceiling
        elif self.request.machine:
            for plan in self.to_row(self.subject.client_row, "the client", name, because):
                yield (*plan, *ceiling)
        else:
            membership = self.subject.membership
            admitted = membership is not None and bool(membership.admitted_by)
            if admitted:
                # There is no row to which the role could be added; the provider's administrator can.
                yield from self.by_provider(name, because)
            if membership is not None:
                what = f"the membership of {chosen(self.situation)}"
                for plan in self.to_row(self.subject.membership_row, what, name, because):
                    yield (*plan, *ceiling)
            yield from self.elsewhere(name, because)
            yield from self.by_group(name, because)
            if not admitted:
                yield from self.by_provider(name, because)
            if membership is None:
                yield from self.to_row(self.subject.user_row, "the user's row", name, because)

    def to_row(self, row: str, what: str, name: str, because: str) -> Iterator[Plan]:
        """A role by a row that lists roles: itself, or one that inherits it."""
        for role in self.givers(name):
            yield one(row, "roles", "add", role, f"{because}{what} does not have role {role}")

    def by_group(self, name: str, because: str) -> Iterator[Plan]:
        """A role by a group of the pool."""
        givers = set(self.givers(name))
        for group, roles in self.bundle.groups.items():
            if group not in self.request.groups and not givers.isdisjoint(roles):
                why = f"{because}group {group} gives it, and the user is not in it"
                yield one(REQUEST, "groups", "add", group, why)

    def by_provider(self, name: str, because: str) -> Iterator[Plan]:
        """A role by a group that the identity provider of this sign-in could name."""
        provider, _ = federation.speaking(self.bundle, self.request)
        if provider is None or not federation.may_speak_for(provider, chosen(self.situation)):
            return
        givers, known = set(self.givers(name)), self.request.attributes
        for attribute in provider.attributes[:1]:
            named = federation.listed(known.get(attribute, ""))
            for group, roles in federation.groups_of(provider):
                if group not in named and not givers.isdisjoint(roles):
                    why = f"{because}the provider's group {group} gives it, and {attribute} does not name the group"
                    yield one(REQUEST, "attributes", "add", group, why, attribute)

    def elsewhere(self, name: str, because: str) -> Iterator[Plan]:
        """A role from a tenant that is not the chosen one: where the user has it, then where the user could have it."""
        givers = set(self.givers(name))
        lacking: list[str] = []
        for other, member, tenant in self.tenants.others():
            if givers.isdisjoint([*texts(member.get("roles")), *texts(tenant.get("default_roles"))]):
                lacking.append(other)
                continue
            for plan in self.tenants.choosing(other, f"{because}the membership of {other} has it; "):
                yield (*plan, *self.ceiling(other, name, because))
        if self.subject.tenant is not None:
            return
        for other in lacking:
            row = f"{table.USER_PREFIX}{self.request.sub} {table.TENANT_PREFIX}{other}"
            for plan in self.tenants.choosing(other, because):
                for added in self.to_row(row, f"the membership of {other}", name, because):
                    yield (*plan, *added, *self.ceiling(other, name, because))

    def ceiling(self, tenant_id: str, role: str, because: str) -> Plan:
        """What lets a role through that a tenant's ceiling leaves out."""
        allowed = self.situation.tenant_rows.get(tenant_id, {}).get("roles_allowed")
        if not isinstance(allowed, list) or role in allowed:
            return ()
        row = f"{table.TENANT_PREFIX}{tenant_id} {table.TENANT}"
        return one(row, "roles_allowed", "add", role, f"{because}the tenant's roles_allowed leaves {role} out")

    def givers(self, name: str) -> list[str]:
        """A role, then those that inherit it."""
        roles = self.bundle.roles.items()
        return [name, *sorted(role for role, entry in roles if name in entry.closure and role != name)]

    def is_held(self, name: str) -> bool:
        """Whether the tenant's side gives a role that the tenant's ceiling leaves out."""
        dropped = ("role", name, "dropped", self.subject.tenant_row)
        return any(reason[:4] == dropped for reason in self.situation.outcome.reasons)


def texts(value: object) -> Iterable[str]:
    """The texts in a list or a set; none in anything else."""
    return [item for item in value if isinstance(item, str)] if isinstance(value, list | set | frozenset) else ()
