"""What the kit makes of each cell of its claim table. That the table is AWS's, ``test_claims_page`` compares."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import pytest

from claimsmith.testing import CLAIMS, ContractViolation, Rule
from claimsmith.testing.contract import claim_rule
from claimsmith.testing.response import Draft
from tests.unit.testing.handlers import WEB, answering, signed_in

if TYPE_CHECKING:
    from claimsmith.testing.contract import Change, Token
    from claimsmith.testing.trigger import Handler

#: Those of the table, and names of each other kind.
NAMES = [*CLAIMS, "tenant_id", "email", "custom:plan", "dev:note", "cognito:anything"]

TOKENS: tuple[Token, Token] = ("access", "id")
CHANGES: tuple[Change, Change] = ("set", "suppress")
CELLS: list[tuple[str, Token, Change]] = list(product(NAMES, TOKENS, CHANGES))


def changing(claim: str, token: Token, change: Change) -> Handler:
    block = {"claimsToAddOrOverride": {claim: "changed"}} if change == "set" else {"claimsToSuppress": [claim]}
    return answering(**{f"{token}TokenGeneration": block})


@pytest.mark.parametrize(("claim", "token", "change"), CELLS)
def test_forbidden_changes_are_reported_and_allowed_ones_applied(claim: str, token: Token, change: Change) -> None:
    handler = changing(claim, token, change)
    before = signed_in()
    rule = Rule.AUDIENCE if (claim, token, change) == ("aud", "access", "set") else claim_rule(token, change, claim)
    if rule is None:
        after = signed_in(handler)
        assert getattr(after, token).get(claim) == ("changed" if change == "set" else None)
        return
    with pytest.raises(ContractViolation) as caught:
        signed_in(handler)
    assert caught.value.rules == {rule}
    dropped = signed_in(handler, on_violation="drop")
    assert [violation.rule for violation in dropped.violations] == [rule]
    assert (claim in getattr(dropped, token)) == (claim in getattr(before, token)), "a change that is dropped shows"
    assert getattr(dropped, token).get(claim) != "changed"


def test_the_client_id_may_be_the_access_tokens_audience() -> None:
    tokens = signed_in(answering(accessTokenGeneration={"claimsToAddOrOverride": {"aud": WEB}}))
    assert tokens.access["aud"] == WEB
    assert tokens.id["aud"] == WEB


def test_a_reserved_claim_may_be_set_to_the_value_that_it_has_and_to_no_other() -> None:
    """Each one of both tokens; a trigger that echoes a claim changes nothing, whatever Cognito makes of it."""
    before = signed_in()
    for token in TOKENS:
        claims = getattr(before, token)
        # New in every token, so no trigger can know them.
        unknown = {"jti", "origin_jti", "event_id", "at_hash"}
        reserved = {name for name in claims if claim_rule(token, "set", name) is Rule.RESERVED_CLAIM}
        echoed = {name: claims[name] for name in reserved - unknown}
        assert echoed.keys() >= {"sub", "iss", "exp", "token_use"}
        after = signed_in(answering(**{f"{token}TokenGeneration": {"claimsToAddOrOverride": echoed}}))
        assert getattr(after, token).items() >= echoed.items()
        for name, value in echoed.items():
            with pytest.raises(ContractViolation, match="RESERVED_CLAIM"):
                signed_in(answering(**{f"{token}TokenGeneration": {"claimsToAddOrOverride": {name: [value]}}}))
            with pytest.raises(ContractViolation, match="RESERVED_CLAIM"):
                signed_in(answering(**{f"{token}TokenGeneration": {"claimsToSuppress": [name]}}))


@pytest.mark.parametrize(("mine", "another"), [(1, True), (1, 1.0), ("1", 1), ([1], [True]), ({"a": 1}, {"a": True})])
def test_the_same_value_is_one_of_the_same_type(mine: object, another: object) -> None:
    draft = Draft({"sub": mine}, None, (), None, WEB)
    assert draft.has("access", "sub", mine)
    assert not draft.has("access", "sub", another)
    assert not draft.has("id", "sub", mine)


@pytest.mark.parametrize("audience", ["another", [WEB], None, ""])
def test_no_other_audience_is_accepted(audience: object) -> None:
    with pytest.raises(ContractViolation) as caught:
        signed_in(answering(accessTokenGeneration={"claimsToAddOrOverride": {"aud": audience}}))
    assert caught.value.rules == {Rule.AUDIENCE}


@pytest.mark.parametrize("token", ["access", "id"])
@pytest.mark.parametrize(
    "value",
    ["text", "", 7, -1.5, 9_223_372_036_854_775_807, 1.797e308, True, [], ["a", 1, False], {}, {"a": {"b": [1]}}],
)
def test_these_values_are_claim_values(token: str, value: object) -> None:
    tokens = signed_in(answering(**{f"{token}TokenGeneration": {"claimsToAddOrOverride": {"claim": value}}}))
    assert getattr(tokens, token)["claim"] == value
    assert type(getattr(tokens, token)["claim"]) is type(value)


@pytest.mark.parametrize("token", ["access", "id"])
@pytest.mark.parametrize(
    ("value", "rule"),
    [
        (None, Rule.NULL_VALUE),
        ([1, None], Rule.NULL_VALUE),
        ({"a": {"b": None}}, Rule.NULL_VALUE),
        ([{"a": 1}], Rule.ARRAY_MEMBER),
        ([[1]], Rule.ARRAY_MEMBER),
        ({"a": [{}]}, Rule.ARRAY_MEMBER),
        ({"": 1}, Rule.EMPTY_NAME),
    ],
)
def test_these_values_are_not(token: str, value: object, rule: Rule) -> None:
    with pytest.raises(ContractViolation) as caught:
        signed_in(answering(**{f"{token}TokenGeneration": {"claimsToAddOrOverride": {"claim": value}}}))
    assert caught.value.rules == {rule}


@pytest.mark.parametrize("claim", ["phone_number_verified", "email_verified", "updated_at", "address"])
@pytest.mark.parametrize("value", [{"formatted": "x"}, ["x"]])
def test_four_id_token_claims_cannot_be_an_array_or_an_object(claim: str, value: object) -> None:
    with pytest.raises(ContractViolation) as caught:
        signed_in(answering(idTokenGeneration={"claimsToAddOrOverride": {claim: value}}))
    assert caught.value.rules == {Rule.PLAIN_IN_ID}
    tokens = signed_in(
        answering(
            idTokenGeneration={"claimsToAddOrOverride": {claim: "plain"}},
            accessTokenGeneration={"claimsToAddOrOverride": {claim: value}},
        )
    )
    assert (tokens.id[claim], tokens.access[claim]) == ("plain", value)


@pytest.mark.parametrize("member", [{"claimsToAddOrOverride": {"": 1}}, {"claimsToSuppress": [""]}])
def test_a_claim_needs_a_name(member: dict[str, Any]) -> None:
    with pytest.raises(ContractViolation) as caught:
        signed_in(answering(accessTokenGeneration=member))
    assert caught.value.rules == {Rule.EMPTY_NAME}


def test_all_violations_are_reported_with_their_place_and_without_their_value() -> None:
    broken = answering(
        accessTokenGeneration={"claimsToAddOrOverride": {"sub": "hidden"}, "scopesToAdd": ["hid den"]},
        idTokenGeneration={"claimsToSuppress": ["iss"]},
    )
    with pytest.raises(ContractViolation) as caught:
        signed_in(broken)
    assert [(violation.rule, violation.where) for violation in caught.value.violations] == [
        (Rule.RESERVED_CLAIM, "claimsAndScopeOverrideDetails.accessTokenGeneration.claimsToAddOrOverride.sub"),
        (Rule.SCOPE_BLANK, "claimsAndScopeOverrideDetails.accessTokenGeneration.scopesToAdd"),
        (Rule.RESERVED_CLAIM, "claimsAndScopeOverrideDetails.idTokenGeneration.claimsToSuppress.iss"),
    ]
    assert "RESERVED_CLAIM at claimsAndScopeOverrideDetails" in str(caught.value)
    assert "hid" not in str(caught.value)
