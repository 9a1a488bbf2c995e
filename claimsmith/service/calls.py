"""Calls with a deadline that holds whatever the other side does.

A socket time-out bounds one wait, not the whole: a server that sends a byte now and then outlives any of them. So the
call runs in a thread, and who waits for it waits no longer than it wants. A thread that is left behind ends with its
call; how many may be left behind is bounded.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Generic, TypeVar

from claimsmith.errors import ClaimsmithError, Code

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class DeadlineError(ClaimsmithError):
    """The call did not answer in time, or too many earlier ones still have not."""

    def __init__(self, message: str) -> None:
        super().__init__(Code.DEADLINE_EXCEEDED, message)


class Call(Generic[T]):
    """A call under way."""

    def __init__(self, run: Callable[[], T], free: threading.Semaphore) -> None:
        self._run = run
        self._free = free
        self._done = threading.Event()
        self._result: T
        self._error: BaseException | None = None
        # A daemon: one that is stuck must not keep the process from ending.
        threading.Thread(target=self._work, daemon=True).start()

    def result(self, seconds: float | None = None) -> T:
        """What the call returns; what it raises is raised here.

        Args:
            seconds: how long to wait; None waits for as long as the call takes.

        Raises:
            DeadlineError: no answer in time.
        """
        if not self._done.wait(seconds):
            raise DeadlineError("No answer in time.")
        if self._error is not None:
            raise self._error
        return self._result

    def _work(self) -> None:
        try:
            self._result = self._run()
        except BaseException as error:  # noqa: BLE001 - raised again where the result is asked for
            self._error = error
        finally:
            self._free.release()
            self._done.set()


class Calls:
    """Starts calls, at most ``limit`` under way at once."""

    def __init__(self, limit: int = 16) -> None:
        self._free = threading.Semaphore(limit)

    def start(self, run: Callable[[], T]) -> Call[T]:
        """Start a call.

        Raises:
            DeadlineError: too many calls are under way.
        """
        if not self._free.acquire(blocking=False):
            raise DeadlineError("Too many calls are still waiting for an answer.")
        try:
            return Call(run, self._free)
        except BaseException:
            self._free.release()
            raise
