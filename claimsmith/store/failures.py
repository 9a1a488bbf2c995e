"""What an operation on a table fails with, whichever client performed it."""

from __future__ import annotations

from typing import Final

from claimsmith.errors import Code, StoreError


class PartitionTooLargeError(StoreError):
    """A partition has more pages than may be read."""

    def __init__(self, pages: int) -> None:
        super().__init__(Code.USER_TOO_LARGE, f"There are more than {pages} MB of rows under one key.")


class AbandonedError(StoreError):
    """The caller has stopped waiting, so the rest was not read."""

    def __init__(self) -> None:
        super().__init__(Code.DEADLINE_EXCEEDED, "The caller stopped waiting before all rows were read.")


class ConditionError(StoreError):
    """A row was not as the caller expected: somebody else has written it."""


class ThrottledError(StoreError):
    """DynamoDB has written nothing, because the table is written faster than it can be at present."""


class InvalidRequestError(StoreError):
    """DynamoDB rejects this request, however often it is sent: because a row is too large or too deep, for example."""


#: What DynamoDB says, and nothing but its texts tells, where a table has other keys or no such index.
_OTHER_KEYS: Final = ("does not match the schema", "key schema element", "Missing the key", "specified index")


def refusal(code: str, text: str, permission: str, name: str) -> StoreError:
    """The error for a request that DynamoDB refuses.

    Args:
        code: DynamoDB's code, or the HTTP status.
        text: DynamoDB's message.
        permission: the IAM action that the operation needs.
        name: the table.
    """
    match code:
        case "ValidationException" | "SerializationException":
            if any(known in text for known in _OTHER_KEYS):
                return InvalidRequestError(
                    Code.TABLE_KEYS, f"Table {name} does not have the keys of Claimsmith's table."
                )
            return InvalidRequestError(Code.AWS_UNREACHABLE, f"DynamoDB refuses the request ({code}).")
        case "ResourceNotFoundException":
            return StoreError(
                Code.TABLE_MISSING, f"There is no table {name} here. Check its name, the region and the account."
            )
        case "AccessDeniedException" | "UnrecognizedClientException" | "ExpiredTokenException":
            denied = permission if code == "AccessDeniedException" else f"access ({code})"
            return StoreError(Code.ACCESS_DENIED, f"AWS denies {denied} on table {name}.")
    return StoreError(Code.AWS_UNREACHABLE, f"DynamoDB refuses the request ({code}).")


def silence(error: Exception) -> StoreError:
    """The error for a DynamoDB that does not respond."""
    return StoreError(
        Code.AWS_UNREACHABLE,
        f"DynamoDB does not respond ({type(error).__name__}). Check the region, the endpoint and the network.",
    )


def garbage(error: Exception) -> StoreError:
    """The error for a response that cannot be read."""
    message = f"The response cannot be read ({type(error).__name__}). Check that the endpoint is DynamoDB's."
    return StoreError(Code.AWS_UNREACHABLE, message)
