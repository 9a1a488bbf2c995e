"""The decision: what goes into a token, and why. Pure, total and deterministic (DESIGN section 5).

The trigger, preview and every other answer about a token come from this one function.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from claimsmith.cognito.claims import TOKENS
from claimsmith.cognito.limits import MAX_CHANGES
from claimsmith.cognito.response import GROUPS_CLAIM, Changes, TokenChanges, count
from claimsmith.engine import budget, claims, groups, roles, rules, scopes, tenancy
from claimsmith.engine.case import Case
from claimsmith.engine.language import DEGRADED_CLAIM, is_unmanaged, own_claims
from claimsmith.engine.reasons import SETTINGS_ROW, Reason
from claimsmith.errors import Code

if TYPE_CHECKING:
    from claimsmith.cognito.event import Request
    from claimsmith.engine.bundle import Bundle
    from claimsmith.engine.facts import Facts, Problem
    from claimsmith.engine.language.paths import Known


class Decision(NamedTuple):
    """What the tokens will hold.

    Attributes:
        changes: what the trigger answers.
        tenant_id: the tenant the tokens are for.
        roles: sorted.
        reasons: why, in a fixed order.
        problems: rows that could not be read, or say what they may not.
    """

    changes: Changes
    tenant_id: str | None
    roles: tuple[str, ...]
    reasons: tuple[Reason, ...]
    problems: tuple[Problem, ...] = ()


class Refusal(NamedTuple):
    """No token."""

    code: Code
    reasons: tuple[Reason, ...]
    problems: tuple[Problem, ...] = ()


def decide(bundle: Bundle, facts: Facts, request: Request, now: int) -> Decision | Refusal:  # noqa: ARG001 - part of the interface: facts are read as of then
    """Decide what the tokens of this request hold.

    Args:
        bundle: the policy.
        facts: what the directory says; rows not in it count as not there.
        request: what Cognito asks.
        now: epoch seconds.

    Returns:
        The decision, or a refusal with a code. Never raises.
    """
    case = opened(bundle, facts, request)
    if isinstance(case, Refusal):
        return case
    changes = _changes(case)
    problems = (*facts.user.problems, *facts.problems, *case.problems)
    if isinstance(changes, Code):
        return Refusal(changes, tuple(case.reasons), problems)
    tenant_id = case.tenant.id if case.tenant else None
    return Decision(changes, tenant_id, case.roles, tuple(case.reasons), problems)


def opened(bundle: Bundle, facts: Facts, request: Request) -> Case | Refusal:
    """Steps 1 and 2: what is to be decided, with its tenant; or why there is no token."""
    problems = (*facts.user.problems, *facts.problems)
    user, user_row = facts.user.user, f"USER#{request.sub} USER"
    if user is None:
        why = "there are more rows than are read of one user" if facts.user.too_large else "the row cannot be read"
        code = Code.USER_TOO_LARGE if facts.user.too_large else Code.USER_UNREADABLE
        return Refusal(code, (Reason("tenant", "", "refused", user_row, why),), problems)
    if not user.active:
        suspended = Reason("tenant", "", "refused", user_row, "the user is not active")
        return Refusal(Code.USER_SUSPENDED, (suspended,), problems)
    choice = tenancy.choose(bundle, facts.user, facts.tenants, request)
    why_tenant = _tenant_reason(choice, request)
    if choice.refusal is not None:
        return Refusal(choice.refusal, (why_tenant,), problems)
    return Case(bundle, facts, request, choice, why_tenant)


def _changes(case: Case) -> Changes | Code:
    """Steps 3 to 8: what the trigger answers, or why it refuses."""
    roles.hold(case)
    known = case.known()
    rules.apply(case, known)
    return settled(case, known, with_id=not case.request.machine)


def settled(case: Case, known: Known, *, with_id: bool) -> Changes | Code:
    """Steps 4 to 8, once roles and rules are known.

    Args:
        case: with its roles and rules.
        known: what paths lead to.
        with_id: whether the policy's claims of the ID token count.
    """
    request = case.request
    to_add, to_suppress = scopes.settle(case)
    held = groups.settle(case)
    access = claims.settle(case, known, TOKENS[0])
    identity = claims.settle(case, known, TOKENS[1]) if with_id else claims.Made({}, {}, (), ())
    hidden_access, hidden_id = access.suppressed, identity.suppressed
    if held is not None and not held.groups:
        # An empty list of groups is not documented; suppressing the claim is.
        held = None
        hidden_access, hidden_id = _and_groups(hidden_access), _and_groups(hidden_id)
    changes = Changes(
        TokenChanges(access.claims, hidden_access), TokenChanges(identity.claims, hidden_id), to_add, to_suppress, held
    )
    if count(changes, request) > MAX_CHANGES:
        case.say("token", "", "refused", "Cognito", f"it takes {MAX_CHANGES:,} claims and scopes in both tokens")
        return Code.TOO_MANY_CHANGES
    fitted = budget.fit(case, changes, access, identity)
    if fitted is None:
        return Code.TOKEN_OVER_BUDGET
    for token, made, settled in ((TOKENS[0], access, fitted.access), (TOKENS[1], identity, fitted.id)):
        for name in settled.claims:
            case.say("claim", name, "set", made.rows[name], "", token)
    return fitted


def _and_groups(suppressed: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted({*suppressed, GROUPS_CLAIM}))


def degraded(bundle: Bundle | None, request: Request, code: Code) -> Decision:
    """The token for when nothing can be known: no tenant, roles, groups or managed scopes, and marked.

    Args:
        bundle: the last one known; without one only the scopes that are never managed stay.
        request: what Cognito asks.
        code: why; the value of ``claims_degraded``.
    """
    unmanaged: frozenset[str] = bundle.settings.unmanaged_scopes if bundle else frozenset()
    suppressed = tuple(sorted({scope for scope in request.scopes if not is_unmanaged(scope, unmanaged)}))
    names = own_claims(bundle.settings.claim_names if bundle else {})
    mark = {DEGRADED_CLAIM: code.value}
    hidden = tuple(sorted({GROUPS_CLAIM, *claims.impostors(names, request)}))
    changes = Changes(
        access=TokenChanges(mark, (GROUPS_CLAIM,)),
        id=TokenChanges() if request.machine else TokenChanges(mark, hidden),
        scopes_to_suppress=suppressed,
    )
    reasons = tuple(Reason("scope", scope, "suppressed", "request", "claims are degraded") for scope in suppressed)
    return Decision(changes, None, (), reasons)


def _tenant_reason(choice: tenancy.Choice, request: Request) -> Reason:
    """How the tenant was chosen, told by the row that says so."""
    source = {
        "pinned": f"POLICY CLIENT#{request.client_id}",
        "contradiction": f"POLICY CLIENT#{request.client_id}",
        "hint": "request",
        "stored": f"USER#{request.sub} USER",
        "sole": f"USER#{request.sub} TENANT#{choice.tenant.id if choice.tenant else ''}",
        "none": SETTINGS_ROW,
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
