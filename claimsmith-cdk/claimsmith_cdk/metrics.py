"""The metrics that the functions publish themselves: by service, and by deployment, so that no two are mixed up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch

if TYPE_CHECKING:
    from constructs import IConstruct

    from claimsmith_cdk.hosting import Hosting

#: As ``lambdas/telemetry.py`` and the functions' environment (``function.py``) have it.
NAMESPACE: Final = "Claimsmith"
PERIOD: Final = Duration.minutes(5)

_SERVICE: Final = "service"
_DEPLOYMENT: Final = "deployment"


def deployment_of(scope: IConstruct, hosting: Hosting) -> str:
    """The deployment that a construct belongs to."""
    return hosting.deployment or Stack.of(scope).stack_name


def own_metric(name: str, *, service: str, deployment: str, statistic: str = "sum") -> cloudwatch.Metric:
    """A metric that functions publish.

    Args:
        name: the metric's name in the handler.
        service: the folder of the handler below ``lambdas``.
        deployment: see ``Hosting.deployment``.
        statistic: of the values of a period.
    """
    return cloudwatch.Metric(
        namespace=NAMESPACE,
        metric_name=name,
        dimensions_map={_SERVICE: service, _DEPLOYMENT: deployment},
        statistic=statistic,
        period=PERIOD,
    )
