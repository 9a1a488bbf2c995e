"""The draft's partition: however many rows it has, publishing reads so much of it and no more, and says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from claimsmith.engine.bounds import DRAFT_PAGES, PUBLISHED
from claimsmith.errors import Code
from claimsmith.policy import from_rows
from claimsmith.service.publish import Outcome, Result, apply, publish
from claimsmith.store import drafts
from claimsmith.store.attributes import encode_row
from claimsmith.store.dynamodb import Table
from tests.conftest import TABLE
from tests.counting import calls
from tests.integration.memory_dynamodb import MemoryDynamoDB
from tests.policies import policy_rows

if TYPE_CHECKING:
    from tests.conftest import Client

POLICY = from_rows(policy_rows(roles={"viewer": {}}))


class Endless:
    """A DynamoDB in which the draft never ends; everything else is as it is.

    Attributes:
        queries: requests for the draft.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self.queries = 0

    def __getattr__(self, operation: str) -> Any:  # noqa: ANN401 - botocore's methods have no type
        return getattr(self._client, operation)

    def query(self, **request: Any) -> Any:  # noqa: ANN401 - botocore's requests and answers have no type
        if request["ExpressionAttributeValues"][":pk"]["S"] != "POLICY":
            return self._client.query(**request)
        self.queries += 1
        row = encode_row({"pk": "POLICY", "sk": f"GROUP#{self.queries:05d}"})
        return {"Items": [row], "LastEvaluatedKey": row}


def test_a_draft_without_end_is_refused_after_so_many_pages_and_the_last_good_policy_stays() -> None:
    client = MemoryDynamoDB()
    rows = Table(client, TABLE)
    good = apply(rows, POLICY, by="test")
    endless = Endless(client)
    outcome = publish(Table(endless, TABLE), by="publisher")
    assert (outcome.result, outcome.version) == (Result.REFUSED, good.version)
    assert endless.queries == DRAFT_PAGES
    stored = drafts.problems(rows)
    assert stored is not None
    [problem] = stored["findings"]
    assert (problem["code"], problem["row"]) == (Code.POLICY_TOO_LARGE, "POLICY SETTINGS")
    assert f"{DRAFT_PAGES} MB" in problem["message"]


def test_it_is_mended_by_applying_a_policy_and_by_taking_rows_away() -> None:
    client = MemoryDynamoDB()
    rows = Table(client, TABLE)
    apply(rows, POLICY, by="test")
    publish(Table(Endless(client), TABLE), by="publisher")
    assert publish(rows, by="publisher").result is Result.UNCHANGED
    assert drafts.problems(rows) is None


def test_a_draft_that_keeps_growing_while_it_is_checked_is_reported_too() -> None:
    client = MemoryDynamoDB()
    rows = Table(client, TABLE)
    good = apply(rows, POLICY, by="test")

    class Grows(Endless):
        def query(self, **request: Any) -> Any:  # noqa: ANN401 - botocore's requests and answers have no type
            first = request["ExpressionAttributeValues"][":pk"]["S"] == "POLICY" and not self.queries
            self.queries += first
            return self._client.query(**request) if first else super().query(**request)

    outcome = publish(Table(Grows(client), TABLE), by="publisher")
    assert (outcome.result, outcome.version) == (Result.REFUSED, good.version)
    assert drafts.problems(rows) is not None


def large() -> list[dict[str, Any]]:
    return policy_rows(roles={f"r{at}": {"claims": {"x": [1] * 5_000}} for at in range(40)})


def test_a_draft_that_is_too_large_is_refused_before_it_is_compared_with_anything() -> None:
    """All that is done with it is to weigh it: a digest alone would take longer than the publisher has."""
    client = MemoryDynamoDB()
    rows = Table(client, TABLE)
    apply(rows, POLICY, by="test")
    for row in large():
        rows.put(row)
    reads = calls(lambda: drafts.policy_rows(rows))
    outcomes: list[Outcome] = []
    assert calls(lambda: outcomes.append(publish(rows, by="publisher"))) < reads + 8 * PUBLISHED.values
    [outcome] = outcomes
    assert (outcome.result, [finding.code for finding in outcome.findings]) == (Result.REFUSED, [Code.POLICY_TOO_LARGE])


def test_half_of_what_somebody_applies_may_be_too_large() -> None:
    client = MemoryDynamoDB()
    rows = Table(client, TABLE)
    apply(rows, POLICY, by="test")
    for row in large():
        rows.put(row)
    drafts.acquire(rows, drafts.Lease("of another draft", "somebody", 0), force=False)
    assert publish(rows, by="publisher").result is Result.WAITING
    assert drafts.problems(rows) is None
