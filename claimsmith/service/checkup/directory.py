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


def rows(tenants: Iterable[Row], users: Iterable[Row], bundle: Bundle | None, now: int) -> Iterator[Finding]:
    """Rows that cannot be read, and rows that name what does not exist.

    Args:
        tenants: the rows of tenants; read first, and whole.
        users: the rows of users and memberships, one at a time.
        bundle: the version in force; without it, roles and scopes are not looked at.
        now: epoch seconds.
    """
    found = Shortened()
    known: set[str] = set()
    for row in tenants:
        tenant = read_tenant(row, now)
        if isinstance(tenant, Problem):
            found.add(_unreadable(tenant))
            known.add(row[names.PK].removeprefix(names.TENANT_PREFIX))
        elif tenant is not None:
            known.add(tenant.id)
            _roles(found, row, tenant.default_roles, bundle)
            _roles(found, row, sorted(tenant.roles_allowed or ()), bundle)
    for row in users:
        _user_row(found, row, known, bundle, now)
    for client_id, client in sorted(bundle.clients.items()) if bundle is not None else ():
        if client.tenant is not None and client.tenant not in known:
            found.add(_without_tenant(f"POLICY CLIENT#{client_id}", client.tenant, "every sign-in by it is refused"))
    return iter(found)


def _user_row(found: Shortened, row: Row, known: set[str], bundle: Bundle | None, now: int) -> None:
    facts = read_user([row], now)
    for problem in facts.problems:
        found.add(_unreadable(problem))
    if facts.user is not None:
        _roles(found, row, facts.user.roles, bundle)
    for tenant_id, membership in facts.memberships.items():
        if tenant_id not in known:
            found.add(_without_tenant(_key(row), tenant_id, "the membership has no effect"))
        _roles(found, row, membership.roles, bundle)
        _scopes(found, row, membership.scopes, bundle)


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
