"""What a local stack, in place of AWS, cannot deploy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import aws_cloudwatch as cloudwatch

if TYPE_CHECKING:
    from constructs import Construct


def remove_metric_math(scope: Construct) -> None:
    """Remove the alarms on more than one metric: its CloudFormation fails at the first."""
    for alarm in scope.node.children:
        resource = alarm.node.default_child
        if isinstance(resource, cloudwatch.CfnAlarm) and resource.metric_name is None:
            scope.node.try_remove_child(alarm.node.id)
