"""Checks tokens for others: the authorizer and introspection, on the table and on the policy in force.

The policy says what routes need, and under which names tokens carry tenant and roles.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from claimsmith.service.current import CurrentBundle
from claimsmith.store.resources import StoredResources
from claimsmith.store.revocations import StoredRevocations
from claimsmith.verifier import ANY, KeySource, Verifier
from claimsmith.verifier.authorizer import Authorizer
from claimsmith.verifier.introspection import Introspection

if TYPE_CHECKING:
    from collections.abc import Mapping

    from claimsmith.engine.bundle import Bundle
    from claimsmith.environment import VerifierEnvironment
    from claimsmith.store.dynamodb import Table
    from claimsmith.verifier import authorizer, introspection


class TokenChecks:
    """Answers authorizer and introspection events. Safe to use from several threads.

    Both methods raise ``BundleError`` where there is no usable policy and ``StoreError`` where DynamoDB does not
    answer; introspection answers 503 by itself where only a row it needs cannot be read.
    """

    def __init__(self, rows: Table, environment: VerifierEnvironment) -> None:
        self._rows = rows
        self._environment = environment
        self._keys = KeySource(environment.issuers)
        self._revocations = StoredRevocations(rows)
        self._resources = StoredResources(rows)
        self._current = CurrentBundle(rows)

    def authorize(self, event: Mapping[str, Any]) -> authorizer.Answer:
        """Answer an API Gateway authorizer event.

        Raises:
            UnauthorizedError: API Gateway must be told by an error.
            ClaimsmithError: it cannot be known.
        """
        bundle = self._current.get()
        verifier = self._verifier(bundle, client_ids=self._environment.client_ids)
        routes = tuple(bundle.routes.values())
        response = self._environment.authorizer_response
        return Authorizer(verifier, lambda: routes, response=response).authorize(event)

    def introspect(self, event: Mapping[str, Any]) -> introspection.Answer:
        """Answer an introspection request.

        Raises:
            ClaimsmithError: there is no usable policy.
        """
        bundle = self._current.get()
        tokens = self._verifier(bundle, client_ids=self._environment.client_ids)
        # Any client of the pool may call; its row decides.
        callers = self._verifier(bundle, client_ids=None)
        return Introspection(tokens, callers, self._resources).answer(event)

    def _verifier(self, bundle: Bundle, *, client_ids: tuple[str, ...] | None) -> Verifier:
        """A verifier is little more than its key source, so one a request costs nothing worth remembering."""
        names = bundle.settings.claim_names
        return Verifier(
            issuers=self._keys,
            client_ids=ANY if client_ids is None else client_ids,
            token_use="access",  # noqa: S106 - a token's kind
            revocations=self._revocations,
            claim_names={meaning: names.get(meaning) for meaning in ("tenant_id", "roles")},
        )
