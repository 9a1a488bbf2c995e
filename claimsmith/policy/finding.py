"""What lint says: a code, a place, and a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final, Literal

from claimsmith.errors import Code

if TYPE_CHECKING:
    from collections.abc import Iterable

    from claimsmith.policy.draft import Entry

#: Where something stands below a row: attribute, then names and indices.
Path = tuple[str, ...]

Severity = Literal["error", "warning"]

#: Codes that are said and do not keep a policy from being published.
WARNINGS: Final = frozenset(
    {
        Code.RULE_NEVER_APPLIES,
        Code.SCOPE_NOT_ALLOWED,
        Code.MANY_ROUTE_SCOPES,
        Code.TOKEN_MAY_EXCEED_BUDGET,
        Code.USERS_WRITE_ATTRIBUTE,
    }
)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong in a draft, or worth a look.

    Attributes:
        code: stable, an entry of ``docs/codes.md``.
        row: the row's key; empty where it is a file that is wrong.
        attribute: the path of the attribute in the row; empty where the row itself is wrong.
        message: what is wrong and what would be right.
        file: and ``line``: where it was read, if from a file.
    """

    code: Code
    row: str
    attribute: str
    message: str
    file: str | None = None
    line: int | None = None

    @property
    def severity(self) -> Severity:
        """Whether it keeps the policy from being published."""
        return "warning" if self.code in WARNINGS else "error"

    def __str__(self) -> str:
        line = f":{self.line}" if self.line is not None else ""
        place = f"{self.file}{line}" if self.file else " ".join(filter(None, (self.row, self.attribute)))
        subject = f" {self.attribute}:" if self.file and self.attribute else ""
        return f"{place}:{subject} {self.message} [{self.code}]"


def found(code: Code, entry: Entry, path: Path, message: str) -> Finding:
    """A finding at a path below an entry."""
    return Finding(code, entry.row, ".".join(path), message, entry.file, entry.line(path))


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: the nearest known one, if any is near."""
    close = get_close_matches(str(name), list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def unquoted(value: object) -> str:
    """The end of a message about something that should be text: how a file's author may have meant it to be."""
    if isinstance(value, bool):
        return "; a file's yes, no, on and off are true or false unless they are quoted"
    return "; quote a number that is text" if isinstance(value, int | float) else ""
