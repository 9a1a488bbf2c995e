"""The claim names by which a token is read: those of the version that issued it (ADR 17).

As long as all versions use the same names for the tenant and the roles, nothing is looked up. Otherwise the token's
``policy_version`` names the version that issued it, and that version's document has the names; it never changes, so it
is read once. A token whose version is unknown is read without any names: it has no tenant and no roles.
"""

from __future__ import annotations

import threading
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from claimsmith.engine.codec import BundleError
from claimsmith.store import bundles
from claimsmith.verifier.claims import CLAIM_NAMES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from claimsmith.engine.bundle import Bundle
    from claimsmith.service.active_bundle import ActiveBundle
    from claimsmith.store.reads import ReadableTable

    Names = Mapping[str, str | None]

#: Versions whose names are cached at once. Tokens live for a day at most, and few policies have more versions in a day.
MAX_CACHED: Final = 64

_NONE: Final[Names] = MappingProxyType(dict.fromkeys(CLAIM_NAMES))


class TokenNames:
    """The claim names of each version. Thread-safe."""

    def __init__(self, rows: ReadableTable, active: ActiveBundle) -> None:
        """Read versions from a table; ``active`` provides the active bundle."""
        self._rows = rows
        self._active = active
        self._lock = threading.Lock()
        self._cache: dict[int, Names] = {}

    def for_bundle(self, bundle: Bundle) -> Callable[[Mapping[str, Any]], Names]:
        """A function from a token's claims to its names while this bundle is active; for ``Verifier``."""
        return lambda claims: self._names(bundle, claims)

    def _names(self, bundle: Bundle, claims: Mapping[str, Any]) -> Names:
        """The names for one token.

        Raises:
            StoreError: DynamoDB is unavailable.
        """
        own = claim_names(bundle)
        version_claims = self._active.version_claims
        if version_claims is None:  # an earlier release wrote the pointer
            version_claims = tuple(sorted({own["policy_version"] or "policy_version", "policy_version"}))
            always = own["policy_version"] is None
        else:
            always = not version_claims
            version_claims = version_claims or (own["policy_version"] or "policy_version",)
        found_versions = [(name, version) for name in version_claims if type(version := claims.get(name)) is int]
        # A version later than this one may be the first with other names.
        if always and all(version <= bundle.version for _, version in found_versions):
            return own
        found = [
            names
            for name, version in found_versions
            if (names := own if version == bundle.version else self._version_names(version))["policy_version"] == name
        ]
        return found[0] if len(found) == 1 else _NONE

    def _version_names(self, number: int) -> Names:
        cached = self._cache.get(number)
        if cached is not None:
            return cached
        try:
            names: Names = claim_names(bundles.load(self._rows, number))
        except BundleError:
            names = _NONE
        with self._lock:
            self._cache[number] = names
            while len(self._cache) > MAX_CACHED:
                del self._cache[next(iter(self._cache))]
        return names


def claim_names(bundle: Bundle) -> dict[str, str | None]:
    """The policy's names for the claims that a ``Verifier`` reads."""
    return {meaning: bundle.settings.claim_names.get(meaning) for meaning in CLAIM_NAMES}
