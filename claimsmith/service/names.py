"""Names of claims over all versions: what may be put in force, and by which names a token is read (ADR 17)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from claimsmith import table
from claimsmith.engine.codec import BundleError
from claimsmith.engine.history import History, tells_version
from claimsmith.errors import Code, OperationError, PolicyError
from claimsmith.policy.finding import MAX_FINDINGS, cut, found
from claimsmith.store import bundles, history

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from claimsmith.engine.history import Conflict
    from claimsmith.policy import Draft, Finding
    from claimsmith.policy.draft import Entry
    from claimsmith.store.dynamodb import Table

#: Versions that are looked at in a table of an earlier release, newest first. A version beyond them is looked at when
#: somebody puts it in force again.
MAX_SCANNED_VERSIONS: Final = 50

_ATTRIBUTES: Final = ("claims", "access_claims", "id_claims")


def check(rows: Table, draft: Draft, document: Mapping[str, Any]) -> None:
    """Refuse a draft in which a name means something else than in a version before it.

    Args:
        rows: the table.
        draft: what is to be published.
        document: what it was compiled to.

    Raises:
        PolicyError: with a finding for each such name.
        OperationError: what is known of the names cannot be read.
        StoreError: DynamoDB does not answer.
    """
    known, _ = _known(rows)
    findings = sorted(_findings(rows, known, draft, document), key=lambda one: (one.row, one.attribute))
    if findings:
        message = f"The policy has {len(findings)} findings."
        raise PolicyError(findings[0].code, message, cut(findings, MAX_FINDINGS))


def register(rows: Table, document: Mapping[str, Any], number: int) -> tuple[str, ...]:
    """Remember the names of a version that is about to be put in force, or staged.

    Returns:
        What the pointer must say of them (``Pointer.version_claims``).

    Raises:
        ConditionError: somebody else did the same for another version at this moment.
        OperationError: a name in it means something else in another version; or what is known cannot be read.
        StoreError: DynamoDB does not answer.
    """
    known, last = _known(rows)
    conflict = next(known.conflicts(document), None)
    if conflict is not None:
        message = f"Version {number} cannot be put in force: {conflict.why}."
        raise OperationError(Code.CLAIM_NAME_USED, message)
    if untold := _untold(rows, known, document):
        message = f"Version {number} cannot be put in force: {untold}."
        raise OperationError(Code.VERSION_NOT_TOLD, message)
    wanted = known if known.is_of(document) else known.joined(document)
    if wanted is not last:
        history.write(rows, wanted, last)
    return wanted.version_claims


_HIDDEN: Final = (
    "the names of tenant_id and roles are not the same in all versions, and its tokens would not tell which made them; "
    "emit policy_version"
)
_HIDDEN_BEFORE: Final = (
    "the name of tenant_id or roles changes, and tokens of the version in force do not tell which made them, so that "
    "they would lose both; publish one that emits policy_version first, and change the name once older tokens are over"
)


def _untold(rows: Table, known: History, document: Mapping[str, Any]) -> str | None:
    """Why tokens could not be read by the names of the version that made them; None where they can."""
    if known.hides_version(document):
        return _HIDDEN
    pointer = bundles.pointer(rows) if known.begins_to_rename(document) else None
    if pointer is None:
        return None
    try:
        last = bundles.document(rows, pointer.version)
    except BundleError:
        return None  # nobody gets tokens from it
    return None if last is None or tells_version(last) else _HIDDEN_BEFORE


def _findings(rows: Table, known: History, draft: Draft, document: Mapping[str, Any]) -> Iterator[Finding]:
    entries = {entry.sk: entry for entry in draft.entries}
    for conflict in known.conflicts(document):
        entry = entries[conflict.row]
        yield found(Code.CLAIM_NAME_USED, entry, _place(entry, conflict), f"{conflict.why}; choose another name")
    if untold := _untold(rows, known, document):
        at = ("claim_names", "policy_version") if untold == _HIDDEN else ("claim_names",)
        yield found(Code.VERSION_NOT_TOLD, entries[table.SETTINGS], at, untold)


def _place(entry: Entry, conflict: Conflict) -> tuple[str, ...]:
    """Where the name stands in its row."""
    if conflict.meaning is not None:
        return ("claim_names", conflict.meaning)
    sets = (attribute for attribute in _ATTRIBUTES if conflict.name in entry.attributes.get(attribute, {}))
    return (next(sets, _ATTRIBUTES[0]), conflict.name)


def _known(rows: Table) -> tuple[History, History | None]:
    """What is known of the names, and what the row says of them.

    Where there is no row yet, it is made of the stored versions, the one in force first: what it says, stays. Where its
    tokens do not tell their version, they go on being read by its names, and older names do not count as changed.
    """
    last = history.read(rows)
    if last is not None:
        return last, last
    known, silent = History(), False
    pointer = bundles.pointer(rows)
    in_force = None if pointer is None else bundles.read_row(rows, pointer.version)
    newest = bundles.newest_rows(rows, limit=MAX_SCANNED_VERSIONS)
    for row in [in_force, *newest] if in_force is not None else newest:
        try:
            document = bundles.decode_document(row)
        except BundleError:
            continue  # a version that cannot be read is never put in force
        known = known.joined(document)
        silent = silent or (row is in_force and not tells_version(document))
    return (known._replace(renamed=False) if silent else known), None
