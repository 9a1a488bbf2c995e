"""The keys of the allowed issuers: fetched, cached, and never fetched more often than the bounds allow.

Per issuer, the cost of a lookup is bounded for any tokens and any behaviour of the host:

========================  =============================================================================================
the set is fresh          no request
the key id is not in it   one request, at most ``burst`` at a time and then one per ``cooldown``: made-up ids cannot
                          cause a flood, and one made-up id does not prevent the next, real one from being found
the set is old            one request; while it runs, and if it fails, the old set is used until ``max_stale``
a request failed          the next one after 1 s, 2 s, 4 s, … up to ``cooldown``
many threads at once      one request; no thread waits for it longer than ``timeout``
a name that is not        as long as nothing was ever fetched from it, a failure means that the token is invalid if the
listed                    listed name of the same pool has keys; otherwise the keys count as unavailable
========================  =============================================================================================
"""

from __future__ import annotations

import logging
import threading
from math import inf
from time import monotonic, time
from typing import TYPE_CHECKING, Final

from claimsmith.addresses import check_hosts
from claimsmith.errors import Code, ConfigurationError, VerificationError
from claimsmith.named_tuple import NamedTuple
from claimsmith.oidc import discovered, discovery_address
from claimsmith.verifier.checks import function, number
from claimsmith.verifier.encoding import json_object
from claimsmith.verifier.issuers import NotPublishedError, allow_list, equivalents, key_addresses
from claimsmith.verifier.jwk import KeySet

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from typing import TypeAlias

    from claimsmith.oidc import Algorithm, OidcIssuer
    from claimsmith.verifier.algorithms import PublicKey
    from claimsmith.verifier.issuers import Issuers

    #: Takes an address and a timeout in seconds, returns the body. Raises ``NotPublishedError`` if the host answers
    #: that there is none, and any exception for other failures.
    Fetch: TypeAlias = Callable[[str, float], bytes]

_LOG: Final = logging.getLogger(__name__)

#: Seconds. The upper bound of ``max_stale``.
_LONGEST_STALE: Final = 7 * 86_400

_FIRST_PAUSE: Final = 1.0
_MAX_DOUBLINGS: Final = 16


def fetch(uri: str, timeout: float) -> bytes:
    """``claimsmith.verifier.fetch.fetch``, imported by the first request: HTTP and TLS slow down a cold start."""
    from claimsmith.verifier.fetch import fetch as get  # noqa: PLC0415 - see above

    return get(uri, timeout)


def _fetch_from(development_hosts: frozenset[str]) -> Fetch:
    """The same, with hosts that may be asked without TLS."""

    def get(uri: str, timeout: float) -> bytes:
        from claimsmith.verifier.fetch import fetch as get  # noqa: PLC0415 - as above

        return get(uri, timeout, development_hosts)

    return get


_DEFAULT_FETCH: Final = fetch


class _CachedSet(NamedTuple):
    """A key set with the times at which it was fetched and becomes old, in seconds of the clock."""

    keys: KeySet
    at: float
    until: float


class _Flight:
    """A request in flight."""

    __slots__ = ("ended", "until")

    def __init__(self, timeout: float) -> None:
        self.ended = threading.Event()
        self.until = monotonic() + timeout


class _Source:
    """The state of one issuer's keys. ``cached`` is replaced as a whole, so reading it needs no lock.

    Attributes:
        listed: if this issuer is not listed itself: the listed issuer of the same pool.
        absent: it is not listed, and its host last answered that there are no keys.
        fetched: a set was fetched from it at some time.
        algorithm: the one that it signs with.
        discovers: the issuer, if ``uri`` is that of its metadata, which has the address of the keys.
    """

    __slots__ = (
        "absent",
        "algorithm",
        "cached",
        "discovers",
        "failed_at",
        "failures",
        "fetched",
        "flight",
        "listed",
        "permits",
        "permits_at",
        "uri",
    )

    def __init__(self, uri: str, cached: _CachedSet | None, permits: float, now: float) -> None:
        self.uri = uri
        self.algorithm: Algorithm = "RS256"
        self.discovers: str | None = None
        self.listed: _Source | None = None
        self.absent = False
        self.fetched = False
        self.cached = cached
        self.flight: _Flight | None = None
        self.failures = 0
        self.failed_at = now
        self.permits = permits
        self.permits_at = now


class KeySource:
    """The keys of allow-listed issuers. Thread-safe; any number of verifiers may share one."""

    def __init__(  # noqa: PLR0913 - each bound has a default and a name
        self,
        issuers: Issuers,
        *,
        preloaded: Mapping[str, Mapping[str, object]] | None = None,
        development_hosts: Collection[str] = (),
        max_age: float = 3600,
        max_stale: float = 86_400,
        cooldown: float = 30,
        burst: int = 2,
        timeout: float = 3,
        clock: Callable[[], float] = time,
        fetch: Fetch = fetch,
    ) -> None:
        """Create a source; nothing is fetched yet.

        Args:
            issuers: the allow-list, see ``claimsmith.verifier.issuers.allow_list``.
            preloaded: JWK Sets by issuer, treated as just fetched.
            development_hosts: hosts whose issuers and keys are accepted without https, as if they were this machine:
                ``cognito`` for ``http://cognito:9229/local_1`` of docker compose. Never in production: whoever is on
                the way to such a host can make any token.
            max_age: seconds after which a set is fetched again: how long a withdrawn key is still trusted. From 1 to
                ``max_stale``.
            max_stale: seconds after which a set that could not be fetched again is no longer used, at most 7 days.
            cooldown: seconds between requests caused by unknown key ids or failures, in the long run. From 1 to 3,600.
            burst: how many requests unknown key ids may cause before ``cooldown`` applies. From 1 to 100.
            timeout: seconds that a lookup waits, at most 60.
            clock: epoch seconds. Deliberately the wall clock: the monotonic clock may stop while a Lambda environment
                is frozen.
            fetch: fetches a body.

        Raises:
            ConfigurationError: an address or a bound is invalid, or a preloaded set has no usable key.
        """
        self._max_stale = number(max_stale, "max_stale", 1, _LONGEST_STALE)
        self._max_age = number(max_age, "max_age", 1, max_stale)
        self._cooldown = number(cooldown, "cooldown", 1, 3600)
        self._burst = number(burst, "burst", 1, 100)
        self._timeout = number(timeout, "timeout", 0.001, 60)
        self._clock = function(clock, "clock")
        hosts = check_hosts(development_hosts)
        if hosts:
            _LOG.warning("development: keys are fetched without https from %s", ", ".join(sorted(hosts)))
        self._fetch = _fetch_from(hosts) if hosts and fetch is _DEFAULT_FETCH else function(fetch, "fetch")
        self._development_hosts = hosts
        self._lock = threading.Lock()
        now = clock()
        pools, oidc = allow_list(issuers)
        addresses = key_addresses(pools, hosts)
        #: The rules of issuers that are no user pools, by ``iss``.
        self.oidc: Mapping[str, OidcIssuer] = oidc
        cached: dict[str, _CachedSet] = {}
        for issuer, jwks in (preloaded or {}).items():
            if issuer not in addresses and issuer not in oidc:
                raise ConfigurationError("Keys are preloaded for an issuer that is not allowed.")
            algorithm = oidc[issuer].algorithm if issuer in oidc else "RS256"
            entry = _CachedSet(_key_set(jwks, algorithm), now, now + max_age)
            cached |= {name: entry for name in equivalents(issuer) if name == issuer or name not in (preloaded or {})}
        self._sources = {issuer: _Source(uri, cached.get(issuer), burst, now) for issuer, uri in addresses.items()}
        for issuer in pools:
            for name in equivalents(issuer):
                if name not in pools:
                    self._sources[name].listed = self._sources[issuer]
        for issuer, rules in oidc.items():
            rules.check_addresses(hosts)
            source = _Source(rules.jwks_uri or discovery_address(issuer), cached.get(issuer), burst, now)
            source.algorithm = rules.algorithm
            source.discovers = issuer if rules.jwks_uri is None else None
            self._sources[issuer] = source

    def find(self, issuer: object, kid: str) -> tuple[PublicKey, ...]:
        """The keys for a token's signature, of the kind that the issuer signs with: of a user pool, RSA keys.

        Args:
            issuer: the token's ``iss``, not verified.
            kid: the key id in the token's header, not verified.

        Raises:
            VerificationError: ``ISSUER_NOT_ALLOWED``; ``KEY_NOT_FOUND``: the issuer has no key with this id, or no
                keys; ``KEY_UNUSABLE``; ``KEYS_UNAVAILABLE``: the keys could not be fetched.
        """
        source = self._sources.get(issuer) if isinstance(issuer, str) else None
        if source is None:
            raise VerificationError(Code.ISSUER_NOT_ALLOWED, "key")
        cached = source.cached  # before the clock: what comes in between must not look as if it came from the future
        now = self._clock()
        fresh = cached is not None and cached.at <= now < cached.until
        if cached is not None and fresh and (found := cached.keys.find(kid)) is not None:
            return found
        usable = cached is not None and kid in cached.keys and now - cached.at < self._max_stale
        self._wait(source, self._refresh(source, cached, due=not fresh, usable=usable))
        keys = self._usable(source)
        found = None if keys is None else keys.find(kid)
        if found is None:
            known = source.absent or (keys is not None and not source.failures) or self._is_made_up(source)
            raise VerificationError(Code.KEY_NOT_FOUND if known else Code.KEYS_UNAVAILABLE, "key")
        return found

    def _is_made_up(self, source: _Source) -> bool:
        """Whether a request failed because the token's issuer probably does not exist.

        This is the case if nothing was ever fetched from it and the listed name of the same pool has keys, so that the
        network works. If the listed name has none yet, they are fetched; both requests together take at most one
        ``timeout``.
        """
        listed = source.listed
        if listed is None or source.fetched:
            return False
        if self._usable(listed) is None:
            flight = self._refresh(listed, listed.cached, due=True, usable=False)
            self._wait(listed, flight, self._timeout / 2)
        return self._usable(listed) is not None

    def _usable(self, source: _Source) -> KeySet | None:
        """The cached set, if it is not too old."""
        cached = source.cached
        return cached.keys if cached is not None and self._clock() - cached.at < self._max_stale else None

    def _refresh(self, source: _Source, seen: _CachedSet | None, *, due: bool, usable: bool) -> _Flight | None:
        """Fetch the set if that is due or permitted; returns the request to wait for, if waiting helps."""
        with self._lock:
            flight = source.flight
            if flight is not None:
                return None if usable else flight
            if source.cached is not seen or not self._may_fetch(source, due=due):
                return None
            # If the listed name may have to be fetched as well (``_is_made_up``), half of the time is for that.
            timeout = self._timeout if source.listed is None or source.fetched else self._timeout / 2
            started = source.flight = _Flight(timeout)
        try:
            threading.Thread(target=self._run, args=(source, started, timeout), daemon=True).start()
        except RuntimeError as error:  # the process cannot start a thread, or is exiting
            self._finish(source, started, None, type(error).__name__)
        return started

    def _wait(self, source: _Source, flight: _Flight | None, patience: float = inf) -> None:
        """Wait for a request, at most ``patience`` seconds; abandon it after its own timeout."""
        if flight is None:
            return
        left = max(0.0, flight.until - monotonic())
        if not flight.ended.wait(min(left, patience)) and left <= patience:
            self._finish(source, flight, None, "took too long")

    def _may_fetch(self, source: _Source, *, due: bool) -> bool:
        """Whether a request may start now; takes a permit if it needs one. Call with the lock held.

        The clock is read here: a time from before waiting for the lock may be older than the last failure.
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

    def _run(self, source: _Source, flight: _Flight, timeout: float) -> None:
        """Fetch a set, in a separate thread: a name lookup or a fetcher that hangs must not block a verification."""
        try:
            keys = _key_set(json_object(self._body(source, timeout)), source.algorithm)
        except Exception as error:  # noqa: BLE001 - any exception means that the set was not fetched
            # Cognito answers 403 for the name that a pool does not use. Anybody can write that name into a token, so
            # it means that the token is invalid, not an outage. For a listed issuer it is an outage.
            absent = source.listed is not None and isinstance(error, NotPublishedError)
            self._finish(source, flight, None, type(error).__name__, absent=absent)
        else:
            self._finish(source, flight, keys, "")

    def _body(self, source: _Source, timeout: float) -> bytes:
        """The key set's text; the address is asked for anew each time, since the issuer may move it."""
        if source.discovers is None:
            return self._fetch(source.uri, timeout)
        until = monotonic() + timeout
        document = json_object(self._fetch(source.uri, timeout))
        uri = discovered(document, source.discovers, self._development_hosts)
        return self._fetch(uri, max(0.001, until - monotonic()))

    def _finish(
        self, source: _Source, flight: _Flight, keys: KeySet | None, reason: str, *, absent: bool = False
    ) -> None:
        """Store the result of a request, unless it was abandoned."""
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
                source.cached = _CachedSet(keys, now, now + self._max_age)
                source.failures = 0
                source.fetched = True
        if keys is None:
            # With a made-up issuer, anybody can cause a request to a name that is not listed.
            anybody = absent or (source.listed is not None and not source.fetched)
            _LOG.log(logging.INFO if anybody else logging.WARNING, "key set not fetched: %s: %s", source.uri, reason)
        flight.ended.set()


def _key_set(jwks: Mapping[str, object] | None, algorithm: Algorithm) -> KeySet:
    """A set with at least one usable key.

    Raises:
        ConfigurationError: it is not a set, or has no usable key. A host that answers with an empty set is broken; the
            cached keys stay valid until they are too old.
    """
    try:
        keys = KeySet(jwks or {}, algorithm=algorithm)
    except ValueError:
        keys = None
    if not keys:
        raise ConfigurationError(f"A key set has no key that {algorithm} can be verified with.")
    return keys
