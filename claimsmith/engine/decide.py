"""The decision: what goes into a token, and why. Pure, total and deterministic (DESIGN section 5).

The trigger, preview and every other answer about a token come from this one function.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from claimsmith.cognito.claims import TOKENS, Token, UnacceptableError, checked, refused_name
from claimsmith.cognito.limits import ADMIN_SCOPE, MAX_CHANGES, SCOPE
from claimsmith.cognito.response import GROUPS_CLAIM, Changes, TokenChanges, count
from claimsmith.engine import tenancy
from claimsmith.engine.bundle import NO_CLAIMS
from claimsmith.engine.language import DEGRADED_CLAIM, SHED_CLAIM, is_unmanaged
from claimsmith.errors import Code

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from collections.abc import Set as AbstractSet

    from claimsmith.cognito.event import Request
    from claimsmith.engine.bundle import Bundle, Claims, Client
    from claimsmith.engine.facts import Facts, Membership, Problem, Tenant


class Reason(NamedTuple):
    """Why something is in a token, or is not.

    Attributes:
        kind: ``tenant``, ``role``, ``scope``, ``claim`` or ``group``.
        name: of the role, scope or claim.
        outcome: ``set``, ``granted``, ``kept``, ``suppressed``, ``dropped`` or ``refused``.
        source: the row it comes from (``POLICY ROLE#editor``), or ``request``.
        detail: in a few words; never a claim's value.
        token: ``access`` or ``id``; empty where it concerns both.
    """

    kind: str
    name: str
    outcome: str
    source: str
    detail: str = ""
    token: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """What the tokens will hold.

    Attributes:
        changes: what the trigger answers.
        tenant_id: the tenant the tokens are for.
        roles: sorted.
        reasons: why, in a fixed order.
        problems: rows that could not be read.
    """

    changes: Changes
    tenant_id: str | None
    roles: tuple[str, ...]
    reasons: tuple[Reason, ...]
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """No token."""

    code: Code
    reasons: tuple[Reason, ...]
    problems: tuple[Problem, ...] = ()


_SETTINGS: Final = "POLICY SETTINGS"


def decide(bundle: Bundle, facts: Facts, request: Request, now: int) -> Decision | Refusal:  # noqa: ARG001 - rules read it
    """Decide what the tokens of this request hold.

    Args:
        bundle: the policy.
        facts: what the directory says; rows not in it count as not there.
        request: what Cognito asks.
        now: epoch seconds.

    Returns:
        The decision, or a refusal with a code. Never raises.
    """
    problems = (*facts.user.problems, *facts.problems)
    user = facts.user.user
    user_row = f"USER#{request.sub} USER"
    if user is None:
        refused = Reason("tenant", "", "refused", user_row, "the row cannot be read")
        return Refusal(Code.USER_UNREADABLE, (refused,), problems)
    if not user.active:
        return Refusal(
            Code.USER_SUSPENDED, (Reason("tenant", "", "refused", user_row, "the user is not active"),), problems
        )
    choice = tenancy.choose(bundle, facts.user, facts.tenants, request)
    why_tenant = _tenant_reason(choice, request)
    if choice.refusal is not None:
        return Refusal(choice.refusal, (why_tenant,), problems)
    decision = _Making(bundle, facts, request, choice, why_tenant).decision(problems)
    if count(decision.changes, request) > MAX_CHANGES:
        return Refusal(Code.TOO_MANY_CHANGES, decision.reasons, problems)
    return decision


def degraded(bundle: Bundle | None, request: Request, code: Code) -> Decision:
    """The token for when nothing can be known: no tenant, roles, groups or managed scopes, and marked.

    Args:
        bundle: the last one known; without one only the scopes that are never managed stay.
        request: what Cognito asks.
        code: why; the value of ``claims_degraded``.
    """
    unmanaged: frozenset[str] = bundle.settings.unmanaged_scopes if bundle else frozenset()
    suppressed = tuple(sorted({scope for scope in request.scopes if not is_unmanaged(scope, unmanaged)}))
    names = set(bundle.settings.claim_names.values()) if bundle else set()
    mark = {DEGRADED_CLAIM: code.value}
    hidden = tuple(sorted({GROUPS_CLAIM, *impostors(names, request)}))
    changes = Changes(
        access=TokenChanges(mark, (GROUPS_CLAIM,)),
        id=TokenChanges() if request.machine else TokenChanges(mark, hidden),
        scopes_to_suppress=suppressed,
    )
    reasons = tuple(Reason("scope", scope, "suppressed", "request", "claims are degraded") for scope in suppressed)
    return Decision(changes, None, (), reasons)


def impostors(names: AbstractSet[str], request: Request) -> AbstractSet[str]:
    """Attributes of the user with these names, which the ID token must not show.

    A built-in claim may be named like an attribute that the user can write; where it is not set, the attribute must not
    pass for it.
    """
    return {name for name in names & request.attributes.keys() if refused_name(name) is None}


def _tenant_reason(choice: tenancy.Choice, request: Request) -> Reason:
    """How the tenant was chosen, told by the row that says so."""
    source = {
        "pinned": f"POLICY CLIENT#{request.client_id}",
        "contradiction": f"POLICY CLIENT#{request.client_id}",
        "hint": "request",
        "stored": f"USER#{request.sub} USER",
        "sole": f"USER#{request.sub} TENANT#{choice.tenant.id if choice.tenant else ''}",
        "none": _SETTINGS,
    }[choice.how]
    detail = {
        "pinned": "the client is pinned to it",
        "contradiction": "the hint contradicts the client's tenant",
        "hint": "client metadata asks for it",
        "stored": "the user's stored choice",
        "sole": "the only usable membership",
        "none": "no tenant can be chosen",
    }[choice.how]
    outcome = "refused" if choice.refusal else "set" if choice.tenant else "dropped"
    return Reason("tenant", choice.tenant.id if choice.tenant else "", outcome, source, detail)


class _Making:
    """One decision in the making: steps 3 to 6 and 8."""

    def __init__(
        self, bundle: Bundle, facts: Facts, request: Request, choice: tenancy.Choice, why_tenant: Reason
    ) -> None:
        self.bundle = bundle
        self.facts = facts
        self.request = request
        self.choice = choice
        self.tenant: Tenant | None = choice.tenant
        self.client: Client | None = bundle.clients.get(request.client_id)
        self.client_row = f"POLICY CLIENT#{request.client_id}"
        self.membership_row = (
            self.client_row if request.machine else f"USER#{request.sub} TENANT#{self.tenant.id if self.tenant else ''}"
        )
        self.membership: Membership | None = (
            facts.user.memberships.get(self.tenant.id) if self.tenant and not request.machine else None
        )
        self.role_rows = ""
        self.reasons: list[Reason] = [why_tenant]

    def decision(self, problems: tuple[Problem, ...]) -> Decision:
        roles = self.roles()
        to_add, to_suppress = self.scopes(roles)
        for group in self.request.groups:
            self.say("group", group, "kept", "request", "the policy does not change it")
        access, identity = self.claims(roles)
        changes = Changes(access, identity, to_add, to_suppress)
        tenant_id = self.tenant.id if self.tenant else None
        return Decision(changes, tenant_id, roles, tuple(self.reasons), problems)

    # Step 3: roles.

    def roles(self) -> tuple[str, ...]:
        """The roles that are left, sorted; a tenant's own never exceed what the tenant allows."""
        held: dict[str, str] = {}
        for name, source in self.closed(self.tenant_roles()):
            allowed = self.tenant.roles_allowed if self.tenant else None
            if allowed is not None and name not in allowed:
                self.say("role", name, "dropped", self.tenant_row, "the tenant does not allow it")
            else:
                held.setdefault(name, source)
        for name, source in self.closed(self.other_roles()):
            held.setdefault(name, source)
        for name in sorted(held):
            self.say("role", name, "granted", held[name])
        self.role_rows = ", ".join(sorted(set(held.values())))
        return tuple(sorted(held))

    def tenant_roles(self) -> Iterator[tuple[str, str]]:
        if self.tenant is None:
            return
        if self.request.machine:
            yield from ((name, self.client_row) for name in (self.client.roles if self.client else ()))
        elif self.membership is not None:
            yield from ((name, self.membership_row) for name in self.membership.roles)
        yield from ((name, self.tenant_row) for name in self.tenant.default_roles)

    def other_roles(self) -> Iterator[tuple[str, str]]:
        if self.request.machine:
            if self.client is None:
                return
            if self.tenant is None:
                yield from ((name, self.client_row) for name in self.client.roles)
        elif self.facts.user.user is not None:
            yield from ((name, f"USER#{self.request.sub} USER") for name in self.facts.user.user.roles)
            for group in self.request.groups:
                yield from ((name, f"POLICY GROUP#{group}") for name in self.bundle.groups.get(group, ()))
        yield from ((name, _SETTINGS) for name in self.bundle.settings.default_roles)

    def closed(self, roles: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
        """These roles and what they inherit; unknown ones are dropped and said."""
        for name, source in roles:
            role = self.bundle.roles.get(name)
            if role is None:
                self.say("role", name, "dropped", source, "no such role")
                continue
            for member in role.closure:
                if member in self.bundle.roles:
                    yield member, source

    # Step 4: scopes.

    def scopes(self, roles: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The scopes to add and the scopes to suppress, sorted."""
        settings = self.bundle.settings
        granted = self.granted(roles)
        requested = set(self.request.scopes)
        mode = (self.client.scope_mode if self.client else None) or settings.scope_mode
        # An API sign-in can request nothing, so there is nothing to intersect with.
        everything = mode == "exact" or requested == {ADMIN_SCOPE}
        never = self.client.suppress_scopes if self.client else frozenset()
        final: list[str] = []
        for scope in sorted(granted):
            if scope in never:
                self.say("scope", scope, "suppressed", self.client_row, "suppress_scopes names it", "access")
            elif everything or scope in requested:
                final.append(scope)
                self.say("scope", scope, "granted", granted[scope], "", "access")
            else:
                self.say("scope", scope, "dropped", granted[scope], "it was not requested", "access")
        suppressed: list[str] = []
        for scope in sorted(requested):
            if scope in granted and scope not in never:
                continue
            if scope in never:
                suppressed.append(scope)
                if scope not in granted:
                    self.say("scope", scope, "suppressed", self.client_row, "suppress_scopes names it", "access")
            elif is_unmanaged(scope, settings.unmanaged_scopes):
                self.say("scope", scope, "kept", "request", "the policy does not manage it", "access")
            else:
                suppressed.append(scope)
                self.say("scope", scope, "suppressed", "request", "requested, not granted", "access")
        return tuple(scope for scope in final if scope not in requested), tuple(suppressed)

    def granted(self, roles: tuple[str, ...]) -> dict[str, str]:
        """Each scope that a role or the membership gives and both ceilings allow, with its row."""
        offers = [(scope, f"POLICY ROLE#{name}") for name in roles for scope in self.bundle.roles[name].scopes]
        if self.membership is not None:
            offers += [(scope, self.membership_row) for scope in self.membership.scopes]
        client_allows = self.client.scopes_allowed if self.client else None
        tenant_allows = self.tenant.scopes_allowed if self.tenant else None
        granted: dict[str, str] = {}
        seen: set[str] = set()
        for scope, source in offers:
            if scope in seen:
                continue
            seen.add(scope)
            if not SCOPE.fullmatch(scope):
                self.say("scope", scope, "dropped", source, "Cognito does not take these characters", "access")
            elif is_unmanaged(scope, self.bundle.settings.unmanaged_scopes):
                self.say("scope", scope, "dropped", source, "the policy does not manage it", "access")
            elif client_allows is not None and scope not in client_allows:
                self.say("scope", scope, "dropped", self.client_row, "the client does not allow it", "access")
            elif tenant_allows is not None and scope not in tenant_allows:
                self.say("scope", scope, "dropped", self.tenant_row, "the tenant does not allow it", "access")
            else:
                granted[scope] = source
        return granted

    # Steps 5 and 6: claims and the contract.

    def claims(self, roles: tuple[str, ...]) -> tuple[TokenChanges, TokenChanges]:
        """What changes in the access and in the ID token."""
        return (
            self.token_changes("access", roles),
            TokenChanges() if self.request.machine else self.token_changes("id", roles),
        )

    def token_changes(self, token: Token, roles: tuple[str, ...]) -> TokenChanges:
        own = frozenset((DEGRADED_CLAIM, SHED_CLAIM, *self.bundle.settings.claim_names.values()))
        claims: dict[str, Any] = {}
        sources: dict[str, str] = {}
        for name, value, row in (*self.offered(token, roles, own), *self.built_in(token, roles)):
            try:
                claims[name] = checked(token, name, value)
                sources[name] = row
            except UnacceptableError as unacceptable:
                self.say("claim", name, "dropped", row, str(unacceptable), token)
        if token == TOKENS[0] and self.client is not None and self.client.audience:
            claims["aud"] = self.request.client_id
            sources["aud"] = self.client_row
        for name in sorted(claims):
            self.say("claim", name, "set", sources[name], "", token)
        hidden = tuple(sorted(impostors(own - claims.keys(), self.request))) if token == TOKENS[1] else ()
        for name in hidden:
            self.say("claim", name, "suppressed", _SETTINGS, "only Claimsmith sets this claim", token)
        return TokenChanges({name: claims[name] for name in sorted(claims)}, hidden)

    def offered(self, token: Token, roles: tuple[str, ...], own: AbstractSet[str]) -> Iterator[tuple[str, Any, str]]:
        """The claims that rows set, with their rows; later ones win."""
        for row, claims in self.claim_rows(roles):
            if claims is NO_CLAIMS:
                continue
            for name, value in (claims.access if token == TOKENS[0] else claims.id).items():
                if name in own:
                    self.say("claim", name, "dropped", row, "only Claimsmith sets this claim", token)
                else:
                    yield name, value, row

    def claim_rows(self, roles: tuple[str, ...]) -> Iterator[tuple[str, Claims]]:
        """Rows that set claims, in the order in which later ones win."""
        if self.tenant is not None:
            yield self.tenant_row, self.tenant.claims
        for name in roles:
            yield f"POLICY ROLE#{name}", self.bundle.roles[name].claims
        if not self.request.machine and self.facts.user.user is not None:
            yield f"USER#{self.request.sub} USER", self.facts.user.user.claims
        if self.membership is not None:
            yield self.membership_row, self.membership.claims
        if self.client is not None:
            yield self.client_row, self.client.claims

    def built_in(self, token: Token, roles: tuple[str, ...]) -> Iterator[tuple[str, Any, str]]:
        """The claims that only the engine sets, under the names the policy gives them."""
        names = self.bundle.settings.claim_names
        for meaning, value, row in self.meanings(token, roles):
            if meaning in names:
                yield names[meaning], value, row

    def meanings(self, token: Token, roles: tuple[str, ...]) -> Iterator[tuple[str, Any, str]]:
        if self.tenant is not None:
            yield "tenant_id", self.tenant.id, self.reasons[0].source
        if roles:
            yield "roles", list(roles), self.role_rows
        if token == TOKENS[0]:
            yield "policy_version", self.bundle.version, "BUNDLE CURRENT"
            return
        if self.tenant is not None and self.tenant.name:
            yield "tenant_name", self.tenant.name, self.tenant_row
        elif self.tenant is None and self.choice.offered:
            offered = {tenant.id: tenant.name or tenant.id for tenant in self.choice.offered}
            yield "tenants", offered, f"USER#{self.request.sub} TENANT#"

    @property
    def tenant_row(self) -> str:
        return f"TENANT#{self.tenant.id} TENANT" if self.tenant else ""

    def say(self, kind: str, name: str, outcome: str, source: str, detail: str = "", token: str = "") -> None:
        self.reasons.append(Reason(kind, name, outcome, source, detail, token))
