"""Real clients find out where to sign in from the documents of the deployed function, over HTTP on loopback."""

from __future__ import annotations

import asyncio
import http.client
import socket
import threading
import urllib.error
import urllib.request
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import parse_qs, urlsplit

import pytest
import uvicorn
from authlib.integrations.flask_client import OAuth
from authlib.integrations.requests_client import OAuth2Session
from flask import Flask
from mcp.server.mcpserver import MCPServer
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Mount, Route

from claimsmith.policy import from_rows
from claimsmith.service.publish import apply
from claimsmith.service.resources import Resources
from claimsmith.testing import CognitoKit
from claimsmith.verifier import ANY, Requirement, Verifier
from claimsmith.verifier.bearer import Bearer, BearerError
from tests.clients.http_api import serving
from tests.clients.node import printed
from tests.conftest import TABLE
from tests.integration.dynamodb_server import LoopbackDynamoDB
from tests.policies import policy_rows

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from claimsmith.store.dynamodb import Table
    from tests.conftest import Client

pytestmark = pytest.mark.slow

BACK: Final = "http://127.0.0.1:3000/callback"
OPENID: Final = "/.well-known/openid-configuration"


class Stage(NamedTuple):
    """An MCP server behind our verifier, whose documents the deployed function serves at the same address.

    Attributes:
        url: of the server, without a path; the documents are below it.
        function: of the function itself, with introspection.
    """

    kit: CognitoKit
    url: str
    function: str
    secret: str

    @property
    def resource(self) -> str:
        return f"{self.url}/mcp"


@pytest.fixture
def own_server() -> bool:
    """Whether resources name the API as their authorization server, and not the issuer."""
    return False


@pytest.fixture
def stage(dynamodb: Client, rows: Table, aws_environment: dict[str, str], *, own_server: bool) -> Iterator[Stage]:
    route = {"pk": "POLICY", "sk": "ROUTE#mcp", "path": "/mcp", "any_scope": ["orders/read"]}
    apply(rows, from_rows([*policy_rows(roles={"viewer": {"scopes": ["orders/read"]}}), route]), by="test")
    secret = Resources(rows, "test").add("orders-api", clients=["*"], tenants=["*"])
    kit = CognitoKit()
    kit.add_user("ada")
    kit.add_client("assistant", scopes=["openid", "orders/read"], flows=["code"])
    kit.add_client("web", secret="s:e c", scopes=["openid", "email"], flows=["code"])
    listening = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    with LoopbackDynamoDB(dynamodb) as server, kit.serve(as_issuer=True, sign_in_as="ada") as keys:
        login, _, pool = keys.url.rpartition("/")
        environment = {
            **aws_environment,
            "AWS_ENDPOINT_URL": server.endpoint_url,
            "CLAIMSMITH_TABLE": TABLE,
            "CLAIMSMITH_ISSUERS": f"{kit.issuer}={keys.jwks_uri}",
            "CLAIMSMITH_CLIENT_IDS": "assistant,web",
            "CLAIMSMITH_AUDIENCE": f"{url}/mcp",
            "CLAIMSMITH_LOGINS": f"{pool}={login}",
            **({"CLAIMSMITH_AUTHORIZATION_SERVERS": url} if own_server else {}),
        }
        verifier = Verifier(
            issuers={kit.issuer: keys.jwks_uri},
            client_ids=["assistant"],
            token_use="access",
            revocations=ANY,
            require=Requirement(audience=[f"{url}/mcp"]),
        )
        bearer = Bearer(verifier, resource=f"{url}/mcp")
        with (
            serving("lambdas.verifier.introspection", environment) as function,
            _running(_service(bearer, function), listening),
        ):
            yield Stage(kit, url, function, secret)


def _service(bearer: Bearer, function: str) -> ASGIApp:
    """An MCP server for good tokens only, with the function's documents, as behind one domain."""
    server = MCPServer("orders")

    @server.tool()
    def list_orders() -> str:
        """List orders."""
        return "all orders"

    async def document(request: Request) -> Response:
        status, body = await asyncio.to_thread(_read, function, request.url.path, request.headers["host"])
        return Response(body, status, media_type="application/json")

    tools = server.streamable_http_app(stateless_http=True)

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        sent = [value.decode() for name, value in scope["headers"] if name == b"authorization"]
        try:
            await asyncio.to_thread(bearer.verify, sent)
        except BearerError as error:
            await Response(status_code=error.status, headers=error.headers)(scope, receive, send)
        else:
            await tools(scope, receive, send)

    @asynccontextmanager
    async def sessions(_app: Starlette) -> AsyncIterator[None]:
        async with tools.router.lifespan_context(tools):
            yield

    routes = [Route("/.well-known/{document:path}", document), Mount("/", guarded)]
    return Starlette(routes=routes, lifespan=sessions)


def _read(address: str, path: str, host: str) -> tuple[int, bytes]:
    """What the function answers a client that knows it by this host."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
    try:
        connection.request("GET", path, headers={"Host": host})
        reply = connection.getresponse()
        return reply.status, reply.read()
    finally:
        connection.close()


@contextmanager
def _running(app: ASGIApp, listening: socket.socket) -> Iterator[None]:
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(60)


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


def signed_in(address: str) -> str:
    """Where a browser is sent back from an authorization endpoint."""
    with pytest.raises(urllib.error.HTTPError) as raised:
        urllib.request.build_opener(_Stay).open(address, timeout=60)
    with raised.value as redirect:
        location: str = redirect.headers["Location"]
    return location


@pytest.mark.parametrize("own_server", [False, True], ids=["the issuer", "the API"])
def test_an_mcp_client_finds_the_pool_from_a_challenge_signs_in_and_calls_a_tool(stage: Stage) -> None:
    """Of the official TypeScript SDK; it has the server's address and its own id only."""
    result = printed("tests/clients/mcp.mjs", stage.resource, "assistant", "list_orders")
    assert (result.get("text"), result.get("failed")) == ("all orders", False), result
    asked = parse_qs(urlsplit(result["authorization"]).query)
    assert (asked["resource"], asked["scope"]) == ([stage.resource], ["orders/read"])
    assert "code_challenge" in asked


def test_openid_client_takes_the_whole_address_and_refuses_the_api_as_an_issuer(stage: Stage) -> None:
    got = printed("tests/clients/openid_client.mjs", stage.url + OPENID, "web", "s:e c")
    assert got["claims"]["iss"] == stage.kit.issuer
    with pytest.raises(AssertionError, match="does not match the expected issuer"):
        printed("tests/clients/openid_client.mjs", stage.url, "web", "s:e c")


@pytest.mark.parametrize("own_server", [False, True], ids=["the issuer", "the API"])
def test_oauth4webapi_takes_a_resource_and_only_the_true_issuer(stage: Stage, *, own_server: bool) -> None:
    found = printed("tests/clients/discovery.mjs", given=f'{{"resource": "{stage.resource}"}}')
    assert found["resource"]["resource"] == stage.resource
    assert ("refused" in found) == own_server
    if own_server:
        assert "issuer" in found["refused"]
    else:
        assert found["server"]["issuer"] == stage.kit.issuer


def test_authlib_signs_in_and_introspects_at_the_endpoints_that_it_finds(stage: Stage) -> None:
    app = Flask("test")
    app.secret_key = "test"
    pool = OAuth(app).register(
        "pool",
        client_id="web",
        client_secret="s:e c",
        server_metadata_url=stage.function + OPENID,
        client_kwargs={"scope": "openid email", "code_challenge_method": "S256"},
    )
    with app.test_request_context():
        started = pool.create_authorization_url(BACK)
        back = parse_qs(urlsplit(signed_in(started["url"])).query)
        tokens = pool.fetch_access_token(
            redirect_uri=BACK, code=back["code"][0], code_verifier=started["code_verifier"]
        )
        claims = pool.parse_id_token(tokens, nonce=started["nonce"])
    assert claims["iss"] == stage.kit.issuer
    metadata: dict[str, Any] = pool.server_metadata
    asking = OAuth2Session("orders-api", stage.secret)
    told = asking.introspect_token(metadata["introspection_endpoint"], token=tokens["access_token"]).json()
    assert (told["active"], told["iss"]) == (True, metadata["issuer"])
