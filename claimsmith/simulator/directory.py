"""Users, tenants and members as plain data, and the rows that they stand for."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, Final

from claimsmith import table
from claimsmith.cognito.limits import SUB
from claimsmith.engine.facts import Problem, read_tenant, read_user
from claimsmith.engine.language import NAME
from claimsmith.errors import ConfigurationError
from claimsmith.policy.finding import nearest
from claimsmith.policy.literals import unstorable
from claimsmith.store.attributes import decode_row, encode_row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Row = dict[str, Any]
    #: Attributes by name.
    Attributes = Mapping[str, Any]
    #: A membership: its roles, or its attributes.
    Membership = Attributes | Collection[str]

#: Attributes of a user in the pool, in the words of ``CognitoKit.add_user``.
POOL_ATTRIBUTES: Final = ("sub", "attributes", "groups", "iam_roles", "preferred_role")

_EVERY: Final = ("description", table.TTL, "updated_by", "updated_at")
_CLAIMS: Final = ("claims", "access_claims", "id_claims")
#: Attributes of the rows.
USER_ATTRIBUTES: Final = ("status", "active_tenant", "active_tenant_by_client", "roles", "username", *_CLAIMS, *_EVERY)
TENANT_ATTRIBUTES: Final = (
    "name",
    "status",
    "plan",
    "default_roles",
    "roles_allowed",
    "scopes_allowed",
    *_CLAIMS,
    *_EVERY,
)
MEMBERSHIP_ATTRIBUTES: Final = ("status", "roles", "scopes", "groups", "expires_at", *_CLAIMS, *_EVERY)

#: Attributes that name roles of the policy.
_NAMING_ROLES: Final = ("roles", "default_roles")


class Directory:
    """The rows of the directory, computed from plain data whenever they are asked for.

    Attributes:
        users: attributes by username, of the pool and of the USER row.
        tenants: attributes of the TENANT rows by tenant id.
        members: by username and tenant id: the roles of a membership, or its attributes.
    """

    def __init__(
        self,
        users: dict[str, dict[str, Any]],
        tenants: dict[str, dict[str, Any]],
        members: dict[str, dict[str, Membership]],
        sub: Callable[[str], str],
    ) -> None:
        """A directory.

        Args:
            users: as above. All are kept, not copied.
            tenants: likewise.
            members: likewise.
            sub: the ``sub`` of a user whose data has none.
        """
        self.users = users
        self.tenants = tenants
        self.members = members
        self._sub = sub

    @property
    def usernames(self) -> list[str]:
        """Everybody who has attributes or memberships."""
        return list(dict.fromkeys([*self.users, *self.members]))

    @property
    def scopes(self) -> set[str]:
        """The scopes that memberships grant."""
        attributes = (_membership("", one) for memberships in self.members.values() for one in memberships.values())
        return {scope for membership in attributes for scope in membership.get("scopes", ())}

    def sub(self, username: str) -> str:
        """A user's ``sub``."""
        return str(self.users.get(username, {}).get("sub") or self._sub(username))

    def partition(self, pk: str) -> Iterator[Row]:
        """The rows under a partition key."""
        if pk.startswith(table.TENANT_PREFIX):
            tenant_id = pk.removeprefix(table.TENANT_PREFIX)
            if tenant_id in self.tenants:
                yield self._tenant(tenant_id)
        elif pk.startswith(table.USER_PREFIX):
            for username in self.usernames:
                if table.USER_PREFIX + self.sub(username) == pk:
                    yield from self._user(username)

    def check(self, roles: Collection[str], now: int) -> None:
        """Refuse data that the trigger would not read as it is meant: there, what is not understood grants nothing.

        Args:
            roles: those of the policy.
            now: epoch seconds.

        Raises:
            ConfigurationError: a name is not known, or a value cannot be stored or read.
        """
        for tenant_id, attributes in self.tenants.items():
            where = f"tenants[{tenant_id!r}]"
            if not NAME.fullmatch(tenant_id):
                raise ConfigurationError(f"{where}: a tenant id must match {NAME.pattern}.")
            _check_attributes(where, attributes, TENANT_ATTRIBUTES, roles)
            read = read_tenant(_stored(where, self._tenant(tenant_id)), now)
            if isinstance(read, Problem):
                raise ConfigurationError(f"{where}: {read.attribute} {read.why}.")
        for username in self.usernames:
            self._check_user(username, roles, now)

    def _check_user(self, username: str, roles: Collection[str], now: int) -> None:
        where = f"users[{username!r}]"
        _check_attributes(where, self.users.get(username, {}), (*POOL_ATTRIBUTES, *USER_ATTRIBUTES), roles)
        if not isinstance(self.members.get(username, {}), Mapping):
            raise ConfigurationError(f"members[{username!r}] must be a map of tenant ids.")
        for tenant_id, membership in self.members.get(username, {}).items():
            place = f"members[{username!r}][{tenant_id!r}]"
            if tenant_id not in self.tenants:
                raise ConfigurationError(f"{place}: there is no tenant {tenant_id}.{_hint(tenant_id, self.tenants)}")
            _check_attributes(place, _membership(place, membership), MEMBERSHIP_ATTRIBUTES, roles)
        if not SUB.fullmatch(self.sub(username)):
            raise ConfigurationError(f"{where}: sub is not one that Cognito makes; leave it out.")
        rows = [_stored(where, row) for row in self._user(username)]
        for problem in read_user(rows, now).problems:
            tenant_id = problem.row.partition(f" {table.TENANT_PREFIX}")[2]
            place = f"members[{username!r}][{tenant_id!r}]" if tenant_id else where
            raise ConfigurationError(f"{place}: {problem.attribute} {problem.why}.")

    def _tenant(self, tenant_id: str) -> Row:
        return {table.PK: table.TENANT_PREFIX + tenant_id, table.SK: table.TENANT, **self.tenants[tenant_id]}

    def _user(self, username: str) -> Iterator[Row]:
        pk = table.USER_PREFIX + self.sub(username)
        attributes = self.users.get(username, {})
        row = {name: value for name, value in attributes.items() if name not in POOL_ATTRIBUTES}
        if row:
            yield {table.PK: pk, table.SK: table.USER, **row}
        for tenant_id, membership in self.members.get(username, {}).items():
            yield {table.PK: pk, table.SK: table.TENANT_PREFIX + tenant_id, **_membership("", membership)}


def _membership(where: str, membership: Membership) -> Attributes:
    if isinstance(membership, Mapping):
        return membership
    if isinstance(membership, str) or not isinstance(membership, Collection):
        raise ConfigurationError(f"{where} must be a list of roles, or a map of attributes.")
    return {"roles": list(membership)}


def check_names(where: str, attributes: Attributes, known: tuple[str, ...]) -> None:
    """Refuse what is no map of these attributes.

    Raises:
        ConfigurationError: with the closest name.
    """
    if not isinstance(attributes, Mapping):
        raise ConfigurationError(f"{where} must be a map of attributes.")
    for name in attributes:
        if name not in known:
            raise ConfigurationError(f"{where}: there is no attribute {name}.{_hint(name, known)}")


def _check_attributes(where: str, attributes: Attributes, known: tuple[str, ...], roles: Collection[str]) -> None:
    check_names(where, attributes, known)
    for name, value in attributes.items():
        wrong = unstorable(value)
        if wrong is not None:
            raise ConfigurationError(f"{where}: {name}: {wrong[1]}.")
        named = value if name in _NAMING_ROLES and isinstance(value, Collection) and not isinstance(value, str) else ()
        for role in named:
            if role not in roles:
                raise ConfigurationError(f"{where}: {name}: the policy has no role {role}.{_hint(str(role), roles)}")


def _stored(where: str, row: Row) -> Row:
    """The row as a table would give it back."""
    try:
        return decode_row(encode_row(row))
    except TypeError as error:
        raise ConfigurationError(f"{where}: {error}.") from error


def _hint(name: str, known: Collection[str]) -> str:
    close = nearest(name, sorted(known))
    return f" Did you mean {close}?" if close else ""
