"""Stored bundles: immutable versions, and the pointer to the one in force."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from claimsmith import table
from claimsmith.engine.bundle import Bundle, BundleError, decode

if TYPE_CHECKING:
    from claimsmith.store.dynamodb import Table


@dataclass(frozen=True, slots=True)
class Pointer:
    """The row ``BUNDLE CURRENT``.

    Attributes:
        revision: counts moves of the pointer, so that a move can be conditional on having seen the last one.
        hold: somebody rolled back; nothing is published until they resume.
    """

    version: int
    digest: str
    revision: int
    hold: bool


@dataclass(frozen=True, slots=True)
class Version:
    """A stored version, without its document."""

    number: int
    digest: str


def pointer(rows: Table) -> Pointer | None:
    """The pointer; None before anything was published.

    Raises:
        BundleError: the row is not one.
        StoreError: DynamoDB does not answer.
    """
    row = rows.get(table.BUNDLE, table.CURRENT)
    if row is None:
        return None
    try:
        return Pointer(int(row["version"]), str(row["digest"]), int(row["revision"]), bool(row.get("hold", False)))
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError("The pointer to the current bundle cannot be read.") from error


def load(rows: Table, version: int, digest: str) -> Bundle:
    """A version's bundle.

    Raises:
        BundleError: it is not there, damaged, or of a newer format.
        StoreError: DynamoDB does not answer.
    """
    row = rows.get(table.BUNDLE, table.version_sk(version))
    document = row.get("document") if row else None
    if not isinstance(document, bytes):
        raise BundleError(f"Bundle version {version} is not there.")
    return decode(document, digest, version)


def digest(rows: Table, version: int) -> str | None:
    """A stored version's digest; None where there is no such version."""
    row = rows.get(table.BUNDLE, table.version_sk(version))
    return str(row["digest"]) if row else None


def newest(rows: Table) -> Version | None:
    """The newest stored version, in force or not."""
    found = rows.query(table.BUNDLE, sk_prefix=table.VERSION, limit=1, descending=True)
    return Version(int(found[0][table.SK].removeprefix(table.VERSION)), found[0]["digest"]) if found else None


def store(rows: Table, version: Version, document: bytes, *, created_at: int, created_by: str) -> None:
    """Write a version, once and for ever.

    Raises:
        ConditionError: the number is taken.
    """
    rows.put(
        {
            table.PK: table.BUNDLE,
            table.SK: table.version_sk(version.number),
            "digest": version.digest,
            "document": document,
            "created_at": created_at,
            "created_by": created_by,
        },
        condition="attribute_not_exists(pk)",
    )


def move(rows: Table, version: Version, last: Pointer | None, *, hold: bool = False) -> Pointer:
    """Point to a version, on the condition that nobody has moved the pointer since ``last`` was read.

    Raises:
        ConditionError: somebody has.
    """
    moved = Pointer(version.number, version.digest, last.revision + 1 if last else 1, hold)
    rows.put(
        {
            table.PK: table.BUNDLE,
            table.SK: table.CURRENT,
            "version": moved.version,
            "digest": moved.digest,
            "revision": moved.revision,
            "hold": moved.hold,
        },
        condition="revision = :revision" if last else "attribute_not_exists(pk)",
        values={":revision": last.revision} if last else None,
    )
    return moved
