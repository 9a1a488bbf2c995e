"""Checks tokens for the authorizer and for introspection, against the table and the policy in force.

The policy defines what each route requires and which app clients are accepted; the policy version that issued a token
determines the names of its tenant and roles claims.

Every response has a deadline, for the same reason as a sign-in (``service.deadline``): a function that Lambda times out
reports no code. Reads that a response can do without (``CLAIMSMITH_REVOCATION_ON_FAILURE``) have an earlier deadline.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from claimsmith.environment import AUDIENCE
from claimsmith.errors import StoreError
from claimsmith.named_tuple import NamedTuple
from claimsmith.places import places
from claimsmith.service.active_bundle import ActiveBundle
from claimsmith.service.clients import accepted_clients, any_client
from claimsmith.service.deadline import DeadlineError, DeadlineExecutor
from claimsmith.service.grants import StoredGrants
from claimsmith.service.token_names import TokenNames
from claimsmith.store.resources import StoredResources
from claimsmith.store.revocations import StoredRevocations
from claimsmith.verifier import ANY, KeySource, Verifier
from claimsmith.verifier.checks import resources
from claimsmith.verifier.discovery import Discovery
from claimsmith.verifier.revocation import SHARED_KINDS, CachedRevocations, UncheckedOnFailure
from claimsmith.verifier.shares import Shares

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from claimsmith.engine.bundle import Bundle
    from claimsmith.environment import VerifierEnvironment
    from claimsmith.errors import ClaimsmithError
    from claimsmith.store.reads import ReadableTable
    from claimsmith.unchecked import Unchecked
    from claimsmith.verifier import Revocations, authorizer, discovery, introspection
    from claimsmith.verifier.authorizer import Authorizer
    from claimsmith.verifier.checks import ClientIds
    from claimsmith.verifier.introspection import Introspection
    from claimsmith.verifier.signed_answers import AnswerSigner, SigningKey

T = TypeVar("T")

#: Seconds for a response, keys included. Lambda stops the authorizer after five (``infra/verifier_stack.py``).
ANSWER_SECONDS: Final = 4.0

#: Seconds for the policy, and for the revocations of a token: both together leave time to respond without them.
READ_SECONDS: Final = 1.8


def _ignore(_: object) -> None:
    pass


class Reports(NamedTuple):
    """Callbacks for events that the response does not show.

    Attributes:
        unreadable: called with the partition key of a revocation row that cannot be read and therefore revokes.
        unchecked: called with the cause when a token is accepted without knowing whether it is revoked, or under a
            policy that may be out of date, because ``CLAIMSMITH_REVOCATION_ON_FAILURE`` is ``allow``.
        reading: called with the number of revocation rows before they are read from the table, not from a cache.
    """

    unreadable: Callable[[str], None] = _ignore
    unchecked: Callable[[ClaimsmithError], None] = _ignore
    reading: Callable[[int], None] = _ignore


_NO_REPORTS: Final = Reports()


class _UnderPolicy(Generic[T]):
    """The checks under one policy; the last ones are cached, because a policy may have many clients."""

    def __init__(self, made: Callable[[Bundle], T]) -> None:
        self._made = made
        self._last: tuple[Bundle, T] | None = None

    def of(self, bundle: Bundle) -> T:
        """The checks under this policy."""
        last = self._last
        if last is None or last[0] is not bundle:
            self._last = last = (bundle, self._made(bundle))
        return last[1]


class TokenChecks:
    """Handles events of authorizer, introspection and discovery. Thread-safe, for up to sixteen events at once.

    All methods raise ``BundleError`` if there is no usable policy, ``StoreError`` if DynamoDB is unavailable and
    ``DeadlineError`` if it is too slow. Introspection responds with 503 itself if it only lacks a row that it needs.
    """

    def __init__(self, rows: ReadableTable, environment: VerifierEnvironment, reports: Reports = _NO_REPORTS) -> None:
        """Set up the checks.

        Raises:
            ConfigurationError: the environment lists a value that no token can have.
        """
        self._rows = rows
        self._environment = environment
        self._reports = reports
        self._keys = KeySource(environment.issuers, development_hosts=environment.development_hosts)
        # Introspection, its callers included, knows user pools only: its rows name clients by ids that Cognito made.
        self._all_keys = (
            KeySource(
                (*environment.issuers, *environment.oidc_issuers), development_hosts=environment.development_hosts
            )
            if environment.oidc_issuers
            else self._keys
        )
        self._audience = resources(environment.audience, AUDIENCE)
        self._token_from = places(environment.token_from, environment.cookie_origins)
        self._executor = DeadlineExecutor()
        # Separate: stuck reads must not use up the threads that could respond without them.
        self._reads = DeadlineExecutor()
        self._revocations = _revocations(rows, environment, reports, self._reads)
        self._resources = StoredResources(rows)
        self._signer = _signer(environment)
        self._shares = Shares(environment.requests_per_second)
        self._active = ActiveBundle(rows)
        self._grants = StoredGrants(rows, self._active)
        self._names = TokenNames(rows, self._active)
        self._authorizer = _UnderPolicy(self._made_authorizer)
        self._introspection = _UnderPolicy(self._made_introspection)
        self._discovery = Discovery(
            environment.issuers,
            logins=dict(environment.logins),
            introspection_endpoint=environment.introspection_endpoint,
            authorization_servers=environment.authorization_servers,
            others=[(issuer.issuer, issuer.audience) for issuer in environment.oidc_issuers],
            audience=environment.audience,
            routes=self._described_routes,
            scopes=environment.scopes_supported,
            bearer_methods=("header",) if self._token_from.bearer else (),
            development_hosts=environment.development_hosts,
        )

    def authorize(self, event: Mapping[str, Any]) -> authorizer.Answer:
        """Handle an API Gateway authorizer event.

        Raises:
            UnauthorizedError: API Gateway expects a 401 as an error.
            ClaimsmithError: the token cannot be checked.
        """
        return self._executor.submit(lambda: self._authorize(event)).result(ANSWER_SECONDS)

    def introspect(self, event: Mapping[str, Any]) -> introspection.Answer:
        """Handle an introspection request.

        Raises:
            ClaimsmithError: there is no usable policy, or the deadline has passed.
        """
        return self._executor.submit(lambda: self._introspect(event)).result(ANSWER_SECONDS)

    def introspection_keys(self) -> dict[str, Any]:
        """The response with the keys of introspection's signed answers.

        Raises:
            ClaimsmithError: the deadline has passed, or the keys are not known now.
        """
        from claimsmith.verifier.introspection import published_keys  # noqa: PLC0415 - see _made_introspection

        return self._executor.submit(lambda: published_keys(self._signer)).result(ANSWER_SECONDS)

    def describe(self, event: Mapping[str, Any]) -> discovery.Answer:
        """Handle a request for metadata.

        Raises:
            DeadlineError: the policy does not come in time.
        """
        return self._executor.submit(lambda: self._discovery.answer(event)).result(ANSWER_SECONDS)

    def _authorize(self, event: Mapping[str, Any]) -> authorizer.Answer:
        return self._authorizer.of(self._bundle()).authorize(event)

    def _introspect(self, event: Mapping[str, Any]) -> introspection.Answer:
        return self._introspection.of(self._active.get()).answer(event)

    def _made_authorizer(self, bundle: Bundle) -> Authorizer:
        # Only the function of the authorizer imports it, and it has done so by now.
        from claimsmith.verifier.authorizer import Authorizer  # noqa: PLC0415

        settings = self._environment
        routes = tuple(bundle.routes.values())
        return Authorizer(
            self._verifier(bundle, self._clients(bundle), self._revocations, keys=self._all_keys),
            lambda: routes,
            response=settings.authorizer_response,
            cached_by=settings.authorizer_cached_by,
            token_from=self._token_from,
            context_claims=bundle.settings.context_claims,
        )

    def _made_introspection(self, bundle: Bundle) -> Introspection:
        # Only the function of introspection imports it, and it has done so by now.
        from claimsmith.verifier.introspection import Introspection  # noqa: PLC0415

        clients = self._clients(bundle)
        return Introspection(
            self._verifier(bundle, clients, ANY),
            # Any client of a pool may call; its row decides.
            self._verifier(bundle, any_client(clients), self._revocations),
            self._resources,
            revocations=self._revocations,
            grants=self._grants,
            signer=self._signer,
            shares=self._shares,
            resource_metadata=self._discovery.of_introspection,
        )

    def _clients(self, bundle: Bundle) -> Mapping[str, frozenset[str]]:
        settings = self._environment
        return accepted_clients(bundle, settings.client_ids, (issuer for issuer, _ in settings.issuers))

    def _bundle(self) -> Bundle:
        """The active policy; the last known one if the table is unavailable and the environment allows that.

        Raises:
            ClaimsmithError: there is no usable policy.
        """
        fresh = self._active.fresh
        if fresh is not None:
            return fresh
        try:
            return _with_deadline(self._reads, self._active.get)
        except (StoreError, DeadlineError) as error:
            cached = self._active.cached
            if self._environment.revocation_on_failure != "allow" or cached is None:
                raise
            self._reports.unchecked(error)
            return cached

    def _described_routes(self) -> Iterable[Mapping[str, Any]]:
        """The routes of the active policy, or of the last one that was read: a description opens nothing."""
        try:
            return self._active.get().routes.values()
        except StoreError:
            if self._active.cached is None:
                raise
            return self._active.cached.routes.values()

    def _verifier(
        self,
        bundle: Bundle,
        client_ids: ClientIds,
        revocations: Revocations | Unchecked,
        *,
        keys: KeySource | None = None,
    ) -> Verifier:
        return Verifier(
            issuers=keys or self._keys,
            client_ids=client_ids,
            token_use="access",  # noqa: S106 - a token's kind
            revocations=revocations,
            audience=self._audience,
            claim_names=self._names.for_bundle(bundle),
        )


def _with_deadline(reads: DeadlineExecutor, read: Callable[[], T]) -> T:
    """What a read returns; raises ``DeadlineError`` if it takes too long."""
    return reads.submit(read).result(READ_SECONDS)


def _signer(environment: VerifierEnvironment) -> AnswerSigner | None:
    """What signs introspection's answers; None if the deployment has no key for that."""
    if not environment.signing_keys:
        return None
    from claimsmith.verifier.signed_answers import AnswerSigner  # noqa: PLC0415 - most deployments need none of it

    return AnswerSigner([_LazyKey(arn) for arn in environment.signing_keys], environment.signing_issuer)


class _LazyKey:
    """A ``SigningKey`` of AWS KMS, whose client takes long to import: the first caller that asks for it waits."""

    def __init__(self, arn: str) -> None:
        self._arn = arn

    def public_key(self) -> bytes:
        return self._key.public_key()

    def sign(self, digest: bytes, algorithm: str, /) -> bytes:
        return self._key.sign(digest, algorithm)

    @cached_property
    def _key(self) -> SigningKey:
        from claimsmith.store import signing_keys  # noqa: PLC0415 - see above

        return signing_keys.KmsSigningKey(signing_keys.connect(), self._arn)


class _DeadlineRevocations:
    """Revocations that raise ``DeadlineError`` if the read takes too long."""

    def __init__(self, revocations: Revocations, reads: DeadlineExecutor, reading: Callable[[int], None]) -> None:
        self._revocations = revocations
        self._reads = reads
        self._reading = reading

    def revoked_at(self, keys: Sequence[str], /) -> Mapping[str, float | None]:
        self._reading(len(keys))
        return _with_deadline(self._reads, lambda: self._revocations.revoked_at(keys))


def _revocations(
    rows: ReadableTable, environment: VerifierEnvironment, reports: Reports, reads: DeadlineExecutor
) -> Revocations | Unchecked:
    """The deployment's choice: whether the table is queried, how often, and what happens if it is unavailable."""
    if environment.revocation == "off":
        return ANY
    revocations: Revocations = _DeadlineRevocations(StoredRevocations(rows, reports.unreadable), reads, reports.reading)
    if environment.revocation == "cached":
        revocations = CachedRevocations(revocations, seconds=environment.revocation_cache_seconds)
    elif environment.revocation_shared_seconds:
        seconds = environment.revocation_shared_seconds
        revocations = CachedRevocations(revocations, seconds=seconds, kinds=SHARED_KINDS)
    if environment.revocation_on_failure == "allow":
        revocations = UncheckedOnFailure(revocations, reports.unchecked)
    return revocations
