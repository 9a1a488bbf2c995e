"""A smoke test of a stored version: reads it as the trigger does, and makes one decision of each kind with it.

Every version must pass before the pointer names it. A policy without lint errors says nothing about the stored row, nor
about the code that will read it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from claimsmith.cognito.event import MACHINE_SOURCE, Request
from claimsmith.cognito.limits import ADMIN_SCOPE
from claimsmith.cognito.response import build
from claimsmith.engine.codec import BundleError
from claimsmith.engine.decide import Decision, decide
from claimsmith.engine.facts import MACHINE, Facts, read_user
from claimsmith.store import bundles

if TYPE_CHECKING:
    from collections.abc import Mapping

    from claimsmith.engine.bundle import Bundle

_SIGN_IN: Final = "TokenGeneration_Authentication"
_NOW: Final = 1_800_000_000
_SUB: Final = "00000000-0000-4000-8000-000000000000"
_CLIENT: Final = "1example23456789abcdefghij"
_POOL: Final = "eu-central-1_Example00"

#: Invented sign-ins: of a user and of a machine that have no rows.
_REQUESTS: Final = (
    Request(_SIGN_IN, _CLIENT, _SUB, _SUB, {"sub": _SUB}, (), (ADMIN_SCOPE,), {}, pool_id=_POOL),
    Request(MACHINE_SOURCE, _CLIENT, None, "ClientCredentials", {}, (), (), {}, pool_id=_POOL),
)


def smoke_test(row: Mapping[str, Any] | None, number: int, digest: str | None = None) -> bundles.Version:
    """Check that a stored version can make decisions.

    Args:
        row: the version's row as read from the table; None if it does not exist.
        number: the version's number.
        digest: the digest its document must have; None for the one stored with it.

    Returns:
        The version.

    Raises:
        BundleError: it is missing, damaged, too large or of a newer format; or no decision can be made with it.
    """
    bundle, digest = bundles.decode_row(row, number, digest)
    try:
        for request in _REQUESTS:
            _decide(bundle, request)
    except Exception as error:
        # Whatever it is, it would break every sign-in.
        message = f"Bundle version {number} cannot decide: {type(error).__name__}."
        raise BundleError(message) from error
    return bundles.Version(number, digest)


def _decide(bundle: Bundle, request: Request) -> None:
    facts = Facts(MACHINE if request.machine else read_user((), _NOW))
    decision = decide(bundle, facts, request, _NOW)
    if isinstance(decision, Decision):
        build(decision.changes, request)
