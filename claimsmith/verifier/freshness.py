"""What the directory says of an access token now: whether it still holds, and what was left out of it for length.

The engine's own functions choose the tenant and settle roles, scopes, claims and length, so that there is no second
opinion. A token is stale where no request that it could come from would be given all of it again. What a token does not
tell of its request (attributes, metadata, the groups before rules changed them) is not known here. Everything that
depends on it counts as it is best for the token, so that a fresh token is never called stale, and as unknown where
something that was left out would have to be filled in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from claimsmith.cognito.claims import TOKENS
from claimsmith.cognito.event import MACHINE_SOURCE, MANAGED_LOGIN, Request
from claimsmith.cognito.limits import ADMIN_SCOPE
from claimsmith.cognito.response import GROUPS_CLAIM
from claimsmith.engine import claims as engine_claims
from claimsmith.engine import tenancy
from claimsmith.engine.decide import resolve
from claimsmith.engine.language import DEGRADED_CLAIM, MAX_TENANTS_LISTED, SHED_CLAIM, TENANT_HINT, is_unmanaged
from claimsmith.engine.language.conditions import UnknownError
from claimsmith.engine.language.paths import MISSING, EvaluationContext
from claimsmith.engine.language.values import Expression
from claimsmith.engine.roles import assign
from claimsmith.engine.scopes import grant, suppressions
from claimsmith.engine.subject import gather
from claimsmith.errors import Code

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from claimsmith.engine.bundle import Bundle, Part, Rule
    from claimsmith.engine.facts import Facts
    from claimsmith.engine.subject import Subject
    from claimsmith.verifier.claims import Claims

#: Paths to what the rows say now; further ones are known as long as no rule changes groups.
_KNOWN: Final = ("client.", "user.claims.", "user.sub", "user.status")
_BY_TENANT: Final = ("tenant.", "membership.")
_BY_GROUPS: Final = frozenset({"roles", "user.groups"})

_NOTHING: Final[Mapping[str, Any]] = {}
_NONE: Final[frozenset[str]] = frozenset()


class Grants(Protocol):
    """Where the policy and the directory are kept."""

    def of(self, claims: Claims, /) -> tuple[Bundle, Facts]:
        """The bundle that serves the token's subject, and the facts as of now.

        Args:
            claims: of a verified access token.

        Returns:
            The facts have the user's rows (of a machine ``MACHINE``), and of tenants the rows that
            ``tenancy.tenants_to_load`` asks for, given ``request_of`` the token.

        Raises:
            ClaimsmithError: it cannot be known.
        """


class Freshness(NamedTuple):
    """How a token stands to the directory.

    Attributes:
        stale: a new token is certain to be refused, to be for another tenant, or to lack a role or a scope of this one.
        roles: the token's; filled in where they were left out of it for length, None where that is not possible.
        filled: other claims that were left out, by name, as they would be now.
        incomplete: claims that were left out and depend on what is not known here; sorted.
    """

    stale: bool
    roles: tuple[str, ...] | None
    filled: Mapping[str, Any] = _NOTHING
    incomplete: tuple[str, ...] = ()


def freshness(bundle: Bundle, facts: Facts, claims: Claims) -> Freshness:
    """Compare an access token with what the policy and the directory say now.

    Args:
        bundle: the policy that serves the token's subject.
        facts: as ``Grants`` gives them; as of the time at which they were read.
        claims: of a verified access token.
    """
    token = _Token(bundle, claims)
    if not token.is_ours:
        return token.nothing_known(stale=False)
    user = facts.user.user
    if user is None or not user.active:
        return token.nothing_known(stale=True)
    if token.tells_tenant or token.pinned or token.machine or not facts.user.memberships:
        return _compared(bundle, facts, token, token.request)
    # It is for one of the user's tenants, or none; what holds for all of them is certain.
    if len(facts.user.memberships) <= MAX_TENANTS_LISTED and facts.user.memberships.keys() <= facts.tenants.keys():
        asked = (token.request._replace(metadata={TENANT_HINT: tenant}) for tenant in sorted(facts.user.memberships))
        requests = (*asked, token.request)
        return token.nothing_known(stale=all(_compared(bundle, facts, token, request).stale for request in requests))
    subject = gather(bundle, facts, token.request, tenancy.NO_TENANT)
    comparison = _Comparison(bundle, subject, token, tenant_known=False)
    given = {scope for member in facts.user.memberships.values() for scope in member.scopes} | bundle.scopes
    return token.nothing_known(stale=comparison.lost(frozenset(bundle.roles), given))


def _compared(bundle: Bundle, facts: Facts, token: _Token, request: Request) -> Freshness:
    """How a token stands to what this request would be given, which is of its subject and client."""
    choice = tenancy.choose(bundle, facts.user, facts.tenants, request)
    if choice.refusal is not None:
        return token.nothing_known(stale=True)
    return _Comparison(bundle, gather(bundle, facts, request, choice), token, tenant_known=True).result()


def request_of(bundle: Bundle, claims: Claims) -> Request:
    """A request that the token could come from, as far as it tells.

    A token with a tenant could come from one that asked for it, and so could the next; one without did not ask.
    """
    return _Token(bundle, claims).request


class _Token:
    """What an access token says, under the names that the version which made it gives the claims."""

    def __init__(self, bundle: Bundle, claims: Claims) -> None:
        shed = claims.get(SHED_CLAIM)
        self.claims = claims
        self.degraded = DEGRADED_CLAIM in claims
        self.tells_tenant = claims.name_of("tenant_id") is not None and not self.degraded
        self.pinned = bundle.clients.get(claims.client_id, tenancy.NO_CLIENT).tenant is not None
        self.tenant_id = claims.tenant_id
        self.roles = claims.roles
        self.roles_name = claims.name_of("roles")
        self.shed = frozenset(name for name in shed if isinstance(name, str)) if isinstance(shed, tuple) else _NONE
        self.machine = claims.username is None and claims.sub == claims.client_id
        # A trigger of version 2 is not asked about machines; their scopes are then as Cognito gave them.
        marked = claims.policy_version is not None or self.tenant_id is not None or bool(self.roles)
        self.is_ours = not self.machine or marked
        self.request = Request(
            # Of a managed login, which can ask for scopes; no rule that grants or takes away may read the source.
            source=MACHINE_SOURCE if self.machine else MANAGED_LOGIN,
            client_id=claims.client_id,
            sub=None if self.machine else claims.sub,
            username=claims.username or "",
            attributes={},
            groups=claims.groups,
            scopes=claims.scopes,
            metadata={} if self.tenant_id is None else {TENANT_HINT: self.tenant_id},
            pool_id=claims.issuer.rpartition("/")[2],
        )

    def nothing_known(self, *, stale: bool) -> Freshness:
        roles = None if self.roles_name in self.shed else self.roles
        return Freshness(stale, roles, {}, tuple(sorted(self.shed)))


class _PartialContext(EvaluationContext):
    """What a decision would know, as far as the directory and the token tell it."""

    __slots__ = ("by_groups", "tenant_known")
    by_groups: bool
    tenant_known: bool

    def has(self, path: str) -> bool:
        if path.startswith(_KNOWN) or (self.user is None and path.startswith("user.")):
            return True
        if path == "user.username":
            return bool(self.request.username)
        if not self.tenant_known:
            return path == "user.groups" and self.by_groups
        return path.startswith(_BY_TENANT) or (self.by_groups and path in _BY_GROUPS)

    def __missing__(self, path: str) -> Any:  # noqa: ANN401 - any claim value
        if not self.has(path):
            raise UnknownError
        return super().__missing__(path)


class _Comparison:
    """One token against one policy and one directory."""

    def __init__(self, bundle: Bundle, subject: Subject, token: _Token, *, tenant_known: bool) -> None:
        self.bundle = bundle
        self.token = token
        touching = [
            rule
            for rule in bundle.rules
            if rule.add_groups or rule.suppress_groups or GROUPS_CLAIM in rule.suppress_claims[0]
        ]
        # The token's own groups; and those that a rule may have taken out of it, which gave roles all the same.
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
        self.roles = assign(bundle, subject)
        client_name = subject.client.name if subject.client else None
        known = _PartialContext(
            subject.request, subject.user, subject.tenant, subject.membership, self.roles.names, client_name
        )
        known.by_groups = token.machine or not (hidden or touching)
        known.tenant_known = tenant_known
        self.known = known
        applies = [(rule, self.applies(rule)) for rule in bundle.rules]
        self.rules = tuple(rule for rule, applied in applies if applied)
        self.perhaps = tuple(rule for rule, applied in applies if applied is None)

    def applies(self, rule: Rule) -> bool | None:
        """Whether a rule applies; None where that depends on what is not known."""
        try:
            return rule.when is None or rule.when(self.known)
        except UnknownError:
            return None

    def result(self) -> Freshness:
        stale = self.lost(frozenset(self.roles.names), self.given()) or self.refused()
        roles: tuple[str, ...] | None = self.token.roles
        filled: dict[str, Any] = {}
        incomplete = self.token.shed
        if self.token.shed:
            context = self.without_the_unknown()
            now = engine_claims.resolve(self.bundle, self.subject, self.roles, self.rules, context, TOKENS[0]).claims
            incomplete = frozenset(filter(self.is_uncertain, self.token.shed))
            filled = {name: now[name] for name in sorted(self.token.shed - incomplete) if name in now}
            if self.token.roles_name in self.token.shed:
                roles = None if self.token.roles_name in incomplete else self.roles.names
                filled.pop(self.token.roles_name or "", None)
        return Freshness(stale, roles, filled, tuple(sorted(incomplete)))

    def lost(self, roles: frozenset[str], given: set[str] | frozenset[str]) -> bool:
        """Whether the token has a role or a scope that a new one is certain not to have.

        Args:
            roles: all that could be given.
            given: scopes that could be.
        """
        unmanaged = self.bundle.settings.unmanaged_scopes
        scopes = set(self.token.claims.scopes)
        allowed = self.subject.client.scopes_allowed if self.subject.client else None
        managed = {scope for scope in scopes if not is_unmanaged(scope, unmanaged)}
        if not managed <= (given if allowed is None else given & allowed):
            return True
        return bool(scopes & suppressions(self.subject, self.rules).keys()) or not roles.issuperset(self.token.roles)

    def given(self) -> set[str]:
        """Every scope that could be given now, within the ceilings."""
        return set(grant(self.bundle, self.subject, self.roles.names, (*self.rules, *self.perhaps)).rows)

    def refused(self) -> bool:
        """Whether a new token is certain to be refused: it would be too long, or Cognito would not take it.

        Nothing is certain of it where anything is that the token does not tell. The ID token depends on attributes, so
        only the access token is looked at: of a managed login that asks for the same, and of a sign-in by API.
        """
        unknown = self.perhaps or not self.known.by_groups
        if unknown or any(not self.known.has(path) for part in self.parts() for path in _paths(part)):
            return False
        asked = self.subject.request
        api = asked._replace(source="TokenGeneration_Authentication", scopes=(ADMIN_SCOPE,))
        return all(self.would_be_refused(request) for request in ((asked,) if asked.machine else (asked, api)))

    def would_be_refused(self, request: Request) -> bool:
        """Whether this request gets no access token."""
        subject = self.subject._replace(request=request)
        context = subject.context(self.roles.names)
        outcome = resolve(self.bundle, subject, self.roles, self.rules, context, with_id=False)
        return isinstance(outcome.result, Code)

    def is_uncertain(self, name: str) -> bool:
        """Whether a claim depends on what is not known."""
        if name == GROUPS_CLAIM:
            return True
        if name == self.token.roles_name:
            return not self.known.by_groups
        if any(name in _names(rule.claims[0]) or name in rule.suppress_claims[0] for rule in self.perhaps):
            return True
        if not self.known.by_groups and any(name in _names(part) for part in self.of_roles()):
            return True
        return any(not self.known.has(path) for part in self.parts() for path in _paths(part, name))

    def of_roles(self) -> Iterator[Part]:
        return (self.bundle.roles[name].claims[0] for name in self.roles.names)

    def parts(self) -> Iterator[Part]:
        """What the policy sets in the access token of this subject."""
        yield from self.of_roles()
        if self.subject.client is not None:
            yield self.subject.client.claims[0]
        yield from (rule.claims[0] for rule in self.rules)

    def without_the_unknown(self) -> EvaluationContext:
        """The same, with nothing where nothing is known; claims that read it are not filled in."""
        known = self.subject.context(self.roles.names)
        for part in self.parts():
            known.update({path: MISSING for path in _paths(part) if not self.known.has(path)})
        return known


def _names(part: Part) -> set[str]:
    return {*part.literals, *(name for name, _ in part.others)}


def _paths(part: Part, of: str | None = None) -> Iterator[str]:
    """What the claims of a part read, or the one of this name."""
    for name, value in part.others:
        if isinstance(value, Expression) and of in (None, name):
            yield from value.paths
