"""Trigger and verifier as Lambda restores them from a snapshot: what they held before is gone, and fetched again."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from claimsmith.policy import from_rows
from claimsmith.service.publish import apply
from tests.conftest import TABLE
from tests.events import SUB, event
from tests.integration.dynamodb_server import LoopbackDynamoDB
from tests.integration.function import ROOT
from tests.policies import membership_row, policy_rows, tenant_row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from claimsmith.store.dynamodb import Table
    from tests.conftest import Client

#: Stands for Lambda and its hooks. Each line of its input is an event, or what befalls the process.
_RUNTIME = """
import importlib, json, os, sys, types
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
before, after = [], []
hooks = types.ModuleType("snapshot_restore_py")
hooks.register_before_snapshot, hooks.register_after_restore = before.append, after.append
sys.modules["snapshot_restore_py"] = hooks

def sockets():
    files = [f"/proc/self/fd/{each}" for each in os.listdir("/proc/self/fd")]
    return sum(os.readlink(each).startswith("socket:") for each in files if os.path.islink(each))

handler = importlib.import_module(sys.argv[1]).handler
for line in sys.stdin:
    step = json.loads(line)
    if isinstance(step, str):
        for hook in {"snapshot": reversed(before), "restore": after}[step]:
            hook()
        answer = sockets()
    else:
        try:
            answer = handler(step, None)
        except Exception as error:
            answer = str(error)
    print(json.dumps(answer), file=answers, flush=True)
"""

#: No token, but the policy is read before that is noticed.
REQUEST = {
    "type": "TOKEN",
    "methodArn": "arn:aws:execute-api:eu-west-1:1:a/live/GET/x",
    "authorizationToken": "Bearer x",
}


class _Credentials(BaseHTTPRequestHandler):
    """The endpoint by which Lambda hands out credentials with SnapStart."""

    def do_GET(self) -> None:
        server: Any = self.server
        server.given += 1
        keys = {"AccessKeyId": f"key{server.given}", "SecretAccessKey": "secret", "Token": "token"}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({**keys, "Expiration": "2099-01-01T00:00:00Z"}).encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def credentials() -> Iterator[Any]:
    server: Any = HTTPServer(("127.0.0.1", 0), _Credentials)
    server.given = 0
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def publish(rows: Table, *roles: str) -> None:
    apply(rows, from_rows(policy_rows(roles={name: {"scopes": [f"orders/{name}"]} for name in roles})), by="test")


@pytest.fixture
def server(dynamodb: Client, rows: Table) -> Iterator[LoopbackDynamoDB]:
    publish(rows, "read")
    rows.put(tenant_row("acme"))
    rows.put(membership_row(SUB, "acme", roles=["read", "write"]))
    with LoopbackDynamoDB(dynamodb) as running:
        yield running


@pytest.fixture
def environment(aws_environment: dict[str, str], server: LoopbackDynamoDB, credentials: Any) -> dict[str, str]:  # noqa: ANN401 - a server
    given = {name: value for name, value in aws_environment.items() if "ACCESS_KEY" not in name}
    return {
        **given,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://127.0.0.1:{credentials.server_address[1]}/",
        "AWS_ENDPOINT_URL": server.endpoint_url,
        "CLAIMSMITH_TABLE": TABLE,
        "CLAIMSMITH_ISSUERS": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Example",
    }


@contextmanager
def started(module: str, environment: Mapping[str, str]) -> Iterator[Callable[[object], Any]]:
    """A function's process; each step is answered."""
    command = [sys.executable, "-c", _RUNTIME, module]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, cwd=ROOT, env=dict(environment), text=True, **pipes) as process:  # type: ignore[call-overload]
        assert process.stdin is not None
        assert process.stdout is not None

        def step(what: object) -> Any:  # noqa: ANN401 - the answer
            print(json.dumps(what), file=process.stdin, flush=True)
            return json.loads(process.stdout.readline())

        yield step
        process.stdin.close()


def test_a_restored_trigger_has_new_credentials_and_the_policy_of_that_moment(
    environment: dict[str, str],
    server: LoopbackDynamoDB,
    credentials: Any,  # noqa: ANN401 - a server
    rows: Table,
) -> None:
    with started("lambdas.pre_token.handler", environment) as step:
        assert step("snapshot") == 0, "a connection is in the snapshot"
        given, requests = credentials.given, server.requests
        assert (given, requests > 0) == (1, True)
        publish(rows, "read", "write")
        step("restore")
        assert credentials.given == 2
        assert server.requests > requests
        # By its clock, what it read before would still be fresh.
        details = step(event())["response"]["claimsAndScopeOverrideDetails"]
        assert details["accessTokenGeneration"]["claimsToAddOrOverride"]["roles"] == ["read", "write"]


def test_a_restored_trigger_starts_without_a_table_and_finds_it_later(
    environment: dict[str, str], server: LoopbackDynamoDB
) -> None:
    with started("lambdas.pre_token.handler", environment) as step:
        step("snapshot")
        server.mode = "500"
        step("restore")
        server.mode = "answer"
        assert "response" in step(event())


def test_a_restored_verifier_reads_the_policy_again(
    environment: dict[str, str],
    server: LoopbackDynamoDB,
    credentials: Any,  # noqa: ANN401 - a server
) -> None:
    with started("lambdas.verifier.authorizer", environment) as step:
        assert step(REQUEST) == "Unauthorized"
        assert step(REQUEST) == "Unauthorized"
        requests = server.requests
        assert step("snapshot") == 0, "a connection is in the snapshot"
        step("restore")
        assert step(REQUEST) == "Unauthorized"
        assert server.requests == 2 * requests
        assert credentials.given == 2
