"""Which scopes an access token has: step 4 of docs/explanation/decision.md."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from claimsmith.engine.bundle import granted_by
from claimsmith.engine.facts import Problem
from claimsmith.engine.language import is_privileged, is_unmanaged
from claimsmith.engine.reasons import Reason, new
from claimsmith.errors import Code

if TYPE_CHECKING:
    from collections.abc import Mapping

    from claimsmith.engine.bundle import Bundle, Grant, Rule
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
        rows: the row that grants each, by scope.
        problems: privileged scopes in rows of the directory.
    """

    rows: Mapping[str, str]
    reasons: tuple[Reason, ...]
    problems: tuple[Problem, ...]


def resolve(bundle: Bundle, subject: Subject, roles: tuple[str, ...], rules: tuple[Rule, ...]) -> Scopes:
    """The scopes to add and to suppress, given the assigned roles and the rules that apply."""
    settings, request = bundle.settings, subject.request
    granted, dropped, problems = grant(bundle, subject, roles, rules)
    reasons = list(dropped)
    requested = frozenset(request.scopes)
    mode = (subject.client.scope_mode if subject.client else None) or settings.scope_mode
    # A sign-in by API can request nothing, so there is nothing to intersect with.
    everything = mode == "exact" or request.api
    suppressed = suppressions(subject, rules)
    to_add: list[str] = []
    to_suppress: list[str] = []
    for scope in sorted(granted):
        if scope in suppressed:
            why = "suppress_scopes names it"
            reasons.append(new(Reason, ("scope", scope, "suppressed", suppressed[scope], why, "access")))
        elif everything or scope in requested:
            if scope not in requested:
                to_add.append(scope)
            reasons.append(new(Reason, ("scope", scope, "granted", granted[scope], "", "access")))
        else:
            reasons.append(new(Reason, ("scope", scope, "dropped", granted[scope], "it was not requested", "access")))
    for scope in sorted(requested):
        if scope in suppressed:
            to_suppress.append(scope)
            if scope not in granted:
                why = "suppress_scopes names it"
                reasons.append(new(Reason, ("scope", scope, "suppressed", suppressed[scope], why, "access")))
        elif scope in granted:
            continue
        elif is_unmanaged(scope, settings.unmanaged_scopes):
            reasons.append(new(Reason, ("scope", scope, "kept", "request", "the policy does not manage it", "access")))
        else:
            to_suppress.append(scope)
            reasons.append(new(Reason, ("scope", scope, "suppressed", "request", "requested, not granted", "access")))
    return Scopes(tuple(to_add), tuple(to_suppress), tuple(reasons), problems)


def suppressions(subject: Subject, rules: tuple[Rule, ...]) -> dict[str, str]:
    """Every scope that client and rules suppress, with the row that does."""
    rows = dict.fromkeys(subject.client.suppress_scopes, subject.client_row) if subject.client else {}
    for rule in rules:
        for scope in rule.suppress_scopes:
            rows.setdefault(scope, rule.row)
    return rows


def grant(bundle: Bundle, subject: Subject, roles: tuple[str, ...], rules: tuple[Rule, ...]) -> Granted:
    """The scopes that a role, the membership or a rule grants and that client and tenant allow."""
    client_allows = subject.client.scopes_allowed if subject.client else None
    tenant_allows = subject.tenant.scopes_allowed if subject.tenant else None
    privileged = _privileged(bundle, subject)
    rows: dict[str, str] = {}
    seen: set[str] = set()
    why = "it is privileged: only the policy grants it"
    reasons = [new(Reason, ("scope", scope, "dropped", subject.membership_row, why, "access")) for scope in privileged]
    for grants in _grants(bundle, subject, roles, rules, privileged):
        for grant in grants:
            scope, row, why_not = grant
            if scope in seen:
                continue
            seen.add(scope)
            if why_not is not None:
                reasons.append(new(Reason, ("scope", scope, "dropped", row, why_not, "access")))
            elif client_allows is not None and scope not in client_allows:
                why = "the client does not allow it"
                reasons.append(new(Reason, ("scope", scope, "dropped", subject.client_row, why, "access")))
            elif tenant_allows is not None and scope not in tenant_allows:
                why = "the tenant does not allow it"
                reasons.append(new(Reason, ("scope", scope, "dropped", subject.tenant_row, why, "access")))
            else:
                rows[scope] = row
    return Granted(rows, tuple(reasons), _problems(subject, privileged))


def _grants(
    bundle: Bundle, subject: Subject, roles: tuple[str, ...], rules: tuple[Rule, ...], privileged: list[str]
) -> list[tuple[Grant, ...]]:
    """What each row grants, without what the directory must not."""
    if subject.request.machine and subject.client is None:
        # A machine that the policy does not know gets no managed scope, even if a rule grants one to everybody.
        return []
    grants = [role.grants for role in map(bundle.roles.__getitem__, roles)]
    if subject.membership is not None:
        scopes = subject.membership.scopes
        left = tuple(scope for scope in scopes if scope not in privileged) if privileged else scopes
        grants.append(granted_by(subject.membership_row, left, bundle.settings.unmanaged_scopes))
    return grants + [rule.grants for rule in rules if rule.grants]


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
