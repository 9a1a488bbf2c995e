"""What would have to change for a sign-in not to be refused, or to be for another tenant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from claimsmith import table
from claimsmith.cognito.event import MANAGED_LOGIN
from claimsmith.engine.explanation.situation import REQUEST, Change, Plan, one
from claimsmith.engine.facts import Problem, read_tenant, read_user
from claimsmith.engine.language import NAME, TENANT_HINT
from claimsmith.engine.reasons import SETTINGS_ROW
from claimsmith.errors import Code

if TYPE_CHECKING:
    from collections.abc import Iterator

    from claimsmith.engine.decide import Refusal
    from claimsmith.engine.explanation.situation import Situation
    from claimsmith.engine.facts import Row

#: What ``settings.token_budget`` may be, in bytes, in steps.
_BUDGETS: Final = range(1_024, 16_385, 1_024)


class TenantPlans:
    """Makes up what may let somebody sign in, or in a certain tenant."""

    def __init__(self, situation: Situation) -> None:
        self.situation = situation
        self.bundle = situation.policy.bundle
        self.request = situation.request
        self.subject = situation.subject

    def admitting(self, refusal: Refusal) -> Iterator[Plan]:
        """What lets a sign-in through that is refused."""
        match refusal.code:
            case Code.USER_SUSPENDED:
                yield one(self.subject.user_row, "status", "set", "active", "the user is not active")
            case Code.USER_UNREADABLE:
                for problem in refusal.problems:
                    if problem.row == self.subject.user_row:
                        yield (_unreadable(problem),)
            case Code.TENANT_NOT_PERMITTED:
                yield from self.permitting()
            case Code.TENANT_REQUIRED:
                for name in self.memberships():
                    yield from self.choosing(name, "")
                yield one(SETTINGS_ROW, "no_tenant", "set", "allow", "the policy refuses whoever has no tenant")
            case Code.TOKEN_OVER_BUDGET:
                yield from self.lengthening("the token would be longer than token_budget")

    def permitting(self) -> Iterator[Plan]:
        """What makes the tenant usable that the client or the request binds the token to; or frees it of that."""
        hint = self.request.metadata.get(TENANT_HINT)
        pinned = self.subject.client.tenant if self.subject.client else None
        if pinned is not None and hint in (None, pinned):
            yield self.usable(pinned, f"the client is pinned to {pinned}; ")
        elif pinned is None and hint is not None and NAME.fullmatch(hint) and not self.request.machine:
            yield self.usable(hint, f"client metadata asks for {hint}; ")
        if hint is not None:
            yield one(REQUEST, "metadata", "delete", None, f"client metadata asks for {hint}", TENANT_HINT)

    def lengthening(self, why: str) -> Iterator[Plan]:
        """Longer tokens."""
        for size in _BUDGETS:
            if size > self.bundle.settings.token_budget:
                yield one(SETTINGS_ROW, "token_budget", "set", size, why)

    def memberships(self) -> list[str]:
        """The tenants of which the user has a membership, usable or not; the stored choice first."""
        keys = (sk for sk in self.situation.user_rows if sk.startswith(table.TENANT_PREFIX))
        names = sorted(name for sk in keys if NAME.fullmatch(name := sk.removeprefix(table.TENANT_PREFIX)))
        stored = self.stored()
        return [name for name in names if name == stored] + [name for name in names if name != stored]

    def others(self) -> Iterator[tuple[str, Row, Row]]:
        """Tenants that are not chosen, each with the membership and the tenant's row, empty if there is none."""
        for name in self.memberships():
            if name != chosen(self.situation):
                member = self.situation.user_rows[f"{table.TENANT_PREFIX}{name}"]
                yield name, member, self.situation.tenant_rows.get(name, {})

    def stored(self) -> str | None:
        """The tenant that the user has chosen for this client."""
        user = self.subject.user
        if user is None:
            return None
        return user.active_tenant_by_client.get(self.request.client_id, user.active_tenant)

    def usable(self, name: str, because: str) -> Plan:
        """What makes a tenant usable for the subject; empty if it is."""
        tenant_key = f"{table.TENANT_PREFIX}{name} {table.TENANT}"
        steps: list[Change] = []
        if not self.request.machine:
            row = self.situation.user_rows.get(f"{table.TENANT_PREFIX}{name}")
            key = f"{table.USER_PREFIX}{self.request.sub} {table.TENANT_PREFIX}{name}"
            steps += self.revived(row, key, f"{because}the user's membership of {name}")
        row = self.situation.tenant_rows.get(name)
        return (*steps, *self.revived(row, tenant_key, f"{because}the tenant {name}"))

    def revived(self, row: Row | None, key: str, what: str) -> list[Change]:
        """What makes the row of a membership or a tenant count."""
        if row is None:
            return [Change(key, "", "create", None, f"{what} does not exist")]
        found: list[Change] = []
        now = self.situation.now
        left = dict(row)
        while (problem := _problem(left, now)) is not None and problem.attribute in left:
            del left[problem.attribute]
            found.append(_unreadable(problem))
        ends = (table.TTL,) if row[table.SK] == table.TENANT else (table.TTL, "expires_at")
        found += [
            Change(key, end, "delete", None, f"{what} has expired")
            for end in ends
            if end in left and int(left[end]) <= now
        ]
        if left.get("status", "active") != "active":
            found.append(Change(key, "status", "set", "active", f"{what} is not active"))
        return found

    def choosing(self, name: str, because: str) -> Iterator[Plan]:
        """What makes a tenant be the chosen one."""
        if not NAME.fullmatch(name) or self.subject.tenant_row == f"{table.TENANT_PREFIX}{name} {table.TENANT}":
            return
        steps = self.usable(name, because)
        after = self.situation.changed(*steps)
        if chosen(after) == name:
            yield steps
            return
        if self.request.machine:
            yield (*steps, Change(self.subject.client_row, "tenant", "set", name, f"{because}no tenant is pinned"))
            return
        other = chosen(self.situation)
        why = because + (f"the token is for the tenant {other}, not {name}" if other else f"{name} is not chosen")
        user, client_id = self.subject.user, self.request.client_id
        if user is not None and client_id in user.active_tenant_by_client:
            choice = Change(self.subject.user_row, "active_tenant_by_client", "set", name, why, client_id)
        else:
            choice = Change(self.subject.user_row, "active_tenant", "set", name, why)
        yield (*steps, choice)
        if self.request.source != MANAGED_LOGIN:
            yield (*steps, Change(REQUEST, "metadata", "set", name, why, TENANT_HINT))


def chosen(situation: Situation) -> str | None:
    """The tenant that a token of this situation is for."""
    tenant = situation.choice.tenant
    return tenant.id if tenant else None


def _problem(row: Row, now: int) -> Problem | None:
    """Why the row of a membership or a tenant cannot be read."""
    if row[table.SK] == table.TENANT:
        tenant = read_tenant(row, now)
        return tenant if isinstance(tenant, Problem) else None
    return next(iter(read_user((row,), now).problems), None)


def _unreadable(problem: Problem) -> Change:
    why = f"the row cannot be read: {problem.attribute} {problem.why}"
    return Change(problem.row, problem.attribute, "delete", None, why)
