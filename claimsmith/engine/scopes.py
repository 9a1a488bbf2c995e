"""Which scopes an access token has: step 4 of docs/explanation/decision.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

from claimsmith.cognito.limits import ADMIN_SCOPE
from claimsmith.engine import federation
from claimsmith.engine.bundle import granted_by
from claimsmith.engine.facts import Problem
from claimsmith.engine.language import ALWAYS_UNMANAGED, is_privileged, is_unmanaged
from claimsmith.engine.reasons import Reason, new
from claimsmith.engine.role_sets import Ceiling, beyond
from claimsmith.engine.subject import NOTHING_ADDED
from claimsmith.errors import Code
from claimsmith.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from claimsmith.engine.bundle import Bundle, Grant
    from claimsmith.engine.role_sets import RoleSet
    from claimsmith.engine.rules import RuleSet
    from claimsmith.engine.subject import Subject


class Scopes(NamedTuple):
    """What changes about the scopes.

    Attributes:
        to_add: sorted; likewise ``to_suppress``.
        problems: privileged scopes in rows of the directory.
    """

    to_add: tuple[str, ...]
    to_suppress: tuple[str, ...]
    reasons: tuple[Reason, ...]
    problems: tuple[Problem, ...]


class Granted(NamedTuple):
    """The scopes that may be in the token, whatever is requested.

    Attributes:
        reasons_for: why each may be, by scope.
        problems: privileged scopes in rows of the directory.
    """

    reasons_for: Mapping[str, Reason]
    reasons: tuple[Reason, ...]
    problems: tuple[Problem, ...]


def resolve(bundle: Bundle, subject: Subject, roles: RoleSet, rules: RuleSet) -> Scopes:
    """The scopes to add and to suppress, given the assigned roles and the rules that apply."""
    settings, request = bundle.settings, subject.request
    granted, dropped, problems = grant(bundle, subject, roles, rules)
    reasons = list(dropped)
    requested = frozenset(request.scopes)
    mode = (subject.client.scope_mode if subject.client else None) or settings.scope_mode
    # A sign-in by API can request nothing, so there is nothing to intersect with.
    api = request.api
    adds = subject.adds_to_access_token
    everything = adds and (mode == "exact" or api)
    left_out = "it was not requested" if adds else NOTHING_ADDED
    sealed = _sealed(bundle, subject)
    suppressed = {**sealed, **suppressions(subject, rules)}
    to_add: list[str] = []
    to_suppress: list[str] = []
    for scope in sorted(granted):
        reason = granted[scope]
        if scope in suppressed:
            why = "suppress_scopes names it"
            reason = new(Reason, ("scope", scope, "suppressed", suppressed[scope], why, "access"))
        elif scope not in requested:
            # Of the scopes that Cognito grants by itself, only a sign-in by API can lack one that it may have.
            if everything and (api or scope not in ALWAYS_UNMANAGED):
                to_add.append(scope)
            else:
                reason = new(Reason, ("scope", scope, "dropped", reason.source, left_out, "access"))
        reasons.append(reason)
    for scope in sorted(requested):
        if scope in suppressed:
            to_suppress.append(scope)
            if scope not in granted:
                why = federation.SEALED if suppressed[scope] == sealed.get(scope) else "suppress_scopes names it"
                reasons.append(new(Reason, ("scope", scope, "suppressed", suppressed[scope], why, "access")))
        elif scope in granted:
            continue
        elif is_unmanaged(scope, settings.unmanaged_scopes):
            reasons.append(new(Reason, ("scope", scope, "kept", "request", "the policy does not manage it", "access")))
        else:
            to_suppress.append(scope)
            reasons.append(new(Reason, ("scope", scope, "suppressed", "request", "requested, not granted", "access")))
    return Scopes(tuple(to_add), tuple(to_suppress), tuple(reasons), problems)


def _sealed(bundle: Bundle, subject: Subject) -> dict[str, str]:
    """The scope that users of an identity provider must not have, with the provider's row."""
    if not bundle.providers or ADMIN_SCOPE not in subject.request.scopes:
        return {}
    row = federation.sealed_by(bundle, subject.request)
    return {} if row is None else {ADMIN_SCOPE: row}


def suppressions(subject: Subject, rules: RuleSet) -> dict[str, str]:
    """Every scope that client and rules suppress, with the row that does."""
    of_client = subject.client.suppress_scopes if subject.client else ()
    return {**rules.suppressed_scopes, **dict.fromkeys(of_client, subject.client_row)}


def grant(bundle: Bundle, subject: Subject, roles: RoleSet, rules: RuleSet) -> Granted:
    """The scopes that a role, the membership or a rule grants and that client and tenant allow."""
    privileged = _privileged(bundle, subject)
    problems = _problems(subject, privileged)
    why = "it is privileged: only the policy grants it"
    reasons = [new(Reason, ("scope", scope, "dropped", subject.membership_row, why, "access")) for scope in privileged]
    if subject.request.machine and subject.client is None:
        # A machine that the policy does not know gets no managed scope, even if a rule grants one to everybody.
        return Granted({}, tuple(reasons), problems)
    reasons_for, refused = {**roles.scopes}, {**roles.refused}
    ceilings = _ceilings(subject)
    for ceiling, why in ceilings:
        if not reasons_for.keys() <= ceiling.scopes:
            refused |= {scope: beyond(ceiling, scope, why) for scope in reasons_for if scope not in ceiling.scopes}
            reasons_for = {scope: reason for scope, reason in reasons_for.items() if scope in ceiling.scopes}
    for grants in _grants(bundle, subject, rules, privileged):
        for scope, reason, possible in grants:
            if scope in reasons_for or scope in refused:
                continue
            if not possible:
                refused[scope] = reason
                continue
            for ceiling, why in ceilings:
                if scope not in ceiling.scopes:
                    refused[scope] = beyond(ceiling, scope, why)
                    break
            else:
                reasons_for[scope] = reason
    return Granted(reasons_for, (*reasons, *refused.values()), problems)


def _ceilings(subject: Subject) -> list[tuple[Ceiling, str]]:
    """The ceilings that count, that of the client before the tenant's, and what is said of a scope beyond each."""
    of_client = subject.ceiling
    ceilings = [] if of_client is None else [(of_client, "the client does not allow it")]
    if subject.tenant is not None and subject.tenant.scopes_allowed is not None:
        ceilings.append((Ceiling(subject.tenant_row, subject.tenant.scopes_allowed), "the tenant does not allow it"))
    return ceilings


def _grants(bundle: Bundle, subject: Subject, rules: RuleSet, privileged: list[str]) -> list[tuple[Grant, ...]]:
    """What each row but the roles' grants, without what the directory must not."""
    grants = [*rules.grants]
    if subject.membership is not None:
        scopes = subject.membership.scopes
        left = tuple(scope for scope in scopes if scope not in privileged) if privileged else scopes
        grants.insert(0, granted_by(subject.membership_row, left, bundle.settings.unmanaged_scopes))
    return grants


def _privileged(bundle: Bundle, subject: Subject) -> list[str]:
    """The membership's scopes that only the policy grants; sorted."""
    if subject.membership is None:
        return []
    patterns = bundle.settings.privileged_scopes
    return sorted({scope for scope in subject.membership.scopes if is_privileged(scope, patterns)})


def _problems(subject: Subject, privileged: list[str]) -> tuple[Problem, ...]:
    if not privileged:
        return ()
    why = "holds a privileged scope, which only the policy grants; it is left out"
    return (Problem(subject.membership_row, "scopes", why, Code.PRIVILEGED_SCOPE_IN_DIRECTORY),)
