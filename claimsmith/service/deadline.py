"""Calls with a deadline that holds whatever the other side does.

A socket time-out limits a single wait, not the whole call: a server that sends a byte now and then can outlast any of
them. So the call runs in a thread, and the caller stops waiting at its deadline. An abandoned call finishes in its own
time; the number of threads is limited, and a thread that has finished serves the next call.
"""

from __future__ import annotations

import threading
import weakref
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final, Generic, TypeAlias, TypeVar

from claimsmith.errors import ClaimsmithError, Code

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

#: The name of the worker threads.
THREAD_NAME: Final = "claimsmith-call"

#: The call that each worker thread is running.
_running: Final = threading.local()


def abandoned() -> bool:
    """Whether the caller has stopped waiting for the call that this thread is running.

    A call of several steps checks this before each, so that no work goes on for a result that nobody will read.
    """
    call: PendingCall[Any] | None = getattr(_running, "call", None)
    return call is not None and call.abandoned


class DeadlineError(ClaimsmithError):
    """The call did not finish in time, or too many earlier calls are still running."""

    def __init__(self, message: str) -> None:
        super().__init__(Code.DEADLINE_EXCEEDED, message)


class PendingCall(Generic[T]):
    """A call that has been submitted.

    Attributes:
        abandoned: the caller has stopped waiting for it.
    """

    def __init__(self, function: Callable[[], T]) -> None:
        self._function = function
        # A bare lock, held until the call is done: an Event consists of several and costs several times as much.
        self._done = threading.Lock()
        self._done.acquire()
        self._result: T
        self._error: BaseException | None = None
        self.abandoned = False

    def result(self, seconds: float | None = None) -> T:
        """What the call returns; what it raises is raised here.

        Args:
            seconds: how long to wait; None waits for as long as the call takes.

        Raises:
            DeadlineError: the call did not finish in time.
        """
        if not self.wait(seconds):
            self.abandoned = True
            raise DeadlineError("The call did not finish before its deadline.")
        if self._error is not None:
            raise self._error
        return self._result

    def wait(self, seconds: float | None) -> bool:
        """Wait until the call is done, for at most this many seconds.

        Returns:
            Whether it is done.
        """
        done = self._done.acquire(timeout=-1 if seconds is None else seconds)
        if done:
            self._done.release()
        return done

    def run(self) -> None:
        """Make the call, in a worker thread."""
        try:
            self._result = self._function()
        except BaseException as error:  # noqa: BLE001 - raised again by result()
            self._error = error

    def finish(self) -> None:
        """Wake the caller."""
        self._done.release()


#: The calls for one worker; None: there will be no more.
_Inbox: TypeAlias = "SimpleQueue[PendingCall[Any] | None]"


class DeadlineExecutor:
    """Runs calls in threads, at most ``limit`` at once; they end with it."""

    def __init__(self, limit: int = 16) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._workers = 0
        self._idle: list[_Inbox] = []

    def submit(self, function: Callable[[], T]) -> PendingCall[T]:
        """Start a call.

        Raises:
            DeadlineError: too many calls are still running.
        """
        call = PendingCall(function)
        self._idle_inbox().put(call)
        return call

    def __del__(self) -> None:
        for inbox in self._idle:
            inbox.put(None)

    def _idle_inbox(self) -> _Inbox:
        """The inbox of an idle worker; of a new one if none is idle."""
        with self._lock:
            if self._idle:
                return self._idle.pop()
            if self._workers >= self._limit:
                raise DeadlineError("Too many earlier calls are still running.")
            inbox: _Inbox = SimpleQueue()
            # A daemon: a stuck thread must not keep the process from exiting.
            arguments = (inbox, weakref.ref(self))
            threading.Thread(target=_work, args=arguments, name=THREAD_NAME, daemon=True).start()
            self._workers += 1
        return inbox

    def rest(self, inbox: _Inbox) -> None:
        """The worker with this inbox is idle."""
        with self._lock:
            self._idle.append(inbox)


def _work(inbox: _Inbox, executor: Callable[[], DeadlineExecutor | None]) -> None:
    """Make the calls that arrive, until the executor is no longer there."""
    while (call := inbox.get()) is not None:
        _running.call = call
        call.run()
        del _running.call
        employer = executor()
        if employer is None:
            call.finish()
            return
        employer.rest(inbox)
        del employer  # it lives no longer because of an idle worker
        call.finish()
        del call  # its result need not live until the next call
