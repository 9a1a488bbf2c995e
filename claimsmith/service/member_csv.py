"""The CSV file of memberships: what ``members export`` writes and ``members import`` reads.

A column that is not there leaves its attribute as it is; an empty cell clears it.
"""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING, Any, Final

from claimsmith import table
from claimsmith.cognito.limits import SUB
from claimsmith.engine.facts import Problem, StoredMembership, read_membership
from claimsmith.engine.language import NAME
from claimsmith.errors import Code, OperationError
from claimsmith.named_tuple import NamedTuple
from claimsmith.policy.finding import clipped, nearest
from claimsmith.service.times import instant, iso

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    Row = Mapping[str, Any]

#: The columns of an export, and the attribute of the row that each stands for, where it is one.
COLUMNS: Final = {
    "user": None,
    "tenant": None,
    "roles": "roles",
    "scopes": "scopes",
    "status": "status",
    "until": "expires_at",
}

#: Columns that every file has.
_REQUIRED: Final = ("user", "tenant")

#: What a file of refused rows has besides, so that it can be corrected and imported.
NOTES: Final = ("line", "reason")

#: Bytes of the largest file: a million rows or so.
MAX_SIZE: Final = 100_000_000

#: How a cell begins that a spreadsheet takes for a formula.
_FORMULA: Final = ("=", "+", "-", "@")

_SEPARATORS: Final = re.compile(r"[\s;]+")


class Line(NamedTuple):
    """A row of the file.

    Attributes:
        number: the line in the file, counted from 1.
        cells: as they stand there, by column.
        given: the attributes that the file has a column for: ``roles`` and ``scopes`` as sorted tuples, ``status`` and
            ``expires_at``, which are None where the cell is empty.
    """

    number: int
    cells: Mapping[str, str]
    user: str
    tenant: str
    given: Mapping[str, Any]


class Refused(NamedTuple):
    """A row that is not imported, and why."""

    number: int
    cells: Mapping[str, str]
    reason: str


def read(content: bytes) -> Iterator[Line | Refused]:
    """The rows of a file.

    Args:
        content: UTF-8, with or without a byte order mark, separated by commas or semicolons.

    Raises:
        OperationError: it is not such a file, or it has not the columns of one.
    """
    if len(content) > MAX_SIZE:
        raise _unreadable(f"The file is larger than {MAX_SIZE:,} bytes. Split it.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _unreadable("The file is not UTF-8. In Excel, save it as CSV UTF-8.") from None
    first = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=";" if ";" in first else ",", strict=True)
    try:
        columns = _columns(next(reader, []))
        number = reader.line_num + 1
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield _line(number, columns, cells)
            number = reader.line_num + 1
    except csv.Error as error:
        raise _unreadable(f"Line {reader.line_num} of the file is not CSV: {error}.") from None


def _columns(header: list[str]) -> list[str]:
    columns = [cell.strip().lower() for cell in header]
    known = (*COLUMNS, *NOTES)
    for column in columns:
        if column not in known:
            close = nearest(column, known)
            hint = f"Did you mean {close}?" if close else f"The columns are {', '.join(COLUMNS)}."
            raise _unreadable(f"The file has an unknown column {clipped(column)!r}. {hint}")
    if len(set(columns)) != len(columns):
        raise _unreadable("The file has a column twice.")
    missing = [column for column in _REQUIRED if column not in columns]
    if missing:
        raise _unreadable(f"The file has no column {missing[0]!r}. The first line names the columns.")
    return columns


def _unreadable(message: str) -> OperationError:
    return OperationError(Code.CSV_UNREADABLE, message)


def _line(number: int, columns: list[str], cells: list[str]) -> Line | Refused:
    named = dict(zip(columns, cells, strict=False))
    if len(cells) != len(columns):
        return Refused(number, named, f"it has {len(cells)} cells, and the header has {len(columns)}")
    user, tenant = named["user"].strip(), named["tenant"].strip()
    if not user or len(user) > 128 or any(character.isspace() for character in user):  # noqa: PLR2004 - Cognito's limit
        return Refused(number, named, "the user is not a sub, a username or an e-mail address")
    if not NAME.fullmatch(tenant):
        return Refused(number, named, "the tenant is not a tenant id")
    try:
        given = {
            attribute: _value(column, named[column].strip())
            for column, attribute in COLUMNS.items()
            if attribute is not None and column in named
        }
    except OperationError as error:
        return Refused(number, named, f"until: {error.message}")
    return Line(number, named, user, tenant, given)


def _value(column: str, cell: str) -> Any:  # noqa: ANN401 - what the attribute holds
    if column in ("roles", "scopes"):
        return tuple(sorted(set(filter(None, _SEPARATORS.split(cell)))))
    if not cell:
        return None
    return instant(cell, end_of_day=True) if column == "until" else cell


class Omitted(NamedTuple):
    """A membership that a file cannot hold, and why."""

    sub: str
    tenant: str
    reason: str


def exported(row: Row, now: int) -> dict[str, str] | Omitted:
    """The cells of a membership, by column; ``read`` of them gives the row's own attributes."""
    sub = str(row[table.PK]).removeprefix(table.USER_PREFIX)
    tenant = str(row[table.SK]).removeprefix(table.TENANT_PREFIX)
    stored = read_membership(row, now)
    if isinstance(stored, Problem):
        return Omitted(sub, tenant, f"{stored.attribute} {stored.why}")
    attributes = given(row, stored)
    cells = {
        "user": sub,
        "tenant": tenant,
        "roles": " ".join(attributes["roles"]),
        "scopes": " ".join(attributes["scopes"]),
        "status": attributes["status"] or "",
        "until": "" if stored.expires_at is None else iso(stored.expires_at),
    }
    if any(cell.startswith(_FORMULA) for cell in cells.values()):
        return Omitted(sub, tenant, "a spreadsheet would run a cell of it as a formula")
    again = _line(1, list(cells), list(cells.values()))
    if not SUB.fullmatch(sub) or not isinstance(again, Line) or again.given != attributes:
        return Omitted(sub, tenant, "it has a name that a cell cannot hold")
    return cells


def given(row: Row, stored: StoredMembership) -> dict[str, Any]:
    """The attributes that a file has columns for, as a line that says the same would give them."""
    return {
        "roles": tuple(sorted(set(stored.membership.roles))),
        "scopes": tuple(sorted(set(stored.membership.scopes))),
        "status": str(row["status"]) if "status" in row else None,
        "expires_at": stored.expires_at,
    }


def write(file: Any, lines: Iterable[Mapping[str, str]], columns: Iterable[str] = COLUMNS) -> None:  # noqa: ANN401 - a text file
    """Write a header and lines; a column that a line lacks stays empty."""
    writer = csv.DictWriter(file, list(columns), restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)


def refused_cells(refused: Refused) -> dict[str, str]:
    """The cells of a refused row with its line and the reason."""
    return {**refused.cells, "line": str(refused.number), "reason": refused.reason}
