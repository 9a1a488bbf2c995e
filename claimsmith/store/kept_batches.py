"""Batches of the table's stream that a function could not handle, as Lambda keeps them in a bucket.

See "Retain discarded records for a DynamoDB event source" in the Lambda developer guide
(https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import botocore.session
from botocore.exceptions import BotoCoreError, ClientError

from claimsmith.errors import Code, ConfigurationError, OperationError
from claimsmith.store.dynamodb import PATIENT

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Where Lambda writes, and where a batch goes that has been replayed: out of the way, and still evidence.
WAITING: Final = "aws/lambda/"
REPLAYED: Final = "replayed/"

_ACTIONS: Final = {
    "list_objects_v2": "s3:ListBucket",
    "get_object": "s3:GetObject",
    "copy_object": "s3:PutObject",
    "delete_object": "s3:DeleteObject",
}
_MISSING: Final = frozenset({"NoSuchBucket", "NoSuchKey", "404"})
_DENIED: Final = frozenset({"AccessDenied", "403", "InvalidAccessKeyId", "ExpiredToken"})


def connect(*, endpoint_url: str | None = None, region: str | None = None) -> Any:  # noqa: ANN401 - as below
    """An S3 client.

    Raises:
        ConfigurationError: there is no region, or region or endpoint are not well-formed.
    """
    try:
        session = botocore.session.get_session()
        return session.create_client("s3", region_name=region, endpoint_url=endpoint_url, config=PATIENT)
    except (BotoCoreError, ValueError) as error:
        raise ConfigurationError(f"S3 cannot be reached like this: {error} Check region and endpoint.") from error


class KeptBatches:
    """A bucket with such batches. Every method raises ``OperationError`` if S3 is unavailable or refuses."""

    def __init__(self, client: Any, bucket: str) -> None:  # noqa: ANN401 - botocore clients have no type
        self._client = client
        self.bucket = bucket

    def waiting(self) -> Iterator[str]:
        """The keys of the batches that have not been replayed; those of a shard in the order of time."""
        request = {"Prefix": WAITING}
        while True:
            page = self._call("list_objects_v2", **request)
            for entry in page.get("Contents", ()):
                yield entry["Key"]
            if not page.get("IsTruncated"):
                return
            request["ContinuationToken"] = page["NextContinuationToken"]

    def read(self, key: str) -> bytes:
        """A batch; with its records, it has at most a few times the 6 MB of an invocation."""
        try:
            content: bytes = self._call("get_object", Key=key)["Body"].read()
        except BotoCoreError as error:
            raise OperationError(Code.AWS_UNREACHABLE, "S3 stopped responding. Run the command again.") from error
        return content

    def put_away(self, key: str) -> None:
        """Move a batch that has been replayed. One that was there already, or is interrupted, is no error."""
        if key.startswith(WAITING):
            self._call("copy_object", Key=REPLAYED + key, CopySource={"Bucket": self.bucket, "Key": key})
            self._call("delete_object", Key=key)

    def _call(self, operation: str, **request: object) -> dict[str, Any]:
        try:
            response: dict[str, Any] = getattr(self._client, operation)(Bucket=self.bucket, **request)
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            if code in _DENIED:
                message = f"AWS denies {_ACTIONS[operation]} on bucket {self.bucket}."
                raise OperationError(Code.ACCESS_DENIED, message) from error
            if code in _MISSING:
                what = f"s3://{self.bucket}/{request['Key']}" if "Key" in request else f"bucket {self.bucket}"
                raise OperationError(Code.NOT_FOUND, f"There is no {what}. Check the name.") from error
            raise OperationError(Code.AWS_UNREACHABLE, f"S3 refuses the request ({operation}: {code}).") from error
        except BotoCoreError as error:
            message = f"S3 does not respond ({type(error).__name__}). Check the region, the endpoint and the network."
            raise OperationError(Code.AWS_UNREACHABLE, message) from error
        return response
