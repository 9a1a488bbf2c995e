"""What must not outlive a snapshot of a process (Lambda SnapStart): connections, credentials, and what was read.

Its clocks do not show how long it was a snapshot, so nothing that has an age may be kept.

https://docs.aws.amazon.com/lambda/latest/dg/snapstart-runtime-hooks-python.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from claimsmith.environment import is_snap_start

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Renewed(Generic[T]):
    """Something that is made while the process starts, and anew whenever it is restored.

    Attributes:
        now: what was made last.
    """

    now: T

    def __init__(self, make: Callable[[], T], let_go: Callable[[T], None]) -> None:
        """Make it.

        Args:
            make: makes it, with everything in it that has an age.
            let_go: closes its connections, before a snapshot.
        """
        self._make = make
        self._let_go = let_go
        self._tell: Callable[[T], None] | None = None
        self.now = make()
        if is_snap_start():
            # Part of the runtimes that make snapshots.
            from snapshot_restore_py import (  # type: ignore[import-not-found]  # noqa: PLC0415
                register_after_restore,
                register_before_snapshot,
            )

            register_before_snapshot(self._before_snapshot)
            register_after_restore(self._after_restore)

    def tell(self, what: Callable[[T], None]) -> None:
        """Call a function with it, now and whenever it has been made anew."""
        self._tell = what
        what(self.now)

    def _before_snapshot(self) -> None:
        self._let_go(self.now)
        del self.now

    def _after_restore(self) -> None:
        import random  # noqa: PLC0415 - the generator of botocore's pauses, else the same in every process restored

        random.seed()
        self.now = self._make()
        if self._tell is not None:
            self._tell(self.now)
