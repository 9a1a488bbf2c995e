"""The bundle in force, remembered for as long as it says it may be."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from claimsmith.engine.bundle import BundleError
from claimsmith.errors import Code
from claimsmith.store import bundles

if TYPE_CHECKING:
    from collections.abc import Callable

    from claimsmith.engine.bundle import Bundle
    from claimsmith.store.bundles import Pointer
    from claimsmith.store.dynamodb import Table


class _Read(NamedTuple):
    bundle: Bundle
    pointer: Pointer
    at: float


class CurrentBundle:
    """Reads the bundle in force. Safe to use from several threads: what is remembered is replaced as a whole."""

    def __init__(self, rows: Table, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._rows = rows
        self._monotonic = monotonic
        self._read: _Read | None = None

    @property
    def remembered(self) -> Bundle | None:
        """The last bundle read, whatever its age."""
        return self._read.bundle if self._read is not None else None

    def is_due(self) -> bool:
        """Whether the bundle must be read, for the first time or because its ``cache_seconds`` are over."""
        last = self._read
        return last is None or self._monotonic() - last.at >= last.bundle.settings.cache_seconds

    def get(self) -> Bundle:
        """The bundle, from memory where that may be.

        Raises:
            BundleError: there is no usable bundle.
            StoreError: DynamoDB does not answer.
        """
        last = self._read
        return self.refresh() if last is None or self.is_due() else last.bundle

    def refresh(self) -> Bundle:
        """Read the pointer, and the document only where the version moved.

        Raises:
            BundleError: there is no usable bundle.
            StoreError: DynamoDB does not answer.
        """
        at = self._monotonic()
        pointer = bundles.pointer(self._rows)
        if pointer is None:
            raise BundleError("No policy has been published.", Code.NO_BUNDLE)
        last = self._read
        if last is not None and (last.pointer.version, last.pointer.digest) == (pointer.version, pointer.digest):
            bundle = last.bundle
        else:
            bundle = bundles.load(self._rows, pointer.version, pointer.digest)
        self._read = _Read(bundle, pointer, at)
        return bundle
