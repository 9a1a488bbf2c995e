"""Times as people write them."""

from __future__ import annotations

import pytest

from claimsmith.errors import OperationError
from claimsmith.service.times import instant, iso, moment


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2027-01-31", 1801353600),
        ("2027-01-31T18:00", 1801418400),
        ("2027-01-31T18:00Z", 1801418400),
        ("2027-01-31T18:00:30+02:00", 1801411230),
        ("1801353600", 1801353600),
        (" 2027-01-31 ", 1801353600),
    ],
)
def test_a_time_is_a_day_a_moment_or_epoch_seconds(text: str, seconds: int) -> None:
    assert instant(text) == seconds
    assert instant(iso(seconds)) == seconds


def test_the_end_of_a_day_is_the_start_of_the_next_one() -> None:
    assert iso(instant("2027-01-31", end_of_day=True)) == "2027-02-01T00:00:00Z"
    assert iso(instant("2027-01-31T00:00", end_of_day=True)) == "2027-01-31T00:00:00Z"


@pytest.mark.parametrize(
    ("text", "ago"), [("90s", 90), ("30m", 1800), ("2h", 7200), (" 7d ", 604_800), ("2w", 1_209_600), ("0d", 0)]
)
def test_a_duration_counts_back_from_now(text: str, ago: int) -> None:
    assert moment(text, 1_800_000_000) == 1_800_000_000 - ago


@pytest.mark.parametrize("text", ["2y", "h", "-2h", "2 h", "999999999w"])
def test_what_is_neither_a_duration_nor_a_time_is_refused(text: str) -> None:
    with pytest.raises(OperationError, match=r"not a time|not plausible"):
        moment(text, 1_800_000_000)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a time"),
        ("tomorrow", "not a time"),
        ("31.01.2027", "not a time"),
        ("2027-02-30", "not a time"),
        ("1801353600000", "not milliseconds"),
        ("20270131", "not plausible"),
        ("1999-12-31", "not plausible"),
        ("9999-12-31", "not a time|not plausible"),
    ],
)
def test_what_no_row_can_hold_is_refused(text: str, message: str) -> None:
    with pytest.raises(OperationError, match=message):
        instant(text, end_of_day=True)
