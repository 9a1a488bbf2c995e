"""What differs between two answers about the same request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from claimsmith.cognito.claims import TOKENS
from claimsmith.named_tuple import NamedTuple

if TYPE_CHECKING:
    from claimsmith.engine.explanation import Item, Link
    from claimsmith.service.explain import Explanation
    from claimsmith.service.preview import Preview


class ClaimDifference(NamedTuple):
    """A claim that differs.

    Attributes:
        before: its value; None where it is not there. No claim has the value null.
        after: likewise.
    """

    token: str
    claim: str
    before: Any
    after: Any


class ItemDifference(NamedTuple):
    """A tenant, role, scope, group or claim that is gained or lost, or comes from elsewhere.

    Attributes:
        before: its chain; None where it is not there.
        after: likewise.
    """

    kind: str
    name: str
    token: str
    before: tuple[Link, ...] | None
    after: tuple[Link, ...] | None


def claim_differences(before: Preview, after: Preview) -> list[ClaimDifference]:
    """The claims in which two previews differ, by token and name."""
    return [
        ClaimDifference(token, name, old.get(name), new.get(name))
        for token, old, new in zip(TOKENS, (before.access, before.id), (after.access, after.id), strict=True)
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]


def item_differences(before: Explanation, after: Explanation) -> list[ItemDifference]:
    """The items in which two explanations differ."""
    old, new = _chains(before.items), _chains(after.items)
    return [
        ItemDifference(*key, old.get(key), new.get(key))
        for key in dict.fromkeys([*old, *new])
        if old.get(key) != new.get(key)
    ]


def _chains(items: tuple[Item, ...]) -> dict[tuple[str, str, str], tuple[Link, ...]]:
    return {(item.kind, item.name, item.token): item.chain for item in items}
