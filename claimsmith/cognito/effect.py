"""What changes to Cognito's own tokens would do, by name: for the log of a policy that is not in effect yet."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from claimsmith.cognito.response import GROUPS_CLAIM, Changes
from claimsmith.cognito.tokens import issued
from claimsmith.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from claimsmith.cognito.event import Request

    Claims = Mapping[str, Any]
    Names = tuple[str, ...]


class Effect(NamedTuple):
    """The names of what would differ, sorted; ``access`` and ``id`` are claims other than scopes and groups."""

    scopes_added: Names = ()
    scopes_suppressed: Names = ()
    groups_added: Names = ()
    groups_suppressed: Names = ()
    access_added: Names = ()
    access_overridden: Names = ()
    access_suppressed: Names = ()
    id_added: Names = ()
    id_overridden: Names = ()
    id_suppressed: Names = ()

    @property
    def takes_away(self) -> bool:
        """Whether a scope, a group or a claim that Cognito gives would be missing."""
        suppressed = self.scopes_suppressed + self.groups_suppressed + self.access_suppressed + self.id_suppressed
        return bool(suppressed)


def effect(request: Request, changes: Changes) -> Effect:
    """What changes would do to the tokens of a request."""
    plain, changed = issued(request, Changes()), issued(request, changes)
    # Groups are the same in both tokens, unless one of the two suppresses the claim.
    groups = _more(*(_groups(tokens) for tokens in (changed, plain)))
    gone = sorted({name for before, after in zip(plain, changed, strict=True) for name in _lost(before, after)})
    return Effect(
        *_more(_scopes(changed[0]), _scopes(plain[0])),
        groups[0],
        tuple(gone),
        *_claims(plain[0], changed[0]),
        *_claims(plain[1], changed[1]),
    )


def _scopes(access: Claims) -> set[str]:
    return set(access.get("scope", "").split())


def _groups(tokens: Iterable[Claims]) -> set[str]:
    return {name for claims in tokens for name in claims.get(GROUPS_CLAIM, ())}


def _lost(before: Claims, after: Claims) -> set[str]:
    return set(before.get(GROUPS_CLAIM, ())) - set(after.get(GROUPS_CLAIM, ()))


def _more(after: set[str], before: set[str]) -> tuple[Names, Names]:
    return tuple(sorted(after - before)), tuple(sorted(before - after))


def _claims(before: Claims, after: Claims) -> tuple[Names, Names, Names]:
    """The names of claims that are added, overridden and suppressed."""
    names = (before.keys() | after.keys()) - {"scope", GROUPS_CLAIM}
    overridden = {name for name in names & before.keys() & after.keys() if _text(before[name]) != _text(after[name])}
    added, suppressed = _more(names & after.keys(), names & before.keys())
    return added, tuple(sorted(overridden)), suppressed


def _text(value: object) -> str:
    """A value for comparison: in Python, 1 equals True."""
    return json.dumps(value, sort_keys=True)
