"""The paths that conditions and values may read: a closed set, each with what it yields and whether to trust it.

A path that yields nothing (no tenant, no such attribute) is missing; missing is not null and not empty.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, Literal

from claimsmith.cognito.claims import UnacceptableError, accepted
from claimsmith.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from collections.abc import Set as AbstractSet

    from claimsmith.cognito.event import Request
    from claimsmith.engine.facts import Literals, Membership, Tenant, User

    #: What ``as`` does to a value.
    Convert = Callable[[Any], Any]


class Missing:
    """The value of a path that yields nothing."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = Missing()


#: Members that are looked at one by one.
_FEW: Final = 16


class EvaluationContext(dict[str, Any]):
    """What conditions and values can read, by path; each path is looked up, and converted in each way, once."""

    __slots__ = ("_converted", "_members", "client_name", "membership", "request", "roles", "tenant", "user")

    def __init__(
        self,
        request: Request,
        user: User | None,
        tenant: Tenant | None,
        membership: Membership | None,
        roles: tuple[str, ...],
        client_name: str | None,
    ) -> None:
        """Everything a path can lead to.

        Args:
            request: what Cognito asks.
            user: the USER row; None for a machine.
            tenant: the chosen one.
            membership: the user's, in it.
            roles: the assigned ones.
            client_name: the app client's name in the policy.
        """
        super().__init__()
        self.request = request
        self.user = user
        self.tenant = tenant
        self.membership = membership
        self.roles = roles
        self.client_name = client_name
        self._converted: dict[tuple[str, Convert], Any] = {}
        self._members: dict[int, tuple[list[Any], frozenset[str]]] = {}

    def converted(self, path: str, convert: Convert) -> Any:  # noqa: ANN401 - any claim value
        """What a path leads to, converted; ``MISSING`` where either yields nothing."""
        key = (path, convert)
        if key not in self._converted:
            found = self[path]
            self._converted[key] = found if found is MISSING else convert(found)
        return self._converted[key]

    def has_text(self, found: list[Any], text: str) -> bool:
        """Whether a list that was read here has this member. However many ask, a long list is gone through once."""
        if len(found) <= _FEW:
            return text in found
        entry = self._members.get(id(found))
        if entry is None:
            # The list is kept with its members, so that no other one gets its id.
            entry = self._members[id(found)] = (found, frozenset(item for item in found if isinstance(item, str)))
        return text in entry[1]

    def __missing__(self, path: str) -> Any:  # noqa: ANN401 - any claim value
        value = self[path] = _resolved(path, self)
        return value


Kind = Literal["text", "list", "any"]

#: What ``user.identity_provider`` yields for the pool itself.
OWN_PROVIDER: Final = "Cognito"

IDENTITIES: Final = "identities"
STATUS: Final = "cognito:user_status"


class Path(NamedTuple):
    """What a path yields and from where.

    Attributes:
        kind: ``any`` where only the rows know.
    """

    kind: Kind
    read: Callable[[EvaluationContext], Any]


class Open(NamedTuple):
    """The same for a path that ends in a name that the admin chooses."""

    kind: Kind
    read: Callable[[EvaluationContext, str], Any]


def _present(value: Any) -> Any:  # noqa: ANN401 - any claim value
    return MISSING if value is None else value


def _of_user(context: EvaluationContext, value: Any) -> Any:  # noqa: ANN401 - any claim value
    return MISSING if context.user is None else value


def _claim(claims: Literals, name: str) -> Any:  # noqa: ANN401 - any claim value
    """A claim as a token would hold it; one that no token can hold is missing."""
    try:
        return accepted(claims.access.get(name, claims.id.get(name)))
    except UnacceptableError:
        return MISSING


class Identity(NamedTuple):
    """One entry of the event's ``identities``.

    Attributes:
        provider: its name in the pool.
        primary: whether the profile itself comes from this provider; otherwise an admin linked it.
    """

    provider: str
    primary: bool


def identities(attributes: Mapping[str, str]) -> tuple[Identity, ...] | None:
    """The external identities of a user's profile; None where they cannot be read.

    Cognito writes them as JSON text, a list of objects with ``providerName`` and ``primary``. Users cannot write it.
    """
    written = attributes.get(IDENTITIES)
    if written is None:
        return ()
    try:
        entries = json.loads(written)
        found = [(entry["providerName"], entry.get("primary")) for entry in entries]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    if not isinstance(entries, list) or not all(isinstance(name, str) for name, _ in found):
        return None
    # ``primary`` is a boolean in events and text in tokens.
    return tuple(Identity(name, primary in (True, "true")) for name, primary in found)


def identity_provider(request: Request) -> str | None:
    """The provider that authenticated the user of this request; ``Cognito`` is the pool itself. None: not certain.

    A profile lists what is linked to it, not what was used. Only two kinds of profile leave no choice:

    - nothing is linked, so only the pool can authenticate the user;
    - the status is ``EXTERNAL_PROVIDER`` (setting a password changes it), one identity is linked, and the profile comes
      from it, so only that provider can. An API sign-in goes past every provider, so such a request is not certain.

    Sources: ``AdminSetUserPassword`` and ``AdminLinkProviderForUser`` in the Amazon Cognito API reference; see
    ``docs/adr/0018-provider-length-and-privileged-scopes.md``.
    """
    linked = identities(request.attributes)
    external = request.attributes.get(STATUS) == "EXTERNAL_PROVIDER"
    if linked == ():
        return None if external else OWN_PROVIDER
    if linked is None or len(linked) > 1 or not external or request.api:
        return None
    [identity] = linked
    return identity.provider if identity.primary and identity.provider != OWN_PROVIDER else None


def _linked(request: Request) -> list[str] | None:
    linked = identities(request.attributes)
    return None if linked is None else sorted({identity.provider for identity in linked})


#: Paths without such a name.
FIXED: Final[Mapping[str, Path]] = {
    "user.sub": Path("text", lambda context: _present(context.request.sub)),
    "user.username": Path("text", lambda context: _of_user(context, context.request.username)),
    "user.status": Path("text", lambda context: _of_user(context, "active")),
    "user.groups": Path("list", lambda context: _of_user(context, list(context.request.groups))),
    "user.identity_provider": Path(
        "text", lambda context: _of_user(context, _present(identity_provider(context.request)))
    ),
    "user.identity_providers": Path("list", lambda context: _of_user(context, _present(_linked(context.request)))),
    "tenant.id": Path("text", lambda context: context.tenant.id if context.tenant else MISSING),
    "tenant.name": Path("text", lambda context: _present(context.tenant.name) if context.tenant else MISSING),
    "tenant.plan": Path("text", lambda context: _present(context.tenant.plan) if context.tenant else MISSING),
    "tenant.status": Path("text", lambda context: "active" if context.tenant else MISSING),
    "membership.roles": Path("list", lambda context: list(context.membership.roles) if context.membership else MISSING),
    "roles": Path("list", lambda context: list(context.roles)),
    "client.id": Path("text", lambda context: context.request.client_id),
    "client.name": Path("text", lambda context: _present(context.client_name)),
    "request.scopes": Path("list", lambda context: list(context.request.scopes)),
    "request.source": Path("text", lambda context: context.request.source),
}

ATTRIBUTES: Final = "user.attributes."
METADATA: Final = "request.metadata."

#: Paths that end in a name that the admin chooses.
OPEN: Final[Mapping[str, Open]] = {
    ATTRIBUTES: Open("text", lambda context, name: context.request.attributes.get(name, MISSING)),
    "user.claims.": Open("any", lambda context, name: _claim(context.user.claims, name) if context.user else MISSING),
    "tenant.claims.": Open(
        "any", lambda context, name: _claim(context.tenant.claims, name) if context.tenant else MISSING
    ),
    "membership.claims.": Open(
        "any", lambda context, name: _claim(context.membership.claims, name) if context.membership else MISSING
    ),
    METADATA: Open("text", lambda context, name: context.request.metadata.get(name, MISSING)),
}


def kind(path: str) -> Kind | None:
    """What a path yields; None where there is no such path."""
    if path in FIXED:
        return FIXED[path].kind
    return next((OPEN[prefix].kind for prefix in OPEN if path.startswith(prefix) and len(path) > len(prefix)), None)


def is_trusted(path: str, trusted_attributes: AbstractSet[str]) -> bool:
    """Whether only admins and Cognito can write what a path yields."""
    if path.startswith(ATTRIBUTES):
        return path[len(ATTRIBUTES) :] in trusted_attributes
    return kind(path) is not None and not path.startswith("request.")


def _resolved(path: str, context: EvaluationContext) -> Any:  # noqa: ANN401 - any claim value
    if path in FIXED:
        return FIXED[path].read(context)
    for prefix, source in OPEN.items():
        if path.startswith(prefix):
            return source.read(context, path[len(prefix) :])
    return MISSING
