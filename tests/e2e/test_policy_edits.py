"""Edits of policy rows by hand, as the DynamoDB console makes them, and what the publisher makes of them."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from tests.e2e.conftest import string_list, wait_until

if TYPE_CHECKING:
    from demo.local_stack import LocalStack
    from tests.e2e.conftest import Person

VIEWER = {"pk": {"S": "POLICY"}, "sk": {"S": "ROLE#viewer"}, "scopes": string_list(["orders/read"])}


def audited(stack: LocalStack, row: str) -> list[dict[str, Any]]:
    return [entry for entry in stack.rows(stack.audit_table) if entry["row"]["S"] == row]


def settle(stack: LocalStack) -> None:
    """Wait until every earlier change has been worked on: the stream is in order, as a later one's audit shows."""
    marker = f"marker-{secrets.token_hex(4)}"
    stack.put_item({"pk": {"S": f"TENANT#{marker}"}, "sk": {"S": "TENANT"}})
    wait_until(stack, "the marker is audited", lambda: bool(audited(stack, f"TENANT#{marker} TENANT")))


def refreshed_scopes(person: Person, refresh_token_of: Any) -> set[str]:  # noqa: ANN401 - tokens of conftest
    tokens = person.stack.pool.refresh(person.stack.public_client, refresh_token_of)
    return set(person.claims(tokens)[0]["scope"].split())


def test_a_scope_added_to_a_role_row_is_in_the_next_token(
    edited_policy: LocalStack, person: Person, tenant: str
) -> None:
    stack = edited_policy
    person.join(tenant, "viewer")
    tokens = person.sign_in()
    version = stack.policy_version()
    stack.put_item(VIEWER | {"scopes": string_list(["orders/read", "orders/export"])})
    wait_until(stack, "a new version is in force", lambda: stack.policy_version() != version)
    assert refreshed_scopes(person, tokens) == {"aws.cognito.signin.user.admin", "orders/read", "orders/export"}


def test_a_role_row_may_hold_a_string_set(edited_policy: LocalStack, person: Person, tenant: str) -> None:
    stack = edited_policy
    person.join(tenant, "viewer")
    tokens = person.sign_in()
    version = stack.policy_version()
    stack.put_item(VIEWER | {"scopes": {"SS": ["orders/export"]}})
    wait_until(stack, "a new version is in force", lambda: stack.policy_version() != version)
    assert refreshed_scopes(person, tokens) == {"aws.cognito.signin.user.admin", "orders/export"}


def test_a_broken_edit_changes_no_token_and_is_reported(edited_policy: LocalStack, person: Person, tenant: str) -> None:
    stack = edited_policy
    person.join(tenant, "viewer")
    version = stack.policy_version()
    stack.put_item(VIEWER | {"inherits": string_list(["no-such-role"])})
    wait_until(stack, "the problem is reported", lambda: stack.get_item("PROBLEMS", "DRAFT") is not None)
    problems = stack.get_item("PROBLEMS", "DRAFT") or {}
    (finding,) = (entry["M"] for entry in problems["findings"]["L"])
    assert (finding["code"]["S"], finding["row"]["S"]) == ("CS1005", "POLICY ROLE#viewer")
    access, _ = person.claims(person.sign_in())
    assert access["policy_version"] == stack.policy_version() == version
    assert "orders/read" in access["scope"].split()
    linted = stack.cli("lint")
    assert (linted.code, [found["code"] for found in linted.data["findings"]]) == (1, ["CS1005"])
    stack.put_item(VIEWER)
    wait_until(stack, "the problem is gone", lambda: stack.get_item("PROBLEMS", "DRAFT") is None)
    assert stack.cli("lint").code == 0


def test_a_policy_row_that_is_deleted_by_hand_takes_its_scopes_along(
    edited_policy: LocalStack, person: Person, tenant: str
) -> None:
    stack = edited_policy
    stack.pool.add_to_group(person.username, "Staff")
    person.join(tenant)
    assert "orders/read" in person.claims(person.sign_in())[0]["scope"].split()
    version = stack.policy_version()
    stack.delete_item("POLICY", "GROUP#Staff")
    wait_until(stack, "a new version is in force", lambda: stack.policy_version() != version)
    assert person.claims(person.sign_in())[0]["scope"] == "aws.cognito.signin.user.admin"


def test_each_edit_is_audited_exactly_once_with_who_before_and_after(edited_policy: LocalStack, tenant: str) -> None:
    stack = edited_policy
    row, name = f"TENANT#{tenant} TENANT", {"S": "Renamed"}
    key = {"pk": {"S": f"TENANT#{tenant}"}, "sk": {"S": "TENANT"}}
    stack.put_item({**key, "name": name, "updated_by": {"S": "admin@example.com"}})
    stack.delete_item(f"TENANT#{tenant}", "TENANT")
    settle(stack)
    made, changed, deleted = sorted(audited(stack, row), key=lambda entry: entry["sk"]["S"])
    assert "before" not in made
    assert made["after"]["M"] == changed["before"]["M"] == {"name": {"S": "Acme Ltd"}}
    assert (changed["claimed_by"]["S"], changed["after"]["M"]["name"]) == ("admin@example.com", name)
    assert deleted["before"]["M"] == changed["after"]["M"]
    assert "after" not in deleted


def test_what_the_publisher_writes_never_comes_back_to_it(edited_policy: LocalStack) -> None:
    stack = edited_policy
    settle(stack)
    calls = stack.invocations(stack.outputs["PublisherName"])
    version = stack.policy_version()
    stack.put_item(VIEWER | {"scopes": string_list(["orders/export"])})
    wait_until(stack, "a new version is in force", lambda: stack.policy_version() != version)
    stack.put_item(VIEWER | {"inherits": string_list(["no-such-role"])})
    wait_until(stack, "the problem is reported", lambda: stack.get_item("PROBLEMS", "DRAFT") is not None)
    settle(stack)
    settle(stack)
    edits = 4  # two of the policy, two markers; the publisher wrote a version, the pointer and the problems meanwhile
    assert stack.invocations(stack.outputs["PublisherName"]) - calls <= edits
    prefixes = {entry["row"]["S"].partition("#")[0].partition(" ")[0] for entry in stack.rows(stack.audit_table)}
    by_hand = {"POLICY", "TENANT", "USER", "REVOKED", "PROTECTED_RESOURCE"}
    assert prefixes <= by_hand, "nothing of its own is audited"


def test_an_edit_of_the_directory_makes_no_new_policy_version(stack: LocalStack, person: Person, tenant: str) -> None:
    version = stack.policy_version()
    person.join(tenant, "viewer")
    settle(stack)
    assert stack.policy_version() == version
