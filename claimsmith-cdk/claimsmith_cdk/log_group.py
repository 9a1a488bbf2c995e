"""Log groups: kept for a year with ``retain``, for a week without."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import ArnFormat, Aws, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs

if TYPE_CHECKING:
    from aws_cdk import aws_kms as kms
    from constructs import Construct

    from claimsmith_cdk.hosting import Hosting


def log_group(scope: Construct, construct_id: str, hosting: Hosting) -> logs.LogGroup:
    """Create a log group; with ``retain`` it outlives its stack."""
    if hosting.encryption_key is not None:
        _let_logs_use(hosting.encryption_key, Stack.of(scope))
    return logs.LogGroup(
        scope,
        construct_id,
        retention=logs.RetentionDays.ONE_YEAR if hosting.retain else logs.RetentionDays.ONE_WEEK,
        encryption_key=hosting.encryption_key,
        removal_policy=removal_policy(hosting),
    )


def removal_policy(hosting: Hosting) -> RemovalPolicy:
    """What becomes of data with its stack; with ``retain`` it stays, unless its own creation failed."""
    return RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE if hosting.retain else RemovalPolicy.DESTROY


def _let_logs_use(key: kms.IKey, stack: Stack) -> None:
    """A log group cannot be created with a key that CloudWatch Logs may not use; equal statements become one."""
    group = stack.format_arn(
        service="logs", resource="log-group", resource_name="*", arn_format=ArnFormat.COLON_RESOURCE_NAME
    )
    key.add_to_resource_policy(
        iam.PolicyStatement(
            principals=[iam.ServicePrincipal(f"logs.{Aws.REGION}.{Aws.URL_SUFFIX}")],
            actions=["kms:Decrypt", "kms:Describe*", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"],
            resources=["*"],
            conditions={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": group}},
        )
    )
