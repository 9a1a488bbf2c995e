"""Which scopes an access token has: DESIGN section 5, step 4, and the scopes of section 4."""

from __future__ import annotations

from typing import TYPE_CHECKING

from claimsmith.cognito.limits import SCOPE
from claimsmith.engine.facts import Problem
from claimsmith.engine.language import is_privileged, is_unmanaged
from claimsmith.errors import Code

if TYPE_CHECKING:
    from claimsmith.engine.case import Case


def settle(case: Case) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The scopes to add and the scopes to suppress, sorted."""
    settings, say = case.bundle.settings, case.say
    granted = offered(case)
    requested = frozenset(case.request.scopes)
    mode = (case.client.scope_mode if case.client else None) or settings.scope_mode
    # An API sign-in can request nothing, so there is nothing to intersect with.
    everything = mode == "exact" or case.request.api
    never = suppressed(case)
    to_add: list[str] = []
    for scope in sorted(granted):
        if scope in never:
            say("scope", scope, "suppressed", never[scope], "suppress_scopes names it", "access")
        elif everything or scope in requested:
            if scope not in requested:
                to_add.append(scope)
            say("scope", scope, "granted", granted[scope], "", "access")
        else:
            say("scope", scope, "dropped", granted[scope], "it was not requested", "access")
    to_suppress: list[str] = []
    for scope in sorted(requested):
        if scope in never:
            to_suppress.append(scope)
            if scope not in granted:
                say("scope", scope, "suppressed", never[scope], "suppress_scopes names it", "access")
        elif scope in granted:
            continue
        elif is_unmanaged(scope, settings.unmanaged_scopes):
            say("scope", scope, "kept", "request", "the policy does not manage it", "access")
        else:
            to_suppress.append(scope)
            say("scope", scope, "suppressed", "request", "requested, not granted", "access")
    return tuple(to_add), tuple(to_suppress)


def suppressed(case: Case) -> dict[str, str]:
    """Every scope that is never in the token, with the row that says so."""
    never = dict.fromkeys(case.client.suppress_scopes, case.client_row) if case.client else {}
    for rule in case.rules:
        for scope in rule.suppress_scopes:
            never.setdefault(scope, rule.row)
    return never


def _offers(case: Case) -> list[tuple[tuple[str, ...], str]]:
    """Scopes that roles, the membership and rules give, with the row of each."""
    if case.request.machine and case.client is None:
        # A machine that the policy does not know gets no managed scope, whatever a rule says of everybody.
        return []
    held = [case.bundle.roles[name] for name in case.roles]
    offers = [(role.scopes, role.row) for role in held if role.scopes]
    if case.membership is not None and case.membership.scopes:
        offers.append((_of_membership(case, case.membership.scopes), case.membership_row))
    offers += [(rule.scopes, rule.row) for rule in case.rules if rule.scopes]
    return offers


def _of_membership(case: Case, scopes: tuple[str, ...]) -> tuple[str, ...]:
    """The membership's own scopes but for the privileged ones, which only the policy grants."""
    patterns = case.bundle.settings.privileged_scopes
    withheld = {scope for scope in scopes if is_privileged(scope, patterns)}
    if not withheld:
        return scopes
    for scope in sorted(withheld):
        case.say(
            "scope", scope, "dropped", case.membership_row, "it is privileged: only the policy grants it", "access"
        )
    why = "holds a privileged scope, which only the policy grants; it is left out"
    case.problems.append(Problem(case.membership_row, "scopes", why, Code.PRIVILEGED_SCOPE_IN_DIRECTORY))
    return tuple(scope for scope in scopes if scope not in withheld)


def offered(case: Case) -> dict[str, str]:
    """Each scope that a role, the membership or a rule gives and both ceilings allow, with its row."""
    managed, unmanaged = case.bundle.scopes, case.bundle.settings.unmanaged_scopes
    client_allows = case.client.scopes_allowed if case.client else None
    tenant_allows = case.tenant.scopes_allowed if case.tenant else None
    granted: dict[str, str] = {}
    seen: set[str] = set()
    for scopes, source in _offers(case):
        for scope in scopes:
            if scope in seen:
                continue
            seen.add(scope)
            if scope not in managed and not SCOPE.fullmatch(scope):
                case.say("scope", scope, "dropped", source, "Cognito does not take these characters", "access")
            elif scope not in managed and is_unmanaged(scope, unmanaged):
                case.say("scope", scope, "dropped", source, "the policy does not manage it", "access")
            elif client_allows is not None and scope not in client_allows:
                case.say("scope", scope, "dropped", case.client_row, "the client does not allow it", "access")
            elif tenant_allows is not None and scope not in tenant_allows:
                case.say("scope", scope, "dropped", case.tenant_row, "the tenant does not allow it", "access")
            else:
                granted[scope] = source
    return granted
