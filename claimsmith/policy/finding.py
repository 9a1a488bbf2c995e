"""What lint says: a code, a place, and a sentence."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from claimsmith.errors import Code

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from claimsmith.policy.draft import Entry

#: Where something stands below a row: attribute, then names and indices.
Path = tuple[str, ...]

Severity = Literal["error", "warning"]

#: Codes that are said and do not keep a policy from being published.
WARNINGS: Final = frozenset(
    {
        Code.FINDINGS_CUT,
        Code.RULE_NEVER_APPLIES,
        Code.SCOPE_NOT_ALLOWED,
        Code.MANY_ROUTE_SCOPES,
        Code.TOKEN_MAY_EXCEED_BUDGET,
        Code.USERS_WRITE_ATTRIBUTE,
    }
)

#: Findings that are told of one draft, with the one that tells how many are left out.
MAX_FINDINGS: Final = 500

#: Characters of a row's key or an attribute's path, of a message, and of a name inside one.
_MAX_PLACE: Final = 300
MAX_MESSAGE: Final = 1_000
_MAX_NAME: Final = 100

#: The nearest name is looked for among so many names of so many characters: it costs 10 ms at most.
_NEAR_LENGTH: Final = 32
_NEAR_NAMES: Final = 100

#: Unknown names of one finding that a nearest one is looked for.
_NEAR_TRIES: Final = 10


class Near(NamedTuple):
    """Where a nearest name would help: looked for only if the finding is told.

    Attributes:
        names: the unknown ones; the first that has one near is spoken of.
        known: what they could have been.
        otherwise: the end of the message where nothing is near.
    """

    names: Sequence[str]
    known: Collection[str]
    otherwise: str = ""

    def told(self) -> str:
        """The end of a message: the nearest known name, if any is near."""
        close = (nearest(name, self.known) for name in self.names[:_NEAR_TRIES])
        found = next(filter(None, close), None)
        return f"; did you mean {found}?" if found else self.otherwise


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong in a draft, or worth a look.

    Attributes:
        code: stable, an entry of ``docs/codes.md``.
        row: the row's key; empty where it is a file that is wrong.
        attribute: the path of the attribute in the row; empty where the row itself is wrong.
        message: what is wrong and what would be right.
        file: and ``line``: where it was read, if from a file.
        left_out: how many findings this one stands for, at the end of a list that was cut; else 0.
        near: what its message still lacks, before it is told.
    """

    code: Code
    row: str
    attribute: str
    message: str
    file: str | None = None
    line: int | None = None
    left_out: int = 0
    near: Near | None = field(default=None, compare=False, repr=False)

    @property
    def severity(self) -> Severity:
        """Whether it keeps the policy from being published."""
        return "warning" if self.code in WARNINGS else "error"

    def told(self) -> Finding:
        """The finding with all that its message says."""
        if self.near is None:
            return self
        return replace(self, message=clipped(self.message + self.near.told(), MAX_MESSAGE), near=None)

    def __str__(self) -> str:
        line = f":{self.line}" if self.line is not None else ""
        place = f"{self.file}{line}" if self.file else " ".join(filter(None, (self.row, self.attribute)))
        subject = f" {self.attribute}:" if self.file and self.attribute else ""
        return (f"{place}:{subject} " if place else "") + f"{self.message} [{self.code}]"


def found(code: Code, entry: Entry, path: Path, message: str, near: Near | None = None) -> Finding:
    """A finding at a path below an entry."""
    # Every name in them comes from whoever wrote the policy and may be as long as a row.
    row, attribute = clipped(entry.row, _MAX_PLACE), clipped(".".join(path), _MAX_PLACE)
    return Finding(code, row, attribute, clipped(message, MAX_MESSAGE), entry.file, entry.line(path), near=near)


def clipped(text: str, most: int = _MAX_NAME) -> str:
    """Text of at most so many characters; a longer one ends in an ellipsis."""
    return text if len(text) <= most else text[: most - 1] + "…"


def cut(findings: Sequence[Finding], most: int) -> list[Finding]:
    """At most so many findings, fit to be told; where there are more, the last one says how many are left out.

    Args:
        findings: those that matter most first.
        most: how many, with the one that tells of the rest.
    """
    if len(findings) <= most:
        return [finding.told() for finding in findings]
    kept, rest = findings[: most - 1], findings[most - 1 :]
    left_out = sum(finding.left_out or 1 for finding in rest)
    message = f"and {left_out:,} more; they are told once these are mended"
    tail = Finding(Code.FINDINGS_CUT, "", "", message, findings[0].file, left_out=left_out)
    return [*(finding.told() for finding in kept), tail]


def left_out(findings: Iterable[Finding]) -> int:
    """How many findings a list does not tell of."""
    return sum(finding.left_out for finding in findings)


def nearest(name: str, known: Collection[str]) -> str | None:
    """The known name that is nearest to another, if any is near; none of a long name, or among many."""
    if len(name) > _NEAR_LENGTH or len(known) > _NEAR_NAMES:
        return None
    close = get_close_matches(name, [other for other in known if len(other) <= _NEAR_LENGTH], n=1)
    return close[0] if close else None


def unquoted(value: object) -> str:
    """The end of a message about something that should be text: how a file's author may have meant it to be."""
    if isinstance(value, bool):
        return "; a file's yes, no, on and off are true or false unless they are quoted"
    return "; quote a number that is text" if isinstance(value, int | float) else ""
