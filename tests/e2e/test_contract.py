"""The deployed trigger's answer against Cognito's contract as CognitoKit reads it; the emulator enforces none of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from claimsmith.testing.response import Draft, Groups, apply
from tests import events

if TYPE_CHECKING:
    from demo.local_stack import LocalStack
    from tests.e2e.conftest import Person


def checked(stack: LocalStack, event: dict[str, Any]) -> dict[str, Any]:
    """The trigger's changes, after every rule of the contract has been checked."""
    answer = stack.invoke(stack.outputs["TriggerName"], event)
    assert answer["error"] is None, answer["payload"]
    payload: dict[str, Any] = answer["payload"]
    assert {**payload, "response": None} == {**event, "response": None}, "the event comes back whole"
    machine = event["triggerSource"] == events.MACHINE
    scopes, client_id = tuple(event["request"]["scopes"]), event["callerContext"]["clientId"]
    draft = Draft({}, None if machine else {}, scopes, None if machine else Groups(), client_id)
    assert apply(payload, draft).violations == ()
    changes: dict[str, Any] = payload["response"]["claimsAndScopeOverrideDetails"]
    return changes


def test_an_answer_for_a_user_keeps_the_contract(stack: LocalStack, person: Person, tenant: str) -> None:
    person.join(tenant, "editor")
    asked = events.event(events.HOSTED, sub=person.sub, client_id=person.stack.public_client, groups=("Staff",))
    changes = checked(stack, asked)
    assert changes["accessTokenGeneration"]["claimsToAddOrOverride"]["tenant_id"] == tenant
    assert changes["idTokenGeneration"]["claimsToAddOrOverride"]["tenant_name"] == "Acme Ltd"
    assert "groupOverrideDetails" not in changes, "an empty one would take all groups away"


def test_a_machine_without_a_row_loses_every_managed_scope(stack: LocalStack) -> None:
    """Version 3 events, which this pool does not send: the deployed function understands them."""
    changes = checked(stack, events.event(events.MACHINE, scopes=("orders/read",)))
    assert changes["accessTokenGeneration"]["scopesToSuppress"] == ["orders/read"]


@pytest.mark.parametrize(
    ("member", "value", "code"), [("triggerSource", "TokenGeneration_Tomorrow", "CS2006"), ("request", None, "CS2005")]
)
def test_an_event_that_cannot_be_acted_on_is_refused_with_a_code_and_nothing_else(
    stack: LocalStack, member: str, value: object, code: str
) -> None:
    answer = stack.invoke(stack.outputs["TriggerName"], events.event() | {member: value})
    assert answer["error"] is not None
    assert answer["payload"]["errorMessage"] == f"Sign-in is not possible right now. [{code}]"
    assert "Traceback" not in json.dumps(answer["payload"])
