"""A policy as written, before any check: entries with their positions, from rows or from YAML."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from claimsmith import table
from claimsmith.policy.documents import KINDS, SETTINGS_SECTION
from claimsmith.policy.literals import plain

if TYPE_CHECKING:
    from collections.abc import Iterable

#: The section whose order matters; rows have it as this attribute, with gaps between neighbours.
ORDERED_SECTION: Final = "rules"
ORDER: Final = "order"
ORDER_STEP: Final = 10

#: Who wrote a row and when; not part of the policy.
SIGNATURES: Final = frozenset({"updated_by", "updated_at"})

#: The suffix of ceilings. Ceilings are lists; a set there is an error, so it makes a different policy.
_CEILING: Final = "_allowed"

#: Attributes that contain ceilings: what a test gives.
_WITH_CEILINGS: Final = frozenset({"given", "tenant"})

#: The section of rows of an unknown kind, which lint refuses.
UNKNOWN_SECTION: Final = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of a policy.

    Attributes:
        section: a YAML section, or ``UNKNOWN_SECTION``.
        name: the sort key without its prefix.
        attributes: without the keys.
        file: the file it was read from, if any.
        lines: line numbers by path within the entry; the empty path is the entry itself.
    """

    section: str
    name: str
    attributes: Mapping[str, Any]
    file: str | None = None
    lines: Mapping[tuple[str, ...], int] = field(default_factory=dict)

    @property
    def sk(self) -> str:
        """The row's sort key."""
        if self.section == SETTINGS_SECTION:
            return table.SETTINGS
        return KINDS[self.section].prefix + self.name if self.section in KINDS else self.name

    @property
    def row(self) -> str:
        """The row key, as findings and reasons show it."""
        return f"{table.POLICY} {self.sk}"

    def line(self, path: tuple[str, ...]) -> int | None:
        """Return the line of a path within this entry, or of its nearest parent that has a line."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path)


@dataclass(frozen=True, slots=True)
class Draft:
    """A policy's entries, in the order of their sort keys."""

    entries: tuple[Entry, ...]

    def section(self, name: str) -> dict[str, Entry]:
        """Return the entries of a section by name."""
        return {entry.name: entry for entry in self.entries if entry.section == name}

    def rows(self) -> list[dict[str, Any]]:
        """Return the table rows of this policy."""
        return [{table.PK: table.POLICY, table.SK: entry.sk, **entry.attributes} for entry in self.entries]

    def digest(self) -> str:
        """Return the SHA-256 of the policy in hexadecimal, ignoring who wrote each row and when."""
        content = [
            (
                entry.sk,
                {name: _canonical(name, value) for name, value in entry.attributes.items() if name not in SIGNATURES},
            )
            for entry in self.entries
        ]
        canonical = json.dumps(_jsonable(plain(content)), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return sha256(canonical.encode(errors="surrogatepass")).hexdigest()


def from_rows(rows: Iterable[Mapping[str, Any]]) -> Draft:
    """Return the draft in the rows of the ``POLICY`` partition."""
    return ordered(_entry(row) for row in rows)


def ordered(entries: Iterable[Entry]) -> Draft:
    """Return a draft of these entries, sorted."""
    return Draft(tuple(sorted(entries, key=lambda entry: entry.sk)))


def _entry(row: Mapping[str, Any]) -> Entry:
    sk = str(row[table.SK])
    attributes = {name: value for name, value in row.items() if name not in (table.PK, table.SK)}
    if sk == table.SETTINGS:
        return Entry(SETTINGS_SECTION, "", attributes)
    for section, kind in KINDS.items():
        if sk.startswith(kind.prefix):
            return Entry(section, sk.removeprefix(kind.prefix), attributes)
    return Entry(UNKNOWN_SECTION, sk, attributes)


def _canonical(name: str, value: Any) -> Any:  # noqa: ANN401 - any value of a row
    """Mark ceilings that are sets, so that their digest differs from that of a list; elsewhere the two are the same."""
    if name.endswith(_CEILING) and isinstance(value, set | frozenset):
        return {"set": value}
    if name in _WITH_CEILINGS and isinstance(value, Mapping):
        return {part: _canonical(str(part), item) for part, item in value.items()}
    return value


def _jsonable(value: object) -> object:
    """Replace values that JSON does not have by the name of their type."""
    if isinstance(value, Mapping):
        return {str(name): _jsonable(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_jsonable(item) for item in value]
    return value if value is None or isinstance(value, str | int | float) else type(value).__name__
