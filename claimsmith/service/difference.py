"""The exact differences between two versions of a policy, in terms of their compiled documents, and of one row."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from claimsmith.errors import Code, OperationError
from claimsmith.named_tuple import NamedTuple
from claimsmith.policy.decompile import roles_as_written
from claimsmith.store import bundles

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from claimsmith.store.dynamodb import Table

Kind = Literal["added", "removed", "changed"]

_ABSENT = object()


class Difference(NamedTuple):
    """One difference between two versions.

    Attributes:
        section: of the document: ``settings``, ``roles``, ``rules``…
        name: of the role, rule…; empty if the section has no entries, and for the order of rules.
        path: of the attribute in the entry; empty for a whole entry.
        before: the value in the first version; None if it has none.
        after: the value in the second version; None if it has none.
    """

    kind: Kind
    section: str
    name: str
    path: tuple[str, ...]
    before: Any = None
    after: Any = None


def difference(rows: Table, before: int, after: int) -> list[Difference]:
    """The differences between version ``before`` and version ``after``.

    Raises:
        BundleError: one of them is damaged, or of a newer format.
        OperationError: there is no such version.
        StoreError: DynamoDB is unavailable.
    """
    return list(differences(as_written(_document(rows, before)), as_written(_document(rows, after))))


def _document(rows: Table, number: int) -> dict[str, Any]:
    document = bundles.document(rows, number)
    if document is None:
        raise OperationError(
            Code.NOT_FOUND, f"There is no version {number}. List the versions with claimsmith versions."
        )
    return document


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Difference]:
    """The differences between two documents, by section and name."""
    for section in sorted(before.keys() | after.keys()):
        old, new = before.get(section, {}), after.get(section, {})
        if _is_listed(old) and _is_listed(new):
            yield from _listed(section, list(old), list(new))
        elif _has_entries(old) and _has_entries(new):
            yield from _entries(section, old, new)
        else:
            yield from _attributes(section, "", (), old, new)


def as_written(document: Mapping[str, Any]) -> dict[str, Any]:
    """A compiled document with roles as their rows say it."""
    return {**document, "roles": roles_as_written(document.get("roles", {}))}


def row_differences(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> list[Difference]:
    """The differences between two states of one row, by attribute; None stands for no row."""
    return list(_attributes("", "", (), before or {}, after or {}))


def _is_listed(section: object) -> bool:
    """Whether a section is a list of entries with an id, as rules are; a missing section counts as one."""
    if isinstance(section, list):
        return all(isinstance(entry, Mapping) and "id" in entry for entry in section)
    return section == {}


def _has_entries(section: object) -> bool:
    return isinstance(section, Mapping) and all(isinstance(entry, Mapping | list) for entry in section.values())


def _listed(section: str, old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]]) -> Iterator[Difference]:
    by_id = [{str(entry["id"]): _without_id(entry) for entry in entries} for entries in (old, new)]
    yield from _entries(section, by_id[0], by_id[1])
    orders = [[name for name in entries if name in by_id[0] and name in by_id[1]] for entries in by_id]
    if orders[0] != orders[1]:
        yield Difference("changed", section, "", ("order",), orders[0], orders[1])


def _without_id(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if name != "id"}


def _entries(section: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Difference]:
    for name in sorted(old.keys() | new.keys()):
        if name not in old:
            yield Difference("added", section, name, (), None, new[name])
        elif name not in new:
            yield Difference("removed", section, name, (), old[name], None)
        else:
            yield from _attributes(section, name, (), old[name], new[name])


def _attributes(section: str, name: str, path: tuple[str, ...], old: object, new: object) -> Iterator[Difference]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted(old.keys() | new.keys()):
            yield from _attributes(section, name, (*path, key), old.get(key, _ABSENT), new.get(key, _ABSENT))
    elif old is _ABSENT:
        yield Difference("added", section, name, path, None, new)
    elif new is _ABSENT:
        yield Difference("removed", section, name, path, old, None)
    elif _json(old) != _json(new):
        yield Difference("changed", section, name, path, old, new)


def _json(value: object) -> str:
    """A value as JSON, for comparing: in Python, 1 equals True."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
