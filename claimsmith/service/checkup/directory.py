"""Checks of the directory's rows, read as the trigger reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from claimsmith import table as names
from claimsmith.engine.facts import Problem, read_tenant, read_user
from claimsmith.engine.language import is_privileged
from claimsmith.errors import Code
from claimsmith.service.checkup.finding import Finding, Shortened

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from claimsmith.engine.bundle import Bundle

    Row = Mapping[str, Any]

_UNREADABLE = "A user's row that cannot be read refuses the sign-in; any other counts as not there."


def rows(directory: Iterable[Row], bundle: Bundle | None, now: int) -> Iterator[Finding]:
    """Rows that cannot be read, and rows that name what does not exist.

    Args:
        directory: the rows of tenants, users and memberships, in any order, one at a time.
        bundle: the version in force; without it, roles and scopes are not looked at.
        now: epoch seconds.
    """
    seen = _Seen(bundle, now)
    for row in directory:
        if row[names.PK].startswith(names.TENANT_PREFIX):
            seen.tenant(row)
        else:
            seen.user(row)
    return iter(seen.all())


class _Seen:
    """What is found in the rows so far.

    Attributes:
        known: the tenants that there are.
        waiting: memberships of a tenant that has not been read, by tenant.
    """

    def __init__(self, bundle: Bundle | None, now: int) -> None:
        self.bundle = bundle
        self.now = now
        self.found = Shortened()
        self.known: set[str] = set()
        self.waiting: dict[str, Shortened] = {}

    def tenant(self, row: Row) -> None:
        tenant = read_tenant(row, self.now)
        if tenant is None:
            return
        tenant_id = row[names.PK].removeprefix(names.TENANT_PREFIX)
        self.known.add(tenant_id)
        self.waiting.pop(tenant_id, None)
        if isinstance(tenant, Problem):
            self.found.add(_unreadable(tenant))
            return
        _roles(self.found, row, tenant.default_roles, self.bundle)
        _roles(self.found, row, sorted(tenant.roles_allowed or ()), self.bundle)

    def user(self, row: Row) -> None:
        facts = read_user([row], self.now)
        for problem in facts.problems:
            self.found.add(_unreadable(problem))
        if facts.user is not None:
            _roles(self.found, row, facts.user.roles, self.bundle)
        for tenant_id, membership in facts.memberships.items():
            if tenant_id not in self.known:
                without = _without_tenant(_key(row), tenant_id, "the membership has no effect")
                self.waiting.setdefault(tenant_id, Shortened()).add(without)
            _roles(self.found, row, membership.roles, self.bundle)
            _scopes(self.found, row, membership.scopes, self.bundle)

    def all(self) -> Shortened:
        """Everything, once all rows are read."""
        for waiting in self.waiting.values():
            self.found.extend(waiting)
        for client_id, client in sorted(self.bundle.clients.items()) if self.bundle is not None else ():
            if client.tenant is not None and client.tenant not in self.known:
                row = f"POLICY CLIENT#{client_id}"
                self.found.add(_without_tenant(row, client.tenant, "every sign-in by it is refused"))
        return self.found


def _roles(found: Shortened, row: Row, roles: Iterable[str], bundle: Bundle | None) -> None:
    unknown = [] if bundle is None else sorted({role for role in roles if role not in bundle.roles})
    if unknown:
        found.add(
            Finding(
                Code.UNKNOWN_ROLE_IN_DIRECTORY,
                _key(row),
                f"The policy has no role {', '.join(unknown)}: it gives nothing.",
                "Correct the row, or add the role to the policy.",
            )
        )


def _scopes(found: Shortened, row: Row, scopes: Iterable[str], bundle: Bundle | None) -> None:
    privileged = [
        scope for scope in scopes if bundle is not None and is_privileged(scope, bundle.settings.privileged_scopes)
    ]
    if privileged:
        found.add(
            Finding(
                Code.PRIVILEGED_SCOPE_IN_DIRECTORY,
                _key(row),
                f"Only the policy grants {', '.join(sorted(privileged))}: tokens are issued without.",
                "Remove it from the row, and ask who wrote it; the audit has the row's history.",
            )
        )


def _unreadable(problem: Problem) -> Finding:
    return Finding(
        Code.ROW_UNREADABLE,
        problem.row,
        f"{problem.attribute} {problem.why}. {_UNREADABLE}",
        "Correct the attribute.",
    )


def _without_tenant(row: str, tenant_id: str, means: str) -> Finding:
    return Finding(
        Code.UNKNOWN_TENANT_IN_DIRECTORY,
        row,
        f"There is no tenant {tenant_id}: {means}.",
        f"Add the tenant, or remove the row: claimsmith tenants add {tenant_id}.",
    )


def _key(row: Row) -> str:
    return f"{row[names.PK]} {row[names.SK]}"
