"""By which names a token is read: those of the version that made it (ADR 17).

As long as no version names the tenant or the roles otherwise, nothing is looked up. Where one does, a token says by its
``policy_version`` which version made it, and that version's own document says the names; it never changes, so it is
read once. A token whose version is not known is read by no names: it has no tenant and no roles.
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
    from claimsmith.store.dynamodb import Table

    Names = Mapping[str, str | None]

#: Versions whose names are remembered at once. Tokens live for a day at most, and few policies have more in a day.
MAX_REMEMBERED: Final = 64

_NONE: Final[Names] = MappingProxyType(dict.fromkeys(CLAIM_NAMES))


class TokenNames:
    """Which names the versions give the claims. Safe to use from several threads."""

    def __init__(self, rows: Table, active: ActiveBundle) -> None:
        """Read versions from a table; ``active`` knows the bundle in force."""
        self._rows = rows
        self._active = active
        self._lock = threading.Lock()
        self._known: dict[int, Names] = {}

    def under(self, bundle: Bundle) -> Callable[[Mapping[str, Any]], Names]:
        """The names for each token, while this version is in force: for ``Verifier``."""
        return lambda claims: self._names(bundle, claims)

    def _names(self, bundle: Bundle, claims: Mapping[str, Any]) -> Names:
        """The names for one token.

        Raises:
            StoreError: DynamoDB does not answer.
        """
        own = claim_names(bundle)
        told_as = self._active.version_claims
        if told_as is None:  # the pointer is of an earlier release
            told_as = tuple(sorted({own["policy_version"] or "policy_version", "policy_version"}))
            always = own["policy_version"] is None
        else:
            always = not told_as
            told_as = told_as or (own["policy_version"] or "policy_version",)
        told = [(name, version) for name in told_as if type(version := claims.get(name)) is int]
        # A later version than this one may be the first that has other names.
        if always and all(version <= bundle.version for _, version in told):
            return own
        found = [
            names
            for name, version in told
            if (names := own if version == bundle.version else self._of_version(version))["policy_version"] == name
        ]
        return found[0] if len(found) == 1 else _NONE

    def _of_version(self, number: int) -> Names:
        known = self._known.get(number)
        if known is not None:
            return known
        try:
            names: Names = claim_names(bundles.load(self._rows, number))
        except BundleError:
            names = _NONE
        with self._lock:
            self._known[number] = names
            while len(self._known) > MAX_REMEMBERED:
                del self._known[next(iter(self._known))]
        return names


def claim_names(bundle: Bundle) -> dict[str, str | None]:
    """How a policy names the claims that a ``Verifier`` reads."""
    return {meaning: bundle.settings.claim_names.get(meaning) for meaning in CLAIM_NAMES}
