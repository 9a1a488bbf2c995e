"""The deployed documents, through API Gateway: what a client finds that knows only the API's address."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from claimsmith.errors import Code

if TYPE_CHECKING:
    from demo.local_stack import LocalStack
    from tests.e2e.conftest import Person

SERVER, OPENID = "/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"
RESOURCE = "/.well-known/oauth-protected-resource"


@pytest.mark.parametrize("path", [SERVER, OPENID])
def test_anybody_reads_where_the_pool_has_its_endpoints(stack: LocalStack, person: Person, path: str) -> None:
    reply = stack.http_api.get(path)
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    issuer = stack.outputs["Issuer"]
    assert reply.body["issuer"] == issuer == person.claims(person.sign_in())[0]["iss"]
    login = f"https://{stack.outputs['DomainName']}"
    for name in ("authorization_endpoint", "token_endpoint", "revocation_endpoint"):
        assert reply.body[name].startswith(f"{login}/oauth2/")
    assert reply.body["introspection_endpoint"].endswith("/introspect")
    assert stack.http_api.get(f"{path}/{stack.outputs['UserPoolId']}").body == reply.body


def test_anybody_reads_which_issuer_and_scopes_a_resource_needs(stack: LocalStack) -> None:
    assert stack.http_api.get(f"{RESOURCE}/mcp").body == {
        "resource": "https://api.example.com/mcp",
        "authorization_servers": [stack.outputs["Issuer"]],
        "scopes_supported": ["orders/read", "orders/write"],
        "bearer_methods_supported": ["header"],
    }
    missing = stack.http_api.get(f"{RESOURCE}/orders")
    assert (missing.status, missing.body) == (404, {"error": "not_found"})
    assert stack.codes(stack.outputs["IntrospectionName"])[Code.METADATA_NOT_FOUND]


def test_the_401_of_the_rest_api_has_a_challenge_and_that_of_the_http_api_cannot(
    stack: LocalStack, person: Person
) -> None:
    for token in (None, person.sign_in().id):
        refused = stack.rest_api.get("/orders", token)
        assert (refused.status, refused.headers.get("www-authenticate")) == (401, 'Bearer realm="api"')
    assert "www-authenticate" not in stack.http_api.get("/orders").headers
