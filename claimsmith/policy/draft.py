"""A policy as it is written: entries with their place, from rows or from YAML, not yet checked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from claimsmith import table
from claimsmith.policy.literals import plain

if TYPE_CHECKING:
    from collections.abc import Iterable

#: YAML section -> the prefix of its rows' sort keys.
SECTIONS: Final[Mapping[str, str]] = {
    "roles": table.ROLE,
    "groups": table.GROUP,
    "clients": table.CLIENT,
    "rules": table.RULE,
    "routes": table.ROUTE,
    "tests": table.TEST,
}

#: Sections that a file holds as a list -> the attribute under which each entry has its name.
LISTED_SECTIONS: Final[Mapping[str, str]] = {"rules": "id", "routes": "id", "tests": "name"}

SETTINGS_SECTION: Final = "settings"

#: The section whose list has an order; rows tell it by this attribute, with room between one and the next.
ORDERED_SECTION: Final = "rules"
ORDER: Final = "order"
ORDER_STEP: Final = 10

#: Who wrote a row and when: the table's business, not the policy's.
SIGNATURES: Final = frozenset({"updated_by", "updated_at"})

#: What the names of ceilings end in. They are lists, and one that is a set is refused: it is not the same policy.
_CEILING: Final = "_allowed"

#: Where else than in an entry itself there are ceilings: in what a test gives.
_WITH_CEILINGS: Final = frozenset({"given", "tenant"})

#: A section of rows whose kind is not known; lint refuses each.
UNKNOWN_SECTION: Final = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of a policy.

    Attributes:
        section: a YAML section, or ``UNKNOWN_SECTION``.
        name: what follows the prefix of the sort key.
        attributes: without the keys.
        file: where it was read, if from a file.
        lines: line numbers by path below the entry; the entry's own under the empty path.
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
        return SECTIONS.get(self.section, "") + self.name

    @property
    def row(self) -> str:
        """The row's key in a word, as findings and reasons name it."""
        return f"{table.POLICY} {self.sk}"

    def line(self, path: tuple[str, ...]) -> int | None:
        """The line of a path below this entry, or of the nearest part of it that has one."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path)


@dataclass(frozen=True, slots=True)
class Draft:
    """A policy's entries, in the order of their sort keys."""

    entries: tuple[Entry, ...]

    def section(self, name: str) -> dict[str, Entry]:
        """The entries of a section by name."""
        return {entry.name: entry for entry in self.entries if entry.section == name}

    def rows(self) -> list[dict[str, Any]]:
        """The rows of this policy."""
        return [{table.PK: table.POLICY, table.SK: entry.sk, **entry.attributes} for entry in self.entries]

    def digest(self) -> str:
        """SHA-256, hexadecimal, of what the policy says; who wrote it and when does not count."""
        said = [
            (entry.sk, {name: _said(name, value) for name, value in entry.attributes.items() if name not in SIGNATURES})
            for entry in self.entries
        ]
        canonical = json.dumps(_jsonable(plain(said)), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return sha256(canonical.encode(errors="surrogatepass")).hexdigest()


def from_rows(rows: Iterable[Mapping[str, Any]]) -> Draft:
    """The draft in the rows of the ``POLICY`` partition."""
    return ordered(_entry(row) for row in rows)


def ordered(entries: Iterable[Entry]) -> Draft:
    """A draft of these entries."""
    return Draft(tuple(sorted(entries, key=lambda entry: entry.sk)))


def _entry(row: Mapping[str, Any]) -> Entry:
    sk = str(row[table.SK])
    attributes = {name: value for name, value in row.items() if name not in (table.PK, table.SK)}
    if sk == table.SETTINGS:
        return Entry(SETTINGS_SECTION, "", attributes)
    for section, prefix in SECTIONS.items():
        if sk.startswith(prefix):
            return Entry(section, sk.removeprefix(prefix), attributes)
    return Entry(UNKNOWN_SECTION, sk, attributes)


def _said(name: str, value: Any) -> Any:  # noqa: ANN401 - any value of a row
    """A value in which a ceiling that is a set is told from a list; elsewhere the two are the same."""
    if name.endswith(_CEILING) and isinstance(value, set | frozenset):
        return {"set": value}
    if name in _WITH_CEILINGS and isinstance(value, Mapping):
        return {part: _said(str(part), item) for part, item in value.items()}
    return value


def _jsonable(value: object) -> object:
    """A plain value; what JSON has not, by its type."""
    if isinstance(value, Mapping):
        return {str(name): _jsonable(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_jsonable(item) for item in value]
    return value if value is None or isinstance(value, str | int | float) else type(value).__name__
