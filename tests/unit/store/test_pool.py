"""Users of a pool, by everything an admin may call them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError
from botocore.session import get_session

from claimsmith.errors import Code, OperationError
from claimsmith.store.pool import Pool, connect_pool

if TYPE_CHECKING:
    from tests.conftest import Client


@pytest.fixture
def pool(dynamodb: Client) -> Pool:
    """A pool: two share an address, one wrote another's into their own attribute, one took another's as username."""
    del dynamodb  # the in-memory AWS is on
    client = get_session().create_client("cognito-idp")
    pool_id = client.create_user_pool(PoolName="people")["UserPool"]["Id"]
    for username, address, verified in (
        ("alice", "alice@example.com", "true"),
        ("alice2", "alice@example.com", "true"),
        ("bob", "bob@example.com", "true"),
        ("mallory", "chairman@example.com", "false"),
        ("dora", "dora@example.com", "true"),
        ("dora@example.com", "mallory@example.com", "true"),
        ("saml_eve@example.com", "eve@example.com", "false"),
    ):
        attributes = [{"Name": "email", "Value": address}, {"Name": "email_verified", "Value": verified}]
        client.admin_create_user(UserPoolId=pool_id, Username=username, UserAttributes=attributes)
    return connect_pool(pool_id)


def test_a_user_is_found_by_username_and_by_verified_address(pool: Pool) -> None:
    bob = pool.user("bob")
    assert pool.user("bob@example.com") == bob
    assert pool.sub("bob@example.com") == bob.sub
    assert pool.user("saml_eve@example.com").username == "saml_eve@example.com", "no address but a username"


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("alice@example.com", Code.USER_AMBIGUOUS, "means 2 users .* alice, alice2"),
        ("chairman@example.com", Code.EMAIL_NOT_VERIFIED, "mallory has not verified"),
        ("dora@example.com", Code.USER_AMBIGUOUS, "dora, dora@example.com"),
        ("nobody@example.com", Code.NOT_FOUND, "no such user"),
        ('" or @', Code.NOT_FOUND, "no such user"),
    ],
)
def test_an_address_that_is_not_certain_is_refused(pool: Pool, name: str, code: Code, message: str) -> None:
    for find in (pool.user, pool.sub):
        with pytest.raises(OperationError, match=message) as raised:
            find(name)
        assert raised.value.code is code


@pytest.mark.parametrize(("verified", "code"), [("true", None), ("false", Code.EMAIL_NOT_VERIFIED)])
def test_where_users_sign_in_by_address_it_is_to_be_verified_too(
    dynamodb: Client, verified: str, code: Code | None
) -> None:
    del dynamodb  # the in-memory AWS is on
    client = get_session().create_client("cognito-idp")
    pool_id = client.create_user_pool(PoolName="people", UsernameAttributes=["email"])["UserPool"]["Id"]
    attributes = [{"Name": "email_verified", "Value": verified}]
    client.admin_create_user(UserPoolId=pool_id, Username="bob@example.com", UserAttributes=attributes)
    found: Code | None = None
    try:
        connect_pool(pool_id).user("bob@example.com")
    except OperationError as error:
        found = error.code
    assert found is code


class Denying:
    """A client that AWS denies everything."""

    def admin_get_user(self, **_: str) -> None:
        raise ClientError({"Error": {"Code": "AccessDeniedException"}}, "AdminGetUser")


def test_a_missing_permission_is_named() -> None:
    with pytest.raises(OperationError, match="cognito-idp:AdminGetUser on user pool eu_1"):
        Pool(Denying(), "eu_1").user("bob")
