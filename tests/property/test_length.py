"""How long a token may become, whatever the policy, the directory and the event."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from claimsmith.cognito import size
from claimsmith.cognito.event import parse
from claimsmith.cognito.response import Changes, TokenChanges
from claimsmith.cognito.tokens import issued
from claimsmith.engine import Refusal, decide
from claimsmith.errors import Code
from tests.events import MACHINE
from tests.policies import NOW, bundle, facts
from tests.property.strategies import Policy, any_events, directories, policies

budgets = st.integers(512, 3000)


def with_groups(event: dict[str, Any], groups: list[str]) -> dict[str, Any]:
    """The event of a user who is in these groups, too; a machine has none."""
    if event["triggerSource"] != MACHINE:
        event["request"]["groupConfiguration"]["groupsToOverride"] += groups
    return event


groups = st.lists(st.text("abcde", min_size=20, max_size=60), max_size=30, unique=True)


@given(policies(), directories(), any_events, groups, budgets, st.booleans())
def test_no_token_is_longer_than_the_budget_or_than_cognitos_part_and_a_quarter_of_it(
    policy: Policy,
    rows: list[dict[str, Any]],
    event: dict[str, Any],
    more: list[str],
    budget: int,
    shed: bool,  # noqa: FBT001 - drawn
) -> None:
    sections = policy.sections()
    sections["settings"] = {**sections["settings"], "token_budget": budget, "shed_groups": shed}
    request = parse(with_groups(event, more))
    decision = decide(bundle(**sections), facts(*rows, machine=request.machine), request, NOW)
    if isinstance(decision, Refusal):
        return
    for made, plain in zip(issued(request, decision.changes), issued(request, Changes()), strict=True):
        length, without = (size.signed(size.payload(claims, request)) if claims else 0 for claims in (made, plain))
        assert length <= max(budget, without + budget // 4)


@given(directories(), any_events, groups, budgets)
def test_a_policy_that_adds_nothing_refuses_nobody_for_length(
    rows: list[dict[str, Any]], event: dict[str, Any], more: list[str], budget: int
) -> None:
    names = dict.fromkeys(("tenant_id", "tenant_name", "roles", "tenants", "policy_version"))
    nothing = bundle(settings={"token_budget": budget, "claim_names": names})
    bare = [{name: value for name, value in row.items() if "claims" not in name and name != "scopes"} for row in rows]
    request = parse(with_groups(event, more))
    decision = decide(nothing, facts(*bare, machine=request.machine), request, NOW)
    assert not isinstance(decision, Refusal) or decision.code is not Code.TOKEN_OVER_BUDGET


numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
#: Long, so that what each character takes counts for more than what is allowed for beside them.
hard = st.text("\"'\\\x00\x1f\x7f\xad\U0001f98a", min_size=1, max_size=6).map(lambda text: text * 500)
scalars = st.booleans() | numbers | st.text() | hard
values = scalars | st.lists(scalars) | st.dictionaries(st.text(min_size=1), scalars)
many_claims = st.dictionaries(st.text(min_size=1, max_size=20), values, max_size=30)
identities = st.lists(st.sampled_from(["1e15", "-1e15", "1e9", '"x"', '"\U0001f98a"', r'"\ud83d"']), min_size=1).map(
    lambda texts: f"[{','.join(texts * 1000)}]"
)


@given(
    any_events,
    st.builds(Changes, *[st.builds(TokenChanges, many_claims)] * 2, st.lists(st.text(), max_size=30).map(tuple)),
    identities,
    st.text(),
)
def test_what_is_surely_within_the_budget_is(
    event: dict[str, Any], changes: Changes, identities: str, name: str
) -> None:
    if event["triggerSource"] != MACHINE:
        event["request"]["userAttributes"] |= {"identities": identities, "name": name}
    request = parse(event)
    claims = issued(request, changes)
    longest = max(size.signed(size.payload(each, request)) for each in claims if each)
    assert not size.surely_within(longest - 1, changes, request)
