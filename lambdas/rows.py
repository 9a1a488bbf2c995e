"""The table as a function reads it: by ``store.wire``, or by botocore where the environment asks for more than that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from claimsmith.environment import aws_credentials, dynamodb_endpoint
from claimsmith.named_tuple import NamedTuple
from claimsmith.store import reads
from claimsmith.store.connection import Endpoint
from claimsmith.store.sigv4 import Credentials
from claimsmith.store.wire import WireTable

if TYPE_CHECKING:
    from claimsmith.store.reads import ReadableTable


class Opened(NamedTuple):
    """A table, and how it was opened.

    Attributes:
        why: why botocore reads it, for the log; None if it does not.
    """

    table: ReadableTable
    why: str | None


def open_table(name: str) -> Opened:
    """The table of this name; decided once, because this is called while the process starts.

    Raises:
        ConfigurationError: botocore is needed, and does not know where DynamoDB is either.
    """
    found = dynamodb_endpoint()
    if isinstance(found, str):
        from claimsmith.store import dynamodb  # noqa: PLC0415 - botocore takes longer to import than all the rest

        return Opened(dynamodb.Table(dynamodb.connect(dynamodb.TOKEN_PATH), name), found)
    endpoint = Endpoint(found.host, found.port, found.tls)
    return Opened(
        WireTable(name, endpoint, found.region, lambda: Credentials(*aws_credentials()), patience=reads.TOKEN_PATH),
        None,
    )
