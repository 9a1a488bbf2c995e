"""What ``explain`` says is true: with exactly the changes that it names, the thing is there.

And its chains are those of the policy and the directory as they are written.
"""

from __future__ import annotations

import os
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from claimsmith.cognito.claims import TOKENS
from claimsmith.engine import parse_event
from claimsmith.engine.explanation import (
    Change,
    PolicyVersion,
    Situation,
    Target,
    explain_absence,
    is_there,
    items,
)
from claimsmith.policy import compile as compile_policy
from claimsmith.policy import from_rows
from claimsmith.service.explain import read_situation
from claimsmith.service.preview import preview
from tests.policies import NOW, VERSION, policy_rows
from tests.property.strategies import (
    CLAIM_NAMES,
    GROUPS,
    ORDINARY_NAMES,
    ROLES,
    SCOPES,
    Policy,
    any_events,
    directories,
    hostile_directories,
    policies,
)
from tests.property.test_preview_equals_issued import full_directories, full_policies, situations, table_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from claimsmith.engine.explanation.situation import Action
    from tests.property.test_preview_equals_issued import Situation as Stored

IN_CI = os.environ.get("CI") == "true"
EXAMPLES = 150 if IN_CI else 60

#: What is missed, or not.
TARGETS = [
    *(Target("role", name) for name in [*ROLES, "ghost"]),
    *(Target("scope", name) for name in [*SCOPES, "orders/delete"]),
    *(Target("group", name) for name in [*GROUPS, "Ops"]),
    *(
        Target("claim", name, token)
        for name in [*CLAIM_NAMES, *ORDINARY_NAMES, "bulk", "roles", "tenant_id", "cognito:groups", "sub"]
        for token in TOKENS
    ),
    Target("token"),
]
targets = st.sampled_from(TARGETS)


def situation_of(policy: Policy, directory: list[dict[str, Any]], event: Mapping[str, Any]) -> Situation:
    document = compile_policy(from_rows(policy_rows(**policy.sections())))
    request = parse_event(event)
    return Situation(
        PolicyVersion(document, VERSION),
        {} if request.machine else {row["sk"]: row for row in directory if row["pk"].startswith("USER#")},
        {row["pk"].removeprefix("TENANT#"): row for row in directory if row["sk"] == "TENANT"},
        request,
        NOW,
    )


@settings(max_examples=EXAMPLES)
@given(
    st.one_of(policies(), full_policies()),
    st.one_of(directories(), full_directories(), hostile_directories()),
    any_events,
    st.lists(targets, min_size=1, max_size=6, unique=True),
)
def test_with_exactly_the_changes_of_an_absence_the_thing_is_there(
    policy: Policy, directory: list[dict[str, Any]], event: dict[str, Any], sought: list[Target]
) -> None:
    situation = situation_of(policy, directory, event)
    for target in sought:
        if is_there(situation, target):
            continue
        absence = explain_absence(situation, target)
        assert absence.why
        if not absence.steps:
            continue
        assert is_there(situation.changed(*absence.steps), target), absence
        for left_out in absence.steps:
            others = [step for step in absence.steps if step is not left_out]
            assert not is_there(situation.changed(*others), target), (left_out, absence)


@settings(max_examples=EXAMPLES // 2)
@given(situations(), any_events)
def test_a_situation_is_decided_as_the_trigger_decides_it(situation: Stored, event: dict[str, Any]) -> None:
    """Though it has more rows than the trigger reads; problems of these are reported as well."""
    rows, request = table_of(*situation), parse_event(event)
    shown = preview(rows, request, clock=lambda: NOW)
    read = read_situation(rows, request, clock=lambda: NOW)
    assert read.policy.number == shown.version
    assert read.outcome._replace(problems=()) == shown.outcome._replace(problems=())
    assert set(shown.outcome.problems) <= set(read.outcome.problems)


@settings(max_examples=EXAMPLES // 2)
@given(st.one_of(policies(), full_policies()), st.one_of(directories(), full_directories()), any_events)
def test_the_chain_of_a_role_follows_the_policy_from_a_row_that_assigns_the_last(
    policy: Policy, directory: list[dict[str, Any]], event: dict[str, Any]
) -> None:
    situation = situation_of(policy, directory, event)
    assigned = {f"{row['pk']} {row['sk']}": row for row in directory} | {
        f"{row['pk']} {row['sk']}": row for row in policy_rows(**policy.sections())
    }
    for item in items(situation):
        if item.kind != "role":
            continue
        names = [link.row.removeprefix("POLICY ROLE#") for link in item.chain if link.row.startswith("POLICY ROLE#")]
        assert names[0] == item.name
        for inherited, by in pairwise(names):
            assert inherited in policy.roles[by]["inherits"]
        row = assigned[item.chain[len(names)].row]
        assert names[-1] in {*row.get("roles", ()), *row.get("default_roles", ())}


def breaks(situation: Situation, target: Target) -> Iterator[Change]:
    """Single changes that may take something away, each undone by a single change."""

    def at(row: str, attribute: str, value: object, action: Action = "set") -> Change:
        return Change(row, attribute, action, value, "")

    sub, client = situation.request.sub, situation.subject.client_row
    yield at(f"USER#{sub} USER", "status", "suspended")
    for sk in situation.user_rows.keys() - {"USER"}:
        yield at(f"USER#{sub} {sk}", "status", "suspended")
        yield at(f"USER#{sub} {sk}", "expires_at", NOW - 1)
    for tenant in situation.tenant_rows:
        yield at(f"TENANT#{tenant} TENANT", "status", "suspended")
        if target.kind == "role":
            yield at(f"TENANT#{tenant} TENANT", "roles_allowed", [])
        if target.kind == "scope":
            yield at(f"TENANT#{tenant} TENANT", "scopes_allowed", [])
    if target.kind == "scope":
        yield at(client, "scopes_allowed", [])
        yield at(client, "suppress_scopes", target.name, "add")
        yield at("request", "scopes", target.name, "remove")
    if target.kind == "group":
        yield at("request", "groups", target.name, "remove")


@settings(max_examples=EXAMPLES // 2)
@given(st.one_of(policies(), full_policies()), full_directories(), any_events, st.data())
def test_one_thing_that_took_something_away_is_explained_by_one_change(
    policy: Policy, directory: list[dict[str, Any]], event: dict[str, Any], data: st.DataObject
) -> None:
    situation = situation_of(policy, directory, event)
    found = [target for target in TARGETS if is_there(situation, target)]
    if not found:
        return
    target = data.draw(st.sampled_from(found))
    for change in breaks(situation, target):
        broken = situation.changed(change)
        if not is_there(broken, target):
            [step] = explain_absence(broken, target).steps
            assert step.action != "create", change
            assert step.row == "request" or (step.action, step.attribute) != ("add", "roles"), "nothing new is granted"
