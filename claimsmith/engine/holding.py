"""Whether a token holds something, and the row that gives it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from claimsmith.cognito.claims import TOKENS
from claimsmith.cognito.tokens import issued
from claimsmith.engine import tenancy
from claimsmith.engine.language import is_unmanaged
from claimsmith.engine.language.conditions import same
from claimsmith.engine.roles import assign
from claimsmith.engine.subject import gather
from claimsmith.named_tuple import NamedTuple

if TYPE_CHECKING:
    from claimsmith.cognito.event import Request
    from claimsmith.engine.bundle import Bundle
    from claimsmith.engine.decide import Decision
    from claimsmith.engine.facts import Facts
    from claimsmith.engine.reasons import Reason

#: Outcomes of reasons that give something.
GIVES: Final = frozenset({"set", "granted", "kept"})

#: What is in a token but in no row.
COGNITO: Final = "Cognito"


class Question(NamedTuple):
    """What a token may hold.

    Attributes:
        values: of a claim: any of these, as the whole value or in a list; whatever the value if empty.
    """

    kind: Literal["scope", "role", "claim"]
    name: str
    values: tuple[Any, ...] = ()


class Held(NamedTuple):
    """It is there.

    Attributes:
        token: of a claim: ``access`` or ``id``; of a scope: ``access``; of a role: empty.
        value: of a claim; otherwise None.
        row: the row that gives it, as reasons name it; ``Cognito`` if no row does.
        why: in a few words, if the row alone does not say.
    """

    token: str
    value: Any
    row: str
    why: str


class RuledOut:
    """Whether no token of a request can hold something, found without deciding it.

    The sign-in is refused, or nothing that is assigned gives it. Where this says no, it may still not be there.
    """

    def __init__(self, question: Question, bundle: Bundle) -> None:
        """Look at what a policy says about it."""
        self._bundle = bundle
        self._role = question.name if question.kind == "role" else None
        self._scope = question.name if question.kind == "scope" else None
        self._roles = frozenset(name for name, role in bundle.roles.items() if question.name in role.scopes)
        if question.kind == "scope" and (
            is_unmanaged(question.name, bundle.settings.unmanaged_scopes)
            or any(question.name in rule.scopes for rule in bundle.rules)
        ):
            self._scope = None

    def __call__(self, facts: Facts, request: Request) -> bool:
        """Whether it is ruled out for this request."""
        if self._role is None and self._scope is None:
            return False
        choice = tenancy.choose(self._bundle, facts.user, facts.tenants, request)
        if choice.refusal is not None:
            return True
        subject = gather(self._bundle, facts, request, choice)
        roles = assign(self._bundle, subject).names
        if self._role is not None:
            return self._role not in roles
        if not subject.adds_to_access_token:
            return self._scope not in request.scopes
        own = () if subject.membership is None else subject.membership.scopes
        return self._scope not in own and self._roles.isdisjoint(roles)


def held(question: Question, request: Request, decision: Decision) -> Held | None:
    """What the tokens of this request hold of it; None if neither does."""
    if question.kind == "role":
        if question.name not in decision.roles:
            return None
        return Held("", None, *_given(question, "", decision))
    access, identity = issued(request, decision.changes)
    if question.kind == "scope":
        if question.name not in access.get("scope", "").split():
            return None
        return Held(TOKENS[0], None, *_given(question, TOKENS[0], decision))
    for token, claims in zip(TOKENS, (access, identity), strict=True):
        if question.name in claims and _is_asked_for(question, claims[question.name]):
            return Held(token, claims[question.name], *_given(question, token, decision))
    return None


def _is_asked_for(question: Question, value: Any) -> bool:  # noqa: ANN401 - any claim value
    found = [value, *value] if isinstance(value, list) else [value]
    return not question.values or any(same(one, wanted) for one in found for wanted in question.values)


def _given(question: Question, token: str, decision: Decision) -> tuple[str, str]:
    """The row and why, of the last reason: a later row wins."""
    reasons: list[Reason] = [
        reason
        for reason in decision.reasons
        if reason[:2] == question[:2] and reason.outcome in GIVES and reason.token in ("", token)
    ]
    return (reasons[-1].source, reasons[-1].detail) if reasons else (COGNITO, "")
