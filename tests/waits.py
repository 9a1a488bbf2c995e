"""Deadlines in tests: a slow machine never makes one pass, and no test looks at a watch to see that one holds.

Every wait with a deadline in ``claimsmith.service`` goes through ``PendingCall.wait``. In tests, it ends when the
call is done or when the test declares the time to be up. The number of seconds that the caller was ready to wait is
recorded, and promises about time are checked against that record.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from botocore.config import Config

from claimsmith.service.deadline import PendingCall
from claimsmith.store import dynamodb

if TYPE_CHECKING:
    from collections.abc import Callable

#: A test that sets a deadline of at most so many seconds wants it to pass, so it passes as it would anywhere.
SHORT: Final = 0.5

#: How many times longer than in production any other deadline is. It only ends a test that would hang.
PATIENCE: Final = 20

#: How often a wait asks whether the test has let its time pass.
_POLL_SECONDS: Final = 0.01

#: The client of sign-ins and API calls, without time-outs that a slow machine could reach.
UNHURRIED: Final = dynamodb.TOKEN_PATH.merge(Config(connect_timeout=60, read_timeout=60))


class Waits:
    """All waits with a deadline, of all threads.

    Attributes:
        passed: deadlines of up to so many seconds have passed. A test sets it once nobody will answer any more.
    """

    def __init__(self) -> None:
        self.passed = 0.0
        self._seconds = threading.local()

    def clock(self) -> float:
        """The seconds that this thread was ready to wait, all its waits together."""
        seconds: float = getattr(self._seconds, "sum", 0.0)
        return seconds

    def install(self, patch: Callable[[object, str, object], None] = setattr) -> None:
        """Let every wait of this process be one of these."""
        real = PendingCall.wait

        def wait(call: PendingCall[object], seconds: float | None) -> bool:
            if seconds is None:
                return real(call, None)
            self._seconds.sum = self.clock() + seconds
            if seconds <= SHORT:
                return real(call, seconds)
            hang = time.monotonic() + seconds * PATIENCE
            while not real(call, _POLL_SECONDS):
                if self.passed >= seconds or time.monotonic() > hang:
                    return False
            return True

        patch(PendingCall, "wait", wait)
