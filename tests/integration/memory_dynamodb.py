"""The few operations of DynamoDB that publishing and imports use, on a dictionary, one at a time.

The in-memory AWS of the other tests copies its whole table for each transaction, which takes seconds where many
processes write many rows. ``test_publish_processes`` compares the answers of both on the same requests.
"""

from __future__ import annotations

import operator
import re
import threading
from bisect import bisect_right
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from claimsmith.store.attributes import encode_row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

Item = dict[str, Any]
Key = tuple[str, str]


class MemoryDynamoDB:
    """One table. Its methods are those of a client; any other operation or condition than these fails.

    A watcher is called for each row that is written: with its key, its old value and its new value.

    Attributes:
        items: the rows, by key, as DynamoDB encodes them.
        page_size: rows that a scan reads at once.
        made: when the table was made; epoch seconds.
    """

    def __init__(self, watcher: Callable[[Key, Item | None, Item | None], None] | None = None) -> None:
        self.items: dict[Key, Item] = {}
        self.page_size = 100
        self.made = 0
        self._watcher = watcher
        self._lock = threading.RLock()

    def get_item(self, *, TableName: str, Key: Item, **_: Any) -> Item:  # noqa: ANN401, N803 - DynamoDB's names
        with self._lock:
            item = self.items.get(_key(Key))
        return {"ConsumedCapacity": {"TableName": TableName}, **({} if item is None else {"Item": item})}

    def batch_get_item(self, *, RequestItems: Item) -> Item:  # noqa: N803 - DynamoDB's names
        [(name, asked)] = RequestItems.items()
        with self._lock:
            return {"Responses": {name: [self.items[key] for key in map(_key, asked["Keys"]) if key in self.items]}}

    def scan(self, **request: Any) -> Item:  # noqa: ANN401 - requests of botocore have no type
        assert re.fullmatch(r"begins_with\(pk, :pk\d\)( OR begins_with\(pk, :pk\d\))*", request["FilterExpression"])
        prefixes = tuple(value["S"] for value in request["ExpressionAttributeValues"].values())
        after = request.get("ExclusiveStartKey")
        with self._lock:
            keys = sorted(self.items)
            start = 0 if after is None else bisect_right(keys, _key(after))
            read = keys[start : start + self.page_size]
            answer: Item = {"Items": [self.items[key] for key in read if key[0].startswith(prefixes)]}
        if start + self.page_size < len(keys):
            answer["LastEvaluatedKey"] = dict(zip(("pk", "sk"), ({"S": part} for part in read[-1]), strict=True))
        return answer

    def query(self, **request: Any) -> Item:  # noqa: ANN401 - requests of botocore have no type
        values = request["ExpressionAttributeValues"]
        if request.get("IndexName") == "by_sk":
            assert request["KeyConditionExpression"] in ("sk = :sk", "sk = :sk AND begins_with(pk, :pk)")
            start = values.get(":pk", {"S": ""})["S"]
            with self._lock:
                keys = sorted(key for key in self.items if key[1] == values[":sk"]["S"] and key[0].startswith(start))
            return {"Items": [dict(zip(("pk", "sk"), ({"S": part} for part in key), strict=True)) for key in keys]}
        prefix, low, high = "", "", chr(0x10FFFF)
        if request["KeyConditionExpression"] == "pk = :pk AND sk BETWEEN :low AND :high":
            low, high = values[":low"]["S"], values[":high"]["S"]
        elif request["KeyConditionExpression"] != "pk = :pk":
            assert request["KeyConditionExpression"] == "pk = :pk AND begins_with(sk, :sk)"
            prefix = values[":sk"]["S"]
        with self._lock:
            keys = sorted(key for key in self.items if key[0] == values[":pk"]["S"] and key[1].startswith(prefix))
            keys = [key for key in keys if low <= key[1] <= high]
            if not request["ScanIndexForward"]:
                keys.reverse()
            limit = request.get("Limit", len(keys))
            answer: Item = {"Items": [self.items[key] for key in keys[:limit]]}
        if limit <= len(keys) and "Limit" in request:
            answer["LastEvaluatedKey"] = dict(zip(("pk", "sk"), ({"S": part} for part in keys[limit - 1]), strict=True))
        return answer

    def describe_table(self, *, TableName: str) -> Item:  # noqa: N803 - DynamoDB's names
        return {"Table": {"TableName": TableName, "CreationDateTime": datetime.fromtimestamp(self.made, UTC)}}

    def put_item(self, **action: Any) -> Item:  # noqa: ANN401 - as above
        return self._write(action, "ConditionalCheckFailedException")

    def update_item(self, **action: Any) -> Item:  # noqa: ANN401 - as above
        return self._write(action, "ConditionalCheckFailedException")

    def delete_item(self, **action: Any) -> Item:  # noqa: ANN401 - as above
        return self._write(action, "ConditionalCheckFailedException")

    def transact_write_items(self, *, TransactItems: list[Item], ClientRequestToken: str = "") -> Item:  # noqa: N803 - as above
        del ClientRequestToken
        actions = [next(iter(item.values())) for item in TransactItems]
        assert len({_key(action.get("Item", action.get("Key"))) for action in actions}) == len(actions) <= 100
        with self._lock:
            met = [self._holds(action) for action in actions]
            if not all(met):
                reasons = [{"Code": "None" if holds else "ConditionalCheckFailed"} for holds in met]
                error: Any = {"Error": {"Code": "TransactionCanceledException"}, "CancellationReasons": reasons}
                raise ClientError(error, "TransactWriteItems")
            for action in actions:
                self._write(action, "")
        return {}

    def _write(self, action: Item, refusal: str) -> Item:
        item = action.get("Item")
        key = _key(item if item is not None else action["Key"])
        with self._lock:
            if not self._holds(action):
                raise ClientError({"Error": {"Code": refusal}}, "Write")
            before = self.items.pop(key, None)
            if "UpdateExpression" in action:
                item = _updated(before or {}, action)
            if item is not None:
                self.items[key] = item
            if self._watcher is not None:
                self._watcher(key, before, item)
        return {}

    def _holds(self, action: Item) -> bool:
        condition: str = action.get("ConditionExpression", "")
        there = self.items.get(_key(action.get("Item", action.get("Key"))), {})
        return not condition or any(
            all(_is_met(term, there, action) for term in alternative.split(" AND "))
            for alternative in condition.split(" OR ")
        )


_TERM = re.compile(
    r"attribute_(?P<not>not_)?exists\((?P<tested>.+)\)"
    r"|(?P<untyped>NOT )?attribute_type\((?P<typed>\S+), (?P<type>\S+)\)"
    r"|(?P<compared>\S+) (?P<operator>=|<=|>) (?P<value>\S+)"
)
_COMPARED = {"=": operator.eq, "<=": operator.le, ">": operator.gt}


def _is_met(term: str, there: Item, action: Item) -> bool:
    """Whether one term of a condition holds: of what exists, of a type, or of a comparison."""
    names, values = action.get("ExpressionAttributeNames", {}), action.get("ExpressionAttributeValues", {})
    found = _TERM.fullmatch(term)
    assert found, f"nothing is known of the condition {term}"
    if found["tested"]:
        return (names.get(found["tested"], found["tested"]) in there) is not bool(found["not"])
    value = there.get(names.get(found["typed"] or found["compared"], found["typed"] or found["compared"]))
    if found["typed"]:
        return (value is not None and values[found["type"]]["S"] in value) is not bool(found["untyped"])
    wanted = values[found["value"]]
    if found["operator"] == "=" or value is None or value.keys() != wanted.keys():
        return found["operator"] == "=" and bool(value == wanted)
    return bool(_COMPARED[found["operator"]](*(float(number["N"]) for number in (value, wanted))))


def _updated(there: Item, action: Item) -> Item:
    """A row after ``SET #0 = :0, … REMOVE #1, …``."""
    names, values = action["ExpressionAttributeNames"], action["ExpressionAttributeValues"]
    assigned, _, removed = action["UpdateExpression"].removeprefix("SET ").partition(" REMOVE ")
    after = {**action["Key"], **there}
    for name, _, value in (term.partition(" = ") for term in assigned.split(", ")):
        after[names[name]] = values[value]
    for name in filter(None, removed.split(", ")):
        after.pop(names[name], None)
    return after


def holding(rows: Iterable[Mapping[str, Any]]) -> MemoryDynamoDB:
    """A table with these rows in it."""
    client = MemoryDynamoDB()
    client.items = {(row["pk"], row["sk"]): encode_row(row) for row in rows}
    return client


def _key(item: Item | None) -> Key:
    assert item is not None
    return item["pk"]["S"], item["sk"]["S"]
