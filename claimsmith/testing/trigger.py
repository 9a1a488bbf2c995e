"""Calls the trigger as Lambda and Cognito do: once, through JSON, and for five seconds at most.

The JSON is the Python runtime's own: a ``Decimal`` is a number, a set or bytes cannot be sent.
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from claimsmith.testing.errors import (
    InvalidLambdaResponseException,
    UnexpectedLambdaException,
    UserLambdaValidationException,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    #: A Lambda function: event and context to answer.
    Handler: TypeAlias = Callable[[dict[str, Any], Any], object]

_PREFIX: Final = "PreTokenGeneration"


@dataclass(frozen=True)
class Context:
    """The context of a handler, with the names of Lambda's Python runtime."""

    deadline: float
    function_name: str = "pre-token-generation"
    function_version: str = "$LATEST"
    invoked_function_arn: str = "arn:aws:lambda:eu-central-1:111122223333:function:pre-token-generation"
    memory_limit_in_mb: str = "256"
    log_group_name: str = "/aws/lambda/pre-token-generation"
    log_stream_name: str = "local"
    aws_request_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Cognito gives up."""
        return max(0, int((self.deadline - time.monotonic()) * 1000))


def call(handler: Handler, event: dict[str, Any], seconds: float) -> Any:  # noqa: ANN401 - a JSON value
    """Call the handler and return its answer.

    Cognito may retry after a temporary failure; AWS documents no number of attempts, and the kit does not retry.

    Args:
        handler: the trigger.
        event: the event; the handler gets a copy.
        seconds: how long to wait. A handler that takes longer keeps running in its thread.

    Raises:
        InvalidLambdaResponseException: the answer is not JSON.
        UnexpectedLambdaException: there is no answer in time, or the handler ended its process.
        UserLambdaValidationException: the handler raised.
    """
    received = json.loads(json.dumps(event))
    context = Context(time.monotonic() + seconds)
    answers: list[object] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            answers.append(handler(received, context))
        except BaseException as error:  # noqa: BLE001 - handled below, in the caller's thread
            errors.append(error)

    thread = threading.Thread(target=run, name=_PREFIX, daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise _reported(errors[0]) from errors[0]
    if not answers:
        raise UnexpectedLambdaException(
            f"{_PREFIX} invocation failed due to error Socket timeout while invoking Lambda function."
        )
    return _sent(answers[0])


def _reported(error: BaseException) -> BaseException:
    """The error as Cognito's caller sees it; exceptions that are not the handler's, as pytest's, stay unchanged."""
    if isinstance(error, Exception):
        return UserLambdaValidationException(f"{_PREFIX} failed with error {error}.")
    if isinstance(error, SystemExit):
        return UnexpectedLambdaException(f"{_PREFIX} invocation failed due to error Runtime exited.")
    return error


def _sent(answer: object) -> Any:  # noqa: ANN401 - a JSON value
    try:
        return json.loads(json.dumps(answer, default=_decimal), parse_constant=_no_number)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidLambdaResponseException("Invalid lambda function output : Invalid JSON") from error


def _decimal(value: object) -> int | float:
    if not isinstance(value, Decimal):
        raise TypeError(f"{type(value).__name__} is not JSON")
    whole = value.is_finite() and value == value.to_integral_value()
    return int(value) if whole else float(value)


def _no_number(constant: str) -> float:
    """Refuse NaN and the infinities, which Python writes but JSON does not have."""
    raise ValueError(f"{constant} is not JSON")
