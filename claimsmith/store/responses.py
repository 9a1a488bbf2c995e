"""DynamoDB's answers, checked for being ones: what is missing, or was not asked for, is no answer.

Something else may answer in DynamoDB's place: a proxy, a gateway of a guest network, an emulator of another version. An
empty object from there must not read as "no such row", for a row that is not there may mean "not revoked".

Shapes are those of the API reference (https://docs.aws.amazon.com/amazondynamodb/latest/APIReference). Every function
raises ``StoreError`` where an answer has another one; what it holds is never repeated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from claimsmith import table
from claimsmith.errors import Code, StoreError
from claimsmith.store.attributes import decode_row

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    Key = tuple[str, str]

M = TypeVar("M")


class Page(NamedTuple):
    """A page of a query.

    Attributes:
        next: where the next page starts (``ExclusiveStartKey``); None on the last one.
    """

    rows: list[dict[str, Any]]
    next: dict[str, Any] | None


class Batch(NamedTuple):
    """A part of the answer to many keys.

    Attributes:
        unprocessed: keys that must be asked for again.
    """

    rows: list[dict[str, Any]]
    unprocessed: list[Key]


def row(answer: Mapping[str, Any], key: Key) -> dict[str, Any] | None:
    """The row in an answer to GetItem; None where it says that there is none.

    The answer for a row that is not there is an empty object, like that of somebody else. So the request asks for
    ``ReturnConsumedCapacity``, and what the request has consumed is what such an answer is known by.
    """
    if "Item" not in answer:
        _member(answer, "ConsumedCapacity", dict)
        return None
    [found] = _rows([answer["Item"]])
    if _key(found) != key:
        raise _no_answer("has another row than was asked for")
    return found


def page(answer: Mapping[str, Any], asked: Mapping[str, str], sk_prefix: str = "") -> Page:
    """A page of an answer to Query.

    Args:
        answer: the answer.
        asked: the key attributes that every row must have.
        sk_prefix: how every row's sort key must begin.
    """
    rows = _rows(_member(answer, "Items", list))
    for found in rows:
        if any(found[name] != value for name, value in asked.items()) or not found[table.SK].startswith(sk_prefix):
            raise _no_answer("has a row that was not asked for")
    if "LastEvaluatedKey" not in answer:
        return Page(rows, None)
    last: dict[str, Any] = _member(answer, "LastEvaluatedKey", dict)
    [read] = _rows([last])
    if len(read) != len(table.KEY_SCHEMA) or any(read[name] != value for name, value in asked.items()):
        raise _no_answer("goes on at a row that was not asked for")
    return Page(rows, last)


def batch(answer: Mapping[str, Any], name: str, asked: Collection[Key]) -> Batch:
    """A part of an answer to BatchGetItem: each key of the table is answered, or named as not processed.

    A key of which there is no row is answered by the others' rows, if only by an empty list of them.
    """
    responses = _member(answer, "Responses", dict)
    unprocessed = _unprocessed(answer, name)
    if name not in responses and len(unprocessed) != len(asked):
        raise _no_answer("leaves out the table")
    rows = _rows(_member(responses, name, list)) if name in responses else []
    told = [*map(_key, rows), *unprocessed]
    if len(set(told)) != len(told) or not set(told) <= set(asked) or responses.keys() - {name}:
        raise _no_answer("has a row that was not asked for")
    return Batch(rows, unprocessed)


def _unprocessed(answer: Mapping[str, Any], name: str) -> list[Key]:
    tables = _member(answer, "UnprocessedKeys", dict) if "UnprocessedKeys" in answer else {}
    if tables.keys() - {name}:
        raise _no_answer("names a table that was not asked for")
    return [_key(key) for key in _rows(_member(_member(tables, name, dict), "Keys", list))] if tables else []


def _rows(items: list[Any]) -> list[dict[str, Any]]:
    """Rows, each with its two keys."""
    try:
        rows = [decode_row(item) for item in items]
    except (AttributeError, TypeError, ValueError, RecursionError):
        raise _no_answer("has something that is no row") from None
    if not all(isinstance(found.get(name), str) for found in rows for name in (table.PK, table.SK)):
        raise _no_answer("has a row without its key")
    return rows


def _key(found: Mapping[str, Any]) -> Key:
    return found[table.PK], found[table.SK]


def _member(answer: Mapping[str, Any], name: str, kind: type[M]) -> M:
    """A member that DynamoDB always sends here; without it the answer came from something else."""
    value = answer.get(name)
    if not isinstance(value, kind):
        raise _no_answer(f"has no {name}")
    return value


def _no_answer(why: str) -> StoreError:
    return StoreError(Code.AWS_UNREACHABLE, f"DynamoDB's answer {why}; something else answers in its place.")
