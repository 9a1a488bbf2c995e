"""A function of this project: its asset, its own log group and a role with only the given permissions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from aws_cdk import Annotations, Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from claimsmith.environment import DEPLOYMENT
from claimsmith_cdk.acknowledgement import acknowledge
from claimsmith_cdk.assets import function_asset
from claimsmith_cdk.capacity import DEFAULT_CAPACITY
from claimsmith_cdk.grants import key_statements
from claimsmith_cdk.hosting import DEFAULT_HOSTING
from claimsmith_cdk.log_group import log_group
from claimsmith_cdk.metrics import NAMESPACE, deployment_of
from claimsmith_cdk.releases import Release, check_capacity, version_options

if TYPE_CHECKING:
    from collections.abc import Mapping

    from claimsmith_cdk.capacity import Capacity
    from claimsmith_cdk.hosting import Hosting
    from claimsmith_cdk.releases import Releases

_ARCHITECTURES = {"arm64": lambda_.Architecture.ARM_64, "x86_64": lambda_.Architecture.X86_64}


def _join_vpc() -> iam.PolicyStatement:
    """Network interfaces of a function in a VPC. Their ids are not known before, so AWS's own policy names none too.

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
    """
    return iam.PolicyStatement(
        sid="JoinVpc",
        actions=[
            "ec2:AssignPrivateIpAddresses",
            "ec2:CreateNetworkInterface",
            "ec2:DeleteNetworkInterface",
            "ec2:DescribeNetworkInterfaces",
            "ec2:DescribeSubnets",
            "ec2:UnassignPrivateIpAddresses",
        ],
        resources=["*"],
    )


def _write_traces() -> iam.PolicyStatement:
    """Traces of a function. X-Ray has no resource to name for these.

    https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsx-ray.html
    """
    return iam.PolicyStatement(
        sid="WriteTraces", actions=["xray:PutTelemetryRecords", "xray:PutTraceSegments"], resources=["*"]
    )


class PythonFunction(Construct):
    """A function of this project.

    Attributes:
        function: the function itself.
        live: what calls it calls this: the function, or its alias.
        release: its version and alias; None without ``releases``.
        policy: its permissions; created before anything that needs them.
    """

    def __init__(  # noqa: PLR0913 - what differs between the functions
        self,
        scope: Construct,
        construct_id: str,
        *,
        module: str,
        entry: str = "handler",
        description: str,
        timeout: Duration,
        environment: Mapping[str, str],
        statements: list[iam.PolicyStatement],
        hosting: Hosting,
        capacity: Capacity = DEFAULT_CAPACITY,
        releases: Releases | None = None,
    ) -> None:
        check_capacity(capacity, releases, hosting.python)
        super().__init__(scope, construct_id)
        logs = log_group(self, "Logs", hosting)
        # Not the managed basic execution role, which may write to every log group of the account.
        role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            description=description,
            permissions_boundary=hosting.permissions_boundary,
        )
        self.policy = iam.Policy(
            self,
            "Policy",
            roles=[role],
            statements=[
                *statements,
                *(key_statements(hosting.encryption_key) if statements else ()),
                *([] if hosting.vpc is None else [_join_vpc()]),
                *([_write_traces()] if hosting.tracing else []),
                iam.PolicyStatement(
                    sid="WriteLogs",
                    actions=["logs:CreateLogStream", "logs:PutLogEvents"],
                    resources=[logs.log_group_arn],
                ),
            ],
        )
        self.function = lambda_.Function(
            self,
            "Function",
            description=description,
            code=self._code(module, hosting),
            handler=f"{module}.{entry}",
            runtime=lambda_.Runtime(
                f"python{hosting.python}", lambda_.RuntimeFamily.PYTHON, supports_snap_start=capacity.snap_start
            ),
            architecture=_ARCHITECTURES[hosting.arch],
            memory_size=capacity.memory_mib,
            reserved_concurrent_executions=capacity.reserved_concurrency,
            snap_start=lambda_.SnapStartConf.ON_PUBLISHED_VERSIONS if capacity.snap_start else None,
            current_version_options=version_options(hosting),
            timeout=timeout,
            environment={
                **environment,
                "POWERTOOLS_METRICS_NAMESPACE": NAMESPACE,
                **(
                    {}
                    if hosting.log_level == DEFAULT_HOSTING.log_level
                    else {"POWERTOOLS_LOG_LEVEL": hosting.log_level}
                ),
                DEPLOYMENT: deployment_of(self, hosting),
                "POWERTOOLS_SERVICE_NAME": module.split(".")[1],
            },
            log_group=logs,
            role=role,
            vpc=hosting.vpc,
            vpc_subnets=hosting.subnets,
            security_groups=list(hosting.security_groups) or None,
        )
        if hosting.tracing:
            resource = self.function.node.default_child
            assert isinstance(resource, lambda_.CfnFunction)  # noqa: S101 - the resource of a function
            # CDK's own property would create a second policy, which the function does not wait for.
            resource.tracing_config = lambda_.CfnFunction.TracingConfigProperty(mode="Active")
            acknowledge(self.policy, "IAM5[Resource::*]", "X-Ray has no resource that a permission could name.")
        self.function.node.add_dependency(self.policy)
        acknowledge(
            self.function,
            "L1",
            "The runtime is an option (python): by default the newest that the packages have wheels for and that "
            "this project is tested with, not the newest that CDK knows.",
        )
        self.release: Release | None = None
        self.live: lambda_.IFunction = self.function
        if releases is not None:
            self.release = Release(
                self, "Release", function=self.function, releases=releases, capacity=capacity, hosting=hosting
            )
            self.live = self.function if releases.prepare else self.release.alias

    def _code(self, module: str, hosting: Hosting) -> lambda_.Code:
        if not Stack.of(self).bundling_required:  # `cdk ls` and `cdk destroy` need no code
            return lambda_.Code.from_asset(str(Path(__file__).parent), exclude=["**"])
        asset = function_asset(module, arch=hosting.arch, python=hosting.python)
        if not asset.bytecode:
            Annotations.of(self).add_warning_v2(
                "claimsmith:no-bytecode",
                f"There is no Python {hosting.python} on this machine, so the asset has no bytecode and a cold start "
                f"takes about twice as long. Install Python {hosting.python}, or choose another runtime (python).",
            )
        return lambda_.Code.from_asset(str(asset.path))
