"""The decision: what goes into a token, and why. Pure, total and deterministic (docs/explanation/decision.md).

The trigger, preview and every other answer about a token come from this one function.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from claimsmith.cognito.claims import TOKENS
from claimsmith.cognito.limits import ADMIN_SCOPE, MAX_CHANGES
from claimsmith.cognito.response import GROUPS_CLAIM, Changes, TokenChanges, count
from claimsmith.engine import budget, claims, federation, groups, scopes, tenancy
from claimsmith.engine.built_in import RESERVED_CLAIMS
from claimsmith.engine.language import DEGRADED_CLAIM, SHED_CLAIM, is_unmanaged
from claimsmith.engine.reasons import SETTINGS_ROW, Reason, new
from claimsmith.engine.roles import Roles, assign
from claimsmith.engine.rules import apply
from claimsmith.engine.subject import Subject, gather
from claimsmith.errors import Code
from claimsmith.named_tuple import NamedTuple

if TYPE_CHECKING:
    from claimsmith.cognito.claims import Token
    from claimsmith.cognito.event import Request
    from claimsmith.engine.bundle import Bundle
    from claimsmith.engine.claims import TokenClaims
    from claimsmith.engine.facts import Facts, Problem
    from claimsmith.engine.groups import GroupChanges
    from claimsmith.engine.language.paths import EvaluationContext
    from claimsmith.engine.rules import RuleSet
    from claimsmith.engine.scopes import Scopes


class Decision(NamedTuple):
    """What the tokens will hold.

    Attributes:
        changes: what the trigger answers.
        tenant_id: the tenant the tokens are for.
        roles: sorted.
        reasons: why, in a fixed order.
        problems: rows that could not be read, or hold what they may not.
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


class Outcome(NamedTuple):
    """What comes of steps 4 to 8.

    Attributes:
        result: what the trigger answers, or why it refuses.
        problems: rows of the directory that hold what they may not.
    """

    result: Changes | Code
    reasons: tuple[Reason, ...]
    problems: tuple[Problem, ...]


def decide(bundle: Bundle, facts: Facts, request: Request, now: int) -> Decision | Refusal:  # noqa: ARG001 - part of the interface: facts are read as of then
    """Decide what the tokens of this request hold.

    Args:
        bundle: the policy.
        facts: what the directory holds; rows that are not in it count as absent.
        request: what Cognito asks.
        now: epoch seconds.

    Returns:
        The decision, or a refusal with a code. Never raises.
    """
    problems = (*facts.user.problems, *facts.problems)
    choice = tenancy.choose(bundle, facts.user, facts.tenants, request)
    if choice.refusal is not None:
        return Refusal(choice.refusal, (choice.reason,), problems)
    subject = gather(bundle, facts, request, choice)
    roles = assign(bundle, subject)
    context = subject.context(roles.names)
    applied = apply(bundle.rules, context)
    outcome = resolve(bundle, subject, roles, applied, context, with_id=not request.machine)
    reasons = (choice.reason, *roles.reasons, *applied.reasons, *outcome.reasons)
    problems += outcome.problems
    if isinstance(outcome.result, Code):
        return Refusal(outcome.result, reasons, problems)
    return Decision(outcome.result, choice.tenant.id if choice.tenant else None, roles.names, reasons, problems)


def resolve(
    bundle: Bundle,
    subject: Subject,
    roles: Roles,
    rules: RuleSet,
    context: EvaluationContext,
    *,
    with_id: bool,
) -> Outcome:
    """Steps 4 to 8: scopes, groups and claims, then what of them fits.

    Args:
        bundle: the policy.
        subject: whom the tokens are for.
        roles: the assigned ones.
        rules: those that apply.
        context: what conditions and values read.
        with_id: whether the policy's claims of the ID token count.
    """
    scoped = scopes.resolve(bundle, subject, roles.given, rules)
    grouped = groups.resolve(bundle, subject, roles.given, rules)
    access = claims.resolve(bundle, subject, roles, rules, context, TOKENS[0])
    identity = claims.NO_CHANGES
    if with_id:
        identity = claims.resolve(bundle, subject, roles, rules, context, TOKENS[1])
    reasons = (*scoped.reasons, *grouped.reasons, *access.reasons, *identity.reasons)
    problems = scoped.problems + grouped.problems
    changes = _changes(scoped, grouped, access, identity)
    if count(changes, subject.request) > MAX_CHANGES:
        why = f"it takes {MAX_CHANGES:,} claims and scopes in both tokens"
        reasons += (Reason("token", "", "refused", "Cognito", why),)
        return Outcome(Code.TOO_MANY_CHANGES, reasons, problems)
    fitted = budget.fit(bundle.settings, subject.request, changes, access, identity)
    reasons += fitted.reasons
    if fitted.changes is None:
        return Outcome(Code.TOKEN_OVER_BUDGET, reasons, problems)
    reasons += (*_set(access, fitted.changes.access, TOKENS[0]), *_set(identity, fitted.changes.id, TOKENS[1]))
    return Outcome(fitted.changes, reasons, problems)


def _changes(scoped: Scopes, grouped: GroupChanges, access: TokenClaims, identity: TokenClaims) -> Changes:
    """What the trigger would answer, whatever its length."""
    hidden = access.suppressed, identity.suppressed
    if grouped.removed:
        # An empty list of groups is not documented; suppressing the claim is.
        hidden = _and_groups(access.suppressed), _and_groups(identity.suppressed)
    return Changes(
        TokenChanges(access.claims, hidden[0]),
        TokenChanges(identity.claims, hidden[1]),
        scoped.to_add,
        scoped.to_suppress,
        grouped.override,
    )


def _and_groups(suppressed: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted({*suppressed, GROUPS_CLAIM}))


def _set(resolved: TokenClaims, fitted: TokenChanges, token: Token) -> list[Reason]:
    """Where each claim of a token comes from; the list of those that were shed comes from the settings."""
    reasons = resolved.reasons_for
    if SHED_CLAIM not in fitted.claims:
        return list(map(reasons.__getitem__, fitted.claims))
    shed = new(Reason, ("claim", SHED_CLAIM, "set", SETTINGS_ROW, "", token))
    return [reasons.get(name, shed) for name in fitted.claims]


def degraded(bundle: Bundle | None, request: Request, code: Code) -> Decision:
    """The token for when nothing can be known: no tenant, roles, groups or managed scopes, and marked.

    Args:
        bundle: the last one known; without one only the scopes that are never managed stay.
        request: what Cognito asks.
        code: why; the value of ``claims_degraded``.
    """
    unmanaged: frozenset[str] = bundle.settings.unmanaged_scopes if bundle else frozenset()
    gone = {scope for scope in request.scopes if not is_unmanaged(scope, unmanaged)}
    if ADMIN_SCOPE in request.scopes and federation.may_be_sealed(bundle, request):
        gone.add(ADMIN_SCOPE)
    suppressed = tuple(sorted(gone))
    names = bundle.settings.own_claims if bundle else RESERVED_CLAIMS
    mark = {DEGRADED_CLAIM: code.value}
    client = bundle.clients.get(request.client_id) if bundle else None
    of_access = mark if client is None or client.add_to_access_token else {}
    hidden = tuple(sorted({GROUPS_CLAIM, *claims.impostors(names, request)}))
    changes = Changes(
        access=TokenChanges(of_access, (GROUPS_CLAIM,)),
        id=TokenChanges() if request.machine else TokenChanges(mark, hidden),
        scopes_to_suppress=suppressed,
    )
    reasons = tuple(Reason("scope", scope, "suppressed", "request", "claims are degraded") for scope in suppressed)
    return Decision(changes, None, (), reasons)
