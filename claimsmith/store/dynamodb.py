"""A DynamoDB table as plain rows: the few operations that everything else uses."""

from __future__ import annotations

import time
from datetime import datetime
from email.utils import parsedate_to_datetime
from itertools import count
from typing import TYPE_CHECKING, Any, Final

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from claimsmith import table
from claimsmith.errors import Code, ConfigurationError, StoreError
from claimsmith.store import reads, responses
from claimsmith.store.attributes import encode, encode_row
from claimsmith.store.failures import (
    ConditionError,
    InvalidRequestError,
    ThrottledError,
    garbage,
    refusal,
    silence,
)
from claimsmith.store.reads import BATCH_ATTEMPTS, BATCH_PAUSE, ReadableTable, key_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    Row = Mapping[str, Any]
    Key = tuple[str, str]

#: For what somebody waits for.
TOKEN_PATH: Final = Config(
    connect_timeout=reads.TOKEN_PATH.connect,
    read_timeout=reads.TOKEN_PATH.read,
    retries={"mode": "standard", "total_max_attempts": reads.TOKEN_PATH.attempts},
    parameter_validation=False,
)

#: For functions that work through a stream, which delivers again what they leave undone: their calls end well before
#: their time does. The longest call takes ``BACKGROUND_SECONDS``: every attempt, and the pauses while it is throttled.
BACKGROUND: Final = Config(connect_timeout=2.0, read_timeout=4.0, retries={"mode": "standard", "total_max_attempts": 3})
BACKGROUND_SECONDS: Final = 3 * (2 + 4) + (1 + 2)

#: For interactive commands.
PATIENT: Final = Config(connect_timeout=5.0, read_timeout=20.0, retries={"mode": "standard", "total_max_attempts": 4})

#: Actions in one TransactWriteItems.
TRANSACTION: Final = 100


def connect(config: Config, *, endpoint_url: str | None = None, region: str | None = None) -> Any:  # noqa: ANN401 - botocore clients have no type
    """A DynamoDB client; endpoint and region default to the AWS environment variables.

    Raises:
        ConfigurationError: there is no region, or region or endpoint are not well-formed.
    """
    session = botocore.session.get_session()
    try:
        return session.create_client("dynamodb", region_name=region, endpoint_url=endpoint_url, config=config)
    except (BotoCoreError, ValueError) as error:
        message = f"DynamoDB cannot be reached like this: {error} Check the region and the endpoint."
        raise ConfigurationError(message) from error


class Table(ReadableTable):
    """The table described in ``claimsmith.table``, over a client of botocore's: to read, to write, and to search.

    Every method raises ``StoreError`` if DynamoDB is unavailable or refuses the request.
    """

    def __init__(self, client: Any, name: str) -> None:  # noqa: ANN401 - botocore clients have no type
        super().__init__(name)
        self._client = client

    def close(self) -> None:
        """Close the connections that are kept; the next request connects again."""
        self._client.close()

    def keys_by_sk(self, sk: str, *, pk_prefix: str = "") -> Iterator[tuple[str, str]]:
        """The keys of all rows with this sort key, by partition key, from the index, which must never decide access.

        They are read page by page. A row that was written a moment ago may be missing.
        """
        request: dict[str, Any] = {
            "TableName": self.name,
            "IndexName": table.BY_SK,
            "KeyConditionExpression": "sk = :sk",
            "ExpressionAttributeValues": {":sk": {"S": sk}},
        }
        if pk_prefix:
            request["KeyConditionExpression"] += " AND begins_with(pk, :pk)"
            request["ExpressionAttributeValues"][":pk"] = {"S": pk_prefix}
        while True:
            page = responses.page(self._call("query", request), {table.SK: sk})
            for row in page.rows:
                yield row[table.PK], row[table.SK]
            if page.next is None:
                return
            request["ExclusiveStartKey"] = page.next

    def scan(self, *pk_prefixes: str, after: Key | None = None) -> Iterator[list[dict[str, Any]]]:
        """All rows whose partition key has one of these prefixes, page by page.

        A request reads at most 1 MB (API reference, Scan).
        DynamoDB returns the rows of a partition one after another, by sort key. What is written meanwhile may or may
        not be among the rows.

        Args:
            pk_prefixes: the prefixes.
            after: the key of a row: start after it, as the same scan would have gone on.
        """
        request: dict[str, Any] = {
            "TableName": self.name,
            "FilterExpression": " OR ".join(f"begins_with(pk, :pk{at})" for at in range(len(pk_prefixes))),
            "ExpressionAttributeValues": {f":pk{at}": {"S": prefix} for at, prefix in enumerate(pk_prefixes)},
        }
        if after is not None:
            request["ExclusiveStartKey"] = key_of(*after)
        while True:
            page = responses.page(self._call("scan", request), {}, pk_prefixes=pk_prefixes)
            yield page.rows
            if page.next is None:
                return
            request["ExclusiveStartKey"] = page.next

    def range(
        self, low: str, high: str, *, pk: str | None = None, descending: bool = False
    ) -> Iterator[list[dict[str, Any]]]:
        """The rows whose sort key is in a range, page by page.

        Args:
            low: the lowest sort key.
            high: the highest sort key.
            pk: of this partition, by sort key and read consistently; None for those of the whole table, which is
                scanned, partition by partition.
            descending: return the last sort keys first; only with ``pk``.
        """
        values = {":low": {"S": low}, ":high": {"S": high}}
        request: dict[str, Any] = {"TableName": self.name, "ExpressionAttributeValues": values}
        if pk is None:
            request["FilterExpression"] = "sk BETWEEN :low AND :high"
        else:
            request["KeyConditionExpression"] = "pk = :pk AND sk BETWEEN :low AND :high"
            values[":pk"] = {"S": pk}
            request |= {"ConsistentRead": True, "ScanIndexForward": not descending}
        while True:
            response = self._call("scan" if pk is None else "query", request)
            page = responses.page(response, {} if pk is None else {table.PK: pk})
            yield page.rows
            if page.next is None:
                return
            request["ExclusiveStartKey"] = page.next

    def server_time(self, pk: str, sk: str) -> float | None:
        """Epoch seconds on the clock of the server that returns a row; None if its response has no date."""
        response = self._call("get_item", {"TableName": self.name, "Key": key_of(pk, sk)})
        date = response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
        try:
            return parsedate_to_datetime(date).timestamp()
        except (TypeError, ValueError):
            return None

    def created_at(self) -> int:
        """When the table was made; epoch seconds."""
        response = self._call("describe_table", {"TableName": self.name})
        made = response.get("Table", {}).get("CreationDateTime")
        if not isinstance(made, datetime):
            raise StoreError(Code.AWS_UNREACHABLE, "The response has no time. Check that the endpoint is DynamoDB's.")
        return int(made.timestamp())

    def put(self, row: Row, *, condition: str | None = None, values: Mapping[str, Any] | None = None) -> None:
        """Write a whole row.

        Raises:
            ConditionError: the condition is not met.
        """
        self._call("put_item", put_action(self.name, row, condition, values))

    def delete(
        self,
        pk: str,
        sk: str,
        *,
        condition: str | None = None,
        values: Row | None = None,
        names: Mapping[str, str] | None = None,
    ) -> None:
        """Delete a row; deleting a missing row is not an error.

        Args:
            pk: the partition key.
            sk: the sort key.
            condition: what must hold.
            values: the values in it.
            names: the attributes in it that have a placeholder, because their name is a reserved word.

        Raises:
            ConditionError: the condition is not met.
        """
        action = delete_action(self.name, pk, sk, condition, values)
        self._call("delete_item", {**action, "ExpressionAttributeNames": names} if names else action)

    def update(
        self,
        pk: str,
        sk: str,
        assign: Row,
        *,
        remove: Collection[str] = (),
        expected: Row | None = None,
    ) -> None:
        """Set and remove attributes of a row, or create it; its other attributes stay.

        Args:
            pk: the partition key.
            sk: the sort key.
            assign: the attributes to set.
            remove: the attributes to remove.
            expected: the present values of attributes; None for an attribute that must not exist.

        Raises:
            ConditionError: an attribute has another value than expected.
        """
        self._call("update_item", update_action(self.name, pk, sk, assign, remove, expected))

    def transact(self, actions: Sequence[Mapping[str, Any]]) -> None:
        """Write up to ``TRANSACTION`` rows, all or none.

        Args:
            actions: from ``put_action``, ``delete_action`` and ``update_action``.

        Raises:
            ConditionError: the condition of one of them does not hold.
        """
        wrapped = [
            {"Put" if "Item" in action else "Update" if "UpdateExpression" in action else "Delete": action}
            for action in actions
        ]
        for attempt in count(1):
            try:
                self._call("transact_write_items", {"TransactItems": wrapped})
            except ThrottledError:
                if attempt == BATCH_ATTEMPTS:
                    raise
                time.sleep(BATCH_PAUSE * 2**attempt)
            else:
                return

    def _call(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        try:
            response: dict[str, Any] = getattr(self._client, operation)(**request)
        except ClientError as error:
            raise _store_error(error, self.name) from error
        except ParamValidationError as error:
            raise InvalidRequestError(Code.AWS_UNREACHABLE, "The request is not a valid DynamoDB request.") from error
        except BotoCoreError as error:
            raise silence(error) from error
        except Exception as error:  # botocore's parsers raise anything for a malformed response
            raise garbage(error) from error
        return response


def put_action(name: str, row: Row, condition: str | None = None, values: Row | None = None) -> dict[str, Any]:
    """A put, for ``Table.put`` or a transaction."""
    return _conditioned({"TableName": name, "Item": encode_row(row)}, condition, values)


def delete_action(
    name: str, pk: str, sk: str, condition: str | None = None, values: Row | None = None
) -> dict[str, Any]:
    """A delete, for ``Table.delete`` or a transaction."""
    return _conditioned({"TableName": name, "Key": key_of(pk, sk)}, condition, values)


def update_action(
    name: str, pk: str, sk: str, assign: Row, remove: Collection[str] = (), expected: Row | None = None
) -> dict[str, Any]:
    """An update, for ``Table.update``, which has the arguments, or a transaction."""
    expected = expected or {}
    aliases = {attribute: f"#{index}" for index, attribute in enumerate([*assign, *remove, *expected])}
    values = {f":new{index}": encode(value) for index, value in enumerate(assign.values())}
    conditions: list[str] = []
    for index, (attribute, value) in enumerate(expected.items()):
        if value is None:
            conditions.append(f"attribute_not_exists({aliases[attribute]})")
        else:
            conditions.append(f"{aliases[attribute]} = :old{index}")
            values[f":old{index}"] = encode(value)
    expression = "SET " + ", ".join(f"{aliases[attribute]} = :new{index}" for index, attribute in enumerate(assign))
    if remove:
        expression += " REMOVE " + ", ".join(aliases[attribute] for attribute in remove)
    action: dict[str, Any] = {
        "TableName": name,
        "Key": key_of(pk, sk),
        "UpdateExpression": expression,
        "ExpressionAttributeNames": {alias: attribute for attribute, alias in aliases.items()},
        "ExpressionAttributeValues": values,
    }
    if conditions:
        action["ConditionExpression"] = " AND ".join(conditions)
    return action


def _conditioned(action: dict[str, Any], condition: str | None, values: Row | None) -> dict[str, Any]:
    if condition:
        action["ConditionExpression"] = condition
    if values:
        action["ExpressionAttributeValues"] = encode_row(values)
    return action


#: The reasons for a cancelled transaction that mean that somebody else wrote a row.
_CONFLICTS: Final = frozenset({"ConditionalCheckFailed", "TransactionConflict"})

#: Those that mean that the same transaction succeeds later. botocore sends one again only if it was refused as a whole.
_THROTTLED: Final = frozenset({"ThrottlingError", "ProvisionedThroughputExceeded"})


def _reasons(error: ClientError) -> set[str]:
    reasons = error.response.get("CancellationReasons") or ()
    return {str(reason.get("Code")) for reason in reasons if isinstance(reason, dict)}


def _permissions(operation: str) -> str:
    """The IAM actions that an operation needs; a transaction has none of its own."""
    if operation == "TransactWriteItems":
        return "dynamodb:PutItem, dynamodb:UpdateItem or dynamodb:DeleteItem"
    return f"dynamodb:{operation}"


def _store_error(error: ClientError, name: str) -> StoreError:
    code = error.response.get("Error", {}).get("Code", "")
    reasons = _reasons(error) if code == "TransactionCanceledException" else set()
    if code in ("ConditionalCheckFailedException", "TransactionConflictException") or _CONFLICTS & reasons:
        return ConditionError(Code.CONFLICT, "Somebody else changed this row at the same time. Try again.")
    if _THROTTLED & reasons:
        return ThrottledError(Code.AWS_UNREACHABLE, "The table is written too fast. Try again later.")
    return refusal(code, str(error), _permissions(error.operation_name), name)
