"""How many requests a caller may make, so that one that asks without pause does not take the others' share.

A token bucket for each caller, in this process. Lambda adds processes as load grows, so it bounds a caller's part of
each, not what it gets of all together; ``docs/adr/0057-signed-answers-and-shares-of-introspection.md`` has
the reasons.
"""

from __future__ import annotations

import math
import threading
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

#: A bucket holds the requests of so many seconds, and never less than one request.
BURST_SECONDS: Final = 2


class Shares:
    """Counts requests of callers who have authenticated. Thread-safe; one bucket for each of them."""

    def __init__(self, requests_per_second: float = 0, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Count.

        Args:
            requests_per_second: for callers whose row has no number of its own; 0 for any number.
            clock: seconds that only grow.
        """
        self._default = requests_per_second
        self._clock = clock
        self._lock = threading.Lock()
        #: Caller -> requests that it may make at once, and when that was.
        self._buckets: dict[str, tuple[float, float]] = {}

    def wait(self, resource_id: str, requests_per_second: float | None = None) -> int:
        """Take one request of a caller's bucket.

        Args:
            resource_id: the caller.
            requests_per_second: its own number.

        Returns:
            0; or, if the bucket is empty, in how many whole seconds it is not.
        """
        rate = self._default if requests_per_second is None else requests_per_second
        if not rate:
            return 0
        largest = max(1.0, rate * BURST_SECONDS)
        with self._lock:
            now = self._clock()
            left, since = self._buckets.get(resource_id, (largest, now))
            left = min(largest, left + (now - since) * rate)
            allowed = left >= 1
            self._buckets[resource_id] = (left - allowed, now)
        return 0 if allowed else math.ceil((1 - left) / rate)
