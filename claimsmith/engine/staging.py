"""A staged version: whom it serves, so that a policy can be tried on a few before it is in force for all.

A subject is the user's ``sub``; for a machine token it is the app client's id. Whom a percentage serves depends on
nothing but the subject: who is served by 10 percent is served by 50, and by every process and every later version
of this code. ``tests/unit/engine/test_staging.py`` has vectors that must never change.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, TypeGuard

from claimsmith import table
from claimsmith.engine.facts import Problem
from claimsmith.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The last number that a version's key has room for.
MAX_VERSION: Final = 99_999_999

_ALL: Final = 100

#: The pointer's attributes about a staged version.
_ATTRIBUTES: Final = ("candidate", "percent", "subjects")


class Staging(NamedTuple):
    """A staged version, and whom it serves beside those that the version in force does.

    Attributes:
        candidate: its number.
        percent: of all subjects, 0 to 100.
        subjects: served whatever the percentage.
    """

    candidate: int
    percent: int = 0
    subjects: frozenset[str] = frozenset()

    def serves(self, subject: str) -> bool:
        """Whether this subject's tokens are made by the candidate."""
        return is_served(subject, self.percent, self.subjects)


class Wrong(NamedTuple):
    """An attribute that cannot be read, and why."""

    attribute: str
    why: str


def is_served(subject: str, percent: int, subjects: frozenset[str]) -> bool:
    """Whether a subject is among these, or in this percentage of all."""
    return subject in subjects or bucket(subject) < percent


def bucket(subject: str) -> int:
    """Where a subject stands among the hundred parts of all: 0 to 99; a percentage serves those below it.

    It is the first eight bytes of the SHA-256 of the subject in UTF-8, read as a big-endian number, modulo 100.
    """
    digest = sha256(subject.encode(errors="surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") % _ALL


def read_staging(row: Mapping[str, Any]) -> Staging | Problem | None:
    """The staged version in the row ``BUNDLE CURRENT``.

    Returns:
        None where nothing is staged; what is wrong where it cannot be read, and then nobody is served by it.
    """
    given = {name: row[name] for name in _ATTRIBUTES if name in row}
    if not given:
        return None
    candidate = given.get("candidate")
    if not _is_number(candidate, 1, MAX_VERSION):
        return _problem(Wrong("candidate", "is not the number of a version"))
    share = read_share(given)
    return _problem(share) if isinstance(share, Wrong) else Staging(candidate, *share)


def read_share(given: Mapping[str, Any]) -> tuple[int, frozenset[str]] | Wrong:
    """``percent`` and ``subjects``: a part of all subjects."""
    percent, subjects = given.get("percent", 0), given.get("subjects", [])
    if not _is_number(percent, 0, _ALL):
        return Wrong("percent", "is not a whole number from 0 to 100")
    if not isinstance(subjects, list | frozenset) or not all(isinstance(subject, str) for subject in subjects):
        return Wrong("subjects", "is not a list of strings")
    return percent, frozenset(subjects)


def _is_number(value: object, least: int, most: int) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _problem(wrong: Wrong) -> Problem:
    row = f"{table.BUNDLE} {table.CURRENT}"
    return Problem(row, wrong.attribute, f"{wrong.why}; nobody is served by a staged version")
