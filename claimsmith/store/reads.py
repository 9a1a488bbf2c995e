"""The reads of a table that a token and its verification need, whichever client makes them."""

from __future__ import annotations

import time
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from claimsmith import table
from claimsmith.errors import Code, StoreError
from claimsmith.named_tuple import NamedTuple
from claimsmith.store import responses
from claimsmith.store.failures import AbandonedError, PartitionTooLargeError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Key = tuple[str, str]

#: Keys in one BatchGetItem.
_BATCH: Final = 100

#: Attempts for what DynamoDB leaves unprocessed or throttles, and the base of the growing pause between them, in
#: seconds.
BATCH_ATTEMPTS: Final = 6
BATCH_PAUSE: Final = 0.02


class Patience(NamedTuple):
    """How long a client waits for each step, in seconds, and how often it tries."""

    connect: float
    read: float
    attempts: int


#: One retry and short time-outs: Cognito allows a trigger five seconds in all. The caller limits the total.
TOKEN_PATH: Final = Patience(connect=1.0, read=1.0, attempts=2)


def never() -> bool:
    """What nobody who waits for all of it has: a reason to stop."""
    return False


class ReadableTable:
    """The table described in ``claimsmith.table``, to read.

    Every method raises ``StoreError`` if DynamoDB is unavailable or refuses the request.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def close(self) -> None:
        """Close the connections that are kept; the next read connects again."""
        raise NotImplementedError

    def query(
        self,
        pk: str,
        *,
        sk_prefix: str | None = None,
        limit: int | None = None,
        descending: bool = False,
        pages: int | None = None,
        abandoned: Callable[[], bool] = never,
    ) -> list[dict[str, Any]]:
        """The rows of one partition, read consistently; all of them unless ``limit`` is given.

        Args:
            pk: the partition key.
            sk_prefix: a prefix of the sort keys.
            limit: stop after at least this many rows.
            descending: return the last sort keys first.
            pages: the maximum number of requests; each reads at most 1 MB (API reference, Query).
            abandoned: whether the caller has stopped waiting; called before each request but the first.

        Raises:
            PartitionTooLargeError: there are more pages.
            AbandonedError: the caller has stopped waiting.
        """
        condition, values = "pk = :pk", {":pk": {"S": pk}}
        if sk_prefix is not None:
            condition += " AND begins_with(sk, :sk)"
            values[":sk"] = {"S": sk_prefix}
        request: dict[str, Any] = {
            "TableName": self.name,
            "KeyConditionExpression": condition,
            "ExpressionAttributeValues": values,
            "ConsistentRead": True,
            "ScanIndexForward": not descending,
        }
        if limit is not None:
            request["Limit"] = limit
        rows: list[dict[str, Any]] = []
        for number in count(1):
            page = responses.page(self._call("query", request), {table.PK: pk}, sk_prefix or "")
            rows += page.rows
            if page.next is None or (limit is not None and len(rows) >= limit):
                break
            if number == pages:
                raise PartitionTooLargeError(number)
            if abandoned():
                raise AbandonedError
            request["ExclusiveStartKey"] = page.next
        return rows

    def get(self, pk: str, sk: str) -> dict[str, Any] | None:
        """One row, read consistently; None if there is no such row."""
        request = {
            "TableName": self.name,
            "Key": key_of(pk, sk),
            "ConsistentRead": True,
            "ReturnConsumedCapacity": "TOTAL",
        }
        return responses.row(self._call("get_item", request), (pk, sk))

    def batch_get(self, keys: Sequence[Key], *, consistent: bool = False) -> list[dict[str, Any]]:
        """The rows of these keys that exist, in any order."""
        rows: list[dict[str, Any]] = []
        for start in range(0, len(keys), _BATCH):
            pending = keys[start : start + _BATCH]
            for attempt in range(BATCH_ATTEMPTS):
                if attempt:
                    time.sleep(BATCH_PAUSE * 2**attempt)
                request = {"Keys": [key_of(*key) for key in pending], "ConsistentRead": consistent}
                response = self._call("batch_get_item", {"RequestItems": {self.name: request}})
                found, pending = responses.batch(response, self.name, pending)
                rows += found
                if not pending:
                    break
            else:
                raise StoreError(Code.AWS_UNREACHABLE, "DynamoDB keeps leaving keys unprocessed. Try again later.")
        return rows

    def _call(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """Perform an operation, named as botocore's clients name it.

        Raises:
            StoreError: as the class says.
        """
        raise NotImplementedError


def key_of(pk: str, sk: str) -> dict[str, Any]:
    """The key of a row in DynamoDB's representation."""
    return {table.PK: {"S": pk}, table.SK: {"S": sk}}
