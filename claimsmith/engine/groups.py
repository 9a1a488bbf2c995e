"""Which groups both tokens name: the user's own, changed by rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from claimsmith.cognito.response import Groups

if TYPE_CHECKING:
    from claimsmith.engine.case import Case


def settle(case: Case) -> Groups | None:
    """The groups as they are to be, possibly none; None where no rule changes them.

    A group taken away takes the IAM roles and the preferred role along: which of them were its own is not known.
    """
    request = case.request
    added = {group: rule.row for rule in reversed(case.rules) for group in rule.add_groups}
    removed = {group: rule.row for rule in reversed(case.rules) for group in rule.suppress_groups}
    if request.machine:
        for group in sorted(added):
            case.say("group", group, "dropped", added[group], "a machine has no groups")
        return None
    left: list[str] = []
    for group in request.groups:
        if group in removed:
            case.say("group", group, "suppressed", removed[group], "suppress_groups names it")
        else:
            left.append(group)
            case.say("group", group, "kept", "request")
    for group in sorted(added.keys() - set(request.groups)):
        if group in removed:
            case.say("group", group, "suppressed", removed[group], "suppress_groups names it")
        else:
            left.append(group)
            case.say("group", group, "granted", added[group])
    if tuple(left) == request.groups:
        return None
    if removed.keys() & set(request.groups):
        return Groups(tuple(left))
    return Groups(tuple(left), request.iam_roles, request.preferred_role)
