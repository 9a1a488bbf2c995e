"""The Powertools middleware, in real resolvers with events of each kind."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from aws_lambda_powertools.event_handler import (
    ALBResolver,
    APIGatewayHttpResolver,
    ApiGatewayResolver,
    APIGatewayRestResolver,
    LambdaFunctionUrlResolver,
)

from claimsmith.verifier import Requirement
from claimsmith.verifier.powertools import BearerMiddleware, claims_of
from tests.unit.verifier.introspecting import DOWN, POOL, Revoked
from tests.unit.verifier.minting import NOW, access_claims
from tests.unit.verifier.test_bearer import verifier

if TYPE_CHECKING:
    from collections.abc import Callable


def http(headers: dict[str, Any], path: str = "/me") -> dict[str, Any]:
    """An HTTP API's or a function URL's event, payload 2.0."""
    return {
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": "",
        "headers": headers,
        "requestContext": {"http": {"method": "GET", "path": path}, "stage": "$default"},
        "isBase64Encoded": False,
    }


def rest(headers: dict[str, Any], path: str = "/me") -> dict[str, Any]:
    """A REST API's event: every header twice, once with all its values."""
    return {
        "path": path,
        "httpMethod": "GET",
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "requestContext": {"stage": "prod", "path": path},
        "isBase64Encoded": False,
    }


def alb(headers: dict[str, Any], path: str = "/me") -> dict[str, Any]:
    """A load balancer's event, without multi-value headers."""
    return {"path": path, "httpMethod": "GET", "headers": headers, "requestContext": {"elb": {}}, "body": ""}


KINDS: dict[str, tuple[type[ApiGatewayResolver], Callable[..., dict[str, Any]]]] = {
    "HTTP API": (APIGatewayHttpResolver, http),
    "function URL": (LambdaFunctionUrlResolver, http),
    "REST API": (APIGatewayRestResolver, rest),
    "load balancer": (ALBResolver, alb),
}


def resolver(kind: type[ApiGatewayResolver], **options: Any) -> ApiGatewayResolver:  # noqa: ANN401 - of the middleware
    app = kind()
    app.use(middlewares=[BearerMiddleware(options.pop("verifier", verifier()), **options)])

    @app.get("/me")
    def me() -> dict[str, str | None]:
        return {"sub": claims_of(app).sub, "tenant": claims_of(app).tenant_id}

    @app.get("/deep", middlewares=[BearerMiddleware(verifier(), require=Requirement(all_scopes=["orders/delete"]))])
    def deep() -> dict[str, str]:
        return {"sub": claims_of(app).sub}

    return app


def answered(app: ApiGatewayResolver, event: dict[str, Any]) -> tuple[int, Any, str | None]:
    answer = app.resolve(event, None)  # type: ignore[arg-type] # no context is read
    headers = answer.get("headers") or {
        name: value[0] if isinstance(value, list) else value for name, value in answer["multiValueHeaders"].items()
    }
    assert headers["Content-Type"] == "application/json"
    challenge = headers.get("WWW-Authenticate")
    return answer["statusCode"], json.loads(answer["body"]), challenge


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["authorization", "Authorization"])
def test_a_valid_token_is_passed_on_with_its_claims(kind: str, name: str) -> None:
    app, event = KINDS[kind]
    status, members, challenge = answered(resolver(app), event({name: f"Bearer {POOL.sign()}"}))
    assert (status, members, challenge) == (200, {"sub": access_claims()["sub"], "tenant": "acme"}, None)


@pytest.mark.parametrize("kind", KINDS)
def test_no_token_and_a_bad_one_are_401(kind: str) -> None:
    app, event = KINDS[kind]
    assert answered(resolver(app), event({})) == (401, {}, 'Bearer realm="api"')
    for token in ("x", POOL.sign(access_claims(exp=NOW))):
        result = answered(resolver(app, realm="orders"), event({"authorization": f"Bearer {token}"}))
        assert result == (401, {"error": "invalid_token"}, 'Bearer realm="orders", error="invalid_token"')


def test_the_challenge_names_the_metadata_of_the_resource() -> None:
    app, event = KINDS["HTTP API"]
    challenge = answered(resolver(app, resource="https://api.example.com"), event({}))[2]
    named = 'resource_metadata="https://api.example.com/.well-known/oauth-protected-resource"'
    assert challenge == f'Bearer realm="api", {named}'


@pytest.mark.parametrize("kind", KINDS)
def test_a_route_may_require_more(kind: str) -> None:
    app, event = KINDS[kind]
    result = answered(resolver(app), event({"authorization": f"Bearer {POOL.sign()}"}, "/deep"))
    assert result == (403, {"error": "insufficient_scope"}, 'Bearer realm="api", error="insufficient_scope"')
    allowed = POOL.sign(access_claims(scope="orders/delete"))
    assert answered(resolver(app), event({"authorization": f"Bearer {allowed}"}, "/deep"))[0] == 200


def test_two_tokens_are_400_in_any_form() -> None:
    token = f"Bearer {POOL.sign()}"
    joined = http({"authorization": f"{token}, {token}"})
    twice = rest({"Authorization": token}) | {"multiValueHeaders": {"Authorization": [token, token]}}
    assert answered(resolver(APIGatewayHttpResolver), joined)[0] == 400
    assert answered(resolver(APIGatewayRestResolver), twice)[0] == 400
    for twin in ("Authorization", "AUTHORIZATION", "author\u0131zation"):
        assert answered(resolver(APIGatewayHttpResolver), http({"authorization": token, twin: token}))[0] == 400


def test_a_failed_lookup_is_503() -> None:
    app = resolver(APIGatewayHttpResolver, verifier=verifier(revocations=Revoked({}, DOWN)))
    result = answered(app, http({"authorization": f"Bearer {POOL.sign()}"}))
    assert result == (503, {"error": "temporarily_unavailable"}, None)


def test_nothing_is_left_for_the_next_request() -> None:
    app = resolver(APIGatewayHttpResolver)
    assert answered(app, http({"authorization": f"Bearer {POOL.sign()}"}))[0] == 200
    assert answered(app, http({}))[0] == 401
    with pytest.raises(KeyError):
        claims_of(app)


@pytest.mark.parametrize("headers", [None, {}, {"authorization": ""}, {"authorization": ["Basic x"]}])
def test_an_event_of_the_wrong_shape_is_refused(headers: object) -> None:
    app = resolver(APIGatewayHttpResolver)
    assert answered(app, http({}) | {"headers": headers})[0] in {400, 401}
