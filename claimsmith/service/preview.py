"""Both tokens as a sign-in would issue them: the trigger's own reads and decision, plus what Cognito adds."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from claimsmith.cognito.tokens import issued
from claimsmith.engine.decide import Decision, Refusal, decide
from claimsmith.errors import Code, OperationError
from claimsmith.service.issue import Issuer
from claimsmith.store import bundles

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Set as AbstractSet

    from claimsmith.cognito.event import Request
    from claimsmith.store.dynamodb import Table


@dataclass(frozen=True, slots=True)
class Preview:
    """The result of a sign-in that did not happen.

    Attributes:
        outcome: the decision or the refusal, with its reasons.
        access: the claims of the access token, as far as the request determines them; empty if refused.
        id: the claims of the ID token, likewise; empty for a machine.
        version: the version of the bundle: the given one, or the staged or active one that serves the subject.
    """

    outcome: Decision | Refusal
    access: dict[str, Any]
    id: dict[str, Any]
    version: int


def preview(
    rows: Table,
    request: Request,
    *,
    issuer: str = "",
    readable: AbstractSet[str] | None = None,
    version: int | None = None,
    clock: Callable[[], float] = time.time,
) -> Preview:
    """Decide a request as the trigger would.

    Args:
        rows: the table.
        request: the token request.
        issuer: the value of ``iss``; empty if unknown.
        readable: the attributes that the app client may read; None for all.
        version: decide with this bundle version instead of the one that would serve.
        clock: epoch seconds.

    Raises:
        BundleError: there is no usable bundle.
        OperationError: there is no such version.
        StoreError: DynamoDB is unavailable.
    """
    bundle = None
    if version is not None:
        row = bundles.read_row(rows, version)
        if row is None:
            raise OperationError(
                Code.NOT_FOUND, f"There is no version {version}. List the versions with claimsmith versions."
            )
        bundle, _ = bundles.decode_row(row, version)
    bundle, facts = Issuer(rows, "deny", clock=clock, bundle=bundle).read(request)
    outcome = decide(bundle, facts, request, int(clock()))
    if isinstance(outcome, Refusal):
        return Preview(outcome, {}, {}, bundle.version)
    access, identity = issued(request, outcome.changes, issuer=issuer, readable=readable)
    return Preview(outcome, dict(sorted(access.items())), dict(sorted(identity.items())), bundle.version)
