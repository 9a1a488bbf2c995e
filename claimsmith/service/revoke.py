"""Revokes sessions, tokens, users, clients and tenants."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Literal

from claimsmith import table
from claimsmith.store import revocations
from claimsmith.table import revocation_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from claimsmith.store.dynamodb import Table
    from claimsmith.store.pool import Pool

Kind = Literal["session", "token", "user", "client", "tenant"]

_DAY: Final = 86_400

#: How long a row is kept, in seconds. Rows compared with the time of sign-in must outlive the longest refresh token
#: (3,650 days); rows compared with the time of issue, the longest access token (one day). One day more for clock skew.
LIFETIME: Final[dict[Kind, int]] = {
    "session": 3_651 * _DAY,
    "user": 3_651 * _DAY,
    "token": 2 * _DAY,
    "client": 2 * _DAY,
    "tenant": 2 * _DAY,
}


def revoke(
    rows: Table,
    kind: Kind,
    identifier: str,
    *,
    by: str,
    reason: str | None = None,
    pool: Pool | None = None,
    username: str | None = None,
    clock: Callable[[], float] = time.time,
) -> bool:
    """Revoke; verifiers that query the table see it at once.

    The time of revocation comes from AWS's clock, as the times in tokens do; from this machine's only if AWS's response
    has no date. A revocation never weakens an existing one.

    Args:
        rows: the table.
        kind: ``session`` (by ``origin_jti``), ``token`` (by ``jti``), ``user`` (by ``sub``), ``client``
            or ``tenant`` (by id).
        identifier: the id of what is revoked.
        by: who revokes.
        reason: for people who read the row; not shown to users.
        pool: also sign the user out of this pool, which ends their refresh tokens.
        username: the user's name in the pool.
        clock: epoch seconds on this machine.

    Returns:
        Whether the pool also signed the user out.

    Raises:
        OperationError: the pool is unavailable; the row has been written.
        StoreError: DynamoDB is unavailable; nothing has been written.
    """
    key = revocation_key(kind, identifier)
    server_time = rows.server_time(key, table.REVOKED)
    now = int(clock() if server_time is None else server_time)
    revocations.write(rows, key, revoked_at=now, reason=reason, by=by, ttl=now + LIFETIME[kind])
    if kind == "user" and pool is not None and username is not None:
        pool.sign_out(username)
        return True
    return False
