"""A table over DynamoDB's own protocol, without an SDK: the reads that somebody waits for, and nothing else.

JSON in a signed ``POST /``, answered by JSON
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.LowLevelAPI.html).
"""

from __future__ import annotations

import json
import time
from binascii import a2b_base64
from os import urandom
from typing import TYPE_CHECKING, Any, Final

from claimsmith.store.connection import Connections, Endpoint, Response
from claimsmith.store.failures import garbage, refusal, silence
from claimsmith.store.reads import ReadableTable
from claimsmith.store.sigv4 import Credentials, Signer

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping

    from claimsmith.store.reads import Patience

#: What ``ReadableTable`` performs, by DynamoDB's names.
_OPERATIONS: Final = {"get_item": "GetItem", "query": "Query", "batch_get_item": "BatchGetItem"}

_OK: Final = 200

#: Worth a second attempt, as in botocore's standard mode: what passes by itself, and throttling, by status or code.
_TRANSIENT: Final = frozenset({500, 502, 503, 504})
_THROTTLED: Final = frozenset(
    {"ProvisionedThroughputExceededException", "RequestLimitExceeded", "Throttling", "ThrottlingException", "429"}
)

#: The longest pause before that, in seconds, as botocore's for DynamoDB; each is a random part of it.
_TRANSIENT_PAUSE: Final = 0.025
_THROTTLED_PAUSE: Final = 1.0


class WireTable(ReadableTable):
    """The table described in ``claimsmith.table``, to read. Thread-safe."""

    def __init__(
        self,
        name: str,
        endpoint: Endpoint,
        region: str,
        credentials: Callable[[], Credentials],
        *,
        patience: Patience,
        trust: ssl.SSLContext | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """A table at an endpoint.

        Args:
            name: the table.
            endpoint: DynamoDB's.
            region: for which requests are signed.
            credentials: called for each attempt, so that they may change.
            patience: how long to wait for each step, and how often to try.
            trust: instead of Amazon's certificate authorities.
            clock: epoch seconds.
        """
        super().__init__(name)
        self._host = endpoint.authority
        self._signer = Signer(region, "dynamodb")
        self._credentials = credentials
        self._connections = Connections(endpoint, patience, trust)
        self._attempts = patience.attempts
        self._clock = clock

    def close(self) -> None:
        """Close the connections that are kept; the next read connects again."""
        self._connections.close()

    def _call(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        name, body = _OPERATIONS[operation], json.dumps(request).encode()
        for left in reversed(range(self._attempts)):
            pause = _TRANSIENT_PAUSE
            try:
                response = self._connections.exchange(self.signed(name, body))
            except OSError as error:
                if not left:
                    raise silence(error) from error
                self.close()  # whatever befell one connection may have befallen all that were kept as long
            else:
                if response.status == _OK:
                    return _read(response.body)
                code, text = _error(response)
                if code in _THROTTLED:
                    pause = _THROTTLED_PAUSE
                if not left or (code not in _THROTTLED and response.status not in _TRANSIENT):
                    raise refusal(code, text, f"dynamodb:{name}", self.name)
            time.sleep(pause * urandom(1)[0] / 255)
        raise AssertionError

    def signed(self, operation: str, body: bytes) -> bytes:
        """A request, ready to be sent.

        Args:
            operation: by DynamoDB's name.
            body: the JSON.
        """
        credentials = self._credentials()
        token = {"x-amz-security-token": credentials.token} if credentials.token else {}
        headers = {
            "content-type": "application/x-amz-json-1.0",
            "host": self._host,
            "x-amz-date": time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self._clock())),
            **token,
            "x-amz-target": f"DynamoDB_20120810.{operation}",
        }
        authorization = self._signer.authorization(headers, body, credentials)
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        unsigned = f"authorization: {authorization}\r\ncontent-length: {len(body)}\r\nuser-agent: claimsmith\r\n"
        return f"POST / HTTP/1.1\r\n{lines}{unsigned}\r\n".encode() + body


def _read(body: bytes) -> dict[str, Any]:
    """The object in a response, with binary values as bytes."""
    try:
        read: object = json.loads(body, object_hook=_binary if b'"B' in body else None)
    except (ValueError, TypeError, RecursionError) as error:
        raise garbage(error) from error
    if not isinstance(read, dict):
        raise garbage(TypeError())
    return read


def _binary(value: dict[str, Any]) -> dict[str, Any]:
    """An attribute value with bytes for its Base64; anything else as it is."""
    match value:
        case {"B": str(text)}:
            return {"B": a2b_base64(text, strict_mode=True)}
        case {"BS": [*texts]}:
            return {"BS": [a2b_base64(text, strict_mode=True) for text in texts]}
    return value


def _error(response: Response) -> tuple[str, str]:
    """The code and the text of a response that is not 200; its status is the code if it has none."""
    try:
        read = json.loads(response.body)
        code, text = read.get("__type"), read.get("message", read.get("Message"))
    except (ValueError, AttributeError, RecursionError):
        code = text = None
    code = code if isinstance(code, str) else str(response.status)
    return code.partition(":")[0].rpartition("#")[2], str(text)
