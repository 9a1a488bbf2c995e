"""What ``explain`` says of an absence is true: changing exactly that makes the thing be there.

And the chain of what is there ends at rows that give it: without them, it is not.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from claimsmith.engine import Decision, parse_event
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
from tests.property.test_preview_equals_issued import full_directories, full_policies

if TYPE_CHECKING:
    from collections.abc import Mapping

IN_CI = os.environ.get("CI") == "true"
EXAMPLES = 600 if IN_CI else 100

targets = st.one_of(
    st.builds(Target, st.just("role"), st.sampled_from([*ROLES, "ghost"]), st.just("")),
    st.builds(Target, st.just("scope"), st.sampled_from([*SCOPES, "orders/delete"]), st.just("")),
    st.builds(Target, st.just("group"), st.sampled_from([*GROUPS, "Ops"]), st.just("")),
    st.builds(
        Target,
        st.just("claim"),
        st.sampled_from([*CLAIM_NAMES, *ORDINARY_NAMES, "bulk", "roles", "tenant_id", "cognito:groups", "sub"]),
        st.sampled_from(["access", "id"]),
    ),
    st.just(Target("token")),
)


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
