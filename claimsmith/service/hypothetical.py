"""A table as it would be with other rows: directory rows as given, policy rows linted, compiled and in force."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from claimsmith import table
from claimsmith.engine.codec import encode
from claimsmith.errors import Code, OperationError
from claimsmith.policy import compile as compile_policy
from claimsmith.policy import from_rows
from claimsmith.store import bundles, drafts
from claimsmith.store.attributes import decode_row, encode_row
from claimsmith.store.overlay import Overlay

if TYPE_CHECKING:
    from collections.abc import Iterable

    from claimsmith.store.dynamodb import Key, Row, Table

#: The attribute of a given row that means that there is no such row.
DELETE: Final = "delete"


class InvalidRowError(OperationError):
    """A given row is none that a decision could read."""

    def __init__(self, why: str) -> None:
        super().__init__(Code.INPUT_UNREADABLE, f"{why} A row is written as DynamoDB holds it, with its pk and sk.")


def suppose(rows: Table, given: Iterable[Mapping[str, Any]]) -> Table:
    """The table as it would be with these rows.

    Args:
        rows: the table.
        given: rows of the policy, of tenants, users and memberships, as plain values or as DynamoDB encodes them;
            ``delete: true`` stands for the absence of a row. Rows of the policy are laid over the draft, and the result
            is in force.

    Raises:
        InvalidRowError: one is not such a row.
        PolicyError: the policy with these rows is refused.
        StoreError: DynamoDB is unavailable.
    """
    supposed = dict(map(_keyed, given))
    policy = {key: row for key, row in supposed.items() if key[0] == table.POLICY}
    if policy:
        supposed |= _in_force(rows, policy)
    return Overlay(rows, supposed)


def is_policy(row: Mapping[str, Any]) -> bool:
    """Whether a given row is one of the policy."""
    return _keyed(row)[0][0] == table.POLICY


def _in_force(rows: Table, policy: Mapping[Key, Row | None]) -> dict[Key, Row]:
    """The rows of the next version, in force."""
    draft = from_rows(drafts.policy_rows(Overlay(rows, policy)))
    document, digest = encode(compile_policy(draft))
    newest = bundles.newest(rows)
    number = newest.number + 1 if newest else 1
    version = (table.BUNDLE, table.version_sk(number))
    pointer = (table.BUNDLE, table.CURRENT)
    return {
        version: {**_keys(version), "digest": digest, "document": document},
        pointer: {**_keys(pointer), "version": number, "digest": digest, "revision": 1, "hold": False},
    }


def _keys(key: Key) -> dict[str, str]:
    return dict(zip((table.PK, table.SK), key, strict=True))


def _keyed(given: Mapping[str, Any]) -> tuple[Key, Row | None]:
    """A given row by its key, with the values that DynamoDB would give back."""
    try:
        row = decode_row(given if isinstance(given.get(table.PK), Mapping) else encode_row(given))
    except (TypeError, ValueError, AttributeError) as error:
        raise InvalidRowError(f"A row cannot be stored: {error}.") from error
    pk, sk = row.get(table.PK), row.get(table.SK)
    if not isinstance(pk, str) or not isinstance(sk, str):
        raise InvalidRowError("A row has no pk or no sk.")
    of_tenant = pk.startswith(table.TENANT_PREFIX) and sk == table.TENANT
    of_user = pk.startswith(table.USER_PREFIX) and (sk == table.USER or sk.startswith(table.TENANT_PREFIX))
    if pk != table.POLICY and not of_tenant and not of_user:
        raise InvalidRowError(f"{pk} {sk} is no row of the policy, a tenant, a user or a membership.")
    if row.get(DELETE) is True:
        return (pk, sk), None
    return (pk, sk), row
