"""Logs and metrics of the functions: one logger, one metrics buffer, and what may be logged about a failure.

Logs contain names, row keys and codes; never a claim's value, a token or an attribute.
"""

from __future__ import annotations

import traceback
from typing import Final

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from claimsmith.environment import deployment

logger: Final = Logger()
metrics: Final = Metrics(namespace="Claimsmith")
if (_deployment := deployment()) is not None:
    metrics.set_default_dimensions(deployment=_deployment)


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
