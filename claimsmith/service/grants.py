"""What policy and directory grant the subject of a token now; for introspection."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from claimsmith.engine.facts import MACHINE, Facts, Problem, Tenant, read_tenant, read_user
from claimsmith.store import directory

if TYPE_CHECKING:
    from collections.abc import Callable

    from claimsmith.engine.bundle import Bundle
    from claimsmith.service.current import CurrentBundle
    from claimsmith.store.dynamodb import Table
    from claimsmith.verifier import Claims


class StoredGrants:
    """The ``Grants`` of introspection: one query for the user, one request for the tenant, neither remembered.

    Safe to use from several threads.
    """

    def __init__(self, rows: Table, current: CurrentBundle, *, clock: Callable[[], float] = time.time) -> None:
        """Read from a table; ``clock`` gives epoch seconds."""
        self._rows = rows
        self._current = current
        self._clock = clock

    def of(self, claims: Claims) -> tuple[Bundle, Facts]:
        """The bundle that serves the token's subject, staged or in force, and the facts.

        Raises:
            BundleError: there is no usable bundle.
            StoreError: DynamoDB does not answer.
        """
        bundle = self._current.serve(claims.sub).bundle
        now = int(self._clock())
        machine = claims.username is None and claims.sub == claims.client_id
        user = MACHINE if machine else read_user(directory.user_rows(self._rows, claims.sub), now)
        name = bundle.settings.claim_names.get("tenant_id")
        tenant_id = claims.get(name) if name is not None else None
        tenants: dict[str, Tenant | None] = {}
        if isinstance(tenant_id, str):
            found = [read_tenant(row, now) for row in directory.tenant_rows(self._rows, [tenant_id])]
            tenants = {tenant.id: tenant for tenant in found if tenant is not None and not isinstance(tenant, Problem)}
        return bundle, Facts(user, tenants)
