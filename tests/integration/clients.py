"""Clients that stand between a table and DynamoDB: they count, take turns, or die."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from claimsmith.store.dynamodb import Table

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Client

WRITES = frozenset({"put_item", "delete_item", "update_item", "transact_write_items"})


class Watched:
    """A client that calls ``before`` ahead of each operation, and performs one at a time, as DynamoDB does on a row.

    Attributes:
        operations: the names of what was performed, in order.
    """

    def __init__(self, client: Client, before: Callable[[str, dict[str, Any]], None] | None = None) -> None:
        self._client = client
        self._before = before
        self._turn = threading.Lock()
        self.operations: list[str] = []

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        def perform(**request: Any) -> Any:  # noqa: ANN401 - botocore's requests and answers have no type
            if self._before is not None:
                self._before(operation, request)
            with self._turn:
                self.operations.append(operation)
                return getattr(self._client, operation)(**request)

        return perform

    @property
    def writes(self) -> int:
        """How many writes were performed."""
        return sum(operation in WRITES for operation in self.operations)


class KilledError(BaseException):
    """The process ended here."""


def dying(client: Client, name: str, writes: int) -> Table:
    """A table whose process is killed when it is about to write once more than ``writes`` times."""
    left = [writes]

    def before(operation: str, _request: dict[str, Any]) -> None:
        if operation in WRITES:
            if not left[0]:
                raise KilledError
            left[0] -= 1

    return Table(Watched(client, before), name)
