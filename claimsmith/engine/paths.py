"""The paths a rule may read: a closed set, each with what it yields and whether it can be trusted.

A path that yields nothing (no tenant, no such attribute) is missing; missing is not null and not empty.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from claimsmith.cognito.event import Request
    from claimsmith.engine.bundle import Client
    from claimsmith.engine.facts import Membership, Tenant, User


class Missing:
    """The value of a path that yields nothing."""

    def __repr__(self) -> str:
        return "MISSING"

    def __bool__(self) -> bool:
        return False


MISSING: Final = Missing()


class Sources:
    """What a decision knows when rules are asked: everything a path can lead to."""

    __slots__ = ("client", "machine_name", "membership", "request", "roles", "tenant", "user")

    def __init__(
        self,
        request: Request,
        user: User,
        tenant: Tenant | None,
        membership: Membership | None,
        roles: tuple[str, ...],
        client: Client | None,
    ) -> None:
        self.request = request
        self.user = user
        self.tenant = tenant
        self.membership = membership
        self.roles = roles
        self.client = client


def _claim(claims: Mapping[str, Any], name: str) -> Any:  # noqa: ANN401 - any claim value
    return claims.get(name, MISSING)


def _or_missing(value: Any) -> Any:  # noqa: ANN401 - any claim value
    return MISSING if value is None else value


def identity_provider(attributes: Mapping[str, str]) -> str:
    """The name of the provider a federated user comes from; ``Cognito`` for the pool's own users.

    In the event ``identities`` is JSON text: a list of objects with ``providerName``.
    """
    try:
        identities = json.loads(attributes.get("identities", "[]"))
        return str(identities[0]["providerName"]) if identities else "Cognito"
    except (ValueError, LookupError, TypeError, RecursionError):
        return "Cognito"


#: Paths without a name of the admin's own.
FIXED: Final[Mapping[str, Callable[[Sources], Any]]] = {
    "user.sub": lambda known: _or_missing(known.request.sub),
    "user.username": lambda known: known.request.username,
    "user.status": lambda known: "active" if known.user.active else "suspended",
    "user.groups": lambda known: list(known.request.groups),
    "user.identity_provider": lambda known: identity_provider(known.request.attributes),
    "tenant.id": lambda known: known.tenant.id if known.tenant else MISSING,
    "tenant.name": lambda known: _or_missing(known.tenant.name) if known.tenant else MISSING,
    "tenant.plan": lambda known: _or_missing(known.tenant.plan) if known.tenant else MISSING,
    "tenant.status": lambda known: "active" if known.tenant else MISSING,
    "membership.roles": lambda known: list(known.membership.roles) if known.membership else MISSING,
    "roles": lambda known: list(known.roles),
    "client.id": lambda known: known.request.client_id,
    "client.name": lambda known: _or_missing(known.client.name) if known.client else MISSING,
    "request.scopes": lambda known: list(known.request.scopes),
    "request.source": lambda known: known.request.source,
}

#: Paths that end in a name of the admin's own.
OPEN: Final[Mapping[str, Callable[[Sources, str], Any]]] = {
    "user.attributes.": lambda known, name: known.request.attributes.get(name, MISSING),
    "user.claims.": lambda known, name: _claim({**known.user.claims.access, **known.user.claims.id}, name),
    "tenant.claims.": lambda known, name: (
        _claim({**known.tenant.claims.access, **known.tenant.claims.id}, name) if known.tenant else MISSING
    ),
    "membership.claims.": lambda known, name: (
        _claim({**known.membership.claims.access, **known.membership.claims.id}, name) if known.membership else MISSING
    ),
    "request.metadata.": lambda known, name: known.request.metadata.get(name, MISSING),
}

ATTRIBUTES: Final = "user.attributes."
METADATA: Final = "request.metadata."


def is_path(path: str) -> bool:
    """Whether there is such a path."""
    return path in FIXED or any(path.startswith(prefix) and len(path) > len(prefix) for prefix in OPEN)


def is_trusted(path: str, trusted_attributes: frozenset[str]) -> bool:
    """Whether only admins and Cognito can write what a path yields."""
    if path.startswith(ATTRIBUTES):
        return path[len(ATTRIBUTES) :] in trusted_attributes
    return not path.startswith("request.")


def resolve(path: str, known: Sources) -> Any:  # noqa: ANN401 - any claim value
    """What a path yields, or ``MISSING``."""
    if path in FIXED:
        return FIXED[path](known)
    for prefix, read in OPEN.items():
        if path.startswith(prefix):
            return read(known, path[len(prefix) :])
    return MISSING
