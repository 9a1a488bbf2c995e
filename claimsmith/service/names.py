"""The names of claims across all versions: which version may be activated, and how its tokens are read (ADR 17)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from claimsmith import table
from claimsmith.engine.codec import BundleError
from claimsmith.engine.history import History, carries_version
from claimsmith.errors import Code, OperationError, PolicyError
from claimsmith.policy.finding import MAX_FINDINGS, cut, found
from claimsmith.store import bundles, history

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from claimsmith.engine.history import Conflict
    from claimsmith.policy import Draft, Finding
    from claimsmith.policy.draft import Entry
    from claimsmith.store.dynamodb import Table

#: Versions that are scanned in a table of an earlier release, newest first. An older version is scanned when somebody
#: activates it again.
MAX_SCANNED_VERSIONS: Final = 50

_ATTRIBUTES: Final = ("claims", "access_claims", "id_claims")


def check(rows: Table, draft: Draft, document: Mapping[str, Any]) -> None:
    """Refuse a draft that gives a claim name another meaning than an earlier version did.

    Args:
        rows: the table.
        draft: the draft to publish.
        document: the compiled draft.

    Raises:
        PolicyError: with a finding for each such name.
        OperationError: the stored history of names cannot be read.
        StoreError: DynamoDB is unavailable.
    """
    known, _ = _history(rows)
    findings = sorted(_findings(rows, known, draft, document), key=lambda one: (one.row, one.attribute))
    if findings:
        message = f"The policy has {len(findings)} findings."
        raise PolicyError(findings[0].code, message, cut(findings, MAX_FINDINGS))


def register(rows: Table, document: Mapping[str, Any], number: int) -> tuple[str, ...]:
    """Record the names of a version that is about to be activated or staged.

    Returns:
        The new value of ``Pointer.version_claims``.

    Raises:
        ConditionError: somebody else registered another version at the same moment.
        OperationError: a name in it means something else in another version; or the history cannot be read.
        StoreError: DynamoDB is unavailable.
    """
    known, last = _history(rows)
    conflict = next(known.conflicts(document), None)
    if conflict is not None:
        message = f"Version {number} cannot be put in force: {conflict.why}. Publish a version with another name."
        raise OperationError(Code.CLAIM_NAME_USED, message)
    if reason := _version_hidden(rows, known, document):
        message = f"Version {number} cannot be put in force: {reason}."
        raise OperationError(Code.VERSION_NOT_TOLD, message)
    updated = known if known.is_of(document) else known.joined(document)
    if updated is not last:
        history.write(rows, updated, last)
    return updated.version_claims


_HIDDEN: Final = (
    "the names of tenant_id and roles are not the same in all versions, and its tokens would not show which version "
    "issued them; emit policy_version"
)
_HIDDEN_BEFORE: Final = (
    "the name of tenant_id or roles changes, and tokens of the version in force do not show which version issued them, "
    "so they would lose both; first publish a version that emits policy_version, and change the name once older tokens "
    "have expired"
)


def _version_hidden(rows: Table, known: History, document: Mapping[str, Any]) -> str | None:
    """Why tokens could not be read by the names of the version that issued them; None if they can."""
    if known.hides_version(document):
        return _HIDDEN
    pointer = bundles.pointer(rows) if known.begins_to_rename(document) else None
    if pointer is None:
        return None
    try:
        last = bundles.document(rows, pointer.version)
    except BundleError:
        return None  # it cannot issue tokens
    return None if last is None or carries_version(last) else _HIDDEN_BEFORE


def _findings(rows: Table, known: History, draft: Draft, document: Mapping[str, Any]) -> Iterator[Finding]:
    entries = {entry.sk: entry for entry in draft.entries}
    for conflict in known.conflicts(document):
        entry = entries[conflict.row]
        yield found(Code.CLAIM_NAME_USED, entry, _place(entry, conflict), f"{conflict.why}; choose another name")
    if reason := _version_hidden(rows, known, document):
        place = ("claim_names", "policy_version") if reason == _HIDDEN else ("claim_names",)
        yield found(Code.VERSION_NOT_TOLD, entries[table.SETTINGS], place, reason)


def _place(entry: Entry, conflict: Conflict) -> tuple[str, ...]:
    """The place of the name in its row."""
    if conflict.meaning is not None:
        return ("claim_names", conflict.meaning)
    sets = (attribute for attribute in _ATTRIBUTES if conflict.name in entry.attributes.get(attribute, {}))
    return (next(sets, _ATTRIBUTES[0]), conflict.name)


def _history(rows: Table) -> tuple[History, History | None]:
    """The history of names, and the stored row; None if there is no row yet.

    Without a row, the history is built from the stored versions, the active one first: its names take precedence. If
    its tokens do not carry their version, they continue to be read by its names, and older names do not count as
    changed.
    """
    last = history.read(rows)
    if last is not None:
        return last, last
    known, silent = History(), False
    pointer = bundles.pointer(rows)
    active = None if pointer is None else bundles.read_row(rows, pointer.version)
    newest = bundles.newest_rows(rows, limit=MAX_SCANNED_VERSIONS)
    for row in [active, *newest] if active is not None else newest:
        try:
            document = bundles.decode_document(row)
        except BundleError:
            continue  # a version that cannot be read is never activated
        known = known.joined(document)
        silent = silent or (row is active and not carries_version(document))
    return (known._replace(renamed=False) if silent else known), None
