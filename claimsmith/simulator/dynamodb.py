"""The reads of a DynamoDB client, answered from rows in memory."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from claimsmith import table
from claimsmith.store.attributes import encode_row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from claimsmith.store.dynamodb import Key

    Row = Mapping[str, Any]
    Item = dict[str, Any]


class MemoryClient:
    """What ``claimsmith.store.dynamodb.Table`` needs of a botocore client to read, and nothing else.

    Rows are looked up when they are asked for, so that whoever holds them may change them at any time. Like DynamoDB,
    it returns rows whose time to live is over, numbers in their shortest form, and a partition by its sort keys. It
    has no pages: no partition is too large.
    """

    def __init__(self, partition: Callable[[str], Iterable[Row]]) -> None:
        """Read from here.

        Args:
            partition: the rows under a partition key.
        """
        self._partition = partition

    def get_item(self, **request: Any) -> Item:  # noqa: ANN401 - requests of botocore have no type
        """GetItem."""
        found = self._find(_key(request["Key"]))
        capacity = {"TableName": request["TableName"], "CapacityUnits": 1.0}
        return {"ConsumedCapacity": capacity, **({} if found is None else {"Item": found})}

    def batch_get_item(self, **request: Any) -> Item:  # noqa: ANN401 - as above
        """BatchGetItem, of one table."""
        [(name, asked)] = request["RequestItems"].items()
        found = (self._find(_key(key)) for key in asked["Keys"])
        return {"Responses": {name: [item for item in found if item is not None]}, "UnprocessedKeys": {}}

    def query(self, **request: Any) -> Item:  # noqa: ANN401 - as above
        """Query, of the whole partition."""
        if request["KeyConditionExpression"] != "pk = :pk" or "IndexName" in request or "Limit" in request:
            raise NotImplementedError("Only whole partitions are read when a token is made.")
        found = self._items(request["ExpressionAttributeValues"][":pk"]["S"])
        found.sort(key=lambda item: item[table.SK]["S"].encode(), reverse=not request.get("ScanIndexForward", True))
        return {"Items": found, "Count": len(found), "ScannedCount": len(found)}

    def _items(self, pk: str) -> list[Item]:
        return [{name: _stored(value) for name, value in encode_row(row).items()} for row in self._partition(pk)]

    def _find(self, key: Key) -> Item | None:
        return next((item for item in self._items(key[0]) if _key(item) == key), None)


def _key(item: Item) -> Key:
    return item[table.PK]["S"], item[table.SK]["S"]


def _stored(value: Item) -> Item:
    """An attribute value as DynamoDB returns it: ``1.0`` comes back as ``1``."""
    [(kind, content)] = value.items()
    match kind:
        case "N":
            return {"N": _number(content)}
        case "NS":
            return {"NS": [_number(number) for number in content]}
        case "L":
            return {"L": [_stored(item) for item in content]}
        case "M":
            return {"M": {name: _stored(item) for name, item in content.items()}}
        case _:
            return value


def _number(text: str) -> str:
    number = Decimal(text)
    return format(number.normalize(), "f") if number else "0"
