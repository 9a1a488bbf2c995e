"""Ten handlers with one mistake each, as people make them; each is caught, by the rule that it breaks.

Every one of them passes on an emulator that applies what it is given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from claimsmith.testing import ContractViolation, Rule
from tests.unit.testing.handlers import signed_in

if TYPE_CHECKING:
    from collections.abc import Callable

Event = dict[str, Any]
BROKEN: list[Any] = []


def breaks(rule: Rule) -> Callable[[Callable[[Event], Event]], Callable[[Event], Event]]:
    """Enter a handler's ``claimsAndScopeOverrideDetails`` into the list, with the rule that it breaks."""

    def enter(details: Callable[[Event], Event]) -> Callable[[Event], Event]:
        BROKEN.append(pytest.param(details, rule, id=details.__name__))
        return details

    return enter


@breaks(Rule.RESERVED_CLAIM)
def takes_the_subject_for_its_own(event: Event) -> Event:
    user_id = event["request"]["userAttributes"].get("custom:plan")
    return {"accessTokenGeneration": {"claimsToAddOrOverride": {"sub": user_id}}}


@breaks(Rule.SCOPE_CLAIM)
def sets_the_scope_as_a_claim(_event: Event) -> Event:
    return {"accessTokenGeneration": {"claimsToAddOrOverride": {"scope": "orders/read orders/write"}}}


@breaks(Rule.SCOPE_BLANK)
def adds_scopes_in_one_string(_event: Event) -> Event:
    return {"accessTokenGeneration": {"scopesToAdd": ["orders/read orders/write"]}}


@breaks(Rule.GROUP_CLAIM)
def sets_the_groups_as_a_claim(_event: Event) -> Event:
    return {"idTokenGeneration": {"claimsToAddOrOverride": {"cognito:groups": ["Admins"]}}}


@breaks(Rule.AUDIENCE)
def puts_the_api_into_the_audience(_event: Event) -> Event:
    return {"accessTokenGeneration": {"claimsToAddOrOverride": {"aud": "https://api.example.com"}}}


@breaks(Rule.NULL_VALUE)
def passes_a_missing_attribute_on(event: Event) -> Event:
    return {
        "accessTokenGeneration": {
            "claimsToAddOrOverride": {"tenant_id": event["request"]["userAttributes"].get("custom:tenant")}
        }
    }


@breaks(Rule.ARRAY_MEMBER)
def lists_memberships_as_objects(_event: Event) -> Event:
    return {"accessTokenGeneration": {"claimsToAddOrOverride": {"tenants": [{"id": "acme", "role": "owner"}]}}}


@breaks(Rule.PLAIN_IN_ID)
def gives_the_address_its_parts(_event: Event) -> Event:
    return {"idTokenGeneration": {"claimsToAddOrOverride": {"address": {"formatted": "1 Example Street"}}}}


@breaks(Rule.UNKNOWN_MEMBER)
def overrides_groups_inside_a_token_block(_event: Event) -> Event:
    return {"accessTokenGeneration": {"groupOverrideDetails": {"groupsToOverride": ["Admins"]}}}


@breaks(Rule.QUOTA)
def copies_a_whole_catalogue(_event: Event) -> Event:
    return {"accessTokenGeneration": {"claimsToAddOrOverride": {f"item-{number}": True for number in range(5_000)}}}


def test_there_are_ten_and_no_two_break_the_same_rule() -> None:
    assert len(BROKEN) == 10
    assert len({parameters.values[1] for parameters in BROKEN}) == 10


@pytest.mark.parametrize(("details", "rule"), BROKEN)
def test_a_broken_handler_is_caught(details: Callable[[Event], Event], rule: Rule) -> None:
    with pytest.raises(ContractViolation) as caught:
        signed_in(lambda event, _: {**event, "response": {"claimsAndScopeOverrideDetails": details(event)}})
    assert caught.value.rules == {rule}
