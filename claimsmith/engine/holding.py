"""Whether a token holds something, and the row that gives it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from claimsmith.cognito.claims import TOKENS
from claimsmith.cognito.tokens import issued
from claimsmith.engine.language.conditions import same

if TYPE_CHECKING:
    from claimsmith.cognito.event import Request
    from claimsmith.engine.decide import Decision
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
