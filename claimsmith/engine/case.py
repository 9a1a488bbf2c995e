"""One decision in the making: what it is about, and the reasons so far."""

from __future__ import annotations

from typing import TYPE_CHECKING

from claimsmith.engine.language.paths import Known
from claimsmith.engine.reasons import Reason

if TYPE_CHECKING:
    from claimsmith.cognito.event import Request
    from claimsmith.engine.bundle import Bundle, Client, Rule
    from claimsmith.engine.facts import Facts, Membership, Problem, Tenant, User
    from claimsmith.engine.tenancy import Choice

#: Makes a reason in half the time; a decision gives a hundred.
_new = tuple.__new__


class Case:
    """What a decision is about, once its tenant is chosen.

    Attributes:
        user: the USER row; None for a machine.
        membership: the user's in the tenant; None for a machine, whose client stands in for it.
        roles: those that are left, sorted, once they are known.
        role_rows: the rows that give them.
        rules: those that apply, in their order, once the roles are known.
        problems: what rows of the directory say and may not.
    """

    __slots__ = (
        "bundle",
        "choice",
        "client",
        "client_row",
        "membership",
        "membership_row",
        "problems",
        "reasons",
        "request",
        "role_rows",
        "roles",
        "rules",
        "tenant",
        "tenant_row",
        "user",
        "user_row",
    )

    def __init__(self, bundle: Bundle, facts: Facts, request: Request, choice: Choice, why_tenant: Reason) -> None:
        self.bundle = bundle
        self.request = request
        self.choice = choice
        self.tenant: Tenant | None = choice.tenant
        self.client: Client | None = bundle.clients.get(request.client_id)
        self.user: User | None = None if request.machine else facts.user.user
        tenant_id = choice.tenant.id if choice.tenant else ""
        self.client_row = f"POLICY CLIENT#{request.client_id}"
        self.tenant_row = f"TENANT#{tenant_id} TENANT"
        self.user_row = f"USER#{request.sub} USER"
        self.membership_row = f"USER#{request.sub} TENANT#{tenant_id}"
        self.membership: Membership | None = (
            facts.user.memberships.get(tenant_id) if choice.tenant and not request.machine else None
        )
        self.roles: tuple[str, ...] = ()
        self.role_rows = ""
        self.rules: tuple[Rule, ...] = ()
        self.reasons: list[Reason] = [why_tenant]
        self.problems: list[Problem] = []

    def known(self) -> Known:
        """What paths lead to."""
        name = self.client.name if self.client else None
        return Known(self.request, self.user, self.tenant, self.membership, self.roles, name)

    def say(self, kind: str, name: str, outcome: str, source: str, detail: str = "", token: str = "") -> None:
        """Give a reason."""
        self.reasons.append(_new(Reason, (kind, name, outcome, source, detail, token)))
