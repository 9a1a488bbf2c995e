"""The table with rows exactly as DynamoDB has them: for copies, which must not lose a digit.

A row here is DynamoDB's representation of it (``{"pk": {"S": "POLICY"}, …}``); binary values are bytes.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from claimsmith import table
from claimsmith.errors import Code, StoreError
from claimsmith.store import responses
from claimsmith.store.dynamodb import Table
from claimsmith.store.reads import BATCH_ATTEMPTS, BATCH_PAUSE, key_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    Item = Mapping[str, Mapping[str, Any]]
    Key = tuple[str, str]

#: Keys in one BatchGetItem.
_BATCH: Final = 100

#: Attributes that a condition compares; an expression has at most 4 KB and 300 operators.
_COMPARED: Final = 100


class ExactTable(Table):
    """The table described in ``claimsmith.table``. Every method raises ``StoreError`` as those of ``Table`` do."""

    def pages(self, pk: str | None = None) -> Iterator[list[Item]]:
        """The rows page by page, read consistently; a page has at most 1 MB.

        Args:
            pk: of this partition, by sort key; None for the whole table, in DynamoDB's order.
        """
        request: dict[str, Any] = {"TableName": self.name, "ConsistentRead": True}
        if pk is not None:
            request["KeyConditionExpression"] = "pk = :pk"
            request["ExpressionAttributeValues"] = {":pk": {"S": pk}}
        while True:
            page = responses.exact_page(self._call("scan" if pk is None else "query", request), pk)
            yield page.rows
            if page.next is None:
                return
            request["ExclusiveStartKey"] = page.next

    def rows_of(self, keys: Sequence[Key]) -> dict[Key, Item]:
        """The rows of these keys that exist, read consistently."""
        rows: dict[Key, Item] = {}
        for start in range(0, len(keys), _BATCH):
            pending = keys[start : start + _BATCH]
            for attempt in range(BATCH_ATTEMPTS):
                if attempt:
                    time.sleep(BATCH_PAUSE * 2**attempt)
                asked = [key_of(*key) for key in pending]
                request = {"RequestItems": {self.name: {"Keys": asked, "ConsistentRead": True}}}
                found, pending = responses.exact_batch(self._call("batch_get_item", request), self.name, pending)
                rows |= {item_key(item): item for item in found}
                if not pending:
                    break
            else:
                raise StoreError(Code.AWS_UNREACHABLE, "DynamoDB keeps leaving keys unprocessed. Try again later.")
        return rows


def item_key(item: Item) -> Key:
    """The key of a row."""
    return item[table.PK]["S"], item[table.SK]["S"]


def put_over(name: str, item: Item, present: Item | None) -> dict[str, Any]:
    """A put, for ``Table.transact``, of a row in the place of what is there now.

    Args:
        name: the table.
        item: the row.
        present: the row that must still be there; None if there must be none.
    """
    action: dict[str, Any] = {"TableName": name, "Item": item}
    if present is None:
        return {**action, "ConditionExpression": "attribute_not_exists(pk)"}
    compared = [each for each in sorted(present) if each not in (table.PK, table.SK)][:_COMPARED]
    conditions = ["attribute_exists(pk)", *(f"#{number} = :{number}" for number in range(len(compared)))]
    action["ConditionExpression"] = " AND ".join(conditions)
    if compared:
        action["ExpressionAttributeNames"] = {f"#{number}": each for number, each in enumerate(compared)}
        action["ExpressionAttributeValues"] = {f":{number}": present[each] for number, each in enumerate(compared)}
    return action
