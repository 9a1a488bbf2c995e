"""Edits the directory: tenants, memberships, and a user's choice of tenant.

Each edit changes only its own attributes; everything else an admin has written in the row stays.
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
    """Edits rows on somebody's behalf.

    Every method raises ``OperationError`` if an argument names something that does not exist, and ``StoreError`` if
    DynamoDB is unavailable.

    Attributes:
        by: who edits; written to ``updated_by``.
        clock: epoch seconds.
    """

    rows: Table
    by: str
    clock: Callable[[], float] = time.time

    def add_tenant(self, tenant_id: str, *, name: str | None = None, plan: str | None = None) -> None:
        """Create a tenant, or change its name or plan."""
        if not NAME.fullmatch(tenant_id):
            raise OperationError(Code.BAD_ARGUMENT, f"The tenant id is not valid. It must match {NAME.pattern}.")
        given = {key: value for key, value in (("name", name), ("plan", plan)) if value is not None}
        self._set(table.TENANT_PREFIX + tenant_id, table.TENANT, given)

    def set_tenant_status(self, tenant_id: str, status: str) -> None:
        """Suspend a tenant (``suspended``) or reactivate it (``active``); takes effect with the next tokens."""
        self._tenant(tenant_id)
        self._set(table.TENANT_PREFIX + tenant_id, table.TENANT, {"status": status})

    def members(self, tenant_id: str) -> list[dict[str, Any]]:
        """A tenant's memberships as stored: ``sub``, ``roles``, and whether each is ``usable`` at present."""
        self._tenant(tenant_id)
        found = self.rows.batch_get(list(self.rows.keys_by_sk(table.TENANT_PREFIX + tenant_id)))
        members = []
        for row in sorted(found, key=lambda row: str(row[table.PK])):
            usable = read_user([row], int(self.clock())).memberships.get(tenant_id)
            roles = list(usable.roles) if usable else []
            sub = str(row[table.PK]).removeprefix(table.USER_PREFIX)
            members.append({"sub": sub, "roles": roles, "usable": usable is not None})
        return members

    def grant(self, sub: str, tenant_id: str, roles: Sequence[str]) -> list[str]:
        """Make a user a member of a tenant, or add roles to a membership.

        Returns:
            All roles of the membership.
        """
        self._tenant(tenant_id)
        self._check_roles(roles)
        pk, sk = table.USER_PREFIX + sub, table.TENANT_PREFIX + tenant_id
        existing = self.rows.get(pk, sk) or {}
        old = existing.get("roles")
        old_roles = old if isinstance(old, list | frozenset) else []
        if old is not None and old_roles is not old:
            raise OperationError(
                Code.ROW_UNREADABLE, f"The roles in the row {pk} {sk} are not a list. Fix the row first."
            )
        new = sorted({*old_roles, *roles})
        self._set(pk, sk, {"roles": new}, expected={"roles": old})
        return new

    def revoke(self, sub: str, tenant_id: str) -> None:
        """End a membership."""
        pk, sk = table.USER_PREFIX + sub, table.TENANT_PREFIX + tenant_id
        if self.rows.get(pk, sk) is None:
            raise OperationError(Code.NOT_FOUND, f"The user is not a member of {tenant_id}.")
        # The audit learns from the row who wrote it last, and a deletion has no new row; so sign the row first.
        self._set(pk, sk, {"status": "revoked"})
        self.rows.delete(pk, sk)

    def switch(self, sub: str, tenant_id: str, *, client_id: str | None = None) -> None:
        """Store a user's choice of tenant, for all clients or for one; takes effect with the next token."""
        tenant = self._tenant(tenant_id)
        user = user_facts(self.rows, sub, int(self.clock()))
        if user.too_large:
            message = (
                f"There are too many rows under {table.USER_PREFIX}{sub} to read. Delete those that are not needed."
            )
            raise OperationError(Code.USER_TOO_LARGE, message)
        if tenant_id not in user.memberships or not tenant.active:
            raise OperationError(
                Code.NOT_FOUND,
                f"The user has no usable membership of {tenant_id}. Check the membership and the tenant's status.",
            )
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
            raise OperationError(
                Code.ROW_UNREADABLE, f"The row of tenant {tenant_id} cannot be read or has expired. Fix it first."
            )
        raise OperationError(Code.NOT_FOUND, f"There is no tenant {tenant_id}.")

    def _check_roles(self, roles: Sequence[str]) -> None:
        pointer = bundles.pointer(self.rows)
        if pointer is None:
            raise OperationError(
                Code.NOT_FOUND, "No policy has been published yet, so there are no roles. Apply one first."
            )
        known = set(bundles.load(self.rows, pointer.version, pointer.digest).roles)
        if pointer.staging is not None:
            with suppress(BundleError):  # an unreadable version serves nobody
                known.update(bundles.load(self.rows, pointer.staging.candidate).roles)
        for role in roles:
            if role not in known:
                close = nearest(role, sorted(known))
                hint = f" Did you mean {close}?" if close else ""
                raise OperationError(Code.NOT_FOUND, f"There is no role {role}.{hint}")
