"""The row ``BUNDLE NAMES``: the meaning of each claim name in all versions that have been active or staged.

Stored separately from the versions, so that publishing reads one row however many versions there are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from claimsmith import table
from claimsmith.engine.history import History
from claimsmith.errors import Code, OperationError

if TYPE_CHECKING:
    from claimsmith.store.dynamodb import Table

_UNREADABLE: Final = (
    f"The row {table.BUNDLE} {table.NAMES} cannot be read. Delete it; it will be rebuilt from the stored versions."
)


def read(rows: Table) -> History | None:
    """The history; None before the first version, and in a table of an earlier release.

    Raises:
        OperationError: the row cannot be read; somebody changed it by hand.
        StoreError: DynamoDB is unavailable.
    """
    row = rows.get(table.BUNDLE, table.NAMES)
    if row is None:
        return None
    built_in: Any = row.get("built_in")
    decisive: Any = row.get("decisive")
    ordinary = row.get("ordinary", frozenset())
    versions = row.get("revision")
    if not (
        _is_map_of_text(built_in)
        and _is_map_of_text(decisive)
        and isinstance(ordinary, list | frozenset)
        and all(isinstance(name, str) for name in ordinary)
        and isinstance(versions, int)
    ):
        raise OperationError(Code.ROW_UNREADABLE, _UNREADABLE)
    return History(
        built_in,
        frozenset(ordinary),
        decisive,
        row.get("renamed") is not False,
        row.get("full") is not False,
        versions,
    )


def write(rows: Table, history: History, last: History | None) -> None:
    """Write the history, provided that nobody has written it since ``last`` was read.

    Raises:
        ConditionError: somebody else has written it.
    """
    row: dict[str, Any] = {
        table.PK: table.BUNDLE,
        table.SK: table.NAMES,
        "built_in": dict(history.built_in),
        "decisive": dict(history.decisive),
        "renamed": history.renamed,
        "full": history.full,
        "revision": history.versions,
    }
    if history.ordinary:
        row["ordinary"] = history.ordinary
    rows.put(
        row,
        condition="revision = :revision" if last else "attribute_not_exists(pk)",
        values={":revision": last.versions} if last else None,
    )


def _is_map_of_text(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(part, str) for part in value.values())
