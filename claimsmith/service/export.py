"""A stored version as a policy to edit and apply."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from claimsmith import table
from claimsmith.errors import Code, OperationError, PolicyError
from claimsmith.policy import compile as compile_policy
from claimsmith.policy.decompile import decompile
from claimsmith.policy.documents import SETTINGS_SECTION
from claimsmith.policy.draft import Draft, ordered
from claimsmith.store import bundles

if TYPE_CHECKING:
    from claimsmith.store.dynamodb import Table


def draft_of_version(rows: Table, number: int) -> Draft:
    """A policy that compiles to this version, with the table's own ``publish``, which no version has.

    Raises:
        BundleError: the version is damaged, or of a newer format.
        OperationError: there is no such version, or no policy of this release compiles to it.
        StoreError: DynamoDB is unavailable.
    """
    document = bundles.document(rows, number)
    if document is None:
        raise OperationError(
            Code.NOT_FOUND, f"There is no version {number}. List the versions with claimsmith versions."
        )
    try:
        draft = decompile(document)
        same = compile_policy(draft) == document
    except (KeyError, PolicyError):
        same = False
    if not same:
        message = f"Version {number} is of an earlier release, and a file of this one would mean something else."
        raise OperationError(Code.VERSION_NOT_EXPORTABLE, message)
    publish = (rows.get(table.POLICY, table.SETTINGS) or {}).get("publish")
    if publish is None:
        return draft
    return ordered(
        replace(entry, attributes={**entry.attributes, "publish": publish})
        if entry.section == SETTINGS_SECTION
        else entry
        for entry in draft.entries
    )
