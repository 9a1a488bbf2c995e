"""What differs between the tokens of two decisions about the same request: gains and losses, each with its row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from claimsmith.cognito.claims import TOKENS
from claimsmith.cognito.response import GROUPS_CLAIM
from claimsmith.cognito.tokens import issued
from claimsmith.engine.decide import Refusal
from claimsmith.engine.language import ALWAYS_UNMANAGED
from claimsmith.engine.language.conditions import same
from claimsmith.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from claimsmith.cognito.event import Request
    from claimsmith.engine.decide import Decision
    from claimsmith.engine.reasons import Reason

Kind = Literal["refusal", "tenant", "scope", "role", "group", "claim"]
Direction = Literal["gained", "lost", "changed"]


class Change(NamedTuple):
    """A difference, without whose token it is in.

    Attributes:
        name: of the scope, role, group or claim; the code of a refusal; empty for the tenant.
        token: of a claim: ``access`` or ``id``; otherwise empty.
    """

    kind: Kind
    direction: Direction
    name: str
    token: str = ""


class Instance(NamedTuple):
    """A change in one token.

    Attributes:
        before: the claim's value, or the tenant's id; None where there is none, and for other kinds.
        row: the row that brings it about, as reasons name it.
        why: in a few words, where the row alone does not say; never a value.
    """

    change: Change
    before: Any
    after: Any
    row: str
    why: str


#: What a name of the engine's own is replaced by where the token says with it what a change of another kind says too.
_SAID: Final = object()

_GIVES: Final = frozenset({"set", "granted", "kept"})
_TAKES: Final = frozenset({"dropped", "suppressed", "shed", "refused"})

_NONE: Final = object()


class Side(NamedTuple):
    """One of the two decisions.

    Attributes:
        claim_names: of the built-in claims by meaning, in its policy.
    """

    outcome: Decision | Refusal
    claim_names: Mapping[str, str]


def compare(request: Request, before: Side, after: Side) -> list[Instance]:
    """The differences between the tokens that this request gets; none where they are the same.

    That another version made the token is no difference: ``policy_version`` is left out.
    """
    return [
        Instance(change, old, new, *_cause(change, before.outcome, after.outcome))
        for change, old, new in _differences(request, before, after)
    ]


def _differences(request: Request, before: Side, after: Side) -> Iterator[tuple[Change, Any, Any]]:
    codes = [side.outcome.code if isinstance(side.outcome, Refusal) else None for side in (before, after)]
    if codes[0] != codes[1]:
        direction: Direction = "changed" if all(codes) else "gained" if codes[1] else "lost"
        yield Change("refusal", direction, str(codes[1] or codes[0])), None, None
    if all(codes) or _is_same(before, after):
        return
    tokens = [_Tokens.of(request, side) for side in (before, after)]
    old, new = tokens
    if not any(codes) and old.tenant != new.tenant:
        direction = "changed" if old.tenant and new.tenant else "gained" if new.tenant else "lost"
        yield Change("tenant", direction, ""), old.tenant, new.tenant
    sets: tuple[tuple[Kind, frozenset[str], frozenset[str]], ...] = (
        ("scope", old.scopes, new.scopes),
        ("role", old.roles, new.roles),
        ("group", old.groups, new.groups),
    )
    for kind, had, has in sets:
        # Of a sign-in that is refused on one side, what the policy never manages is not worth a word.
        for name in sorted((had ^ has) - (ALWAYS_UNMANAGED if any(codes) else frozenset())):
            yield Change(kind, "gained" if name in has else "lost", name), None, None
    if any(codes):
        return  # nor is each claim
    for token, had_claims, has_claims in zip(TOKENS, old.claims, new.claims, strict=True):
        for name in sorted(had_claims.keys() | has_claims.keys()):
            was, is_now = had_claims.get(name, _NONE), has_claims.get(name, _NONE)
            if was is is_now or same(was, is_now):
                continue
            direction = "gained" if was is _NONE else "lost" if is_now is _NONE else "changed"
            yield Change("claim", direction, name, token), _shown(was), _shown(is_now)


def _is_same(before: Side, after: Side) -> bool:
    """Whether two decisions are obviously the same: most are, and reading both tokens of each takes longer."""
    old, new = before.outcome, after.outcome
    if isinstance(old, Refusal) or isinstance(new, Refusal) or before.claim_names != after.claim_names:
        return False
    version = before.claim_names.get("policy_version")
    changes = [outcome.changes for outcome in (old, new)]
    claims = [{name: value for name, value in each.access.claims.items() if name != version} for each in changes]
    emitted = [version in each.access.claims for each in changes]
    # As text, because 1 equals True.
    texts = [
        repr(each._replace(access=each.access._replace(claims=left)))
        for each, left in zip(changes, claims, strict=True)
    ]
    return old[1:3] == new[1:3] and emitted[0] == emitted[1] and texts[0] == texts[1]


def _shown(value: Any) -> Any:  # noqa: ANN401 - any claim value
    return None if value is _NONE or value is _SAID else value


class _Tokens(NamedTuple):
    """What is compared of both tokens."""

    tenant: str | None
    scopes: frozenset[str]
    roles: frozenset[str]
    groups: frozenset[str]
    claims: tuple[Mapping[str, Any], Mapping[str, Any]]

    @classmethod
    def of(cls, request: Request, side: Side) -> _Tokens:
        outcome = side.outcome
        if isinstance(outcome, Refusal):
            return cls(None, frozenset(), frozenset(), frozenset(), ({}, {}))
        claims = issued(request, outcome.changes)
        access = claims[0]
        return cls(
            outcome.tenant_id,
            frozenset(access.get("scope", "").split()),
            frozenset(outcome.roles),
            frozenset(access.get(GROUPS_CLAIM, ())),
            (_own(claims[0], outcome, side.claim_names), _own(claims[1], outcome, side.claim_names)),
        )


def _own(claims: Mapping[str, Any], outcome: Decision, names: Mapping[str, str]) -> dict[str, Any]:
    """The claims of a token, without what differs by itself or is said by a change of another kind."""
    own = {name: value for name, value in claims.items() if name not in ("scope", GROUPS_CLAIM)}
    if not own:
        return own  # a token that is not issued
    said = {"tenant_id": outcome.tenant_id, "roles": list(outcome.roles) or None}
    for meaning, value in said.items():
        name = names.get(meaning)
        if name is not None and own.get(name) == value:
            own[name] = _SAID
    if names.get("policy_version") in own:
        own[names["policy_version"]] = _SAID
    return own


def _cause(change: Change, before: Decision | Refusal, after: Decision | Refusal) -> tuple[str, str]:
    """The row that brings a change about, and why where the row alone does not say."""
    if change.kind in ("refusal", "tenant"):
        last = after.reasons if change.kind == "refusal" and isinstance(after, Refusal) else after.reasons[:1]
        reason = next((one for one in reversed(last) if one.outcome == "refused"), last[0])
        return reason.source, reason.detail
    if change.direction == "lost":
        taken = _reason(change, after, _TAKES)
        if taken is not None:
            return taken.source, taken.detail or taken.outcome
        if isinstance(after, Refusal):
            reason = after.reasons[-1]
            return reason.source, "the sign-in is refused"
        given = _reason(change, before, _GIVES)
        return (given.source, "no longer gives it") if given is not None else ("", "")
    given = _reason(change, after, _GIVES)
    return (given.source, given.detail) if given is not None else ("", "")


def _reason(change: Change, outcome: Decision | Refusal, outcomes: frozenset[str]) -> Reason | None:
    """The last reason about this: a later row wins."""
    return next(
        (
            reason
            for reason in reversed(outcome.reasons)
            if reason.kind == change.kind
            and reason.name == change.name
            and reason.outcome in outcomes
            and (change.kind != "claim" or reason.token == change.token)
        ),
        None,
    )
