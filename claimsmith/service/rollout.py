"""Changes how far the policy is rolled out: from a shadow over a part of all users to everybody, and back."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from claimsmith.errors import Code, OperationError
from claimsmith.service.publish import retry_on_conflict
from claimsmith.store import bundles

if TYPE_CHECKING:
    from collections.abc import Callable

    from claimsmith.cognito.event import Request
    from claimsmith.engine.rollout import Rollout
    from claimsmith.store.bundles import Pointer
    from claimsmith.store.dynamodb import Table


def current(rows: Table) -> Pointer:
    """The pointer, with the rollout.

    Raises:
        BundleError: it cannot be read.
        OperationError: there is none yet.
        StoreError: DynamoDB is unavailable.
    """
    pointer = bundles.pointer(rows)
    if pointer is None:
        message = "No version is in force yet, so there is nothing to roll out. Apply a policy first."
        raise OperationError(Code.NOT_FOUND, message)
    return pointer


def rollout_of(rows: Table) -> Rollout | None:
    """The rollout; None if the policy reaches everybody, or if there is none yet.

    Raises:
        BundleError: the pointer cannot be read.
        StoreError: DynamoDB is unavailable.
    """
    pointer = bundles.pointer(rows)
    return None if pointer is None else pointer.rollout


def is_in_shadow(rows: Table, request: Request) -> bool:
    """Whether the policy does not reach the subject of a request, so that its tokens are Cognito's own.

    Raises:
        BundleError: the pointer cannot be read.
        StoreError: DynamoDB is unavailable.
    """
    rollout = rollout_of(rows)
    subject = request.client_id if request.sub is None else request.sub
    return rollout is not None and not rollout.reaches(subject, request.pool_id)


def roll_out(
    rows: Table, to: Rollout | None, *, seen: Pointer, by: str, clock: Callable[[], float] = time.time
) -> Pointer:
    """Change how far the policy is rolled out, unless somebody else has changed it since it was looked at.

    What else is on the pointer (the version in force, a staging, a hold) stays, whoever moves it meanwhile.

    Args:
        rows: the table.
        to: None for everybody.
        seen: the pointer as whoever decided this saw it.
        by: who changes it.
        clock: epoch seconds.

    Raises:
        BundleError: the pointer cannot be read.
        OperationError: somebody else has changed the rollout meanwhile.
        StoreError: DynamoDB is unavailable.
    """
    now = int(clock())
    if to is not None:
        to = to._replace(changed_by=by, changed_at=now)

    def attempt() -> Pointer:
        pointer = current(rows)
        if pointer.stored_rollout != seen.stored_rollout:
            message = "Somebody else has changed the rollout meanwhile. Look again: claimsmith rollout."
            raise OperationError(Code.CONFLICT, message)
        return bundles.roll_out(rows, to, pointer, by=by, at=now)

    return retry_on_conflict(attempt)
