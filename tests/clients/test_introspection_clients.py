"""Real clients of RFC 7662 ask the deployed function, over HTTP on loopback, about tokens of the real trigger."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest
from authlib.integrations.flask_oauth2 import ResourceProtector, current_token
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7662 import IntrospectTokenValidator
from fastmcp.server.auth.providers.introspection import IntrospectionTokenVerifier
from flask import Flask, jsonify
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import MCPServer
from pydantic import AnyHttpUrl
from starlette.testclient import TestClient

from claimsmith.policy import from_rows
from claimsmith.service.issue import Issuer
from claimsmith.service.publish import apply
from claimsmith.service.resources import Resources
from claimsmith.testing import CognitoKit
from tests.clients.http_api import serving
from tests.clients.node import printed
from tests.conftest import TABLE
from tests.integration.dynamodb_server import LoopbackDynamoDB
from tests.integration.kms_server import ARN, serving_kms
from tests.policies import membership_row, policy_rows, tenant_row
from tests.unit.verifier.signing import local_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from claimsmith.store.dynamodb import Table
    from tests.conftest import Client

pytestmark = pytest.mark.slow

RESOURCE: Final = "https://mcp.example.com/mcp"
CALLER: Final = "orders.api_2-x"
METHODS: Final = ("client_secret_basic", "client_secret_post")


class Stage(NamedTuple):
    """The endpoint, a caller's secret, and tokens.

    Attributes:
        bound: an active token that is bound to ``RESOURCE``.
        refresh: a token that is never active.
    """

    url: str
    secret: str
    active: str
    bound: str
    refresh: str
    issuer: str
    sub: str


@pytest.fixture
def signing() -> dict[str, str]:
    """No answers are signed."""
    return {}


@pytest.fixture
def stage(dynamodb: Client, rows: Table, aws_environment: dict[str, str], signing: dict[str, str]) -> Iterator[Stage]:
    apply(rows, from_rows(policy_rows(roles={"viewer": {"scopes": ["orders/read"]}})), by="test")
    issuer = Issuer(rows, "deny")
    kit = CognitoKit(lambda event, _context: issuer.issue(event).event)
    user = kit.add_user("ada")
    kit.add_client("web", scopes=["openid", "orders/read", "orders/write"])
    rows.put(tenant_row("acme"))
    rows.put(membership_row(user.sub, "acme", roles=["viewer"]))
    secret = Resources(rows, "test").add(CALLER, clients=["web"], tenants=["acme"], audience=["*"])

    def tokens(resource: str | None = None) -> Any:  # noqa: ANN401 - Tokens
        return kit.sign_in("ada", "web", by="authorization_code", resource=resource)

    with LoopbackDynamoDB(dynamodb) as server, kit.serve() as keys:
        environment = {
            **aws_environment,
            "AWS_ENDPOINT_URL": server.endpoint_url,
            "CLAIMSMITH_TABLE": TABLE,
            "CLAIMSMITH_ISSUERS": f"{kit.issuer}={keys.jwks_uri}",
            "CLAIMSMITH_CLIENT_IDS": "web",
        }
        with serving("lambdas.verifier.introspection", environment | signing) as address:
            unbound = tokens()
            assert unbound.refresh_token is not None
            url = f"{address}/introspect"
            yield Stage(
                url, secret, unbound.access_token, tokens(RESOURCE).access_token, unbound.refresh_token, kit.issuer,
                user.sub,
            )  # fmt: skip


@pytest.mark.parametrize("method", METHODS)
def test_authlibs_session_asks(stage: Stage, method: str) -> None:
    def ask(secret: str, token: str) -> Any:  # noqa: ANN401 - Response
        session = OAuth2Session(CALLER, secret, token_endpoint_auth_method=method)
        return session.introspect_token(stage.url, token=token, token_type_hint="access_token", timeout=60)

    active = ask(stage.secret, stage.active).json()
    assert (active["active"], active["sub"], active["tenant_id"], active["roles"], active["stale"]) == (
        True, stage.sub, "acme", ["viewer"], False,
    )  # fmt: skip
    assert ask(stage.secret, stage.refresh).json() == {"active": False}
    wrong = ask("wrong", stage.active)
    assert (wrong.status_code, wrong.json()) == (401, {"error": "invalid_client"})


def test_a_flask_app_protected_by_authlib_asks(stage: Stage) -> None:
    class Validator(IntrospectTokenValidator):  # type: ignore[misc]  # Authlib has no types
        def introspect_token(self, token_string: str) -> Any:  # noqa: ANN401 - JSON
            answer = OAuth2Session(CALLER, stage.secret).introspect_token(stage.url, token=token_string, timeout=60)
            answer.raise_for_status()
            return answer.json()

    protect: Any = ResourceProtector()
    protect.register_token_validator(Validator())
    app = Flask(__name__)

    def orders() -> Any:  # noqa: ANN401 - a response
        return jsonify(current_token["tenant_id"])

    for method, scope in (("GET", "orders/read"), ("DELETE", "orders/delete")):
        app.add_url_rule("/orders", endpoint=scope, view_func=protect(scope)(orders), methods=[method])
    client = app.test_client()

    def headers(token: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {token}"}

    got = client.get("/orders", headers=headers(stage.active))
    assert (got.status_code, got.get_json()) == (200, "acme")
    assert client.delete("/orders", headers=headers(stage.active)).status_code == 403
    assert client.get("/orders", headers=headers(stage.refresh)).status_code == 401


@pytest.mark.parametrize("method", METHODS)
def test_openid_client_asks(stage: Stage, method: str) -> None:
    def ask(secret: str, *tokens: str) -> Any:  # noqa: ANN401 - JSON
        server = {"issuer": stage.issuer, "introspection_endpoint": stage.url}
        given = {"server": server, "id": CALLER, "secret": secret, "method": method, "tokens": tokens}
        return printed("tests/clients/openid_client_introspection.mjs", given=json.dumps(given))

    active, bound, refresh = ask(stage.secret, stage.active, stage.bound, stage.refresh)
    assert (active["active"], active["sub"], active["roles"]) == (True, stage.sub, ["viewer"])
    assert (bound["aud"], refresh) == (RESOURCE, {"active": False})
    (refused,) = ask("wrong", stage.active)
    assert (refused["refused"], refused["challenges"]) == (401, ["basic", "bearer"])


@pytest.mark.parametrize("method", METHODS)
def test_fastmcp_asks(stage: Stage, method: Any) -> None:  # noqa: ANN401 - one of FastMCP's literals
    def ask(token: str, secret: str = stage.secret, **options: Any) -> Any:  # noqa: ANN401 - AccessToken or None
        verifier = IntrospectionTokenVerifier(
            introspection_url=stage.url,
            client_id=CALLER,
            client_secret=secret,
            client_auth_method=method,
            timeout_seconds=60,
            **options,
        )
        return asyncio.run(verifier.verify_token(token))

    accepted = ask(stage.bound, required_scopes=["orders/read"], audience=RESOURCE)
    assert (accepted.client_id, accepted.subject, accepted.claims["tenant_id"]) == ("web", stage.sub, "acme")
    assert ask(stage.bound, required_scopes=["orders/delete"]) is None
    assert ask(stage.active, audience=RESOURCE) is None, "not bound to anything"
    assert ask(stage.refresh) is None
    assert ask(stage.bound, "wrong") is None


def test_an_mcp_server_of_the_official_sdk_asks(stage: Stage) -> None:
    """The SDK has no verifier of its own that asks; it takes any, FastMCP's too."""
    verifier = IntrospectionTokenVerifier(
        introspection_url=stage.url, client_id=CALLER, client_secret=stage.secret, timeout_seconds=60, audience=RESOURCE
    )
    auth = AuthSettings(
        issuer_url=AnyHttpUrl(stage.issuer), resource_server_url=AnyHttpUrl(RESOURCE), validate_token_resource=False
    )
    server = MCPServer("orders", token_verifier=verifier, auth=auth)
    version = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    request = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": version}
    headers = {"Accept": "application/json, text/event-stream"}
    app = server.streamable_http_app(stateless_http=True, json_response=True)
    with TestClient(app, base_url="http://127.0.0.1:8000") as client:
        for token, status in ((stage.bound, 200), (stage.active, 401), (stage.refresh, 401)):
            answer = client.post("/mcp", json=request, headers=headers | {"Authorization": f"Bearer {token}"})
            assert answer.status_code == status, answer.text


SIGNER: Final = "https://api.example.com"


class TestSigned:
    """The deployment signs its answers."""

    @pytest.fixture(params=["RS256", "ES256"])
    def algorithm(self, request: pytest.FixtureRequest) -> str:
        algorithm: str = request.param
        return algorithm

    @pytest.fixture
    def signing(self, algorithm: str) -> Iterator[dict[str, str]]:
        key = local_key("P-256" if algorithm == "ES256" else "RSA 2048")
        with serving_kms(key) as endpoint:
            yield {
                "AWS_ENDPOINT_URL_KMS": endpoint,
                "CLAIMSMITH_SIGNING_KEYS": ARN,
                "CLAIMSMITH_SIGNING_ISSUER": SIGNER,
            }

    def test_openid_client_verifies_the_answers(self, stage: Stage, algorithm: str) -> None:
        def ask(issuer: str, expected: str) -> Any:  # noqa: ANN401 - JSON
            server = {
                "issuer": issuer,
                "introspection_endpoint": stage.url,
                "jwks_uri": f"{stage.url}/jwks.json",
                "introspection_signing_alg_values_supported": [algorithm],
            }
            given = {"server": server, "id": CALLER, "secret": stage.secret, "method": "client_secret_basic"}
            tokens = {"tokens": [stage.active, stage.refresh], "algorithm": expected}
            return printed("tests/clients/openid_client_introspection.mjs", given=json.dumps(given | tokens))

        active, inactive = ask(SIGNER, algorithm)
        assert (active.get("active"), active.get("sub"), inactive) == (True, stage.sub, {"active": False}), active
        other = "ES256" if algorithm == "RS256" else "RS256"
        for wrong in (ask("https://other.example.com", algorithm), ask(SIGNER, other)):
            assert all("code" in result for result in wrong), wrong
