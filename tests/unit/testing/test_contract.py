"""Each row of "Claims and scopes reference" against the kit, from a table written down here once more.

A cell says what a trigger may do to the claim: ``yes``, or the rule that says no.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import pytest

from claimsmith.testing import CLAIMS, PREFIXES, ContractViolation, Rule
from claimsmith.testing.response import Draft
from tests.unit.testing.handlers import WEB, answering, signed_in

if TYPE_CHECKING:
    from claimsmith.testing.trigger import Handler

    Token = Literal["access", "id"]
    Change = Literal["set", "suppress"]

YES = None
NOBODY = Rule.RESERVED_CLAIM
OTHER = Rule.OTHER_TOKENS_CLAIM

#: Claim: access set, access suppress, id set, id suppress.
ROWS: dict[str, tuple[Rule | None, Rule | None, Rule | None, Rule | None]] = {
    "tenant_id": (YES, YES, YES, YES),
    "scope": (Rule.SCOPE_CLAIM, Rule.SCOPE_CLAIM, OTHER, OTHER),
    "cognito:groups": (Rule.GROUP_CLAIM, YES, Rule.GROUP_CLAIM, YES),
    "cognito:preferred_role": (Rule.GROUP_CLAIM,) * 4,
    "cognito:roles": (Rule.GROUP_CLAIM,) * 4,
    "email": (YES, YES, YES, YES),
    "custom:plan": (YES, YES, YES, YES),
    "dev:note": (Rule.DEVELOPER_ATTRIBUTE, YES, Rule.DEVELOPER_ATTRIBUTE, YES),
    "cognito:username": (NOBODY,) * 4,
    "cognito:anything": (NOBODY,) * 4,
    "username": (NOBODY, NOBODY, OTHER, OTHER),
    "sub": (NOBODY,) * 4,
    "identities": (OTHER, OTHER, NOBODY, NOBODY),
    "aud": (Rule.AUDIENCE, NOBODY, NOBODY, NOBODY),
    "client_id": (NOBODY, NOBODY, OTHER, OTHER),
    "event_id": (NOBODY, NOBODY, OTHER, OTHER),
    "device_key": (NOBODY, NOBODY, OTHER, OTHER),
    "version": (NOBODY, NOBODY, OTHER, OTHER),
    "at_hash": (OTHER, OTHER, NOBODY, NOBODY),
    "acr": (NOBODY,) * 4,
    "amr": (NOBODY,) * 4,
    "auth_time": (NOBODY,) * 4,
    "azp": (NOBODY,) * 4,
    "exp": (NOBODY,) * 4,
    "iat": (NOBODY,) * 4,
    "iss": (NOBODY,) * 4,
    "jti": (NOBODY,) * 4,
    "nbf": (NOBODY,) * 4,
    "nonce": (NOBODY,) * 4,
    "origin_jti": (NOBODY,) * 4,
    "token_use": (NOBODY,) * 4,
}

CELLS: list[Any] = [
    pytest.param(claim, token, change, rules[2 * at_token + at_change], id=f"{claim}-{token}-{change}")
    for claim, rules in ROWS.items()
    for at_token, token in enumerate(("access", "id"))
    for at_change, change in enumerate(("set", "suppress"))
]


def changing(claim: str, token: Token, change: Change) -> Handler:
    block = {"claimsToAddOrOverride": {claim: "changed"}} if change == "set" else {"claimsToSuppress": [claim]}
    return answering(**{f"{token}TokenGeneration": block})


@pytest.mark.parametrize(("claim", "token", "change", "rule"), CELLS)
def test_a_cell_of_the_claim_table(claim: str, token: Token, change: Change, rule: Rule | None) -> None:
    handler = changing(claim, token, change)
    before = signed_in()
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


def test_the_kit_knows_no_claim_that_is_not_in_this_table() -> None:
    assert set(CLAIMS) <= set(ROWS)
    assert set(PREFIXES) == {"cognito:", "dev:"}


def test_the_client_id_may_be_the_access_tokens_audience() -> None:
    tokens = signed_in(answering(accessTokenGeneration={"claimsToAddOrOverride": {"aud": WEB}}))
    assert tokens.access["aud"] == WEB
    assert tokens.id["aud"] == WEB


def test_a_reserved_claim_may_be_set_to_the_value_that_it_has_and_to_no_other() -> None:
    """Each one of both tokens; a trigger that echoes a claim changes nothing, whatever Cognito makes of it."""
    before = signed_in()
    for token in ("access", "id"):
        claims = getattr(before, token)
        # Made anew for every token, so no trigger can know them.
        echoed = {name: claims[name] for name in claims if ROWS.get(name, ())[2 * (token == "id") :][:1] == (NOBODY,)}
        echoed = {
            name: value for name, value in echoed.items() if name not in {"jti", "origin_jti", "event_id", "at_hash"}
        }
        assert echoed.keys() >= {"sub", "iss", "exp", "token_use"}
        after = signed_in(answering(**{f"{token}TokenGeneration": {"claimsToAddOrOverride": echoed}}))
        assert getattr(after, token).items() >= echoed.items()
        for name in echoed:
            with pytest.raises(ContractViolation, match="RESERVED_CLAIM"):
                signed_in(answering(**{f"{token}TokenGeneration": {"claimsToAddOrOverride": {name: [echoed[name]]}}}))
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
def test_four_id_token_claims_take_no_array_and_no_object(claim: str, value: object) -> None:
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


def test_all_violations_are_told_each_with_its_place_and_none_with_its_value() -> None:
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
