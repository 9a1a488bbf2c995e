"""The custom resource: CloudFormation's events in, the pool changed, and every event answered."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import boto3

from claimsmith.cognito.user_pool import Trigger, changes, trigger
from tests.existing_pool import ARN, OTHER, existing_pool
from tests.integration.cloudformation import cloudformation

if TYPE_CHECKING:
    import pytest

    from claimsmith.store.dynamodb import Table


def settings(pool_id: str) -> dict[str, Any]:
    described: dict[str, Any] = boto3.client("cognito-idp").describe_user_pool(UserPoolId=pool_id)["UserPool"]
    return described


def test_the_life_of_a_resource(rows: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("POWERTOOLS_SERVICE_NAME", "attach"), ("POWERTOOLS_LOG_LEVEL", "CRITICAL")):
        monkeypatch.setenv(name, value)
    pool_id = existing_pool()
    before = settings(pool_id)
    handler = import_module("lambdas.attach.handler").handler

    with cloudformation() as (url, answers):

        def send(kind: str, pool: str = pool_id, **properties: str) -> dict[str, Any]:
            wanted = {"UserPoolId": pool, "Function": ARN, "Table": rows.name, "EventVersion": "V2_0"}
            handler(
                {
                    "RequestType": kind,
                    "ResponseURL": url,
                    "StackId": "stack",
                    "RequestId": "1",
                    "LogicalResourceId": "Attachment",
                    "ResourceProperties": {**wanted, **properties},
                },
                None,
            )
            return answers[-1]

        # Everybody would be locked out, so the deployment fails; the clean-up after it does not.
        failed = send("Create", Replace="true")
        assert (failed["Status"], "CS2002" in failed["Reason"]) == ("FAILED", True)
        assert send("Delete")["Status"] == "SUCCESS"

        rows.put({"pk": "BUNDLE", "sk": "CURRENT", "version": 1, "digest": "d", "revision": 1})
        refused = send("Create")
        assert ("CS4032" in refused["Reason"], settings(pool_id)) == (True, before)

        made = send("Create", Replace="true")
        assert made == {
            "Status": "SUCCESS",
            "Reason": "",
            "PhysicalResourceId": f"claimsmith-attachment-{pool_id}",
            "StackId": "stack",
            "RequestId": "1",
            "LogicalResourceId": "Attachment",
        }
        assert trigger(settings(pool_id)) == Trigger(ARN, "V2_0")
        updated = send("Update", EventVersion="V3_0")
        assert updated["PhysicalResourceId"] == made["PhysicalResourceId"]
        assert trigger(settings(pool_id)) == Trigger(ARN, "V3_0")

        assert send("Delete")["Status"] == "SUCCESS"
        assert changes(before, settings(pool_id)) == []
        assert trigger(settings(pool_id)) == Trigger(OTHER, "V1_0")

        assert send("Delete", "eu-central-1_Gone")["Status"] == "SUCCESS"
        broken = send("Create", EventVersion="V9_0")
        assert (broken["Status"], "CS2099" in broken["Reason"]) == ("FAILED", True)
