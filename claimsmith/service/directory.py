"""Edits of the directory: tenants, memberships, a user's choice of tenant.

Each changes only the attributes it is about; whatever else an admin wrote in a row stays.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from claimsmith import table
from claimsmith.engine.codec import BundleError
from claimsmith.engine.facts import Tenant, read_tenant, read_user
from claimsmith.engine.language import NAME
from claimsmith.errors import Code, OperationError
from claimsmith.policy.finding import nearest
from claimsmith.service.users import user_facts
from claimsmith.store import bundles, directory

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from claimsmith.store.dynamodb import Table


@dataclass(frozen=True, slots=True)
class Editor:
    """Edits rows in somebody's name.

    Every method raises ``OperationError`` for an argument that names nothing, and ``StoreError`` where DynamoDB does
    not answer.

    Attributes:
        by: who edits; written to ``updated_by``.
        clock: epoch seconds.
    """

    rows: Table
    by: str
    clock: Callable[[], float] = time.time

    def add_tenant(self, tenant_id: str, *, name: str | None = None, plan: str | None = None) -> None:
        """Make a tenant, or change the name or plan of one."""
        if not NAME.fullmatch(tenant_id):
            raise OperationError(Code.BAD_ARGUMENT, f"A tenant id matches {NAME.pattern}.")
        given = {key: value for key, value in (("name", name), ("plan", plan)) if value is not None}
        self._set(table.TENANT_PREFIX + tenant_id, table.TENANT, given)

    def set_tenant_status(self, tenant_id: str, status: str) -> None:
        """Suspend a tenant (``suspended``) or let it in again (``active``); the next tokens see it."""
        self._tenant(tenant_id)
        self._set(table.TENANT_PREFIX + tenant_id, table.TENANT, {"status": status})

    def members(self, tenant_id: str) -> list[dict[str, Any]]:
        """A tenant's memberships, as their rows say: ``sub``, ``roles``, and whether they are usable now."""
        self._tenant(tenant_id)
        found = self.rows.batch_get(self.rows.keys_by_sk(table.TENANT_PREFIX + tenant_id))
        members = []
        for row in sorted(found, key=lambda row: str(row[table.PK])):
            usable = read_user([row], int(self.clock())).memberships.get(tenant_id)
            roles = list(usable.roles) if usable else []
            sub = str(row[table.PK]).removeprefix(table.USER_PREFIX)
            members.append({"sub": sub, "roles": roles, "usable": usable is not None})
        return members

    def grant(self, sub: str, tenant_id: str, roles: Sequence[str]) -> list[str]:
        """Make a user a member of a tenant, with these roles besides those they have; the roles they have then."""
        self._tenant(tenant_id)
        self._known_roles(roles)
        pk, sk = table.USER_PREFIX + sub, table.TENANT_PREFIX + tenant_id
        there = self.rows.get(pk, sk) or {}
        old = there.get("roles")
        had = old if isinstance(old, list | frozenset) else []
        if old is not None and had is not old:
            raise OperationError(Code.ROW_UNREADABLE, f"The roles in the row {pk} {sk} are not a list; mend it first.")
        new = sorted({*had, *roles})
        self._set(pk, sk, {"roles": new}, expected={"roles": old})
        return new

    def revoke(self, sub: str, tenant_id: str) -> None:
        """End a membership."""
        pk, sk = table.USER_PREFIX + sub, table.TENANT_PREFIX + tenant_id
        if self.rows.get(pk, sk) is None:
            raise OperationError(Code.NOT_FOUND, f"The user is not a member of {tenant_id}.")
        # The stream tells the audit who wrote a row last; a deletion carries nothing, so it is signed first.
        self._set(pk, sk, {"status": "revoked"})
        self.rows.delete(pk, sk)

    def switch(self, sub: str, tenant_id: str, *, client_id: str | None = None) -> None:
        """Store a user's choice of tenant, for all clients or for one; the next token is for it."""
        tenant = self._tenant(tenant_id)
        user = user_facts(self.rows, sub, int(self.clock()))
        if user.too_large:
            message = f"The rows under {table.USER_PREFIX}{sub} are too many to be read; delete what is not needed."
            raise OperationError(Code.USER_TOO_LARGE, message)
        if tenant_id not in user.memberships or not tenant.active:
            raise OperationError(Code.NOT_FOUND, f"The user has no usable membership of {tenant_id}.")
        pk = table.USER_PREFIX + sub
        if client_id is None:
            self._set(pk, table.USER, {"active_tenant": tenant_id})
            return
        old = (self.rows.get(pk, table.USER) or {}).get("active_tenant_by_client")
        new = {**(old or {}), client_id: tenant_id}
        self._set(pk, table.USER, {"active_tenant_by_client": new}, expected={"active_tenant_by_client": old})

    def _set(self, pk: str, sk: str, given: dict[str, Any], *, expected: dict[str, Any] | None = None) -> None:
        signed = {**given, "updated_by": self.by, "updated_at": int(self.clock())}
        self.rows.update(pk, sk, signed, expected=expected)

    def _tenant(self, tenant_id: str) -> Tenant:
        for row in directory.tenant_rows(self.rows, [tenant_id]):
            tenant = read_tenant(row, int(self.clock()))
            if isinstance(tenant, Tenant):
                return tenant
            raise OperationError(Code.ROW_UNREADABLE, f"The row of tenant {tenant_id} cannot be read, or has expired.")
        raise OperationError(Code.NOT_FOUND, f"There is no tenant {tenant_id}.")

    def _known_roles(self, roles: Sequence[str]) -> None:
        pointer = bundles.pointer(self.rows)
        if pointer is None:
            raise OperationError(Code.NOT_FOUND, "No policy is published yet, so no role exists; apply one first.")
        known = set(bundles.load(self.rows, pointer.version, pointer.digest).roles)
        if pointer.staging is not None:
            with suppress(BundleError):  # then it serves nobody
                known.update(bundles.load(self.rows, pointer.staging.candidate).roles)
        for role in roles:
            if role not in known:
                close = nearest(role, sorted(known))
                hint = f" Did you mean {close}?" if close else ""
                raise OperationError(Code.NOT_FOUND, f"There is no role {role}.{hint}")
