"""Runs the functions and the command against an in-memory AWS and prints every request they make, as JSON.

A process of its own, because a handler connects while it is imported.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import botocore.session
from botocore.handlers import BUILTIN_HANDLERS
from moto import mock_aws

from claimsmith import table
from claimsmith.cli.main import main as claimsmith
from claimsmith.testing import CognitoKit

SUB = "0b54a1f5-7e44-4a4b-9a0c-0a7f1b0f5c11"
CLIENT = "1example23456789"
REGION = "eu-west-1"

Requests = list[dict[str, Any]]


def main() -> None:
    requests: Requests = []
    for service in ("dynamodb", "cognito-idp"):
        BUILTIN_HANDLERS.append(
            (
                f"provide-client-params.{service}",
                lambda params, model, **_: requests.append(
                    {"service": model.service_model.service_name, "operation": model.name, "parameters": dict(params)}
                ),
            )
        )
    with mock_aws():
        client = botocore.session.get_session().create_client("dynamodb")
        table.create_table(client, "Table")
        table.create_table(client, "AuditTable", stream=False)
        for row in _rows():
            client.put_item(TableName="Table", Item=row)
        recorded = {
            "Publisher": _publisher(client, requests),
            "Audit": _audit(requests),
            "Trigger": _trigger(requests),
            **_verifier(client, requests),
            **_commands(client, requests),
        }
    sys.stdout.write(json.dumps(recorded, default=repr))  # repr: bundles are bytes


def _publisher(client: Any, requests: Requests) -> Requests:  # noqa: ANN401 - a botocore client
    """A broken draft, then a fine one: problems are written and cleared, a version is stored and put in force."""
    broken = {"pk": {"S": "POLICY"}, "sk": {"S": "ROLE#viewer"}, "inherits": {"L": [{"S": "nobody"}]}}
    client.put_item(TableName="Table", Item=broken)
    requests.clear()
    handler = import_module("lambdas.publisher.handler").publish_handler
    answers = [handler({"Records": [_record("1", broken)]}, None)]
    own = list(requests)
    fine = {"pk": {"S": "POLICY"}, "sk": {"S": "ROLE#viewer"}, "scopes": {"L": [{"S": "orders/read"}]}}
    client.put_item(TableName="Table", Item=fine)
    requests.clear()
    answers += [handler({"Records": [_record("2", fine)]}, None), handler({"Records": [_record("3", fine)]}, None)]
    if any(answer["batchItemFailures"] for answer in answers):
        sys.exit(f"the publisher failed: {answers}")
    handler({}, None)
    return own + list(requests)


def _audit(requests: Requests) -> Requests:
    requests.clear()
    record = _record("1", {"pk": {"S": "TENANT#acme"}, "sk": {"S": "TENANT"}})
    answer = import_module("lambdas.publisher.handler").audit_handler({"Records": [record]}, None)
    if answer["batchItemFailures"]:
        sys.exit(f"the audit failed: {answer}")
    return list(requests)


def _trigger(requests: Requests) -> list[dict[str, Any]]:
    requests.clear()
    handler = import_module("lambdas.pre_token.handler").handler
    user = handler(_event("2", "TokenGeneration_Authentication", {"sub": SUB}), None)
    access = user["response"]["claimsAndScopeOverrideDetails"]["accessTokenGeneration"]
    if access["claimsToAddOrOverride"]["tenant_id"] != "acme":
        sys.exit(f"the trigger read no tenant: {user['response']}")
    handler(_event("3", "TokenGeneration_ClientCredentials", {}), None)
    return list(requests)


def _verifier(client: Any, requests: Requests) -> dict[str, Requests]:  # noqa: ANN401 - a botocore client
    """A good token through the authorizer and introspection, by both ways for callers to authenticate."""
    tenant = {"accessTokenGeneration": {"claimsToAddOrOverride": {"tenant_id": "acme"}}}
    answer = {"claimsAndScopeOverrideDetails": tenant}
    kit = CognitoKit(lambda event, _: {**event, "response": answer}, pool_id=f"{REGION}_example")
    kit.add_user("someone", sub=SUB)
    kit.add_client(CLIENT)
    machine = kit.add_client(flows=["client_credentials"], scopes=["claimsmith/introspect"], secret="invented")
    caller = {"clients": {"L": [{"S": "*"}]}, "tenants": {"L": [{"S": "*"}]}}
    for row in (
        {"pk": {"S": f"PROTECTED_RESOURCE#{machine.id}"}, "sk": {"S": "PROTECTED_RESOURCE"}, **caller},
        {"pk": {"S": "POLICY"}, "sk": {"S": "ROUTE#orders"}, "path": {"S": "/orders"}},
    ):
        client.put_item(TableName="Table", Item=row)
    import_module("lambdas.publisher.handler").publish_handler({"Records": [_record("4", row)]}, None)
    token = kit.sign_in("someone", CLIENT).access_token
    asking = kit.client_credentials(machine.id).access_token
    basic = base64.b64encode(b"api:wrong").decode()
    with kit.serve() as server:
        os.environ["CLAIMSMITH_ISSUERS"] = f"{kit.issuer}={server.jwks_uri}"
        os.environ["CLAIMSMITH_CLIENT_IDS"] = CLIENT
        requests.clear()
        allowed = import_module("lambdas.verifier.authorizer").handler(
            _request("GET", "/orders", f"Bearer {token}"), None
        )
        if not allowed["isAuthorized"]:
            sys.exit(f"the authorizer refused: {allowed}")
        authorizer = list(requests)
        requests.clear()
        introspect = import_module("lambdas.verifier.introspection").handler
        body = urlencode({"token": token})
        answers = [
            introspect({**_request("POST", "/introspect", authorization), "body": body}, None)
            for authorization in (f"Bearer {asking}", f"Basic {basic}")
        ]
    if [answer["statusCode"] for answer in answers] != [200, 401] or '"active":true' not in answers[0]["body"]:
        sys.exit(f"introspection answered: {answers}")
    return {"Authorizer": authorizer, "Introspection": list(requests)}


def _request(method: str, path: str, authorization: str) -> dict[str, Any]:
    """An HTTP API's event, payload format 2.0."""
    return {
        "version": "2.0",
        "type": "REQUEST",
        "routeArn": f"arn:aws:execute-api:{REGION}:111122223333:api/$default/{method}{path}",
        "routeKey": f"{method} {path}",
        "rawPath": path,
        "headers": {"authorization": authorization, "content-type": "application/x-www-form-urlencoded"},
        "requestContext": {"stage": "$default", "http": {"method": method, "path": path}},
    }


def _commands(client: Any, requests: Requests) -> dict[str, Requests]:  # noqa: ANN401 - a botocore client
    """What each persona runs of the ``claimsmith`` command."""
    pools = botocore.session.get_session().create_client("cognito-idp")
    pool = pools.create_user_pool(PoolName="Users")["UserPool"]["Id"]
    address = [{"Name": "email", "Value": "someone@example.com"}, {"Name": "email_verified", "Value": "true"}]
    pools.admin_create_user(UserPoolId=pool, Username="someone", UserAttributes=address, MessageAction="SUPPRESS")
    broken = {"pk": {"S": "PROBLEMS"}, "sk": {"S": "DRAFT"}, "findings": {"L": []}}
    client.put_item(TableName="Table", Item=broken)
    with tempfile.TemporaryDirectory() as folder:
        first, second = Path(folder, "first.yaml"), Path(folder, "second.yaml")
        first.write_text("settings: {}\nroles: {viewer: {scopes: [orders/read]}, editor: {scopes: [orders/write]}}\n")
        second.write_text("settings: {}\nroles: {viewer: {scopes: [orders/read]}}\n")
        backup, batch = Path(folder, "backup.jsonl"), Path(folder, "batch.json")
        _run(["backup", str(backup)])
        batch.write_text(json.dumps({"Records": [_record("5", image) for image in _rows()]}))
        members = Path(folder, "members.csv")
        members.write_text("user,tenant,roles\nsomeone@example.com,other,viewer\n")
        reads = [
            ["tenants", "list"],
            ["tenants", "show", "acme"],
            ["users", "list"],
            ["users", "show", "someone@example.com", "--user-pool-id", pool],
        ]
        commands = {
            "Operator": [
                ["apply", str(first)],
                ["apply", str(second)],
                ["lint"],
                ["resources", "add", "api", "--client", "*", "--tenant", "*"],
                ["resources", "rotate", "api"],
                ["resources", "remove", "api"],
                ["revoke", "token", "0"],
                ["revoke", "user", "someone", "--user-pool-id", pool],
                ["audit", "POLICY", "--audit-table", "AuditTable"],
            ],
            "DirectoryEditor": [
                ["tenants", "add", "other"],
                ["tenants", "suspend", "other"],
                ["tenants", "activate", "other"],
                ["members", "grant", "someone", "other", "--role", "viewer", "--user-pool-id", pool],
                ["switch", "someone", "other", "--user-pool-id", pool],
                ["members", "import", str(members), "--user-pool-id", pool],
                ["members", "export"],
                ["members", "list", "other"],
                ["members", "revoke", "someone", "other", "--user-pool-id", pool],
                ["tenants", "set", "other", "plan=pro"],
                *reads,
                ["users", "suspend", "someone@example.com", "--user-pool-id", pool],
            ],
            "PolicyEditor": [["lint"]],
            # With a pool, preview describes the app client, which also returns its secret: an auditor must not see it.
            "Auditor": [["lint"], ["preview", "--user", SUB], *reads],
            "Recovery": [
                ["backup", folder],
                ["backup", str(Path(folder, "tenant")), "--tenant", "acme"],
                ["restore", str(backup), "--yes", "--overwrite"],
                ["replay", str(batch), "--dry-run"],
                ["replay", str(batch)],
            ],
        }
        recorded = {}
        for persona, arguments in commands.items():
            requests.clear()
            for argument in arguments:
                _run(argument)
            recorded[persona] = list(requests)
    return recorded


def _run(arguments: list[str]) -> None:
    said = io.StringIO()
    code: object = 0
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            claimsmith([*arguments, "--table", "Table", "--region", REGION])
        except SystemExit as ended:
            code = ended.code
    if code:
        sys.exit(f"claimsmith {' '.join(arguments)} ended with {code}:\n{said.getvalue()}")


def _rows() -> list[dict[str, Any]]:
    return [
        {"pk": {"S": "POLICY"}, "sk": {"S": "SETTINGS"}},
        {"pk": {"S": "POLICY"}, "sk": {"S": f"CLIENT#{CLIENT}"}, "name": {"S": "machine"}, "tenant": {"S": "acme"}},
        {"pk": {"S": "TENANT#acme"}, "sk": {"S": "TENANT"}, "name": {"S": "Acme"}},
        {"pk": {"S": f"USER#{SUB}"}, "sk": {"S": "USER"}},
        {"pk": {"S": f"USER#{SUB}"}, "sk": {"S": "TENANT#acme"}, "roles": {"L": [{"S": "viewer"}]}},
    ]


def _record(sequence_number: str, image: dict[str, Any]) -> dict[str, Any]:
    return {
        "eventID": sequence_number,
        "eventName": "MODIFY",
        "dynamodb": {
            "ApproximateCreationDateTime": 1_700_000_000,
            "SequenceNumber": sequence_number,
            "Keys": {"pk": image["pk"], "sk": image["sk"]},
            "NewImage": image,
        },
    }


def _event(version: str, source: str, attributes: dict[str, str]) -> dict[str, Any]:
    return {
        "version": version,
        "triggerSource": source,
        "region": "eu-west-1",
        "userPoolId": "eu-west-1_example",
        "userName": "someone",
        "callerContext": {"awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": CLIENT},
        "request": {"userAttributes": attributes, "groupConfiguration": None, "scopes": ["orders/read"]},
        "response": {"claimsAndScopeOverrideDetails": None},
    }


if __name__ == "__main__":
    main()
