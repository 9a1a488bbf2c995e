"""Runs both handlers against an in-memory DynamoDB and prints every request they make, as JSON.

A process of its own, because a handler connects while it is imported.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from typing import Any

import botocore.session
from botocore.handlers import BUILTIN_HANDLERS
from moto import mock_aws

from claimsmith import table

SUB = "0b54a1f5-7e44-4a4b-9a0c-0a7f1b0f5c11"
CLIENT = "1example23456789"


def main() -> None:
    requests: list[dict[str, Any]] = []
    BUILTIN_HANDLERS.append(
        (
            "provide-client-params.dynamodb",
            lambda params, model, **_: requests.append({"operation": model.name, "parameters": dict(params)}),
        )
    )
    with mock_aws():
        client = botocore.session.get_session().create_client("dynamodb")
        table.create_table(client, "Table")
        table.create_table(client, "AuditTable", stream=False)
        for row in _rows():
            client.put_item(TableName="Table", Item=row)
        recorded = {"Publisher": _publisher(client, requests), "Trigger": _trigger(requests)}
    sys.stdout.write(json.dumps(recorded, default=repr))  # repr: bundles are bytes


def _publisher(client: Any, requests: list[dict[str, Any]]) -> list[dict[str, Any]]:  # noqa: ANN401 - a botocore client
    """A broken draft, then a fine one: problems are written and cleared, a version is stored and put in force."""
    broken = {"pk": {"S": "POLICY"}, "sk": {"S": "ROLE#viewer"}, "inherits": {"L": [{"S": "nobody"}]}}
    client.put_item(TableName="Table", Item=broken)
    requests.clear()
    handler = import_module("lambdas.publisher.handler").handler
    answers = [handler({"Records": [_record("1", broken)]}, None)]
    own = list(requests)
    fine = {"pk": {"S": "POLICY"}, "sk": {"S": "ROLE#viewer"}, "scopes": {"L": [{"S": "orders/read"}]}}
    client.put_item(TableName="Table", Item=fine)
    requests.clear()
    answers += [handler({"Records": [_record("2", fine)]}, None), handler({"Records": [_record("3", fine)]}, None)]
    if any(answer["batchItemFailures"] for answer in answers):
        sys.exit(f"the publisher failed: {answers}")
    return own + list(requests)


def _trigger(requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    requests.clear()
    handler = import_module("lambdas.pre_token.handler").handler
    user = handler(_event("2", "TokenGeneration_Authentication", {"sub": SUB}), None)
    access = user["response"]["claimsAndScopeOverrideDetails"]["accessTokenGeneration"]
    if access["claimsToAddOrOverride"]["tenant_id"] != "acme":
        sys.exit(f"the trigger read no tenant: {user['response']}")
    handler(_event("3", "TokenGeneration_ClientCredentials", {}), None)
    return list(requests)


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
