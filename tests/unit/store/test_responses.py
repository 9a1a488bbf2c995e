"""What answers in DynamoDB's place must not be taken for it: above all, nothing must not read as "not revoked"."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claimsmith.errors import Code, StoreError
from claimsmith.store.attributes import encode_row
from claimsmith.store.dynamodb import Table
from claimsmith.store.revocations import StoredRevocations

if TYPE_CHECKING:
    from collections.abc import Callable

    Answer = dict[str, Any]

NAME = "claimsmith"
KEYS = ("REVOKED#user#u1", "REVOKED#session#s1")
AT = 1_800_000_000


class Scripted:
    """A client that returns scripted responses one after the other, and records the requests."""

    def __init__(self, *answers: Any) -> None:  # noqa: ANN401 - any shape
        self.answers = list(answers)
        self.requests: list[dict[str, Any]] = []

    def _answer(self, **request: Any) -> Any:  # noqa: ANN401 - as above
        self.requests.append(copy.deepcopy(request))
        return self.answers.pop(0)

    query = get_item = batch_get_item = _answer


def item(pk: str, sk: str = "REVOKED", **attributes: object) -> dict[str, Any]:
    return encode_row({"pk": pk, "sk": sk, **attributes})


def key(pk: str, sk: str = "REVOKED") -> dict[str, Any]:
    return encode_row({"pk": pk, "sk": sk})


def unprocessed(*keys: str) -> Answer:
    return {NAME: {"Keys": [key(pk) for pk in keys], "ConsistentRead": False}}


def revoked(*answers: Any) -> Any:  # noqa: ANN401 - as above
    return StoredRevocations(Table(Scripted(*answers), NAME)).revoked_at(KEYS)


REVOKED = item(KEYS[0], revoked_at=AT)


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"Responses": {}},
        {"Responses": {"another": []}},
        {"Responses": {NAME: [], "another": []}},
        {"Responses": {NAME: {}}},
        {"Responses": {NAME: None}},
        {"Responses": []},
        {"Responses": {}, "UnprocessedKeys": {}},
        {"Responses": {}, "UnprocessedKeys": unprocessed(KEYS[0])},
        {"Responses": {}, "UnprocessedKeys": {"another": unprocessed(*KEYS)[NAME]}},
        {"Responses": {NAME: []}, "UnprocessedKeys": {"another": unprocessed(KEYS[0])[NAME]}},
        {"Responses": {NAME: []}, "UnprocessedKeys": []},
        {"Responses": {NAME: []}, "UnprocessedKeys": {NAME: {}}},
        {"Responses": {NAME: []}, "UnprocessedKeys": {NAME: {"Keys": [{"pk": {"S": KEYS[0]}}]}}},
        {"Responses": {NAME: []}, "UnprocessedKeys": unprocessed("REVOKED#user#another")},
        {"Responses": {NAME: [REVOKED]}, "UnprocessedKeys": unprocessed(KEYS[0])},
        {"Responses": {NAME: [REVOKED, REVOKED]}},
        {"Responses": {NAME: [item("REVOKED#user#another", revoked_at=AT)]}},
        {"Responses": {NAME: [item(KEYS[0], "USER", revoked_at=AT)]}},
        {"Responses": {NAME: [{"pk": {"S": KEYS[0]}}]}},
        {"Responses": {NAME: [{"pk": {"N": "1"}, "sk": {"S": "REVOKED"}}]}},
        {"Responses": {NAME: [None]}},
        {"Responses": {NAME: ["x"]}},
        {"Responses": {NAME: [{**REVOKED, "revoked_at": str(AT)}]}},
    ],
    ids=str,
)
def test_only_a_response_about_every_key_means_that_nothing_is_revoked(answer: Answer) -> None:
    with pytest.raises(StoreError) as refused:
        revoked(answer)
    assert refused.value.code is Code.AWS_UNREACHABLE
    assert KEYS[0] not in str(refused.value)


@pytest.mark.parametrize(
    ("answers", "found"),
    [
        ([{"Responses": {NAME: []}}], {}),
        ([{"Responses": {NAME: []}, "UnprocessedKeys": {}}], {}),
        ([{"Responses": {NAME: [REVOKED]}, "UnprocessedKeys": {}}], {KEYS[0]: AT}),
        ([{"Responses": {}, "UnprocessedKeys": unprocessed(*KEYS)}, {"Responses": {NAME: [REVOKED]}}], {KEYS[0]: AT}),
        ([{"Responses": {NAME: []}, "UnprocessedKeys": unprocessed(KEYS[0])}, {"Responses": {NAME: []}}], {}),
    ],
    ids=str,
)
def test_what_is_an_answer_is_taken_for_one(answers: list[Answer], found: dict[str, float]) -> None:
    assert revoked(*answers) == found


def test_keys_that_were_not_processed_are_asked_for_as_consistently_as_at_first() -> None:
    client = Scripted({"Responses": {}, "UnprocessedKeys": unprocessed(*KEYS)}, {"Responses": {NAME: []}})
    StoredRevocations(Table(client, NAME)).revoked_at(KEYS)
    first, second = client.requests
    assert first == second
    assert second["RequestItems"][NAME]["ConsistentRead"] is True


def test_the_second_answer_is_held_to_what_was_asked_for_then() -> None:
    late = {"Responses": {NAME: [item(KEYS[1])]}}
    with pytest.raises(StoreError):
        revoked({"Responses": {NAME: []}, "UnprocessedKeys": unprocessed(KEYS[0])}, late)


def got(answer: Any) -> object:  # noqa: ANN401 - any shape
    return Table(Scripted(answer), NAME).get("USER#u1", "USER")


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"Item": None},
        {"Item": {}},
        {"Item": {"status": {"S": "active"}}},
        {"Item": item("USER#u2", "USER")},
        {"Item": item("USER#u1", "TENANT#acme")},
        {"ConsumedCapacity": None},
    ],
    ids=str,
)
def test_a_row_is_the_one_that_was_asked_for(answer: Answer) -> None:
    with pytest.raises(StoreError):
        got(answer)


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"S": "a", "N": "1"},
        {"S": 7},
        {"S": None},
        {"BOOL": "false"},
        {"N": 7},
        {"N": "nan"},
        {"N": "Infinity"},
        {"N": "1_000"},
        {"N": "१"},
        {"N": " 1"},
        {"N": ""},
        {"N": "1e999"},
        {"B": "eA=="},
        {"M": []},
        {"L": {}},
        {"L": "ab"},
        {"L": [None]},
        {"SS": "ab"},
        {"SS": [1]},
        {"NS": [1]},
        {"BS": ["x"]},
        "x",
        None,
    ],
    ids=str,
)
def test_a_row_with_a_value_that_dynamodb_does_not_hold_is_no_row(value: object) -> None:
    with pytest.raises(StoreError):
        got({"Item": {**item("USER#u1", "USER"), "status": value}})


LAST = {"LastEvaluatedKey": key("USER#u1", "TENANT#a")}


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"Items": None},
        {"Items": {}},
        {"Count": 0},
        {"Items": [item("USER#u2", "TENANT#a")]},
        {"Items": [item("USER#u1", "USER")]},
        {"Items": [], "LastEvaluatedKey": None},
        {"Items": [], "LastEvaluatedKey": {}},
        {"Items": [], "LastEvaluatedKey": key("USER#u2", "TENANT#a")},
        {"Items": [], "LastEvaluatedKey": {**key("USER#u1", "TENANT#a"), "more": {"S": ""}}},
    ],
    ids=str,
)
def test_a_partition_has_the_rows_that_were_asked_for_and_no_others(answer: Answer) -> None:
    with pytest.raises(StoreError):
        Table(Scripted(answer), NAME).query("USER#u1", sk_prefix="TENANT#")


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"Items": [item("USER#u1", "TENANT#b")]},
        {"Items": [{"pk": {"S": "USER#u1"}}]},
        {"Items": [], "LastEvaluatedKey": key("USER#u1", "TENANT#b")},
    ],
    ids=str,
)
def test_an_index_has_the_keys_that_were_asked_for_and_no_others(answer: Answer) -> None:
    with pytest.raises(StoreError):
        list(Table(Scripted(answer), NAME).keys_by_sk("TENANT#a"))


def test_a_partition_goes_on_where_the_page_before_ended() -> None:
    client = Scripted({"Items": [item("USER#u1", "TENANT#a")], **LAST}, {"Items": [item("USER#u1", "TENANT#b")]})
    assert [row["sk"] for row in Table(client, NAME).query("USER#u1")] == ["TENANT#a", "TENANT#b"]
    assert client.requests[1]["ExclusiveStartKey"] == LAST["LastEvaluatedKey"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.binary(max_size=5) | st.just(NAME),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["S", "N", "M", "L", "pk", "sk", "Keys", NAME, "Items", "Item", "Responses"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)
ANSWERS = st.dictionaries(
    st.sampled_from(["Items", "Item", "Responses", "UnprocessedKeys", "LastEvaluatedKey", "ConsumedCapacity"]),
    JSON | st.dictionaries(st.just(NAME), JSON | st.lists(JSON)) | st.just([item("P", "1"), item("P", "2")]),
    max_size=4,
)
READS: list[Callable[[Table], Any]] = [
    lambda rows: rows.get("P", "1"),
    lambda rows: rows.query("P", limit=1),
    lambda rows: rows.batch_get([("P", "1"), ("P", "2")]),
    lambda rows: list(rows.keys_by_sk("1")),
]


@pytest.mark.parametrize("read", READS)
@given(answer=ANSWERS)
def test_whatever_answers_there_are_the_rows_asked_for_or_a_store_error(
    read: Callable[[Table], Any], answer: Answer
) -> None:
    try:
        found = read(Table(Scripted(answer, {}, {}, {}, {}, {}), NAME))
    except StoreError as error:
        assert error.code is Code.AWS_UNREACHABLE  # noqa: PT017 - either outcome is right
        return
    rows = found if isinstance(found, list) else [found] if found else []
    for row in rows:
        pk, sk = row if isinstance(row, tuple) else (row["pk"], row["sk"])
        assert (pk, sk) in (("P", "1"), ("P", "2"))
