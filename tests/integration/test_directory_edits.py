"""Admins who edit the same row at the same time lose nothing of each other's."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from claimsmith.service.directory import Editor, TenantChange
from claimsmith.service.publish import publish
from claimsmith.store.dynamodb import Table
from claimsmith.store.failures import ConditionError
from tests.integration.memory_dynamodb import MemoryDynamoDB, holding
from tests.policies import NOW, membership_row, policy_rows, tenant_row, user_row

if TYPE_CHECKING:
    from collections.abc import Callable

    Edit = Callable[[Editor], object]


class Meanwhile(Table):
    """A table in which somebody else does something each time before a row is written."""

    def __init__(self, client: MemoryDynamoDB, doing: Edit, times: int = 1) -> None:
        super().__init__(client, "t")
        self._somebody = Editor(Table(client, "t"), "somebody", clock=lambda: NOW)
        self._doing, self._left = doing, times

    def update(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - passed on
        if self._left:
            self._left -= 1
            self._doing(self._somebody)
        super().update(*arguments, **options)


@pytest.fixture(scope="module")
def published() -> MemoryDynamoDB:
    roles = {"viewer": {"scopes": ["orders/read"]}, "editor": {"scopes": ["orders/write"]}}
    client = holding([*policy_rows(roles=roles), tenant_row("acme"), tenant_row("globex")])
    publish(Table(client, "t"), by="test")
    return client


@pytest.fixture
def client(published: MemoryDynamoDB) -> MemoryDynamoDB:
    client = holding([user_row("u1"), membership_row("u1", "acme"), membership_row("u1", "globex")])
    client.items |= published.items
    return client


def claims(**values: str) -> TenantChange:
    return TenantChange({}, {"claims": values})


@pytest.mark.parametrize(
    ("mine", "theirs", "row", "expected"),
    [
        (
            lambda editor: editor.grant("u1", "acme", ["viewer"]),
            lambda editor: editor.grant("u1", "acme", ["editor"], scopes=["a/b"]),
            ("USER#u1", "TENANT#acme"),
            {"roles": ["editor", "viewer"], "scopes": ["a/b"]},
        ),
        (
            lambda editor: editor.grant("new", "acme", ["viewer"]),
            lambda editor: editor.grant("new", "acme", ["editor"]),
            ("USER#new", "TENANT#acme"),
            {"roles": ["editor", "viewer"]},
        ),
        (
            lambda editor: editor.switch("u1", "acme", client_id="web"),
            lambda editor: editor.switch("u1", "globex", client_id="app"),
            ("USER#u1", "USER"),
            {"active_tenant_by_client": {"web": "acme", "app": "globex"}},
        ),
        (
            lambda editor: editor.set_tenant("acme", claims(region="eu")),
            lambda editor: editor.set_tenant("acme", claims(tier="gold")),
            ("TENANT#acme", "TENANT"),
            {"claims": {"region": "eu", "tier": "gold"}},
        ),
        (
            lambda editor: editor.set_tenant("acme", TenantChange({"plan": "pro"}, {})),
            lambda editor: editor.set_tenant_status("acme", "suspended"),
            ("TENANT#acme", "TENANT"),
            {"plan": "pro", "status": "suspended"},
        ),
    ],
    ids=["grants", "first grants", "choices by client", "claims of a tenant", "a tenant's plan and its status"],
)
def test_both_edits_are_in_the_row(
    client: MemoryDynamoDB, mine: Edit, theirs: Edit, row: tuple[str, str], expected: dict[str, Any]
) -> None:
    mine(Editor(Meanwhile(client, theirs), "me", clock=lambda: NOW))
    found = Table(client, "t").get(*row)
    assert found is not None
    assert {name: found[name] for name in expected} == expected
    assert (found["updated_by"], found["updated_at"]) == ("me", NOW)


def test_a_grant_after_a_revocation_is_of_what_it_grants_alone(client: MemoryDynamoDB) -> None:
    rows = Table(client, "t")
    Editor(rows, "me").grant("u1", "acme", ["editor"])
    granting = Meanwhile(client, lambda editor: editor.revoke("u1", "acme"))
    assert Editor(granting, "me").grant("u1", "acme", ["viewer"]).roles == ["viewer"]


def test_a_membership_that_is_granted_while_it_is_revoked_stays(client: MemoryDynamoDB) -> None:
    class Deleting(Table):
        def delete(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - passed on
            Editor(Table(client, "t"), "somebody").grant("u1", "acme", ["viewer"])
            super().delete(*arguments, **options)

    with pytest.raises(ConditionError):
        Editor(Deleting(client, "t"), "me").revoke("u1", "acme")
    row = Table(client, "t").get("USER#u1", "TENANT#acme")
    assert row is not None
    assert (row["roles"], "status" in row) == (["viewer"], False)


def test_a_tenant_that_is_deleted_in_the_meantime_is_not_made_again(client: MemoryDynamoDB) -> None:
    deleting = Meanwhile(client, lambda editor: editor.rows.delete("TENANT#acme", "TENANT"))
    with pytest.raises(Exception, match="There is no tenant acme"):
        Editor(deleting, "me").set_tenant_status("acme", "suspended")
    assert Table(client, "t").get("TENANT#acme", "TENANT") is None


def test_an_edit_gives_up_when_somebody_else_never_stops(client: MemoryDynamoDB) -> None:
    numbers = count()
    restless = Meanwhile(
        client, lambda editor: editor.grant("u1", "acme", [], scopes=[f"a/{next(numbers)}"]), times=100
    )
    with pytest.raises(ConditionError):
        Editor(restless, "me", clock=lambda: NOW).grant("u1", "acme", ["viewer"])
