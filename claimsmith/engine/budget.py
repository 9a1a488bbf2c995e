"""Keeps a token within its budget: DESIGN section 5, step 7.

What Cognito puts into a token by itself (groups, attributes, its own claims) is no ground for refusal: the user could
sign in with it before there was a trigger. Over the budget, everything that may be left out is, as far as needed. Where
that is not enough, the token is refused only if what the policy still adds is more than its share of the budget; so a
token has at most ``token_budget`` bytes, or Cognito's own part and that share.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from claimsmith.cognito import size
from claimsmith.cognito.claims import TOKENS
from claimsmith.cognito.response import GROUPS_CLAIM, Changes, TokenChanges
from claimsmith.cognito.tokens import ROLE_CLAIMS, issued
from claimsmith.engine.language import SHED_CLAIM
from claimsmith.engine.reasons import SETTINGS_ROW

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from claimsmith.cognito.claims import Token
    from claimsmith.engine.case import Case
    from claimsmith.engine.claims import Made

#: The part of the budget that a policy may always use, however long a token is without it: one part in so many.
SHARE: Final = 4


def fit(case: Case, changes: Changes, access: Made, identity: Made) -> Changes | None:
    """The changes without what does not fit; None where the policy makes a token too long all the same."""
    budget = case.bundle.settings.token_budget
    fitted: Changes | None = changes
    for at, (claims, made) in enumerate(zip(issued(case.request, changes), (access, identity), strict=True)):
        if not claims or size.signed(size.payload(claims, case.request)) <= budget:
            continue
        shorter = _Fitting(case, changes, at, claims, made).fitted()
        if shorter is None:
            fitted = None
        elif fitted is not None:
            fitted = _with(fitted, at, shorter)
    return fitted


class _Fitting:
    """One token that is too long."""

    __slots__ = ("at", "case", "changes", "claims", "made", "token")

    def __init__(self, case: Case, changes: Changes, at: int, claims: Mapping[str, Any], made: Made) -> None:
        self.case = case
        self.changes = changes
        self.at = at
        self.token: Token = TOKENS[at]
        self.claims = claims
        self.made = made

    def fitted(self) -> TokenChanges | None:
        """What is left of the token's changes; None for a refusal."""
        budget = self.case.bundle.settings.token_budget
        octets, lengths = size.payload(self.claims, self.case.request), size.lengths(self.claims)
        long, gone = size.signed(octets), []
        mark = size.encoded({SHED_CLAIM: []})
        for name in self.candidates():
            octets -= sum(lengths[left_out] for left_out in self.with_it(name))
            gone.append(name)
            mark += size.encoded({name: ""}) - 2  # a name and its colon take as much as a text in a list and its comma
            long = size.signed(octets + mark)
            if long <= budget:
                break
        left = self.without(gone)
        if long > budget:
            own = long - self.of_cognito(left)
            told = f"it has about {long:,} bytes, {own:,} of them by the policy; token_budget is {budget:,}"
            if own > budget // SHARE:
                why = f"{told}, and nothing more may be left out"
                self.case.say("token", self.token, "refused", SETTINGS_ROW, why, self.token)
                return None
            self.case.say("token", self.token, "kept", SETTINGS_ROW, told, self.token)
        for name in sorted(gone):
            row = self.made.rows.get(name, "request")
            self.case.say("claim", name, "shed", row, "the token would be longer than token_budget", self.token)
        return left

    def candidates(self) -> Iterator[str]:
        """What may be left out, in the order in which it is."""
        settings = self.case.bundle.settings
        made, names = self.made, settings.claim_names
        if (first := names.get("tenants")) in made.claims:
            yield first
        yield from reversed(made.optional)
        if settings.shed_groups and GROUPS_CLAIM in self.claims:
            yield GROUPS_CLAIM
        if (last := names.get("roles")) in made.claims:
            yield last

    def with_it(self, name: str) -> list[str]:
        """The claims that go where this one is left out: the IAM roles go with the groups."""
        names = (name, *ROLE_CLAIMS) if name == GROUPS_CLAIM else (name,)
        return [name for name in names if name in self.claims]

    def without(self, gone: list[str]) -> TokenChanges:
        changes = (self.changes.access, self.changes.id)[self.at]
        if not gone:
            return changes
        self.made.rows[SHED_CLAIM] = SETTINGS_ROW
        left = {name: changes.claims[name] for name in changes.claims.keys() - gone}
        left[SHED_CLAIM] = sorted(gone)
        # A user's attribute of that name does not take its place.
        attributes = self.case.request.attributes if self.token == TOKENS[1] else {}
        hidden = {name for name in gone if name == GROUPS_CLAIM or name in attributes}
        return TokenChanges({name: left[name] for name in sorted(left)}, tuple(sorted({*changes.suppressed, *hidden})))

    def of_cognito(self, left: TokenChanges) -> int:
        """The length of the same token without anything that the policy adds; what it takes away stays away."""
        request, held = self.case.request, self.changes.groups
        hidden = left.suppressed
        if held is not None:
            held = held._replace(groups=tuple(group for group in held.groups if group in request.groups))
            if not held.groups:
                held, hidden = None, (*hidden, GROUPS_CLAIM)
        bare = Changes(scopes_to_suppress=self.changes.scopes_to_suppress, groups=held)
        claims = issued(request, _with(bare, self.at, TokenChanges(suppressed=hidden)))[self.at]
        return size.signed(size.payload(claims, request))


def _with(changes: Changes, at: int, of_token: TokenChanges) -> Changes:
    return changes._replace(access=of_token) if at == 0 else changes._replace(id=of_token)
