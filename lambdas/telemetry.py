"""Logs and metrics of the functions: one logger, one metrics buffer, and what may be logged about a failure.

Logs contain names, row keys and codes; never a claim's value, a token or an attribute.
"""

from __future__ import annotations

import re
import traceback
from typing import Final

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from claimsmith.environment import deployment

logger: Final = Logger()
metrics: Final = Metrics(namespace="Claimsmith")
if (_deployment := deployment()) is not None:
    metrics.set_default_dimensions(deployment=_deployment)

#: What API Gateway's ids are made of. A caller of a REST API may choose one, so whatever else is in it is left out.
_ID: Final = re.compile(r"[A-Za-z0-9_=-]{1,64}")


def identify(context: object, event: object = None) -> None:
    """Put the ids of an invocation into each line of the log, until the next invocation.

    Powertools adds the root of the X-Ray trace by itself.

    Args:
        context: Lambda's; its request id is also in Lambda's own lines.
        event: of API Gateway; its id is also in the API's access log. A token authorizer of a REST API gets none:
            there, the access log has Lambda's.
    """
    request = event.get("requestContext") if isinstance(event, dict) else None
    api = (request.get("extendedRequestId") or request.get("requestId")) if isinstance(request, dict) else None
    logger.append_keys(
        function_request_id=getattr(context, "aws_request_id", None),
        api_request_id=api if isinstance(api, str) and _ID.fullmatch(api) else None,
    )


def describe_bug(error: BaseException) -> dict[str, object]:
    """The log fields for an unexpected error: its type and stack. Its text might quote a value, so it is left out."""
    frames = traceback.extract_tb(error.__traceback__)
    return {"error": type(error).__name__, "at": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]}


def count(name: str, value: int = 1) -> None:
    """Add to a metric."""
    metrics.add_metric(name=name, unit=MetricUnit.Count, value=value)


def seconds(name: str, value: float) -> None:
    """Record a duration."""
    metrics.add_metric(name=name, unit=MetricUnit.Seconds, value=value)
