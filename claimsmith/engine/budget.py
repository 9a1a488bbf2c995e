"""Keeps a token within its budget: DESIGN section 5, step 7."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from claimsmith.cognito import size
from claimsmith.cognito.claims import TOKENS
from claimsmith.cognito.response import TokenChanges
from claimsmith.cognito.tokens import issued
from claimsmith.engine.language import SHED_CLAIM
from claimsmith.engine.reasons import SETTINGS_ROW

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from claimsmith.cognito.claims import Token
    from claimsmith.cognito.response import Changes
    from claimsmith.engine.case import Case
    from claimsmith.engine.claims import Made


def fit(case: Case, changes: Changes, access: Made, identity: Made) -> Changes | None:
    """The changes without what does not fit; None where a token is too long all the same."""
    access_claims, id_claims = issued(case.request, changes)
    shorter_access = _fit(case, TOKENS[0], access_claims, changes.access, access)
    shorter_id = _fit(case, TOKENS[1], id_claims, changes.id, identity)
    if shorter_access is None or shorter_id is None:
        return None
    if shorter_access is changes.access and shorter_id is changes.id:
        return changes
    return changes._replace(access=shorter_access, id=shorter_id)


def _fit(case: Case, token: Token, claims: Mapping[str, Any], changes: TokenChanges, made: Made) -> TokenChanges | None:
    if not claims:
        return changes
    budget = case.bundle.settings.token_budget
    octets = size.payload(claims, case.request)
    if size.signed(octets) <= budget:
        return changes
    gone: list[str] = []
    for name in _candidates(case, made):
        gone.append(name)
        octets -= size.encoded({name: made.claims[name]}) + 1
        if size.signed(octets + size.encoded({SHED_CLAIM: gone}) + 1) <= budget:
            return _without(case, token, changes, made, gone)
    left = "even without what may be left out" if gone else "and nothing in it may be left out"
    why = f"it has about {size.signed(octets):,} bytes, {left}; token_budget is {budget:,}"
    case.say("token", token, "refused", SETTINGS_ROW, why, token)
    return None


def _candidates(case: Case, made: Made) -> Iterator[str]:
    """What may be left out, in the order in which it is."""
    names = case.bundle.settings.claim_names
    last = names.get("roles")
    if (first := names.get("tenants")) in made.claims:
        yield first
    yield from reversed(made.optional)
    if last in made.claims:
        yield last


def _without(case: Case, token: Token, changes: TokenChanges, made: Made, gone: list[str]) -> TokenChanges:
    gone.sort()
    for name in gone:
        case.say("claim", name, "shed", made.rows[name], "the token would be longer than token_budget", token)
    made.rows[SHED_CLAIM] = SETTINGS_ROW
    left = {name: value for name, value in changes.claims.items() if name not in gone}
    left[SHED_CLAIM] = gone
    # A user's attribute of that name does not take its place.
    hidden = {name for name in gone if token == TOKENS[1] and name in case.request.attributes}
    return TokenChanges({name: left[name] for name in sorted(left)}, tuple(sorted({*changes.suppressed, *hidden})))
