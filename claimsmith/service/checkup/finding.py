"""What a checkup finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from claimsmith.errors import Code

if TYPE_CHECKING:
    from collections.abc import Iterator

Severity = Literal["error", "warning"]

#: Works, and should be mended all the same; every other code means that something does not work or is not safe.
WARNINGS: Final = frozenset(
    {
        Code.ON_HOLD,
        Code.PRIVILEGED_SCOPE_IN_DIRECTORY,
        Code.MACHINES_NOT_CUSTOMIZED,
        Code.TRIGGER_OPEN,
        Code.CLIENT_WITHOUT_ROW,
        Code.ROW_WITHOUT_CLIENT,
        Code.SCOPE_WITHOUT_RESOURCE_SERVER,
        Code.TABLE_TTL,
        Code.TABLE_NOT_BACKED_UP,
        Code.TABLE_NOT_PROTECTED,
        Code.DRAFT_NOT_IN_FORCE,
        Code.APPLY_UNFINISHED,
        Code.NO_DEAD_LETTER_QUEUE,
        Code.NO_ALARMS,
        Code.ALARM_UNHEARD,
        Code.ALARM_RAISED,
        Code.UNKNOWN_ROLE_IN_DIRECTORY,
        Code.UNKNOWN_TENANT_IN_DIRECTORY,
        Code.ROLLOUT_UNFINISHED,
        Code.UNCHANGED_ON_FAILURE,
        Code.ROLLOUT_NOT_HELD,
        Code.CLAIM_NEVER_SET,
        Code.TENANTS_ALIKE,
        Code.LOAD_BALANCER_CLIENT,
    }
)

#: Findings with the same code that are kept from a long list, such as the rows of the directory.
_KEPT: Final = 20


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to mend.

    Attributes:
        code: stable; described in ``docs/reference/codes.md``.
        subject: the resource, row or scope; empty for the end of a list that was cut.
        message: what is wrong and what it means.
        remedy: what to do.
        left_out: how many findings with this code it stands for, at the end of a list that was cut; otherwise 0.
    """

    code: Code
    subject: str
    message: str
    remedy: str
    left_out: int = 0

    @property
    def severity(self) -> Severity:
        """``error``: something does not work or is not safe; ``warning``: it works, and should be mended."""
        return "warning" if self.code in WARNINGS else "error"


class Shortened:
    """Findings of a long list: the first ones of each code, and how many more there are."""

    def __init__(self) -> None:
        self._kept: dict[Code, list[Finding]] = {}
        self._left_out: dict[Code, int] = {}

    def add(self, finding: Finding) -> None:
        """Add a finding."""
        kept = self._kept.setdefault(finding.code, [])
        if len(kept) < _KEPT:
            kept.append(finding)
        else:
            self._left_out[finding.code] = self._left_out.get(finding.code, 0) + 1

    def extend(self, others: Shortened) -> None:
        """Add all findings of another list, those that it left out as well."""
        for kept in others._kept.values():
            for finding in kept:
                self.add(finding)
        for code, count in others._left_out.items():
            self._left_out[code] = self._left_out.get(code, 0) + count

    def __iter__(self) -> Iterator[Finding]:
        for code, kept in self._kept.items():
            yield from kept
            if more := self._left_out.get(code):
                yield Finding(code, "", f"{more:,} more like these.", kept[-1].remedy, more)


@dataclass(frozen=True, slots=True)
class NotChecked:
    """A check that could not be made.

    Attributes:
        check: its name.
        reason: why, as a sentence.
        action: the IAM action that is missing; empty if no permission is.
    """

    check: str
    reason: str
    action: str = ""
