"""Reads the directory for people: tenants, members and users, each with why it does not count if it does not.

What is returned is JSON. Rows are read as the trigger reads them (``claimsmith.engine.facts``). Lists come from the
index, which may lack a row that was written a moment ago; what they show of each row is read consistently.
"""

from __future__ import annotations

from base64 import b64encode
from heapq import merge
from itertools import groupby, islice
from typing import TYPE_CHECKING, Any, Final

from claimsmith import table
from claimsmith.engine.facts import Problem, Tenant, User, read_membership, read_tenant, read_user
from claimsmith.errors import Code, OperationError
from claimsmith.store import directory
from claimsmith.store.reads import never

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from claimsmith.store.dynamodb import Table

    Row = Mapping[str, Any]
    Key = tuple[str, str]

#: Users, or rows, that are read at once.
_BATCH: Final = 100

_CLAIMS: Final = ("claims", "access_claims", "id_claims")

#: Attributes that any row may have and that decide nothing, but ``ttl``.
_COMMON: Final = ("description", "updated_by", "updated_at", table.TTL)


def tenants(rows: Table, now: int) -> Iterator[dict[str, Any]]:
    """All tenants by id: ``tenant``, ``name``, ``status``, ``plan``, ``usable``, ``why_not``."""
    for keys in _chunks(rows.keys_by_sk(table.TENANT)):
        for row in _sorted(rows.batch_get(keys, consistent=True)):
            found = tenant_data(row, now)
            yield {name: found[name] for name in ("tenant", "name", "status", "plan", "usable", "why_not")}


def tenant(rows: Table, tenant_id: str, now: int) -> dict[str, Any]:
    """The attributes of a tenant, and its ``members``: how many in ``total``, and how many of them ``usable``.

    Raises:
        OperationError: there is no such tenant.
        StoreError: DynamoDB is unavailable.
    """
    row = _tenant_row(rows, tenant_id)
    total = usable = 0
    for found in members(rows, tenant_id, now):
        total += 1
        usable += found["usable"]
    return {**tenant_data(row, now), "members": {"total": total, "usable": usable}}


def _tenant_keys(rows: Table) -> Iterator[str]:
    return (pk for pk, _ in rows.keys_by_sk(table.TENANT))


def _tenant_row(rows: Table, tenant_id: str) -> Row:
    row = rows.get(table.TENANT_PREFIX + tenant_id, table.TENANT)
    if row is None:
        raise OperationError(Code.NOT_FOUND, f"There is no tenant {tenant_id}.")
    return row


def tenant_data(row: Row, now: int) -> dict[str, Any]:
    """The attributes of a tenant's row. Limits are null where there is none."""
    return {
        "tenant": str(row[table.PK]).removeprefix(table.TENANT_PREFIX),
        "name": plain(row.get("name")),
        "status": plain(row.get("status", "active")),
        "plan": plain(row.get("plan")),
        "default_roles": plain(row.get("default_roles", [])),
        "roles_allowed": plain(row.get("roles_allowed")),
        "scopes_allowed": plain(row.get("scopes_allowed")),
        **_some(row, (*_CLAIMS, *_COMMON)),
        **_verdict(_tenant_why_not(row, now)),
    }


def members(rows: Table, tenant_id: str, now: int) -> Iterator[dict[str, Any]]:
    """The members of a tenant by ``sub``: ``roles``, ``scopes``, ``status``, ``expires_at``, ``usable``, ``why_not``.

    Raises:
        OperationError: there is no such tenant.
        StoreError: DynamoDB is unavailable.
    """
    return (_without(_membership(row, now), "tenant") for row in member_rows(rows, tenant_id))


def member_rows(rows: Table, tenant_id: str | None = None) -> Iterator[dict[str, Any]]:
    """The rows of a tenant's members, or of those of all tenants, by tenant and user.

    Raises:
        OperationError: there is no such tenant.
        StoreError: DynamoDB is unavailable.
    """
    if tenant_id is not None:
        _tenant_row(rows, tenant_id)
    # A tenant's partition key is the sort key of its members.
    sort_keys = [table.TENANT_PREFIX + tenant_id] if tenant_id is not None else _tenant_keys(rows)
    return (
        row
        for sk in sort_keys
        for keys in _chunks(rows.keys_by_sk(sk))
        for row in _sorted(rows.batch_get(keys, consistent=True))
    )


def member(rows: Table, sub: str, tenant_id: str, now: int) -> dict[str, Any]:
    """One membership with all attributes; it is ``usable`` only if its tenant is.

    Raises:
        OperationError: there is none.
        StoreError: DynamoDB is unavailable.
    """
    row = rows.get(table.USER_PREFIX + sub, table.TENANT_PREFIX + tenant_id)
    if row is None:
        raise OperationError(Code.NOT_FOUND, f"The user is not a member of {tenant_id}.")
    of = rows.get(table.TENANT_PREFIX + tenant_id, table.TENANT)
    return {**_membership(row, now, {tenant_id: of}), **_some(row, (*_CLAIMS, *_COMMON))}


def user(rows: Table, sub: str, now: int, *, exists: bool = False) -> dict[str, Any]:
    """A user: the attributes of the USER row, and all ``memberships``, each ``usable`` or with ``why_not``.

    Args:
        rows: the table.
        sub: the user.
        now: epoch seconds.
        exists: the caller knows that there is such a user. Otherwise the directory must have rows of them.

    Raises:
        OperationError: there are no rows of this user.
        StoreError: DynamoDB is unavailable, or the user has more rows than are read of one.
    """
    found = directory.user_rows(rows, sub, abandoned=never)
    if not found and not exists:
        raise no_rows()
    own = next((row for row in found if row[table.SK] == table.USER), {})
    by_tenant = {
        row[table.SK].removeprefix(table.TENANT_PREFIX): row
        for row in found
        if row[table.SK].startswith(table.TENANT_PREFIX)
    }
    keys = [(table.TENANT_PREFIX + tenant_id, table.TENANT) for tenant_id in by_tenant]
    known: dict[str, Row | None] = dict.fromkeys(by_tenant)
    for row in rows.batch_get(keys, consistent=True):
        known[row[table.PK].removeprefix(table.TENANT_PREFIX)] = row
    return {
        "sub": sub,
        "status": plain(own.get("status", "active")),
        "roles": plain(own.get("roles", [])),
        "active_tenant": plain(own.get("active_tenant")),
        "active_tenant_by_client": plain(own.get("active_tenant_by_client", {})),
        **_some(own, ("username", *_CLAIMS, *_COMMON)),
        **_verdict(_user_why_not(own, now)),
        "memberships": [_without(_membership(row, now, known), "sub") for row in by_tenant.values()],
    }


def no_rows() -> OperationError:
    """The error for a user of whom nothing is known."""
    message = "The directory has no rows of this user. To look for them in the pool, add --user-pool-id."
    return OperationError(Code.NOT_FOUND, message)


def users(rows: Table, now: int) -> Iterator[dict[str, Any]]:
    """All users with a row of their own or a membership of a tenant that there is, by ``sub``.

    Each has ``username``, ``status``, ``usable``, ``why_not``, ``roles`` (outside tenants) and the ids of ``tenants``.
    """
    keys = merge(*map(rows.keys_by_sk, [table.USER, *_tenant_keys(rows)]))
    grouped = ((pk, [sk for _, sk in found]) for pk, found in groupby(keys, key=lambda key: key[0]))
    while batch := list(islice(grouped, _BATCH)):
        own = [(pk, table.USER) for pk, sks in batch if table.USER in sks]
        by_pk = {row[table.PK]: row for row in rows.batch_get(own, consistent=True)}
        for pk, sks in batch:
            row = by_pk.get(pk, {})
            yield {
                "sub": pk.removeprefix(table.USER_PREFIX),
                "username": plain(row.get("username")),
                "status": plain(row.get("status", "active")),
                **_verdict(_user_why_not(row, now)),
                "roles": plain(row.get("roles", [])),
                "tenants": [sk.removeprefix(table.TENANT_PREFIX) for sk in sks if sk != table.USER],
            }


def _membership(row: Row, now: int, known: Mapping[str, Row | None] | None = None) -> dict[str, Any]:
    """A membership; ``known`` has its tenant's row, if that is to count."""
    tenant_id = str(row[table.SK]).removeprefix(table.TENANT_PREFIX)
    stored = read_membership(row, now)
    why_not = f"{stored.attribute} {stored.why}" if isinstance(stored, Problem) else stored.why_not
    if why_not is None and known is not None:
        of = known[tenant_id]
        why_not = f"there is no tenant {tenant_id}" if of is None else _tenant_why_not(of, now)
        if of is not None and why_not is not None:
            why_not = f"the tenant does not count: {why_not}"
    return {
        "sub": str(row[table.PK]).removeprefix(table.USER_PREFIX),
        "tenant": tenant_id,
        "roles": plain(row.get("roles", [])),
        "scopes": plain(row.get("scopes", [])),
        "status": plain(row.get("status", "active")),
        "expires_at": plain(row.get("expires_at")),
        **_verdict(why_not),
    }


def _tenant_why_not(row: Row, now: int) -> str | None:
    read = read_tenant(row, now)
    if isinstance(read, Tenant):
        return None if read.active else "its status is not active"
    return "its ttl has passed" if read is None else f"{read.attribute} {read.why}"


def _user_why_not(row: Row, now: int) -> str | None:
    """Why the user may not sign in; None for one without a row, too."""
    if not row:
        return None
    read = read_user([row], now)
    if not isinstance(read.user, User):
        return "; ".join(f"{problem.attribute} {problem.why}" for problem in read.problems)
    return None if read.user.active else "its status is not active"


def _without(found: dict[str, Any], name: str) -> dict[str, Any]:
    del found[name]
    return found


def _verdict(why_not: str | None) -> dict[str, Any]:
    return {"usable": why_not is None, "why_not": why_not}


def _some(row: Row, names: Iterable[str]) -> dict[str, Any]:
    return {name: plain(row[name]) for name in names if name in row}


def plain(value: object) -> Any:  # noqa: ANN401 - a JSON value
    """A value of a row as JSON: sets are sorted lists, bytes are base64."""
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    if isinstance(value, frozenset):
        return sorted((plain(inner) for inner in value), key=str)
    return b64encode(value).decode() if isinstance(value, bytes) else value


def _sorted(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(found, key=lambda row: str(row[table.PK]))


def _chunks(keys: Iterator[Key]) -> Iterator[list[Key]]:
    while chunk := list(islice(keys, _BATCH)):
        yield chunk
