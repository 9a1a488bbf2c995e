"""Clients of OpenID Connect sign in at CognitoKit: its endpoints are those that a real client expects."""

from __future__ import annotations

import urllib.error
import urllib.request
from typing import Any

import pytest
from authlib.integrations.requests_client import OAuth2Session

from claimsmith.testing import CognitoKit
from tests.clients.node import printed

pytestmark = pytest.mark.slow


@pytest.fixture
def kit() -> CognitoKit:
    def tenant(event: dict[str, Any], _context: object) -> dict[str, Any]:
        details = {"idTokenGeneration": {"claimsToAddOrOverride": {"tenant_id": "acme"}}}
        return {**event, "response": {"claimsAndScopeOverrideDetails": details}}

    kit = CognitoKit(tenant)
    kit.add_user("ada", sub="5c1b8f6e-9d6b-4a3e-8a57-0d6b2f0c9e11")
    kit.add_client("web", secret="s:e c", scopes=["openid", "email"], flows=["code"])
    return kit


def test_openid_client_signs_in_and_refreshes(kit: CognitoKit) -> None:
    with kit.serve(as_issuer=True, sign_in_as="ada"):
        got = printed("tests/clients/openid_client.mjs", kit.issuer, "web", "s:e c")
    assert (got["claims"]["tenant_id"], got["refreshed"]["tenant_id"]) == ("acme", "acme")
    assert got["claims"]["aud"] == "web"


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_authlib_signs_in(kit: CognitoKit, method: str) -> None:
    back = "http://127.0.0.1:3000/callback"
    with kit.serve(sign_in_as="ada") as server:
        client = OAuth2Session(
            "web",
            "s:e c",
            token_endpoint_auth_method=method,
            redirect_uri=back,
            scope="openid email",
            code_challenge_method="S256",
        )
        verifier = "v" * 48
        address, _state = client.create_authorization_url(server.authorization_endpoint, code_verifier=verifier)
        with pytest.raises(urllib.error.HTTPError) as raised:
            urllib.request.build_opener(_Stay).open(address, timeout=60)
        with raised.value as redirect:
            location = redirect.headers["Location"]
        tokens = client.fetch_token(server.token_endpoint, authorization_response=location, code_verifier=verifier)
    assert {"access_token", "id_token", "refresh_token", "expires_in"} <= tokens.keys()
