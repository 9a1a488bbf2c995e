"""Which tenant a token is for: step 2 of docs/explanation/decision.md.

A pinned or hinted tenant that is not usable refuses, with the same code whether it is unknown, foreign or suspended.
A stored choice that is not usable yields no tenant, never another one.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from claimsmith.engine import federation
from claimsmith.engine.bundle import Client
from claimsmith.engine.language import MAX_TENANTS_LISTED, NAME, TENANT_HINT
from claimsmith.engine.reasons import SETTINGS_ROW, Reason
from claimsmith.errors import Code
from claimsmith.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from claimsmith.cognito.event import Request
    from claimsmith.engine.bundle import Bundle
    from claimsmith.engine.facts import Tenant, UserFacts

    Tenants = Mapping[str, Tenant | None]

#: Tenant rows asked for at once: what one BatchGetItem takes.
BATCH: Final = 100

#: Stands for a client that has no row.
NO_CLIENT: Final = Client()


class Choice(NamedTuple):
    """The tenant a token is for, or why there is none.

    Attributes:
        reason: how it was chosen, with the row that decides it; or why it was not.
        tenant: the chosen tenant, always a usable one.
        refusal: a code where the sign-in must be refused.
        offered: usable tenants to choose from, where none was chosen.
    """

    reason: Reason
    tenant: Tenant | None = None
    refusal: Code | None = None
    offered: tuple[Tenant, ...] = ()


#: No tenant is chosen.
NO_TENANT: Final = Choice(Reason("tenant", "", "dropped", SETTINGS_ROW, "no tenant can be chosen"))


def tenants_to_load(bundle: Bundle, user: UserFacts, tenants: Tenants, request: Request) -> list[str]:
    """The tenants whose rows are still to be read before ``choose`` can choose; empty when it can.

    Args:
        bundle: the policy.
        user: the user's own rows.
        tenants: TENANT rows read so far; None for those that are not there.
        request: what is asked.
    """
    if user.user is None or not user.user.active:
        return []
    if bundle.providers:
        user = federation.admitted(bundle, user, request)
    bound, how = _bound(bundle, request)
    if bound is not None:
        return [bound] if bound not in tenants and _member(bound, how, user, request) else []
    if how != "free" or request.machine:
        return []
    stored = _stored(user, request)
    if stored is not None and stored in user.memberships and (stored not in tenants or _usable(stored, tenants)):
        return [] if stored in tenants else [stored]
    # Whether there is one usable tenant or more is known at two; a list to choose from goes on to its limit.
    if sum(1 for _ in islice(_usable_tenants(user, tenants), MAX_TENANTS_LISTED)) == MAX_TENANTS_LISTED:
        return []
    return list(islice((tenant_id for tenant_id in sorted(user.memberships) if tenant_id not in tenants), BATCH))


def choose(bundle: Bundle, user: UserFacts, tenants: Tenants, request: Request) -> Choice:
    """Choose: the client's pin, the hint, the stored choice, the only usable membership, or none."""
    if user.user is None or not user.user.active:
        return _without_user(user, request)
    if bundle.providers:
        user = federation.admitted(bundle, user, request)
    bound, how = _bound(bundle, request)
    if how == "free":
        return _choose_freely(bundle, user, tenants, request)
    client_row = f"POLICY CLIENT#{request.client_id}"
    if how == "contradiction":
        return _refused(Code.TENANT_NOT_PERMITTED, client_row, "the hint contradicts the client's tenant")
    pinned = how == "pinned"
    source, detail = (
        (client_row, "the client is pinned to it") if pinned else ("request", "client metadata asks for it")
    )
    tenant = _usable(bound, tenants) if bound is not None and _member(bound, how, user, request) else None
    if tenant is None:
        return _refused(Code.TENANT_NOT_PERMITTED, source, detail)
    return _chosen(tenant, source, detail)


def _choose_freely(bundle: Bundle, user: UserFacts, tenants: Tenants, request: Request) -> Choice:
    """Choose where neither a pin nor a hint binds the request."""
    offered: tuple[Tenant, ...] = ()
    if not request.machine:
        stored = _stored(user, request)
        if stored is not None and stored in user.memberships:
            tenant = _usable(stored, tenants)
            if tenant is not None:
                return _chosen(tenant, f"USER#{request.sub} USER", "the user's stored choice")
        offered = tuple(islice(_usable_tenants(user, tenants), MAX_TENANTS_LISTED))
        if stored is None and len(offered) == 1:
            [tenant] = offered
            by = user.memberships[tenant.id].admitted_by
            if by:
                return _chosen(tenant, by, "the identity provider's users are members without a row")
            return _chosen(tenant, f"USER#{request.sub} TENANT#{tenant.id}", "the only usable membership")
    if bundle.settings.no_tenant == "deny":
        return _refused(Code.TENANT_REQUIRED, SETTINGS_ROW, NO_TENANT.reason.detail)
    return NO_TENANT._replace(offered=offered)


def _without_user(user: UserFacts, request: Request) -> Choice:
    """The refusal of a user who is suspended, or of whom nothing can be read."""
    row = f"USER#{request.sub} USER"
    if user.user is not None:
        return _refused(Code.USER_SUSPENDED, row, "the user is not active")
    if user.too_large:
        return _refused(Code.USER_TOO_LARGE, row, "there are more rows than are read of one user")
    return _refused(Code.USER_UNREADABLE, row, "the row cannot be read")


def _chosen(tenant: Tenant, source: str, detail: str) -> Choice:
    return Choice(Reason("tenant", tenant.id, "set", source, detail), tenant)


def _refused(code: Code, source: str, detail: str) -> Choice:
    return Choice(Reason("tenant", "", "refused", source, detail), refusal=code)


def _bound(bundle: Bundle, request: Request) -> tuple[str | None, str]:
    """The tenant this request must be for, and what binds it: a pin, a hint, their contradiction, or nothing."""
    pin = bundle.clients.get(request.client_id, NO_CLIENT).tenant
    hint = request.metadata.get(TENANT_HINT)
    if pin is not None:
        return (pin, "pinned") if hint in (None, pin) else (None, "contradiction")
    if hint is not None:
        return (hint if NAME.fullmatch(hint) else None), "hint"
    return None, "free"


def _member(tenant_id: str, how: str, user: UserFacts, request: Request) -> bool:
    """A machine belongs to the tenant its client is pinned to, and to no other."""
    return how == "pinned" if request.machine else tenant_id in user.memberships


def _stored(user: UserFacts, request: Request) -> str | None:
    if user.user is None:
        return None
    return user.user.active_tenant_by_client.get(request.client_id, user.user.active_tenant)


def _usable(tenant_id: str, tenants: Tenants) -> Tenant | None:
    tenant = tenants.get(tenant_id)
    return tenant if tenant is not None and tenant.active else None


def _usable_tenants(user: UserFacts, tenants: Tenants) -> Iterator[Tenant]:
    for tenant_id in sorted(user.memberships):
        tenant = _usable(tenant_id, tenants)
        if tenant is not None:
            yield tenant
