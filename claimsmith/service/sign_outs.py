"""Users whose tokens were ended in the user pool, from CloudTrail's events; verifiers learn of it by a revocation row.

CloudTrail records the user's ``sub`` and hides names and tokens
(https://docs.aws.amazon.com/cognito/latest/developerguide/logging-using-cloudtrail.html). The session that
``RevokeToken`` ends is not in its event, so the row ends all earlier sign-ins of the user.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from claimsmith.errors import Code, OperationError
from claimsmith.service.revoke import LIFETIME
from claimsmith.store import revocations
from claimsmith.table import revocation_key

if TYPE_CHECKING:
    from collections.abc import Collection

    from claimsmith.store.dynamodb import Table

#: Operations after which Cognito itself accepts none of the user's tokens any longer.
OPERATIONS: Final = frozenset(
    {"AdminDeleteUser", "AdminDisableUser", "AdminUserGlobalSignOut", "DeleteUser", "GlobalSignOut", "RevokeToken"}
)

_SOURCE: Final = "cognito-idp.amazonaws.com"

#: Characters of a user's ``sub``, which is a UUID.
_LONGEST: Final = 128

#: Seconds by which an event may be ahead of this clock.
_AHEAD: Final = 300


def record_sign_out(rows: Table, event: Mapping[str, Any], pools: Collection[str], now: float) -> bool:
    """Revoke the user of an event. Again, late or in another order, the later time stays.

    Args:
        rows: the table.
        event: EventBridge's, of CloudTrail.
        pools: the ids of the user pools whose events count; an event that names no pool counts.
        now: epoch seconds.

    Returns:
        Whether the event ends a user's tokens: not if the call failed, or is of another pool.

    Raises:
        OperationError: the event has no user, or is not one of these events.
        StoreError: DynamoDB is unavailable.
    """
    detail = event.get("detail")
    if not isinstance(detail, Mapping) or detail.get("eventSource") != _SOURCE:
        raise _malformed()
    operation, time = detail.get("eventName"), _seconds(detail.get("eventTime"))
    if operation not in OPERATIONS or time > now + _AHEAD:
        raise _malformed()
    if detail.get("errorCode"):
        return False
    requested, more = _object(detail.get("requestParameters")), _object(detail.get("additionalEventData"))
    pool = requested.get("userPoolId") or more.get("userPoolId")
    if pool is not None and pool not in pools:
        return False
    sub = more.get("sub")
    if not isinstance(sub, str) or not 0 < len(sub) <= _LONGEST or not sub.isprintable() or "#" in sub:
        raise OperationError(
            Code.SIGN_OUT_WITHOUT_USER, f"CloudTrail's event of {operation} names no user; revoke the user by hand."
        )
    revocations.write(
        rows,
        revocation_key("user", sub),
        revoked_at=time,
        reason=f"{operation} in the user pool",
        by="cloudtrail",
        ttl=time + LIFETIME["user"],
    )
    return True


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _seconds(written: object) -> int:
    try:
        time = datetime.fromisoformat(written) if isinstance(written, str) else None
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise _malformed()
    return int(time.timestamp())


def _malformed() -> OperationError:
    return OperationError(
        Code.SIGN_OUT_MALFORMED, "This is no event of CloudTrail that ends a user's tokens. Check the rule's pattern."
    )
