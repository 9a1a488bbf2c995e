"""The function that empties a bucket: what it deletes, and when it does nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.s3.models import s3_backends

from claimsmith_cdk.empty_bucket import handler
from tests.conftest import ACCOUNT, REGION
from tests.integration.cloudformation import cloudformation

if TYPE_CHECKING:
    from collections.abc import Iterator

BUCKET = "failed-records"
STACK = "arn:aws:cloudformation:eu-west-1:123456789012:stack/Shop/1"


class Bucket:
    """A versioned bucket with an object, an earlier version of it, and one that was deleted."""

    def __init__(self) -> None:
        self._s3: Any = boto3.client("s3")
        self._s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        self._s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        for key in ("twice", "twice", "deleted"):
            self.put(key)
        self._s3.delete_object(Bucket=BUCKET, Key="deleted")
        assert self.versions() == 4

    def put(self, key: str) -> None:
        self._s3.put_object(Bucket=BUCKET, Key=key, Body=b"batch")

    def versions(self) -> int:
        pages = self._s3.get_paginator("list_object_versions").paginate(Bucket=BUCKET)
        return sum(len(page.get("Versions", ())) + len(page.get("DeleteMarkers", ())) for page in pages)

    def delete(self) -> None:
        """As CloudFormation does."""
        self._s3.delete_bucket(Bucket=BUCKET)


@pytest.fixture
def bucket(aws_environment: dict[str, str]) -> Iterator[Bucket]:
    assert aws_environment["AWS_ACCESS_KEY_ID"] == "invented"
    with mock_aws():
        yield Bucket()


def _send(kind: str, *, status: str, bucket: str = BUCKET) -> dict[str, Any]:
    """What it answers to an event of a stack."""
    event = {"StackId": STACK, "RequestId": "1", "LogicalResourceId": "Emptier"}
    with cloudformation(status) as (url, answers), pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL_CLOUDFORMATION", url)
        handler({**event, "RequestType": kind, "ResponseURL": url, "ResourceProperties": {"Bucket": bucket}}, None)
    [answer] = answers
    assert {name: answer[name] for name in event} == event
    assert answer["PhysicalResourceId"] == bucket
    return answer


def test_with_its_stack_a_bucket_loses_every_version_of_every_object(bucket: Bucket) -> None:
    for number in range(1000):  # a listing has as many in a page
        s3_backends[ACCOUNT]["aws"].put_object(BUCKET, f"aws/lambda/{number}", b"batch")
    assert bucket.versions() == 1004
    with pytest.raises(ClientError, match="BucketNotEmpty"):
        bucket.delete()
    assert _send("Delete", status="DELETE_IN_PROGRESS")["Status"] == "SUCCESS"
    bucket.delete()


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("Create", "CREATE_IN_PROGRESS"),
        ("Update", "UPDATE_IN_PROGRESS"),
        # The bucket of a stack that is production from now on.
        ("Delete", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"),
    ],
)
def test_while_its_stack_stays_a_bucket_keeps_all(bucket: Bucket, kind: str, status: str) -> None:
    assert _send(kind, status=status)["Status"] == "SUCCESS"
    assert bucket.versions() == 4


def test_a_bucket_that_is_gone_is_empty(bucket: Bucket) -> None:
    assert _send("Delete", status="DELETE_IN_PROGRESS", bucket="gone")["Status"] == "SUCCESS"
    assert bucket.versions() == 4


def test_cloudformation_hears_what_is_wrong(bucket: Bucket) -> None:
    answer = _send("Delete", status="DELETE_IN_PROGRESS", bucket="not a name")
    assert answer["Status"] == "FAILED"
    assert "not a name" in answer["Reason"]
    assert bucket.versions() == 4
