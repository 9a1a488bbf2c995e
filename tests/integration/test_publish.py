"""From the draft to the bundle in force: accepted, refused, on hold, raced, and killed at every write."""

from __future__ import annotations

import json
import random
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claimsmith.engine.codec import encode
from claimsmith.errors import Code, OperationError, PolicyError, StoreError
from claimsmith.policy import Draft, from_rows
from claimsmith.service.publish import Outcome, Result, apply, publish
from claimsmith.store import bundles, drafts
from claimsmith.store.dynamodb import Table
from claimsmith.table import version_sk
from tests.conftest import TABLE
from tests.integration.clients import KilledError, Watched, dying
from tests.integration.memory_dynamodb import MemoryDynamoDB, holding
from tests.policies import NOW, policy_rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from claimsmith.engine.bundle import Bundle
    from tests.conftest import Client


@pytest.fixture
def dynamodb() -> MemoryDynamoDB:
    """These tests send many requests. ``test_publish_processes`` compares its answers to these with moto's."""
    return MemoryDynamoDB()


def clock() -> float:
    return float(NOW)


def draft(**roles: dict[str, Any]) -> Draft:
    return from_rows(policy_rows(roles=roles))


def save(rows: Table, *policy: dict[str, Any]) -> None:
    """What an admin does in the console."""
    for row in policy:
        rows.put(row)


def published(rows: Table, by: str = "test") -> Outcome:
    return publish(rows, by=by, clock=clock)


def in_force(rows: Table) -> Bundle:
    pointer = bundles.pointer(rows)
    assert pointer is not None
    return bundles.load(rows, pointer.version, pointer.digest)


def versions(rows: Table) -> list[str]:
    return [row["sk"] for row in rows.query("BUNDLE", sk_prefix="V#")]


READ = {"scopes": ["orders/read"]}
WRITE = {"scopes": ["orders/write"]}
FIRST = draft(viewer=READ)
SECOND = draft(viewer=READ, editor=WRITE)


# Green, red, unchanged.


def test_a_green_draft_becomes_the_first_version_and_is_in_force(rows: Table) -> None:
    save(rows, *FIRST.rows())
    assert published(rows) == Outcome(Result.PUBLISHED, 1)
    assert in_force(rows).roles["viewer"].scopes == ("orders/read",)
    row = rows.get("BUNDLE", version_sk(1))
    assert row is not None
    assert (row["created_by"], row["created_at"]) == ("test", NOW)


def test_the_same_policy_is_not_published_twice_for_a_different_updated_by(rows: Table) -> None:
    save(rows, *FIRST.rows())
    published(rows)
    save(rows, {"pk": "POLICY", "sk": "ROLE#viewer", **READ, "updated_by": "someone", "description": "reads"})
    assert published(rows) == Outcome(Result.UNCHANGED, 1)
    assert versions(rows) == [version_sk(1)]


def test_a_red_draft_leaves_the_last_bundle_in_force_and_reports_its_problems(rows: Table) -> None:
    save(rows, *FIRST.rows())
    published(rows)
    save(rows, {"pk": "POLICY", "sk": "ROLE#broken", "scope": ["typo"]})
    outcome = published(rows)
    assert (outcome.result, outcome.version) == (Result.REFUSED, 1)
    assert [finding.code for finding in outcome.findings] == [Code.UNKNOWN_ATTRIBUTE]
    assert set(in_force(rows).roles) == {"viewer"}
    recorded = drafts.problems(rows)
    assert recorded is not None
    assert [(found["code"], found["row"], found["attribute"]) for found in recorded["findings"]] == [
        ("CS1002", "POLICY ROLE#broken", "scope")
    ]
    assert recorded["at"] == NOW


def test_a_repaired_draft_is_published_and_its_problems_are_gone(rows: Table) -> None:
    save(rows, *FIRST.rows(), {"pk": "POLICY", "sk": "ROLE#broken", "scope": ["typo"]})
    assert published(rows).result is Result.REFUSED
    assert bundles.pointer(rows) is None
    rows.delete("POLICY", "ROLE#broken")
    assert published(rows) == Outcome(Result.PUBLISHED, 1)
    assert drafts.problems(rows) is None


def test_problems_are_gone_even_if_the_repair_only_goes_back(rows: Table) -> None:
    save(rows, *FIRST.rows())
    published(rows)
    save(rows, {"pk": "POLICY", "sk": "ROLE#broken", "scope": ["typo"]})
    published(rows)
    rows.delete("POLICY", "ROLE#broken")
    assert published(rows) == Outcome(Result.UNCHANGED, 1)
    assert drafts.problems(rows) is None


def test_many_findings_fit_their_row(rows: Table) -> None:
    save(rows, *policy_rows(roles={f"r{number}": {"oops": "x" * 300} for number in range(150)}))
    assert len(published(rows).findings) == 150
    recorded = drafts.problems(rows)
    assert recorded is not None
    assert len(recorded["findings"]) == 100


def test_the_row_of_problems_counts_the_findings_that_it_leaves_out(rows: Table) -> None:
    save(rows, *policy_rows(roles={"r": {f"scope{number}": 1 for number in range(1200)}}))
    outcome = published(rows)
    assert (len(outcome.findings), outcome.findings[-1].left_out) == (500, 701)
    recorded = drafts.problems(rows)
    assert recorded is not None
    assert (recorded["findings"][-1]["code"], recorded["findings"][-1]["left_out"]) == ("CS1028", 1101)
    assert recorded["findings"][-1]["message"].startswith("1,101 more")


@settings(max_examples=12)
@given(st.text('aü€\U0001f600\n"', min_size=1, max_size=3), st.sampled_from([1, 90, 2000]), st.integers(0, 3))
def test_the_row_of_problems_fits_whatever_the_names_are(text: str, times: int, more: int) -> None:
    name = text * times
    client = holding(
        {"pk": "POLICY", "sk": f"{kind}#{number}{name}", f"x{name}": 1, "scopes": [f"a b{name}"] * more}
        for kind in ("ROLE", "RULE", "ROUTE")
        for number in range(40)
    )
    assert published(Table(client, TABLE)).result is Result.REFUSED
    [item] = [item for key, item in client.items.items() if key[0] == "PROBLEMS"]
    assert octets(item) < 400_000


def octets(value: Any) -> int:  # noqa: ANN401 - an item of DynamoDB
    """Bytes of an item as DynamoDB counts them, or more: names and text in UTF-8, and a few for each value."""
    if isinstance(value, dict):
        return sum(len(name.encode()) + 4 + octets(item) for name, item in value.items())
    if isinstance(value, list):
        return sum(4 + octets(item) for item in value)
    return len(str(value).encode())


def test_an_empty_table_is_reported_as_having_no_policy(rows: Table) -> None:
    outcome = published(rows)
    assert (outcome.result, outcome.version) == (Result.REFUSED, None)
    assert [finding.code for finding in outcome.findings] == [Code.SETTINGS_MISSING]


# Published means servable.


class Spoiling:
    """A DynamoDB that keeps something else of each new version than what was written, so many times."""

    def __init__(self, client: Client, change: Callable[[dict[str, Any]], None], times: int) -> None:
        self._client = client
        self._change = change
        self._left = times

    def __getattr__(self, operation: str) -> Any:  # noqa: ANN401 - botocore's methods have no type
        return getattr(self._client, operation)

    def put_item(self, **request: Any) -> Any:  # noqa: ANN401 - botocore's requests and answers have no type
        if request["Item"]["sk"]["S"].startswith("V#") and self._left:
            self._left -= 1
            request["Item"] = dict(request["Item"])
            self._change(request["Item"])
        return self._client.put_item(**request)


def cut_off(item: dict[str, Any]) -> None:
    item["document"] = {"B": item["document"]["B"][:-4]}


def too_many_rows(item: dict[str, Any]) -> None:
    document = json.loads(zlib.decompress(item["document"]["B"]))
    document["groups"] = {f"g{number}": [] for number in range(8_001)}
    exchange(item, document)


def without_a_mode(item: dict[str, Any]) -> None:
    """It can be read, but cannot make a decision."""
    document = json.loads(zlib.decompress(item["document"]["B"]))
    document["settings"]["token_budget"] = None
    exchange(item, document)


def exchange(item: dict[str, Any], document: dict[str, Any]) -> None:
    content, digest = encode(document)
    item |= {"document": {"B": content}, "digest": {"S": digest}}


def no_document(item: dict[str, Any]) -> None:
    del item["document"]


@pytest.mark.parametrize("change", [cut_off, too_many_rows, without_a_mode, no_document])
def test_a_version_that_was_not_stored_correctly_is_not_put_in_force_and_the_next_run_stores_it_again(
    dynamodb: Client, rows: Table, change: Callable[[dict[str, Any]], None]
) -> None:
    save(rows, *FIRST.rows())
    published(rows)
    save(rows, *SECOND.rows())
    spoilt = Table(Spoiling(dynamodb, change, 1), TABLE)
    outcome = published(spoilt)
    assert (outcome.result, outcome.version) == (Result.REFUSED, 1)
    [finding] = outcome.findings
    assert (finding.code, finding.row, finding.attribute) == (
        Code.BUNDLE_UNREADABLE, f"BUNDLE {version_sk(2)}", "document"
    )  # fmt: skip
    assert set(in_force(rows).roles) == {"viewer"}
    recorded = drafts.problems(rows)
    assert recorded is not None
    assert [entry["code"] for entry in recorded["findings"]] == ["CS2003"]
    assert published(spoilt) == Outcome(Result.PUBLISHED, 3)
    assert set(in_force(rows).roles) == {"viewer", "editor"}
    assert drafts.problems(rows) is None


def test_what_everybody_would_be_refused_with_is_no_policy_that_anybody_can_publish() -> None:
    """45 roles that nobody has, 37 kB stored: every sign-in and every API call failed."""
    roles = {f"r{number}": {"claims": {"x": "x" * 380_000}} for number in range(45)}
    rows = Table(holding(policy_rows(roles=roles)), TABLE)
    outcome = published(rows)
    assert outcome.result is Result.REFUSED
    assert [finding.code for finding in outcome.findings] == [Code.POLICY_TOO_LARGE]
    assert versions(rows) == []


# Held back.


def test_manual_publishing_stores_the_version_and_stops_before_the_move(rows: Table) -> None:
    save(rows, *policy_rows(settings={"publish": "manual"}))
    assert published(rows) == Outcome(Result.MANUAL, None)
    assert published(rows) == Outcome(Result.MANUAL, None)
    assert versions(rows) == [version_sk(1)]
    assert bundles.pointer(rows) is None


def test_a_held_pointer_is_not_moved(rows: Table) -> None:
    save(rows, *FIRST.rows())
    published(rows)
    rows.update("BUNDLE", "CURRENT", {"hold": True})
    save(rows, *SECOND.rows())
    assert published(rows) == Outcome(Result.HELD, 1)
    assert set(in_force(rows).roles) == {"viewer"}
    rows.update("BUNDLE", "CURRENT", {"hold": False})
    assert published(rows) == Outcome(Result.PUBLISHED, 2)
    assert versions(rows) == [version_sk(1), version_sk(2)]


def test_while_somebody_writes_another_draft_nothing_is_published(rows: Table) -> None:
    save(rows, *FIRST.rows())
    published(rows)
    drafts.acquire(rows, drafts.Lease(SECOND.digest(), "someone", NOW), force=False)
    save(rows, {"pk": "POLICY", "sk": "ROLE#half", **WRITE})
    assert published(rows) == Outcome(Result.WAITING, 1)
    rows.delete("POLICY", "ROLE#half")
    save(rows, *SECOND.rows())
    assert published(rows) == Outcome(Result.PUBLISHED, 2)
    assert drafts.lease(rows) is None


@pytest.mark.parametrize("held_back", ["manual", "hold"])
def test_a_lease_ends_when_its_draft_is_there_even_if_nothing_is_published(rows: Table, held_back: str) -> None:
    apply(rows, FIRST, by="first", clock=clock)
    rows.update("BUNDLE", "CURRENT", {"hold": held_back == "hold"})
    settings = {"publish": "manual"} if held_back == "manual" else {}
    target = from_rows(policy_rows(settings=settings, roles={"editor": WRITE}))
    assert apply(rows, target, by="first", clock=clock).result in (Result.HELD, Result.MANUAL)
    assert drafts.lease(rows) is None


# apply.


def test_apply_makes_the_draft_and_publishes_it(rows: Table) -> None:
    save(rows, *draft(old=READ).rows())
    assert apply(rows, SECOND, by="someone", clock=clock) == Outcome(Result.PUBLISHED, 1)
    assert from_rows(drafts.policy_rows(rows)).digest() == SECOND.digest()
    assert rows.get("POLICY", "ROLE#old") is None
    assert drafts.lease(rows) is None


def test_apply_signs_the_rows_it_changes_and_leaves_the_others_alone(rows: Table) -> None:
    apply(rows, FIRST, by="first", clock=clock)
    apply(rows, SECOND, by="second", clock=lambda: NOW + 60)
    signed = {row["sk"]: (row["updated_by"], row["updated_at"]) for row in drafts.policy_rows(rows)}
    assert signed["ROLE#viewer"] == ("first", NOW)
    assert signed["ROLE#editor"] == ("second", NOW + 60)


#: A ceiling as a list, and as the string set that somebody makes of it in the console; lint refuses the set.
CEILINGS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "a client's": lambda scopes: {"sk": "CLIENT#web", "scopes_allowed": scopes},
    "a test's": lambda scopes: {
        "sk": "TEST#one",
        "given": {"tenant": {"id": "acme", "scopes_allowed": scopes}},
        "expect": {"scopes": []},
    },
}


@pytest.mark.parametrize("row", CEILINGS.values(), ids=CEILINGS.keys())
def test_apply_of_the_same_file_repairs_a_ceiling_that_was_made_a_set(
    rows: Table, row: Callable[[Any], dict[str, Any]]
) -> None:
    good = from_rows([*FIRST.rows(), {"pk": "POLICY", **row(["orders/read"])}])
    assert apply(rows, good, by="someone", clock=clock) == Outcome(Result.PUBLISHED, 1)
    save(rows, {"pk": "POLICY", **row({"orders/read"})})
    assert [finding.code for finding in published(rows).findings] == [Code.WRONG_TYPE]
    assert apply(rows, good, by="someone", clock=clock) == Outcome(Result.UNCHANGED, 1), "the bundle is the same"
    assert drafts.problems(rows) is None
    assert published(rows) == Outcome(Result.UNCHANGED, 1)


def test_apply_of_a_red_policy_writes_nothing_at_all(dynamodb: Client) -> None:
    watched = Watched(dynamodb)
    with pytest.raises(PolicyError) as refused:
        apply(Table(watched, TABLE), draft(**{"two words": {}}), by="someone", clock=clock)
    assert refused.value.code is Code.INVALID_NAME
    assert watched.operations == []


def test_apply_of_a_policy_too_large_to_compile_writes_nothing_at_all(dynamodb: Client) -> None:
    noise = random.Random(1)  # noqa: S311 - incompressible text, not a secret
    claims = [{"claims": {"x": noise.randbytes(50_000).hex()}} for _ in range(9)]
    watched = Watched(dynamodb)
    with pytest.raises(PolicyError) as refused:
        apply(Table(watched, TABLE), draft(**{f"r{n}": role for n, role in enumerate(claims)}), by="x", clock=clock)
    assert refused.value.code is Code.BUNDLE_TOO_LARGE
    assert watched.writes == 0


def test_apply_of_what_is_there_writes_only_the_lease_and_the_pointers_revision(dynamodb: Client, rows: Table) -> None:
    apply(rows, FIRST, by="someone", clock=clock)
    watched = Watched(dynamodb)
    assert apply(Table(watched, TABLE), FIRST, by="other", clock=clock) == Outcome(Result.UNCHANGED, 1)
    assert watched.writes == 4


def test_apply_waits_for_somebody_elses_apply_and_names_them(rows: Table) -> None:
    drafts.acquire(rows, drafts.Lease(SECOND.digest(), "someone", NOW), force=False)
    with pytest.raises(OperationError, match="someone is applying another policy") as refused:
        apply(rows, FIRST, by="other", clock=clock)
    assert refused.value.code is Code.LEASE_HELD
    assert drafts.policy_rows(rows) == []


def test_apply_takes_over_if_asked(rows: Table) -> None:
    drafts.acquire(rows, drafts.Lease(SECOND.digest(), "someone", NOW), force=False)
    assert apply(rows, FIRST, by="other", take_over=True, clock=clock) == Outcome(Result.PUBLISHED, 1)
    assert drafts.lease(rows) is None


def test_up_to_ninety_nine_rows_change_at_once_or_not_at_all(dynamodb: Client, rows: Table) -> None:
    """A transaction has a hundred actions; one of them makes sure that the lease is still held."""
    apply(rows, draft(**{f"old{number}": READ for number in range(39)}), by="someone", clock=clock)
    watched = Watched(dynamodb)
    target = draft(**{f"new{number}": READ for number in range(60)})
    apply(Table(watched, TABLE), target, by="someone", clock=clock)
    assert watched.operations.count("transact_write_items") == 1


def test_a_lost_transaction_leaves_the_draft_as_it_was(dynamodb: Client, rows: Table) -> None:
    apply(rows, FIRST, by="someone", clock=clock)
    with pytest.raises(KilledError):
        apply(dying(dynamodb, TABLE, writes=1), SECOND, by="someone", clock=clock)
    assert from_rows(drafts.policy_rows(rows)).digest() == FIRST.digest()


# Killed anywhere.

BIG = draft(**{f"r{number:03d}": READ for number in range(110)})


@pytest.mark.parametrize("writes", range(8))
def test_killed_at_any_write_never_puts_a_half_written_draft_in_force(
    dynamodb: Client, rows: Table, writes: int
) -> None:
    """Lease, two transactions, version, what the pointer was, pointer, lease: seven writes."""
    apply(rows, FIRST, by="first", clock=clock)
    try:
        apply(dying(dynamodb, TABLE, writes), BIG, by="killed", clock=clock)
    except KilledError:
        assert writes < 7
    else:
        assert writes == 7
    # The stream's publisher runs after each of the writes that happened.
    published(rows)
    assert len(in_force(rows).roles) in (1, 110)
    # The next run of the same apply repairs, whatever was left.
    assert apply(rows, BIG, by="again", clock=clock).version == 2
    assert len(in_force(rows).roles) == 110
    assert versions(rows) == [version_sk(1), version_sk(2)]
    assert drafts.lease(rows) is None


def test_a_version_that_nothing_points_to_is_used_by_the_next_run(dynamodb: Client, rows: Table) -> None:
    save(rows, *FIRST.rows())
    with pytest.raises(KilledError):
        publish(dying(dynamodb, TABLE, writes=1), by="killed", clock=clock)
    assert (versions(rows), bundles.pointer(rows)) == ([version_sk(1)], None)
    assert published(rows) == Outcome(Result.PUBLISHED, 1)
    assert versions(rows) == [version_sk(1)]


def test_a_version_number_is_never_given_twice(dynamodb: Client, rows: Table) -> None:
    save(rows, *FIRST.rows())
    with pytest.raises(KilledError):
        publish(dying(dynamodb, TABLE, writes=1), by="killed", clock=clock)
    save(rows, *SECOND.rows())
    assert published(rows) == Outcome(Result.PUBLISHED, 2)
    first = rows.get("BUNDLE", version_sk(1))
    second = rows.get("BUNDLE", version_sk(2))
    assert first is not None
    assert second is not None
    assert first["digest"] != second["digest"]


def test_a_draft_that_is_half_written_while_it_is_read_is_not_published(dynamodb: Client, rows: Table) -> None:
    apply(rows, FIRST, by="first", clock=clock)
    begun = threading.Event()

    def half_write(operation: str, request: dict[str, Any]) -> None:
        reads_draft = operation == "query" and request["ExpressionAttributeValues"][":pk"] == {"S": "POLICY"}
        if reads_draft and not begun.is_set():
            begun.set()
            with pytest.raises(KilledError):
                apply(dying(dynamodb, TABLE, writes=2), BIG, by="killed", clock=clock)

    assert publish(Table(Watched(dynamodb, half_write), TABLE), by="stream", clock=clock).result is Result.WAITING
    assert begun.is_set()
    assert len(in_force(rows).roles) == 1


# Races.


def test_two_publishers_at_once_make_one_version(dynamodb: Client, rows: Table) -> None:
    save(rows, *FIRST.rows())
    together = threading.Barrier(2, timeout=120)
    first_time = threading.local()

    def before(operation: str, _request: dict[str, Any]) -> None:
        # Both have read everything and nobody has written when both go on.
        if operation == "put_item" and not getattr(first_time, "met", False):
            first_time.met = True
            together.wait()

    shared = Table(Watched(dynamodb, before), TABLE)
    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(lambda by: publish(shared, by=by, clock=clock), ["one", "two"]))
    assert {outcome.version for outcome in outcomes} == {1}
    assert Result.PUBLISHED in {outcome.result for outcome in outcomes}
    pointer = bundles.pointer(rows)
    assert pointer is not None
    assert pointer.revision == 1
    assert versions(rows) == [version_sk(1)]


def test_a_publisher_that_read_an_older_draft_does_not_win(dynamodb: Client, rows: Table) -> None:
    save(rows, *FIRST.rows())
    overtaken = threading.Event()

    def before(operation: str, _request: dict[str, Any]) -> None:
        if operation == "put_item" and not overtaken.is_set():
            overtaken.set()
            save(rows, *SECOND.rows())
            assert published(rows, by="faster").result is Result.PUBLISHED

    outcome = publish(Table(Watched(dynamodb, before), TABLE), by="slower", clock=clock)
    assert outcome.result is Result.UNCHANGED
    assert set(in_force(rows).roles) == {"viewer", "editor"}


def test_somebody_who_never_stops_publishing_ends_in_an_error_with_a_code(dynamodb: Client, rows: Table) -> None:
    save(rows, *FIRST.rows())
    count = iter(range(1000))

    def before(operation: str, request: dict[str, Any]) -> None:
        if operation == "put_item" and request["Item"]["sk"] == {"S": "CURRENT"}:
            other = draft(**{f"other{next(count)}": READ})
            save(rows, *other.rows())
            published(rows, by="other")
            rows.delete("POLICY", other.entries[0].sk)

    with pytest.raises(OperationError) as refused:
        publish(Table(Watched(dynamodb, before), TABLE), by="unlucky", clock=clock)
    assert refused.value.code is Code.CONFLICT
    assert not isinstance(refused.value, StoreError)
