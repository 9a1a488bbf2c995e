"""One DynamoDB table, in plain rows: the few operations the rest is made of."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime
from itertools import count
from typing import TYPE_CHECKING, Any, Final

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from claimsmith import table
from claimsmith.errors import Code, StoreError
from claimsmith.store import responses
from claimsmith.store.attributes import encode, encode_row

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Row = Mapping[str, Any]
    Key = tuple[str, str]

#: One attempt more, and short waits: Cognito gives a trigger five seconds in all. A total bound is the caller's.
TOKEN_PATH: Final = Config(
    connect_timeout=1.0,
    read_timeout=1.0,
    retries={"mode": "standard", "total_max_attempts": 2},
    parameter_validation=False,
)

#: For people and for background work.
PATIENT: Final = Config(connect_timeout=5.0, read_timeout=20.0, retries={"mode": "standard", "total_max_attempts": 4})

#: Keys in one BatchGetItem.
_BATCH: Final = 100

#: Times that keys which DynamoDB left unanswered are asked for, and seconds before the first repetition.
_BATCH_ATTEMPTS: Final = 6
_BATCH_PAUSE: Final = 0.02

#: Actions in one TransactWriteItems.
TRANSACTION: Final = 100


def _never() -> bool:
    return False


class PartitionTooLargeError(StoreError):
    """A partition goes on beyond the pages that may be read of it."""

    def __init__(self, pages: int) -> None:
        super().__init__(Code.USER_TOO_LARGE, f"There are more than {pages} MB of rows under one key.")


class AbandonedError(StoreError):
    """Nobody waits for the answer any more, so the rest was not read."""

    def __init__(self) -> None:
        super().__init__(Code.DEADLINE_EXCEEDED, "Nobody waits for these rows any more.")


class ConditionError(StoreError):
    """A row was not as the caller expected: somebody else wrote it first."""


class InvalidRequestError(StoreError):
    """DynamoDB does not take this request, however often it is sent: for one, a row that is too large or too deep."""


def connect(config: Config, *, endpoint_url: str | None = None, region: str | None = None) -> Any:  # noqa: ANN401 - botocore clients have no type
    """A DynamoDB client; address and region default to what the AWS environment variables say."""
    session = botocore.session.get_session()
    return session.create_client("dynamodb", region_name=region, endpoint_url=endpoint_url, config=config)


class Table:
    """A table of the shape of ``claimsmith.table``.

    Every method raises ``StoreError`` where DynamoDB does not answer or refuses.
    """

    def __init__(self, client: Any, name: str) -> None:  # noqa: ANN401 - botocore clients have no type
        self._client = client
        self.name = name

    def query(
        self,
        pk: str,
        *,
        sk_prefix: str | None = None,
        limit: int | None = None,
        descending: bool = False,
        pages: int | None = None,
        abandoned: Callable[[], bool] = _never,
    ) -> list[dict[str, Any]]:
        """The rows of one partition, read consistently, whole unless ``limit`` says otherwise.

        Args:
            pk: the partition key.
            sk_prefix: what the sort keys begin with.
            limit: so many rows are enough.
            descending: the last sort keys first.
            pages: requests at most; each reads 1 MB at most (API reference, Query).
            abandoned: whether nobody waits any more; asked before each request but the first.

        Raises:
            PartitionTooLargeError: there is more than so many pages.
            AbandonedError: nobody waits any more.
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

    def keys_by_sk(self, sk: str) -> list[tuple[str, str]]:
        """The keys of every row with this sort key, from the index; never a ground for access."""
        request = {
            "TableName": self.name,
            "IndexName": table.BY_SK,
            "KeyConditionExpression": "sk = :sk",
            "ExpressionAttributeValues": {":sk": {"S": sk}},
        }
        keys: list[tuple[str, str]] = []
        while True:
            page = responses.page(self._call("query", request), {table.SK: sk})
            keys += [(row[table.PK], row[table.SK]) for row in page.rows]
            if page.next is None:
                return keys
            request["ExclusiveStartKey"] = page.next

    def get(self, pk: str, sk: str) -> dict[str, Any] | None:
        """One row, read consistently; None where there is none."""
        request = {
            "TableName": self.name,
            "Key": _key(pk, sk),
            "ConsistentRead": True,
            "ReturnConsumedCapacity": "TOTAL",
        }
        return responses.row(self._call("get_item", request), (pk, sk))

    def server_time(self, pk: str, sk: str) -> float | None:
        """Epoch seconds by the clock of the host that answers for a row; None where its answer does not say."""
        answer = self._call("get_item", {"TableName": self.name, "Key": _key(pk, sk)})
        date = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
        try:
            return parsedate_to_datetime(date).timestamp()
        except (TypeError, ValueError):
            return None

    def batch_get(self, keys: Sequence[Key], *, consistent: bool = False) -> list[dict[str, Any]]:
        """The rows of these keys that exist, in any order."""
        rows: list[dict[str, Any]] = []
        for start in range(0, len(keys), _BATCH):
            wanted = keys[start : start + _BATCH]
            for attempt in range(_BATCH_ATTEMPTS):
                if attempt:
                    time.sleep(_BATCH_PAUSE * 2**attempt)
                asked = {"Keys": [_key(*key) for key in wanted], "ConsistentRead": consistent}
                answer = self._call("batch_get_item", {"RequestItems": {self.name: asked}})
                found, wanted = responses.batch(answer, self.name, wanted)
                rows += found
                if not wanted:
                    break
            else:
                raise StoreError(Code.AWS_UNREACHABLE, "DynamoDB keeps leaving keys of a batch unanswered.")
        return rows

    def put(self, row: Row, *, condition: str | None = None, values: Mapping[str, Any] | None = None) -> None:
        """Write a whole row.

        Raises:
            ConditionError: the condition does not hold.
        """
        self._call("put_item", put_action(self.name, row, condition, values))

    def delete(
        self, pk: str, sk: str, *, condition: str | None = None, values: Mapping[str, Any] | None = None
    ) -> None:
        """Delete a row; one that is not there is no error.

        Raises:
            ConditionError: the condition does not hold.
        """
        self._call("delete_item", delete_action(self.name, pk, sk, condition, values))

    def update(self, pk: str, sk: str, assign: Mapping[str, Any], *, expected: Mapping[str, Any] | None = None) -> None:
        """Set attributes of a row, which is made where it is not there; the others stay.

        Args:
            pk: the partition key.
            sk: the sort key.
            assign: the attributes to set.
            expected: what attributes must be now; None for one that must not be there.

        Raises:
            ConditionError: an expected attribute is something else.
        """
        expected = expected or {}
        aliases = {name: f"#{index}" for index, name in enumerate([*assign, *expected])}
        values = {f":new{index}": encode(value) for index, value in enumerate(assign.values())}
        conditions: list[str] = []
        for index, (name, value) in enumerate(expected.items()):
            if value is None:
                conditions.append(f"attribute_not_exists({aliases[name]})")
            else:
                conditions.append(f"{aliases[name]} = :old{index}")
                values[f":old{index}"] = encode(value)
        assignments = ", ".join(f"{aliases[name]} = :new{index}" for index, name in enumerate(assign))
        request: dict[str, Any] = {
            "TableName": self.name,
            "Key": _key(pk, sk),
            "UpdateExpression": f"SET {assignments}",
            "ExpressionAttributeNames": {alias: name for name, alias in aliases.items()},
            "ExpressionAttributeValues": values,
        }
        if conditions:
            request["ConditionExpression"] = " AND ".join(conditions)
        self._call("update_item", request)

    def transact(self, actions: Sequence[Mapping[str, Any]]) -> None:
        """Write up to ``TRANSACTION`` rows, all or none; actions come from ``put_action`` and ``delete_action``.

        Raises:
            ConditionError: the condition of one of them does not hold.
        """
        wrapped = [{"Put" if "Item" in action else "Delete": action} for action in actions]
        self._call("transact_write_items", {"TransactItems": wrapped})

    def _call(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = getattr(self._client, operation)(**request)
        except ClientError as error:
            raise _store_error(error, self.name) from error
        except ParamValidationError as error:
            raise InvalidRequestError(Code.AWS_UNREACHABLE, "This is no request to DynamoDB.") from error
        except BotoCoreError as error:
            raise StoreError(Code.AWS_UNREACHABLE, f"DynamoDB does not answer ({type(error).__name__}).") from error
        except Exception as error:  # botocore's parsers raise anything on an answer of the wrong shape
            message = f"DynamoDB's answer cannot be read ({type(error).__name__})."
            raise StoreError(Code.AWS_UNREACHABLE, message) from error
        return answer


def put_action(name: str, row: Row, condition: str | None = None, values: Row | None = None) -> dict[str, Any]:
    """A put, for ``Table.put`` or a transaction."""
    return _conditioned({"TableName": name, "Item": encode_row(row)}, condition, values)


def delete_action(
    name: str, pk: str, sk: str, condition: str | None = None, values: Row | None = None
) -> dict[str, Any]:
    """A delete, for ``Table.delete`` or a transaction."""
    return _conditioned({"TableName": name, "Key": _key(pk, sk)}, condition, values)


def _conditioned(action: dict[str, Any], condition: str | None, values: Row | None) -> dict[str, Any]:
    if condition:
        action["ConditionExpression"] = condition
    if values:
        action["ExpressionAttributeValues"] = encode_row(values)
    return action


#: Why a transaction was cancelled, where somebody else's write is the cause.
_CONFLICTS: Final = frozenset({"ConditionalCheckFailed", "TransactionConflict"})


def _reasons(error: ClientError) -> set[str]:
    reasons = error.response.get("CancellationReasons") or ()
    return {str(reason.get("Code")) for reason in reasons if isinstance(reason, dict)}


def _key(pk: str, sk: str) -> dict[str, Any]:
    return {table.PK: {"S": pk}, table.SK: {"S": sk}}


def _store_error(error: ClientError, name: str) -> StoreError:
    code = error.response.get("Error", {}).get("Code", "")
    match code:
        case "ConditionalCheckFailedException" | "TransactionConflictException":
            return ConditionError(Code.CONFLICT, "Somebody else changed this row at the same time.")
        case "TransactionCanceledException" if _CONFLICTS & _reasons(error):
            return ConditionError(Code.CONFLICT, "Somebody else changed this row at the same time.")
        case "ValidationException" | "SerializationException":
            return InvalidRequestError(Code.AWS_UNREACHABLE, f"DynamoDB refuses ({code}).")
        case "ResourceNotFoundException":
            return StoreError(Code.TABLE_MISSING, f"There is no table {name} here.")
        case "AccessDeniedException" | "UnrecognizedClientException" | "ExpiredTokenException":
            return StoreError(Code.ACCESS_DENIED, f"AWS does not allow this ({code}).")
        case _:
            return StoreError(Code.AWS_UNREACHABLE, f"DynamoDB refuses ({code}).")
