"""Writes a revocation for each sign-out in the user pool: ``lambdas.revocations.handler.handler``.

EventBridge delivers CloudTrail's events at least once and in any order. An event that cannot be handled is an error, so
that Lambda tries again and then keeps it in the queue.
"""

from __future__ import annotations

import time
from typing import Any, Final

from claimsmith.environment import TABLE, USER_POOL_ID, required
from claimsmith.errors import ClaimsmithError, Code
from claimsmith.service.sign_outs import record_sign_out
from claimsmith.store.dynamodb import BACKGROUND, Table, connect
from lambdas.telemetry import count, identify, logger, metrics

_rows: Final = Table(connect(BACKGROUND), required(TABLE))
_pools: Final = frozenset(required(USER_POOL_ID).split(","))


def handler(event: dict[str, Any], context: object) -> None:
    """Revoke the event's user.

    Raises:
        RuntimeError: the event cannot be handled.
    """
    identify(context)
    try:
        if record_sign_out(_rows, event, _pools, time.time()):
            logger.info("user revoked")
            count("SignOuts")
    except ClaimsmithError as error:
        logger.error("sign-out not recorded", extra={"code": error.code})
        if error.code != Code.SIGN_OUT_WITHOUT_USER:
            raise RuntimeError(f"not recorded [{error.code}]") from None
        # To try again would not help, and such an event is not worth an alarm each.
        count("SignOutsWithoutUser")
    finally:
        metrics.flush_metrics()
