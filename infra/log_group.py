"""Log groups: kept for a year in production, for a week elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import RemovalPolicy
from aws_cdk import aws_logs as logs

if TYPE_CHECKING:
    from constructs import Construct

    from infra.config import Config


def log_group(scope: Construct, construct_id: str, config: Config) -> logs.LogGroup:
    """Create a log group; in production it outlives its stack."""
    return logs.LogGroup(
        scope,
        construct_id,
        retention=logs.RetentionDays.ONE_YEAR if config.production else logs.RetentionDays.ONE_WEEK,
        removal_policy=RemovalPolicy.RETAIN if config.production else RemovalPolicy.DESTROY,
    )
