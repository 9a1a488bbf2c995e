"""Reads one user's facts from the directory within limits, so that a user with many rows cannot slow down others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from claimsmith.engine.facts import UserFacts, read_user, too_large
from claimsmith.engine.tenancy import BATCH, tenants_to_load
from claimsmith.service.deadline import DeadlineError, abandoned
from claimsmith.store import directory
from claimsmith.store.failures import PartitionTooLargeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from claimsmith.cognito.event import Request
    from claimsmith.engine.bundle import Bundle
    from claimsmith.engine.facts import Tenant
    from claimsmith.store.reads import ReadableTable

    TenantsById = dict[str, Tenant | None]

#: Batches of tenant rows that are read at most to find the tenants one user may choose from.
TENANT_BATCHES: Final = 20


def user_facts(rows: ReadableTable, sub: str, now: int) -> UserFacts:
    """The user's own rows, read consistently; ``too_large`` for a user with too many rows.

    Args:
        rows: the table.
        sub: the user.
        now: epoch seconds.

    Raises:
        StoreError: DynamoDB is unavailable, or the caller has stopped waiting.
    """
    try:
        return read_user(directory.user_rows(rows, sub, abandoned=abandoned), now)
    except PartitionTooLargeError:
        return too_large(sub, f"has more than {directory.USER_PAGES} MB of rows")


def tenants_of(
    bundle: Bundle, user: UserFacts, request: Request, read: Callable[[list[str], TenantsById], None]
) -> tuple[UserFacts, TenantsById]:
    """The tenants that a decision about this user needs; ``too_large`` for a user with too many.

    Args:
        bundle: the policy.
        user: the user's own rows.
        request: the token request.
        read: adds these tenants to the known ones; None for a tenant that does not exist.

    Raises:
        DeadlineError: the caller has stopped waiting.
        StoreError: DynamoDB is unavailable.
    """
    known: TenantsById = {}
    batches = 0
    while missing := tenants_to_load(bundle, user, known, request):
        if abandoned():
            raise DeadlineError("The caller stopped waiting before all tenants were read.")
        if batches == TENANT_BATCHES:
            why = f"has memberships of more than {TENANT_BATCHES * BATCH:,} tenants, too few of them usable"
            return too_large(request.sub or "", why), known
        read(missing, known)
        batches += 1
    return user, known
