"""The answer holds what changes and nothing else: no null, no empty group block, no ID token for a machine."""

from __future__ import annotations

from claimsmith.cognito.event import parse
from claimsmith.cognito.response import Changes, TokenChanges, build, count
from claimsmith.cognito.tokens import UNPREDICTABLE, issued
from tests import events
from tests.events import CLIENT, SUB, event

USER = parse(event(scopes=["openid", "orders/read"], groups=["Staff"]))
MACHINE = parse(event(events.MACHINE))

CHANGES = Changes(
    access=TokenChanges({"tenant_id": "acme"}, ("email",)),
    id=TokenChanges({"tenant_name": "Acme"}),
    scopes_to_add=("orders/write",),
    scopes_to_suppress=("openid",),
)


def test_each_change_stands_where_cognito_looks_for_it() -> None:
    assert build(CHANGES, USER) == {
        "claimsAndScopeOverrideDetails": {
            "accessTokenGeneration": {
                "claimsToAddOrOverride": {"tenant_id": "acme"},
                "claimsToSuppress": ["email"],
                "scopesToAdd": ["orders/write"],
                "scopesToSuppress": ["openid"],
            },
            "idTokenGeneration": {"claimsToAddOrOverride": {"tenant_name": "Acme"}},
        }
    }


def test_no_change_is_expressed_without_nulls_and_without_groups() -> None:
    assert build(Changes(), USER) == {
        "claimsAndScopeOverrideDetails": {"accessTokenGeneration": {}, "idTokenGeneration": {}}
    }


def test_a_machine_gets_no_id_token() -> None:
    assert set(build(CHANGES, MACHINE)["claimsAndScopeOverrideDetails"]) == {"accessTokenGeneration"}


def test_existing_and_added_count_and_suppressed_do_not() -> None:
    # Cognito's own, 2 claims, 1 scope added, 2 scopes, 4 attributes, 1 group in 2 tokens
    assert count(CHANGES, USER) == 50 + 2 + 1 + 2 + 4 + 2


def test_a_preview_shows_what_cognito_would_issue() -> None:
    access, identity = issued(USER, CHANGES, issuer="https://issuer.example")
    assert access == {
        "client_id": CLIENT,
        "cognito:groups": ["Staff"],
        "iss": "https://issuer.example",
        "scope": "orders/read orders/write",
        "sub": SUB,
        "tenant_id": "acme",
        "token_use": "access",
        "username": SUB,
    }
    assert identity == {
        "aud": CLIENT,
        "cognito:groups": ["Staff"],
        "cognito:username": SUB,
        "email": "user@example.com",
        "email_verified": True,
        "iss": "https://issuer.example",
        "sub": SUB,
        "tenant_name": "Acme",
        "token_use": "id",
    }


def test_a_preview_shows_only_what_the_client_may_read_and_roles_with_their_groups() -> None:
    given = USER._replace(attributes={**USER.attributes, "identities": '[{"userId": "1"}]'}, iam_roles=("arn",))
    _, identity = issued(given, Changes(), readable=frozenset({"email"}))
    assert identity["email"] == "user@example.com"
    assert "email_verified" not in identity
    assert identity["identities"] == [{"userId": "1"}]
    assert identity["cognito:roles"] == ["arn"]
    _, without = issued(given, Changes(id=TokenChanges(suppressed=("cognito:groups",))))
    assert not {"cognito:groups", "cognito:roles"} & without.keys()


def test_in_a_preview_suppression_wins_over_setting() -> None:
    both = Changes(access=TokenChanges({"x": 1}, ("x",)), id=TokenChanges({"email": "other"}, ("email",)))
    access, identity = issued(USER, both)
    assert "x" not in access
    assert "email" not in identity
    assert "iss" not in access


def test_a_machines_preview_is_one_token_about_the_client() -> None:
    access, identity = issued(MACHINE, Changes(scopes_to_suppress=("orders/read",)))
    assert access == {"client_id": CLIENT, "sub": CLIENT, "token_use": "access"}
    assert identity == {}


def test_a_preview_claims_nothing_that_only_the_moment_decides() -> None:
    access, identity = issued(USER, CHANGES, issuer="https://issuer.example")
    assert not UNPREDICTABLE & (access.keys() | identity.keys())
