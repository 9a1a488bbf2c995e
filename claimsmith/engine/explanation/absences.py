"""Why something is not in a token: the least that would have to be different, found by trying.

What may bring it about is made up in a sensible order, following the chain that a decision follows, and each plan is
tried: the situation is changed and decided again. So an answer is true by construction: with exactly these changes the
thing is there, and without any one of them it is not.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from claimsmith.cognito.claims import TOKENS, refused_name
from claimsmith.cognito.limits import SCOPE
from claimsmith.cognito.response import GROUPS_CLAIM
from claimsmith.engine.built_in import BUILT_IN_CLAIMS
from claimsmith.engine.decide import Decision, Refusal
from claimsmith.engine.explanation.plans import Plans, Target, named, similar
from claimsmith.engine.explanation.situation import REQUEST
from claimsmith.engine.language import is_unmanaged
from claimsmith.errors import Code
from claimsmith.named_tuple import NamedTuple

if TYPE_CHECKING:
    from claimsmith.cognito.claims import Token
    from claimsmith.engine.explanation.situation import Change, Plan, Situation

#: What an answer may cost; a longer one is no explanation. A change that gives somebody something new costs more than
#: one that lets count what somebody has, and more still costs one that does without a rule's condition: that is an
#: answer only where what the condition reads cannot be changed.
_MOST: Final = 8
_ANEW: Final = 2
_WITHOUT_CONDITION: Final = 3

#: Decisions that a search may take, and plans that are made and tried in each step.
_DECISIONS: Final = 1_500
_MADE: Final = 1_000
_ALTERNATIVES: Final = 60

#: Outcomes of reasons that something is not there for.
_AGAINST: Final = frozenset({"dropped", "suppressed", "shed"})


class Absence(NamedTuple):
    """Why something is not there.

    Attributes:
        steps: the changes that together bring it about, in the order of the decision; empty if none are known.
        why: what is in the way where no steps are known, otherwise of the first.
    """

    target: Target
    steps: tuple[Change, ...]
    why: str


def is_there(situation: Situation, target: Target) -> bool:
    """Whether the tokens of a situation hold something."""
    outcome = situation.outcome
    if not isinstance(outcome, Decision):
        return False
    access, identity = situation.tokens
    match target.kind:
        case "role":
            return target.name in outcome.roles
        case "scope":
            return target.name in access.get("scope", "").split()
        case "group":
            return target.name in access.get(GROUPS_CLAIM, ())
        case "claim":
            return target.name in (identity if target.token == TOKENS[1] else access)
    return True


def explain_absence(situation: Situation, target: Target) -> Absence:
    """The least that would have to be different for something to be there that is not."""
    search = _Search(situation, target)
    for most in range(1, _MOST + 1):
        steps = search.within((), most, (_obstacle(situation, target),))
        if steps:
            steps = search.without_superfluous(steps)
            return Absence(target, steps, steps[0].why)
    return Absence(target, (), _in_the_way(situation, target))


class _Search:
    """Tries changes, deeper and deeper, and remembers what came of them."""

    def __init__(self, situation: Situation, target: Target) -> None:
        self.target = target
        self.tried: dict[tuple[str, ...], Situation] = {(): situation}
        self.planned: dict[tuple[str, ...], list[Plan]] = {}

    def within(self, steps: Plan, most: int, met: tuple[object, ...]) -> Plan:
        """The first steps, beginning with these, that bring the target about; empty if there are none.

        Args:
            steps: those taken already.
            most: what further ones may cost.
            met: what was in the way before each of them. A plan that leads back to one of these is none.
        """
        for plan in self.plans(steps):
            left = most - sum(map(_cost, plan))
            if left < 0 or len(self.tried) > _DECISIONS:
                continue
            longer = (*steps, *plan)
            situation = self.after(longer)
            if is_there(situation, self.target):
                return longer
            if not left:
                continue
            obstacle = _obstacle(situation, self.target)
            if obstacle not in met:
                found = self.within(longer, left, (*met, obstacle))
                if found:
                    return found
        return ()

    def plans(self, steps: Plan) -> list[Plan]:
        """What may come next; whatever lets things count that are there comes first."""
        key = _key(steps)
        if key not in self.planned:
            made = islice(Plans(self.after(steps)).for_target(self.target), _MADE)
            cheapest_first = sorted((plan for plan in made if plan), key=lambda plan: max(map(_cost, plan)))
            self.planned[key] = cheapest_first[:_ALTERNATIVES]
        return self.planned[key]

    def after(self, steps: Plan) -> Situation:
        key = _key(steps)
        if key not in self.tried:
            self.tried[key] = self.after(steps[:-1]).changed(steps[-1])
        return self.tried[key]

    def without_superfluous(self, steps: Plan) -> Plan:
        """The steps without those that are not needed once the others are taken."""
        for step in steps:
            fewer = tuple(other for other in steps if other is not step)
            if fewer and is_there(self.after(fewer), self.target):
                steps = fewer
        return steps


def _cost(change: Change) -> int:
    if change.attribute == "when":
        return _WITHOUT_CONDITION
    given = ("groups", "attributes") if change.row == REQUEST else ("roles", "scopes")
    anew = change.action == "create" or (change.action == "add" and change.attribute in given)
    return _ANEW if anew else 1


def _key(steps: Plan) -> tuple[str, ...]:
    return tuple(step.key for step in steps)


def _obstacle(situation: Situation, target: Target) -> object:
    """What is in the way, to see whether a change has led any further."""
    outcome = situation.outcome
    if isinstance(outcome, Refusal):
        return outcome.code, situation.choice.reason
    against = [
        (reason.outcome, reason.source, reason.detail)
        for reason in outcome.reasons
        if reason.kind == target.kind
        and reason.name == target.name
        and target.token in ("", reason.token)
        and reason.outcome in _AGAINST
    ]
    return outcome.tenant_id, outcome.roles, tuple(against), bool(situation.tokens[1])


_HOPELESS: Final = {
    Code.USER_TOO_LARGE: "the user has more rows than are read of one user",
    Code.TOO_MANY_CHANGES: "the tokens would hold more claims and scopes than Cognito takes",
    Code.TOKEN_OVER_BUDGET: "the token is too long even for the largest token_budget",
}


def _in_the_way(situation: Situation, target: Target) -> str:
    """What is in the way where nothing is known that would bring something about."""
    outcome, bundle, name = situation.outcome, situation.policy.bundle, target.name
    if isinstance(outcome, Refusal):
        return _refused(situation, outcome, target)
    against = [
        f"{named(reason.source)}: {reason.detail or reason.outcome}"
        for reason in outcome.reasons
        if reason.kind == target.kind and reason.name == name and target.token in ("", reason.token)
        if reason.outcome in _AGAINST
    ]
    match target.kind:
        case "role" if name not in bundle.roles:
            against = [f"the policy has no role {name}{similar(name, bundle.roles)}"]
        case "scope" if not SCOPE.fullmatch(name):
            against = ["Cognito does not take a scope with these characters"]
        case "scope" if name not in bundle.scopes and not is_unmanaged(name, bundle.settings.unmanaged_scopes):
            against = [f"no role and no rule grants it{similar(name, bundle.scopes)}"]
        case "group" if situation.request.machine:
            against = ["a machine has no groups"]
        case "claim":
            against.append(_unset(situation, name, target.token or "access"))
    return "; ".join(against) or "nothing gives it, and no few changes help"


def _refused(situation: Situation, refusal: Refusal, target: Target) -> str:
    """The same for a sign-in that is refused."""
    if target.kind != "token":
        admitted = explain_absence(situation, Target("token"))
        if admitted.steps:
            further = _in_the_way(situation.changed(*admitted.steps), target)
            return f"the sign-in is refused with {refusal.code}; if it were not: {further}"
    return _HOPELESS.get(refusal.code, f"the sign-in is refused with {refusal.code}, and no few changes help")


def _unset(situation: Situation, name: str, token: Token) -> str:
    """Why nothing sets a claim."""
    settings = situation.policy.bundle.settings
    own = settings.claim_names.get(name)
    refused = refused_name(token, name)
    if token == TOKENS[1] and situation.request.machine:
        why = "a machine has no ID token"
    elif name in BUILT_IN_CLAIMS and own != name:
        why = f"settings.claim_names calls it {own}" if own else "settings.claim_names leaves it out"
    elif name in settings.own_claims:
        why = "only Claimsmith sets this claim, and not for this request"
    elif token == TOKENS[1] and name in situation.request.attributes:
        why = "the app client may not read this attribute"
    elif refused is not None:
        why = refused
    else:
        why = f"no row of the policy sets it in the {token} token, and none of these rows of the directory"
    return why
