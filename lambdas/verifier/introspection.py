"""Token introspection, RFC 7662: ``lambdas.verifier.introspection.handler``."""

from __future__ import annotations

import gc

# Collecting while a process only imports finds nothing and costs a tenth of a cold start.
gc.disable()

from typing import Any, Final

from claimsmith.errors import ClaimsmithError
from claimsmith.verifier.introspection import unavailable
from lambdas.telemetry import count, describe_bug, logger, metrics
from lambdas.token_checks import checks

gc.freeze()
gc.enable()

#: What an answer that is not "active" counts as, by its status.
_COUNTED: Final = {200: "Inactive", 503: "Unknown"}


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Answer whether a token is active; 503 where that cannot be known."""
    try:
        answer = checks.introspect(event)
        fields = {
            "status": answer.response["statusCode"],
            "caller": answer.resource_id,
            "credentials": answer.credentials,
            "code": answer.code,
        }
        logger.info("introspection", extra={name: value for name, value in fields.items() if value is not None})
        count("Active" if answer.code is None else _COUNTED.get(answer.response["statusCode"], "RequestRefused"))
        response = answer.response
    except ClaimsmithError as error:
        logger.error("introspection not possible", extra={"code": error.code})
        count("Unknown")
        response = unavailable()
    except Exception as error:  # noqa: BLE001 - whatever it is, nothing of the request may leave in an error
        logger.error("introspection not possible because of a bug", extra=describe_bug(error))
        count("Unknown")
        response = unavailable()
    finally:
        metrics.flush_metrics()
    return response
