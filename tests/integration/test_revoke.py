"""Revoking again, and from machines whose clocks are wrong: what was ended stays ended."""

from __future__ import annotations

from email.utils import formatdate
from typing import TYPE_CHECKING, Any

import pytest

from claimsmith.service.revoke import revoke
from claimsmith.store.dynamodb import Table
from tests.conftest import TABLE
from tests.policies import NOW

if TYPE_CHECKING:
    from collections.abc import Callable

    from claimsmith.service.revoke import Kind
    from tests.conftest import Client

KINDS: tuple[Kind, ...] = ("session", "token", "user", "client", "tenant")
HOUR = 3_600


class Dated:
    """A DynamoDB whose clock shows this time; None if its responses have no date."""

    def __init__(self, client: Client, date: str | None) -> None:
        self._client = client
        self._headers = {} if date is None else {"date": date}

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        def perform(**request: Any) -> dict[str, Any]:  # noqa: ANN401 - botocore's requests have no type
            answer = getattr(self._client, operation)(**request)
            return {**answer, "ResponseMetadata": {"HTTPHeaders": self._headers}}

        return perform


def at(dynamodb: Client, seconds: int) -> Table:
    """The table at that time."""
    return Table(Dated(dynamodb, formatdate(seconds, usegmt=True)), TABLE)


def row_of(rows: Table, kind: str) -> dict[str, Any]:
    row = rows.get(f"REVOKED#{kind}#x", "REVOKED")
    assert row is not None
    return row


@pytest.mark.parametrize("kind", KINDS)
def test_a_revocation_from_a_slower_clock_takes_nothing_back(dynamodb: Client, rows: Table, kind: Kind) -> None:
    revoke(at(dynamodb, NOW), kind, "x", by="first", reason="lost")
    first = row_of(rows, kind)
    revoke(at(dynamodb, NOW - HOUR), kind, "x", by="second")
    assert row_of(rows, kind) == first
    revoke(at(dynamodb, NOW + HOUR), kind, "x", by="third")
    third = row_of(rows, kind)
    assert (third["revoked_at"], third["updated_by"]) == (NOW + HOUR, "third")
    assert third["ttl"] - first["ttl"] == HOUR


@pytest.mark.parametrize("odd", ["yesterday", NOW * 1000, None, True, [1], 0, {"a": 1}, b"x"])
def test_one_that_cannot_be_read_is_replaced_by_one_that_can(dynamodb: Client, rows: Table, odd: object) -> None:
    rows.put({"pk": "REVOKED#tenant#x", "sk": "REVOKED", "revoked_at": odd})
    revoke(at(dynamodb, NOW), "tenant", "x", by="test")
    assert row_of(rows, "tenant")["revoked_at"] == NOW


@pytest.mark.parametrize("wrong", [-HOUR, HOUR])
def test_the_clock_of_the_machine_that_revokes_does_not_matter(dynamodb: Client, rows: Table, wrong: int) -> None:
    revoke(at(dynamodb, NOW), "user", "x", by="test", clock=lambda: NOW + wrong)
    assert row_of(rows, "user")["revoked_at"] == NOW


@pytest.mark.parametrize("date", [None, "", "soon"])
def test_it_counts_where_aws_does_not_say_what_time_it_is(dynamodb: Client, rows: Table, date: str | None) -> None:
    revoke(Table(Dated(dynamodb, date), TABLE), "user", "x", by="test", clock=lambda: NOW + 0.9)
    assert row_of(rows, "user")["revoked_at"] == NOW
