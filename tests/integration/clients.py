"""The clients that a table may have, and some that stand between it and DynamoDB: they count, take turns, or die."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final, Literal

from botocore.config import Config

from claimsmith.store import dynamodb
from claimsmith.store.connection import Endpoint
from claimsmith.store.dynamodb import Table
from claimsmith.store.reads import Patience
from claimsmith.store.sigv4 import Credentials
from claimsmith.store.wire import WireTable
from tests.conftest import REGION, TABLE

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from claimsmith.store.reads import ReadableTable
    from tests.conftest import Client

Which = Literal["wire", "botocore"]

CLIENTS: Final[tuple[Which, ...]] = ("wire", "botocore")
INVENTED: Final = Credentials("invented", "invented", None)

#: What a slow machine never reaches.
UNHURRIED: Final = Patience(60, 60, 2)

#: The tables over ``store.wire`` that a test has made.
OPENED: Final[list[WireTable]] = []


def close_all() -> None:
    """Close their connections, at the end of a test."""
    while OPENED:
        OPENED.pop().close()


def made(which: Which, url: str, patience: Patience = UNHURRIED, trust: ssl.SSLContext | None = None) -> ReadableTable:
    if which == "wire":
        scheme, _, port = url.rpartition(":")
        endpoint = Endpoint("127.0.0.1", int(port), tls=scheme.startswith("https"))
        OPENED.append(WireTable(TABLE, endpoint, REGION, lambda: INVENTED, patience=patience, trust=trust))
        return OPENED[-1]
    waiting = Config(
        connect_timeout=patience.connect,
        read_timeout=patience.read,
        retries={"mode": "standard", "total_max_attempts": patience.attempts},
        parameter_validation=False,
    )
    return Table(dynamodb.connect(waiting, endpoint_url=url), TABLE)


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
