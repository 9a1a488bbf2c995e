"""The estimated length of a token against tokens that are really signed."""

from __future__ import annotations

from typing import Any

import pytest

from claimsmith.cognito import size
from claimsmith.cognito.event import MACHINE_SOURCE, parse
from claimsmith.cognito.response import Changes, TokenChanges, build
from claimsmith.cognito.tokens import issued
from claimsmith.testing import MACHINES, REFRESHES, SIGN_INS, CognitoKit, Tokens
from tests.unit.testing.handlers import MACHINE, NOW, READER, SUB, USER, WEB

CLAIMS: list[dict[str, Any]] = [
    {},
    {"tenant_id": "acme", "roles": ["editor", "viewer"], "policy_version": 12},
    {"x": "y" * 4_000},
    {"names": ["Ärger", "日本語", "🦊"] * 40},
    {"quotes": '"\\\n' * 200},
    {f"claim-{at}": {"a": [1.5, True, "x"]} for at in range(100)},
]


def pool(changes: Changes, **attributes: str) -> CognitoKit:
    def trigger(event: dict[str, Any], _context: object) -> dict[str, Any]:
        return {**event, "response": build(changes if parse(event).sub else Changes(changes.access), parse(event))}

    kit = CognitoKit(trigger, lambda_version="V3_0", clock=lambda: NOW)
    kit.add_user(USER, sub=SUB, attributes=attributes, groups=["Staff"], iam_roles=[READER], preferred_role=READER)
    kit.add_client(
        WEB,
        scopes=["openid", "email", "orders/read"],
        flows=[
            "code",
            "ALLOW_USER_SRP_AUTH",
            "ALLOW_USER_PASSWORD_AUTH",
            "ALLOW_ADMIN_USER_PASSWORD_AUTH",
            "ALLOW_REFRESH_TOKEN_AUTH",
        ],
    )
    kit.add_client(MACHINE, secret="invented", scopes=["orders/read"], flows=["client_credentials"])
    return kit


def off(tokens: Tokens, changes: Changes) -> list[float]:
    """How far each estimate is from the signed token, as a part of it."""
    assert tokens.event is not None
    request = parse(tokens.event)
    if tokens.event["triggerSource"] == MACHINE_SOURCE:
        changes = Changes(changes.access)
    signed = [len(token) for token in (tokens.access_token, tokens.id_token) if token]
    estimated = [size.signed(size.payload(claims, request)) for claims in issued(request, changes) if claims]
    return [abs(one - other) / other for one, other in zip(estimated, signed, strict=True)]


@pytest.mark.parametrize("claims", CLAIMS, ids=lambda claims: next(iter(claims), "none"))
def test_an_estimate_is_within_two_percent_of_the_signed_token(claims: dict[str, Any]) -> None:
    changes = Changes(TokenChanges(claims), TokenChanges(claims), ("orders/write", "reports/read"))
    kit = pool(changes, email="ada@example.com", email_verified="true", **{"custom:plan": "7"})
    issued_tokens = [kit.sign_in(USER, WEB, by=by) for by in SIGN_INS]
    begun = issued_tokens[-1]
    issued_tokens += [kit.refresh(str(begun.refresh_token), WEB, by=by) for by in REFRESHES]
    issued_tokens += [kit.client_credentials(MACHINE, by=by) for by in MACHINES]
    distances = [distance for tokens in issued_tokens for distance in off(tokens, changes)]
    assert len(distances) > 10
    assert max(distances) <= 0.02, distances


def test_many_long_claims_are_measured_each_array_once() -> None:
    """And not written first to find out whether they are surely short enough."""
    tokens = pool(Changes()).sign_in(USER, WEB)
    groups = ["group"] * 100
    for names, looked_at in ((3, True), (20, False)):
        claims = TokenChanges({f"n{at}": groups for at in range(names)})
        assert size.surely_within(1_000_000, Changes(claims, claims), parse(tokens.event)) is looked_at
