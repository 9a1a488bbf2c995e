"""The publisher as Lambda runs it: every change audited once, the policy published, and never fed by itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from claimsmith.service.publish import publish, waiting
from claimsmith.store import bundles, drafts
from claimsmith.store.audit import recorded
from tests.conftest import AUDIT_TABLE, TABLE
from tests.integration.dynamodb_server import LoopbackDynamoDB
from tests.integration.function import Ran, run
from tests.integration.stream import Stream, as_json, keys
from tests.integration.strict_dynamodb import StrictDynamoDB
from tests.policies import membership_row, policy_rows, tenant_row, user_row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from claimsmith.store.dynamodb import Table
    from tests.conftest import Client

MODULE = "lambdas.publisher.handler"
AUDIT = f"{MODULE}:audit_handler"
PUBLISH = f"{MODULE}:publish_handler"

SECRET = "s3cret"


@pytest.fixture
def server(dynamodb: Client) -> Iterator[LoopbackDynamoDB]:
    with LoopbackDynamoDB(dynamodb) as running:
        yield running


@pytest.fixture
def environment(server: LoopbackDynamoDB, aws_environment: dict[str, str]) -> dict[str, str]:
    return {
        **aws_environment,
        "AWS_ENDPOINT_URL": server.endpoint_url,
        "CLAIMSMITH_TABLE": TABLE,
        "CLAIMSMITH_AUDIT_TABLE": AUDIT_TABLE,
    }


@pytest.fixture
def stream(dynamodb: Client) -> Stream:
    return Stream(dynamodb)


def save(rows: Table, *edits: dict[str, Any]) -> None:
    for edit in edits:
        rows.put(edit)


def audited(audit_rows: Table, *partitions: str) -> list[dict[str, Any]]:
    return [row for pk in partitions for row in audit_rows.query(pk)]


def failures(ran: Ran) -> list[list[dict[str, str]]]:
    return [answer["answer"]["batchItemFailures"] for answer in ran.answers]


def test_an_edit_of_the_policy_is_published_and_audited(
    rows: Table, audit_rows: Table, stream: Stream, environment: dict[str, str]
) -> None:
    save(rows, *policy_rows(roles={"viewer": {"scopes": ["orders/read"], "updated_by": "someone"}}))
    ran = run(MODULE, [stream.event()], environment)
    assert failures(ran) == [[]]
    pointer = bundles.pointer(rows)
    assert pointer is not None
    assert pointer.version == 1
    trail = audited(audit_rows, "POLICY")
    assert [(row["row"], row.get("claimed_by")) for row in trail] == [
        ("POLICY SETTINGS", None),
        ("POLICY ROLE#viewer", "someone"),
    ]
    assert trail[1]["after"] == {"scopes": ["orders/read"], "updated_by": "someone"}
    assert "before" not in trail[1]
    assert ran.metrics() == {"Records": 2, "Audited": 2, "PolicyPublished": 1}


def test_a_refused_edit_is_reported_with_its_codes_and_the_next_good_one_clears_them(
    rows: Table, stream: Stream, environment: dict[str, str]
) -> None:
    save(rows, *policy_rows(), {"pk": "POLICY", "sk": "ROLE#broken", "claims": {"sub": SECRET}})
    ran = run(MODULE, [stream.event()], environment)
    assert failures(ran) == [[]]
    [logged] = [entry for entry in ran.entries() if "codes" in entry]
    assert (logged["level"], logged["codes"]) == ("ERROR", ["CS1007"])
    assert "policy_version" not in logged, "nothing is in force yet"
    assert ran.metrics()["PolicyProblems"] == 1
    assert SECRET not in ran.log
    assert drafts.problems(rows) is not None
    rows.delete("POLICY", "ROLE#broken")
    assert failures(run(MODULE, [stream.event()], environment)) == [[]]
    assert drafts.problems(rows) is None
    assert bundles.pointer(rows) is not None


def test_a_change_of_the_directory_is_audited_and_publishes_nothing(
    rows: Table, audit_rows: Table, stream: Stream, server: LoopbackDynamoDB, environment: dict[str, str]
) -> None:
    save(rows, tenant_row("acme", name="Acme"), membership_row("u1", "acme", roles=["viewer"]), user_row("u1"))
    rows.put(membership_row("u1", "acme", roles=["editor"]))
    rows.delete("USER#u1", "TENANT#acme")
    ran = run(MODULE, [stream.event()], environment)
    assert failures(ran) == [[]]
    assert server.requests == 5, "five audit rows and nothing else"
    trail = audited(audit_rows, "USER#u1")
    assert [(row.get("before"), row.get("after")) for row in trail if row["row"] == "USER#u1 TENANT#acme"] == [
        (None, {"roles": ["viewer"]}),
        ({"roles": ["viewer"]}, {"roles": ["editor"]}),
        ({"roles": ["editor"]}, None),
    ]


def test_the_same_records_delivered_again_make_no_second_row_and_no_second_version(
    rows: Table, audit_rows: Table, stream: Stream, environment: dict[str, str]
) -> None:
    save(rows, *policy_rows(), user_row("u1"))
    event = stream.event()
    ran = run(MODULE, [event, event, {"Records": event["Records"][1:]}], environment)
    assert failures(ran) == [[], [], []]
    assert len(audited(audit_rows, "POLICY", "USER#u1")) == 2
    assert ran.metrics()["Audited"] == 2
    assert [row["sk"] for row in rows.query("BUNDLE")] == ["CURRENT", "NAMES", "V#00000001"]


def test_what_the_publisher_writes_never_feeds_it(
    rows: Table, audit_rows: Table, stream: Stream, environment: dict[str, str]
) -> None:
    save(rows, *policy_rows(roles={"broken": {"oops": 1}}))
    rounds = []
    for _ in range(6):
        event = stream.event()
        if not event["Records"]:
            break
        rounds.append(keys(event))
        # No filter stands before the handler here, so that its own check is what is tried.
        ran = run(MODULE, [event], environment)
        assert failures(ran) == [[]]
        if len(rounds) == 1:
            rows.delete("POLICY", "ROLE#broken")
    assert rounds == [
        [("POLICY", "SETTINGS"), ("POLICY", "ROLE#broken")],
        [("PROBLEMS", "DRAFT"), ("POLICY", "ROLE#broken")],
        [("PROBLEMS", "DRAFT"), ("BUNDLE", "V#00000001"), ("BUNDLE", "NAMES"), ("BUNDLE", "CURRENT")],
    ]
    assert len(audited(audit_rows, "POLICY")) == 3
    assert audited(audit_rows, "BUNDLE", "PROBLEMS", "LEASE") == []


def test_no_secret_of_a_protected_resource_reaches_the_audit_or_the_log(
    rows: Table, audit_rows: Table, stream: Stream, environment: dict[str, str]
) -> None:
    resource = {"pk": "PROTECTED_RESOURCE#api", "sk": "PROTECTED_RESOURCE", "clients": ["*"]}
    save(rows, {**resource, "secrets": [SECRET]}, {**resource, "secrets": frozenset({SECRET, SECRET * 2})})
    ran = run(MODULE, [stream.event()], environment)
    trail = audited(audit_rows, "PROTECTED_RESOURCE#api")
    assert len(trail) == 2
    assert SECRET not in repr(trail)
    assert SECRET not in ran.log
    assert trail[1]["before"]["secrets"] == trail[1]["after"]["secrets"] == "not kept"


def test_deletions_by_time_to_live_are_distinguished_from_deletions_by_people(
    rows: Table, audit_rows: Table, stream: Stream, environment: dict[str, str]
) -> None:
    save(rows, user_row("u1"))
    rows.delete("USER#u1", "USER")
    event = stream.event()
    event["Records"][1]["userIdentity"] = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
    run(MODULE, [event], environment)
    assert [row.get("by") for row in audited(audit_rows, "USER#u1")] == [None, "time-to-live"]


DEEP: Any = {"S": "x"}
for _ in range(31):
    DEEP = {"L": [DEEP]}

#: Attributes of rows that DynamoDB holds, as its stream has them: each once stopped the audit, or hid a grant from it.
AWKWARD: dict[str, dict[str, Any]] = {
    "a name of 404,900 characters": {"updated_by": {"S": "x" * 404_900}},
    "150,001 characters of padding": {"padding": {"S": "x" * 150_001}},
    "31 levels": {"padding": DEEP},
    "a large number": {"n": {"N": "9.9E+125"}},
    "38 digits": {"n": {"N": "1." + "0" * 36 + "1"}, "many": {"NS": ["-" + "9" * 38, "1E-130"]}},
    "binary": {"b": {"B": b"\xff\x00"}, "more": {"BS": [b"", b"\xff"]}},
    "nothing": {"s": {"S": ""}, "b": {"B": b""}, "l": {"L": []}, "m": {"M": {}}, "n": {"NULL": True}},
    "an attribute of a long name": {"n" * 60_000: {"S": ""}},
    "a type of the future": {"padding": {"FUTURE": "?"}},
}


def test_no_row_stops_the_stream_and_none_hides_what_it_grants(
    dynamodb: Client, audit_rows: Table, environment: dict[str, str]
) -> None:
    def record(number: int, pk: str, **images: dict[str, Any]) -> dict[str, Any]:
        keys = {"pk": {"S": pk}, "sk": {"S": "TENANT#acme"}}
        return {"dynamodb": {"Keys": keys, "SequenceNumber": f"{number:021}", **as_json(images)}}

    granted = {"roles": {"L": [{"S": "admin"}]}}
    long_pk = "USER#" + "x" * 2_043
    whole = {"USER#plain": granted, long_pk: granted}
    rows = whole | {f"USER#{number}": {**extra, **granted} for number, extra in enumerate(AWKWARD.values())}
    records = [
        record(number, pk, NewImage=row, **({"OldImage": row} if number % 2 else {}))
        for number, (pk, row) in enumerate(rows.items())
    ]
    with LoopbackDynamoDB(StrictDynamoDB(dynamodb)) as server:
        ran = run(MODULE, [{"Records": records}] * 2, environment | {"AWS_ENDPOINT_URL": server.endpoint_url})
    assert failures(ran) == [[], []]
    kept = {pk: audited(audit_rows, pk) for pk in rows}
    assert all(len(trail) == 1 for trail in kept.values()), "and each is audited once"
    for pk, [row] in kept.items():
        assert row.get("after", {}).get("roles") == ["admin"] or "FUTURE" in str(rows[pk])
    [unknown] = kept[f"USER#{len(AWKWARD) - 1}"]
    assert unknown["not_kept"]
    assert unknown["after_cut"]["left_out"] == 2
    cut = {pk for pk, [row] in kept.items() if "after_cut" in row}
    assert cut == {f"USER#{list(AWKWARD).index(name)}" for name in CUT}
    metrics = ran.metrics()
    assert (metrics["Audited"], metrics["AuditCut"]) == (len(rows), len(CUT))
    logged = [entry for entry in ran.entries() if entry.get("code") == "CS4013"]
    assert {entry["row"] for entry in logged} == {f"{pk} TENANT#acme" for pk in cut}


#: Of these not all is kept.
CUT = ("a name of 404,900 characters", "31 levels", "a type of the future")


def test_a_record_that_cannot_be_read_is_kept_as_it_is_and_holds_up_nothing(
    rows: Table, audit_rows: Table, stream: Stream, environment: dict[str, str]
) -> None:
    resource = {"pk": "PROTECTED_RESOURCE#api", "sk": "PROTECTED_RESOURCE", "secrets": [SECRET]}
    save(rows, user_row("u1", claims={"note": 7}), resource, user_row("u3"), user_row("u4"))
    broken = json.loads(json.dumps(event := stream.event()))
    images = [record["dynamodb"] for record in broken["Records"]]
    images[0]["NewImage"]["claims"] = {"M": {"note": {"N": "7", "S": "7"}}}
    images[1]["NewImage"]["clients"] = "oops"
    del images[2]["Keys"]
    ran = run(AUDIT, [broken, event], environment)
    assert failures(ran) == [[], []]
    [kept] = audited(audit_rows, "USER#u1")
    assert (kept["row"], "after" in kept, "before_cut" in kept) == ("USER#u1 USER", False, False)
    assert json.loads(kept["record"]) == broken["Records"][0]
    assert SECRET not in repr(audited(audit_rows, "PROTECTED_RESOURCE#api")) + ran.log
    [lost] = audited(audit_rows, "UNREADABLE")
    assert json.loads(lost["record"]) == broken["Records"][2]
    assert [len(audited(audit_rows, f"USER#{sub}")) for sub in ("u3", "u4")] == [1, 1]
    [shown] = recorded(audit_rows, pk="USER#u1")
    assert (shown.before, shown.after, shown.after_cut) == (None, {}, True), "a reader knows that there was a row"
    logged = [entry for entry in ran.entries() if entry.get("code") == "CS4013"]
    assert [entry["row"] for entry in logged] == ["USER#u1 USER", "PROTECTED_RESOURCE#api PROTECTED_RESOURCE", " "]
    assert ran.metrics()["AuditCut"] == 3


def test_neither_audit_nor_publishing_needs_the_other_and_a_slow_batch_goes_on_where_it_stopped(
    rows: Table, audit_rows: Table, stream: Stream, environment: dict[str, str]
) -> None:
    save(rows, user_row("u1"), *policy_rows())
    event = stream.event()
    ran = run(AUDIT, [event, event], environment | {"CLAIMSMITH_TABLE": "elsewhere"}, remaining=[60_000, 20_000])
    assert failures(ran) == [[{"itemIdentifier": event["Records"][1]["dynamodb"]["SequenceNumber"]}], []]
    assert len(audited(audit_rows, "POLICY", "USER#u1")) == 2
    assert ran.metrics() == {"Records": 4, "Audited": 2}, "and nothing is wrong"
    assert failures(run(PUBLISH, [event], environment | {"CLAIMSMITH_AUDIT_TABLE": "elsewhere"})) == [[]]
    assert bundles.pointer(rows) is not None


def test_by_a_schedule_an_edit_that_was_left_is_published_and_one_that_waits_for_somebody_is_counted(
    rows: Table, environment: dict[str, str]
) -> None:
    save(rows, *policy_rows())
    publish(rows, by="somebody")
    save(rows, *policy_rows(roles={"viewer": {}}))
    assert run(PUBLISH, [{}, {}], environment).metrics() == {"PolicyPublished": 1, "PolicyWaiting": 0}
    assert waiting(rows) is None
    drafts.write_problems(rows, [], digest="", at=1_800_000_000)
    assert waiting(rows, clock=lambda: 1_800_000_060) == 60
    drafts.acquire(rows, drafts.Lease("d", "cli:alice", 1_799_999_000), force=False)
    assert waiting(rows, clock=lambda: 1_800_000_060) == 1060


def test_a_table_that_does_not_answer_makes_the_stream_try_again_from_the_first_change_of_the_policy(
    rows: Table, stream: Stream, environment: dict[str, str]
) -> None:
    save(rows, user_row("u1"), *policy_rows())
    event = stream.event()
    ran = run(MODULE, [event], environment | {"CLAIMSMITH_TABLE": "elsewhere"})
    policy_change = event["Records"][1]["dynamodb"]["SequenceNumber"]
    assert failures(ran) == [[{"itemIdentifier": policy_change}]]
    assert ran.metrics()["PublisherErrors"] == 1
    [logged] = [entry for entry in ran.entries() if entry.get("message") == "policy not published"]
    assert logged["code"] == "CS4003"


def test_an_audit_table_that_does_not_answer_loses_nothing(
    rows: Table, audit_rows: Table, stream: Stream, environment: dict[str, str]
) -> None:
    save(rows, user_row("u1"), user_row("u2"))
    event = stream.event()
    failed = run(AUDIT, [event], environment | {"CLAIMSMITH_AUDIT_TABLE": "elsewhere"})
    assert failed.metrics()["AuditErrors"] == 1
    assert failures(failed) == [[{"itemIdentifier": event["Records"][0]["dynamodb"]["SequenceNumber"]}]]
    assert failures(run(MODULE, [event], environment)) == [[]]
    assert len(audited(audit_rows, "USER#u1", "USER#u2")) == 2
