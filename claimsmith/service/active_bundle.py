"""The bundles in use: the active one, and a staged one for the subjects it serves; both cached for a limited time.

A staged version never affects subjects it does not serve: its document is read only for a subject that it does serve
(and before the first sign-in, together with the active one). If it cannot be read, the active version serves those
subjects too.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from claimsmith import table
from claimsmith.engine.codec import BundleError
from claimsmith.engine.facts import Problem
from claimsmith.errors import Code, StoreError
from claimsmith.named_tuple import NamedTuple
from claimsmith.store import bundles

if TYPE_CHECKING:
    from collections.abc import Callable

    from claimsmith.engine.bundle import Bundle
    from claimsmith.engine.staging import Staging
    from claimsmith.store.bundles import Pointer
    from claimsmith.store.reads import ReadableTable


class Serving(NamedTuple):
    """The bundle that decides a subject's tokens.

    Attributes:
        problems: why the active version serves, if the staged one should but cannot be read.
    """

    bundle: Bundle
    problems: tuple[Problem, ...] = ()


class _Read(NamedTuple):
    bundle: Bundle
    pointer: Pointer
    at: float


class _Candidate(NamedTuple):
    """A staged version: its bundle and digest, or the reason why it cannot be read.

    A failure is cached only until the pointer is next read.
    """

    number: int
    bundle: Bundle | None
    digest: str
    failure: str
    pointer: Pointer


class ActiveBundle:
    """Reads and caches the bundles in use. Thread-safe: each cached value is replaced as a whole."""

    def __init__(self, rows: ReadableTable, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._rows = rows
        self._monotonic = monotonic
        self._read: _Read | None = None
        self._pointer: Pointer | None = None
        self._candidate: _Candidate | None = None

    @property
    def cached(self) -> Bundle | None:
        """The active bundle as it was last read, whatever its age."""
        return self._read.bundle if self._read is not None else None

    @property
    def pointer(self) -> Pointer | None:
        """The pointer as it was last read, whatever its age, even if the bundle that it names cannot be read."""
        return self._pointer

    @property
    def version_claims(self) -> tuple[str, ...] | None:
        """``Pointer.version_claims`` of the pointer as it was last read."""
        return self._read.pointer.version_claims if self._read is not None else None

    @property
    def fresh(self) -> Bundle | None:
        """The active bundle from the cache; None if it must be read first."""
        last = self._fresh()
        return None if last is None else last.bundle

    def get(self) -> Bundle:
        """The active bundle, from the cache if that is fresh.

        Raises:
            BundleError: there is no usable bundle.
            StoreError: DynamoDB is unavailable.
        """
        return self.fresh or self._refresh(lambda _: False).bundle

    def peek(self, subject: str) -> Serving | None:
        """The bundle that serves a subject, from the cache; None if something must be read first."""
        last = self._fresh()
        if last is None:
            return None
        number = _candidate_for(last.pointer, subject)
        if number is None:
            return _serving_active(last)
        candidate = self._cached_candidate(last.pointer, number)
        return None if candidate is None else _serving_staged(last, candidate)

    def serve(self, subject: str, *, since: float | None = None) -> Serving:
        """The bundle that serves a subject, from the cache if that is fresh.

        Args:
            subject: a user's ``sub``, or the app client id of a machine token.
            since: ignore what was read before this time (``now``), however recent.

        Raises:
            BundleError: there is no usable active bundle.
            StoreError: DynamoDB is unavailable.
        """
        last = self._fresh(since) or self._refresh(lambda staging: staging.serves(subject))
        number = _candidate_for(last.pointer, subject)
        if number is None:
            return _serving_active(last)
        candidate = self._cached_candidate(last.pointer, number)
        if candidate is None:
            candidate = self._load_candidate(last.pointer, number, lambda: bundles.read_row(self._rows, number))
        return _serving_staged(last, candidate)

    def warm(self) -> None:
        """Read the active bundle and the staged one.

        Raises:
            BundleError: there is no usable active bundle.
            StoreError: DynamoDB is unavailable.
        """
        self._refresh(lambda _: True)

    def now(self) -> float:
        """The time on the clock that measures the age of cached values."""
        return self._monotonic()

    def _fresh(self, since: float | None = None) -> _Read | None:
        """What was last read, if it is younger than ``cache_seconds``; with ``since``, if it was read since then."""
        last = self._read
        if last is None:
            return None
        if since is not None:
            return last if last.at >= since else None
        return last if self._monotonic() - last.at < last.bundle.settings.cache_seconds else None

    def _refresh(self, needs_candidate: Callable[[Staging], bool]) -> _Read:
        """Read the pointer; if the version changed, also the active document, and the staged one if needed."""
        at = self._monotonic()
        pointer = bundles.pointer(self._rows)
        if pointer is None:
            raise BundleError("No policy has been published.", Code.NO_BUNDLE)
        self._pointer = pointer
        bundle = self._cached(pointer)
        if bundle is None:
            staging = pointer.staging
            if (
                staging is not None
                and self._cached_candidate(pointer, staging.candidate) is None
                and needs_candidate(staging)
            ):
                bundle = self._load_both(pointer, staging.candidate)
            else:
                bundle = bundles.load(self._rows, pointer.version, pointer.digest)
        self._read = read = _Read(bundle, pointer, at)
        return read

    def _load_both(self, pointer: Pointer, number: int) -> Bundle:
        """Read both documents in one request, so that a staged version does not add another round trip."""
        found = bundles.load_all(self._rows, (pointer.version, number))
        bundle, _ = bundles.decode_row(found.get(pointer.version), pointer.version, pointer.digest)
        self._load_candidate(pointer, number, lambda: found.get(number))
        return bundle

    def _cached(self, pointer: Pointer) -> Bundle | None:
        """The bundle that the pointer names, if it was read before as the active or the staged one."""
        key = (pointer.version, pointer.digest)
        last, candidate = self._read, self._candidate
        if last is not None and (last.pointer.version, last.pointer.digest) == key:
            return last.bundle
        if candidate is not None and (candidate.number, candidate.digest) == key:
            return candidate.bundle
        return None

    def _cached_candidate(self, pointer: Pointer, number: int) -> _Candidate | None:
        """The cached staged version. A document never changes; a failure is retried when the pointer is next read."""
        candidate = self._candidate
        if candidate is None or candidate.number != number:
            return None
        return candidate if candidate.bundle is not None or candidate.pointer is pointer else None

    def _load_candidate(self, pointer: Pointer, number: int, read: Callable[[], dict[str, Any] | None]) -> _Candidate:
        """Read a staged version and cache it, or the reason why it cannot be read."""
        try:
            bundle, digest = bundles.decode_row(read(), number)
        except (BundleError, StoreError) as error:
            candidate = _Candidate(number, None, "", error.message, pointer)
        else:
            candidate = _Candidate(number, bundle, digest, "", pointer)
        self._candidate = candidate
        return candidate


def _candidate_for(pointer: Pointer, subject: str) -> int | None:
    """The staged version that serves this subject; None if the active one does."""
    staging = pointer.staging
    if staging is None or staging.candidate == pointer.version or not staging.serves(subject):
        return None
    return staging.candidate


def _serving_active(last: _Read) -> Serving:
    return Serving(last.bundle, last.pointer.problems)


def _serving_staged(last: _Read, candidate: _Candidate) -> Serving:
    if candidate.bundle is not None:
        return Serving(candidate.bundle)
    row = f"{table.BUNDLE} {table.version_sk(candidate.number)}"
    return Serving(
        last.bundle, (Problem(row, "document", f"{candidate.failure} The version in force serves instead."),)
    )
