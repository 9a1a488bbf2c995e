"""Keeps a token within its budget: step 7 of docs/explanation/decision.md.

What Cognito puts into a token by itself (groups, attributes, its own claims) is no ground for refusal: the user could
sign in with it before there was a trigger. Over the budget, claims that may be left out go, as far as needed. Where all
of them are not enough, only so many go that what the policy adds is no more than its share of the budget, and the token
is refused if even that cannot be; so a token has at most ``token_budget`` bytes, or Cognito's own part and that share.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from claimsmith.cognito import size
from claimsmith.cognito.claims import TOKENS
from claimsmith.cognito.response import GROUPS_CLAIM, Changes, TokenChanges
from claimsmith.cognito.tokens import ROLE_CLAIMS, issued
from claimsmith.engine.language import SHED_CLAIM
from claimsmith.engine.reasons import SETTINGS_ROW, Reason, new
from claimsmith.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from claimsmith.cognito.claims import Token
    from claimsmith.cognito.event import Request
    from claimsmith.engine.bundle import Settings
    from claimsmith.engine.claims import TokenClaims

#: The part of the budget that a policy may always use, however long a token is without it: one part in so many.
SHARE: Final = 4


class Fitted(NamedTuple):
    """What is left of the changes.

    Attributes:
        changes: None where the policy makes a token too long even without all that may be left out.
    """

    changes: Changes | None
    reasons: tuple[Reason, ...]


def fit(settings: Settings, request: Request, changes: Changes, access: TokenClaims, identity: TokenClaims) -> Fitted:
    """The changes without what does not fit into the tokens."""
    if size.surely_within(settings.token_budget, changes, request):
        return Fitted(changes, ())
    fitted: Changes | None = changes
    reasons: tuple[Reason, ...] = ()
    for at, (issued_claims, resolved) in enumerate(zip(issued(request, changes), (access, identity), strict=True)):
        if not issued_claims or size.signed(size.payload(issued_claims, request)) <= settings.token_budget:
            continue
        shortened, why = _TooLong(settings, request, changes, at, issued_claims, resolved).shortened()
        reasons += why
        if shortened is None:
            fitted = None
        elif fitted is not None:
            fitted = _with(fitted, at, shortened)
    return Fitted(fitted, reasons)


class _TooLong:
    """One token that is too long."""

    __slots__ = ("at", "changes", "claims", "request", "resolved", "settings", "token")

    def __init__(
        self,
        settings: Settings,
        request: Request,
        changes: Changes,
        at: int,
        claims: dict[str, Any],
        resolved: TokenClaims,
    ) -> None:
        self.settings = settings
        self.request = request
        self.changes = changes
        self.at = at
        self.token: Token = TOKENS[at]
        self.claims = claims
        self.resolved = resolved

    def shortened(self) -> tuple[TokenChanges | None, tuple[Reason, ...]]:
        """What is left of the token's changes, None for a refusal; and why."""
        budget, names = self.settings.token_budget, tuple(self.sheddable())
        reasons: list[Reason] = []
        lengths = tuple(self.lengths(names))
        count = next((count for count, length in enumerate(lengths) if length <= budget), None)
        if count is None:
            # Nothing brings it within the budget, so nothing goes for nothing: only what makes the policy's part small.
            bare = self.lengths_without_policy(names)
            parts = [length - without for length, without in zip(lengths, bare, strict=True)]
            count = next((count for count, part in enumerate(parts) if part <= budget // SHARE), None)
            kept = len(names) if count is None else count
            why = f"it has about {lengths[kept]:,} bytes, {parts[kept]:,} of them by the policy; "
            why += f"token_budget is {budget:,}"
            if count is None:
                why += ", and nothing more may be left out"
                return None, (Reason("token", self.token, "refused", SETTINGS_ROW, why, self.token),)
            reasons.append(Reason("token", self.token, "kept", SETTINGS_ROW, why, self.token))
        shed = names[:count]
        for name in sorted(shed):
            given = self.resolved.reasons_for.get(name)
            row, why = given.source if given else "request", "the token would be longer than token_budget"
            reasons.append(new(Reason, ("claim", name, "shed", row, why, self.token)))
        return self.without(shed), tuple(reasons)

    def lengths(self, names: tuple[str, ...]) -> Iterator[int]:
        """The length of the token without the first 0, 1, … of these claims, which it names instead."""
        octets, lengths = size.payload(self.claims, self.request), size.lengths(self.claims)
        yield size.signed(octets)
        mark = size.encoded({SHED_CLAIM: []})
        for name in names:
            octets -= sum(lengths[removed] for removed in self.removed_with(name))
            mark += size.encoded({name: ""}) - 2  # a name and its colon take as much as a text in a list and its comma
            yield size.signed(octets + mark)

    def sheddable(self) -> Iterator[str]:
        """What may be left out, in the order in which it is."""
        names, claims = self.settings.claim_names, self.resolved.claims
        if "tenants" in names and names["tenants"] in claims:
            yield names["tenants"]
        yield from reversed(self.resolved.optional)
        if self.settings.shed_groups and GROUPS_CLAIM in self.claims:
            yield GROUPS_CLAIM
        if "roles" in names and names["roles"] in claims:
            yield names["roles"]

    def removed_with(self, name: str) -> list[str]:
        """The claims that go where this one is left out: the IAM roles go with the groups."""
        names = (name, *ROLE_CLAIMS) if name == GROUPS_CLAIM else (name,)
        return [name for name in names if name in self.claims]

    def without(self, shed: tuple[str, ...]) -> TokenChanges:
        """The token's changes without these claims, which it names instead."""
        changes = (self.changes.access, self.changes.id)[self.at]
        if not shed:
            return changes
        left = {name: changes.claims[name] for name in changes.claims.keys() - shed}
        left[SHED_CLAIM] = sorted(shed)
        hidden = {*changes.suppressed, *filter(self.is_hidden, shed)}
        return TokenChanges({name: left[name] for name in sorted(left)}, tuple(sorted(hidden)))

    def is_hidden(self, name: str) -> bool:
        """Whether Cognito would set this claim where the policy leaves it out: groups, or an attribute of that name."""
        return name == GROUPS_CLAIM or (self.token == TOKENS[1] and name in self.request.attributes)

    def lengths_without_policy(self, names: tuple[str, ...]) -> Iterator[int]:
        """The length of the token without all that the policy adds, and without the first 0, 1, … of these claims.

        What the policy removes stays removed.
        """
        hidden = (self.changes.access, self.changes.id)[self.at].suppressed
        length = self.length_without_policy(hidden)
        yield length
        for name in names:
            if self.is_hidden(name):
                hidden = (*hidden, name)
                length = self.length_without_policy(hidden)
            yield length

    def length_without_policy(self, hidden: tuple[str, ...]) -> int:
        """The length of the token where the policy only suppresses these claims."""
        request, groups = self.request, self.changes.groups
        if groups is not None:
            groups = groups._replace(groups=tuple(group for group in groups.groups if group in request.groups))
            if not groups.groups:
                groups, hidden = None, (*hidden, GROUPS_CLAIM)
        bare = Changes(scopes_to_suppress=self.changes.scopes_to_suppress, groups=groups)
        claims = issued(request, _with(bare, self.at, TokenChanges(suppressed=hidden)))[self.at]
        return size.signed(size.payload(claims, request))


def _with(changes: Changes, at: int, of_token: TokenChanges) -> Changes:
    return changes._replace(access=of_token) if at == 0 else changes._replace(id=of_token)
