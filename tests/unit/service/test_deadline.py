"""A call is waited for no longer than the caller wants, and those left behind are counted."""

from __future__ import annotations

import threading

import pytest

from claimsmith.errors import Code
from claimsmith.service.deadline import THREAD_NAME, DeadlineError, DeadlineExecutor


def threads_for_calls() -> int:
    return sum(thread.name == THREAD_NAME for thread in threading.enumerate())


def test_what_a_call_returns_is_its_result() -> None:
    assert DeadlineExecutor().submit(lambda: 7).result(5) == 7


def test_what_a_call_raises_is_raised_where_the_result_is_asked_for() -> None:
    call = DeadlineExecutor().submit(lambda: int("seven"))
    with pytest.raises(ValueError, match="seven"):
        call.result(5)


def test_a_call_that_does_not_answer_in_time_is_given_up_and_not_waited_for() -> None:
    answer = threading.Event()
    call = DeadlineExecutor().submit(answer.wait)
    with pytest.raises(DeadlineError) as raised:
        call.result(0.01)
    assert raised.value.code is Code.DEADLINE_EXCEEDED
    answer.set()
    assert call.result(5) is True


def test_stuck_calls_are_bounded_and_the_next_one_is_refused_at_once() -> None:
    answer = threading.Event()
    calls = DeadlineExecutor(limit=3)
    before = threads_for_calls()
    stuck = [calls.submit(answer.wait) for _ in range(3)]
    for _ in range(20):
        with pytest.raises(DeadlineError):
            calls.submit(answer.wait)
    assert threads_for_calls() - before <= 3
    answer.set()
    assert [call.result(5) for call in stuck] == [True] * 3
    assert calls.submit(lambda: 7).result(5) == 7


def test_a_failing_call_frees_its_place() -> None:
    calls = DeadlineExecutor(limit=1)
    for _ in range(5):
        with pytest.raises(ZeroDivisionError):
            calls.submit(lambda: 1 // 0).result(5)


def test_a_stuck_call_does_not_keep_the_process_from_ending() -> None:
    never = threading.Event()
    DeadlineExecutor().submit(never.wait)
    assert all(thread.daemon for thread in threading.enumerate() if thread.name == THREAD_NAME)
    never.set()
