"""API Gateway's own authorizers, as pure functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from claimsmith.testing.api_gateway import GatewayRefusal, cognito_authorizer, jwt_authorizer
from tests.unit.testing.handlers import NOW, USER, WEB, answering, pool

if TYPE_CHECKING:
    from claimsmith.testing import CognitoKit

CLAIMS = {"roles": ["editor", "viewer"], "admin": True, "limits": {"eur": 5}}


def kit() -> CognitoKit:
    added = {"claimsToAddOrOverride": CLAIMS}
    trigger = answering(accessTokenGeneration=added | {"scopesToAdd": ["orders/read"]}, idTokenGeneration=added)
    return pool(trigger)


def jwt(kit: CognitoKit, token: str, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - arguments of the function
    configured = {"jwks": kit.jwks, "issuer": kit.issuer, "audience": [WEB], "now": NOW + 1, **changes}
    context: dict[str, Any] = jwt_authorizer(token, **configured)["jwt"]
    return context


def cognito(kit: CognitoKit, token: str, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - likewise
    claims: dict[str, Any] = cognito_authorizer(
        token, **{"jwks": kit.jwks, "issuer": kit.issuer, "now": NOW + 1, **changes}
    )["claims"]
    return claims


def test_an_http_api_passes_on_every_claim_as_text() -> None:
    pool = kit()
    context = jwt(pool, f"Bearer {pool.sign_in(USER, WEB).access_token}", scopes=["orders/read", "x"])
    claims = context["claims"]
    assert (claims["roles"], claims["admin"], claims["limits"]) == ("[editor viewer]", "true", "map[eur:5]")
    assert (claims["exp"], context["scopes"]) == (str(NOW + 3600), ["orders/read", "x"])


def test_it_takes_id_tokens_too_because_nothing_looks_at_token_use() -> None:
    pool = kit()
    assert jwt(pool, str(pool.sign_in(USER, WEB).id_token))["claims"]["token_use"] == "id"


def test_a_token_that_is_bound_to_a_resource_needs_it_as_audience() -> None:
    pool = kit()
    token = pool.sign_in(USER, WEB, by="authorization_code", resource="https://api.example.com").access_token
    with pytest.raises(GatewayRefusal, match="401: aud"):
        jwt(pool, token)
    assert jwt(pool, token, audience=["https://api.example.com"])


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"scopes": ["orders/rea"]}, 403),
        ({"issuer": "https://example.com"}, 401),
        ({"audience": ["other"]}, 401),
        ({"now": NOW + 3600}, 401),
        ({"now": NOW - 1}, 401),
        ({"jwks": {"keys": []}}, 401),
    ],
)
def test_what_an_http_api_refuses(changes: dict[str, Any], status: int) -> None:
    pool = kit()
    with pytest.raises(GatewayRefusal) as refused:
        jwt(pool, pool.sign_in(USER, WEB).access_token, **changes)
    assert refused.value.status == status


@pytest.mark.parametrize("token", ["", "a.b.c", "x", "e30.e30.", "Bearer " + "x" * 10_240])
def test_what_is_no_token(token: str) -> None:
    with pytest.raises(GatewayRefusal, match="401"):
        jwt(kit(), token)


def test_a_changed_token_is_refused() -> None:
    pool = kit()
    header, payload, signature = pool.sign_in(USER, WEB).access_token.split(".")
    with pytest.raises(GatewayRefusal, match="401"):
        jwt(pool, f"{header}.{payload[:-2]}AA.{signature}")


def test_a_rest_api_takes_id_tokens_without_scopes_and_access_tokens_with() -> None:
    pool = kit()
    tokens = pool.sign_in(USER, WEB)
    claims = cognito(pool, str(tokens.id_token))
    assert (claims["roles"], claims["admin"]) == ("editor,viewer", "true")
    assert claims["exp"] == "Fri Jan 15 09:00:00 UTC 2027"
    assert cognito(pool, tokens.access_token, scopes=["orders/read"])["client_id"] == WEB
    for token, scopes in ((tokens.access_token, []), (str(tokens.id_token), ["orders/read"])):
        with pytest.raises(GatewayRefusal, match="401"):
            cognito(pool, token, scopes=scopes)
    with pytest.raises(GatewayRefusal, match="403"):
        cognito(pool, tokens.access_token, scopes=["orders/write"])
