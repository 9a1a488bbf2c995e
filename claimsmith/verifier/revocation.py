"""Which revocations apply to a token, and whether they revoke it.

A row ``REVOKED#<kind>#<id>`` has the time of the revocation (``revoked_at``). Sessions and tokens are revoked for good,
by their id. Users, clients and tenants keep working; only their earlier tokens are revoked: of a user, all tokens from
earlier sign-ins, refreshed or not; of a client and a tenant, all tokens issued earlier.

How soon a revocation must take effect is a choice:

* ``off``: ``Verifier(revocations=ANY)``. Tokens are valid until they expire.
* ``cached``: ``CachedRevocations``. A revocation takes effect within a number of seconds.
* ``strict``: the rows themselves. A revocation takes effect at once; with ``CachedRevocations`` of ``SHARED_KINDS``,
  that of a client or a tenant within a number of seconds.

If the rows cannot be read, the token is refused, unless ``UncheckedOnFailure`` is chosen.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final, Protocol

from claimsmith.errors import ClaimsmithError, Code, ConfigurationError, VerificationError
from claimsmith.named_tuple import NamedTuple
from claimsmith.table import MAX_PK, REVOKED_PREFIX, revocation_key
from claimsmith.verifier.claims import OidcClaims

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from claimsmith.verifier.claims import Claims

#: Rows in the cache, including missing ones: a token has up to six. About 300 octets each.
MAX_REMEMBERED: Final = 20_000

#: Kinds of which one row concerns the tokens of many: read for each of them, it soon is all that DynamoDB lets anybody
#: read of one partition.
SHARED_KINDS: Final = frozenset({"client", "tenant"})

#: The tenant's claim, unless the policy renames it.
_TENANT_ID: Final = "tenant_id"


class Revocations(Protocol):
    """The store of revocations."""

    def revoked_at(self, keys: Sequence[str], /) -> Mapping[str, float | None]:
        """Look up several rows at once.

        Args:
            keys: partition keys ``REVOKED#<kind>#<id>``, at most six, without duplicates.

        Returns:
            ``revoked_at`` in epoch seconds, for each row that exists; ``None`` if it is invalid.

        Raises:
            ClaimsmithError: the rows cannot be read.
        """


def _since(claims: Claims) -> dict[str, float | None]:
    """The keys of the rows that could revoke a token, each with the time from which a revocation applies.

    The time is ``None`` if the row revokes the token whatever its time. An id that is too long for a key has no row;
    DynamoDB would refuse to look for all of them, and it may be a text that a user of another issuer can choose.
    """
    signed_in = claims.iat if claims.auth_time is None else claims.auth_time
    concerned = (
        ("session", claims.origin_jti, None),
        ("token", claims.jti, None),
        ("user", claims.sub, signed_in),
        ("client", claims.client_id, claims.iat),
        ("tenant", claims.tenant_id, claims.iat),
        # In a token from before the policy renamed the claim. No policy made another issuer's.
        ("tenant", None if isinstance(claims, OidcClaims) else claims.get(_TENANT_ID), claims.iat),
    )
    keys = {revocation_key(kind, value): since for kind, value, since in concerned if isinstance(value, str) and value}
    return {key: since for key, since in keys.items() if len(key.encode()) <= MAX_PK}


def check_revocation(claims: Claims, revocations: Revocations) -> None:
    """Refuse a token that is revoked, or whose revocation cannot be looked up.

    Raises:
        VerificationError: ``TOKEN_REVOKED`` or ``REVOCATION_UNKNOWN``, at stage ``revocation``.
    """
    since = _since(claims)
    try:
        rows = revocations.revoked_at(tuple(since))
    except ClaimsmithError as error:
        raise VerificationError(Code.REVOCATION_UNKNOWN, "revocation") from error
    for key, revoked_at in rows.items():
        if key not in since:
            continue
        start = since[key]
        # Times that are invalid or missing cannot be compared: then it is revoked. NaN compares false, hence "not >".
        if start is None or revoked_at is None or not start > revoked_at:
            raise VerificationError(Code.TOKEN_REVOKED, "revocation")


class _Answer(NamedTuple):
    """A row as read from the table, and the time of the request."""

    revoked_at: float | None
    """``None``: there is no such row."""

    monotonic: float
    wall: float


class CachedRevocations:
    """Caches rows, existing and missing ones, for a number of seconds; of all kinds, or of some.

    All rows that are not cached or too old are read in one request. Both clocks must agree that an answer is fresh: the
    monotonic clock may stop while a Lambda environment is frozen, and a wall clock can be set back. The age counts from
    before the request, so a slow answer is not fresher than it is. An invalid row is not cached. Thread-safe.
    """

    def __init__(
        self,
        revocations: Revocations,
        *,
        seconds: float,
        kinds: Collection[str] | None = None,
        max_remembered: int = MAX_REMEMBERED,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """Create a cache.

        Args:
            revocations: the table.
            seconds: how long a row is cached, and so how late a revocation may take effect.
            kinds: the kinds whose rows are cached, such as ``SHARED_KINDS``; None for all.
            max_remembered: the maximum number of rows; beyond it, the oldest are dropped.
            monotonic: seconds that never go back.
            wall: epoch seconds.

        Raises:
            ConfigurationError: a bound is not positive.
        """
        if not 0 < seconds < float("inf") or max_remembered < 1:
            raise ConfigurationError("Revocations are cached for a positive number of seconds, in bounded memory.")
        self._revocations = revocations
        self._seconds = seconds
        self._prefixes = (REVOKED_PREFIX,) if kinds is None else tuple(revocation_key(kind, "") for kind in kinds)
        self._max_remembered = max_remembered
        self._monotonic = monotonic
        self._wall = wall
        self._lock = threading.Lock()
        self._answers: dict[str, _Answer] = {}

    def revoked_at(self, keys: Sequence[str], /) -> Mapping[str, float | None]:
        """As ``Revocations.revoked_at``; rows of the cached kinds may be up to ``seconds`` old.

        Raises:
            ClaimsmithError: a row is not cached and cannot be read.
        """
        monotonic, wall = self._monotonic(), self._wall()
        with self._lock:
            known = {key: answer for key in keys if (answer := self._answers.get(key)) is not None}
        fresh = {key: answer.revoked_at for key, answer in known.items() if self._is_fresh(answer, monotonic, wall)}
        missing = [key for key in keys if key not in fresh]
        found: dict[str, float | None] = {key: at for key, at in fresh.items() if at is not None}
        if missing:
            rows = self._revocations.revoked_at(missing)
            kept = [key for key in missing if key.startswith(self._prefixes) and rows.get(key, 0) is not None]
            self._remember({key: rows.get(key) for key in kept}, monotonic, wall)
            found |= rows
        return found

    def remembered(self, keys: Sequence[str], /) -> Mapping[str, float]:
        """The cached revocations among these, whatever their age: for when the table cannot be read."""
        with self._lock:
            answers = {key: self._answers[key].revoked_at for key in keys if key in self._answers}
        return {key: revoked_at for key, revoked_at in answers.items() if revoked_at is not None}

    def _is_fresh(self, answer: _Answer, monotonic: float, wall: float) -> bool:
        return 0 <= monotonic - answer.monotonic < self._seconds and 0 <= wall - answer.wall < self._seconds

    def _remember(self, rows: Mapping[str, float | None], monotonic: float, wall: float) -> None:
        with self._lock:
            for key, revoked_at in rows.items():
                former = self._answers.get(key)
                if former is not None and former.monotonic > monotonic:
                    continue  # another thread asked later and got its answer first
                self._answers.pop(key, None)
                self._answers[key] = _Answer(revoked_at, monotonic, wall)
            while len(self._answers) > self._max_remembered:
                del self._answers[next(iter(self._answers))]


class UncheckedOnFailure:
    """Accepts a token if its revocation cannot be looked up: availability before revocation.

    Cached revocations still count, however old they are.
    """

    def __init__(self, revocations: Revocations, report: Callable[[ClaimsmithError], None]) -> None:
        """Create one.

        Args:
            revocations: the table, or a cache in front of it.
            report: called with the error each time that a token was not checked.
        """
        self._revocations = revocations
        self._report = report

    def revoked_at(self, keys: Sequence[str], /) -> Mapping[str, float | None]:
        """As ``Revocations.revoked_at``, but does not raise."""
        try:
            return self._revocations.revoked_at(keys)
        except ClaimsmithError as error:
            self._report(error)
            cached = self._revocations
            return dict(cached.remembered(keys)) if isinstance(cached, CachedRevocations) else {}
