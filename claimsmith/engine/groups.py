"""Which groups both tokens name: the user's groups in the pool, changed by rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from claimsmith.cognito.response import Groups
from claimsmith.engine.reasons import Reason, new

if TYPE_CHECKING:
    from claimsmith.cognito.event import Request
    from claimsmith.engine.bundle import Rule


class GroupChanges(NamedTuple):
    """What changes about the groups.

    Attributes:
        override: the groups that replace the user's; None where they stay, and where all are removed.
        removed: whether all groups are removed.
    """

    override: Groups | None
    removed: bool
    reasons: tuple[Reason, ...]


def resolve(request: Request, rules: tuple[Rule, ...]) -> GroupChanges:
    """The groups after all rules that apply.

    Where a group is removed, so are the IAM roles and the preferred role: nothing says which group they come from.
    """
    added = {group: rule.row for rule in reversed(rules) for group in rule.add_groups}
    removed = {group: rule.row for rule in reversed(rules) for group in rule.suppress_groups}
    if request.machine:
        why = "a machine has no groups"
        dropped = [new(Reason, ("group", group, "dropped", added[group], why, "")) for group in sorted(added)]
        return GroupChanges(None, removed=False, reasons=tuple(dropped))
    left: list[str] = []
    reasons: list[Reason] = []
    if not added and not removed:
        kept = [new(Reason, ("group", group, "kept", "request", "", "")) for group in request.groups]
        return GroupChanges(None, removed=False, reasons=tuple(kept))
    candidates = [(group, "kept", "request") for group in request.groups]
    candidates += [(group, "granted", added[group]) for group in sorted(added.keys() - set(request.groups))]
    for group, outcome, row in candidates:
        if group in removed:
            why = "suppress_groups names it"
            reasons.append(new(Reason, ("group", group, "suppressed", removed[group], why, "")))
        else:
            left.append(group)
            reasons.append(new(Reason, ("group", group, outcome, row, "", "")))
    if tuple(left) == request.groups:
        override = None
    elif removed.keys() & set(request.groups):
        override = Groups(tuple(left))
    else:
        override = Groups(tuple(left), request.iam_roles, request.preferred_role)
    if override is not None and not override.groups:
        return GroupChanges(None, removed=True, reasons=tuple(reasons))
    return GroupChanges(override, removed=False, reasons=tuple(reasons))
