"""The Lambda authorizer: ``lambdas.verifier.authorizer.handler``."""

from __future__ import annotations

import gc

# Garbage collection during imports finds nothing and takes a tenth of a cold start.
gc.disable()

from typing import Any

from claimsmith.errors import ClaimsmithError
from claimsmith.verifier.authorizer import UnauthorizedError
from lambdas.telemetry import count, describe_bug, identify, logger, metrics
from lambdas.token_checks import checks

gc.freeze()
gc.enable()


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Allow or refuse a request.

    Raises:
        UnauthorizedError: API Gateway responds with 401.
        RuntimeError: the request cannot be checked; API Gateway responds with 500.
    """
    identify(context, event)
    try:
        answer = checks().authorize(event)
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
        logger.error("request refused because it cannot be checked", extra={"code": error.code})
        count("Unknown")
        raise RuntimeError(f"cannot be checked [{error.code}]") from None
    except Exception as error:  # noqa: BLE001 - an error must not reveal anything about the request
        logger.error("request refused because of a bug", extra=describe_bug(error))
        count("Unknown")
        raise RuntimeError("cannot be checked") from None
    finally:
        metrics.flush_metrics()
    return answer.response
