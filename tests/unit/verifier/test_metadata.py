"""The documents against the members that RFC 8414, OpenID Connect Discovery and RFC 9728 require."""

from __future__ import annotations

from typing import Any

import pytest
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from authlib.oidc.discovery import OpenIDProviderMetadata
from mcp.client.auth import OAuthFlowError
from mcp.client.auth.utils import validate_metadata_issuer
from mcp.shared.auth import OAuthMetadata, ProtectedResourceMetadata

from claimsmith.errors import ConfigurationError
from claimsmith.verifier.metadata import authorization_server, protected_resource, protected_resource_metadata

POOL = "eu-central-1_EXAMPLE"
ISSUER = f"https://cognito-idp.eu-central-1.amazonaws.com/{POOL}"
LOGIN = "https://auth.example.com"
MANAGED_LOGIN = "https://acme.auth.eu-central-1.amazoncognito.com"


def server(**changed: Any) -> dict[str, Any]:  # noqa: ANN401 - its arguments
    given = {"issuer": ISSUER, "login": LOGIN, "introspection_endpoint": "https://api.example.com/introspect"}
    return authorization_server(**{**given, **changed})


def test_rfc_8414_section_2_and_openid_discovery_section_3_the_required_members_are_valid() -> None:
    AuthorizationServerMetadata(server()).validate()
    OpenIDProviderMetadata(server()).validate()


def test_what_cognito_says_itself_is_said_here_too() -> None:
    """Its own document for a pool with a domain; only a method for clients without a secret is added to a member."""
    own = {
        "authorization_endpoint": f"{MANAGED_LOGIN}/oauth2/authorize",
        "end_session_endpoint": f"{MANAGED_LOGIN}/logout",
        "id_token_signing_alg_values_supported": ["RS256"],
        "issuer": ISSUER,
        "jwks_uri": f"{ISSUER}/.well-known/jwks.json",
        "response_types_supported": ["code", "token"],
        "revocation_endpoint": f"{MANAGED_LOGIN}/oauth2/revoke",
        "scopes_supported": ["openid", "email", "phone", "profile"],
        "subject_types_supported": ["public"],
        "token_endpoint": f"{MANAGED_LOGIN}/oauth2/token",
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "userinfo_endpoint": f"{MANAGED_LOGIN}/oauth2/userInfo",
    }
    ours = server(login=MANAGED_LOGIN + "/")
    ours["token_endpoint_auth_methods_supported"].remove("none")
    assert own.items() <= ours.items()


def test_what_cognito_leaves_out_is_added() -> None:
    found = server()
    assert found["introspection_endpoint"] == "https://api.example.com/introspect"
    assert found["introspection_endpoint_auth_methods_supported"] == [
        *("client_secret_basic", "client_secret_post"),
        "Bearer",
    ]
    assert found["code_challenge_methods_supported"] == ["S256"]
    assert not [name for name in server(introspection_endpoint=None) if name.startswith("introspection")]


def test_a_client_of_the_mcp_sdk_for_python_takes_the_issuer_only() -> None:
    """RFC 8414 section 3.3: what a document says must be what it was asked for by."""
    document = OAuthMetadata.model_validate(server())
    validate_metadata_issuer(document, ISSUER)
    with pytest.raises(OAuthFlowError, match="mismatch"):
        validate_metadata_issuer(document, "https://api.example.com")


def test_a_local_stack_serves_the_keys_elsewhere() -> None:
    keys = f"http://127.0.0.1:4566/{POOL}/.well-known/jwks.json"
    local = server(login="http://127.0.0.1:4566", jwks_uri=keys)
    assert (local["jwks_uri"], local["token_endpoint"]) == (keys, "http://127.0.0.1:4566/oauth2/token")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"issuer": MANAGED_LOGIN}, "is the issuer of no token"),
        ({"issuer": f"{MANAGED_LOGIN}/{POOL}"}, f"The issuer of a user pool is {ISSUER}"),
        ({"issuer": ISSUER + "/"}, f"write {ISSUER}"),
        ({"login": "auth.example.com"}, "login: write an https address"),
        ({"login": "http://auth.example.com"}, "login: the address at auth.example.com is not https"),
        ({"login": LOGIN + "/login"}, "login: .* has a path"),
        ({"introspection_endpoint": "/introspect"}, "introspection_endpoint: "),
    ],
)
def test_a_wrong_address_of_a_server_is_refused(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        server(**changed)


def test_rfc_9728_section_2_a_resource_names_its_issuer_and_scopes() -> None:
    found = protected_resource(
        "https://api.example.com/mcp", authorization_servers=[ISSUER, ISSUER], scopes=["orders/write", "orders/read"]
    )
    assert found == {
        "resource": "https://api.example.com/mcp",
        "authorization_servers": [ISSUER],
        "scopes_supported": ["orders/read", "orders/write"],
        "bearer_methods_supported": ["header"],
    }
    ProtectedResourceMetadata.model_validate(found)


def test_rfc_9728_section_2_a_list_without_elements_is_left_out() -> None:
    found = protected_resource("https://a.example", authorization_servers=[ISSUER], bearer_methods=())
    assert found.keys() == {"resource", "authorization_servers"}


@pytest.mark.parametrize(
    ("resource", "servers", "said"),
    [
        ("https://a.example#part", [ISSUER], "resource: write an https address without a fragment"),
        ("urn:example:orders", [ISSUER], "resource: "),
        ("http://a.example", [ISSUER], "resource: the address at a.example is not https"),
        ('https://a.example/"', [ISSUER], "resource: "),
        ("https://a.example/b\r\nc", [ISSUER], "resource: "),
        ("https://somebody@a.example", [ISSUER], "resource: "),
        ("https://a.example", [], "name the issuer"),
        ("https://a.example", [f"{MANAGED_LOGIN}/{POOL}"], f"The issuer of a user pool is {ISSUER}"),
    ],
)
def test_a_resource_that_has_no_metadata_is_refused(resource: str, servers: list[str], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        protected_resource(resource, authorization_servers=servers)


@pytest.mark.parametrize(
    ("resource", "path"),
    [
        ("https://resource.example.com", ""),
        ("https://resource.example.com/", ""),
        ("https://resource.example.com/resource1", "/resource1"),
        ("https://resource.example.com/mcp/", "/mcp/"),
        ("https://resource.example.com/mcp?tenant=acme", "/mcp?tenant=acme"),
    ],
)
def test_rfc_9728_section_3_1_the_well_known_path_is_between_host_and_path(resource: str, path: str) -> None:
    expected = f"https://resource.example.com/.well-known/oauth-protected-resource{path}"
    assert protected_resource_metadata(resource) == expected
