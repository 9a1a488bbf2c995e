"""The probe: a pool of its own whose trigger answers what it is told. CloudFormation takes it without any asset."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

RESOURCE: Final = "https://smoke.example/api"
CALLBACK: Final = "http://localhost:3000/callback"
SCOPE: Final = "smoke/read"
GROUP: Final = "smoke"


def template(prefix: str, processor: str, python: str) -> str:
    """The template.

    Args:
        prefix: of the domain; no other account in the Region may have it.
        processor: ``arm64`` or ``x86_64``.
        python: the function's runtime, such as ``3.13``.
    """
    pool = {"Ref": "Pool"}
    resources: dict[str, Any] = {
        # It may do nothing, not even log: what it saw is in the tokens, and nothing is left behind.
        "Role": _resource("IAM::Role", AssumeRolePolicyDocument=_assumed_by("lambda.amazonaws.com")),
        "Trigger": _resource(
            "Lambda::Function",
            Code={"ZipFile": Path(__file__).with_name("trigger.py").read_text(encoding="utf-8")},
            Handler="index.handler",
            Runtime=f"python{python}",
            Architectures=[processor],
            Role=_arn("Role"),
        ),
        "Permission": _resource(
            "Lambda::Permission",
            Action="lambda:InvokeFunction",
            FunctionName=_arn("Trigger"),
            Principal="cognito-idp.amazonaws.com",
            SourceArn=_arn("Pool"),
        ),
        "Pool": _resource(
            "Cognito::UserPool",
            UserPoolTier="ESSENTIALS",
            DeletionProtection="INACTIVE",
            AdminCreateUserConfig={"AllowAdminCreateUserOnly": True},
            LambdaConfig={"PreTokenGenerationConfig": {"LambdaArn": _arn("Trigger"), "LambdaVersion": "V3_0"}},
        ),
        "Domain": _resource("Cognito::UserPoolDomain", UserPoolId=pool, Domain=prefix),
        "Group": _resource("Cognito::UserPoolGroup", UserPoolId=pool, GroupName=GROUP),
        "Own": _server("smoke"),
        "Bound": _server(RESOURCE),
        "People": _resource(
            "Cognito::UserPoolClient",
            UserPoolId=pool,
            ExplicitAuthFlows=["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
            AllowedOAuthFlowsUserPoolClient=True,
            AllowedOAuthFlows=["code"],
            AllowedOAuthScopes=["openid", SCOPE, f"{RESOURCE}/read"],
            CallbackURLs=[CALLBACK],
            SupportedIdentityProviders=["COGNITO"],
        )
        | {"DependsOn": ["Own", "Bound"]},
        "Machine": _resource(
            "Cognito::UserPoolClient",
            UserPoolId=pool,
            GenerateSecret=True,
            AllowedOAuthFlowsUserPoolClient=True,
            AllowedOAuthFlows=["client_credentials"],
            AllowedOAuthScopes=[SCOPE],
        )
        | {"DependsOn": ["Own"]},
    }
    outputs = {name: {"Value": {"Ref": name}} for name in ("Pool", "People", "Machine")}
    return json.dumps({"Description": "Claimsmith: smoke test.", "Resources": resources, "Outputs": outputs})


def _resource(kind: str, **properties: object) -> dict[str, Any]:
    return {"Type": f"AWS::{kind}", "Properties": properties}


def _server(identifier: str) -> dict[str, Any]:
    scopes = [{"ScopeName": "read", "ScopeDescription": "Read."}]
    return _resource(
        "Cognito::UserPoolResourceServer",
        UserPoolId={"Ref": "Pool"},
        Identifier=identifier,
        Name=identifier.partition("//")[2].replace("/", " ") or identifier,
        Scopes=scopes,
    )


def _assumed_by(service: str) -> dict[str, Any]:
    return {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": service}}],
    }


def _arn(name: str) -> dict[str, list[str]]:
    return {"Fn::GetAtt": [name, "Arn"]}
