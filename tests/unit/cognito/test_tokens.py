"""What Cognito would issue: which tokens, and in them scopes, groups with their roles, and attributes."""

from __future__ import annotations

from typing import Any

import pytest

from claimsmith.cognito.event import Request, parse
from claimsmith.cognito.response import Changes, Groups, TokenChanges, build, count
from claimsmith.cognito.tokens import issued
from tests.events import API_SCOPES, CLIENT, HOSTED, MACHINE, REFRESH, SIGN_IN, SUB, event

NOTHING = Changes()
ROLES = ("arn:aws:iam::111122223333:role/one", "arn:aws:iam::111122223333:role/two")


def user(source: str = SIGN_IN, *, attributes: dict[str, str] | None = None, **parts: Any) -> Request:  # noqa: ANN401 - parts of a request
    return parse(event(source, attributes=attributes, scopes=parts.pop("scopes", None)))._replace(**parts)


@pytest.mark.parametrize(
    ("source", "scopes", "there"),
    [
        (SIGN_IN, API_SCOPES, True),
        (REFRESH, API_SCOPES, True),
        (HOSTED, API_SCOPES, False),
        (HOSTED, ("openid",), True),
        (HOSTED, ("email", "orders/read"), False),
        (REFRESH, ("openid", *API_SCOPES), True),
        (REFRESH, ("email", *API_SCOPES), False),
    ],
)
def test_an_id_token_is_for_an_api_sign_in_and_for_who_asked_for_openid(
    source: str, scopes: tuple[str, ...], *, there: bool
) -> None:
    changes = Changes(access=TokenChanges({"a": 1}, ("username",)), id=TokenChanges({"b": 2}))
    access, identity = issued(user(source, scopes=scopes), changes)
    assert (access["a"], "username" in access) == (1, False)
    assert identity.get("b") == (2 if there else None)
    assert bool(identity) is there


def test_a_machines_token_has_its_changes_and_no_user() -> None:
    access, identity = issued(
        parse(event(MACHINE)), Changes(TokenChanges({"a": 1}), scopes_to_add=("b",)), issuer="https://issuer.example"
    )
    assert identity == {}
    assert access == {
        "a": 1,
        "client_id": CLIENT,
        "iss": "https://issuer.example",
        "scope": "b orders/read",
        "sub": CLIENT,
        "token_use": "access",
    }


def test_scopes_appear_once_in_their_order_and_not_at_all_if_none_is_left() -> None:
    request = user(HOSTED, scopes=["openid", "b", "c"])
    changes = Changes(scopes_to_add=("a", "b"), scopes_to_suppress=("c",))
    assert issued(request, changes)[0]["scope"] == "a b openid"
    back = Changes(scopes_to_add=("c",), scopes_to_suppress=("c", "b", "openid"))
    assert issued(request, back)[0]["scope"] == "c"
    assert "scope" not in issued(request, Changes(scopes_to_suppress=("c", "b", "openid")))[0]


def test_groups_are_in_both_tokens_and_their_roles_in_the_id_token() -> None:
    access, identity = issued(user(groups=("Staff",), iam_roles=ROLES, preferred_role=ROLES[0]), NOTHING)
    assert access["cognito:groups"] == identity["cognito:groups"] == ["Staff"]
    assert not {"cognito:roles", "cognito:preferred_role"} & access.keys()
    assert (identity["cognito:roles"], identity["cognito:preferred_role"]) == (list(ROLES), ROLES[0])


def test_changed_groups_stand_in_for_the_users_own_with_roles_and_all() -> None:
    request = user(groups=("Staff",), iam_roles=ROLES, preferred_role=ROLES[0])
    access, identity = issued(request, Changes(groups=Groups(("Crew",), ROLES[1:])))
    assert access["cognito:groups"] == identity["cognito:groups"] == ["Crew"]
    assert identity["cognito:roles"] == [ROLES[1]]
    assert "cognito:preferred_role" not in identity


def test_a_user_without_groups_has_no_such_claims() -> None:
    access, identity = issued(user(), NOTHING)
    assert not {"cognito:groups", "cognito:roles", "cognito:preferred_role"} & (access.keys() | identity.keys())


def test_the_preferred_role_goes_with_the_groups_in_the_token_that_suppresses_them() -> None:
    request = user(groups=("Staff",), iam_roles=ROLES, preferred_role=ROLES[0])
    hidden = TokenChanges(suppressed=("cognito:groups",))
    access, identity = issued(request, Changes(id=hidden))
    assert access["cognito:groups"] == ["Staff"]
    assert not [name for name in identity if name in {"cognito:groups", "cognito:roles", "cognito:preferred_role"}]
    _, kept = issued(request, Changes(access=hidden))
    assert {"cognito:groups", "cognito:roles", "cognito:preferred_role"} <= kept.keys()


def test_attributes_are_shown_but_not_those_that_cognito_keeps_to_itself() -> None:
    attributes = {"phone_number_verified": "false", "custom:plan": "true", "cognito:mfa_enabled": "true"}
    _, identity = issued(user(attributes=attributes, username="ada"), NOTHING)
    assert identity == {
        "aud": CLIENT,
        "cognito:username": "ada",
        "custom:plan": "true",
        "email": "user@example.com",
        "email_verified": True,
        "phone_number_verified": False,
        "sub": SUB,
        "token_use": "id",
    }


def test_a_client_that_may_read_nothing_gets_the_identities_nevertheless() -> None:
    request = user(attributes={"identities": '[{"userId": "1"}]', "phone_number_verified": "true"})
    _, identity = issued(request, NOTHING, readable=frozenset({"sub", "identities"}))
    assert identity["identities"] == [{"userId": "1"}]
    assert identity["sub"] == SUB
    assert not {"email", "email_verified", "phone_number_verified"} & identity.keys()


@pytest.mark.parametrize("text", ["{", "Okta", "", "[" * 100_000], ids=["broken", "text", "empty", "deep"])
def test_identities_that_are_no_json_stay_as_they_are(text: str) -> None:
    assert issued(user(attributes={"identities": text}), NOTHING)[1]["identities"] == text


def test_a_change_overrides_what_cognito_would_have_issued() -> None:
    _, identity = issued(user(), Changes(id=TokenChanges({"email": "other@example.com"})))
    assert identity["email"] == "other@example.com"


# The answer and what it counts for.


def test_groups_are_counted_in_both_tokens_and_as_they_will_be() -> None:
    request = user(groups=("a", "b", "c"), attributes={"custom:x": "1"}, scopes=["openid"])
    changes = Changes(TokenChanges({"a": 1, "b": 1, "c": 1}), TokenChanges({"a": 1, "b": 1}), ("x",) * 7, ("y",) * 100)
    # Cognito's own, 3 and 2 claims, 7 scopes added, 1 asked for, 5 attributes
    assert count(changes, request) == 50 + 3 + 2 + 7 + 1 + 5 + 2 * 3
    assert count(changes._replace(groups=Groups(("a",))), request) == 50 + 3 + 2 + 7 + 1 + 5 + 2


def test_groups_are_answered_with_their_roles_and_a_preferred_one_only_where_there_is_one() -> None:
    request = user()
    with_one = build(Changes(groups=Groups(("a",), ("arn",), "arn")), request)["claimsAndScopeOverrideDetails"]
    assert with_one["groupOverrideDetails"] == {
        "groupsToOverride": ["a"],
        "iamRolesToOverride": ["arn"],
        "preferredRole": "arn",
    }
    without = build(Changes(groups=Groups(("a",))), request)["claimsAndScopeOverrideDetails"]
    assert without["groupOverrideDetails"] == {"groupsToOverride": ["a"], "iamRolesToOverride": []}
