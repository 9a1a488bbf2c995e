"""Token introspection (RFC 7662) and discovery: ``lambdas.verifier.introspection.handler``."""

from __future__ import annotations

import gc

# Garbage collection during imports finds nothing and takes a tenth of a cold start.
gc.disable()

from typing import Any, Final

from claimsmith.errors import ClaimsmithError
from claimsmith.verifier.discovery import asks_for_metadata
from claimsmith.verifier.introspection import unavailable
from lambdas.telemetry import count, describe_bug, identify, logger, metrics
from lambdas.token_checks import checks

gc.freeze()
gc.enable()

#: The metric for a response that is not "active", by its status.
_METRICS: Final = {200: "Inactive", 503: "Unknown"}

#: The same for requests for metadata. Anybody may ask for what there is not, so it is not a refusal.
_METADATA_METRICS: Final = {200: "Described", 404: "NotDescribed", 503: "Unknown"}

#: RFC 6585 section 4.
_TOO_MANY: Final = 429

#: How the path of the keys of signed answers ends; any other is of a question.
_KEYS: Final = "/jwks.json"


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Report whether a token is active, where tokens come from, or the keys of signed answers; 503 if unknown."""
    identify(context, event)
    try:
        if asks_for_metadata(event):
            response = _described(event)
        elif str(event.get("rawPath")).endswith(_KEYS):
            response = checks().introspection_keys()
        else:
            response = _introspected(event)
    except ClaimsmithError as error:
        logger.error("introspection failed", extra={"code": error.code})
        count("Unknown")
        response = unavailable()
    except Exception as error:  # noqa: BLE001 - an error must not reveal anything about the request
        logger.error("introspection failed because of a bug", extra=describe_bug(error))
        count("Unknown")
        response = unavailable()
    finally:
        metrics.flush_metrics()
    return response


def _introspected(event: dict[str, Any]) -> dict[str, Any]:
    answer = checks().introspect(event)
    fields = {
        "status": answer.response["statusCode"],
        "caller": answer.resource_id,
        "credentials": answer.credentials,
        "code": answer.code,
    }
    logger.info("introspection", extra={name: value for name, value in fields.items() if value is not None})
    count("Active" if answer.code is None else _METRICS.get(answer.response["statusCode"], "RequestRefused"))
    if answer.response["statusCode"] == _TOO_MANY:
        count("RateLimited")
    return answer.response


def _described(event: dict[str, Any]) -> dict[str, Any]:
    answer = checks().describe(event)
    status = answer.response["statusCode"]
    logger.info("metadata", extra={"status": status} | ({} if answer.code is None else {"code": answer.code}))
    count(_METADATA_METRICS[status])
    return answer.response
