"""Which revocations concern a token, and whether they end it.

A row ``REVOKED#<kind>#<id>`` says since when (``revoked_at``). A session and a token are revoked by their id, once and
for all. A user, a client and a tenant go on; what ends is what they were given until then: of a user everything that
comes from a sign-in until then, refreshed or not; of a client and a tenant every token issued until then.

How fresh the answer must be is the verifier's choice:

* ``off``: ``Verifier(revocations=ANY)``. Tokens count until they expire.
* ``cached``: ``CachedRevocations``. A revocation is seen within so many seconds.
* ``strict``: the rows themselves. A revocation is seen at once.

Where the rows cannot be had, the token is refused, unless ``UncheckedOnFailure`` says on purpose that it is not.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from claimsmith.errors import ClaimsmithError, Code, ConfigurationError, VerificationError
from claimsmith.table import REVOKED_PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from claimsmith.verifier.claims import Claims

#: Rows remembered at once, those that are not there included: a token has up to six. Some 300 octets each.
MAX_REMEMBERED: Final = 20_000


#: What the tenant's claim is called where the policy does not say.
_TENANT_ID: Final = "tenant_id"


class Revocations(Protocol):
    """Where revocations are kept."""

    def revoked_at(self, keys: Sequence[str], /) -> Mapping[str, float | None]:
        """Look up several rows at once.

        Args:
            keys: partition keys ``REVOKED#<kind>#<id>``, at most six, no two the same.

        Returns:
            ``revoked_at`` in epoch seconds, for each row that is there; ``None`` where it cannot be read.

        Raises:
            ClaimsmithError: it cannot be known.
        """


def revocation_key(kind: str, identifier: str) -> str:
    """The partition key of the row that revokes this."""
    return f"{REVOKED_PREFIX}{kind}#{identifier}"


def _since(claims: Claims) -> dict[str, float | None]:
    """What could be revoked about a token: the row's key, and the time that a revocation must not be older than.

    The time is ``None`` where any row, whatever its time, ends the token.
    """
    signed_in = claims.iat if claims.auth_time is None else claims.auth_time
    concerned = (
        ("session", claims.origin_jti, None),
        ("token", claims.jti, None),
        ("user", claims.sub, signed_in),
        ("client", claims.client_id, claims.iat),
        ("tenant", claims.tenant_id, claims.iat),
        # In a token from before the policy gave the claim another name.
        ("tenant", claims.get(_TENANT_ID), claims.iat),
    )
    return {revocation_key(kind, value): since for kind, value, since in concerned if isinstance(value, str) and value}


def check_revocation(claims: Claims, revocations: Revocations) -> None:
    """Refuse a token that is revoked, or of which that cannot be known.

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
        begun = since[key]
        # Unreadable time, or none in the token: what cannot be compared ends it. NaN compares false, hence "not >".
        if begun is None or revoked_at is None or not begun > revoked_at:
            raise VerificationError(Code.TOKEN_REVOKED, "revocation")


class _Answer(NamedTuple):
    """What the table said of a row, and when it was asked."""

    revoked_at: float | None
    """``None``: there is no such row."""

    monotonic: float
    wall: float


class CachedRevocations:
    """Remembers what the table said of a row, that there is none as well as that there is one, for so many seconds.

    Within the bound, a token is judged as it was; after it, what it concerns is asked for again, all that is missing in
    one request. Both clocks must agree that an answer is young: while a Lambda environment is frozen, its monotonic
    clock may stand still, and a wall clock can be set back. The age counts from before the request, so an answer that
    was long on its way is not young. A row that cannot be read is not remembered. Safe to use from several threads.
    """

    def __init__(
        self,
        revocations: Revocations,
        *,
        seconds: float,
        max_remembered: int = MAX_REMEMBERED,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """Put a memory in front of the table.

        Args:
            revocations: the table.
            seconds: the bound: how late a revocation may be seen.
            max_remembered: rows; beyond them, the oldest answers are forgotten.
            monotonic: seconds that never go back.
            wall: epoch seconds.

        Raises:
            ConfigurationError: a bound is not positive.
        """
        if not 0 < seconds < float("inf") or max_remembered < 1:
            raise ConfigurationError("Revocations are cached for a positive number of seconds, in bounded memory.")
        self._revocations = revocations
        self._seconds = seconds
        self._max_remembered = max_remembered
        self._monotonic = monotonic
        self._wall = wall
        self._lock = threading.Lock()
        self._answers: dict[str, _Answer] = {}

    def revoked_at(self, keys: Sequence[str], /) -> Mapping[str, float | None]:
        """As ``Revocations.revoked_at``, not older than the bound.

        Raises:
            ClaimsmithError: something is not remembered, and cannot be known.
        """
        monotonic, wall = self._monotonic(), self._wall()
        with self._lock:
            known = {key: answer for key in keys if (answer := self._answers.get(key)) is not None}
        young = {key: answer.revoked_at for key, answer in known.items() if self._is_young(answer, monotonic, wall)}
        missing = [key for key in keys if key not in young]
        found: dict[str, float | None] = {key: at for key, at in young.items() if at is not None}
        if missing:
            told = self._revocations.revoked_at(missing)
            self._remember({key: told.get(key) for key in missing if told.get(key, 0) is not None}, monotonic, wall)
            found |= told
        return found

    def remembered(self, keys: Sequence[str], /) -> Mapping[str, float]:
        """The revocations among these that are remembered, whatever their age: what to go by where nothing else is."""
        with self._lock:
            answers = {key: self._answers[key].revoked_at for key in keys if key in self._answers}
        return {key: revoked_at for key, revoked_at in answers.items() if revoked_at is not None}

    def _is_young(self, answer: _Answer, monotonic: float, wall: float) -> bool:
        return 0 <= monotonic - answer.monotonic < self._seconds and 0 <= wall - answer.wall < self._seconds

    def _remember(self, told: Mapping[str, float | None], monotonic: float, wall: float) -> None:
        with self._lock:
            for key, revoked_at in told.items():
                former = self._answers.get(key)
                if former is not None and former.monotonic > monotonic:
                    continue  # another thread asked later and was answered first
                self._answers.pop(key, None)
                self._answers[key] = _Answer(revoked_at, monotonic, wall)
            while len(self._answers) > self._max_remembered:
                del self._answers[next(iter(self._answers))]


class UncheckedOnFailure:
    """Lets a token pass where it cannot be known whether it is revoked: availability before revocation, on purpose.

    What is remembered of a revocation still counts, however old it is.
    """

    def __init__(self, revocations: Revocations, report: Callable[[ClaimsmithError], None]) -> None:
        """Choose it.

        Args:
            revocations: the table, or a memory in front of it.
            report: is told of each time that a token was not checked.
        """
        self._revocations = revocations
        self._report = report

    def revoked_at(self, keys: Sequence[str], /) -> Mapping[str, float | None]:
        """As ``Revocations.revoked_at``, but never raises on purpose."""
        try:
            return self._revocations.revoked_at(keys)
        except ClaimsmithError as error:
            self._report(error)
            cached = self._revocations
            return dict(cached.remembered(keys)) if isinstance(cached, CachedRevocations) else {}
