"""Directory rows, read fail-closed: what cannot be read grants nothing and is reported.

A row that DynamoDB's time-to-live has expired but not yet deleted counts as deleted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from claimsmith import table
from claimsmith.engine.language import NAME
from claimsmith.errors import Code
from claimsmith.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

Row = Mapping[str, Any]

#: Epoch seconds that a row may hold: 2001 to 5138. Milliseconds of any date since 1973 lie above.
EARLIEST: Final = 1_000_000_000
LATEST: Final = 99_999_999_999

_ACTIVE: Final = "active"

#: Why a row does not count that DynamoDB is about to delete.
_PAST_TTL: Final = "its ttl has passed"

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})
_TEXT: Final = frozenset({str})


class Problem(NamedTuple):
    """A row, or a part of one, that cannot be read or holds what it may not; reported and counted.

    Attributes:
        row: its key, ``pk sk``.
        attribute: which attribute is wrong.
        why: what is wrong with it, without its value.
        code: ``ROW_UNREADABLE``, or what else is wrong.
    """

    row: str
    attribute: str
    why: str
    code: Code = Code.ROW_UNREADABLE


class Literals(NamedTuple):
    """Claims of a row of the directory, by token, names already merged from ``claims`` and the token's own.

    They are not checked yet: a decision checks them.
    """

    access: Mapping[str, Any] = _NOTHING
    id: Mapping[str, Any] = _NOTHING


NO_LITERALS: Final = Literals()


class User(NamedTuple):
    """The USER row.

    Attributes:
        groups: as written; a decision that counts them checks them.
    """

    active: bool = True
    active_tenant: str | None = None
    active_tenant_by_client: Mapping[str, str] = _NOTHING
    roles: tuple[str, ...] = ()
    claims: Literals = NO_LITERALS
    groups: object = ()


class Membership(NamedTuple):
    """A membership that is active and unexpired; others are not kept.

    Attributes:
        groups: as written; a decision that counts them checks them.
        admitted_by: the row of the identity provider that gives it; empty where the user has a row.
    """

    roles: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    claims: Literals = NO_LITERALS
    groups: object = ()
    admitted_by: str = ""


class StoredMembership(NamedTuple):
    """A membership as its row has it.

    Attributes:
        expires_at: epoch seconds.
        why_not: why it does not count; None if it does, as far as the row shows.
    """

    membership: Membership
    expires_at: int | None
    why_not: str | None


class Tenant(NamedTuple):
    """A TENANT row."""

    id: str
    active: bool = True
    name: str | None = None
    plan: str | None = None
    default_roles: tuple[str, ...] = ()
    roles_allowed: frozenset[str] | None = None
    scopes_allowed: frozenset[str] | None = None
    claims: Literals = NO_LITERALS


class UserFacts(NamedTuple):
    """What the directory holds about a user.

    Attributes:
        user: the USER row; the default where there is none; None where there is one that cannot be read.
        memberships: usable ones as far as the user's own rows show, by tenant id.
        too_large: there are more rows than are read of one user, so nothing is known.
        barred: tenants in which a row of the user's says that the user is no member now, or cannot be read.
    """

    user: User | None
    memberships: Mapping[str, Membership] = _NOTHING
    problems: tuple[Problem, ...] = ()
    too_large: bool = False
    barred: frozenset[str] = frozenset()


class Facts(NamedTuple):
    """Everything about a request's subject that the decision may use.

    Attributes:
        tenants: TENANT rows that were looked up; None for one that is absent or cannot be read.
    """

    user: UserFacts
    tenants: Mapping[str, Tenant | None] = _NOTHING
    problems: tuple[Problem, ...] = ()


#: A machine has no rows of its own: its client's row in the policy stands in for them.
MACHINE: Final = UserFacts(user=User())


def too_large(sub: str, why: str) -> UserFacts:
    """The facts of a user who has more rows than are read of one user: none, and who signs in is refused.

    Args:
        sub: the user.
        why: what there is too much of.
    """
    return UserFacts(None, problems=(Problem(f"{table.USER_PREFIX}{sub}", "", why),), too_large=True)


class _UnreadableError(Exception):
    """The attribute that cannot be read, and why."""


def read_user(rows: Iterable[Row], now: int) -> UserFacts:
    """The facts in the rows of one ``USER#…`` partition.

    Args:
        rows: the USER row and the memberships, in any order.
        now: epoch seconds.
    """
    user: User | None = User()
    memberships: dict[str, Membership] = {}
    problems: list[Problem] = []
    barred: list[str] = []
    pk: object = None
    for row in rows:
        pk, sk = row.get(table.PK), row.get(table.SK)
        try:
            if sk == table.USER:
                if not _is_expired(row, now):
                    user = _user(row)
            elif isinstance(sk, str) and sk.startswith(table.TENANT_PREFIX):
                tenant_id = sk[len(table.TENANT_PREFIX) :]
                if not NAME.fullmatch(tenant_id):
                    raise _UnreadableError(table.SK, "is not a tenant id")  # noqa: TRY301 - read like every other row
                membership, _, why_not = _stored(row, now)
                if why_not is None:
                    memberships[tenant_id] = membership
                elif why_not != _PAST_TTL:
                    barred.append(tenant_id)
        except _UnreadableError as unreadable:
            problems.append(_problem(row, unreadable))
            if sk == table.USER:
                user = None
            else:
                barred.append(str(sk).removeprefix(table.TENANT_PREFIX))
    return _without_alike(UserFacts(user, memberships, tuple(problems), barred=frozenset(barred)), pk)


def _without_alike(facts: UserFacts, pk: object) -> UserFacts:
    """Without the tenants of which another one differs only by case: nobody can tell which of them is meant."""
    count = len(facts.memberships)
    if count <= 1 or len({tenant_id.lower() for tenant_id in facts.memberships}) == count:
        return facts  # nearly always
    spelt = Counter(tenant_id.lower() for tenant_id in facts.memberships)
    alike = sorted(tenant_id for tenant_id in facts.memberships if spelt[tenant_id.lower()] > 1)
    why = "differs only by case from another tenant of the user"
    return facts._replace(
        memberships={name: membership for name, membership in facts.memberships.items() if name not in alike},
        problems=(*facts.problems, *(Problem(f"{pk} {table.TENANT_PREFIX}{name}", table.SK, why) for name in alike)),
        barred=facts.barred.union(alike),
    )


def read_membership(row: Row, now: int) -> StoredMembership | Problem:
    """A membership whether it counts or not, for people; a problem where the row cannot be read.

    ``read_user`` keeps it where ``why_not`` is None.
    """
    try:
        return _stored(row, now)
    except _UnreadableError as unreadable:
        return _problem(row, unreadable)


def is_past_ttl(row: Row, now: int) -> bool:
    """Whether a row counts as deleted because its time to live has passed."""
    try:
        return _is_expired(row, now)
    except _UnreadableError:
        return False


def read_tenant(row: Row, now: int) -> Tenant | Problem | None:
    """The tenant in a TENANT row; None where the row has expired, a problem where it cannot be read."""
    try:
        if _is_expired(row, now):
            return None
        return Tenant(
            id=str(row[table.PK])[len(table.TENANT_PREFIX) :],
            active=_is_active(row),
            name=_optional_text(row, "name"),
            plan=_optional_text(row, "plan"),
            default_roles=_strings(row, "default_roles"),
            roles_allowed=_ceiling(row, "roles_allowed"),
            scopes_allowed=_ceiling(row, "scopes_allowed"),
            claims=_claims(row),
        )
    except _UnreadableError as unreadable:
        return _problem(row, unreadable)


def _problem(row: Row, unreadable: _UnreadableError) -> Problem:
    attribute, why = unreadable.args
    return Problem(f"{row.get(table.PK)} {row.get(table.SK)}", attribute, why)


def _user(row: Row) -> User:
    by_client = row.get("active_tenant_by_client", {})
    if not isinstance(by_client, Mapping) or not all(isinstance(value, str) for value in by_client.values()):
        raise _UnreadableError("active_tenant_by_client", "is not a map of strings")
    return User(
        active=_is_active(row),
        active_tenant=_optional_text(row, "active_tenant"),
        active_tenant_by_client=by_client,
        roles=_strings(row, "roles"),
        claims=_claims(row),
        groups=row.get("groups", ()),
    )


def _stored(row: Row, now: int) -> StoredMembership:
    """Every attribute is read before the verdict, so that a broken row is reported even while it is inactive."""
    expires_at = _optional_time(row, "expires_at") if "expires_at" in row else None
    membership = Membership(
        _strings(row, "roles") if "roles" in row else (),
        _strings(row, "scopes") if "scopes" in row else (),
        _claims(row),
        row.get("groups", ()),
    )
    why_not = None
    if table.TTL in row and _is_expired(row, now):
        why_not = _PAST_TTL
    elif not _is_active(row):
        why_not = "its status is not active"
    elif expires_at is not None and expires_at <= now:
        why_not = "it has expired"
    return StoredMembership(membership, expires_at, why_not)


def _is_active(row: Row) -> bool:
    """Absent is active; any other value, known or not, is not."""
    return bool(row.get("status", _ACTIVE) == _ACTIVE)


def _is_expired(row: Row, now: int) -> bool:
    ttl = _optional_time(row, table.TTL)
    return ttl is not None and ttl <= now


def _optional_text(row: Row, name: str) -> str | None:
    value = row.get(name)
    if value is not None and not isinstance(value, str):
        raise _UnreadableError(name, "is not a string")
    return value


def _optional_time(row: Row, name: str) -> int | None:
    if name not in row:
        return None
    value = row[name]
    if isinstance(value, Decimal):
        value = float(value) if value.is_finite() else 0
    if isinstance(value, bool) or not isinstance(value, int | float) or not EARLIEST <= value <= LATEST:
        raise _UnreadableError(name, "is not a time in epoch seconds")
    return int(value)


def _strings(row: Row, name: str) -> tuple[str, ...]:
    value = row.get(name, ())
    if type(value) is list and _TEXT.issuperset(map(type, value)):  # most are
        return tuple(value)
    if not isinstance(value, list | tuple | set | frozenset) or not all(isinstance(item, str) for item in value):
        raise _UnreadableError(name, "is not a list or set of strings")
    return tuple(sorted(value)) if isinstance(value, set | frozenset) else tuple(value)


def _ceiling(row: Row, name: str) -> frozenset[str] | None:
    """A ceiling is a list: taking the last member out of a set deletes the set, which would lift the limit."""
    if name not in row:
        return None
    value = row[name]
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise _UnreadableError(name, "is not a list of strings")
    return frozenset(value)


def _claims(row: Row) -> Literals:
    if "claims" not in row and "access_claims" not in row and "id_claims" not in row:
        return NO_LITERALS
    both, access, identity = (_object(row, name) for name in ("claims", "access_claims", "id_claims"))
    return Literals({**both, **access}, {**both, **identity})


def _object(row: Row, name: str) -> Mapping[str, Any]:
    value = row.get(name, {})
    if not isinstance(value, Mapping):
        raise _UnreadableError(name, "is not a map")
    return value
