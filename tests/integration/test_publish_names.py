"""A name means one thing over all versions, however they are put in force."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from claimsmith.engine.codec import encode
from claimsmith.errors import Code, OperationError, PolicyError
from claimsmith.policy import Draft, Finding, from_rows
from claimsmith.policy import compile as compile_policy
from claimsmith.service.names import MAX_SCANNED_VERSIONS
from claimsmith.service.publish import Outcome, Result, apply, publish
from claimsmith.service.versions import promote, resume, rollback, stage
from claimsmith.store import bundles, drafts
from claimsmith.store.dynamodb import Table
from tests.conftest import TABLE
from tests.integration.clients import Watched
from tests.integration.memory_dynamodb import MemoryDynamoDB
from tests.policies import NOW, policy_rows

if TYPE_CHECKING:
    from collections.abc import Mapping

Names = dict[str, "str | None"]


def clock() -> float:
    return float(NOW)


def draft(names: Names | None = None, *claims: str, **settings: Any) -> Draft:  # noqa: ANN401 - any setting
    """A policy with these names of built-in claims, and a rule that takes these claims from the caller."""
    rule = {"order": 1, "access_claims": {name: {"from": "request.metadata.x"} for name in claims}}
    return from_rows(policy_rows(settings={"claim_names": names or {}, **settings}, rules={"r": rule}))


@pytest.fixture
def dynamodb() -> MemoryDynamoDB:
    return MemoryDynamoDB()


@pytest.fixture
def rows(dynamodb: MemoryDynamoDB) -> Table:
    return Table(dynamodb, TABLE)


def published(rows: Table, *drafts: Draft) -> int:
    """The number of the last of these, each in force in its turn."""
    for one in drafts:
        assert apply(rows, one, by="test", clock=clock).result is Result.PUBLISHED
    return in_force(rows).version


def in_force(rows: Table) -> bundles.Pointer:
    there = bundles.pointer(rows)
    assert there is not None
    return there


def found(refused: PolicyError) -> list[tuple[Code, str, str]]:
    return [(one.code, one.row, one.attribute) for one in refused.findings if isinstance(one, Finding)]


def write(rows: Table, policy: Draft) -> None:
    """Edit the rows by hand."""
    for row in policy.rows():
        rows.put(row)


def stored_by_an_earlier_release(rows: Table, number: int, policy: Draft) -> bundles.Version:
    """A version without what is known of its names."""
    document, digest = encode(compile_policy(policy))
    version = bundles.Version(number, digest, NOW, "earlier")
    bundles.store(rows, version, document)
    return version


# A rename.


def test_a_rename_onto_a_name_that_an_earlier_version_could_set_is_refused_and_nothing_is_written(
    dynamodb: MemoryDynamoDB, rows: Table
) -> None:
    published(rows, draft(None, "org"), draft())
    before = dict(dynamodb.items)
    with pytest.raises(PolicyError) as refused:
        apply(rows, draft({"tenant_id": "org"}), by="test", clock=clock)
    assert found(refused.value) == [(Code.CLAIM_NAME_USED, "POLICY SETTINGS", "claim_names.tenant_id")]
    assert dynamodb.items == before


def test_so_is_one_that_is_edited_by_hand_and_the_last_good_version_stays(rows: Table) -> None:
    last = published(rows, draft(None, "org"), draft())
    write(rows, draft({"tenant_id": "org"}))
    outcome = publish(rows, by="test", clock=clock)
    assert (outcome.result, outcome.version) == (Result.REFUSED, last)
    problems = drafts.problems(rows)
    assert problems is not None
    assert [finding["code"] for finding in problems["findings"]] == [Code.CLAIM_NAME_USED]
    write(rows, draft({"tenant_id": "organisation"}))
    assert publish(rows, by="test", clock=clock).result is Result.PUBLISHED
    assert drafts.problems(rows) is None


def test_a_row_sets_no_name_that_a_built_in_claim_once_had(rows: Table) -> None:
    published(rows, draft({"tenant_id": "org"}), draft())
    with pytest.raises(PolicyError) as refused:
        apply(rows, draft(None, "org"), by="test", clock=clock)
    assert found(refused.value) == [(Code.CLAIM_NAME_USED, "POLICY RULE#r", "access_claims.org")]


def test_a_rename_needs_tokens_that_tell_their_version(rows: Table) -> None:
    published(rows, draft())
    with pytest.raises(PolicyError) as refused:
        apply(rows, draft({"tenant_id": "org", "policy_version": None}), by="test", clock=clock)
    assert found(refused.value) == [(Code.VERSION_NOT_TOLD, "POLICY SETTINGS", "claim_names.policy_version")]
    assert in_force(rows).version_claims == ()
    published(rows, draft({"tenant_id": "org", "policy_version": "pv"}))
    assert in_force(rows).version_claims == ("policy_version", "pv")


def test_the_tokens_in_force_contain_their_version_before_a_name_changes(rows: Table) -> None:
    """Else its tokens would lose their tenant at once, and there would be no version to roll back to."""
    published(rows, draft({"policy_version": None}))
    renamed = draft({"tenant_id": "org"})
    with pytest.raises(PolicyError) as refused:
        apply(rows, renamed, by="test", clock=clock)
    assert found(refused.value) == [(Code.VERSION_NOT_TOLD, "POLICY SETTINGS", "claim_names")]
    published(rows, draft(), renamed)
    rollback(rows, 2, by="test", clock=clock)
    assert in_force(rows).version == 2


def test_a_version_whose_rules_take_its_number_out_of_tokens_does_not_tell_it(rows: Table) -> None:
    rules = {"r": {"order": 1, "suppress_access_claims": ["policy_version"]}}
    silent = from_rows(policy_rows(settings={"claim_names": {"tenant_id": "org"}}, rules=rules))
    published(rows, draft())
    with pytest.raises(PolicyError) as refused:
        apply(rows, silent, by="test", clock=clock)
    assert found(refused.value) == [(Code.VERSION_NOT_TOLD, "POLICY SETTINGS", "claim_names.policy_version")]


def test_what_is_known_is_read_from_one_row_and_written_only_where_a_name_is_new(dynamodb: MemoryDynamoDB) -> None:
    requests: list[tuple[str, str]] = []

    def note(operation: str, request: dict[str, Any]) -> None:
        if operation in ("get_item", "put_item"):
            key = request.get("Key") or request["Item"]
            requests.append((operation, key["sk"]["S"]))

    rows = Table(Watched(dynamodb, note), TABLE)
    published(rows, *(draft(None, "plan", cache_seconds=at) for at in range(30)))
    requests.clear()
    published(rows, draft(None, "plan", cache_seconds=31))
    # Before the draft is written, before the version is stored, before the pointer moves.
    assert [request for request in requests if request[1] == "NAMES"] == [("get_item", "NAMES")] * 3


# Versions that are put in force again.


def test_no_version_with_a_name_in_conflict_is_rolled_back_to_staged_or_promoted(rows: Table) -> None:
    """Stored before names were looked at, or while publishing was by hand."""
    old = stored_by_an_earlier_release(rows, 1, draft(None, "org"))
    new = stored_by_an_earlier_release(rows, 2, draft({"tenant_id": "org"}))
    bundles.move(rows, new, None, by="earlier", at=NOW)
    write(rows, draft({"tenant_id": "org"}, cache_seconds=31))
    assert publish(rows, by="test", clock=clock).result is Result.PUBLISHED, "what is in force may be edited"
    before = in_force(rows)
    with pytest.raises(OperationError) as not_again:
        rollback(rows, old.number, by="test", clock=clock)
    with pytest.raises(OperationError) as not_staged:
        stage(rows, old.number, percent=10, by="test", clock=clock)
    assert {not_again.value.code, not_staged.value.code} == {Code.CLAIM_NAME_USED}
    later = stored_by_an_earlier_release(rows, 9, draft({"tenant_id": "org"}, "plan", "tenants_of"))
    assert promote(rows, later.number, by="test", clock=clock).result is Result.PUBLISHED
    wrong = stored_by_an_earlier_release(rows, 10, draft({"roles": "plan"}))
    with pytest.raises(OperationError) as not_promoted:
        promote(rows, wrong.number, by="test", clock=clock)
    assert not_promoted.value.code is Code.CLAIM_NAME_USED
    assert in_force(rows).version == later.number
    assert before.version < later.number


def test_a_rollback_over_a_rename_keeps_the_pointer_saying_so(rows: Table) -> None:
    published(rows, draft(), draft({"tenant_id": "org"}))
    assert in_force(rows).version_claims == ("policy_version",)
    rollback(rows, 1, by="test", clock=clock)
    assert in_force(rows).version_claims == ("policy_version",)
    with pytest.raises(PolicyError):
        apply(rows, draft(None, "org"), by="test", clock=clock)
    assert resume(rows, by="test", clock=clock).result is Result.PUBLISHED
    assert in_force(rows).version_claims == ("policy_version",)


def test_a_version_that_is_staged_counts_from_then_on(rows: Table) -> None:
    published(rows, draft())
    assert apply(rows, draft({"tenant_id": "org"}, publish="manual"), by="test", clock=clock).result is Result.MANUAL
    assert in_force(rows).version_claims == ()
    stage(rows, 2, percent=10, by="test", clock=clock)
    assert in_force(rows).version_claims == ("policy_version",)
    stage(rows, 2, by="test", clock=clock)
    assert in_force(rows).version_claims == ("policy_version",), "its tokens live on"


# Tables of an earlier release.


def earlier(rows: Table, *versions: Draft) -> None:
    stored = [stored_by_an_earlier_release(rows, number, one) for number, one in enumerate(versions, 1)]
    bundles.move(rows, stored[-1], None, by="earlier", at=NOW)


def test_the_stored_versions_are_looked_at_once(rows: Table) -> None:
    earlier(rows, draft(None, "org"), draft({"roles": "permissions"}))
    assert in_force(rows).version_claims is None
    write(rows, draft({"tenant_id": "org"}))
    assert publish(rows, by="test", clock=clock).result is Result.REFUSED
    write(rows, draft({"tenant_id": "organisation"}))
    assert publish(rows, by="test", clock=clock) == Outcome(Result.PUBLISHED, 3)
    assert in_force(rows).version_claims == ("policy_version",)


def test_at_most_so_many_of_them(rows: Table) -> None:
    earlier(
        rows,
        draft(None, "org"),
        draft(None, "near"),
        *(draft(cache_seconds=at) for at in range(MAX_SCANNED_VERSIONS - 1)),
    )
    for name, result in (("near", Result.REFUSED), ("org", Result.PUBLISHED)):
        write(rows, draft({"tenant_id": name}))
        assert publish(rows, by="test", clock=clock).result is result
    with pytest.raises(OperationError):
        rollback(rows, 1, by="test", clock=clock)


def test_the_version_in_force_is_among_them_however_old(rows: Table) -> None:
    earlier(
        rows,
        draft({"tenant_id": "org"}, "plan"),
        *(draft(None, "org", cache_seconds=at) for at in range(MAX_SCANNED_VERSIONS)),
    )
    first = bundles.version(rows, 1)
    assert first is not None
    bundles.move(rows, first, in_force(rows), by="earlier", at=NOW)
    write(rows, draft({"tenant_id": "plan"}))
    assert publish(rows, by="test", clock=clock).result is Result.REFUSED
    write(rows, draft({"tenant_id": "org"}, cache_seconds=7))
    assert publish(rows, by="test", clock=clock).result is Result.PUBLISHED


def test_names_from_before_a_version_that_does_not_tell_its_number_do_not_count_as_changed(rows: Table) -> None:
    """Its tokens are read by its names, as before; else they would lose their tenant at the first edit."""
    silent: Names = {"tenant_id": "org", "policy_version": None}
    earlier(rows, draft(), draft(silent))
    write(rows, draft(silent, cache_seconds=7))
    assert publish(rows, by="test", clock=clock).result is Result.PUBLISHED
    write(rows, draft({"tenant_id": "org"}))
    assert publish(rows, by="test", clock=clock).result is Result.PUBLISHED
    assert in_force(rows).version_claims == ()


def test_a_version_that_cannot_be_read_is_passed_over(rows: Table) -> None:
    earlier(rows, draft(None, "org"), draft())
    row: Mapping[str, Any] | None = bundles.read_row(rows, 1)
    assert row is not None
    rows.put({**row, "document": b"damaged"})
    write(rows, draft({"tenant_id": "org"}))
    assert publish(rows, by="test", clock=clock).result is Result.PUBLISHED


@pytest.mark.parametrize("changed", [{"built_in": "org"}, {"ordinary": [1]}, {"revision": "x"}, {"decisive": {"a": 1}}])
def test_a_row_of_names_that_was_edited_by_hand_stops_publishing_with_a_remedy(
    rows: Table, changed: dict[str, Any]
) -> None:
    published(rows, draft(None, "org"))
    row = rows.get("BUNDLE", "NAMES")
    assert row is not None
    rows.put({**row, **changed})
    with pytest.raises(OperationError) as refused:
        apply(rows, draft({"tenant_id": "org"}), by="test", clock=clock)
    assert refused.value.code is Code.ROW_UNREADABLE
    rows.delete("BUNDLE", "NAMES")
    with pytest.raises(PolicyError):
        apply(rows, draft({"tenant_id": "org"}), by="test", clock=clock)


def test_of_two_who_publish_at_the_same_moment_the_second_is_judged_by_what_the_first_did(
    dynamodb: MemoryDynamoDB, rows: Table
) -> None:
    """The second has read what is known; before it writes, the first has set the name that it wants."""
    published(rows, draft())
    once: list[int] = []

    class Interrupted(Table):
        def put(self, row: Mapping[str, Any], **arguments: Any) -> None:  # noqa: ANN401 - passed on
            if row["sk"] == "NAMES" and not once:
                once.append(1)
                version = stored_by_an_earlier_release(rows, 50, draft(None, "org"))
                assert promote(rows, version.number, by="first", clock=clock).result is Result.PUBLISHED
            super().put(row, **arguments)

    stored_by_an_earlier_release(rows, 60, draft({"tenant_id": "org"}))
    with pytest.raises(OperationError) as refused:
        promote(Interrupted(dynamodb, TABLE), 60, by="second", clock=clock)
    assert refused.value.code is Code.CLAIM_NAME_USED
    assert in_force(rows).version == 50
