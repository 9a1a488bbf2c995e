"""Whom a token is for: the rows that the steps of a decision read once the tenant is chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from claimsmith.engine import federation
from claimsmith.engine.language.paths import EvaluationContext
from claimsmith.engine.role_sets import Ceiling
from claimsmith.named_tuple import NamedTuple

if TYPE_CHECKING:
    from claimsmith.cognito.event import Request
    from claimsmith.engine.bundle import Bundle, Client
    from claimsmith.engine.facts import Facts, Membership, Tenant, User
    from claimsmith.engine.tenancy import Choice


#: Why something is left out of an access token, in reasons.
NOTHING_ADDED: Final = "add_to_access_token of the client is false"


class Subject(NamedTuple):
    """A user or a machine, in a tenant or none, at an app client.

    Attributes:
        request: what Cognito asks.
        client: the app client in the policy; None where it has no row.
        user: the USER row; None for a machine.
        tenant: the chosen one.
        membership: the user's in that tenant; None for a machine, whose client stands in for it.
        offered: the tenants to choose from, where none is chosen.
        tenant_source: the row that the choice of the tenant comes from, or ``request``.
        ceiling: the scopes that the client allows; None where it sets no limit.
        client_row: the key of that row, as reasons name it; likewise the following.
    """

    request: Request
    client: Client | None
    user: User | None
    tenant: Tenant | None
    membership: Membership | None
    offered: tuple[Tenant, ...]
    tenant_source: str
    ceiling: Ceiling | None
    client_row: str
    user_row: str
    tenant_row: str
    membership_row: str

    @property
    def adds_to_access_token(self) -> bool:
        """Whether the policy may put anything into the access token."""
        return self.client is None or self.client.add_to_access_token

    def context(self, roles: tuple[str, ...]) -> EvaluationContext:
        """What conditions and values read, given the assigned roles."""
        client_name = self.client.name if self.client else None
        return EvaluationContext(self.request, self.user, self.tenant, self.membership, roles, client_name)


def gather(bundle: Bundle, facts: Facts, request: Request, choice: Choice) -> Subject:
    """The subject of a request in the chosen tenant."""
    tenant_id = choice.tenant.id if choice.tenant else ""
    machine = request.machine
    membership = None
    if choice.tenant and not machine:
        user = federation.admitted(bundle, facts.user, request) if bundle.providers else facts.user
        membership = user.memberships.get(tenant_id)
    client = bundle.clients.get(request.client_id)
    client_row = f"POLICY CLIENT#{request.client_id}"
    allowed = client.scopes_allowed if client is not None else None
    return Subject(
        request,
        client,
        None if machine else facts.user.user,
        choice.tenant,
        membership,
        choice.offered,
        choice.reason.source,
        None if allowed is None else Ceiling(client_row, allowed),
        client_row,
        user_row=f"USER#{request.sub} USER",
        tenant_row=f"TENANT#{tenant_id} TENANT",
        membership_row=(membership and membership.admitted_by) or f"USER#{request.sub} TENANT#{tenant_id}",
    )
