"""What the policy and the directory grant the subject of a token at present; for introspection."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from claimsmith.cognito.identifiers import pool_of
from claimsmith.engine import federation
from claimsmith.engine.facts import MACHINE, Facts, Tenant, read_tenant
from claimsmith.service.users import tenants_of, user_facts
from claimsmith.store import directory
from claimsmith.verifier.freshness import freshness, is_plain, request_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from claimsmith.engine.bundle import Bundle
    from claimsmith.engine.facts import UserFacts
    from claimsmith.service.active_bundle import ActiveBundle
    from claimsmith.store.reads import ReadableTable
    from claimsmith.verifier import Claims


class StoredGrants:
    """The ``Grants`` of introspection: one query for the user and one request for the tenant, neither cached.

    The policy is cached, and a token may be of a newer version than the cached one, which would make it look stale. So
    before a token of another version is reported as stale, the pointer is read again; at most once per token.

    Thread-safe.
    """

    def __init__(self, rows: ReadableTable, active: ActiveBundle, *, clock: Callable[[], float] = time.time) -> None:
        """Read from a table; ``clock`` returns epoch seconds."""
        self._rows = rows
        self._active = active
        self._clock = clock

    def of(self, claims: Claims) -> tuple[Bundle, Facts] | None:
        """The bundle that serves the token's subject, staged or active, and the facts.

        None if the token is Cognito's own and the policy does not reach its subject.

        Raises:
            BundleError: there is no usable bundle.
            StoreError: DynamoDB is unavailable.
        """
        began = self._active.now()
        bundle = self._active.serve(claims.sub).bundle
        if self._is_in_shadow(claims):
            return None
        now = int(self._clock())
        machine = claims.username is None and claims.sub == claims.client_id
        user = MACHINE if machine else user_facts(self._rows, claims.sub, now)
        facts = self._facts(bundle, user, claims, now)
        if claims.policy_version == bundle.version or not freshness(bundle, facts, claims).stale:
            return bundle, facts
        newest = self._active.serve(claims.sub, since=began).bundle
        if self._is_in_shadow(claims):
            return None
        if newest is not bundle:
            # The newer bundle may pin the client to another tenant.
            facts = self._facts(newest, user, claims, now)
        return newest, facts

    def _is_in_shadow(self, claims: Claims) -> bool:
        pointer = self._active.pointer
        rollout = None if pointer is None else pointer.rollout
        return rollout is not None and is_plain(claims) and not rollout.reaches(claims.sub, pool_of(claims.issuer))

    def _facts(self, bundle: Bundle, user: UserFacts, claims: Claims, now: int) -> Facts:
        """The facts with the token's tenant; without one, with the tenants from which a new token's would be chosen."""

        def read(missing: list[str], known: dict[str, Tenant | None]) -> None:
            known.update(dict.fromkeys(missing))
            found = [read_tenant(row, now) for row in directory.tenant_rows(self._rows, missing)]
            known.update({tenant.id: tenant for tenant in found if isinstance(tenant, Tenant)})

        request = request_of(bundle, claims)
        if bundle.providers and not request.machine and claims.tenant_id is not None:
            user = federation.possibly_admitted(bundle, user, claims.tenant_id)
        return Facts(*tenants_of(bundle, user, request, read))
