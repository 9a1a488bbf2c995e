"""How the parts of a deployment are hosted: what the functions run on, and whether data outlives the stack."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, get_args

from claimsmith_cdk.props import PropsError, check_choice

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aws_cdk import aws_ec2 as ec2
    from aws_cdk import aws_iam as iam
    from aws_cdk import aws_kms as kms

Arch = Literal["arm64", "x86_64"]
PythonVersion = Literal["3.11", "3.12", "3.13", "3.14"]
LogLevel = Literal["INFO", "WARNING", "ERROR"]

_DEPLOYMENT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,127}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosting:
    """How the parts of a deployment are hosted.

    Attributes:
        arch: the processor of the functions, with AWS's name.
        python: the functions' runtime.
        retain: whether tables and logs outlive the stack; tables are then backed up and protected from deletion too.
        deployment: the name that the functions' metrics carry as their dimension ``deployment``; by default the
            stack's.
        encryption_key: encrypts tables, logs and dead letters, in place of AWS's own keys. The policy of a key that is
            imported is yours: it must let the account's IAM policies decide, and CloudWatch Logs use it.
        vpc: where the functions run; by default in none. They need DynamoDB (a gateway endpoint costs nothing), and
            verifiers also need Cognito's public keys, by https.
        subnets: which of the VPC's subnets; by default those that are private and have a way out.
        security_groups: by default a new one for each function.
        permissions_boundary: of the functions' roles.
        log_level: the least important lines that the functions write. ``INFO`` has a line for each token; refusals are
            ``WARNING``. Metrics, which alarms and dashboard use, are written at every level.
        tracing: whether Lambda records X-Ray traces of the functions. No code in them changes.

    Raises:
        PropsError: a value is not possible.
    """

    arch: Arch = "arm64"
    python: PythonVersion = "3.13"
    retain: bool = True
    deployment: str | None = None
    encryption_key: kms.IKey | None = None
    vpc: ec2.IVpc | None = None
    subnets: ec2.SubnetSelection | None = None
    security_groups: Sequence[ec2.ISecurityGroup] = ()
    permissions_boundary: iam.IManagedPolicy | None = None
    log_level: LogLevel = "INFO"
    tracing: bool = False

    def __post_init__(self) -> None:
        check_choice("arch", self.arch, get_args(Arch))
        check_choice("python", self.python, get_args(PythonVersion))
        check_choice("retain", self.retain, (True, False))
        check_choice("log_level", self.log_level, get_args(LogLevel))
        check_choice("tracing", self.tracing, (True, False))
        if self.vpc is None and (self.subnets is not None or self.security_groups):
            raise PropsError("subnets and security_groups are not possible without vpc: name the VPC, too.")
        if self.deployment is not None and not _DEPLOYMENT.fullmatch(self.deployment):
            raise PropsError(
                f"deployment={self.deployment!r} is not possible; use 1 to 128 letters, digits, '.', '_', '/' and '-'."
            )


#: What a construct uses that is given none.
DEFAULT_HOSTING: Final = Hosting()
