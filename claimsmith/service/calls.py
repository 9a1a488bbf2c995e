"""Calls with a deadline that holds whatever the other side does.

A socket time-out bounds one wait, not the whole: a server that sends a byte now and then outlives any of them. So the
call runs in a thread, and who waits for it waits no longer than it wants. A thread that is left behind ends its call in
its own time; how many may be left behind is bounded, and one that is done serves the next call.
"""

from __future__ import annotations

import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from claimsmith.errors import ClaimsmithError, Code

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

#: What the threads are called that make calls.
THREAD: Final = "claimsmith-call"

#: The call that a thread is making.
_making: Final = threading.local()


def given_up() -> bool:
    """Whether who waited for the call that this thread is making has stopped waiting.

    A call of several steps asks before each, so that what nobody waits for any more does not go on.
    """
    call: Call[Any] | None = getattr(_making, "call", None)
    return call is not None and call.given_up


class DeadlineError(ClaimsmithError):
    """The call did not answer in time, or too many earlier ones still have not."""

    def __init__(self, message: str) -> None:
        super().__init__(Code.DEADLINE_EXCEEDED, message)


class Call(Generic[T]):
    """A call under way.

    Attributes:
        given_up: who waited for it has stopped waiting.
    """

    def __init__(self, run: Callable[[], T]) -> None:
        self._run = run
        # A bare lock, held until the call is done: an Event is made of several and costs several times as much.
        self._done = threading.Lock()
        self._done.acquire()
        self._result: T
        self._error: BaseException | None = None
        self.given_up = False

    def result(self, seconds: float | None = None) -> T:
        """What the call returns; what it raises is raised here.

        Args:
            seconds: how long to wait; None waits for as long as the call takes.

        Raises:
            DeadlineError: no answer in time.
        """
        if not self.wait(seconds):
            self.given_up = True
            raise DeadlineError("No answer in time.")
        if self._error is not None:
            raise self._error
        return self._result

    def wait(self, seconds: float | None) -> bool:
        """Wait until the call is done, no longer than so many seconds; whether it is."""
        done = self._done.acquire(timeout=-1 if seconds is None else seconds)
        if done:
            self._done.release()
        return done

    def work(self) -> None:
        """Make the call; in a worker's thread."""
        try:
            self._result = self._run()
        except BaseException as error:  # noqa: BLE001 - raised again where the result is asked for
            self._error = error

    def tell(self) -> None:
        """Let those who wait go on."""
        self._done.release()


class Calls:
    """Makes calls, at most ``limit`` under way at once."""

    def __init__(self, limit: int = 16) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._workers = 0
        self._idle: list[SimpleQueue[Call[Any]]] = []

    def start(self, run: Callable[[], T]) -> Call[T]:
        """Start a call.

        Raises:
            DeadlineError: too many calls are under way.
        """
        call = Call(run)
        self._inbox().put(call)
        return call

    def _inbox(self) -> SimpleQueue[Call[Any]]:
        """The inbox of a worker that has nothing to do."""
        with self._lock:
            if self._idle:
                return self._idle.pop()
            if self._workers >= self._limit:
                raise DeadlineError("Too many calls are still waiting for an answer.")
            inbox: SimpleQueue[Call[Any]] = SimpleQueue()
            # A daemon: one that is stuck must not keep the process from ending.
            threading.Thread(target=self._serve, args=(inbox,), name=THREAD, daemon=True).start()
            self._workers += 1
        return inbox

    def _serve(self, inbox: SimpleQueue[Call[Any]]) -> None:
        while True:
            call = inbox.get()
            _making.call = call
            call.work()
            del _making.call
            with self._lock:
                self._idle.append(inbox)
            call.tell()
            del call  # what it holds need not live until the next one
