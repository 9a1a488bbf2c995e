"""Compares an access token with the directory: whether it is stale, and which claims were left out of it for length.

The engine's own functions choose the tenant and resolve roles, scopes, claims and length, so the result cannot differ
from a decision. A token is stale if no request that it could come from would get all of it again. Parts of the request
that are not in a token (attributes, metadata, the groups before rules changed them) are unknown here. Anything that
depends on them is decided in favour of the token, so that a fresh token is never called stale; a claim that was left
out and depends on them is not filled in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from claimsmith.cognito.claims import TOKENS
from claimsmith.cognito.event import MACHINE_SOURCE, MANAGED_LOGIN, Request
from claimsmith.cognito.identifiers import pool_of
from claimsmith.cognito.limits import ADMIN_SCOPE
from claimsmith.cognito.response import GROUPS_CLAIM
from claimsmith.engine import claims as engine_claims
from claimsmith.engine import federation, tenancy
from claimsmith.engine.decide import resolve
from claimsmith.engine.language import DEGRADED_CLAIM, MAX_TENANTS_LISTED, SHED_CLAIM, TENANT_HINT, is_unmanaged
from claimsmith.engine.language.conditions import UnknownError
from claimsmith.engine.language.paths import MISSING, EvaluationContext
from claimsmith.engine.language.values import Expression
from claimsmith.engine.roles import assign
from claimsmith.engine.rules import together
from claimsmith.engine.scopes import grant, suppressions
from claimsmith.engine.subject import gather
from claimsmith.errors import Code
from claimsmith.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from claimsmith.engine.bundle import Bundle, Part, Rule
    from claimsmith.engine.facts import Facts
    from claimsmith.engine.subject import Subject
    from claimsmith.verifier.claims import Claims

#: Paths that only depend on rows; those of groups are known as well if no rule changes groups.
_KNOWN_PATHS: Final = ("client.", "user.claims.", "user.sub", "user.status")
_TENANT_PATHS: Final = ("tenant.", "membership.")
_GROUP_PATHS: Final = frozenset({"roles", "user.groups"})

_NOTHING: Final[Mapping[str, Any]] = {}
_NONE: Final[frozenset[str]] = frozenset()


class Grants(Protocol):
    """The store of the policy and the directory."""

    def of(self, claims: Claims, /) -> tuple[Bundle, Facts] | None:
        """The bundle for the token's subject, and the current facts.

        Args:
            claims: of a verified access token.

        Returns:
            The facts have the user's rows (of a machine ``MACHINE``), and the rows of the tenants that
            ``tenancy.tenants_to_load`` names for ``request_of`` the token. None if the policy neither made this token
            nor would make a new one: then that would be the same.

        Raises:
            ClaimsmithError: a row or the bundle cannot be read.
        """


class Freshness(NamedTuple):
    """A token compared with the directory.

    Attributes:
        stale: a new token is certain to be refused, to be for another tenant, or to lack a role or a scope of this one.
        roles: the token's roles; filled in if they were left out for length, None if that is not possible.
        filled: other claims that were left out, by name, with their current values.
        incomplete: claims that were left out and depend on something unknown here; sorted.
    """

    stale: bool
    roles: tuple[str, ...] | None
    filled: Mapping[str, Any] = _NOTHING
    incomplete: tuple[str, ...] = ()


def freshness(bundle: Bundle, facts: Facts, claims: Claims) -> Freshness:
    """Compare an access token with the current policy and directory.

    Args:
        bundle: the policy for the token's subject.
        facts: the facts that ``Grants`` returned.
        claims: of a verified access token.
    """
    token = _Token(bundle, claims)
    if not token.is_ours:
        return token.unfilled(stale=False)
    user = facts.user.user
    if user is None or not user.active:
        return token.unfilled(stale=True)
    if bundle.providers and not token.machine:
        # No token says which provider its user came from, so it may have been any of them.
        facts = facts._replace(user=federation.possibly_admitted(bundle, facts.user, token.tenant_id))
    if token.has_tenant_claim or token.pinned or token.machine or not facts.user.memberships:
        return _compare(bundle, facts, token, token.request)
    # The token is for one of the user's tenants, or none; it is stale only if it is stale for each of them.
    if len(facts.user.memberships) <= MAX_TENANTS_LISTED and facts.user.memberships.keys() <= facts.tenants.keys():
        by_hint = (token.request._replace(metadata={TENANT_HINT: tenant}) for tenant in sorted(facts.user.memberships))
        requests = (*by_hint, token.request)
        return token.unfilled(stale=all(_compare(bundle, facts, token, request).stale for request in requests))
    subject = gather(bundle, facts, token.request, tenancy.NO_TENANT)
    comparison = _Comparison(bundle, subject, token, tenant_known=False)
    given = {scope for member in facts.user.memberships.values() for scope in member.scopes} | bundle.scopes
    return token.unfilled(stale=comparison.loses(frozenset(bundle.roles), given))


def is_plain(claims: Claims) -> bool:
    """Whether an access token has nothing that only a policy puts into it."""
    marked = claims.policy_version is not None or claims.tenant_id is not None or bool(claims.roles)
    return not marked and DEGRADED_CLAIM not in claims and SHED_CLAIM not in claims


def _compare(bundle: Bundle, facts: Facts, token: _Token, request: Request) -> Freshness:
    """Compare a token with what this request, of the same subject and client, would get."""
    choice = tenancy.choose(bundle, facts.user, facts.tenants, request)
    if choice.refusal is not None:
        return token.unfilled(stale=True)
    return _Comparison(bundle, gather(bundle, facts, request, choice), token, tenant_known=True).result()


def request_of(bundle: Bundle, claims: Claims) -> Request:
    """A request that could have produced the token.

    If the token has a tenant, the request asks for it; otherwise it asks for none.
    """
    return _Token(bundle, claims).request


class _Token:
    """An access token, read with the claim names of the policy version that issued it."""

    def __init__(self, bundle: Bundle, claims: Claims) -> None:
        shed = claims.get(SHED_CLAIM)
        self.claims = claims
        self.degraded = DEGRADED_CLAIM in claims
        client = bundle.clients.get(claims.client_id, tenancy.NO_CLIENT)
        named = claims.name_of("tenant_id") is not None and client.add_to_access_token
        self.has_tenant_claim = named and not self.degraded
        self.pinned = client.tenant is not None
        self.tenant_id = claims.tenant_id
        self.roles = claims.roles
        self.roles_name = claims.name_of("roles")
        self.shed = frozenset(name for name in shed if isinstance(name, str)) if isinstance(shed, tuple) else _NONE
        self.machine = claims.username is None and claims.sub == claims.client_id
        # A trigger of version 2 is not called for machines; then their scopes are those that Cognito granted.
        marked = claims.policy_version is not None or self.tenant_id is not None or bool(self.roles)
        self.is_ours = not self.machine or marked
        self.request = Request(
            # A managed login, which can ask for scopes; no rule that grants or suppresses may read the source.
            source=MACHINE_SOURCE if self.machine else MANAGED_LOGIN,
            client_id=claims.client_id,
            sub=None if self.machine else claims.sub,
            username=claims.username or "",
            attributes={},
            groups=claims.groups,
            scopes=claims.scopes,
            metadata={} if self.tenant_id is None else {TENANT_HINT: self.tenant_id},
            pool_id=pool_of(claims.issuer),
        )

    def unfilled(self, *, stale: bool) -> Freshness:
        roles = None if self.roles_name in self.shed else self.roles
        return Freshness(stale, roles, {}, tuple(sorted(self.shed)))


class _PartialContext(EvaluationContext):
    """The context of a decision, as far as it is known from the directory and the token."""

    __slots__ = ("groups_known", "tenant_known")
    groups_known: bool
    tenant_known: bool

    def has(self, path: str) -> bool:
        if path.startswith(_KNOWN_PATHS) or (self.user is None and path.startswith("user.")):
            return True
        if path == "user.username":
            return bool(self.request.username)
        if not self.tenant_known:
            return path == "user.groups" and self.groups_known
        return path.startswith(_TENANT_PATHS) or (self.groups_known and path in _GROUP_PATHS)

    def __missing__(self, path: str) -> Any:  # noqa: ANN401 - any claim value
        if not self.has(path):
            raise UnknownError
        return super().__missing__(path)


class _Comparison:
    """Compares one token with one policy and one directory."""

    def __init__(self, bundle: Bundle, subject: Subject, token: _Token, *, tenant_known: bool) -> None:
        self.bundle = bundle
        self.token = token
        touching = [
            rule
            for rule in bundle.rules
            if rule.add_groups or rule.suppress_groups or GROUPS_CLAIM in rule.suppress_claims[0]
        ]
        # The token's own groups, and those that a rule may have removed from it, which granted roles nevertheless.
        groups = {*token.claims.groups, *(group for rule in touching for group in rule.suppress_groups)}
        hidden = (
            token.degraded
            or GROUPS_CLAIM in token.shed
            or any(GROUPS_CLAIM in rule.suppress_claims[0] for rule in touching)
        )
        if hidden:
            groups |= bundle.groups.keys()
        if hidden or touching:
            subject = subject._replace(request=subject.request._replace(groups=tuple(sorted(groups))))
        self.subject = subject
        tenant = subject.tenant.id if subject.tenant else None
        possibly = () if token.machine else federation.possibly_given(bundle, tenant)
        self.roles = assign(bundle, subject, possibly)
        client_name = subject.client.name if subject.client else None
        known = _PartialContext(
            subject.request, subject.user, subject.tenant, subject.membership, self.roles.names, client_name
        )
        known.groups_known = token.machine or not (hidden or touching or possibly or bundle.names_groups)
        known.tenant_known = tenant_known
        self.known = known
        applies = [(rule, self.applies(rule)) for rule in bundle.rules]
        self.rules = together(tuple(rule for rule, applied in applies if applied))
        self.undecided = tuple(rule for rule, applied in applies if applied is None)

    def applies(self, rule: Rule) -> bool | None:
        """Whether a rule applies; None if that is unknown."""
        try:
            return rule.when is None or rule.when(self.known)
        except UnknownError:
            return None

    def result(self) -> Freshness:
        stale = self.loses(frozenset(self.roles.names), self.grantable()) or self.refused()
        roles: tuple[str, ...] | None = self.token.roles
        filled: dict[str, Any] = {}
        incomplete = self.token.shed
        if self.token.shed:
            context = self.context_of_known()
            now = engine_claims.resolve(self.bundle, self.subject, self.roles, self.rules, context, TOKENS[0]).claims
            incomplete = frozenset(filter(self.is_uncertain, self.token.shed))
            filled = {name: now[name] for name in sorted(self.token.shed - incomplete) if name in now}
            if self.token.roles_name in self.token.shed:
                roles = None if self.token.roles_name in incomplete else self.roles.names
                filled.pop(self.token.roles_name or "", None)
        return Freshness(stale, roles, filled, tuple(sorted(incomplete)))

    def loses(self, roles: frozenset[str], scopes: set[str] | frozenset[str]) -> bool:
        """Whether the token has a role or a scope that a new one is certain not to have.

        Args:
            roles: every role that a new token could have.
            scopes: every scope that a new token could have.
        """
        unmanaged = self.bundle.settings.unmanaged_scopes
        if not self.subject.adds_to_access_token and (self.token.roles or self.token.shed):
            return True
        present = set(self.token.claims.scopes)
        allowed = self.subject.client.scopes_allowed if self.subject.client else None
        managed = {scope for scope in present if not is_unmanaged(scope, unmanaged)}
        if not managed <= (scopes if allowed is None else scopes & allowed):
            return True
        return bool(present & suppressions(self.subject, self.rules).keys()) or not roles.issuperset(self.token.roles)

    def grantable(self) -> set[str]:
        """Every scope that could be granted now, within the ceilings."""
        rules = together((*self.rules.rules, *self.undecided))
        return set(grant(self.bundle, self.subject, self.roles.given, rules).reasons_for)

    def refused(self) -> bool:
        """Whether a new token is certain to be refused: it would be too long, or Cognito would not accept it.

        Never certain if anything is unknown. The ID token depends on attributes, so only the access token counts: of a
        managed login that asks for the same, and of a sign-in by API.
        """
        unknown = self.undecided or not self.known.groups_known
        if unknown or any(not self.known.has(path) for part in self.parts() for path in _paths(part)):
            return False
        login = self.subject.request
        api = login._replace(source="TokenGeneration_Authentication", scopes=(ADMIN_SCOPE,))
        return all(self.would_be_refused(request) for request in ((login,) if login.machine else (login, api)))

    def would_be_refused(self, request: Request) -> bool:
        """Whether this request would get no access token."""
        subject = self.subject._replace(request=request)
        context = subject.context(self.roles.names)
        outcome = resolve(self.bundle, subject, self.roles, self.rules, context, with_id=False)
        return isinstance(outcome.result, Code)

    def is_uncertain(self, name: str) -> bool:
        """Whether a claim depends on something unknown."""
        if name == GROUPS_CLAIM:
            return True
        if name == self.token.roles_name:
            return not self.known.groups_known
        if any(name in _names(rule.claims[0]) or name in rule.suppress_claims[0] for rule in self.undecided):
            return True
        if not self.known.groups_known and any(name in _names(part) for part in self.role_parts()):
            return True
        return any(not self.known.has(path) for part in self.parts() for path in _paths(part, name))

    def role_parts(self) -> Iterator[Part]:
        return (self.bundle.roles[name].claims[0] for name in self.roles.names)

    def parts(self) -> Iterator[Part]:
        """The parts of the policy that set claims in this subject's access token."""
        yield from self.role_parts()
        if self.subject.client is not None:
            yield self.subject.client.claims[0]
        yield from (part for part, _ in self.rules.claims[0])

    def context_of_known(self) -> EvaluationContext:
        """The context of a decision, without unknown values; claims that read them are not filled in."""
        known = self.subject.context(self.roles.names)
        for part in self.parts():
            known.update({path: MISSING for path in _paths(part) if not self.known.has(path)})
        return known


def _names(part: Part) -> set[str]:
    return {*part.literals, *(name for name, _, _ in part.others)}


def _paths(part: Part, of: str | None = None) -> Iterator[str]:
    """The paths that the claims of a part read, or only the claim of this name."""
    for name, value, _ in part.others:
        if isinstance(value, Expression) and of in (None, name):
            yield from value.paths
