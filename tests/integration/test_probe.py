"""The probe's comparison, and what it counts and tells CodeDeploy where AWS refuses it."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from claimsmith.environment import ProbeEnvironment
from claimsmith.errors import ConfigurationError
from lambdas.probe.handler import wrong
from tests.integration.function import run

if TYPE_CHECKING:
    from collections.abc import Iterator

MODULE = "lambdas.probe.handler"
POOL = "eu-west-1_Example"
DEPLOYMENT = {"DeploymentId": "d-1", "LifecycleEventHookExecutionId": "e-1"}
EXPECTED = {"tenant_id": "claimsmith-probe", "roles": ["viewer"], "scope": ["orders/read"]}
PASSWORD = "s3cret"


@pytest.mark.parametrize(
    ("claims", "names"),
    [
        ({"tenant_id": "claimsmith-probe", "roles": ["editor", "viewer"], "scope": "x orders/read"}, []),
        ({"tenant_id": "acme", "roles": ("viewer",), "scope": "orders/readable"}, ["tenant_id", "scope"]),
        ({"tenant_id": ["claimsmith-probe"], "roles": None}, ["tenant_id", "roles", "scope"]),
        ({}, ["tenant_id", "roles", "scope"]),
    ],
)
def test_claims_are_named_that_are_not_as_expected(claims: dict[str, Any], names: list[str]) -> None:
    assert wrong(claims, EXPECTED) == names


class _Aws(BaseHTTPRequestHandler):
    """Secrets Manager, Cognito, Lambda and CodeDeploy, as far as the hook needs them."""

    def do_POST(self) -> None:
        server: Any = self.server
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        operation = self.headers.get("X-Amz-Target", "Lambda.Invoke").rpartition(".")[2]
        server.asked.append((operation, body))
        answer = json.dumps(server.answers[operation]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        if operation == "Invoke" and server.refuses:
            self.send_header("X-Amz-Function-Error", "Unhandled")
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Any]:
    server: Any = HTTPServer(("127.0.0.1", 0), _Aws)
    server.asked, server.refuses = [], False
    access: dict[str, Any] = {"claimsToAddOrOverride": {"tenant_id": "claimsmith-probe", "roles": ["viewer"]}}
    access |= {"scopesToAdd": ["orders/read"]}
    server.answers = {
        "GetSecretValue": {"SecretString": json.dumps({"username": "claimsmith-probe", "password": PASSWORD})},
        "AdminGetUser": {"Username": "claimsmith-probe", "UserAttributes": [{"Name": "sub", "Value": "sub-1"}]},
        "AdminInitiateAuth": {"ChallengeName": "SOFTWARE_TOKEN_MFA", "Session": "x" * 20},
        "Invoke": {"response": {"claimsAndScopeOverrideDetails": {"accessTokenGeneration": access}}},
        "PutLifecycleEventHookExecutionStatus": {},
    }
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def environment(aws_environment: dict[str, str], server: Any) -> dict[str, str]:  # noqa: ANN401 - a server
    return {
        **aws_environment,
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_address[1]}",
        "CLAIMSMITH_USER_POOL_ID": POOL,
        "CLAIMSMITH_PROBE_CLIENT_ID": "1example23456789",
        "CLAIMSMITH_PROBE_SECRET": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:probe",
        "CLAIMSMITH_PROBE_VERSION": "arn:aws:lambda:eu-west-1:111122223333:function:trigger:7",
        "CLAIMSMITH_PROBE_EXPECTS": json.dumps(EXPECTED),
        "CLAIMSMITH_ISSUERS": f"https://cognito-idp.eu-west-1.amazonaws.com/{POOL}",
    }


def test_codedeploy_learns_what_the_new_version_answers(environment: dict[str, str], server: Any) -> None:  # noqa: ANN401 - a server
    fine = run(f"{MODULE}:before_traffic", [DEPLOYMENT], environment)
    server.answers["Invoke"]["response"]["claimsAndScopeOverrideDetails"]["accessTokenGeneration"]["scopesToAdd"] = []
    differs = run(f"{MODULE}:before_traffic", [DEPLOYMENT], environment)
    server.refuses, server.answers["Invoke"] = True, {"errorMessage": "No. [CS2002]"}
    refused = run(f"{MODULE}:before_traffic", [DEPLOYMENT], environment)
    said = [body["status"] for operation, body in server.asked if operation.startswith("Put")]
    assert said == ["Succeeded", "Failed", "Failed"]
    assert [ran.answers[0]["answer"].get("code") for ran in (fine, differs, refused)] == [None, "CS4026", "CS4025"]
    assert differs.answers[0]["answer"]["wrong"] == ["scope"]
    assert (fine.metrics(), refused.metrics()) == ({"ProbeSucceeded": 1}, {"ProbeFailed": 1})
    events = [body for operation, body in server.asked if operation == "Invoke"]
    assert events[0]["request"]["userAttributes"] == {"sub": "sub-1"}
    assert "CS2002" in refused.log
    assert PASSWORD not in fine.log + differs.log + refused.log


def test_a_sign_in_that_asks_for_more_is_a_failure_with_a_remedy(environment: dict[str, str]) -> None:
    ran = run(f"{MODULE}", [{}], environment)
    assert ran.answers[0]["answer"] == {"fine": False, "code": "CS4025"}
    assert "no second factor" in ran.log
    assert ran.metrics() == {"ProbeFailed": 1}


@pytest.mark.parametrize("expects", ["", "[]", "{"])
def test_a_probe_without_expectations_does_not_start(environment: dict[str, str], expects: str) -> None:
    with pytest.raises(ConfigurationError, match="CLAIMSMITH_PROBE_EXPECTS"):
        ProbeEnvironment.read({**environment, "CLAIMSMITH_PROBE_EXPECTS": expects})
