"""The keys of the allowed issuers: fetched, cached for a while, and never fetched more often than is good.

Per issuer, what a lookup may cost is bounded whatever tokens come and whatever the host does:

========================  =============================================================================================
the set is young          no request
the key id is not in it   one request, at most ``burst`` at a time and then one per ``cooldown``: a made-up id cannot
                          cause a flood, and one made-up id does not stop the next, real one from being found
the set is old            one request; while it runs, and where it fails, the old set serves until ``max_stale``
a request failed          the next one after 1 s, 2 s, 4 s, … up to ``cooldown``
many threads at once      one request; nobody waits for it longer than ``timeout``, whatever it does
a name nobody listed      while nothing was ever fetched from it, a failure is the token's fault as long as the listed
                          name of the same pool has keys; otherwise it cannot be known
========================  =============================================================================================
"""

from __future__ import annotations

import logging
import threading
from math import inf
from time import monotonic, time
from typing import TYPE_CHECKING, Final, NamedTuple

from claimsmith.errors import Code, ConfigurationError, VerificationError
from claimsmith.verifier.checks import function, number
from claimsmith.verifier.encoding import json_object
from claimsmith.verifier.issuers import NotPublishedError, allow_list, equivalents, key_addresses
from claimsmith.verifier.jwk import KeySet

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeAlias

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    from claimsmith.verifier.issuers import Issuers

    #: Address and seconds to the body there; raises ``NotPublishedError`` where the host says that there is none, and
    #: otherwise whatever it likes.
    Fetch: TypeAlias = Callable[[str, float], bytes]

_LOG: Final = logging.getLogger(__name__)

#: Seconds. How long keys that nobody vouches for any more may be trusted at most, whatever a caller says.
_LONGEST_STALE: Final = 7 * 86_400

_FIRST_PAUSE: Final = 1.0
_MAX_DOUBLINGS: Final = 16


def fetch(uri: str, timeout: float) -> bytes:
    """``claimsmith.verifier.fetch.fetch``, imported with the first request: HTTP and TLS cost a cold start."""
    from claimsmith.verifier.fetch import fetch as get  # noqa: PLC0415 - see above

    return get(uri, timeout)


class _Held(NamedTuple):
    """A set, when it came, and when it will be old, in seconds of the clock."""

    keys: KeySet
    at: float
    until: float


class _Flight:
    """One request under way."""

    __slots__ = ("ended", "until")

    def __init__(self, timeout: float) -> None:
        self.ended = threading.Event()
        self.until = monotonic() + timeout


class _Source:
    """What is known about one issuer's keys. ``held`` is replaced whole, so that reading it needs no lock.

    Attributes:
        listed: nobody listed this issuer: it is the other name of this one, which is listed.
        absent: it is not listed, and when last asked the host said that it has no keys.
        fetched: a set came from it, be it long ago.
    """

    __slots__ = (
        "absent",
        "failed_at",
        "failures",
        "fetched",
        "flight",
        "held",
        "listed",
        "permits",
        "permits_at",
        "uri",
    )

    def __init__(self, uri: str, held: _Held | None, permits: float, now: float) -> None:
        self.uri = uri
        self.listed: _Source | None = None
        self.absent = False
        self.fetched = False
        self.held = held
        self.flight: _Flight | None = None
        self.failures = 0
        self.failed_at = now
        self.permits = permits
        self.permits_at = now


class KeySource:
    """The keys of allow-listed issuers. Thread-safe; one serves any number of verifiers."""

    def __init__(  # noqa: PLR0913 - each bound has a default and a name
        self,
        issuers: Issuers,
        *,
        preloaded: Mapping[str, Mapping[str, object]] | None = None,
        max_age: float = 3600,
        max_stale: float = 86_400,
        cooldown: float = 30,
        burst: int = 2,
        timeout: float = 3,
        clock: Callable[[], float] = time,
        fetch: Fetch = fetch,
    ) -> None:
        """Allow issuers; nothing is fetched yet.

        Args:
            issuers: the allow-list, see ``claimsmith.verifier.issuers.key_addresses``.
            preloaded: JWK Sets by issuer, as if they had been fetched just now.
            max_age: seconds after which a set is fetched again: how long a withdrawn key is still trusted. From 1 to
                ``max_stale``.
            max_stale: seconds after which a set that could not be fetched again is not used any more, 7 days at most.
            cooldown: seconds between requests that unknown key ids or failures cause, in the long run. From 1 to 3,600.
            burst: how many requests unknown key ids may cause before that holds. From 1 to 100.
            timeout: seconds that a lookup waits, 60 at most.
            clock: epoch seconds. The wall clock on purpose: a frozen Lambda environment's monotonic clock may stand
                still while a set ages.
            fetch: gets a body.

        Raises:
            ConfigurationError: an address or a bound is not acceptable, or a preloaded set has no usable key.
        """
        self._max_stale = number(max_stale, "max_stale", 1, _LONGEST_STALE)
        self._max_age = number(max_age, "max_age", 1, max_stale)
        self._cooldown = number(cooldown, "cooldown", 1, 3600)
        self._burst = number(burst, "burst", 1, 100)
        self._timeout = number(timeout, "timeout", 0.001, 60)
        self._clock = function(clock, "clock")
        self._fetch = function(fetch, "fetch")
        self._lock = threading.Lock()
        now = clock()
        listed = allow_list(issuers)
        addresses = key_addresses(listed)
        held: dict[str, _Held] = {}
        for issuer, jwks in (preloaded or {}).items():
            if issuer not in addresses:
                raise ConfigurationError("Keys are preloaded for an issuer that is not allowed.")
            entry = _Held(_key_set(jwks), now, now + max_age)
            held |= {name: entry for name in equivalents(issuer) if name == issuer or name not in (preloaded or {})}
        self._sources = {issuer: _Source(uri, held.get(issuer), burst, now) for issuer, uri in addresses.items()}
        for issuer in listed:
            for name in equivalents(issuer):
                if name not in listed:
                    self._sources[name].listed = self._sources[issuer]

    def find(self, issuer: object, kid: str) -> tuple[RSAPublicKey, ...]:
        """The keys that a token's signature may be checked with.

        Args:
            issuer: the ``iss`` of the token, not verified yet.
            kid: the key id of the token's header, not verified either.

        Raises:
            VerificationError: ``ISSUER_NOT_ALLOWED``; ``KEY_NOT_FOUND``: the issuer has no such key, or none at all;
                ``KEY_UNUSABLE``; ``KEYS_UNAVAILABLE``: it cannot be known at present.
        """
        source = self._sources.get(issuer) if isinstance(issuer, str) else None
        if source is None:
            raise VerificationError(Code.ISSUER_NOT_ALLOWED, "key")
        held = source.held  # before the clock: a set that comes in between must not look as if it came from the future
        now = self._clock()
        young = held is not None and held.at <= now < held.until
        found = held.keys.find(kid) if held is not None and young else None
        if found is not None:
            return found
        servable = held is not None and kid in held.keys and now - held.at < self._max_stale
        self._wait(source, self._refresh(source, held, due=not young, servable=servable))
        keys = self._usable(source)
        found = None if keys is None else keys.find(kid)
        if found is None:
            known = source.absent or (keys is not None and not source.failures) or self._is_made_up(source)
            raise VerificationError(Code.KEY_NOT_FOUND if known else Code.KEYS_UNAVAILABLE, "key")
        return found

    def _is_made_up(self, source: _Source) -> bool:
        """Whether a request failed only because a token names an issuer that there may never have been.

        So it is where nothing was ever fetched from it and the listed name of the same pool has keys: it is not the
        network then. The listed name is asked where that is not known; both together take one time-out at most.
        """
        listed = source.listed
        if listed is None or source.fetched:
            return False
        if self._usable(listed) is None:
            flight = self._refresh(listed, listed.held, due=True, servable=False)
            self._wait(listed, flight, self._timeout / 2)
        return self._usable(listed) is not None

    def _usable(self, source: _Source) -> KeySet | None:
        """The set that may still be trusted, if there is one."""
        held = source.held
        return held.keys if held is not None and self._clock() - held.at < self._max_stale else None

    def _refresh(self, source: _Source, seen: _Held | None, *, due: bool, servable: bool) -> _Flight | None:
        """Fetch the set if that is due or permitted; the request to wait for, where waiting helps."""
        with self._lock:
            flight = source.flight
            if flight is not None:
                return None if servable else flight
            if source.held is not seen or not self._may_fetch(source, due=due):
                return None
            # Where the listed name may have to be asked as well (``_is_made_up``), half of the time is for that.
            timeout = self._timeout if source.listed is None or source.fetched else self._timeout / 2
            started = source.flight = _Flight(timeout)
        try:
            threading.Thread(target=self._fly, args=(source, started, timeout), daemon=True).start()
        except RuntimeError as error:  # the process has no thread to spare, or is ending
            self._end(source, started, None, type(error).__name__)
        return started

    def _wait(self, source: _Source, flight: _Flight | None, patience: float = inf) -> None:
        """Wait for a request, so many seconds at most; give it up when its own time is over."""
        if flight is None:
            return
        left = max(0.0, flight.until - monotonic())
        if not flight.ended.wait(min(left, patience)) and left <= patience:
            self._end(source, flight, None, "took too long")

    def _may_fetch(self, source: _Source, *, due: bool) -> bool:
        """Whether a request may start now; takes the permit if it needs one. The lock is held.

        The clock is read here: who waited for the lock may come with a time from before the last failure.
        """
        now = self._clock()
        if source.failures:
            pause = min(self._cooldown, _FIRST_PAUSE * 2.0 ** min(source.failures - 1, _MAX_DOUBLINGS))
            return not 0 <= now - source.failed_at < pause
        if due:
            return True
        gained = max(0.0, now - source.permits_at) / self._cooldown
        source.permits = min(float(self._burst), source.permits + gained)
        source.permits_at = now
        if source.permits < 1:
            return False
        source.permits -= 1
        return True

    def _fly(self, source: _Source, flight: _Flight, timeout: float) -> None:
        """Fetch a set, in a thread of its own: a name lookup or a fetcher that hangs must not hang a verification."""
        try:
            keys = _key_set(json_object(self._fetch(source.uri, timeout)))
        except Exception as error:  # noqa: BLE001 - whatever a fetcher raises is a set that did not come
            # Cognito answers 403 for the name that a pool does not use. Anybody may write that name into a token: it
            # is the token's fault then and no outage. Of a listed issuer it would be one.
            absent = source.listed is not None and isinstance(error, NotPublishedError)
            self._end(source, flight, None, type(error).__name__, absent=absent)
        else:
            self._end(source, flight, keys, "")

    def _end(self, source: _Source, flight: _Flight, keys: KeySet | None, reason: str, *, absent: bool = False) -> None:
        """Take the result of a request, unless it was given up before."""
        with self._lock:
            if source.flight is not flight:
                return
            source.flight = None
            source.absent = absent
            if keys is None:
                source.failures += 1
                source.failed_at = self._clock()
            else:
                now = self._clock()
                source.held = _Held(keys, now, now + self._max_age)
                source.failures = 0
                source.fetched = True
        if keys is None:
            # Anybody can cause a request to a name that is not listed and may not exist.
            anybody = absent or (source.listed is not None and not source.fetched)
            _LOG.log(logging.INFO if anybody else logging.WARNING, "key set not fetched: %s: %s", source.uri, reason)
        flight.ended.set()


def _key_set(jwks: Mapping[str, object] | None) -> KeySet:
    """A set with at least one usable key.

    Raises:
        ConfigurationError: it is none. A host that answers with an empty set is broken; it does not end trust in the
            keys that are held, their age does.
    """
    try:
        keys = KeySet(jwks or {})
    except ValueError:
        keys = None
    if not keys:
        raise ConfigurationError("A key set has no key that RS256 can be verified with.")
    return keys
