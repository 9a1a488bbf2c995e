"""The FastAPI dependency, behind a real application."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated

import pytest
from fastapi import Depends, FastAPI, Request, Security
from fastapi.responses import JSONResponse
from fastapi.testclient import TestClient

from claimsmith.errors import Code
from claimsmith.verifier import ANY, Claims, Requirement, Verifier
from claimsmith.verifier.fastapi import BearerDependency, RefusedError
from tests.unit.verifier.introspecting import DOWN, POOL, SOURCE, Revoked
from tests.unit.verifier.minting import CLIENT, NOW, access_claims
from tests.unit.verifier.test_bearer import verifier

BEARER = BearerDependency(verifier())
EDITORS = BearerDependency(verifier(), require=Requirement(any_role=["owner"]))
UNKNOWING = BearerDependency(verifier(revocations=Revoked({}, DOWN)))

APP = FastAPI()


@APP.get("/me")
def me(claims: Annotated[Claims, Depends(BEARER)]) -> dict[str, str | None]:
    return {"sub": claims.sub, "tenant": claims.tenant_id}


@APP.get("/orders")
def orders(claims: Annotated[Claims, Security(BEARER, scopes=["orders/read"])]) -> list[str]:
    return list(claims.roles)


@APP.delete("/orders")
def delete(claims: Annotated[Claims, Security(BEARER, scopes=["orders/read", "orders/delete"])]) -> str:
    return claims.sub


@APP.get("/own")
async def own(claims: Annotated[Claims, Depends(EDITORS)]) -> str:
    return claims.sub


@APP.get("/unknown")
def unknown(claims: Annotated[Claims, Depends(UNKNOWING)]) -> str:
    return claims.sub


CLIENT_OF_APP = TestClient(APP)


def get(path: str, token: str | None, method: str = "GET") -> tuple[int, object, str | None]:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    reply = CLIENT_OF_APP.request(method, path, headers=headers)
    return reply.status_code, reply.json(), reply.headers.get("www-authenticate")


def test_a_good_token_gives_its_claims() -> None:
    assert get("/me", POOL.sign()) == (200, {"sub": access_claims()["sub"], "tenant": "acme"}, None)
    assert get("/orders", POOL.sign()) == (200, ["editor", "viewer"], None)


def test_a_request_without_a_token_gets_a_challenge() -> None:
    assert get("/me", None) == (401, {"detail": "A bearer token is needed."}, 'Bearer realm="api"')


def test_the_challenge_names_the_metadata_of_the_resource() -> None:
    app = FastAPI(dependencies=[Depends(BearerDependency(verifier(), resource="https://api.example.com/mcp"))])
    app.get("/")(lambda: None)
    named = 'resource_metadata="https://api.example.com/.well-known/oauth-protected-resource/mcp"'
    assert TestClient(app).get("/").headers["www-authenticate"] == f'Bearer realm="api", {named}'


def test_a_bad_token_is_401() -> None:
    challenge = 'Bearer realm="api", error="invalid_token"'
    for token in ("x", POOL.sign(access_claims(exp=NOW))):
        assert get("/me", token) == (401, {"detail": "invalid_token"}, challenge)


def test_two_tokens_are_400() -> None:
    for twin in ("Authorization", "authorization", "AUTHORIZATION"):
        pair = [(name, f"Bearer {POOL.sign()}") for name in ("Authorization", twin)]
        assert CLIENT_OF_APP.get("/me", headers=pair).status_code == 400


def test_a_token_needs_all_scopes_of_the_route() -> None:
    challenge = 'Bearer realm="api", error="insufficient_scope", scope="orders/read orders/delete"'
    assert get("/orders", POOL.sign(), "DELETE") == (403, {"detail": "insufficient_scope"}, challenge)
    assert get("/orders", POOL.sign(access_claims(scope="openid")))[0] == 403


def test_a_failed_requirement_is_403_too_and_async_routes_may_depend_on_it() -> None:
    assert get("/own", POOL.sign())[0] == 403
    assert get("/own", POOL.sign(access_claims(roles=["owner"])))[0] == 200


def test_a_failed_lookup_is_503() -> None:
    reply = CLIENT_OF_APP.get("/unknown", headers={"Authorization": f"Bearer {POOL.sign()}"})
    assert (reply.status_code, reply.headers["retry-after"]) == (503, "5")


def test_the_code_is_available_to_a_custom_handler_and_not_in_the_answer() -> None:
    app, seen = FastAPI(), list[Code]()

    @app.get("/")
    def root(_claims: Annotated[Claims, Depends(BEARER)]) -> None: ...

    @app.exception_handler(RefusedError)
    def handled(_request: Request, error: RefusedError) -> JSONResponse:
        seen.append(error.code)
        return JSONResponse({}, error.status_code, dict(error.headers or {}))

    reply = TestClient(app).get("/", headers={"Authorization": f"Bearer {POOL.sign(access_claims(exp=NOW))}"})
    assert (reply.status_code, seen) == (401, [Code.TOKEN_EXPIRED])
    assert Code.TOKEN_EXPIRED not in str(get("/me", POOL.sign(access_claims(exp=NOW))))


def test_the_openapi_document_shows_which_routes_require_a_token_and_which_scopes() -> None:
    document = APP.openapi()
    assert document["components"]["securitySchemes"] == {
        "Bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    }
    assert [list(entry) for entry in document["paths"]["/me"]["get"]["security"]] == [["Bearer"]]
    assert "parameters" not in document["paths"]["/orders"]["get"], "the dependency asks for nothing else"


def test_it_runs_in_the_thread_pool_and_not_in_the_event_loop() -> None:
    """A key server that is slow holds up the requests that wait for it, and no others."""
    verifying = set[int]()

    def clock() -> float:
        verifying.add(threading.get_ident())
        return NOW

    bearer = BearerDependency(
        Verifier(issuers=SOURCE, client_ids=[CLIENT], token_use="access", revocations=ANY, clock=clock)
    )
    app = FastAPI()

    @app.get("/", dependencies=[Depends(bearer)])
    async def root() -> int:
        return threading.get_ident()

    reply = TestClient(app).get("/", headers={"Authorization": f"Bearer {POOL.sign()}"})
    assert reply.status_code == 200
    assert verifying
    assert reply.json() not in verifying


def test_many_requests_at_once_each_get_their_own_answer() -> None:
    """One dependency for all of them, as in an application."""
    tokens = [POOL.sign(access_claims(sub=f"user-{number}", tenant_id=f"tenant-{number}")) for number in range(16)]

    def ask(number: int) -> tuple[int, object, str | None]:
        return get("/me", tokens[number % 16] if number % 3 else "x")

    with ThreadPoolExecutor(8) as threads:
        replies = list(threads.map(ask, range(64)))
    for number, reply in enumerate(replies):
        expected = {"sub": f"user-{number % 16}", "tenant": f"tenant-{number % 16}"}
        assert reply[:2] == ((200, expected) if number % 3 else (401, {"detail": "invalid_token"}))


@pytest.mark.parametrize("name", ["authorization", "Authorization", "AUTHORIZATION"])
def test_the_case_of_the_header_does_not_matter(name: str) -> None:
    assert CLIENT_OF_APP.get("/me", headers={name: f"bearer {POOL.sign()}"}).status_code == 200
