"""Checks tokens for the authorizer and for introspection, against the table and the policy in force.

The policy defines what each route requires; the policy version that issued a token determines the names of its tenant
and roles claims.

Every response has a deadline, for the same reason as a sign-in (``service.deadline``): a function that Lambda times out
reports no code. Reads that a response can do without (``CLAIMSMITH_REVOCATION_ON_FAILURE``) have an earlier deadline.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from claimsmith.environment import AUDIENCE
from claimsmith.errors import StoreError
from claimsmith.service.active_bundle import ActiveBundle
from claimsmith.service.deadline import DeadlineError, DeadlineExecutor
from claimsmith.service.grants import StoredGrants
from claimsmith.service.token_names import TokenNames
from claimsmith.store.resources import StoredResources
from claimsmith.store.revocations import StoredRevocations
from claimsmith.verifier import ANY, KeySource, Verifier
from claimsmith.verifier.authorizer import Authorizer
from claimsmith.verifier.checks import resources
from claimsmith.verifier.introspection import Introspection
from claimsmith.verifier.revocation import CachedRevocations, UncheckedOnFailure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from claimsmith.engine.bundle import Bundle
    from claimsmith.environment import VerifierEnvironment
    from claimsmith.errors import ClaimsmithError
    from claimsmith.store.dynamodb import Table
    from claimsmith.verifier import Revocations, authorizer, introspection
    from claimsmith.verifier.checks import Unchecked

T = TypeVar("T")

#: Seconds for an answer, keys included. Lambda ends the authorizer after five (``infra/verifier_stack.py``).
ANSWER_SECONDS: Final = 4.0

#: Seconds for the policy, and for the revocations of a token: both together leave time to answer without them.
READ_SECONDS: Final = 1.8


def _ignored(_: object) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Reports:
    """Who is told of what an answer does not say.

    Attributes:
        unreadable: of a revocation row that cannot be read and hence revokes; its partition key.
        unchecked: of a token that passed although the table did not say whether it is revoked, or by a policy that
            may be out of date, because ``CLAIMSMITH_REVOCATION_ON_FAILURE`` is ``allow``; and why it did not.
    """

    unreadable: Callable[[str], None] = _ignored
    unchecked: Callable[[ClaimsmithError], None] = _ignored


_NO_REPORTS: Final = Reports()


class TokenChecks:
    """Answers authorizer and introspection events. Safe to use from several threads, up to sixteen at once.

    Both methods raise ``BundleError`` where there is no usable policy, ``StoreError`` where DynamoDB does not answer
    and ``DeadlineError`` where it is too slow; introspection answers 503 by itself where only a row it needs cannot be
    read.
    """

    def __init__(self, rows: Table, environment: VerifierEnvironment, reports: Reports = _NO_REPORTS) -> None:
        """Put it together.

        Raises:
            ConfigurationError: the environment allows something that no token can have.
        """
        self._rows = rows
        self._environment = environment
        self._reports = reports
        self._keys = KeySource(environment.issuers)
        self._audience = resources(environment.audience, AUDIENCE)
        self._answers = DeadlineExecutor()
        # Not the same: what is stuck there must not take the threads that could answer without it.
        self._reads = DeadlineExecutor()
        self._revocations = _revocations(rows, environment, reports, self._reads)
        self._resources = StoredResources(rows)
        self._active = ActiveBundle(rows)
        self._grants = StoredGrants(rows, self._active)
        self._names = TokenNames(rows, self._active)

    def authorize(self, event: Mapping[str, Any]) -> authorizer.Answer:
        """Answer an API Gateway authorizer event.

        Raises:
            UnauthorizedError: API Gateway must be told by an error.
            ClaimsmithError: it cannot be known.
        """
        return self._answers.submit(lambda: self._authorize(event)).result(ANSWER_SECONDS)

    def introspect(self, event: Mapping[str, Any]) -> introspection.Answer:
        """Answer an introspection request.

        Raises:
            ClaimsmithError: there is no usable policy, or no answer in time.
        """
        return self._answers.submit(lambda: self._introspect(event)).result(ANSWER_SECONDS)

    def _authorize(self, event: Mapping[str, Any]) -> authorizer.Answer:
        bundle = self._bundle()
        told = self._environment
        verifier = self._verifier(bundle, told.client_ids, self._revocations)
        routes = tuple(bundle.routes.values())
        return Authorizer(
            verifier, lambda: routes, response=told.authorizer_response, cached_by=told.authorizer_cached_by
        ).authorize(event)

    def _introspect(self, event: Mapping[str, Any]) -> introspection.Answer:
        bundle = self._active.get()
        tokens = self._verifier(bundle, self._environment.client_ids, ANY)
        # Any client of the pool may call; its row decides.
        callers = self._verifier(bundle, ANY, self._revocations)
        return Introspection(
            tokens, callers, self._resources, revocations=self._revocations, grants=self._grants
        ).answer(event)

    def _bundle(self) -> Bundle:
        """The policy in force; where that is the choice, the last one known while the table does not answer.

        Raises:
            ClaimsmithError: there is no usable policy.
        """
        fresh = self._active.fresh
        if fresh is not None:
            return fresh
        try:
            return _in_time(self._reads, self._active.get)
        except (StoreError, DeadlineError) as error:
            remembered = self._active.remembered
            if self._environment.revocation_on_failure != "allow" or remembered is None:
                raise
            self._reports.unchecked(error)
            return remembered

    def _verifier(
        self, bundle: Bundle, client_ids: tuple[str, ...] | Unchecked, revocations: Revocations | Unchecked
    ) -> Verifier:
        """A verifier is little more than its key source, so one a request costs nothing worth remembering."""
        return Verifier(
            issuers=self._keys,
            client_ids=client_ids,
            token_use="access",  # noqa: S106 - a token's kind
            revocations=revocations,
            audience=self._audience,
            claim_names=self._names.under(bundle),
        )


def _in_time(reads: DeadlineExecutor, read: Callable[[], T]) -> T:
    """What a read returns, or ``DeadlineError``."""
    return reads.submit(read).result(READ_SECONDS)


class _InTime:
    """Revocations, or ``DeadlineError``."""

    def __init__(self, revocations: Revocations, reads: DeadlineExecutor) -> None:
        self._revocations = revocations
        self._reads = reads

    def revoked_at(self, keys: Sequence[str], /) -> Mapping[str, float | None]:
        return _in_time(self._reads, lambda: self._revocations.revoked_at(keys))


def _revocations(
    rows: Table, environment: VerifierEnvironment, reports: Reports, reads: DeadlineExecutor
) -> Revocations | Unchecked:
    """What the deployment chose: whether the table is asked, how often, and what counts where it does not answer."""
    if environment.revocation == "off":
        return ANY
    revocations: Revocations = _InTime(StoredRevocations(rows, reports.unreadable), reads)
    if environment.revocation == "cached":
        revocations = CachedRevocations(revocations, seconds=environment.revocation_cache_seconds)
    if environment.revocation_on_failure == "allow":
        revocations = UncheckedOnFailure(revocations, reports.unchecked)
    return revocations
