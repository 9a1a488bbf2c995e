"""Handles the trigger's event: reads the facts before a deadline, decides, and builds the response."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from claimsmith.cognito import event as cognito_event
from claimsmith.cognito.response import build
from claimsmith.engine.codec import BundleError
from claimsmith.engine.decide import Decision, Refusal, decide, degraded
from claimsmith.engine.facts import MACHINE, Facts, Problem, Tenant, read_tenant
from claimsmith.errors import ClaimsmithError, Code, SignInRefusedError, StoreError
from claimsmith.named_tuple import NamedTuple
from claimsmith.service.active_bundle import ActiveBundle, Serving
from claimsmith.service.deadline import DeadlineError, DeadlineExecutor
from claimsmith.service.users import tenants_of, user_facts
from claimsmith.store import directory

if TYPE_CHECKING:
    from collections.abc import Callable

    from claimsmith.cognito.event import Request
    from claimsmith.engine.bundle import Bundle
    from claimsmith.environment import OnFailure
    from claimsmith.store.reads import ReadableTable

#: Seconds for all reads of one sign-in. Cognito waits five, and a cold start takes some of them.
READ_SECONDS: Final = 3.0

#: Seconds for reading the bundle while the process starts; after that, the first sign-in reads it.
WARM_SECONDS: Final = 1.0

#: Tenant rows cached at most.
_MAX_CACHED_TENANTS: Final = 1_000


class Issued(NamedTuple):
    """An event with its response.

    Attributes:
        event: the event with its ``response``, for Cognito.
        decision: the decision.
        version: the bundle's version; None if there was no bundle.
        degraded: the code of the failure because of which the token is not enriched.
    """

    event: dict[str, Any]
    request: Request
    decision: Decision
    version: int | None
    degraded: Code | None = None


class Untouched(NamedTuple):
    """An event that is answered as it came, as if there were no trigger.

    Attributes:
        event: as it came, for Cognito.
        outcome: what would have happened: the tokens, or the error that would have been raised.
        in_shadow: the policy does not reach the subject yet; False if it may, but could not be read.
    """

    event: Any
    outcome: Issued | Exception
    in_shadow: bool


class Issuer:
    """Decides tokens from a table. Thread-safe; caches bundles and tenants, never users."""

    def __init__(
        self,
        rows: ReadableTable,
        on_failure: OnFailure,
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        read_seconds: float = READ_SECONDS,
        bundle: Bundle | None = None,
    ) -> None:
        """An issuer.

        Args:
            rows: the table.
            on_failure: what to do if the facts cannot be read (``TriggerEnvironment``).
            clock: epoch seconds.
            monotonic: seconds that never go back; measures the age of cached values.
            read_seconds: limit for all reads of one sign-in.
            bundle: decide with this bundle instead of the active or staged one.
        """
        self._rows = rows
        self._on_failure = on_failure
        self._clock = clock
        self._monotonic = monotonic
        self._read_seconds = read_seconds
        self._fixed = bundle
        self._executor = DeadlineExecutor()
        self._active = ActiveBundle(rows, monotonic=monotonic)
        self._tenants: dict[str, tuple[Tenant, float]] = {}

    def warm(self, seconds: float = WARM_SECONDS) -> Code | None:
        """Read the bundle before the first sign-in.

        Returns:
            The code of what went wrong, if anything did; the first sign-in will try again.
        """
        return self.begin_to_warm()(seconds)

    def begin_to_warm(self) -> Callable[[float], Code | None]:
        """Begin with ``warm``; the function that is returned waits for its end, for so many seconds."""
        reading = self._executor.submit(self._active.warm)

        def wait(seconds: float) -> Code | None:
            try:
                reading.result(seconds)
            except ClaimsmithError as error:
                return error.code
            return None

        return wait

    def answer(self, event: object) -> Issued | Untouched:
        """Handle one event, as far as the policy reaches its subject.

        Of a subject that it does not reach yet, tokens stay as they are, whatever happens, even a bug.

        Args:
            event: the event as Lambda passes it.

        Raises:
            SignInRefusedError: no token; the text is safe for the user.
            Exception: a bug.
        """
        try:
            outcome: Issued | Exception = self.issue(event)
        except Exception as error:  # noqa: BLE001 - raised again where it may be
            outcome = error
        pointer = self._active.pointer
        rollout = pointer.rollout if pointer is not None else None
        if rollout is not None and not rollout.reaches(*cognito_event.subject(event)):
            return Untouched(event, outcome, in_shadow=True)
        if isinstance(outcome, Issued):
            return outcome
        # A process that has never read the pointer does not know whom the policy reaches, so nothing may refuse.
        unread = isinstance(outcome, UnreadError) or pointer is None
        if self._on_failure == "unchanged" and unread:
            return Untouched(event, outcome, in_shadow=False)
        raise outcome

    def issue(self, event: object) -> Issued:
        """Handle one event by the policy, as if it reached everybody.

        Args:
            event: the event as Lambda passes it.

        Raises:
            SignInRefusedError: no token; the text is safe for the user.
        """
        request = cognito_event.parse(event)
        failure = None
        try:
            bundle, facts = self._executor.submit(lambda: self.read(request)).result(self._read_seconds)
        except (StoreError, BundleError, DeadlineError) as error:
            failure = Code.STORE_UNAVAILABLE if isinstance(error, StoreError) else error.code
            if self._on_failure != "unenriched":
                raise UnreadError(failure) from error
            cached = self._active.cached
            version = cached.version if cached else None
            decision: Decision | Refusal = degraded(cached, request, failure)
        else:
            version = bundle.version
            decision = decide(bundle, facts, request, int(self._clock()))
        if isinstance(decision, Refusal):
            raise RefusedError(decision, request, version)
        assert isinstance(event, dict)  # noqa: S101 - parse accepts nothing else
        response = {**event, "response": build(decision.changes, request)}
        return Issued(response, request, decision, version, failure)

    def read(self, request: Request) -> tuple[Bundle, Facts]:
        """The bundle that serves the request's subject, and the facts.

        One round trip if everything is cached, two if not; a staged version adds one at most once per process.

        Raises:
            BundleError: there is no usable bundle.
            StoreError: DynamoDB is unavailable.
        """
        subject = request.client_id if request.sub is None else request.sub
        serving = self._serving(subject)
        now = int(self._clock())
        user = MACHINE if request.sub is None else user_facts(self._rows, request.sub, now)
        bundle, serving_problems = serving()
        problems: list[Problem] = [*serving_problems]
        user, known = tenants_of(
            bundle,
            user,
            request,
            lambda missing, known: self._read_tenants(missing, known, problems, bundle.settings.cache_seconds),
        )
        return bundle, Facts(user, known, tuple(problems))

    def _serving(self, subject: str) -> Callable[[], Serving]:
        """A function that returns the bundle for a subject: from the cache, or from a read that starts at once."""
        cached = Serving(self._fixed) if self._fixed is not None else self._active.peek(subject)
        if cached is not None:
            return lambda: cached
        return self._executor.submit(lambda: self._active.serve(subject)).result

    def _read_tenants(
        self, missing: list[str], known: dict[str, Tenant | None], problems: list[Problem], cache_seconds: int
    ) -> None:
        """Add these tenants to ``known``: from the cache if they are fresh, otherwise from the table."""
        read_at = self._monotonic()
        unread: list[str] = []
        for tenant_id in missing:
            cached = self._tenants.get(tenant_id)
            if cached is not None and read_at - cached[1] < cache_seconds:
                known[tenant_id] = cached[0]
            else:
                known[tenant_id] = None
                unread.append(tenant_id)
        if not unread:
            return
        now = int(self._clock())
        for row in directory.tenant_rows(self._rows, unread):
            tenant = read_tenant(row, now)
            if isinstance(tenant, Problem):
                problems.append(tenant)
            elif tenant is not None:
                known[tenant.id] = tenant
                if len(self._tenants) >= _MAX_CACHED_TENANTS:
                    self._tenants.clear()
                self._tenants[tenant.id] = (tenant, read_at)


class UnreadError(SignInRefusedError):
    """The policy or the facts could not be read."""


class RefusedError(SignInRefusedError):
    """A sign-in that the decision refused.

    Attributes:
        refusal: with its reasons and problems, for the log.
    """

    def __init__(self, refusal: Refusal, request: Request, version: int | None) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal
        self.request = request
        self.version = version
