"""MCP servers as in ``docs/how-to/recipes/mcp.md``, and the client of the official TypeScript SDK.

The pool is CognitoKit on loopback, because the emulator does not bind tokens to a resource.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import parse_qs, urlsplit

import pytest

from claimsmith.testing import CognitoKit
from tests.clients.node import ROOT, printed

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

PAGE: Final = ROOT / "docs" / "how-to" / "recipes" / "mcp.md"
CLIENT: Final = "assistant"


class Running(NamedTuple):
    """An MCP server and its pool."""

    kit: CognitoKit
    address: str


def granting(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """What a policy could give Ada: a tenant, and one of the two scopes of the tools."""
    details = {
        "accessTokenGeneration": {"claimsToAddOrOverride": {"tenant_id": "acme"}, "scopesToAdd": ["orders/read"]}
    }
    return {**event, "response": {"claimsAndScopeOverrideDetails": details}}


@pytest.fixture(params=["server.py", "fast_server.py"], scope="module")
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("mcp")
    for name, text in re.findall(r"```python\n# (\w+\.py)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        (folder / name).write_text(text, encoding="utf-8")
    kit = CognitoKit(granting)
    kit.add_user("ada")
    kit.add_client(CLIENT, scopes=["openid"], flows=["code"])
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}/mcp"
    with kit.serve(as_issuer=True, sign_in_as="ada"):
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "PORT": str(port),
            "ISSUER": kit.issuer,
            "RESOURCE": address,
            "CLIENT_ID": CLIENT,
        }
        with subprocess.Popen([sys.executable, request.param], cwd=folder, env=environment) as server:
            try:
                _wait_for(server, port)
                yield Running(kit, address)
            finally:
                server.terminate()


def _wait_for(server: subprocess.Popen[bytes], port: int) -> None:
    """Wait until the server accepts connections."""
    for _ in range(1_200):
        assert server.poll() is None, "the server ended"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("the server does not listen")


def use(running: Running, tool: str, token: str | None = None) -> dict[str, Any]:
    """What a client gets that has only the server's address, or a token too."""
    result: dict[str, Any] = printed(
        "tests/clients/mcp.mjs", running.address, CLIENT, tool, *([token] if token else [])
    )
    return result


def test_a_client_discovers_the_pool_signs_in_for_this_resource_and_calls_a_tool(running: Running) -> None:
    result = use(running, "list_orders")
    assert (result.get("text"), result.get("failed")) == ("orders of acme", False), result
    assert parse_qs(urlsplit(result["authorization"]).query)["resource"] == [running.address]


def test_a_tool_asks_for_a_scope(running: Running) -> None:
    result = use(running, "cancel_order")
    assert (result["tools"], result["failed"]) == (["list_orders", "cancel_order"], True)
    assert "orders/write" in result["text"]


def test_a_token_for_another_resource_is_refused(running: Running) -> None:
    token = running.kit.sign_in("ada", CLIENT, by="authorization_code", resource="https://other.example.com/mcp")
    assert use(running, "list_orders", token.access_token)["unauthorized"]
