"""The table's stream: its records as the event source mapping hands them to a function."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import TYPE_CHECKING, Any

import botocore.session

from tests.conftest import REGION, TABLE

if TYPE_CHECKING:
    from tests.conftest import Client


class Stream:
    """Reads the stream of the in-memory table from where it was read last."""

    def __init__(self, dynamodb: Client) -> None:
        arn = dynamodb.describe_table(TableName=TABLE)["Table"]["LatestStreamArn"]
        # The address that moto knows; botocore would take one that names the account.
        self._streams = botocore.session.get_session().create_client(
            "dynamodbstreams", region_name=REGION, endpoint_url=f"https://streams.dynamodb.{REGION}.amazonaws.com"
        )
        [shard] = self._streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
        self._iterator = self._streams.get_shard_iterator(
            StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]

    def event(self) -> dict[str, Any]:
        """What happened since the last call, as one event."""
        page = self._streams.get_records(ShardIterator=self._iterator)
        self._iterator = page["NextShardIterator"]
        return {"Records": [as_json({"eventSource": "aws:dynamodb", **record}) for record in page["Records"]]}


def as_json(value: Any) -> Any:  # noqa: ANN401 - JSON
    """A record, or a part of one, as an event has it."""
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {name: as_json(item) for name, item in value.items()}
    return [as_json(item) for item in value] if isinstance(value, list) else value


def keys(event: dict[str, Any]) -> list[tuple[str, str]]:
    """The keys of the rows in an event."""
    changed = [record["dynamodb"]["Keys"] for record in event["Records"]]
    return [(key["pk"]["S"], key["sk"]["S"]) for key in changed]
