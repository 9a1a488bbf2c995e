"""Which groups both tokens name: the user's groups in the pool, those that rows name, and what comes with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from claimsmith.cognito.response import Groups
from claimsmith.cognito.tokens import ROLE_CLAIMS
from claimsmith.engine.facts import Problem
from claimsmith.engine.language import matches
from claimsmith.engine.reasons import Reason, new
from claimsmith.engine.subject import NOTHING_ADDED
from claimsmith.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from claimsmith.engine.bundle import Bundle
    from claimsmith.engine.role_sets import RoleSet
    from claimsmith.engine.rules import RuleSet
    from claimsmith.engine.subject import Subject

_PREFERRED, _ROLES = ROLE_CLAIMS

#: Characters of the longest name of a group (CreateGroup).
MAX_GROUP: Final = 128


class GroupChanges(NamedTuple):
    """What changes about the groups.

    Attributes:
        override: the groups that replace the user's; None where they stay, and where all are removed.
        removed: whether all groups are removed.
        problems: rows of the directory whose groups cannot be read.
    """

    override: Groups | None
    removed: bool
    reasons: tuple[Reason, ...]
    problems: tuple[Problem, ...] = ()


def resolve(bundle: Bundle, subject: Subject, roles: RoleSet, rules: RuleSet) -> GroupChanges:
    """The groups after all rows that name some.

    Where a group of the pool is removed, so are the IAM roles and the preferred role that Cognito gave: nothing says
    which group they come from. Those that rows of the policy give to the groups that are left come after.

    Args:
        bundle: the policy.
        subject: whom the tokens are for.
        roles: what the assigned roles give.
        rules: those that apply.
    """
    request = subject.request
    added, reasons, problems = _added(bundle, subject, roles, rules)
    removed = rules.suppressed_groups
    if request.machine:
        why = "a machine has no groups"
        reasons += [new(Reason, ("group", group, "dropped", added[group], why, "")) for group in sorted(added)]
        return GroupChanges(None, removed=False, reasons=tuple(reasons))
    if not added and not removed and not bundle.iam_roles:
        reasons += [new(Reason, ("group", group, "kept", "request", "", "")) for group in request.groups]
        return GroupChanges(None, removed=False, reasons=tuple(reasons), problems=tuple(problems))
    left: list[str] = []
    candidates = [(group, "kept", "request") for group in request.groups]
    candidates += [(group, "granted", added[group]) for group in sorted(added.keys() - set(request.groups))]
    for group, outcome, row in candidates:
        if group in removed:
            why = "suppress_groups names it"
            reasons.append(new(Reason, ("group", group, "suppressed", removed[group], why, "")))
        else:
            left.append(group)
            reasons.append(new(Reason, ("group", group, outcome, row, "", "")))
    own = Groups(request.groups, request.iam_roles, request.preferred_role)
    result = Groups(tuple(left)) if removed.keys() & set(request.groups) else own._replace(groups=tuple(left))
    if bundle.iam_roles:
        result = _with_iam_roles(bundle, result, reasons)
    override = None if result == own or not result.groups else result
    return GroupChanges(override, result != own and override is None, tuple(reasons), tuple(problems))


def _added(
    bundle: Bundle, subject: Subject, roles: RoleSet, rules: RuleSet
) -> tuple[dict[str, str], list[Reason], list[Problem]]:
    """The groups that rows name, each with its row; reasons and problems of those that do not count."""
    added = {**rules.groups, **roles.groups}
    reasons: list[Reason] = []
    problems: list[Problem] = []
    if subject.user is not None and (subject.user.groups or (subject.membership and subject.membership.groups)):
        for group, row in _of_directory(bundle.settings.directory_groups, subject, reasons, problems):
            added.setdefault(group, row)
    if added and not subject.adds_to_access_token:
        # Cognito has one list for both tokens.
        new_ones = sorted(added.keys() - set(subject.request.groups))
        reasons += [
            new(Reason, ("group", group, "dropped", subject.client_row, NOTHING_ADDED, "")) for group in new_ones
        ]
        added = {}
    return added, reasons, problems


def _with_iam_roles(bundle: Bundle, groups: Groups, reasons: list[Reason]) -> Groups:
    """The groups with the IAM roles of their rows; of several preferred roles, that of the first group by name."""
    given = [bundle.iam_roles[name] for name in sorted(groups.groups) if name in bundle.iam_roles]
    preferred = next((of_group for of_group in given if of_group.preferred is not None), None)
    reasons += [new(Reason, ("claim", _ROLES, "set", of_group.row, "", "id")) for of_group in given]
    if preferred is not None:
        reasons.append(new(Reason, ("claim", _PREFERRED, "set", preferred.row, "", "id")))
    roles = dict.fromkeys((*groups.iam_roles, *(role for of_group in given for role in of_group.roles)))
    return groups._replace(
        iam_roles=tuple(roles), preferred_role=groups.preferred_role if preferred is None else preferred.preferred
    )


def _of_directory(
    allowed: frozenset[str], subject: Subject, reasons: list[Reason], problems: list[Problem]
) -> Iterator[tuple[str, str]]:
    """The groups that the user's rows name and may name, each with its row."""
    rows: Mapping[str, object] = {
        subject.user_row: subject.user.groups if subject.user else (),
        subject.membership_row: subject.membership.groups if subject.membership else (),
    }
    for row, named in rows.items():
        names = named if isinstance(named, list | tuple | set | frozenset) else None
        if names is None or not all(isinstance(name, str) and 0 < len(name) <= MAX_GROUP for name in names):
            if allowed:
                problems.append(Problem(row, "groups", f"is not a list of names of 1 to {MAX_GROUP} characters"))
            continue
        for name in sorted(set(names)):
            if matches(name, allowed):
                yield name, row
            else:
                why = "directory_groups of the settings does not name it"
                reasons.append(new(Reason, ("group", name, "dropped", row, why, "")))
