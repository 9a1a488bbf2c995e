"""The caller, from what our authorizer and API Gateway's own pass on, in each form of a back end's event."""

from __future__ import annotations

import json
from typing import Annotated, Any

import pytest
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient

from claimsmith.errors import Code, VerificationError
from claimsmith.testing.api_gateway import cognito_authorizer, jwt_authorizer
from claimsmith.verifier.context import CallerContext, caller_of
from claimsmith.verifier.fastapi import CallerDependency
from claimsmith.verifier.powertools import CallerMiddleware, caller_in
from tests.unit.verifier.gateway_events import POOL, READ, authorizer, http1, http2, rest_request, rest_token, websocket
from tests.unit.verifier.minting import CLIENT, ISSUER, NOW, access_claims

CLAIMS = access_claims(roles=["editor", "viewer"], scope="orders/read orders/write")
BEARER = f"Bearer {POOL.sign(CLAIMS)}"
ADDED = {"principalId": CLAIMS["sub"], "integrationLatency": 12}
RESOURCE = "https://api.example.com"
CHALLENGE = f'Bearer realm="api", resource_metadata="{RESOURCE}/.well-known/oauth-protected-resource"'
OPEN = {"path": "/$connect", "any_scope": ["orders/read"]}


def told(event: dict[str, Any]) -> dict[str, Any]:
    """The context that our authorizer gives for a request."""
    context: dict[str, Any] = authorizer(READ, OPEN).authorize(event).response["context"]
    return context


JWT = jwt_authorizer(BEARER, jwks=POOL.jwks, issuer=ISSUER, audience=[CLIENT], now=NOW)
COGNITO = cognito_authorizer(BEARER, jwks=POOL.jwks, issuer=ISSUER, scopes=["orders/read"], now=NOW)
KINDS: dict[str, dict[str, Any]] = {
    "HTTP API 2.0": {"lambda": told(http2(BEARER))},
    "HTTP API 1.0": {**told(http1(BEARER)), **ADDED},
    "REST, REQUEST": {**told(rest_request(BEARER)), **ADDED},
    "REST, TOKEN": {**told(rest_token(BEARER)), **ADDED},
    "WebSocket": {**told(websocket(BEARER)), **ADDED},
    "JWT authorizer": JWT,
    "JWT authorizer, 1.0": {"claims": JWT["jwt"]["claims"], "scopes": None},
    "Cognito authorizer": COGNITO,
}


def back_end(authorizer: object) -> dict[str, Any]:
    return {
        "version": "2.0",
        "rawPath": "/me",
        "headers": {},
        "requestContext": {"http": {"method": "GET", "path": "/me"}, "stage": "$default", "authorizer": authorizer},
    }


@pytest.mark.parametrize("kind", KINDS)
def test_the_caller_is_the_same_behind_every_authorizer(kind: str) -> None:
    caller = caller_of(back_end(KINDS[kind]))
    assert caller is not None
    assert caller[:4] == (CLAIMS["sub"], "acme", ("editor", "viewer"), ("orders/read", "orders/write"))
    assert caller.claims["sub"] == CLAIMS["sub"]
    assert not {"principalId", "integrationLatency"} & caller.claims.keys()


def test_the_policy_may_name_claims_otherwise() -> None:
    names = {"tenant_id": "org", "roles": None}
    jwt = {"jwt": {"claims": {"sub": "a", "org": "acme", "tenant_id": "other", "roles": "[x]"}, "scopes": None}}
    assert (caller_of(back_end(jwt), names=names) or ())[:3] == ("a", "acme", ())
    own = caller_of(back_end(KINDS["HTTP API 2.0"]), names=names)
    assert own is not None, "our authorizer translates them"
    assert (own.tenant_id, own.roles) == ("acme", ("editor", "viewer"))


@pytest.mark.parametrize(
    "authorizer",
    [None, {}, {"lambda": None}, {"lambda": {}}, {"claims": None, "scopes": None}, {**ADDED, "principalId": "public"}],
)
def test_nobody_signed_in(authorizer: object) -> None:
    assert caller_of(back_end(authorizer)) is None


@pytest.mark.parametrize(
    "authorizer",
    [
        *("x", ["x"], {"lambda": "x"}, {"jwt": None}, {"jwt": {"claims": []}}, {"iam": {"userId": "x"}}),
        *({"lambda": {"sub": 1}}, {"lambda": {"sub": ""}}, {"lambda": {"tenant_id": "acme"}}),
        *({"lambda": {"sub": "a", "roles": ["x"]}}, {"claims": {"sub": "a", "tenant_id": 1}}),
    ],
)
def test_another_form_is_refused(authorizer: object) -> None:
    with pytest.raises(VerificationError) as caught:
        caller_of(back_end(authorizer))
    assert caught.value.code == Code.REQUEST_MALFORMED


@pytest.mark.parametrize("event", [[], "x", None, 5])
def test_what_is_no_event_is_refused(event: Any) -> None:  # noqa: ANN401 - wrong ones
    with pytest.raises(VerificationError) as caught:
        caller_of(event)
    assert caught.value.code == Code.REQUEST_MALFORMED


def test_events_without_a_request_context_have_no_caller() -> None:
    assert [caller_of(event) for event in ({}, {"requestContext": None}, {"requestContext": "x"})] == [None] * 3


@pytest.mark.parametrize(("authorizer", "status"), [(JWT, 200), (None, 401)])
def test_powertools(authorizer: object, status: int) -> None:
    app = APIGatewayHttpResolver()
    app.use(middlewares=[CallerMiddleware(resource=RESOURCE)])

    @app.get("/me")
    def me() -> list[str]:
        return list(caller_in(app).roles)

    answer = app.resolve(back_end(authorizer), None)  # type: ignore[arg-type] # no context is read
    assert answer["statusCode"] == status
    if status == 401:
        assert CHALLENGE in str(answer)
    assert json.loads(answer["body"]) == (["editor", "viewer"] if status == 200 else {})


@pytest.mark.parametrize(("authorizer", "status"), [(COGNITO, 200), (None, 401)])
def test_fastapi(authorizer: object, status: int) -> None:
    app = FastAPI()

    @app.get("/me")
    def me(caller: Annotated[CallerContext, Depends(CallerDependency(resource=RESOURCE))]) -> str | None:
        return caller.tenant_id

    async def under_mangum(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI
        await app({**scope, "aws.event": back_end(authorizer)}, receive, send)

    reply = TestClient(under_mangum).get("/me")
    assert (reply.status_code, reply.headers.get("www-authenticate")) == (status, None if status == 200 else CHALLENGE)
    assert TestClient(app).get("/me").status_code == 401, "without an event there is nobody"
