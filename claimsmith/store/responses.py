"""Validates DynamoDB's responses: one that lacks something, or has something that was not requested, is invalid.

Something other than DynamoDB may respond: a proxy, the captive portal of a guest network, an outdated emulator.
An empty object from there must not be read as "no such row", because a missing row may mean "not revoked".

The shapes are those of the API reference (https://docs.aws.amazon.com/amazondynamodb/latest/APIReference). Every
function raises ``StoreError`` for a response of another shape, and never repeats its contents.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from claimsmith import table
from claimsmith.errors import Code, StoreError
from claimsmith.named_tuple import NamedTuple
from claimsmith.store.attributes import decode_row

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    Key = tuple[str, str]

M = TypeVar("M")


class Page(NamedTuple):
    """A page of a query.

    Attributes:
        next: the key at which the next page starts (``ExclusiveStartKey``); None on the last one.
    """

    rows: list[dict[str, Any]]
    next: dict[str, Any] | None


class Batch(NamedTuple):
    """A part of the response to a batch of keys.

    Attributes:
        unprocessed: keys that must be requested again.
    """

    rows: list[dict[str, Any]]
    unprocessed: list[Key]


def row(response: Mapping[str, Any], key: Key) -> dict[str, Any] | None:
    """The row in a response to GetItem; None if there is no such row.

    DynamoDB's response for a missing row is an empty object, which anything else could send, too. So the request
    asks for ``ReturnConsumedCapacity``: only a response with the consumed capacity is DynamoDB's.
    """
    if "Item" not in response:
        _member(response, "ConsumedCapacity", dict)
        return None
    [found] = _rows([response["Item"]])
    if _key(found) != key:
        raise _invalid("has a row that was not requested")
    return found


def page(
    response: Mapping[str, Any], requested: Mapping[str, str], sk_prefix: str = "", pk_prefixes: tuple[str, ...] = ("",)
) -> Page:
    """A page in a response to Query or Scan.

    Args:
        response: the response.
        requested: the key attributes that every row must have.
        sk_prefix: the prefix that every row's sort key must have.
        pk_prefixes: one of these must be the prefix of every row's partition key.
    """
    rows = _rows(_member(response, "Items", list))
    for found in rows:
        matches = found[table.PK].startswith(pk_prefixes) and found[table.SK].startswith(sk_prefix)
        if not matches or any(found[name] != value for name, value in requested.items()):
            raise _invalid("has a row that was not requested")
    if "LastEvaluatedKey" not in response:
        return Page(rows, None)
    last: dict[str, Any] = _member(response, "LastEvaluatedKey", dict)
    [read] = _rows([last])
    if len(read) != len(table.KEY_SCHEMA) or any(read[name] != value for name, value in requested.items()):
        raise _invalid("continues at a row that was not requested")
    return Page(rows, last)


class ExactPage(NamedTuple):
    """As ``Page``, with rows as DynamoDB has them; likewise ``ExactBatch``."""

    rows: list[Mapping[str, Any]]
    next: dict[str, Any] | None


class ExactBatch(NamedTuple):
    """As ``Batch``, with rows as DynamoDB has them."""

    rows: list[Mapping[str, Any]]
    unprocessed: list[Key]


def exact_page(response: Mapping[str, Any], pk: str | None) -> ExactPage:
    """As ``page``, with rows as DynamoDB has them.

    Args:
        response: the response.
        pk: the partition key that every row must have; None for any.
    """
    checked = page(response, {} if pk is None else {table.PK: pk})
    return ExactPage(response["Items"], checked.next)


def exact_batch(response: Mapping[str, Any], name: str, requested: Collection[Key]) -> ExactBatch:
    """As ``batch``, with rows as DynamoDB has them."""
    checked = batch(response, name, requested)
    return ExactBatch(response["Responses"].get(name, []), checked.unprocessed)


def batch(response: Mapping[str, Any], name: str, requested: Collection[Key]) -> Batch:
    """The rows in a response to BatchGetItem, and the keys it did not process.

    A key without a row is missing from the response; the table itself must be there, if only with an empty list.
    """
    responses = _member(response, "Responses", dict)
    unprocessed = _unprocessed(response, name)
    if name not in responses and len(unprocessed) != len(requested):
        raise _invalid("lacks the table")
    rows = _rows(_member(responses, name, list)) if name in responses else []
    keys = [*map(_key, rows), *unprocessed]
    if len(set(keys)) != len(keys) or not set(keys) <= set(requested) or responses.keys() - {name}:
        raise _invalid("has a row that was not requested")
    return Batch(rows, unprocessed)


def _unprocessed(response: Mapping[str, Any], name: str) -> list[Key]:
    tables = _member(response, "UnprocessedKeys", dict) if "UnprocessedKeys" in response else {}
    if tables.keys() - {name}:
        raise _invalid("names a table that was not requested")
    return [_key(key) for key in _rows(_member(_member(tables, name, dict), "Keys", list))] if tables else []


def _rows(items: list[Any]) -> list[dict[str, Any]]:
    """Rows, each with its two keys."""
    try:
        rows = [decode_row(item) for item in items]
    except (AttributeError, TypeError, ValueError, RecursionError):
        raise _invalid("has something that is not a row") from None
    if not all(isinstance(found.get(name), str) for found in rows for name in (table.PK, table.SK)):
        raise _invalid("has a row without its key")
    return rows


def _key(found: Mapping[str, Any]) -> Key:
    return found[table.PK], found[table.SK]


def _member(response: Mapping[str, Any], name: str, kind: type[M]) -> M:
    """A member that DynamoDB always sends here; without it, the response came from something else."""
    value = response.get(name)
    if not isinstance(value, kind):
        raise _invalid(f"has no {name}")
    return value


def _invalid(why: str) -> StoreError:
    return StoreError(
        Code.AWS_UNREACHABLE,
        f"The response {why}, so it is not DynamoDB's. Check the endpoint, and proxies on the way.",
    )
