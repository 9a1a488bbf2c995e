"""A caller waits no longer than its deadline, and the number of abandoned executor is limited."""

from __future__ import annotations

import threading

import pytest

from claimsmith.errors import Code
from claimsmith.service.deadline import THREAD_NAME, DeadlineError, DeadlineExecutor


def worker_threads() -> int:
    return sum(thread.name == THREAD_NAME for thread in threading.enumerate())


def test_result_returns_what_the_call_returns() -> None:
    assert DeadlineExecutor().submit(lambda: 7).result(5) == 7


def test_result_raises_what_the_call_raises() -> None:
    call = DeadlineExecutor().submit(lambda: int("seven"))
    with pytest.raises(ValueError, match="seven"):
        call.result(5)


def test_a_call_that_misses_its_deadline_is_abandoned() -> None:
    event = threading.Event()
    call = DeadlineExecutor().submit(event.wait)
    with pytest.raises(DeadlineError) as raised:
        call.result(0.01)
    assert raised.value.code is Code.DEADLINE_EXCEEDED
    event.set()
    assert call.result(5) is True


def test_the_number_of_stuck_calls_is_limited_and_the_next_one_is_refused_at_once() -> None:
    event = threading.Event()
    executor = DeadlineExecutor(limit=3)
    before = worker_threads()
    stuck = [executor.submit(event.wait) for _ in range(3)]
    for _ in range(20):
        with pytest.raises(DeadlineError):
            executor.submit(event.wait)
    assert worker_threads() - before <= 3
    event.set()
    assert [call.result(5) for call in stuck] == [True] * 3
    assert executor.submit(lambda: 7).result(5) == 7


def test_a_failing_call_frees_its_thread() -> None:
    executor = DeadlineExecutor(limit=1)
    for _ in range(5):
        with pytest.raises(ZeroDivisionError):
            executor.submit(lambda: 1 // 0).result(5)


def test_the_threads_of_an_executor_end_with_it() -> None:
    executor = DeadlineExecutor()
    idle = executor.submit(threading.current_thread).result(5)
    event = threading.Event()
    busy = DeadlineExecutor().submit(lambda: (threading.current_thread(), event.wait())[0])
    del executor
    event.set()
    for thread in (idle, busy.result(5)):
        thread.join(60)
        assert not thread.is_alive()


def test_a_stuck_call_does_not_keep_the_process_alive() -> None:
    never = threading.Event()
    DeadlineExecutor().submit(never.wait)
    assert all(thread.daemon for thread in threading.enumerate() if thread.name == THREAD_NAME)
    never.set()
