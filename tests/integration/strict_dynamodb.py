"""What DynamoDB checks of an item and the in-memory table does not: size, levels, numbers, sets.

After ServiceQuotas.html and CapacityUnitCalculations.html of the developer guide
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide); where AWS does not say how it counts, the strictest
way. It shares nothing with the code under test.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from tests.conftest import Client

MAX_ITEM = 409_600
MAX_LEVELS = 32
MAX_DIGITS = 38
MAX_PK, MAX_SK = 2048, 1024


class StrictDynamoDB:
    """A client that only puts: into a dictionary, or into the table of another client."""

    def __init__(self, client: Client = None) -> None:
        self.items: dict[tuple[str, str], dict[str, Any]] = {}
        self._client = client

    def __getattr__(self, operation: str) -> Any:  # noqa: ANN401 - botocore's methods have no type
        return getattr(self._client, operation)

    def put_item(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401 - the same
        item = request["Item"]
        why = refusal(item)
        if why is not None:
            raise ClientError({"Error": {"Code": "ValidationException", "Message": why}}, "PutItem")
        if self._client is not None:
            answer: dict[str, Any] = self._client.put_item(**request)
            return answer
        assert request["ConditionExpression"] == "attribute_not_exists(pk)"
        key = item["pk"]["S"], item["sk"]["S"]
        if key in self.items:
            raise ClientError({"Error": {"Code": "ConditionalCheckFailedException"}}, "PutItem")
        self.items[key] = item
        return {}


def refusal(item: dict[str, Any]) -> str | None:
    """Why DynamoDB does not take an item."""
    keys = [octets(item[name]["S"]) for name in ("pk", "sk")]
    if not all(keys) or keys[0] > MAX_PK or keys[1] > MAX_SK:
        return "a key is empty or too long"
    if sum(octets(name) + size(value) for name, value in item.items()) > MAX_ITEM:
        return "Item size has exceeded the maximum allowed size"
    if max(map(levels, item.values())) > MAX_LEVELS:
        return "Nesting Levels have exceeded supported limits"
    return None if all(map(holds, item.values())) else "a value is none"


def octets(text: str) -> int:
    return len(text.encode())


def size(value: dict[str, Any]) -> int:
    [(kind, content)] = value.items()
    if kind in ("SS", "NS", "BS"):
        return sum(size({kind[0]: entry}) for entry in content)
    if kind == "L":
        return 3 + sum(1 + size(entry) for entry in content)
    if kind == "M":
        return 3 + sum(1 + octets(name) + size(entry) for name, entry in content.items())
    if kind == "N":
        sign, digits, _ = Decimal(content).as_tuple()
        return (len(digits) + 1) // 2 + 1 + sign
    return 1 if kind in ("BOOL", "NULL") else octets(content) if kind == "S" else len(content)


def levels(value: dict[str, Any]) -> int:
    [(kind, content)] = value.items()
    inner = content if kind == "L" else content.values() if kind == "M" else ()
    return 1 + max(map(levels, inner), default=0)


def holds(value: dict[str, Any]) -> bool:
    """Whether a value is one that an attribute can have."""
    [(kind, content)] = value.items()
    if kind in ("SS", "NS", "BS"):
        return 0 < len(set(content)) == len(content) and all(holds({kind[0]: entry}) for entry in content)
    if kind in ("L", "M"):
        return all(map(holds, content if kind == "L" else content.values()))
    if kind == "N":
        number = Decimal(content)
        return (
            number.is_finite()
            and len(number.normalize().as_tuple().digits) <= MAX_DIGITS
            and (not number or Decimal("1E-130") <= abs(number) < Decimal("1E126"))
        )
    return isinstance(content, {"S": str, "B": bytes, "BOOL": bool, "NULL": bool}[kind])
