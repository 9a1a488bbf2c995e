"""The probe signs in through the deployed pool.

Its function runs here and not in the emulator, whose CloudFormation has names where AWS has the ARNs of secrets.
Client, secret and user are set up as ``docs/how-to/release.md`` says.
"""

from __future__ import annotations

import json
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from claimsmith import environment as variables
from claimsmith_cdk.sign_in_probe import NAME
from demo import aws
from tests.integration.function import run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from demo.local_stack import LocalStack

EXPECTED = {"tenant_id": NAME, "roles": ["viewer"], "scope": ["orders/read"]}


@pytest.fixture
def probe(stack: LocalStack) -> Iterator[dict[str, str]]:
    """The probe's variables. Its app client goes afterwards: the policy has no row for it."""
    cognito: Any = aws.client("cognito-idp", stack.endpoint)
    vault: Any = aws.client("secretsmanager", stack.endpoint)
    functions: Any = aws.client("lambda", stack.endpoint)
    password = f"{secrets.token_urlsafe(18)}-aA1"
    stack.pool.put_user(NAME, f"{NAME}@example.com", password)
    client = cognito.create_user_pool_client(
        UserPoolId=stack.pool.id, ClientName="probe", ExplicitAuthFlows=["ALLOW_ADMIN_USER_PASSWORD_AUTH"]
    )["UserPoolClient"]["ClientId"]
    secret = vault.create_secret(Name=NAME, SecretString=json.dumps({"username": NAME, "password": password}))["ARN"]
    verifier = functions.get_function_configuration(FunctionName=stack.outputs["AuthorizerName"])
    assert stack.cli("tenants", "add", NAME, "--name", "Probe").code == 0
    assert stack.cli("members", "grant", NAME, NAME, "--role", "viewer").code == 0
    yield {
        **aws.environment(stack.endpoint, Path(sys.executable).parent),
        variables.USER_POOL_ID: stack.pool.id,
        variables.PROBE_CLIENT_ID: client,
        variables.PROBE_SECRET: secret,
        variables.PROBE_EXPECTS: json.dumps(EXPECTED),
        variables.ISSUERS: verifier["Environment"]["Variables"][variables.ISSUERS],
    }
    cognito.delete_user_pool_client(UserPoolId=stack.pool.id, ClientId=client)
    vault.delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True)


def test_the_probe_sees_what_the_pool_calls_and_what_the_table_says(stack: LocalStack, probe: dict[str, str]) -> None:
    fine = run("lambdas.probe.handler", [{}], probe)
    assert (fine.answers[0].get("answer"), fine.metrics()) == ({"fine": True, "wrong": []}, {"ProbeSucceeded": 1}), (
        fine.log
    )
    assert stack.cli("members", "revoke", NAME, NAME).code == 0
    differs = run("lambdas.probe.handler", [{}], probe)
    assert differs.answers[0]["answer"] == {"fine": False, "wrong": [*EXPECTED], "code": "CS4026"}
    assert differs.metrics() == {"ProbeFailed": 1}
    stack.pool.put_user(NAME, f"{NAME}@example.com", f"{secrets.token_urlsafe(18)}-aA1")
    refused = run("lambdas.probe.handler", [{}], probe)
    assert refused.answers[0]["answer"] == {"fine": False, "code": "CS4025"}
