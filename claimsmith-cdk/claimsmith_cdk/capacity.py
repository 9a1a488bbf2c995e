"""How much of Lambda a function gets: memory, concurrency, and how it is spared a cold start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from claimsmith_cdk.props import PropsError, check_choice

#: Lambda's own bounds. https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
_MEMORY_MIB: Final = (128, 10_240)


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """How much of Lambda a function gets.

    Attributes:
        memory_mib: of the function. Lambda assigns CPU in proportion; with less than the default, waiting for the CPU
            takes longer than the work itself.
        reserved_concurrency: calls at once that are kept for the function, and its limit: further calls are refused.
            None shares the account's.
        provisioned_concurrency: processes that are always started, of the alias ``live``; they are paid for by the
            hour.
        snap_start: start processes from a snapshot of one that has started (Lambda SnapStart), of the alias ``live``.

    Raises:
        PropsError: a value is not possible, or two exclude each other.
    """

    memory_mib: int = 1024
    reserved_concurrency: int | None = None
    provisioned_concurrency: int | None = None
    snap_start: bool = False

    def __post_init__(self) -> None:
        least, most = _MEMORY_MIB
        if not least <= self.memory_mib <= most:
            raise PropsError(f"memory_mib={self.memory_mib} is not possible; use {least} to {most}.")
        check_choice("snap_start", self.snap_start, (True, False))
        reserved, provisioned = self.reserved_concurrency, self.provisioned_concurrency
        for name, value in (("reserved_concurrency", reserved), ("provisioned_concurrency", provisioned)):
            if value is not None and value < 1:
                raise PropsError(f"{name}={value} is not possible; use a number from 1, or leave it out.")
        if self.snap_start and provisioned is not None:
            raise PropsError(
                "snap_start and provisioned_concurrency exclude each other: Lambda refuses both. Leave one of them out."
            )
        if reserved is not None and provisioned is not None and provisioned > reserved:
            raise PropsError(
                f"provisioned_concurrency={provisioned} is not possible with reserved_concurrency={reserved}: it is "
                "part of it. Reserve as many, or provision fewer."
            )

    @property
    def needs_alias(self) -> bool:
        """Whether it is of published versions only."""
        return self.snap_start or self.provisioned_concurrency is not None


#: What a function gets that is given none.
DEFAULT_CAPACITY: Final = Capacity()
