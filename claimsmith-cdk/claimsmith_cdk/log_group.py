"""Log groups: kept for a year with ``retain``, for a week without."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import RemovalPolicy
from aws_cdk import aws_logs as logs

if TYPE_CHECKING:
    from constructs import Construct

    from claimsmith_cdk.hosting import Hosting


def log_group(scope: Construct, construct_id: str, hosting: Hosting) -> logs.LogGroup:
    """Create a log group; with ``retain`` it outlives its stack."""
    return logs.LogGroup(
        scope,
        construct_id,
        retention=logs.RetentionDays.ONE_YEAR if hosting.retain else logs.RetentionDays.ONE_WEEK,
        removal_policy=RemovalPolicy.RETAIN if hosting.retain else RemovalPolicy.DESTROY,
    )
