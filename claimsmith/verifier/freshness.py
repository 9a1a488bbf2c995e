"""What the directory says of an access token now: whether it still holds, and what was left out of it for length.

The engine's own functions settle roles and claims, so that there is no second opinion. What a token does not tell of
its request (attributes, metadata, the groups before rules changed them) is not known here. Everything that depends on
it counts as possible where a token is judged, so that a fresh token is never called stale, and as unknown where
something that was left out would have to be filled in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from claimsmith.cognito.claims import TOKENS
from claimsmith.cognito.event import MACHINE_SOURCE, Request
from claimsmith.cognito.response import GROUPS_CLAIM
from claimsmith.engine import claims as engine_claims
from claimsmith.engine import roles as engine_roles
from claimsmith.engine.case import Case
from claimsmith.engine.language import SHED_CLAIM, is_unmanaged
from claimsmith.engine.language.paths import MISSING, Known
from claimsmith.engine.language.values import Expression
from claimsmith.engine.reasons import Reason
from claimsmith.engine.tenancy import Choice

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from claimsmith.engine.bundle import Bundle, Part, Rule
    from claimsmith.engine.facts import Facts, Tenant
    from claimsmith.verifier.claims import Claims

#: Any source of a user's; no rule that grants may read it.
_USER_SOURCE: Final = "TokenGeneration_Authentication"

#: Paths to what the rows say now; further ones are known as long as no rule changes groups.
_KNOWN: Final = ("tenant.", "membership.", "user.claims.", "client.", "user.sub", "user.status")
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
            The facts have the user's rows (of a machine ``MACHINE``) and the row of the token's tenant.

        Raises:
            ClaimsmithError: it cannot be known.
        """


class Freshness(NamedTuple):
    """How a token stands to the directory.

    Attributes:
        stale: the user, the membership or the tenant is no longer usable, or a role or a managed scope of the token is
            no longer given by anything that could apply.
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
    token = _Token(claims)
    user = facts.user.user
    if user is None or not user.active:
        return token.nothing_known(stale=True)
    if claims.name_of("tenant_id") is None:
        # The token does not say for which tenant it is, so that nothing else can be told of it.
        return token.nothing_known(stale=False)
    tenant = None if token.tenant_id is None else facts.tenants.get(token.tenant_id)
    if token.tenant_id is not None and not _usable(bundle, facts, token, tenant):
        return token.nothing_known(stale=True)
    return _Comparison(bundle, facts, token, tenant).made()


class _Token:
    """What an access token says, under the names that the version which made it gives the claims."""

    def __init__(self, claims: Claims) -> None:
        shed = claims.get(SHED_CLAIM)
        self.claims = claims
        self.tenant_id = claims.tenant_id
        self.roles = claims.roles
        self.roles_name = claims.name_of("roles")
        self.shed = frozenset(name for name in shed if isinstance(name, str)) if isinstance(shed, tuple) else _NONE
        self.machine = claims.username is None and claims.sub == claims.client_id
        # A trigger of version 2 is not asked about machines; their scopes are then as Cognito gave them.
        self.is_ours = not self.machine or claims.policy_version is not None

    def nothing_known(self, *, stale: bool) -> Freshness:
        roles = None if self.roles_name in self.shed else self.roles
        return Freshness(stale, roles, {}, tuple(sorted(self.shed)))


def _usable(bundle: Bundle, facts: Facts, token: _Token, tenant: Tenant | None) -> bool:
    """Whether the tenant is active and the subject belongs to it; a machine does by its client's row."""
    if tenant is None or not tenant.active:
        return False
    if not token.machine:
        return tenant.id in facts.user.memberships
    client = bundle.clients.get(token.claims.client_id)
    return client is not None and client.tenant == tenant.id


class _UnknownError(Exception):
    """A condition reads what is not known here."""


class _KnownNow(Known):
    """What a decision would know, as far as the directory and the token tell it."""

    __slots__ = ("by_groups",)
    by_groups: bool

    def has(self, path: str) -> bool:
        return path.startswith(_KNOWN) or (self.by_groups and path in _BY_GROUPS)

    def __missing__(self, path: str) -> Any:  # noqa: ANN401 - any claim value
        if not self.has(path):
            raise _UnknownError
        return super().__missing__(path)


class _Comparison:
    """One token against one policy and one directory."""

    def __init__(self, bundle: Bundle, facts: Facts, token: _Token, tenant: Tenant | None) -> None:
        self.bundle = bundle
        self.token = token
        claims = token.claims
        touching = [
            rule
            for rule in bundle.rules
            if rule.add_groups or rule.suppress_groups or GROUPS_CLAIM in rule.suppress_claims[0]
        ]
        # The token's own groups; and those that a rule may have taken out of it, which gave roles all the same.
        groups = {*claims.groups, *(group for rule in touching for group in rule.suppress_groups)}
        if any(GROUPS_CLAIM in rule.suppress_claims[0] for rule in touching):
            groups |= bundle.groups.keys()
        request = Request(
            source=MACHINE_SOURCE if token.machine else _USER_SOURCE,
            client_id=claims.client_id,
            sub=None if token.machine else claims.sub,
            username=claims.username or "",
            attributes={},
            groups=tuple(sorted(groups)) if touching else claims.groups,
            scopes=claims.scopes,
            metadata={},
        )
        self.case = case = Case(bundle, facts, request, Choice("stored", tenant), Reason("tenant", "", "set", ""))
        engine_roles.hold(case)
        known = _KnownNow(request, case.user, tenant, case.membership, case.roles, case.client)
        known.by_groups = not touching
        self.known = known
        case.rules = tuple(rule for rule in bundle.rules if self.applies(rule) is True)
        self.perhaps = tuple(rule for rule in bundle.rules if self.applies(rule) is None)

    def applies(self, rule: Rule) -> bool | None:
        """Whether a rule applies; None where that depends on what is not known."""
        try:
            return rule.when is None or rule.when(self.known)
        except _UnknownError:
            return None

    def made(self) -> Freshness:
        lost = set(self.token.roles) - set(self.case.roles) or self.scopes() - self.given()
        roles: tuple[str, ...] | None = self.token.roles
        filled: dict[str, Any] = {}
        incomplete = self.token.shed
        if self.token.shed:
            made = engine_claims.settle(self.case, self.without_the_unknown(), TOKENS[0]).claims
            incomplete = frozenset(filter(self.is_uncertain, self.token.shed))
            filled = {name: made[name] for name in sorted(self.token.shed - incomplete) if name in made}
            if self.token.roles_name in self.token.shed:
                roles = None if self.token.roles_name in incomplete else self.case.roles
                filled.pop(self.token.roles_name or "", None)
        return Freshness(bool(lost), roles, filled, tuple(sorted(incomplete)))

    def scopes(self) -> set[str]:
        """The token's managed scopes, where they are the policy's doing."""
        unmanaged = self.bundle.settings.unmanaged_scopes
        return {
            scope for scope in self.token.claims.scopes if self.token.is_ours and not is_unmanaged(scope, unmanaged)
        }

    def given(self) -> set[str]:
        """Every scope that could be given now, within the ceilings."""
        case = self.case
        given = {scope for name in case.roles for scope in self.bundle.roles[name].scopes}
        given.update(case.membership.scopes if case.membership is not None else ())
        if not (self.token.machine and case.client is None):
            given.update(scope for rule in (*case.rules, *self.perhaps) for scope in rule.scopes)
        if case.client is not None:
            given -= case.client.suppress_scopes
            given = given if case.client.scopes_allowed is None else given & case.client.scopes_allowed
        if case.tenant is not None and case.tenant.scopes_allowed is not None:
            given &= case.tenant.scopes_allowed
        return given

    def is_uncertain(self, name: str) -> bool:
        """Whether a claim depends on what is not known."""
        if name == self.token.roles_name:
            return not self.known.by_groups
        if any(name in _names(rule.claims[0]) or name in rule.suppress_claims[0] for rule in self.perhaps):
            return True
        if not self.known.by_groups and any(name in _names(part) for part in self.of_roles()):
            return True
        return any(not self.known.has(path) for part in self.parts() for path in _paths(part, name))

    def of_roles(self) -> Iterator[Part]:
        return (self.bundle.roles[name].claims[0] for name in self.case.roles)

    def parts(self) -> Iterator[Part]:
        """What the policy sets in an access token of this case."""
        yield from self.of_roles()
        if self.case.client is not None:
            yield self.case.client.claims[0]
        yield from (rule.claims[0] for rule in self.case.rules)

    def without_the_unknown(self) -> Known:
        """The same, with nothing where nothing is known; claims that read it are not filled in."""
        known = self.case.known()
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
