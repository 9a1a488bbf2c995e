"""What the directory says of one user, read within bounds: neither one user's rows nor one late answer costs others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from claimsmith.engine.facts import UserFacts, read_user, too_large
from claimsmith.engine.tenancy import BATCH, wanted
from claimsmith.service.deadline import DeadlineError, abandoned
from claimsmith.store import directory
from claimsmith.store.dynamodb import PartitionTooLargeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from claimsmith.cognito.event import Request
    from claimsmith.engine.bundle import Bundle
    from claimsmith.engine.facts import Tenant
    from claimsmith.store.dynamodb import Table

    Known = dict[str, Tenant | None]

#: Batches of tenant rows that are read to find those that one user may choose from.
TENANT_BATCHES: Final = 20


def user_facts(rows: Table, sub: str, now: int) -> UserFacts:
    """The user's own rows, read consistently; of a user with too many rows, that nothing is known.

    Args:
        rows: the table.
        sub: the user.
        now: epoch seconds.

    Raises:
        StoreError: DynamoDB does not answer, or nobody waits for the answer any more.
    """
    try:
        return read_user(directory.user_rows(rows, sub, abandoned=abandoned), now)
    except PartitionTooLargeError:
        return too_large(sub, f"has more than {directory.USER_PAGES} MB of rows")


def tenants_of(
    bundle: Bundle, user: UserFacts, request: Request, read: Callable[[list[str], Known], None]
) -> tuple[UserFacts, Known]:
    """The tenants that a decision about this user needs; of a user with too many, that nothing is known.

    Args:
        bundle: the policy.
        user: the user's own rows.
        request: what is asked.
        read: adds the rows of these tenants to those that are known; None for one that is not there.

    Raises:
        DeadlineError: nobody waits for the answer any more.
        StoreError: DynamoDB does not answer.
    """
    known: Known = {}
    batches = 0
    while missing := wanted(bundle, user, known, request):
        if abandoned():
            raise DeadlineError("Nobody waits for these tenants any more.")
        if batches == TENANT_BATCHES:
            why = f"has memberships of more than {TENANT_BATCHES * BATCH:,} tenants, too few of them usable"
            return too_large(request.sub or "", why), known
        read(missing, known)
        batches += 1
    return user, known
