"""A compiled policy in memory: immutable records that every step of a decision reads. ``codec`` reads and writes it."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from claimsmith.cognito.claims import TOKENS
from claimsmith.cognito.limits import SCOPE
from claimsmith.engine.language import is_unmanaged
from claimsmith.engine.reasons import Reason, new
from claimsmith.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from claimsmith.engine.language import NoTenant, ScopeMode
    from claimsmith.engine.language.conditions import Test
    from claimsmith.engine.language.values import Expression

#: Bytes of a signed token, where the policy sets none.
TOKEN_BUDGET: Final = 6_144

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})
_NO_NAMES: Final[frozenset[str]] = frozenset()


class Withheld(NamedTuple):
    """The value of a claim that lint would have refused, and why."""

    why: str


class Part(NamedTuple):
    """What a row of the policy sets in one token, checked once when the bundle is read and not at every sign-in.

    Attributes:
        literals: values that Cognito takes under their names.
        reasons: why a token has these, by name.
        others: expressions, which each decision evaluates, and values that are withheld; each with the reason for the
            claim that the former may become.
    """

    literals: Mapping[str, Any] = _NOTHING
    reasons: Mapping[str, Reason] = _NOTHING
    others: tuple[tuple[str, Expression | Withheld, Reason], ...] = ()


def merged(parts: Iterable[Part]) -> Iterator[Part]:
    """The same as these parts one after the other, in fewer: of a claim that several set, the last one still counts."""
    literals: dict[str, Any] = {}
    reasons: dict[str, Reason] = {}
    others: tuple[tuple[str, Expression | Withheld, Reason], ...] = ()
    for part in parts:
        if others and part.literals:
            yield Part(literals, reasons, others)
            literals, reasons, others = {}, {}, ()
        literals |= part.literals
        reasons |= part.reasons
        others += part.others
    if literals or others:
        yield Part(literals, reasons, others)


class Claims(NamedTuple):
    """What a row of the policy sets, by token, names already merged from ``claims`` and the token's own."""

    access: Part = Part()
    id: Part = Part()


NO_CLAIMS: Final = Claims()


class Grant(NamedTuple):
    """A scope that a row grants.

    Attributes:
        reason: why a token has the scope; or why none has, for all that.
        possible: whether one may have it.
    """

    scope: str
    reason: Reason
    possible: bool


def granted_by(
    row: str, scopes: Iterable[str], unmanaged: frozenset[str], oidc: frozenset[str] = _NO_NAMES
) -> tuple[Grant, ...]:
    """What a row grants.

    Args:
        row: its key.
        scopes: those it names.
        unmanaged: ``settings.unmanaged_scopes``.
        oidc: ``settings.oidc_scopes``, for a row of the policy; no row of the directory grants these.
    """
    return tuple([_grant(scope, row, unmanaged, oidc) for scope in scopes])


def _grant(scope: str, row: str, unmanaged: frozenset[str], oidc: frozenset[str]) -> Grant:
    why = ""
    if not SCOPE.fullmatch(scope):
        why = "Cognito does not take these characters"
    elif is_unmanaged(scope, unmanaged) and scope not in oidc:
        why = "the policy does not manage it"
    outcome = "dropped" if why else "granted"
    return Grant(scope, new(Reason, ("scope", scope, outcome, row, why, TOKENS[0])), not why)


class Role(NamedTuple):
    """A role, closed under ``inherits``.

    Attributes:
        row: its key, as reasons name it.
        grants: its own scopes, without those it inherits.
        closure: itself and every role it inherits, at any depth; sorted.
        add_groups: its own groups, without those of roles it inherits.
    """

    row: str
    grants: tuple[Grant, ...]
    closure: tuple[str, ...]
    claims: Claims = NO_CLAIMS
    add_groups: tuple[str, ...] = ()

    @property
    def scopes(self) -> tuple[str, ...]:
        """The names of its scopes."""
        return tuple(grant.scope for grant in self.grants)


class Client(NamedTuple):
    """An app client in the policy.

    Attributes:
        scopes_allowed: the ceiling; None is no limit, empty is nothing.
        user_pool: the id of the pool that it belongs to; None if the policy does not say. For verifiers.
        add_to_access_token: False if its access tokens get nothing from the policy.
    """

    name: str | None = None
    tenant: str | None = None
    roles: tuple[str, ...] = ()
    scopes_allowed: frozenset[str] | None = None
    suppress_scopes: frozenset[str] = _NO_NAMES
    scope_mode: ScopeMode | None = None
    audience: bool = False
    claims: Claims = NO_CLAIMS
    user_pool: str | None = None
    add_to_access_token: bool = True


class Rule(NamedTuple):
    """A rule, in the order of the policy; those that are not enabled are not here.

    Attributes:
        row: its key, as reasons name it.
        when: None for always.
        optional: its claims may be left out where the token would be too long.
        grants: the scopes that it adds.
        withheld: effects it does not have, because it reads what cannot be trusted.
        suppress_claims: by token, as ``TOKENS`` orders them.
    """

    row: str
    when: Test | None = None
    optional: bool = False
    claims: Claims = NO_CLAIMS
    grants: tuple[Grant, ...] = ()
    suppress_scopes: tuple[str, ...] = ()
    suppress_claims: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
    add_groups: tuple[str, ...] = ()
    suppress_groups: tuple[str, ...] = ()
    withheld: tuple[str, ...] = ()

    @property
    def scopes(self) -> tuple[str, ...]:
        """The names of the scopes that it adds."""
        return tuple(grant.scope for grant in self.grants)


class Settings(NamedTuple):
    """The settings of a policy that decide something when a token is made.

    Attributes:
        claim_names: the name of each built-in claim; one that is absent is not emitted.
        own_claims: the names that only the engine sets, which follow from these.
        cache_seconds: how long a tenant row and the pointer to the bundle may be remembered.
        token_budget: bytes of a signed token.
        shed_groups: whether a token that is too long may lose its groups.
        privileged_scopes: those that no row of the directory grants by name, beside ``ALWAYS_PRIVILEGED``.
        oidc_scopes: those of OpenID Connect that roles and rules may grant to sign-ins by API.
        directory_groups: groups that rows of the directory may name: exact, or prefixes as in ``plant-*``.
        context_claims: further claims that Lambda authorizers pass on.
    """

    claim_names: Mapping[str, str]
    own_claims: frozenset[str]
    scope_mode: ScopeMode
    unmanaged_scopes: frozenset[str]
    no_tenant: NoTenant
    default_roles: tuple[str, ...]
    cache_seconds: int
    token_budget: int = TOKEN_BUDGET
    shed_groups: bool = False
    privileged_scopes: frozenset[str] = _NO_NAMES
    oidc_scopes: frozenset[str] = _NO_NAMES
    directory_groups: frozenset[str] = _NO_NAMES
    context_claims: frozenset[str] = _NO_NAMES


class IamRoles(NamedTuple):
    """What the members of a group get in ``cognito:roles`` and ``cognito:preferred_role``.

    Attributes:
        row: the group's row, as reasons name it.
        roles: ARNs.
        preferred: one of them.
    """

    row: str
    roles: tuple[str, ...]
    preferred: str | None = None


class Provider(NamedTuple):
    """An identity provider of the user pool, and for whom it may speak.

    Attributes:
        row: its key, as reasons name it.
        tenants: ids; ``*`` is every tenant, and none at all.
        attributes: those of its users that name groups.
        prefix: what the names of groups that count begin with; the map has them without.
        groups: the groups that it may name: exact, or prefixes; None for all.
        roles: those that each group gives.
        just_in_time: whether its users are members of these tenants without a row.
        sealed: whether its users' tokens never carry the scope with which they could write attributes.
    """

    row: str
    tenants: frozenset[str]
    attributes: tuple[str, ...] = ()
    prefix: str = ""
    groups: frozenset[str] | None = None
    roles: Mapping[str, tuple[str, ...]] = _NOTHING
    just_in_time: bool = False
    sealed: bool = False


class Bundle(NamedTuple):
    """A compiled policy with its version number.

    Attributes:
        rules: in their order.
        routes: what requests to APIs need, as in the rows; for the authorizer.
        iam_roles: by group.
        providers: the identity providers that may speak for somebody, by name.
    """

    version: int
    settings: Settings
    roles: Mapping[str, Role]
    groups: Mapping[str, tuple[str, ...]]
    clients: Mapping[str, Client]
    rules: Sequence[Rule] = ()
    routes: Mapping[str, Mapping[str, Any]] = _NOTHING
    iam_roles: Mapping[str, IamRoles] = _NOTHING
    providers: Mapping[str, Provider] = _NOTHING

    @property
    def names_groups(self) -> bool:
        """Whether roles, or rows of the directory, name groups."""
        return bool(self.settings.directory_groups) or any(role.add_groups for role in self.roles.values())

    @property
    def scopes(self) -> frozenset[str]:
        """The catalogue: what a role or a rule can grant, that the policy manages and Cognito takes."""
        rows: tuple[Role | Rule, ...] = (*self.roles.values(), *self.rules)
        return frozenset(grant.scope for row in rows for grant in row.grants if grant.possible)
