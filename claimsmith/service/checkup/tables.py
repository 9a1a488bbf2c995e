"""Checks of the settings of both tables against ``claimsmith.table``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from claimsmith import table as names
from claimsmith.errors import Code
from claimsmith.service.checkup.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from claimsmith.store.deployment import TableSettings

_STREAM_VIEW: Final = "NEW_AND_OLD_IMAGES"


def missing(name: str) -> Iterator[Finding]:
    """The table does not exist."""
    yield Finding(
        Code.TABLE_MISSING,
        name,
        "There is no such table in this account and region.",
        "Check the name (stack outputs TableName, AuditTableName) and --region. If it was deleted, restore a backup.",
    )


def settings(table: TableSettings, *, audit: bool = False) -> Iterator[Finding]:
    """Keys, index, stream and protection.

    Args:
        table: the table.
        audit: it is the audit table, which needs no index and no stream.
    """
    if table.keys != _keys(names.KEY_SCHEMA) or any(table.types.get(name) != "S" for name, _ in table.keys):
        yield Finding(
            Code.TABLE_KEYS,
            table.name,
            f"Its keys are {_shown(table.keys)}, not the strings {_shown(_keys(names.KEY_SCHEMA))}: it is no table of "
            "Claimsmith.",
            "Check --table; the table name is the stack output TableName.",
        )
        return
    if not audit:
        yield from _index(table)
        yield from _stream(table)
    if not table.protected:
        yield Finding(
            Code.TABLE_NOT_PROTECTED,
            table.name,
            "One request can delete the table: deletion protection is off.",
            "Turn on DeletionProtectionEnabled; a production stage has it on. Leave it off only in development.",
        )


def _index(table: TableSettings) -> Iterator[Finding]:
    if table.index == _keys(names.INDEX_KEY_SCHEMA):
        return
    what = f"has the keys {_shown(table.index)}" if table.index else "is missing"
    yield Finding(
        Code.TABLE_KEYS,
        f"{table.name}/{names.BY_SK}",
        f"The index {what}: the members of a tenant cannot be listed. Tokens do not depend on it.",
        f"Create the index {names.BY_SK} with the keys {_shown(_keys(names.INDEX_KEY_SCHEMA))}, KEYS_ONLY.",
    )


def _stream(table: TableSettings) -> Iterator[Finding]:
    if table.stream_view == _STREAM_VIEW:
        return
    what = f"has only {table.stream_view}" if table.stream_view else "is off"
    yield Finding(
        Code.TABLE_STREAM,
        table.name,
        f"The table's stream {what}: edits in the console are not published, and changes are not audited in full.",
        f"Turn on the stream with the view {_STREAM_VIEW}, and let the publisher read the new stream.",
    )


def time_to_live(name: str, attribute: str) -> Iterator[Finding]:
    """Rows with a past ``ttl`` should go by themselves.

    Args:
        name: the table.
        attribute: by which DynamoDB deletes rows; empty if it deletes none.
    """
    if attribute != names.TTL:
        what = f"is on for {attribute}, not for {names.TTL}" if attribute else "is off"
        yield Finding(
            Code.TABLE_TTL,
            name,
            f"Time to live {what}: rows that have expired have no effect, but are never deleted.",
            f"Turn on time to live for the attribute {names.TTL}.",
        )


def backups(name: str, *, backed_up: bool) -> Iterator[Finding]:
    """The table should be restorable."""
    if not backed_up:
        yield Finding(
            Code.TABLE_NOT_BACKED_UP,
            name,
            "The table cannot be restored: point-in-time recovery is off.",
            "Turn on point-in-time recovery; a production stage has it on. Leave it off only in development.",
        )


def _keys(schema: Sequence[dict[str, Any]]) -> tuple[tuple[str, str], ...]:
    return tuple((each["AttributeName"], each["KeyType"]) for each in schema)


def _shown(keys: Sequence[tuple[str, str]]) -> str:
    return ", ".join(name for name, _ in keys)
