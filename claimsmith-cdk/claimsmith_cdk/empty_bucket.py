"""Empties a bucket when its stack is deleted. The code of an inline function, so all that it needs is in this file.

Lambda's Python has boto3; CloudFormation's own module for answers is missing where it is only emulated.
"""

import json
import urllib.request
from typing import Any

import boto3


def handler(event: dict[str, Any], context: object) -> None:  # noqa: ARG001 - Lambda's signature
    """Answer CloudFormation, which would otherwise wait."""
    status, reason = "SUCCESS", ""
    try:
        if event["RequestType"] == "Delete" and stack_goes(event["StackId"]):
            empty(event["ResourceProperties"]["Bucket"])
    except Exception as error:  # noqa: BLE001 - CloudFormation shows what it was
        status, reason = "FAILED", f"{type(error).__name__}: {error}"[:1000]
    print(event["RequestType"], status, reason)  # noqa: T201 - the function's log
    answer = {
        "Status": status,
        "Reason": reason,
        "PhysicalResourceId": event["ResourceProperties"]["Bucket"],
        **{name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")},
    }
    body, headers = json.dumps(answer).encode(), {"Content-Type": ""}
    request = urllib.request.Request(event["ResponseURL"], body, headers, method="PUT")  # noqa: S310 - CloudFormation's
    with urllib.request.urlopen(request, timeout=20):  # noqa: S310 - as above
        pass


def stack_goes(stack: str) -> bool:
    """Not where the resource goes and the stack stays: then the bucket may be one that is kept from now on."""
    found = boto3.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    return bool(found["StackStatus"] == "DELETE_IN_PROGRESS")


def empty(bucket: str) -> None:
    """Delete every version of every object; a bucket that is gone is empty."""
    s3 = boto3.client("s3")
    try:
        while True:  # a page at a time, until there is none; whatever is not deleted ends it
            found = s3.list_object_versions(Bucket=bucket)
            listed = [*found.get("Versions", ()), *found.get("DeleteMarkers", ())]
            if not listed:
                return
            keys = [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in listed]
            done = s3.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True})
            if done.get("Errors"):
                raise RuntimeError(str(done["Errors"][0]))
    except s3.exceptions.NoSuchBucket:
        pass
