"""The bundles in use: the one in force, and a staged one for those it serves; remembered as long as they may be.

A staged version never harms those it does not serve: its document is read only for somebody whom it serves (and ahead
of the first sign-in, together with the one in force), and where it cannot be read the version in force serves them too.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from claimsmith import table
from claimsmith.engine.codec import BundleError
from claimsmith.engine.facts import Problem
from claimsmith.errors import Code, StoreError
from claimsmith.store import bundles

if TYPE_CHECKING:
    from collections.abc import Callable

    from claimsmith.engine.bundle import Bundle
    from claimsmith.engine.staging import Staging
    from claimsmith.store.bundles import Pointer
    from claimsmith.store.dynamodb import Table


class Serving(NamedTuple):
    """The bundle that makes a subject's tokens.

    Attributes:
        problems: why it is the version in force and not a staged one, where that cannot be read.
    """

    bundle: Bundle
    problems: tuple[Problem, ...] = ()


class _Read(NamedTuple):
    bundle: Bundle
    pointer: Pointer
    at: float


class _Candidate(NamedTuple):
    """A staged version: its bundle and digest, or why it has none; that is believed until the pointer is read again."""

    number: int
    bundle: Bundle | None
    digest: str
    why: str
    pointer: Pointer


class ActiveBundle:
    """Reads the bundles in use. Safe to use from several threads: what is remembered is replaced as a whole."""

    def __init__(self, rows: Table, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._rows = rows
        self._monotonic = monotonic
        self._read: _Read | None = None
        self._candidate: _Candidate | None = None

    @property
    def remembered(self) -> Bundle | None:
        """The last bundle in force that was read, whatever its age."""
        return self._read.bundle if self._read is not None else None

    @property
    def version_claims(self) -> tuple[str, ...] | None:
        """What the pointer that was read last says of the names of claims (``Pointer.version_claims``)."""
        return self._read.pointer.version_claims if self._read is not None else None

    @property
    def fresh(self) -> Bundle | None:
        """The bundle in force, from memory; None where it must be read first."""
        last = self._fresh()
        return None if last is None else last.bundle

    def get(self) -> Bundle:
        """The bundle in force, from memory where that may be.

        Raises:
            BundleError: there is no usable bundle.
            StoreError: DynamoDB does not answer.
        """
        return self.fresh or self._refresh(lambda _: False).bundle

    def peek(self, subject: str) -> Serving | None:
        """The bundle that serves a subject, from memory; None where something must be read first."""
        last = self._fresh()
        if last is None:
            return None
        number = _candidate_for(last.pointer, subject)
        if number is None:
            return _in_force(last)
        candidate = self._known(last.pointer, number)
        return None if candidate is None else _staged(last, candidate)

    def serve(self, subject: str, *, since: float | None = None) -> Serving:
        """The bundle that serves a subject, from memory where that may be.

        Args:
            subject: a user's ``sub``, or the id of an app client that gets a machine token.
            since: what was read before this time (``now``) is not believed, however young it is.

        Raises:
            BundleError: there is no usable bundle in force.
            StoreError: DynamoDB does not answer.
        """
        last = self._fresh(since) or self._refresh(lambda staging: staging.serves(subject))
        number = _candidate_for(last.pointer, subject)
        if number is None:
            return _in_force(last)
        candidate = self._known(last.pointer, number)
        if candidate is None:
            candidate = self._keep(last.pointer, number, lambda: bundles.read_row(self._rows, number))
        return _staged(last, candidate)

    def warm(self) -> None:
        """Read what is in force and what is staged.

        Raises:
            BundleError: there is no usable bundle in force.
            StoreError: DynamoDB does not answer.
        """
        self._refresh(lambda _: True)

    def now(self) -> float:
        """The time by which it is judged what is young."""
        return self._monotonic()

    def _fresh(self, since: float | None = None) -> _Read | None:
        """What was read last, unless its ``cache_seconds`` are over; or where ``since`` is given, if read since."""
        last = self._read
        if last is None:
            return None
        if since is not None:
            return last if last.at >= since else None
        return last if self._monotonic() - last.at < last.bundle.settings.cache_seconds else None

    def _refresh(self, wants: Callable[[Staging], bool]) -> _Read:
        """Read the pointer, and a document only where the version moved: with the staged one's, where it is wanted."""
        at = self._monotonic()
        pointer = bundles.pointer(self._rows)
        if pointer is None:
            raise BundleError("No policy has been published.", Code.NO_BUNDLE)
        bundle = self._unmoved(pointer)
        if bundle is None:
            staging = pointer.staging
            if staging is not None and self._known(pointer, staging.candidate) is None and wants(staging):
                bundle = self._load_both(pointer, staging.candidate)
            else:
                bundle = bundles.load(self._rows, pointer.version, pointer.digest)
        self._read = read = _Read(bundle, pointer, at)
        return read

    def _load_both(self, pointer: Pointer, number: int) -> Bundle:
        """Read two documents in one request, so that a staged version adds none to those in sequence."""
        found = bundles.load_all(self._rows, (pointer.version, number))
        bundle, _ = bundles.decode_row(found.get(pointer.version), pointer.version, pointer.digest)
        self._keep(pointer, number, lambda: found.get(number))
        return bundle

    def _unmoved(self, pointer: Pointer) -> Bundle | None:
        """The bundle that the pointer names, where it was read before: as the one in force, or as a staged one."""
        named = (pointer.version, pointer.digest)
        last, candidate = self._read, self._candidate
        if last is not None and (last.pointer.version, last.pointer.digest) == named:
            return last.bundle
        if candidate is not None and (candidate.number, candidate.digest) == named:
            return candidate.bundle
        return None

    def _known(self, pointer: Pointer, number: int) -> _Candidate | None:
        """The staged version as it is remembered. A document never changes; a failure is tried again now and then."""
        candidate = self._candidate
        if candidate is None or candidate.number != number:
            return None
        return candidate if candidate.bundle is not None or candidate.pointer is pointer else None

    def _keep(self, pointer: Pointer, number: int, read: Callable[[], dict[str, Any] | None]) -> _Candidate:
        """Read a staged version and remember it, or why it cannot be read."""
        try:
            bundle, digest = bundles.decode_row(read(), number)
        except (BundleError, StoreError) as error:
            candidate = _Candidate(number, None, "", error.message, pointer)
        else:
            candidate = _Candidate(number, bundle, digest, "", pointer)
        self._candidate = candidate
        return candidate


def _candidate_for(pointer: Pointer, subject: str) -> int | None:
    """The staged version that serves this subject; None where the one in force does."""
    staging = pointer.staging
    if staging is None or staging.candidate == pointer.version or not staging.serves(subject):
        return None
    return staging.candidate


def _in_force(last: _Read) -> Serving:
    problem = last.pointer.problem
    return Serving(last.bundle, () if problem is None else (problem,))


def _staged(last: _Read, candidate: _Candidate) -> Serving:
    if candidate.bundle is not None:
        return Serving(candidate.bundle)
    row = f"{table.BUNDLE} {table.version_sk(candidate.number)}"
    return Serving(last.bundle, (Problem(row, "document", f"{candidate.why} The version in force serves."),))
