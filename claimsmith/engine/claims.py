"""Which claims a token has: steps 5 and 6 of docs/explanation/decision.md."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from claimsmith.cognito.claims import (
    TOKENS,
    UnacceptableError,
    accepted,
    checked_by,
    is_plain,
    refused_name,
    refused_suppression,
)
from claimsmith.engine.built_in import BUILT_IN_CLAIMS, ONLY_CLAIMSMITH
from claimsmith.engine.bundle import NO_CLAIMS, Withheld
from claimsmith.engine.language import DEGRADED_CLAIM, SHED_CLAIM
from claimsmith.engine.language.paths import MISSING
from claimsmith.engine.reasons import SETTINGS_ROW, Reason, new
from claimsmith.engine.subject import NOTHING_ADDED
from claimsmith.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from claimsmith.cognito.claims import Token
    from claimsmith.cognito.event import Request
    from claimsmith.engine.built_in import Value
    from claimsmith.engine.bundle import Bundle, Part
    from claimsmith.engine.language.paths import EvaluationContext
    from claimsmith.engine.roles import Roles
    from claimsmith.engine.rules import RuleSet
    from claimsmith.engine.subject import Subject


class TokenClaims(NamedTuple):
    """What changes about the claims of one token.

    Attributes:
        claims: those to set, sorted by name.
        reasons_for: why the token has each, by name.
        optional: those that an optional rule sets, in the order of the rules.
        suppressed: sorted.
    """

    claims: Mapping[str, Any]
    reasons_for: Mapping[str, Reason]
    optional: tuple[str, ...]
    suppressed: tuple[str, ...]
    reasons: tuple[Reason, ...]


#: What each token may have of the built-in claims.
_BUILT_IN: Final[Mapping[Token, Sequence[tuple[str, Value]]]] = {
    token: [(meaning, claim.value) for meaning, claim in BUILT_IN_CLAIMS.items() if token in claim.tokens]
    for token in TOKENS
}

#: Nothing changes.
NO_CHANGES: Final = TokenClaims({}, {}, (), (), ())


def resolve(
    bundle: Bundle, subject: Subject, roles: Roles, rules: RuleSet, context: EvaluationContext, token: Token
) -> TokenClaims:
    """The claims of one token. Later rows win, what the engine sets is final, and suppression wins over all.

    Args:
        bundle: the policy.
        subject: whom the token is for.
        roles: the assigned ones.
        rules: those that apply.
        context: what values read.
        token: which of the two.
    """
    draft = _Draft(bundle.settings.own_claims, token, context)
    draft.add_rows(subject, roles, rules)
    names = bundle.settings.claim_names
    for meaning, value in _BUILT_IN[token]:
        if meaning in names and (found := value(bundle, subject, roles)):
            draft.set(names[meaning], *found)
    client = subject.client
    if token == TOKENS[0] and client is not None and client.audience:
        if subject.request.may_be_bound:
            draft.drop("aud", subject.client_row, "Cognito may have bound this token to a resource")
        else:
            draft.keep("aud", subject.request.client_id, subject.client_row)
    hidden = draft.suppress(_suppressions(bundle, rules, token, draft), subject.request)
    if token == TOKENS[0] and not subject.adds_to_access_token:
        draft.drop_all(subject.client_row, NOTHING_ADDED)
    drafted = draft.claims
    claims = {name: drafted[name] for name in sorted(drafted)}
    optional = tuple(name for name in draft.optional if name in claims)
    return TokenClaims(claims, draft.reasons_for, optional, hidden, tuple(draft.reasons))


class _Draft:
    """The claims of one token, while its rows are gone through."""

    __slots__ = ("checked", "claims", "context", "optional", "own", "reasons", "reasons_for", "token")

    def __init__(self, own: frozenset[str], token: Token, context: EvaluationContext) -> None:
        self.own = own
        self.token: Token = token
        self.context = context
        self.claims: dict[str, Any] = {}
        self.reasons_for: dict[str, Reason] = {}
        self.optional: dict[str, None] = {}
        self.checked: dict[int, tuple[Any, Any]] = {}
        self.reasons: list[Reason] = []

    def add_rows(self, subject: Subject, roles: Roles, rules: RuleSet) -> None:
        """What the rows of directory and policy set; later ones win."""
        at = TOKENS.index(self.token)
        if subject.tenant is not None:
            self.add_literals(subject.tenant_row, subject.tenant.claims[at])
        self.add([(part, False) for part in roles.given.claims[at]])
        if subject.user is not None:
            self.add_literals(subject.user_row, subject.user.claims[at])
        if subject.membership is not None:
            self.add_literals(subject.membership_row, subject.membership.claims[at])
        if subject.client is not None and subject.client.claims is not NO_CLAIMS:
            self.add([(subject.client.claims[at], False)])
        self.add(rules.claims[at])

    def add_literals(self, row: str, claims: Mapping[str, Any]) -> None:
        """A row of the directory: its claims are not checked yet."""
        for name, value in claims.items():
            if name in self.own:
                self.drop(name, row, ONLY_CLAIMSMITH)
            else:
                self.set(name, value, row)

    def add(self, parts: Iterable[tuple[Part, bool]]) -> None:
        """Rows of the policy, each with whether it is optional: literals are checked already, the rest is evaluated."""
        claims, reasons_for, context = self.claims, self.reasons_for, self.context
        for (literals, reasons, others), sheddable in parts:
            if literals:
                claims.update(literals)
                reasons_for.update(reasons)
                if sheddable or self.optional:
                    self.note_optional(literals, sheddable=sheddable)
            for name, value, reason in others:
                if isinstance(value, Withheld):
                    self.drop(name, reason.source, value.why)
                    continue
                path = value.path
                found = value.evaluate(context) if path is None else context[path]
                if type(found) is str and found.isascii():
                    # Most are, and any claim that a policy may set takes such text.
                    claims[name], reasons_for[name] = found, reason
                elif found is MISSING:
                    self.drop(name, reason.source, "what it reads is not there")
                    continue
                elif not self.set(name, found, reason.source):
                    continue
                if sheddable or self.optional:
                    self.note_optional((name,), sheddable=sheddable)

    def note_optional(self, names: Iterable[str], *, sheddable: bool) -> None:
        """Note for each claim whether the rule that has set it last is optional."""
        for name in names:
            self.optional.pop(name, None)
            if sheddable:
                self.optional[name] = None

    def set(self, name: str, value: Any, row: str) -> bool:  # noqa: ANN401 - any value, good or bad
        if is_plain(name, value) and refused_name(self.token, name) is None:
            self.keep(name, value, row)  # most are
            return True
        try:
            self.keep(name, checked_by(self.token, name, value, self.accepted), row)
        except UnacceptableError as unacceptable:
            self.drop(name, row, str(unacceptable))
            return False
        return True

    def keep(self, name: str, value: Any, row: str) -> None:  # noqa: ANN401 - any value that Cognito takes
        self.claims[name] = value
        self.reasons_for[name] = new(Reason, ("claim", name, "set", row, "", self.token))

    def accepted(self, value: Any) -> Any:  # noqa: ANN401 - any value, good or bad
        """The value as Cognito takes it. Many claims may be the same long list, which is checked once.

        Raises:
            UnacceptableError: Cognito does not take it.
        """
        if not isinstance(value, list | dict):
            return accepted(value)
        entry = self.checked.get(id(value))
        if entry is None:
            try:
                result = accepted(value)
            except UnacceptableError as unacceptable:
                result = unacceptable
            # The value is kept with its result, so that no other one gets its id.
            entry = self.checked[id(value)] = (value, result)
        if isinstance(entry[1], UnacceptableError):
            raise entry[1]
        return entry[1]

    def suppress(self, suppressed: Mapping[str, str], request: Request) -> tuple[str, ...]:
        """Remove what rules suppress, and attributes that would pass for claims of the engine; all names, sorted."""
        for name, row in suppressed.items():
            self.claims.pop(name, None)
            self.reasons.append(new(Reason, ("claim", name, "suppressed", row, "", self.token)))
        hidden = set(suppressed)
        if self.token == TOKENS[1]:
            for name in sorted(impostors(self.own, request) - self.claims.keys() - hidden):
                hidden.add(name)
                self.reasons.append(
                    new(Reason, ("claim", name, "suppressed", SETTINGS_ROW, ONLY_CLAIMSMITH, self.token))
                )
        return tuple(sorted(hidden))

    def drop_all(self, row: str, why: str) -> None:
        """Leave out every claim that is set so far."""
        for name in sorted(self.claims):
            self.drop(name, row, why)
        self.claims.clear()
        self.reasons_for.clear()

    def drop(self, name: str, row: str, why: str) -> None:
        self.reasons.append(new(Reason, ("claim", name, "dropped", row, why, self.token)))


def impostors(names: AbstractSet[str], request: Request) -> AbstractSet[str]:
    """Attributes of the user with these names, which the ID token must not show.

    A built-in claim may be named like an attribute that the user can write; where it is not set, the attribute must not
    pass for it.
    """
    return {name for name in request.attributes.keys() & names if refused_suppression(TOKENS[1], name) is None}


def _suppressions(bundle: Bundle, rules: RuleSet, token: Token, draft: _Draft) -> dict[str, str]:
    """The claims that rules suppress in this token, with the first rule that does."""
    at = TOKENS.index(token)
    suppressed: dict[str, str] = {}
    for rule in rules.suppressing:
        for name in rule.suppress_claims[at]:
            if name in (DEGRADED_CLAIM, SHED_CLAIM):
                why: str | None = "no rule takes away what says that a token is incomplete"
            elif token == TOKENS[0] and name == bundle.settings.claim_names.get("tenant_id"):
                why = "no rule takes away the access token's tenant"
            else:
                why = refused_suppression(token, name)
            if why is None:
                suppressed.setdefault(name, rule.row)
            else:
                draft.drop(name, rule.row, why)
    return suppressed
