"""Revokes: a session, a token, a user, a client, a tenant (DESIGN section 8)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Literal

from claimsmith import table
from claimsmith.store import revocations
from claimsmith.verifier.revocation import revocation_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from claimsmith.store.dynamodb import Table
    from claimsmith.store.pool import Pool

Kind = Literal["session", "token", "user", "client", "tenant"]

_DAY: Final = 86_400

#: How long a row must be kept. What is judged by when its user signed in outlives the longest refresh token (3,650
#: days); what is judged by when it was issued outlives the longest access token (one day). One day more for clocks.
_KEPT: Final[dict[Kind, int]] = {
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
    """Revoke; verifiers that ask the table see it at once.

    Until when is told by AWS's clock, as tokens are; by this machine's only where AWS does not say. A revocation never
    takes back a part of one that is there.

    Args:
        rows: the table.
        kind: ``session`` (by ``origin_jti``), ``token`` (by ``jti``), ``user`` (by ``sub``), ``client``
            or ``tenant`` (by id).
        identifier: which one.
        by: who revokes.
        reason: for those who read the row; not shown to users.
        pool: where a user is to be signed out too, so that refresh tokens end with the tokens.
        username: the user's name there.
        clock: epoch seconds, of this machine.

    Returns:
        Whether the pool signed the user out, too.

    Raises:
        OperationError: the pool does not answer; the row is written.
        StoreError: DynamoDB does not answer; nothing was written.
    """
    key = revocation_key(kind, identifier)
    told = rows.server_time(key, table.REVOKED)
    now = int(clock() if told is None else told)
    revocations.write(rows, key, revoked_at=now, reason=reason, by=by, ttl=now + _KEPT[kind])
    if kind == "user" and pool is not None and username is not None:
        pool.sign_out(username)
        return True
    return False
