"""Checks of the directory's rows, read as the trigger reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from claimsmith import table as names
from claimsmith.cognito.claims import OF_ACCESS_TOKENS, TOKENS
from claimsmith.engine.built_in import BUILT_IN_CLAIMS
from claimsmith.engine.facts import Problem, read_tenant, read_user
from claimsmith.engine.federation import ANY
from claimsmith.engine.language import DEGRADED_CLAIM, SHED_CLAIM, is_privileged
from claimsmith.errors import Code
from claimsmith.service.checkup.finding import Finding, Shortened

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from claimsmith.engine.bundle import Bundle, Client, Role, Rule

    Row = Mapping[str, Any]

_UNREADABLE = "A user's row that cannot be read refuses the sign-in; any other counts as not there."


def rows(directory: Iterable[Row], bundle: Bundle | None, now: int) -> Iterator[Finding]:
    """Rows that cannot be read, and rows that name what does not exist.

    Args:
        directory: the rows of tenants, users, memberships and protected resources, in any order, one at a time.
        bundle: the version in force; without it, roles, scopes and claims are not looked at.
        now: epoch seconds.
    """
    seen = _Seen(bundle, now)
    for row in directory:
        if row[names.PK].startswith(names.TENANT_PREFIX):
            seen.tenant(row)
        elif row[names.PK].startswith(names.PROTECTED_RESOURCE_PREFIX):
            seen.resource(row)
        else:
            seen.user(row)
    return iter(seen.all())


class _Seen:
    """What is found in the rows so far.

    Attributes:
        known: the tenants that there are.
        waiting: memberships of a tenant that has not been read, by tenant.
        spelt: the tenants that there are, by their ids in lower case.
        claims: what rows of the directory put into access tokens.
        told: the further claims that others are told, by the row that says so.
    """

    def __init__(self, bundle: Bundle | None, now: int) -> None:
        self.bundle = bundle
        self.now = now
        self.found = Shortened()
        self.known: set[str] = set()
        self.waiting: dict[str, Shortened] = {}
        self.spelt: dict[str, str] = {}
        self.claims: set[str] = set()
        self.told: dict[str, Iterable[str]] = {}

    def tenant(self, row: Row) -> None:
        tenant = read_tenant(row, self.now)
        if tenant is None:
            return
        tenant_id = row[names.PK].removeprefix(names.TENANT_PREFIX)
        self.known.add(tenant_id)
        self.waiting.pop(tenant_id, None)
        other = self.spelt.setdefault(tenant_id.lower(), tenant_id)
        if other != tenant_id:
            self.found.add(_alike(row, other))
        if isinstance(tenant, Problem):
            self.found.add(_unreadable(tenant))
            return
        self.claims.update(tenant.claims.access)
        _roles(self.found, row, tenant.default_roles, self.bundle)
        _roles(self.found, row, sorted(tenant.roles_allowed or ()), self.bundle)

    def user(self, row: Row) -> None:
        facts = read_user([row], self.now)
        for problem in facts.problems:
            self.found.add(_unreadable(problem))
        if facts.user is not None:
            self.claims.update(facts.user.claims.access)
            _roles(self.found, row, facts.user.roles, self.bundle)
        for tenant_id, membership in facts.memberships.items():
            if tenant_id not in self.known:
                without = _without_tenant(_key(row), tenant_id, "the membership has no effect")
                self.waiting.setdefault(tenant_id, Shortened()).add(without)
            self.claims.update(membership.claims.access)
            _roles(self.found, row, membership.roles, self.bundle)
            _scopes(self.found, row, membership.scopes, self.bundle)

    def resource(self, row: Row) -> None:
        listed = row.get("claims")
        if isinstance(listed, list | tuple | set | frozenset):
            self.told[_key(row)] = sorted(name for name in listed if isinstance(name, str))

    def all(self) -> Shortened:
        """Everything, once all rows are read."""
        for waiting in self.waiting.values():
            self.found.extend(waiting)
        if self.bundle is not None:
            self._policy(self.bundle)
        return self.found

    def _policy(self, bundle: Bundle) -> None:
        """Rows of the policy that name tenants, and who is told of claims that there are not."""
        for client_id, client in sorted(bundle.clients.items()):
            if client.tenant is not None and client.tenant not in self.known:
                row = f"POLICY CLIENT#{client_id}"
                self.found.add(_without_tenant(row, client.tenant, "every sign-in by it is refused"))
        for _, provider in sorted(bundle.providers.items()):
            for tenant_id in sorted(provider.tenants - self.known - {ANY}):
                self.found.add(_without_tenant(provider.row, tenant_id, "the provider speaks for nobody there"))
        self.told[f"{names.POLICY} {names.SETTINGS}"] = sorted(bundle.settings.context_claims)
        produced = self.claims | _claims(bundle)
        for row, listed in self.told.items():
            never = [name for name in listed if name not in produced]
            if never:
                self.found.add(_never_set(row, never))


def _claims(bundle: Bundle) -> frozenset[str]:
    """The claims that Cognito, the engine and the policy put into access tokens."""
    named = bundle.settings.claim_names.items()
    own = {name for meaning, name in named if TOKENS[0] in BUILT_IN_CLAIMS[meaning].tokens}
    sections: tuple[Iterable[Role | Client | Rule], ...] = (
        bundle.roles.values(),
        bundle.clients.values(),
        bundle.rules,
    )
    parts = [row.claims.access for section in sections for row in section]
    literals = {name for part in parts for name in part.literals}
    others = {name for part in parts for name, _, _ in part.others}
    return OF_ACCESS_TOKENS.union(own, literals, others, (DEGRADED_CLAIM, SHED_CLAIM))


def _never_set(row: str, claims: list[str]) -> Finding:
    return Finding(
        Code.CLAIM_NEVER_SET,
        row,
        f"No row and not Cognito puts {', '.join(claims)} into access tokens: nobody is told it.",
        "Set it by a rule (access_claims), correct the name, or remove it here.",
    )


def _alike(row: Row, other: str) -> Finding:
    return Finding(
        Code.TENANTS_ALIKE,
        _key(row),
        f"Its id and that of tenant {other} differ only by case: who is a member of both is a member of neither.",
        "Give one of them another id, and its members new rows.",
    )


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
