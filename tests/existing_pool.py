"""A pool in memory with settings and a trigger of its own, and beside it Claimsmith's function."""

from __future__ import annotations

import io
import zipfile
from typing import Any, Final

import boto3

from claimsmith import environment
from tests.conftest import REGION, TABLE

_FUNCTIONS: Final = f"arn:aws:lambda:{REGION}:123456789012:function:"
ARN: Final = f"{_FUNCTIONS}claims"
OTHER: Final = f"{_FUNCTIONS}other"


def existing_pool(**settings: Any) -> str:  # noqa: ANN401 - of CreateUserPool
    """Make both functions and the pool.

    Args:
        settings: of the pool, beside those that it has anyway.

    Returns:
        The id of the pool.
    """
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as packed:
        packed.writestr("handler.py", "")
    role = boto3.client("iam").create_role(RoleName="claims", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    functions: Any = boto3.client("lambda")
    for name, variables in (("claims", {environment.TABLE: TABLE}), ("other", {})):
        functions.create_function(
            FunctionName=name,
            Runtime="python3.13",
            Role=role,
            Handler="handler.handler",
            Code={"ZipFile": code.getvalue()},
            Environment={"Variables": variables},
        )
    made = boto3.client("cognito-idp").create_user_pool(
        **{
            "PoolName": "people",
            "UserPoolTier": "ESSENTIALS",
            "DeletionProtection": "ACTIVE",
            "LambdaConfig": {"PreTokenGeneration": OTHER, "PostConfirmation": OTHER},
            "AccountRecoverySetting": {"RecoveryMechanisms": [{"Priority": 1, "Name": "verified_email"}]},
            "UserPoolTags": {"team": "people"},
            **settings,
        }
    )
    return str(made["UserPool"]["Id"])
