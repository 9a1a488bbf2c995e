"""Edits the directory: tenants, memberships, and users.

Each edit changes only its own attributes; everything else an admin has written in the row stays. What depends on the
row as it was is written only if it still is so, otherwise done again: two admins lose nothing of each other's.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from claimsmith import table
from claimsmith.cognito.limits import SCOPE, SUB
from claimsmith.engine.codec import BundleError
from claimsmith.engine.facts import Problem, StoredMembership, Tenant, is_past_ttl, read_membership, read_tenant
from claimsmith.engine.language import NAME
from claimsmith.errors import Code, OperationError
from claimsmith.named_tuple import NamedTuple
from claimsmith.service import vocabulary
from claimsmith.service.lookup import no_rows
from claimsmith.service.users import user_facts
from claimsmith.store.attributes import Encoded, encode_row
from claimsmith.store.failures import ConditionError
from claimsmith.store.item_size import MAX_ITEM, text_size, value_size

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from claimsmith.service.vocabulary import Vocabulary
    from claimsmith.store.dynamodb import Table

    Row = Mapping[str, Any]

#: How often an edit is tried while others write the same row.
_ATTEMPTS: Final = 5

#: What marks a membership that is about to be deleted.
REVOKED: Final = "revoked"


class Edit(NamedTuple):
    """What to change of a row.

    Attributes:
        reads: the attributes that this depends on, beside whether there is a row.
    """

    assign: Row
    remove: Collection[str] = ()
    reads: Collection[str] = ()


class TenantChange(NamedTuple):
    """What ``Editor.set_tenant`` changes.

    Attributes:
        attributes: the new values.
        claims: the claims to set, by attribute (``claims``, ``access_claims``, ``id_claims``).
        unset: attributes to remove, each with the claim of it to remove, or None for the attribute itself.
    """

    attributes: Mapping[str, Any]
    claims: Mapping[str, Mapping[str, Any]]
    unset: Sequence[tuple[str, str | None]] = ()


class Membership(NamedTuple):
    """A membership after an edit.

    Attributes:
        expires_at: epoch seconds.
        why_not: why it does not count all the same; None if it does.
    """

    roles: list[str]
    scopes: list[str]
    expires_at: int | None
    why_not: str | None


def expected(row: Row | None, reads: Collection[str]) -> dict[str, Any]:
    """The condition that a row still has what was read of it."""
    if row is None:
        return {table.PK: None}
    null = Encoded({"NULL": True})
    return {
        table.PK: row[table.PK],
        **{name: (null if row[name] is None else row[name]) if name in row else None for name in reads},
    }


def is_gone(row: Row, now: int) -> bool:
    """Whether a membership's row counts as deleted: its time to live has passed, or it is being revoked."""
    return row.get("status") == REVOKED or is_past_ttl(row, now)


def replacing(row: Row, assign: Row) -> Edit:
    """Put other attributes into a row that counts as deleted, and remove those that it has."""
    signature = {"updated_by", "updated_at"}
    own = row.keys() - {table.PK, table.SK} - signature
    return Edit(assign, sorted(own - assign.keys()), ("status", table.TTL, *sorted(signature)))


@dataclass(frozen=True, slots=True)
class Editor:
    """Edits rows on somebody's behalf.

    Every method raises ``OperationError`` if an argument names something that does not exist or cannot be, and
    ``StoreError`` if DynamoDB is unavailable, or if others keep writing the same row (``ConditionError``).

    Attributes:
        by: who edits; written to ``updated_by``.
        clock: epoch seconds.
    """

    rows: Table
    by: str
    clock: Callable[[], float] = time.time

    def add_tenant(self, tenant_id: str, *, name: str | None = None, plan: str | None = None) -> None:
        """Create a tenant, or change its name or plan."""
        if not NAME.fullmatch(tenant_id):
            raise OperationError(Code.BAD_ARGUMENT, f"The tenant id is not valid. It must match {NAME.pattern}.")
        self._check_spelling(tenant_id)
        given = {key: value for key, value in (("name", name), ("plan", plan)) if value is not None}
        self._edit(table.TENANT_PREFIX + tenant_id, table.TENANT, lambda _: Edit(given))

    def _check_spelling(self, tenant_id: str) -> None:
        """Refuse a new tenant of which another one differs only by case."""
        pk = table.TENANT_PREFIX + tenant_id
        if self.rows.get(pk, table.TENANT) is not None:
            return
        for first in sorted({tenant_id[0].lower(), tenant_id[0].upper()}):
            for other, _ in self.rows.keys_by_sk(table.TENANT, pk_prefix=table.TENANT_PREFIX + first):
                if other != pk and other.lower() == pk.lower():
                    spelt = other.removeprefix(table.TENANT_PREFIX)
                    message = f"There is a tenant {spelt}, which differs only by case. Use that one, or another id."
                    raise OperationError(Code.CONFLICT, message)

    def set_tenant_status(self, tenant_id: str, status: str) -> None:
        """Suspend a tenant (``suspended``) or reactivate it (``active``); takes effect with the next tokens."""

        def change(row: Row | None) -> Edit:
            self._read(tenant_id, row)
            return Edit({"status": status})

        self._edit(table.TENANT_PREFIX + tenant_id, table.TENANT, change)

    def set_tenant(self, tenant_id: str, wanted: TenantChange) -> tuple[Row, list[str]]:
        """Change attributes of a tenant, checked as the trigger will read them.

        Returns:
            The row as it is now, and what may be a mistake in it.
        """
        known = vocabulary.load(self.rows)
        warnings = _check_tenant(known, wanted)

        def change(row: Row | None) -> Edit:
            if row is None:
                raise OperationError(Code.NOT_FOUND, f"There is no tenant {tenant_id}.")
            after = _changed(row, wanted)
            read = read_tenant(after, int(self.clock()))
            if isinstance(read, Problem):
                raise OperationError(Code.INVALID_DIRECTORY_VALUE, f"{read.attribute} {read.why}. Nothing was changed.")
            if read is None:
                raise _unreadable(tenant_id)
            _check_roles(known, row, after)
            assign = {name: value for name, value in after.items() if name not in row or row[name] != value}
            touched = {*wanted.attributes, *wanted.claims, *(name for name, _ in wanted.unset)}
            return Edit(assign, row.keys() - after.keys(), touched)

        return self._edit(table.TENANT_PREFIX + tenant_id, table.TENANT, change), warnings

    def grant(
        self,
        sub: str,
        tenant_id: str,
        roles: Sequence[str],
        *,
        scopes: Sequence[str] = (),
        until: int | None = None,
        forever: bool = False,
    ) -> Membership:
        """Make a user a member of a tenant, or add roles and scopes to a membership.

        Args:
            sub: the user.
            tenant_id: the tenant.
            roles: to add.
            scopes: to add, by name.
            until: when the membership ends, in epoch seconds; None leaves that as it is.
            forever: it has no end.
        """
        if "@" in sub or not SUB.fullmatch(sub):
            message = "The user is not a sub. To use another name, add --user-pool-id."
            raise OperationError(Code.BAD_ARGUMENT, message)
        now = int(self.clock())
        self._tenant(tenant_id)
        known = vocabulary.load(self.rows)
        problems = [*map(known.role_problem, roles), *map(known.scope_problem, scopes)]
        for problem in filter(None, problems):
            raise OperationError(Code.NOT_FOUND if problem in problems[: len(roles)] else Code.BAD_ARGUMENT, problem)
        if until is not None and until <= now:
            raise OperationError(Code.BAD_ARGUMENT, "The end of the membership is in the past.")
        end = {} if until is None else {"expires_at": until}
        pk, sk = table.USER_PREFIX + sub, table.TENANT_PREFIX + tenant_id

        def change(row: Row | None) -> Edit:
            added = {"roles": sorted(set(roles)), **({"scopes": sorted(set(scopes))} if scopes else {}), **end}
            if row is None:
                return Edit(added)
            if is_gone(row, now):
                return replacing(row, added)
            stored = read_membership(row, now)
            if isinstance(stored, Problem):
                what = f"{stored.attribute} of the row {pk} {sk} {stored.why}"
                raise OperationError(Code.ROW_UNREADABLE, f"{what}. Fix the row first.")
            joined = {"roles": sorted({*stored.membership.roles, *roles})}
            if scopes:
                joined["scopes"] = sorted({*stored.membership.scopes, *scopes})
            remove = ("expires_at",) if forever else ()
            return Edit({**joined, **end}, remove, ("roles", "scopes", "status", table.TTL))

        after = read_membership(self._edit(pk, sk, change), now)
        assert isinstance(after, StoredMembership)  # noqa: S101 - what was read and checked above
        membership, expires_at, why_not = after
        return Membership(list(membership.roles), list(membership.scopes), expires_at, why_not)

    def revoke(self, sub: str, tenant_id: str) -> None:
        """End a membership.

        Where an identity provider makes its users members without a row, the row stays and says that this one is none.
        """
        pk, sk = table.USER_PREFIX + sub, table.TENANT_PREFIX + tenant_id
        kept = self._admits(tenant_id)

        def change(row: Row | None) -> Edit:
            if row is None and not kept:
                raise OperationError(Code.NOT_FOUND, f"The user is not a member of {tenant_id}.")
            return Edit({"status": REVOKED})

        # The audit learns from the row who wrote it last, and a deletion has no new row; so sign the row first.
        self._edit(pk, sk, change)
        if kept:
            return
        # Anyone who grants it again in the meantime keeps what they granted.
        self.rows.delete(
            pk,
            sk,
            condition="attribute_not_exists(pk) OR #status = :revoked",
            values={":revoked": REVOKED},
            names={"#status": "status"},
        )

    def _admits(self, tenant_id: str) -> bool:
        """Whether a tenant may have members without a row; where the policy cannot be read, it may."""
        try:
            return vocabulary.load(self.rows).admits(tenant_id)
        except BundleError:
            return True
        except OperationError as error:
            if error.code is Code.NOT_FOUND:  # no policy has been published
                return False
            raise

    def switch(self, sub: str, tenant_id: str, *, client_id: str | None = None) -> None:
        """Store a user's choice of tenant, for all clients or for one; takes effect with the next token."""
        tenant = self._tenant(tenant_id)
        user = user_facts(self.rows, sub, int(self.clock()))
        if user.too_large:
            message = (
                f"There are too many rows under {table.USER_PREFIX}{sub} to read. Delete those that are not needed."
            )
            raise OperationError(Code.USER_TOO_LARGE, message)
        if tenant_id not in user.memberships or not tenant.active:
            raise OperationError(
                Code.NOT_FOUND,
                f"The user has no usable membership of {tenant_id}. Check the membership and the tenant's status.",
            )

        def change(row: Row | None) -> Edit:
            if client_id is None:
                return Edit({"active_tenant": tenant_id})
            old = (row or {}).get("active_tenant_by_client")
            return Edit(
                {"active_tenant_by_client": {**(old or {}), client_id: tenant_id}}, reads=("active_tenant_by_client",)
            )

        self._edit(table.USER_PREFIX + sub, table.USER, change)

    def set_user_status(self, sub: str, status: str, *, exists: bool = False) -> Row:
        """Suspend a user (``suspended``), whose sign-ins are refused from then on, or reactivate one (``active``).

        Args:
            sub: the user.
            status: the new one.
            exists: the caller knows that there is such a user. Otherwise the directory must have rows of them.

        Returns:
            The USER row.
        """
        now = int(self.clock())
        pk = table.USER_PREFIX + sub
        if not exists and not self.rows.query(pk, limit=1):
            raise no_rows()

        def change(row: Row | None) -> Edit:
            if row is not None and is_past_ttl(row, now):
                return replacing(row, {"status": status})
            return Edit({"status": status}, reads=(table.TTL,))

        return self._edit(pk, table.USER, change)

    def _edit(self, pk: str, sk: str, change: Callable[[Row | None], Edit]) -> Row:
        """Read a row, change it, and begin again if somebody else wrote it in the meantime; the row as it is then."""
        for _ in range(_ATTEMPTS - 1):
            with suppress(ConditionError):
                return self._edit_once(pk, sk, change)
        return self._edit_once(pk, sk, change)

    def _edit_once(self, pk: str, sk: str, change: Callable[[Row | None], Edit]) -> Row:
        row = self.rows.get(pk, sk)
        edit = change(row)
        signed = self._signed(edit.assign)
        kept = {name: value for name, value in (row or {}).items() if name not in edit.remove}
        after = {table.PK: pk, table.SK: sk, **kept, **signed}
        _check_size(after)
        self.rows.update(pk, sk, signed, remove=edit.remove, expected=expected(row, edit.reads))
        return after

    def _signed(self, given: Row) -> dict[str, Any]:
        return {**given, "updated_by": self.by, "updated_at": int(self.clock())}

    def _tenant(self, tenant_id: str) -> Tenant:
        return self._read(tenant_id, self.rows.get(table.TENANT_PREFIX + tenant_id, table.TENANT))

    def _read(self, tenant_id: str, row: Row | None) -> Tenant:
        if row is None:
            raise OperationError(Code.NOT_FOUND, f"There is no tenant {tenant_id}.")
        tenant = read_tenant(row, int(self.clock()))
        if not isinstance(tenant, Tenant):
            raise _unreadable(tenant_id)
        return tenant


def _check_size(row: Row) -> None:
    """Refuse a row that DynamoDB would not store.

    Raises:
        OperationError: it is too large.
    """
    sizes = {name: text_size(name) + value_size(value) for name, value in encode_row(row).items()}
    if sum(sizes.values()) > MAX_ITEM:
        largest = max(sizes, key=lambda name: sizes[name])
        message = (
            f"The row would have {sum(sizes.values()):,} bytes, {sizes[largest]:,} of them in {largest}. "
            f"DynamoDB stores rows of up to {MAX_ITEM:,} bytes (400 kB). Nothing was changed."
        )
        raise OperationError(Code.ROW_TOO_LARGE, message)


def _unreadable(tenant_id: str) -> OperationError:
    message = f"The row of tenant {tenant_id} cannot be read or has expired. Fix it first."
    return OperationError(Code.ROW_UNREADABLE, message)


def _changed(row: Row, wanted: TenantChange) -> dict[str, Any]:
    """A tenant's row with a change made."""
    after = {**row, **wanted.attributes}
    for attribute, claims in wanted.claims.items():
        after[attribute] = {**_claims(after, attribute), **claims}
    for attribute, name in wanted.unset:
        left = {} if name is None else {**_claims(after, attribute)}
        left.pop(name or "", None)
        after[attribute] = left
        if not left:
            del after[attribute]
    return after


def _claims(row: Row, attribute: str) -> Row:
    value = row.get(attribute, {})
    if not isinstance(value, dict):
        raise OperationError(Code.ROW_UNREADABLE, f"{attribute} is not a map. Remove it first: --unset {attribute}.")
    return value


def _check_tenant(known: Vocabulary, wanted: TenantChange) -> list[str]:
    """Refuse what no tenant may have; what may be a mistake.

    Raises:
        OperationError: a claim that no row may set, or what is not a scope.
    """
    for attribute, claims in wanted.claims.items():
        for name, value in claims.items():
            if problem := known.claim_problem(attribute, name, value):
                raise OperationError(Code.INVALID_DIRECTORY_VALUE, problem)
    scopes = wanted.attributes.get("scopes_allowed", ())
    for scope in scopes:
        if not SCOPE.fullmatch(scope):
            raise OperationError(Code.INVALID_DIRECTORY_VALUE, f"scopes_allowed: {scope!r} is not a scope.")
    warnings = [known.unknown_scope(scope) for scope in scopes]
    for attribute in ("roles_allowed", "scopes_allowed"):
        if wanted.attributes.get(attribute) == []:
            kind = attribute.partition("_")[0]
            warnings.append(f"{attribute} is empty: it allows no {kind}. To lift the limit, use --unset {attribute}.")
    return [warning for warning in warnings if warning]


def _check_roles(known: Vocabulary, before: Row, after: Row) -> None:
    """Refuse unknown roles; those that the row names already stay.

    Raises:
        OperationError: there is no such role.
    """
    for attribute in ("default_roles", "roles_allowed"):
        for role in set(after.get(attribute, ())) - {*_listed(before.get(attribute))}:
            if problem := known.role_problem(role):
                raise OperationError(Code.NOT_FOUND, problem)


def _listed(value: object) -> list[Any]:
    return list(value) if isinstance(value, list | frozenset) else []
