"""Backups: rows of the table in a file of JSON Lines, exactly as DynamoDB has them.

The first line says what the file is, each further line is a row in the form of DynamoDB's own exports, and the last
line has the number of rows and the SHA-256 of all lines before it: without it, or with another, the file is not whole.
"""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, dataclass
from enum import Enum
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from claimsmith import table
from claimsmith.errors import Code, OperationError
from claimsmith.store.attributes import from_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

    from claimsmith.service.selection import Selection
    from claimsmith.store.exact import ExactTable, Item

#: The version of the file's format. A newer one is refused, an older one must stay readable.
FORMAT: Final = 1

#: Bytes of a line: a row has at most 400 KB, of which JSON can make six times as much.
_LINE: Final = 4_000_000

_SETS: Final = ("SS", "NS", "BS")


class Kind(Enum):
    """Rows that are restored together."""

    REVOCATION = table.REVOKED_PREFIX
    BUNDLE = f'{table.BUNDLE}"'
    POLICY = f'{table.POLICY}"'
    OTHER = ""


#: How a line begins, by the kind of its row.
_BEGINS: Final = {kind: f'{{"Item":{{"pk":{{"S":"{kind.value}'.encode() for kind in Kind if kind is not Kind.OTHER}


@dataclass(frozen=True, slots=True)
class Header:
    """What a backup says of itself.

    Attributes:
        table: the table's name.
        part: of the table, as ``Selection`` has it; likewise ``id``.
        made_at: when the first row was read; epoch seconds.
        format: ``FORMAT``.
    """

    table: str
    part: str
    id: str
    made_at: int
    format: int = FORMAT


def lines(
    rows: ExactTable, selection: Selection, *, now: int, done: Callable[[int], None] = lambda _: None
) -> Iterator[bytes]:
    """The lines of a backup. Keeps one page of rows in memory, and the policy.

    Args:
        rows: the table.
        selection: the rows.
        now: epoch seconds.
        done: called with the number of rows since the last call.

    Raises:
        OperationError: somebody is applying a policy.
        StoreError: DynamoDB is unavailable.
    """
    digest, count = sha256(), 0
    header = Header(rows.name, selection.part, selection.id, now)
    for line in _content(header, selection.pages(rows), done):
        digest.update(line)
        count += 1
        yield line
    yield _line({"rows": count - 1, "sha256": digest.hexdigest()})


def _content(header: Header, pages: Iterator[list[Item]], done: Callable[[int], None]) -> Iterator[bytes]:
    yield _line({"claimsmith_backup": asdict(header)})
    for page in pages:
        for item in page:
            yield _line({"Item": plain(item)})
        done(len(page))


def _line(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def plain(item: Item) -> dict[str, Any]:
    """A row as JSON: keys first, other names in order, sets sorted, binary as base64."""
    names = [table.PK, table.SK, *sorted(name for name in item if name not in (table.PK, table.SK))]
    return {name: _plain(item[name]) for name in names}


def _plain(value: Any) -> Any:  # noqa: ANN401 - a value in DynamoDB's representation
    [(kind, content)] = value.items()
    match kind:
        case "B":
            return {kind: base64.b64encode(content).decode()}
        case "BS":
            return {kind: sorted(base64.b64encode(each).decode() for each in content)}
        case "SS" | "NS":
            return {kind: sorted(content)}
        case "M":
            return {kind: {name: _plain(content[name]) for name in sorted(content)}}
        case "L":
            return {kind: [_plain(each) for each in content]}
        case _:
            return {kind: content}


class Backup:
    """A backup in a file, which was checked from its first line to its last.

    Attributes:
        header: its first line.
        count: how many rows it has.
    """

    def __init__(self, file: BinaryIO) -> None:
        """Check a file. Keeps one row in memory.

        Args:
            file: opened to read; it is read several times.

        Raises:
            OperationError: it is no backup, is not whole, was changed, or is of a newer format.
        """
        self._file = file
        file.seek(0)
        first = self._read()
        self.header = _header(first)
        self.count = self._check(first)

    def items(self, kind: Kind) -> Iterator[Item]:
        """Its rows of a kind, in the order of the file."""
        self._file.seek(0)
        self._read()
        for _ in range(self.count):
            line = self._read()
            # A line begins with the partition key, so that others need not be read.
            if kind is next((each for each, begin in _BEGINS.items() if line.startswith(begin)), Kind.OTHER):
                yield from_json(json.loads(line)["Item"])

    def _read(self) -> bytes:
        return self._file.readline(_LINE)

    def _check(self, line: bytes) -> int:
        digest, count = sha256(), -1
        while following := self._read():
            digest.update(line)
            count += 1
            if count:
                _check_row(line, count)
            line = following
        try:
            last = json.loads(line)
            whole = (last["rows"], last["sha256"]) == (count, digest.hexdigest())
        except (ValueError, TypeError, KeyError):
            whole = False
        if not whole:
            raise _unreadable("It is not whole, or was changed: its last line does not match the lines before it.")
        return count


def _header(line: bytes) -> Header:
    try:
        found = json.loads(line)["claimsmith_backup"]
        number = found["format"]
    except (ValueError, TypeError, KeyError):
        raise _unreadable("It does not begin as a backup does.") from None
    if number != FORMAT:
        message = f"The backup has format {number}; this release reads {FORMAT}. Use the release that made it."
        raise OperationError(Code.BACKUP_FORMAT, message)
    try:
        header = Header(**found)
    except TypeError:
        raise _unreadable("Its first line has other members.") from None
    if not isinstance(header.made_at, int):
        raise _unreadable("Its first line has no time.")
    return header


def _check_row(line: bytes, number: int) -> None:
    """Check that a line is a row, whoever wrote it.

    Raises:
        OperationError: it is not.
    """
    try:
        item = from_json(json.loads(line)["Item"])
        keys = [item[name]["S"] for name in (table.PK, table.SK)]
        readable = all(isinstance(key, str) and key for key in keys) and line == _line({"Item": plain(item)})
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        readable = False
    if not readable:
        raise _unreadable(f"Line {number + 1} is not a row.")


def _unreadable(why: str) -> OperationError:
    return OperationError(Code.BACKUP_UNREADABLE, f"This is not a backup that can be restored. {why}")
