"""Which claims a token has: DESIGN section 5, steps 5 and 6."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

from claimsmith.cognito.claims import TOKENS, UnacceptableError, accepted, fitting, refused_suppression
from claimsmith.engine.bundle import Withheld
from claimsmith.engine.language import DEGRADED_CLAIM, ONLY_US, SHED_CLAIM, own_claims
from claimsmith.engine.language.paths import MISSING
from claimsmith.engine.reasons import SETTINGS_ROW

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from collections.abc import Set as AbstractSet

    from claimsmith.cognito.claims import Token
    from claimsmith.cognito.event import Request
    from claimsmith.engine.bundle import Part, Rule
    from claimsmith.engine.case import Case
    from claimsmith.engine.language.paths import Known
    from claimsmith.engine.language.values import Expression


class Made(NamedTuple):
    """The claims to set in a token.

    Attributes:
        claims: sorted by name.
        rows: where each comes from.
        optional: those that an optional rule gives, in the order of the rules.
        suppressed: sorted.
    """

    claims: dict[str, Any]
    rows: dict[str, str]
    optional: tuple[str, ...]
    suppressed: tuple[str, ...]


def settle(case: Case, known: Known, token: Token) -> Made:
    """The claims of one token. Later rows win, what the engine sets is final, and suppression wins over all."""
    return _Making(case, token).made(known)


class _Making:
    """The claims of one token in the making."""

    __slots__ = ("case", "claims", "looked_at", "optional", "own", "rows", "token")

    def __init__(self, case: Case, token: Token) -> None:
        self.case = case
        self.token: Token = token
        self.own = own_claims(case.bundle.settings.claim_names)
        self.claims: dict[str, Any] = {}
        self.rows: dict[str, str] = {}
        self.optional: dict[str, None] = {}
        self.looked_at: dict[int, tuple[Any, Any]] = {}

    def made(self, known: Known) -> Made:
        case = self.case
        self.rows_of_all(known, TOKENS.index(self.token))
        for name, value, row in _built_in(case, self.token):
            self.set(name, value, row)
        if self.token == TOKENS[0] and case.client is not None and case.client.audience:
            if case.request.may_be_bound:
                self.drop("aud", case.client_row, "Cognito may have bound this token to a resource")
            else:
                self.claims["aud"], self.rows["aud"] = case.request.client_id, case.client_row
        hidden = self.suppress()
        in_order = {name: self.claims[name] for name in sorted(self.claims)}
        return Made(in_order, self.rows, tuple(name for name in self.optional if name in self.claims), hidden)

    def rows_of_all(self, known: Known, at: int) -> None:
        """What every row sets that concerns this case; later ones win."""
        case, roles = self.case, self.case.bundle.roles
        if case.tenant is not None:
            self.directory(case.tenant_row, case.tenant.claims[at])
        self.policy([roles[name].claims[at] for name in case.roles], known)
        if case.user is not None:
            self.directory(case.user_row, case.user.claims[at])
        if case.membership is not None:
            self.directory(case.membership_row, case.membership.claims[at])
        if case.client is not None:
            self.policy([case.client.claims[at]], known)
        for may_go, rules in groupby(case.rules, key=_is_optional):
            self.policy([rule.claims[at] for rule in rules], known, may_go=may_go)

    def directory(self, row: str, claims: Mapping[str, Any]) -> None:
        """A row of the directory: literals that nobody has looked at."""
        for name, value in claims.items():
            if name in self.own:
                self.drop(name, row, ONLY_US)
            else:
                self.set(name, value, row)

    def policy(self, parts: Iterable[Part], known: Known, *, may_go: bool = False) -> None:
        """Rows of the policy: literals are fit to be set, the rest is worked out; ``may_go`` if they may be shed."""
        for row, literals, rows, others in parts:
            if literals:
                self.claims.update(literals)
                self.rows.update(rows)
                if may_go or self.optional:
                    self.may_go(literals, may_go=may_go)
            for name, value in others:
                if self.worked_out(name, value, row, known) and (may_go or self.optional):
                    self.may_go((name,), may_go=may_go)

    def worked_out(self, name: str, value: Expression | Withheld, row: str, known: Known) -> bool:
        """Set what a value yields, if it yields anything."""
        if isinstance(value, Withheld):
            self.drop(name, row, value.why)
            return False
        found = value.evaluate(known)
        if found is MISSING:
            self.drop(name, row, "what it reads is not there")
            return False
        if type(found) is str and found.isascii():  # most are, and any claim that a policy may set takes such text
            self.claims[name], self.rows[name] = found, row
            return True
        return self.set(name, found, row)

    def may_go(self, names: Iterable[str], *, may_go: bool) -> None:
        """Note for each claim whether the rule that has set it last is optional."""
        for name in names:
            self.optional.pop(name, None)
            if may_go:
                self.optional[name] = None

    def set(self, name: str, value: Any, row: str) -> bool:  # noqa: ANN401 - any value, good or bad
        try:
            self.claims[name] = fitting(self.token, name, value, self.accepted)
        except UnacceptableError as unacceptable:
            self.drop(name, row, str(unacceptable))
            return False
        self.rows[name] = row
        return True

    def accepted(self, value: Any) -> Any:  # noqa: ANN401 - any value, good or bad
        """The value as Cognito takes it. Many claims may be the same long list, which is gone through once.

        Raises:
            UnacceptableError: Cognito does not take it.
        """
        if not isinstance(value, list | dict):
            return accepted(value)
        known = self.looked_at.get(id(value))
        if known is None:
            try:
                said = accepted(value)
            except UnacceptableError as unacceptable:
                said = unacceptable
            # The value is kept with what is said of it, so that no other one gets its id.
            known = self.looked_at[id(value)] = (value, said)
        if isinstance(known[1], UnacceptableError):
            raise known[1]
        return known[1]

    def suppress(self) -> tuple[str, ...]:
        """Take away what rules suppress, and what would pass for a claim of the engine's."""
        suppressed = _suppressed(self.case, self.token)
        for name, row in suppressed.items():
            self.claims.pop(name, None)
            self.case.say("claim", name, "suppressed", row, "", self.token)
        hidden = set(suppressed)
        if self.token == TOKENS[1]:
            for name in sorted(impostors(self.own - self.claims.keys() - hidden, self.case.request)):
                hidden.add(name)
                self.case.say("claim", name, "suppressed", SETTINGS_ROW, ONLY_US, self.token)
        return tuple(sorted(hidden))

    def drop(self, name: str, row: str, why: str) -> None:
        self.case.say("claim", name, "dropped", row, why, self.token)


def _is_optional(rule: Rule) -> bool:
    return rule.optional


def impostors(names: AbstractSet[str], request: Request) -> AbstractSet[str]:
    """Attributes of the user with these names, which the ID token must not show.

    A built-in claim may be named like an attribute that the user can write; where it is not set, the attribute must not
    pass for it.
    """
    return {name for name in names & request.attributes.keys() if refused_suppression(TOKENS[1], name) is None}


def _built_in(case: Case, token: Token) -> Iterator[tuple[str, Any, str]]:
    """The claims that only the engine sets, under the names the policy gives them."""
    names = case.bundle.settings.claim_names
    for meaning, value, row in _meanings(case, token):
        if meaning in names:
            yield names[meaning], value, row


def _meanings(case: Case, token: Token) -> Iterator[tuple[str, Any, str]]:
    tenant = case.tenant
    if tenant is not None:
        yield "tenant_id", tenant.id, case.reasons[0].source
    if case.roles:
        yield "roles", list(case.roles), case.role_rows
    if token == TOKENS[0]:
        yield "policy_version", case.bundle.version, "BUNDLE CURRENT"
    elif tenant is not None:
        if tenant.name:
            yield "tenant_name", tenant.name, case.tenant_row
    elif case.choice.offered:
        offered = {one.id: one.name or one.id for one in case.choice.offered}
        yield "tenants", offered, f"USER#{case.request.sub} TENANT#"


def _suppressed(case: Case, token: Token) -> dict[str, str]:
    """The claims that rules suppress in this token, with the rows that say so."""
    at = TOKENS.index(token)
    suppressed: dict[str, str] = {}
    for rule in case.rules:
        for name in rule.suppress_claims[at]:
            if name in (DEGRADED_CLAIM, SHED_CLAIM):
                why: str | None = "no rule takes away what says that a token is incomplete"
            elif token == TOKENS[0] and name == case.bundle.settings.claim_names.get("tenant_id"):
                why = "no rule takes away the access token's tenant"
            else:
                why = refused_suppression(token, name)
            if why is None:
                suppressed.setdefault(name, rule.row)
            else:
                case.say("claim", name, "dropped", rule.row, why, token)
    return suppressed
