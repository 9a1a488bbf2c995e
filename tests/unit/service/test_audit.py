"""A stream record becomes a change: who, when, before, after."""

from __future__ import annotations

from typing import Any

import pytest

from claimsmith.service.audit import read_change


def record(**stream: Any) -> dict[str, Any]:  # noqa: ANN401 - any part of a record
    """A record as the event source mapping hands it over."""
    return {
        "eventID": "1",
        "eventName": "MODIFY",
        "eventSource": "aws:dynamodb",
        "awsRegion": "eu-central-1",
        "dynamodb": {
            "Keys": {"pk": {"S": "USER#1"}, "sk": {"S": "USER"}},
            "SequenceNumber": "111",
            "ApproximateCreationDateTime": 1_800_000_000.0,
            "SizeBytes": 26,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
            **stream,
        },
    }


IMAGE = {"pk": {"S": "USER#1"}, "sk": {"S": "USER"}, "updated_by": {"S": "someone"}}


def test_a_change_says_who_made_it_and_when() -> None:
    change = read_change(record(NewImage=IMAGE))
    assert (change.pk, change.sk, change.at, change.sequence_number) == ("USER#1", "USER", 1_800_000_000, "111")
    assert change.by == "someone"
    assert change.before is None


def test_a_deletion_has_no_after_and_nobody_who_signed_it() -> None:
    change = read_change(record(OldImage=IMAGE))
    assert (change.after, change.by) == (None, "unknown")


def test_time_to_live_is_told_from_people() -> None:
    by_service = record(OldImage=IMAGE) | {
        "userIdentity": {"type": "Service", "principalId": "dynamodb.amazonaws.com"},
    }
    assert read_change(by_service).by == "time-to-live"
    assert read_change(record(OldImage=IMAGE) | {"userIdentity": None}).by == "unknown"


@pytest.mark.parametrize("missing", ["Keys", "SequenceNumber"])
def test_what_is_no_record_is_an_error(missing: str) -> None:
    broken = record(NewImage=IMAGE)
    del broken["dynamodb"][missing]
    with pytest.raises(KeyError):
        read_change(broken)
