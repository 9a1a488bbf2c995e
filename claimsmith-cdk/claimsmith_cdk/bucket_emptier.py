"""Empties a bucket when its stack is deleted: CloudFormation deletes only empty ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from aws_cdk import CustomResource, Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from claimsmith_cdk.acknowledgement import acknowledge
from claimsmith_cdk.log_group import log_group

if TYPE_CHECKING:
    from aws_cdk import aws_s3 as s3

    from claimsmith_cdk.hosting import Hosting

_CODE: Final = Path(__file__).with_name("empty_bucket.py")

#: Of the function, and one minute more for CloudFormation, whose own limit is an hour.
_TIMEOUT: Final = Duration.minutes(14)
_SERVICE_TIMEOUT: Final = Duration.minutes(15)


class BucketEmptier(Construct):
    """A custom resource that empties a bucket when the stack is deleted, and does nothing at any other time.

    Only for buckets that go with their stack. What writes to the bucket must depend on ``resource``, so that nothing
    writes once it is empty. The function is in no VPC: a VPC without a way to CloudFormation would make every
    deployment wait for its answer.

    Attributes:
        policy: the function's permissions.
        resource: the custom resource.
    """

    def __init__(self, scope: Construct, construct_id: str, *, bucket: s3.IBucket, hosting: Hosting) -> None:
        super().__init__(scope, construct_id)
        logs = log_group(self, "Logs", hosting)
        role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            description="Empties a bucket when the stack is deleted.",
            permissions_boundary=hosting.permissions_boundary,
        )
        self.policy = iam.Policy(
            self,
            "Policy",
            roles=[role],
            statements=[
                iam.PolicyStatement(
                    sid="SeeStack", actions=["cloudformation:DescribeStacks"], resources=[Stack.of(self).stack_id]
                ),
                iam.PolicyStatement(sid="SeeObjects", actions=["s3:ListBucketVersions"], resources=[bucket.bucket_arn]),
                iam.PolicyStatement(
                    sid="DeleteObjects",
                    actions=["s3:DeleteObject", "s3:DeleteObjectVersion"],
                    resources=[bucket.arn_for_objects("*")],
                ),
                iam.PolicyStatement(
                    sid="WriteLogs",
                    actions=["logs:CreateLogStream", "logs:PutLogEvents"],
                    resources=[logs.log_group_arn],
                ),
            ],
        )
        function = lambda_.Function(
            self,
            "Function",
            description="Empties a bucket when the stack is deleted.",
            code=lambda_.Code.from_inline(_CODE.read_text(encoding="utf-8")),
            handler="index.handler",
            runtime=lambda_.Runtime(f"python{hosting.python}", lambda_.RuntimeFamily.PYTHON, supports_inline_code=True),
            timeout=_TIMEOUT,
            log_group=logs,
            role=role,
        )
        function.node.add_dependency(self.policy)
        acknowledge(function, "L1", "The runtime is that of the other functions.")
        self.resource = CustomResource(
            self,
            "Resource",
            service_token=function.function_arn,
            resource_type="Custom::ClaimsmithBucketEmptier",
            properties={"Bucket": bucket.bucket_name},
            service_timeout=_SERVICE_TIMEOUT,
        )
