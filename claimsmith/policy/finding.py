"""Findings of lint: a code, a location and a message."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final, Literal

from claimsmith.errors import Code
from claimsmith.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from claimsmith.policy.draft import Entry

#: A location within a row: the attribute, then names and indices.
Path = tuple[str, ...]

Severity = Literal["error", "warning"]

#: Codes that are reported but do not block publishing: by their numbers, as ``docs/reference/codes.md`` says.
WARNINGS: Final = frozenset(
    {Code.FINDINGS_CUT, *(code for code in Code if "CS1040" <= code.value < "CS2000")},
)

#: The most findings reported for one draft, including the one that counts the rest.
MAX_FINDINGS: Final = 500

#: The longest row key or attribute path, message, and name within a message, in characters.
_MAX_PLACE: Final = 300
MAX_MESSAGE: Final = 1_000
_MAX_NAME: Final = 100

#: Bounds of the search for a similar name, which keep it under 10 ms: length of a name, and number of names.
_NEAR_LENGTH: Final = 32
_NEAR_NAMES: Final = 100

#: Unknown names of one finding to search for.
_NEAR_TRIES: Final = 10


class Suggestion(NamedTuple):
    """A "did you mean", computed only if the finding is reported.

    Attributes:
        names: the unknown names; the first with a similar known name gets the suggestion.
        known: the valid names.
        fallback: the end of the message if no name is similar.
    """

    names: Sequence[str]
    known: Collection[str]
    fallback: str = ""

    def text(self) -> str:
        """Return the end of a message: the most similar known name, or the fallback."""
        close = (nearest(name, self.known) for name in self.names[:_NEAR_TRIES])
        found = next(filter(None, close), None)
        return f"; did you mean {found}?" if found else self.fallback


@dataclass(frozen=True, slots=True)
class Finding:
    """An error or a warning about a draft.

    Attributes:
        code: stable; described in ``docs/reference/codes.md``.
        row: the row key; empty if the file itself is wrong.
        attribute: the path of the attribute in the row; empty if the row itself is wrong.
        message: what is wrong and how to fix it.
        file: the file it was read from, if any.
        line: the line in that file, counted from 1.
        left_out: how many findings this one replaces, at the end of a list that was cut; otherwise 0.
        suggestion: the end of the message, not computed yet.
    """

    code: Code
    row: str
    attribute: str
    message: str
    file: str | None = None
    line: int | None = None
    left_out: int = 0
    suggestion: Suggestion | None = field(default=None, compare=False, repr=False)

    @property
    def severity(self) -> Severity:
        """``error`` blocks publishing, ``warning`` does not."""
        return "warning" if self.code in WARNINGS else "error"

    def with_suggestion(self) -> Finding:
        """Return the finding with its complete message."""
        if self.suggestion is None:
            return self
        return replace(self, message=clipped(self.message + self.suggestion.text(), MAX_MESSAGE), suggestion=None)

    def __str__(self) -> str:
        line = f":{self.line}" if self.line is not None else ""
        place = f"{self.file}{line}" if self.file else " ".join(filter(None, (self.row, self.attribute)))
        subject = f" {self.attribute}:" if self.file and self.attribute else ""
        return (f"{place}:{subject} " if place else "") + f"{self.message} [{self.code}]"


def found(code: Code, entry: Entry, path: Path, message: str, suggestion: Suggestion | None = None) -> Finding:
    """Return a finding at a path within an entry."""
    # All names in them are the policy author's and may be as long as a row.
    row, attribute = clipped(entry.row, _MAX_PLACE), clipped(".".join(path), _MAX_PLACE)
    return Finding(
        code, row, attribute, clipped(message, MAX_MESSAGE), entry.file, entry.line(path), suggestion=suggestion
    )


def clipped(text: str, most: int = _MAX_NAME) -> str:
    """Return the text, cut to ``most`` characters with an ellipsis."""
    return text if len(text) <= most else text[: most - 1] + "…"


def cut(findings: Sequence[Finding], most: int) -> list[Finding]:
    """Return at most ``most`` findings with complete messages; if there are more, the last one counts the rest.

    Args:
        findings: the most important first.
        most: the limit, including the finding that counts the rest.
    """
    if len(findings) <= most:
        return [finding.with_suggestion() for finding in findings]
    kept, rest = findings[: most - 1], findings[most - 1 :]
    left_out = sum(finding.left_out or 1 for finding in rest)
    message = f"{left_out:,} more findings are not shown; fix these first, then run lint again"
    tail = Finding(Code.FINDINGS_CUT, "", "", message, findings[0].file, left_out=left_out)
    return [*(finding.with_suggestion() for finding in kept), tail]


def left_out(findings: Iterable[Finding]) -> int:
    """Return how many findings were cut from a list."""
    return sum(finding.left_out for finding in findings)


def nearest(name: str, known: Collection[str], cutoff: float = 0.6) -> str | None:
    """Return the most similar known name, if any; None if the name is long or there are many known names.

    Args:
        name: an unknown one.
        known: the known ones.
        cutoff: how similar it must be, from 0 to 1 (``difflib.get_close_matches``).
    """
    if len(name) > _NEAR_LENGTH or len(known) > _NEAR_NAMES:
        return None
    close = get_close_matches(name, [other for other in known if len(other) <= _NEAR_LENGTH], 1, cutoff)
    return close[0] if close else None


def quoting_hint(value: object) -> str:
    """Return the end of a message about a value that should be text: whether quotes are missing."""
    if isinstance(value, bool):
        return "; quote yes, no, on and off, which YAML reads as true or false"
    return "; quote numbers that are meant as text" if isinstance(value, int | float) else ""
