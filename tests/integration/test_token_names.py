"""A token is read by the names of the version that issued it, by authorizer and introspection, across renames."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from claimsmith.environment import VerifierEnvironment
from claimsmith.policy import from_rows
from claimsmith.service.check import TokenChecks
from claimsmith.service.issue import Issuer
from claimsmith.service.publish import apply
from claimsmith.service.resources import Resources
from claimsmith.service.versions import rollback, stage
from claimsmith.store.dynamodb import Table
from claimsmith.testing import CognitoKit
from tests.conftest import TABLE
from tests.integration.clients import Watched
from tests.integration.memory_dynamodb import MemoryDynamoDB
from tests.integration.test_authorizer_handler import ROUTES, http
from tests.integration.test_introspection_handler import question
from tests.policies import membership_row, policy_rows, tenant_row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Client

Names = dict[str, "str | None"]


@dataclass
class World:
    """A table, a pool whose trigger reads it, and both functions of the verifier, each as a new process of its own."""

    rows: Table
    kit: CognitoKit
    environment: dict[str, str]
    secret: str
    sub: str
    dynamodb: Client

    def publish(self, names: Names, **settings: Any) -> None:  # noqa: ANN401 - any setting
        roles = {"viewer": {"scopes": ["orders/read"]}}
        policy = policy_rows(settings={"claim_names": names, **settings}, roles=roles)
        apply(self.rows, from_rows([*policy, *ROUTES]), by="test")

    def token(self) -> str:
        """Of a new process of the trigger."""
        issuer = Issuer(self.rows, "deny")
        self.kit.trigger = lambda event, _context: issuer.issue(event).event
        return self.kit.sign_in("ada", "web", scopes=["openid", "orders/read"], by="authorization_code").access_token

    def checks(self, client: Client | None = None) -> TokenChecks:
        return TokenChecks(Table(client or self.dynamodb, TABLE), VerifierEnvironment.read(self.environment))

    def introspect(self, token: str, checks: TokenChecks | None = None) -> dict[str, Any]:
        """Introspection's response for a token."""
        asked = question(token, self.secret)
        members: dict[str, Any] = json.loads((checks or self.checks()).introspect(asked).response["body"])
        return members


@pytest.fixture
def dynamodb() -> MemoryDynamoDB:
    """These tests send many requests. ``test_publish_processes`` compares its answers to these with moto's."""
    return MemoryDynamoDB()


@pytest.fixture
def world(dynamodb: Client, rows: Table, aws_environment: dict[str, str]) -> Iterator[World]:
    kit = CognitoKit(lambda event, _context: event)
    user = kit.add_user("ada")
    client = kit.add_client("web", scopes=["openid", "orders/read"])
    rows.put(tenant_row("acme"))
    # A claim of the directory's, which no history of policies knows of.
    rows.put(membership_row(user.sub, "acme", roles=["viewer"], claims={"org": "globex", "pv": 2}))
    secret = Resources(rows, "test").add("orders-api", clients=["*"], tenants=["*"])
    with kit.serve() as keys:
        environment = {
            **aws_environment,
            "CLAIMSMITH_TABLE": TABLE,
            "CLAIMSMITH_ISSUERS": f"{kit.issuer}={keys.jwks_uri}",
            "CLAIMSMITH_CLIENT_IDS": client.id,
        }
        yield World(rows, kit, environment, secret, user.sub, dynamodb)


def passes(world: World, token: str, tenant: str, checks: TokenChecks | None = None) -> bool:
    """Whether the authorizer lets a token into what is a tenant's."""
    answer = (checks or world.checks()).authorize(http(f"/tenants/{tenant}/orders", token))
    return bool(answer.response["isAuthorized"])


def is_of_acme(world: World, token: str) -> bool:
    response = world.introspect(token)
    assert not passes(world, token, "globex")
    assert passes(world, token, "acme") is (response.get("tenant_id") == "acme")
    assert response.get("tenant_id") in (None, "acme")
    assert (response["roles"] == ["viewer"]) is (response.get("tenant_id") == "acme")
    assert response["stale"] is False
    return response.get("tenant_id") == "acme"


def test_a_token_from_before_a_rename_is_read_by_the_names_from_before(world: World) -> None:
    """Its ``org`` is another claim, and was believed to be the tenant."""
    world.publish({})
    old = world.token()
    assert json.loads(json.dumps(world.introspect(old)))["tenant_id"] == "acme"
    world.publish({"tenant_id": "org", "roles": "permissions"})
    new = world.token()
    assert is_of_acme(world, old)
    assert is_of_acme(world, new)
    world.publish({"tenant_id": "organisation"})
    assert all(is_of_acme(world, token) for token in (old, new, world.token()))


def test_so_is_one_from_after_it_where_the_names_from_before_are_in_force_again(world: World) -> None:
    world.publish({})
    world.publish({"tenant_id": "organisation"})
    new = world.token()
    rollback(world.rows, 1, by="test")
    assert is_of_acme(world, new)
    assert is_of_acme(world, world.token())


def test_a_token_of_a_staged_version_is_read_by_that_versions_names(world: World) -> None:
    world.publish({})
    world.publish({"tenant_id": "organisation"}, publish="manual")
    stage(world.rows, 2, percent=100, by="test")
    token = world.token()
    assert is_of_acme(world, token)


def test_a_token_whose_version_is_not_known_is_read_by_no_names(world: World) -> None:
    world.publish({})
    old = world.token()
    world.publish({"tenant_id": "organisation"})
    world.rows.delete("BUNDLE", "V#00000001")
    assert not is_of_acme(world, old)


def test_nor_is_one_that_could_be_of_two_versions(world: World) -> None:
    """The directory has put a number into the claim in which the next version has its own."""
    world.publish({})
    old = world.token()
    world.publish({"tenant_id": "organisation", "policy_version": "pv"})
    assert not is_of_acme(world, old)
    assert is_of_acme(world, world.token()), "the name is now reserved, and the row sets it no more"


def test_a_token_without_its_version_is_read_as_long_as_no_name_has_changed(world: World) -> None:
    world.publish({"tenant_id": "organisation", "policy_version": None})
    silent = world.token()
    assert is_of_acme(world, silent)
    world.publish({"tenant_id": "organisation"})
    assert is_of_acme(world, silent), "emitting the version does not change the tenant's name"
    world.publish({"tenant_id": "of"})
    assert not is_of_acme(world, silent)
    assert is_of_acme(world, world.token())


def test_a_table_of_an_earlier_release_is_read_before_the_next_publish(world: World) -> None:
    world.publish({"tenant_id": "organisation"})
    versioned = world.token()
    world.publish({"tenant_id": "organisation", "policy_version": None})
    silent = world.token()
    row = world.rows.get("BUNDLE", "CURRENT")
    assert row is not None
    del row["version_claims"]
    world.rows.put(row)
    assert is_of_acme(world, versioned)
    assert is_of_acme(world, silent)


def test_nothing_is_read_where_no_name_ever_changed_and_one_version_once_where_one_did(world: World) -> None:
    watched = Watched(world.dynamodb)
    checks = world.checks(watched)
    world.publish({}, cache_seconds=300)
    old = world.token()
    world.publish({}, cache_seconds=301)
    passes(world, old, "acme", checks)  # the policy and the keys are read once
    watched.operations.clear()
    assert passes(world, old, "acme", checks)
    assert watched.operations == ["batch_get_item"]
    world.publish({"tenant_id": "organisation"}, cache_seconds=300)
    checks = world.checks(watched)
    new = world.token()
    passes(world, new, "acme", checks)
    watched.operations.clear()
    assert passes(world, new, "acme", checks)
    assert watched.operations == ["batch_get_item"]
    assert all(passes(world, old, "acme", checks) for _ in range(3))
    assert sorted(watched.operations) == ["batch_get_item"] * 4 + ["get_item"]
