"""The Lambda authorizer: ``lambdas.verifier.authorizer.handler``."""

from __future__ import annotations

import gc

# Collecting while a process only imports finds nothing and costs a tenth of a cold start.
gc.disable()

from typing import Any

from claimsmith.errors import ClaimsmithError
from claimsmith.verifier.authorizer import UnauthorizedError
from lambdas.telemetry import count, describe_bug, logger, metrics
from lambdas.token_checks import checks

gc.freeze()
gc.enable()


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Let a request through, or not.

    Raises:
        UnauthorizedError: API Gateway makes a 401 of it.
        RuntimeError: whether the request may pass cannot be known; API Gateway makes a 500 of it.
    """
    try:
        answer = checks.authorize(event)
        if answer.code is None:
            logger.info("request allowed")
            count("Allowed")
        else:
            logger.warning("request refused", extra={"code": answer.code})
            count("Forbidden")
    except UnauthorizedError as unauthorized:
        logger.warning("request refused", extra={"code": unauthorized.code})
        count("Unauthorized")
        raise
    except ClaimsmithError as error:
        logger.error("request refused, for it cannot be checked", extra={"code": error.code})
        count("Unknown")
        raise RuntimeError(f"cannot be checked [{error.code}]") from None
    except Exception as error:  # noqa: BLE001 - whatever it is, nothing of the request may leave in an error
        logger.error("request refused by a bug", extra=describe_bug(error))
        count("Unknown")
        raise RuntimeError("cannot be checked") from None
    finally:
        metrics.flush_metrics()
    return answer.response
