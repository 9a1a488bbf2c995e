"""The trigger's answer, and what Cognito makes of it.

Source: ``user-pool-lambda-pre-token-generation``. The answer never holds null and never an empty
``groupOverrideDetails``: Cognito takes either as "this user has no groups".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from claimsmith.cognito.event import Request

#: Suppressing this name removes the groups, the IAM roles and the preferred role that come with them.
GROUPS_CLAIM: Final = "cognito:groups"

#: Claims that Cognito itself puts into both tokens together, generously (``sub``, ``iss``, ``exp`` and the like).
_OWN_CLAIMS: Final = 50


@dataclass(frozen=True, slots=True)
class TokenChanges:
    """What changes in one of the two tokens."""

    claims: Mapping[str, Any] = field(default_factory=dict)
    suppressed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Changes:
    """What changes in both tokens; ``id`` is empty for a machine, which gets no ID token."""

    access: TokenChanges = field(default_factory=TokenChanges)
    id: TokenChanges = field(default_factory=TokenChanges)
    scopes_to_add: tuple[str, ...] = ()
    scopes_to_suppress: tuple[str, ...] = ()


def count(changes: Changes, request: Request) -> int:
    """How many claims and scopes the tokens will hold, as far as Cognito's quota counts them (``MAX_CHANGES``).

    Existing claims count too: Cognito's own, and the attributes and groups.
    """
    return (
        _OWN_CLAIMS
        + len(changes.access.claims)
        + len(changes.id.claims)
        + len(changes.scopes_to_add)
        + len(request.scopes)
        + len(request.attributes)
        + 2 * len(request.groups)
    )


def build(changes: Changes, request: Request) -> dict[str, Any]:
    """The ``response`` member of the event to return."""
    access = _generation(changes.access)
    if changes.scopes_to_add:
        access["scopesToAdd"] = list(changes.scopes_to_add)
    if changes.scopes_to_suppress:
        access["scopesToSuppress"] = list(changes.scopes_to_suppress)
    details: dict[str, Any] = {"accessTokenGeneration": access}
    if not request.machine:
        details["idTokenGeneration"] = _generation(changes.id)
    return {"claimsAndScopeOverrideDetails": details}


def _generation(changes: TokenChanges) -> dict[str, Any]:
    block: dict[str, Any] = {}
    if changes.claims:
        block["claimsToAddOrOverride"] = dict(changes.claims)
    if changes.suppressed:
        block["claimsToSuppress"] = list(changes.suppressed)
    return block
