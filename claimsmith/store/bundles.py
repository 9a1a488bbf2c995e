"""Stored bundles: immutable versions, the pointer to the active one, and what the pointer was before."""

from __future__ import annotations

import json
import re
import zlib
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from claimsmith import table
from claimsmith.engine.codec import BundleError, decode
from claimsmith.engine.facts import Problem
from claimsmith.engine.rollout import ROLLOUT, Rollout, read_rollout
from claimsmith.engine.staging import MAX_VERSION, Staging, read_staging
from claimsmith.errors import Code, OperationError
from claimsmith.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from claimsmith.engine.bundle import Bundle
    from claimsmith.store.dynamodb import Table
    from claimsmith.store.reads import ReadableTable

    Row = Mapping[str, Any]

_MAX_REVISION: Final = 9_999_999_999

#: Moves of the pointer that are looked at for changes of the rollout.
_LOOKED_BACK: Final = 3_000

_VERSION_SK: Final = re.compile(rf"{re.escape(table.VERSION)}([0-9]{{8}})")


class Pointer(NamedTuple):
    """The row ``BUNDLE CURRENT``.

    Attributes:
        revision: counts moves of the pointer, so that a move can depend on having seen the previous one.
        hold: somebody has rolled back; nothing is published until somebody resumes.
        staging: the staged version and whom it serves; None if nothing is staged, or if it cannot be read.
        problem: why the staging cannot be read.
        updated_by: who moved the pointer last, if the row says so; likewise ``updated_at``, in epoch seconds.
        version_claims: the claims in which tokens carry their version, if the names of ``tenant_id`` or ``roles``
            differ between versions; empty if they do not; None if an earlier release wrote the row.
        rollout: how far the policy is rolled out; None if it reaches everybody.
        stored_rollout: that attribute as it is in the row, which every move keeps, even if it cannot be read.
    """

    version: int
    digest: str
    revision: int
    hold: bool
    staging: Staging | None = None
    problem: Problem | None = None
    updated_by: str | None = None
    updated_at: int | None = None
    version_claims: tuple[str, ...] | None = None
    rollout: Rollout | None = None
    stored_rollout: Any = None

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What of the row cannot be read."""
        found = (self.problem, self.rollout.problem if self.rollout is not None else None)
        return tuple(problem for problem in found if problem is not None)


class Version(NamedTuple):
    """A stored version, without its document.

    Attributes:
        created_at: epoch seconds.
        note: a comment of its author.
    """

    number: int
    digest: str
    created_at: int | None = None
    created_by: str | None = None
    note: str | None = None


def pointer(rows: ReadableTable) -> Pointer | None:
    """The pointer; None before the first version is published.

    Raises:
        BundleError: the row cannot be read. An unreadable staging or rollout is not an error; see ``Pointer.problems``.
        StoreError: DynamoDB is unavailable.
    """
    row = rows.get(table.BUNDLE, table.CURRENT)
    if row is None:
        return None
    try:
        version, digest, revision = int(row["version"]), str(row["digest"]), int(row["revision"])
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError("The pointer to the active bundle cannot be read.") from error
    staging = read_staging(row)
    return Pointer(
        version,
        digest,
        revision,
        bool(row.get("hold", False)),
        staging if isinstance(staging, Staging) else None,
        staging if isinstance(staging, Problem) else None,
        _text(row, "updated_by"),
        _seconds(row, "updated_at"),
        _texts(row, "version_claims"),
        read_rollout(row),
        row.get(ROLLOUT),
    )


def load(rows: ReadableTable, number: int, digest: str | None = None) -> Bundle:
    """A version's bundle.

    Args:
        rows: the table.
        number: the version's number.
        digest: the digest its document must have; None for the one stored with it.

    Raises:
        BundleError: it is missing, damaged, or of a newer format.
        StoreError: DynamoDB is unavailable.
    """
    return decode_row(read_row(rows, number), number, digest)[0]


def load_all(rows: ReadableTable, numbers: Sequence[int]) -> dict[int, dict[str, Any]]:
    """The rows of those of these versions that exist, in one request.

    Raises:
        StoreError: DynamoDB is unavailable.
    """
    keys = {table.version_sk(number): number for number in numbers}
    found = rows.batch_get([(table.BUNDLE, sk) for sk in keys], consistent=True)
    return {keys[row[table.SK]]: row for row in found}


def read_row(rows: ReadableTable, number: int) -> dict[str, Any] | None:
    """The row of a version.

    Raises:
        StoreError: DynamoDB is unavailable.
    """
    return rows.get(table.BUNDLE, table.version_sk(number))


def decode_row(row: Row | None, number: int, digest: str | None = None) -> tuple[Bundle, str]:
    """The bundle in a version's row, and its digest.

    Raises:
        BundleError: as ``load``.
    """
    document = row.get("document") if row else None
    if row is None or not isinstance(document, bytes):
        raise BundleError(f"Bundle version {number} does not exist.")
    expected = str(row.get("digest")) if digest is None else digest
    return decode(document, expected, number), expected


def document(rows: ReadableTable, number: int) -> dict[str, Any] | None:
    """The compiled document of a version; None if there is no such version.

    Raises:
        BundleError: it is damaged, or of a newer format.
        StoreError: DynamoDB is unavailable.
    """
    row = read_row(rows, number)
    return None if row is None else decode_document(row)


def decode_document(row: Row) -> dict[str, Any]:
    """The compiled document in a version's row.

    Raises:
        BundleError: it is damaged, or of a newer format.
    """
    key = _VERSION_SK.fullmatch(str(row.get(table.SK)))
    decode_row(row, int(key[1]) if key else 0)  # also checks its size
    read: dict[str, Any] = json.loads(zlib.decompress(row["document"]))
    return read


def version(rows: ReadableTable, number: int) -> Version | None:
    """A stored version; None if there is no such version."""
    row = read_row(rows, number)
    return None if row is None else _version(row)


def newest(rows: ReadableTable) -> Version | None:
    """The newest stored version, active or not.

    Raises:
        OperationError: as ``versions``.
    """
    found = versions(rows, limit=1)
    return found[0] if found else None


def versions(rows: ReadableTable, *, limit: int) -> list[Version]:
    """The newest stored versions, newest first.

    Raises:
        OperationError: a row among them does not have the key of a version.
    """
    return [_version(row) for row in newest_rows(rows, limit=limit)]


def newest_rows(rows: ReadableTable, *, limit: int) -> list[dict[str, Any]]:
    """The rows of the newest stored versions, newest first."""
    return rows.query(table.BUNDLE, sk_prefix=table.VERSION, limit=limit, descending=True)[:limit]


def _version(row: Row) -> Version:
    key = _VERSION_SK.fullmatch(str(row[table.SK]))
    if key is None:
        message = f"The row {table.BUNDLE} {row[table.SK]} is not a version. Somebody wrote it by hand; delete it."
        raise OperationError(Code.ROW_UNREADABLE, message)
    digest = str(row.get("digest"))
    return Version(int(key[1]), digest, _seconds(row, "created_at"), _text(row, "created_by"), _text(row, "note"))


def store(rows: Table, version: Version, document: bytes) -> None:
    """Write a version, which never changes afterwards.

    Raises:
        ConditionError: the number is already in use.
    """
    optional = {"created_at": version.created_at, "created_by": version.created_by, "note": version.note}
    rows.put(
        {
            table.PK: table.BUNDLE,
            table.SK: table.version_sk(version.number),
            "digest": version.digest,
            "document": document,
            **{name: value for name, value in optional.items() if value is not None},
        },
        condition="attribute_not_exists(pk)",
    )


def move(
    rows: Table,
    version: Version,
    last: Pointer | None,
    *,
    by: str,
    at: int,
    hold: bool = False,
    staging: Staging | None = None,
    version_claims: tuple[str, ...] | None = None,
) -> Pointer:
    """Move the pointer, provided that nobody has moved it since ``last`` was read. The rollout stays as it is.

    Args:
        rows: the table.
        version: the new active version.
        last: the pointer as it was read; None if there was none.
        by: who moves it.
        at: epoch seconds.
        hold: publish nothing until somebody resumes.
        staging: the staged version; None ends any staging.
        version_claims: ``Pointer.version_claims``; None keeps those of ``last``.

    Raises:
        ConditionError: somebody else has moved it.
    """
    base = last if last is not None else Pointer(version.number, version.digest, 0, hold)
    moved = base._replace(
        version=version.number,
        digest=version.digest,
        hold=hold,
        staging=staging,
        problem=None,
        updated_by=by,
        updated_at=at,
        version_claims=base.version_claims if version_claims is None else version_claims,
    )
    return _put(rows, moved, last)


def roll_out(rows: Table, rollout: Rollout | None, last: Pointer, *, by: str, at: int) -> Pointer:
    """Change how far the policy is rolled out, and nothing else, under the condition of ``move``.

    Args:
        rows: the table.
        rollout: None for everybody.
        last: the pointer as it was read.
        by: who changes it.
        at: epoch seconds.

    Raises:
        ConditionError: somebody else has moved the pointer.
    """
    stored = None if rollout is None else rollout.row()
    moved = last._replace(rollout=rollout, stored_rollout=stored, updated_by=by, updated_at=at)
    return _put(rows, moved, last)


def _put(rows: Table, moved: Pointer, last: Pointer | None) -> Pointer:
    """Write the pointer, with the next revision, if it is still the last one."""
    if last is not None:
        # Before it is replaced, so that a process that is killed in between loses nothing; what it was never changes.
        rows.put(_pointer_row(table.past_sk(last.revision), last))
    moved = moved._replace(revision=moved.revision + 1)
    rows.put(
        _pointer_row(table.CURRENT, moved),
        condition="revision = :revision" if last else "attribute_not_exists(pk)",
        values={":revision": last.revision} if last else None,
    )
    return moved


def _pointer_row(sk: str, pointer: Pointer) -> dict[str, Any]:
    row: dict[str, Any] = {
        table.PK: table.BUNDLE,
        table.SK: sk,
        "version": pointer.version,
        "digest": pointer.digest,
        "revision": pointer.revision,
        "hold": pointer.hold,
    }
    optional = {"updated_by": pointer.updated_by, "updated_at": pointer.updated_at}
    row |= {name: value for name, value in optional.items() if value is not None}
    staging = pointer.staging
    if staging is not None:
        row |= {"candidate": staging.candidate, "percent": staging.percent, "subjects": sorted(staging.subjects)}
    if pointer.version_claims is not None:
        row["version_claims"] = list(pointer.version_claims)
    if pointer.stored_rollout is not None:
        row[ROLLOUT] = pointer.stored_rollout
    return row


class RolloutChange(NamedTuple):
    """The rollout as somebody set it; None for everybody."""

    rollout: Rollout | None
    by: str | None
    at: int | None


def rollout_changes(rows: Table, *, limit: int) -> list[RolloutChange]:
    """The latest changes of the rollout, newest first, as far as the last ``_LOOKED_BACK`` moves show them.

    Raises:
        StoreError: DynamoDB is unavailable.
    """
    found: list[RolloutChange] = []
    later: Row | None = None
    for row in islice(_pointer_rows(rows), _LOOKED_BACK):
        if later is not None and later.get(ROLLOUT) != row.get(ROLLOUT):
            found.append(RolloutChange(read_rollout(later), _text(later, "updated_by"), _seconds(later, "updated_at")))
        if len(found) == limit:
            break
        later = row
    return found


class PastPointer(NamedTuple):
    """The row ``BUNDLE CURRENT`` as it was at some time.

    Attributes:
        row: the row; None if no version was active.
        recorded: it is what the row was; False if it is made up of when versions were created, because the moves of
            that time are not recorded.
    """

    row: Row | None
    recorded: bool


def past_pointer(rows: Table, at: int) -> PastPointer:
    """The pointer as it was at a time.

    Args:
        rows: the table.
        at: epoch seconds; a move within this second has happened.

    Raises:
        OperationError: as ``versions``.
        StoreError: DynamoDB is unavailable.
    """
    expected: int | None = None
    known = True
    for row in _pointer_rows(rows):
        revision, since = _seconds(row, "revision"), _seconds(row, "updated_at")
        # A revision that is missing was the pointer of an earlier release, which kept none.
        known = known and revision is not None and since is not None and expected in (None, revision)
        if not known:
            break
        assert revision is not None  # noqa: S101 - for the type checker
        assert since is not None  # noqa: S101 - for the type checker
        if since <= at:
            return PastPointer({**row, table.SK: table.CURRENT}, recorded=True)
        expected = revision - 1
    else:
        if not expected:
            return PastPointer(None, recorded=True)
    return PastPointer(_newest_at(rows, at), recorded=False)


def _pointer_rows(rows: Table) -> Iterator[Row]:
    """What the pointer is and has been, newest first."""
    row = rows.get(table.BUNDLE, table.CURRENT)
    if row is not None:
        yield row
        for page in rows.range(table.past_sk(0), table.past_sk(_MAX_REVISION), pk=table.BUNDLE, descending=True):
            yield from page


def _newest_at(rows: Table, at: int) -> Row | None:
    """A pointer to the newest version that there was at a time."""
    for page in rows.range(table.version_sk(0), table.version_sk(MAX_VERSION), pk=table.BUNDLE, descending=True):
        for version in map(_version, page):
            if version.created_at is not None and version.created_at <= at:
                return _pointer_row(table.CURRENT, Pointer(version.number, version.digest, 0, hold=False))
    return None


def touch(rows: Table, last: Pointer) -> Pointer:
    """Increment the revision of the pointer, so that nobody who read it before can move it.

    Raises:
        ConditionError: somebody has moved it since ``last`` was read.
    """
    return move(
        rows,
        Version(last.version, last.digest),
        last,
        by=last.updated_by or "",
        at=last.updated_at or 0,
        hold=last.hold,
        staging=last.staging,
    )


def _text(row: Row, name: str) -> str | None:
    value = row.get(name)
    return value if isinstance(value, str) else None


def _texts(row: Row, name: str) -> tuple[str, ...] | None:
    value = row.get(name)
    if not isinstance(value, list | frozenset) or not all(isinstance(text, str) for text in value):
        return None
    return tuple(sorted(value))


def _seconds(row: Row, name: str) -> int | None:
    value = row.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
