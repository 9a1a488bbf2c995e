"""The deployed trigger's answer held against Cognito's contract, which the emulator does not enforce.

The rules are written down here once more, from the page "Pre token generation Lambda trigger", so that a mistake in
``claimsmith.cognito`` is not repeated.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests import events

if TYPE_CHECKING:
    from collections.abc import Iterator

    from demo.local_stack import LocalStack
    from tests.e2e.conftest import Person

RESERVED = {
    "acr",
    "amr",
    "at_hash",
    "aud",
    "auth_time",
    "azp",
    "client_id",
    "device_key",
    "event_id",
    "exp",
    "iat",
    "identities",
    "iss",
    "jti",
    "nbf",
    "nonce",
    "origin_jti",
    "scope",
    "sub",
    "token_use",
    "username",
    "version",
}
SECTIONS = {
    "accessTokenGeneration": {"claimsToAddOrOverride", "claimsToSuppress", "scopesToAdd", "scopesToSuppress"},
    "idTokenGeneration": {"claimsToAddOrOverride", "claimsToSuppress"},
}
SCOPE = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]{1,256}")


def leaves(value: object) -> Iterator[object]:
    """Every value in it that is no container."""
    match value:
        case dict():
            for inner in value.values():
                yield from leaves(inner)
        case list():
            for inner in value:
                yield from leaves(inner)
        case _:
            yield value


def checked(stack: LocalStack, event: dict[str, Any]) -> dict[str, Any]:
    """The trigger's changes, after every rule of the contract has been checked."""
    answer = stack.invoke(stack.outputs["TriggerName"], event)
    assert answer["error"] is None, answer["payload"]
    payload = answer["payload"]
    assert {**payload, "response": None} == {**event, "response": None}, "the event comes back whole"
    assert payload["response"].keys() == {"claimsAndScopeOverrideDetails"}
    changes: dict[str, Any] = payload["response"]["claimsAndScopeOverrideDetails"]
    assert None not in leaves(changes), "a null may wipe what it stands for"
    assert changes.keys() <= {*SECTIONS, "groupOverrideDetails"}
    for section, members in SECTIONS.items():
        change = changes.get(section, {})
        assert change.keys() <= members
        names = {*change.get("claimsToAddOrOverride", {}), *change.get("claimsToSuppress", [])}
        assert not names & RESERVED
        assert not [name for name in names if not name or name.startswith(("cognito:", "dev:", "aws:"))]
        for scope in (*change.get("scopesToAdd", []), *change.get("scopesToSuppress", [])):
            assert SCOPE.fullmatch(scope)
        assert not [scope for scope in change.get("scopesToAdd", []) if scope.startswith("aws.cognito.")]
    return changes


def user_event(person: Person, source: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - the factory's arguments
    return events.event(source, sub=person.sub, client_id=person.stack.public_client, **more)


@pytest.mark.parametrize("source", events.USER_SOURCES)
@pytest.mark.parametrize("version", ["2", "3"])
def test_an_answer_for_a_user_keeps_the_contract(
    stack: LocalStack, person: Person, tenant: str, source: str, version: str
) -> None:
    person.join(tenant, "editor")
    changes = checked(stack, user_event(person, source, version=version))
    assert changes["accessTokenGeneration"]["claimsToAddOrOverride"]["tenant_id"] == tenant
    assert changes["idTokenGeneration"]["claimsToAddOrOverride"]["tenant_name"] == "Acme Ltd"


@pytest.mark.parametrize("groups", [(), ("Staff",), ("Staff", "Unknown to the policy")])
def test_groups_that_are_not_changed_are_not_mentioned(
    stack: LocalStack, person: Person, groups: tuple[str, ...]
) -> None:
    """An empty or null ``groupOverrideDetails`` would take all groups away."""
    assert "groupOverrideDetails" not in checked(stack, user_event(person, events.SIGN_IN, groups=groups))


def test_what_was_asked_for_and_not_granted_is_suppressed(stack: LocalStack, person: Person) -> None:
    asked = ("openid", "orders/read", "orders/write")
    access = checked(stack, user_event(person, events.HOSTED, scopes=asked))["accessTokenGeneration"]
    assert set(access["scopesToSuppress"]) == {"orders/read", "orders/write"}
    assert "scopesToAdd" not in access


def test_a_machine_without_a_row_loses_every_managed_scope(stack: LocalStack) -> None:
    """Version 3 events, which this pool does not send: the deployed function understands them."""
    changes = checked(stack, events.event(events.MACHINE, scopes=("orders/read",)))
    assert changes["accessTokenGeneration"]["scopesToSuppress"] == ["orders/read"]


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        (("triggerSource",), "TokenGeneration_Tomorrow", "CS2006"),
        (("triggerSource",), None, "CS2005"),
        (("request",), None, "CS2005"),
        (("request", "userAttributes", "sub"), "x#y", "CS2005"),
        (("callerContext", "clientId"), {"S": "x"}, "CS2005"),
    ],
)
def test_an_event_that_cannot_be_acted_on_is_refused_with_a_code_and_nothing_else(
    stack: LocalStack, person: Person, path: tuple[str, ...], value: object, code: str
) -> None:
    event = user_event(person, events.SIGN_IN)
    *parents, last = path
    place = event
    for name in parents:
        place = place[name]
    place[last] = value
    answer = stack.invoke(stack.outputs["TriggerName"], event)
    assert answer["error"] is not None
    assert answer["payload"]["errorMessage"] == f"Sign-in is not possible right now. [{code}]"
    assert "Traceback" not in json.dumps(answer["payload"])
