"""The trigger's answer, and what Cognito makes of it.

Source: ``user-pool-lambda-pre-token-generation``. The answer never holds null and never an empty
``groupOverrideDetails``: Cognito takes either as "this user has no groups".
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from claimsmith.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from claimsmith.cognito.event import Request

#: Suppressing this name removes the groups, the IAM roles and the preferred role that come with them.
GROUPS_CLAIM: Final = "cognito:groups"

#: Claims that Cognito itself puts into both tokens together, generously (``sub``, ``iss``, ``exp`` and the like).
_OWN_CLAIMS: Final = 50


#: No claims.
NONE: Final[Mapping[str, Any]] = MappingProxyType({})


class TokenChanges(NamedTuple):
    """What changes in one of the two tokens."""

    claims: Mapping[str, Any] = NONE
    suppressed: tuple[str, ...] = ()


class Groups(NamedTuple):
    """A user's groups and what comes with them, as they are to be; they replace the old ones as a whole.

    Attributes:
        groups: at least one. Cognito takes none as an empty object; to remove all, ``GROUPS_CLAIM`` is suppressed.
    """

    groups: tuple[str, ...]
    iam_roles: tuple[str, ...] = ()
    preferred_role: str | None = None


class Changes(NamedTuple):
    """What changes in both tokens; ``id`` is empty for a machine, which gets no ID token.

    Attributes:
        groups: None where they stay as they are.
    """

    access: TokenChanges = TokenChanges()
    id: TokenChanges = TokenChanges()
    scopes_to_add: tuple[str, ...] = ()
    scopes_to_suppress: tuple[str, ...] = ()
    groups: Groups | None = None


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
        + 2 * len(changes.groups.groups if changes.groups else request.groups)
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
    if changes.groups is not None:
        details["groupOverrideDetails"] = _groups(changes.groups)
    return {"claimsAndScopeOverrideDetails": details}


def _groups(groups: Groups) -> dict[str, Any]:
    details: dict[str, Any] = {"groupsToOverride": list(groups.groups), "iamRolesToOverride": list(groups.iam_roles)}
    if groups.preferred_role is not None:
        details["preferredRole"] = groups.preferred_role
    return details


def _generation(changes: TokenChanges) -> dict[str, Any]:
    block: dict[str, Any] = {}
    if changes.claims:
        block["claimsToAddOrOverride"] = dict(changes.claims)
    if changes.suppressed:
        block["claimsToSuppress"] = list(changes.suppressed)
    return block
