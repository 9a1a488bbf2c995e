"""A development stack is deployed, Lambda gives up on a batch, and the stack is destroyed; or becomes production."""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from aws_cdk import App, Stack
from botocore.exceptions import WaiterError

from claimsmith_cdk import ClaimCustomizer, Hosting
from demo import aws
from demo.cdk import ASSET_BUCKET

if TYPE_CHECKING:
    from pathlib import Path

    from demo.emulator import Emulator

BATCH = "aws/lambda/1/shardId-1/2027/01/31/batch"


class Deployment:
    """A stack of a customizer alone, which nothing calls."""

    def __init__(self, name: str, running: Emulator, folder: Path) -> None:
        self._name = name
        self._python: Any = running.python_version()
        self._folder = folder
        self._formation: Any = aws.client("cloudformation", running.endpoint)
        self._s3: Any = aws.client("s3", running.endpoint)

    def deploy(self, kind: str, *, retain: bool, keep_bucket: bool = False) -> str:
        """Create or update the stack.

        Returns:
            The bucket of failed batches.
        """
        outdir = self._folder / f"{self._name}-{kind}-{retain}"
        app = App(outdir=str(outdir), context={"aws:cdk:bundling-stacks": []})
        stack = Stack(app, self._name)
        ClaimCustomizer(stack, "Claims", hosting=Hosting(python=self._python, retain=retain))
        app.synth()
        document = json.loads((outdir / f"{self._name}.template.json").read_text())
        if keep_bucket:
            document["Resources"][self._bucket(document["Resources"])]["DeletionPolicy"] = "Retain"
        self._upload(json.loads((outdir / f"{self._name}.assets.json").read_text()))
        self._s3.put_object(Bucket=ASSET_BUCKET, Key=self._name, Body=json.dumps(document).encode())
        change = getattr(self._formation, f"{kind}_stack")
        change(
            StackName=self._name,
            TemplateURL=f"{self._s3.meta.endpoint_url}/{ASSET_BUCKET}/{self._name}",
            Capabilities=["CAPABILITY_IAM"],
        )
        self._wait(f"stack_{kind}_complete")
        return str(self.resources()[self._bucket(document["Resources"])])

    def destroy(self) -> list[tuple[str, str]]:
        """Delete the stack.

        Returns:
            What happened, in order: type and status.
        """
        stack = self._formation.describe_stacks(StackName=self._name)["Stacks"][0]["StackId"]
        self._formation.delete_stack(StackName=stack)
        self._wait("stack_delete_complete", stack)
        pages = self._formation.get_paginator("describe_stack_events").paginate(StackName=stack)
        events = [event for page in pages for event in page["StackEvents"]]
        return [(event["ResourceType"], event["ResourceStatus"]) for event in reversed(events)]

    def resources(self) -> dict[str, str]:
        """The physical id of each resource."""
        found = self._formation.describe_stack_resources(StackName=self._name)["StackResources"]
        return {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in found}

    def give_up(self, bucket: str) -> None:
        """Keep a batch, as Lambda does, and replay it, as ``claimsmith replay`` does."""
        self._s3.put_object(Bucket=bucket, Key=BATCH, Body=b"{}")
        self._s3.put_object(Bucket=bucket, Key=f"replayed/{BATCH}", Body=b"{}")
        self._s3.delete_object(Bucket=bucket, Key=BATCH)
        assert len(self.versions(bucket)) == 3

    def versions(self, bucket: str) -> list[str]:
        """The key of each version of an object, of each deletion too."""
        found = self._s3.list_object_versions(Bucket=bucket)
        return [each["Key"] for each in (*found.get("Versions", ()), *found.get("DeleteMarkers", ()))]

    def _bucket(self, resources: dict[str, Any]) -> str:
        [found] = [name for name, each in resources.items() if each["Type"] == "AWS::S3::Bucket"]
        return found

    def _upload(self, assets: dict[str, Any]) -> None:
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as archive:
            archive.writestr("handler.py", "")
        for file in assets["files"].values():
            for place in file["destinations"].values():
                self._s3.put_object(Bucket=ASSET_BUCKET, Key=place["objectKey"], Body=code.getvalue())

    def _wait(self, until: str, stack: str | None = None) -> None:
        waiter = self._formation.get_waiter(until)
        name = stack or self._name
        try:
            waiter.wait(StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 240})
        except WaiterError:
            events = self._formation.describe_stack_events(StackName=name)["StackEvents"]
            why = [each.get("ResourceStatusReason") for each in events if each["ResourceStatus"].endswith("_FAILED")]
            pytest.fail(f"not {until}: {why}")


def test_the_bucket_is_empty_once_a_development_stack_is_destroyed(bootstrapped: Emulator, tmp_path: Path) -> None:
    # The emulator would delete a full bucket, too. So this one stays, to be looked at.
    deployment = Deployment("Gone", bootstrapped, tmp_path)
    bucket = deployment.deploy("create", retain=False, keep_bucket=True)
    deployment.give_up(bucket)
    events = deployment.destroy()
    assert deployment.versions(bucket) == []
    emptied = events.index(("Custom::ClaimsmithBucketEmptier", "DELETE_IN_PROGRESS"))
    stopped = [
        place for place, each in enumerate(events) if each == ("AWS::Lambda::EventSourceMapping", "DELETE_COMPLETE")
    ]
    assert len(stopped) == 2
    assert max(stopped) < emptied, "what writes to the bucket goes first"


def test_nothing_is_deleted_when_a_development_stack_becomes_production(bootstrapped: Emulator, tmp_path: Path) -> None:
    deployment = Deployment("Grown", bootstrapped, tmp_path)
    bucket = deployment.deploy("create", retain=False)
    deployment.give_up(bucket)
    before = deployment.resources()
    assert deployment.deploy("update", retain=True) == bucket
    assert len(deployment.versions(bucket)) == 3
    gone = before.keys() - deployment.resources().keys()
    assert gone
    assert all("FailedRecordsEmptier" in name for name in gone)
