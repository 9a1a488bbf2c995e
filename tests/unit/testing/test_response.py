"""What becomes of the tokens: suppression, groups, scopes, the quota, and answers that are none."""

from __future__ import annotations

from typing import Any

import pytest

from claimsmith.testing import ContractViolation, InvalidLambdaResponseException, Rule
from tests.unit.testing.handlers import (
    ADMIN_SCOPE,
    READER,
    USER,
    WEB,
    WRITER,
    access,
    answering,
    identity,
    machine_tokens,
    pool,
    scopes,
    signed_in,
)


def group_claims(claims: Any) -> tuple[Any, Any, Any]:  # noqa: ANN401 - claims of a token
    return tuple(claims.get(f"cognito:{name}") for name in ("groups", "roles", "preferred_role"))


def rules(**details: Any) -> frozenset[Rule]:  # noqa: ANN401 - members of the answer
    with pytest.raises(ContractViolation) as caught:
        signed_in(answering(**details))
    return caught.value.rules


def test_without_a_trigger_the_tokens_are_cognitos_own() -> None:
    tokens = signed_in()
    assert group_claims(tokens.id) == (["Staff", "Admins"], [READER, WRITER], READER)
    assert group_claims(tokens.access) == (["Staff", "Admins"], None, None)
    assert scopes(tokens) == {"openid", "email", "orders/read", "orders/write"}


@pytest.mark.parametrize("details", [None, [], {}])
def test_an_answer_that_changes_nothing_gives_cognitos_own_tokens(details: object) -> None:
    tokens = signed_in(lambda event, _: {**event, "response": {"claimsAndScopeOverrideDetails": details}})
    assert tokens.access.keys() == signed_in().access.keys()
    assert tokens.id.keys() == signed_in().id.keys()


@pytest.mark.parametrize("token", ["access", "id"])
def test_a_claim_both_set_and_suppressed_is_suppressed(token: str) -> None:
    block = {"claimsToAddOrOverride": {"email": "x", "plan": 1}, "claimsToSuppress": ["email"]}
    tokens = signed_in(answering(**{f"{token}TokenGeneration": block}))
    assert "email" not in getattr(tokens, token)
    assert getattr(tokens, token)["plan"] == 1


def test_each_token_gets_its_own_claims() -> None:
    handler = answering(
        accessTokenGeneration={"claimsToAddOrOverride": {"a": 1}},
        idTokenGeneration={"claimsToAddOrOverride": {"i": 2}},
    )
    tokens = signed_in(handler)
    assert (tokens.access["a"], tokens.id["i"]) == (1, 2)
    assert "i" not in tokens.access
    assert "a" not in tokens.id


# groupOverrideDetails


def test_an_absent_group_block_leaves_the_groups_alone() -> None:
    assert group_claims(signed_in(answering()).id) == (["Staff", "Admins"], [READER, WRITER], READER)


@pytest.mark.parametrize("block", [None, {}])
def test_an_empty_or_null_group_block_removes_the_groups_from_both_tokens(block: object) -> None:
    tokens = signed_in(answering(groupOverrideDetails=block))
    assert group_claims(tokens.id) == (None, None, None)
    assert group_claims(tokens.access) == (None, None, None)


def test_a_group_block_with_groups_only_loses_the_roles() -> None:
    tokens = signed_in(answering(groupOverrideDetails={"groupsToOverride": ["Guests"]}))
    assert group_claims(tokens.id) == (["Guests"], None, None)
    assert group_claims(tokens.access) == (["Guests"], None, None)


def test_a_full_group_block_replaces_all_three() -> None:
    block = {"groupsToOverride": ["Guests"], "iamRolesToOverride": [WRITER], "preferredRole": WRITER}
    tokens = signed_in(answering(groupOverrideDetails=block))
    assert group_claims(tokens.id) == (["Guests"], [WRITER], WRITER)


def test_the_events_group_configuration_may_be_sent_back_as_it_came() -> None:
    def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
        groups = event["request"]["groupConfiguration"]
        return {**event, "response": {"claimsAndScopeOverrideDetails": {"groupOverrideDetails": groups}}}

    kit = pool(handler)
    assert group_claims(kit.sign_in(USER, WEB).id) == (["Staff", "Admins"], [READER, WRITER], READER)
    kit.users[USER].preferred_role = None
    assert group_claims(kit.sign_in(USER, WEB).id) == (["Staff", "Admins"], [READER, WRITER], None)
    assert kit.client_credentials("2example23456789").violations == ()


def test_suppressing_the_groups_of_one_token_removes_its_roles_and_does_not_change_the_other() -> None:
    tokens = signed_in(identity(claimsToSuppress=["cognito:groups"]))
    assert group_claims(tokens.id) == (None, None, None)
    assert group_claims(tokens.access)[0] == ["Staff", "Admins"]


def test_suppressing_groups_wins_over_a_group_block() -> None:
    handler = answering(
        accessTokenGeneration={"claimsToSuppress": ["cognito:groups"]},
        groupOverrideDetails={"groupsToOverride": ["Guests"]},
    )
    tokens = signed_in(handler)
    assert "cognito:groups" not in tokens.access
    assert tokens.id["cognito:groups"] == ["Guests"]


def test_a_machine_has_no_groups_to_give() -> None:
    with pytest.raises(ContractViolation) as caught:
        machine_tokens(answering(groupOverrideDetails={"groupsToOverride": ["Staff"]}))
    assert caught.value.rules == {Rule.MACHINE_GROUPS}


# Scopes


def test_scopes_are_added_and_suppressed_and_suppression_wins() -> None:
    tokens = signed_in(
        access(scopesToAdd=["billing/read", "orders/read", "x/y"], scopesToSuppress=["email", "x/y", "phone"])
    )
    assert scopes(tokens) == {"openid", "orders/read", "orders/write", "billing/read"}
    assert len(tokens.access["scope"].split()) == 4


def test_a_token_without_scopes_has_no_scope_claim() -> None:
    kit = pool(access(scopesToSuppress=[ADMIN_SCOPE]))
    assert "scope" not in kit.sign_in(USER, WEB).access


def test_openid_can_be_added_to_an_api_sign_in() -> None:
    assert scopes(pool(access(scopesToAdd=["openid"])).sign_in(USER, WEB)) == {ADMIN_SCOPE, "openid"}


def test_the_order_of_scopes_is_unpredictable() -> None:
    many = [f"orders/{number}" for number in range(20)]
    written = signed_in(access(scopesToAdd=many)).access["scope"].split()
    assert written != sorted(written)
    assert set(written) >= set(many)


@pytest.mark.parametrize("scope", ["orders read", " orders", "orders\tread", "orders\u00a0read", "orders\n"])
def test_a_scope_with_a_blank_is_refused(scope: str) -> None:
    assert rules(accessTokenGeneration={"scopesToAdd": [scope]}) == {Rule.SCOPE_BLANK}


@pytest.mark.parametrize("scope", ["", 'or"ders', "or\\ders", "ördersread", "x" * 257, "a\x00b"])
def test_a_scope_of_other_characters_or_too_long_is_refused(scope: str) -> None:
    assert rules(accessTokenGeneration={"scopesToAdd": [scope]}) == {Rule.SCOPE_SYNTAX}


def test_a_scope_of_256_characters_is_accepted() -> None:
    assert "x" * 256 in scopes(signed_in(access(scopesToAdd=["x" * 256])))


def test_adding_the_admin_scope_is_not_documented() -> None:
    assert rules(accessTokenGeneration={"scopesToAdd": [ADMIN_SCOPE]}) == {Rule.ADMIN_SCOPE}
    assert scopes(pool(access(scopesToAdd=[ADMIN_SCOPE])).sign_in(USER, WEB)) == {ADMIN_SCOPE}


def test_giving_a_machine_a_scope_about_users_is_not_documented() -> None:
    with pytest.raises(ContractViolation) as caught:
        machine_tokens(access(scopesToAdd=["openid"]))
    assert caught.value.rules == {Rule.MACHINE_OIDC_SCOPE}
    assert "billing/read" in scopes(machine_tokens(access(scopesToAdd=["billing/read"])))


# Shape


@pytest.mark.parametrize(
    ("details", "where"),
    [
        ({"accessTokenGeneration": {"claimsToOverride": {}}}, "accessTokenGeneration.claimsToOverride"),
        ({"accessTokenGeneration": {"groupOverrideDetails": {}}}, "accessTokenGeneration.groupOverrideDetails"),
        ({"idTokenGeneration": {"scopesToAdd": ["x/y"]}}, "idTokenGeneration.scopesToAdd"),
        ({"claimsToAddOrOverride": {"a": 1}}, "claimsToAddOrOverride"),
        ({"groupOverrideDetails": {"groups": ["Staff"]}}, "groupOverrideDetails.groups"),
    ],
)
def test_an_unknown_member_is_reported(details: dict[str, Any], where: str) -> None:
    with pytest.raises(ContractViolation) as caught:
        signed_in(answering(**details))
    assert [(violation.rule, violation.where) for violation in caught.value.violations] == [
        (Rule.UNKNOWN_MEMBER, f"claimsAndScopeOverrideDetails.{where}")
    ]


def test_an_answer_of_version_one_is_reported() -> None:
    def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
        return {**event, "response": {"claimsOverrideDetails": {"claimsToAddOrOverride": {"a": "b"}}}}

    with pytest.raises(ContractViolation) as caught:
        signed_in(handler)
    assert str(caught.value.violations[0]).startswith("UNKNOWN_MEMBER at claimsOverrideDetails:")


@pytest.mark.parametrize(
    "details",
    [
        {"accessTokenGeneration": None},
        {"idTokenGeneration": {"claimsToAddOrOverride": None}},
        {"accessTokenGeneration": {"claimsToSuppress": None}},
        {"accessTokenGeneration": {"scopesToAdd": None}},
        {"groupOverrideDetails": {"groupsToOverride": None}},
    ],
)
def test_null_without_a_documented_meaning_is_reported_and_can_be_dropped(details: dict[str, Any]) -> None:
    assert rules(**details) == {Rule.NULL_MEMBER}
    assert signed_in(answering(**details), on_violation="drop").violations[0].rule is Rule.NULL_MEMBER


@pytest.mark.parametrize(
    "details",
    [
        "x",
        [1],
        {"accessTokenGeneration": []},
        {"accessTokenGeneration": {"claimsToAddOrOverride": []}},
        {"accessTokenGeneration": {"claimsToAddOrOverride": "a"}},
        {"accessTokenGeneration": {"claimsToSuppress": "email"}},
        {"accessTokenGeneration": {"claimsToSuppress": [1]}},
        {"accessTokenGeneration": {"scopesToAdd": "orders/read"}},
        {"accessTokenGeneration": {"scopesToSuppress": {"a": 1}}},
        {"groupOverrideDetails": []},
        {"groupOverrideDetails": {"groupsToOverride": "Staff"}},
        {"groupOverrideDetails": {"preferredRole": []}},
    ],
)
@pytest.mark.parametrize("on_violation", ["raise", "drop"])
def test_a_member_of_the_wrong_type_is_an_unrecognizable_output(details: object, on_violation: str) -> None:
    with pytest.raises(InvalidLambdaResponseException, match="Unrecognizable lambda output"):
        signed_in(
            lambda event, _: {**event, "response": {"claimsAndScopeOverrideDetails": details}},
            on_violation=on_violation,
        )


@pytest.mark.parametrize(
    "answer", [None, "text", [], {}, {"response": {}}, {"request": {}}, {"request": {}, "response": None}]
)
def test_an_answer_that_is_not_the_event_is_an_unrecognizable_output(answer: object) -> None:
    with pytest.raises(InvalidLambdaResponseException) as caught:
        signed_in(lambda _event, _context: answer)
    assert caught.value.response["Error"] == {
        "Code": "InvalidLambdaResponseException",
        "Message": "Unrecognizable lambda output",
    }


def test_changes_outside_the_response_have_no_effect() -> None:
    def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
        event["request"]["userAttributes"]["email"] = "eve@example.com"
        return {**event, "userName": "eve", "more": True}

    assert signed_in(handler).id["email"] == "ada@example.com"


# The quota


def test_5000_claims_and_scopes_are_accepted_and_one_more_is_not() -> None:
    own = signed_in()
    room = 5_000 - len(own.access) - len(own.id) - len(scopes(own)) + 1  # at_hash is made after the quota

    def adding(claims: int, added_scopes: int, **more: Any) -> Any:  # noqa: ANN401 - a handler
        return access(
            claimsToAddOrOverride={f"c{number}": number for number in range(claims)},
            scopesToAdd=[f"s/{number}" for number in range(added_scopes)],
            **more,
        )

    assert signed_in(adding(room, 0)).violations == ()
    assert signed_in(adding(room - 100, 100)).violations == ()
    assert signed_in(adding(room + 1, 0, claimsToSuppress=["c0"])).violations == (), "suppressed ones do not count"
    for on_violation in ("raise", "drop"):
        with pytest.raises(ContractViolation) as caught:
            signed_in(adding(room - 100, 101), on_violation=on_violation)
        assert caught.value.rules == {Rule.QUOTA}
