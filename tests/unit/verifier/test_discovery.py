"""Requests for metadata: which document there is, at which address, and what it says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claimsmith.errors import Code, ConfigurationError, StoreError
from claimsmith.verifier.discovery import Discovery, asks_for_metadata
from claimsmith.verifier.metadata import authorization_server, protected_resource_metadata

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FIRST, SECOND = "eu-central-1_FIRST", "eu-central-1_SECOND"
ISSUER, OTHER = (f"https://cognito-idp.eu-central-1.amazonaws.com/{pool}" for pool in (FIRST, SECOND))
LOGINS = {FIRST: "https://auth.example.com", SECOND: "https://second.example.com/"}
SERVER, OPENID = "/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"
RESOURCE = "/.well-known/oauth-protected-resource"

SHOWN = {"path": "/mcp", "any_scope": ["orders/read", "orders/write"], "audience": ["https://api.example.com/mcp"]}
ROUTES: list[dict[str, Any]] = [
    {"path": "/mcp", "audience": ["https://api.example.com/mcp"], "any_scope": ["orders/read", "orders/write"]},
    {"path": "/mcp/{rest+}", "audience": ["https://api.example.com/mcp", "urn:mcp"], "all_scopes": ["orders/audit"]},
    {"path": "/orders", "any_scope": ["orders/read"]},
    {"path": "/status", "access": "public"},
]


def discovery(routes: Iterable[Mapping[str, object]] = ROUTES, **options: Any) -> Discovery:  # noqa: ANN401 - its own
    given = {"logins": LOGINS, "audience": ["https://api.example.com", "https://b.example/v1/orders"], **options}
    return Discovery([(ISSUER, None), (OTHER, None)], routes=lambda: routes, **given)


def http(path: str, host: str = "api.example.com") -> dict[str, Any]:
    """An HTTP API's event."""
    context = {"http": {"method": "GET", "path": path}, "domainName": host, "stage": "$default"}
    return {"version": "2.0", "rawPath": path, "requestContext": context}


def rest(path: str, host: str = "api.example.com", stage: str = "live") -> dict[str, Any]:
    """A REST API's event: at its own address, the path as sent begins with the stage."""
    context = {"path": f"/{stage}{path}", "domainName": host, "stage": stage}
    return {"path": path, "httpMethod": "GET", "requestContext": context}


def found(event: dict[str, Any], **options: Any) -> dict[str, Any]:  # noqa: ANN401 - of the discovery
    answer = discovery(**options).answer(event)
    assert (answer.response["statusCode"], answer.code) == (200, None)
    headers = answer.response["headers"]
    assert headers["Content-Type"] == "application/json"
    assert (headers["Cache-Control"], headers["Access-Control-Allow-Origin"]) == ("public, max-age=300", "*")
    members: dict[str, Any] = json.loads(answer.response["body"])
    return members


def is_missing(event: dict[str, Any], **options: Any) -> bool:  # noqa: ANN401 - of the discovery
    answer = discovery(**options).answer(event)
    assert answer.response["headers"]["Cache-Control"] == "no-store"
    return (answer.response["statusCode"], answer.code) == (404, Code.METADATA_NOT_FOUND)


@pytest.mark.parametrize("path", [SERVER, OPENID])
def test_a_pool_is_described_by_its_true_issuer(path: str) -> None:
    described = authorization_server(
        ISSUER, login="https://auth.example.com", introspection_endpoint="https://api.example.com/introspect"
    )
    assert found(http(path)) == found(http(f"{path}/{FIRST}")) == described
    second = found(http(f"{path}/{SECOND}"))
    assert (second["issuer"], second["token_endpoint"]) == (OTHER, "https://second.example.com/oauth2/token")


@pytest.mark.parametrize(
    ("event", "configured", "endpoint"),
    [
        (http(SERVER, "abc.execute-api.eu-central-1.amazonaws.com"), None, "https://{host}/introspect"),
        (http(f"/v1{SERVER}"), None, "https://{host}/v1/introspect"),  # a custom domain's mapping, or a stage
        (rest(SERVER), None, "https://{host}/live/introspect"),
        (http(SERVER), "/tokens/introspect", "https://{host}/tokens/introspect"),
        (http(SERVER), "https://own.example/introspect", "https://own.example/introspect"),
        (http(SERVER, "127.0.0.1:8000"), None, "http://{host}/introspect"),
    ],
)
def test_introspection_is_where_the_document_is_unless_it_is_said_where(
    event: dict[str, Any], configured: str | None, endpoint: str
) -> None:
    options = {} if configured is None else {"introspection_endpoint": configured}
    host = event["requestContext"]["domainName"]
    assert found(event, **options)["introspection_endpoint"] == endpoint.format(host=host)


def test_the_page_shows_what_is_answered() -> None:
    page = (Path(__file__).parents[3] / "docs" / "how-to" / "discovery.md").read_text(encoding="utf-8")
    shown = [json.loads(text) for text in re.findall(r"```json\n(.*?)```", page, re.DOTALL)]
    pool = "eu-central-1_EXAMPLE"
    issuer = f"https://cognito-idp.eu-central-1.amazonaws.com/{pool}"
    logins = {pool: "https://auth.example.com"}
    described = Discovery([(issuer, None)], logins=logins, routes=lambda: [SHOWN])
    answers = [described.answer(http(path)).response["body"] for path in (OPENID, f"{RESOURCE}/mcp")]
    assert shown == [json.loads(answer) for answer in answers]


def test_a_pool_without_a_domain_has_no_document() -> None:
    """It has no token endpoint, which RFC 8414 section 2 requires."""
    assert is_missing(http(SERVER), logins={})
    assert is_missing(http(f"{SERVER}/{SECOND}"), logins={FIRST: LOGINS[FIRST]})
    assert found(http(SERVER), logins={SECOND: LOGINS[SECOND]})["issuer"] == OTHER


@pytest.mark.parametrize(
    ("resource", "scopes"),
    [
        ("https://api.example.com/mcp", ["orders/audit", "orders/read", "orders/write"]),
        ("https://api.example.com", ["orders/read"]),
        ("https://b.example/v1/orders", ["orders/read"]),
    ],
)
def test_a_resource_is_described_at_the_address_that_its_challenges_name(resource: str, scopes: list[str]) -> None:
    scheme, host, path = protected_resource_metadata(resource).split("/", 3)[0], resource.split("/")[2], RESOURCE
    path = protected_resource_metadata(resource).removeprefix(f"{scheme}//{host}")
    assert found(http(path, host)) == {
        "resource": resource,
        "authorization_servers": [ISSUER, OTHER],
        "scopes_supported": scopes,
        "bearer_methods_supported": ["header"],
    }


def test_a_resource_is_found_behind_a_mapping_and_behind_another_host() -> None:
    for event in (http(f"/v1{RESOURCE}/orders", "b.example"), rest(f"{RESOURCE}/orders", "b.example", stage="v1")):
        assert found(event)["resource"] == "https://b.example/v1/orders"
    assert found(http(f"{RESOURCE}/mcp", "abc.execute-api.eu-central-1.amazonaws.com"))["resource"].endswith("/mcp")
    assert found(http(f"{RESOURCE}/", "api.example.com"))["resource"] == "https://api.example.com"
    two = ["https://a.example/same", "https://b.example/same"]
    assert found(http(f"{RESOURCE}/same", "b.example"), audience=two)["resource"] == two[1]
    assert is_missing(http(f"{RESOURCE}/same"), audience=two)


@pytest.mark.parametrize("path", ["", "/orders", "/status", "/mcp/x", "/urn:mcp", "/MCP"])
def test_what_no_token_may_be_bound_to_has_no_document(path: str) -> None:
    assert is_missing(http(RESOURCE + path), audience=[])


@pytest.mark.parametrize("further", ["v1", "caf\u00e9", 'a"b', "a b"])
def test_the_route_is_the_document_and_nothing_behind_it_is_another(further: str) -> None:
    """Or anybody could have a document with an endpoint of their choice; or a 503, which rings an alarm."""
    for document in (SERVER, OPENID, RESOURCE):
        assert is_missing(http(f"{OPENID}/{further}{document}"))


def test_what_is_in_front_of_a_document_is_part_of_an_address_or_there_is_none() -> None:
    """An HTTP API decodes the path; a route of one's own may let through any."""
    assert is_missing(http(f"/caf\u00e9{SERVER}"))
    assert found(http(f"/caf\u00e9{SERVER}"), introspection_endpoint="https://own.example/introspect")


def test_the_introspection_endpoint_is_a_resource_if_tokens_may_be_bound_to_it() -> None:
    endpoint = "https://api.example.com/introspect"
    options: dict[str, Any] = {"introspection_endpoint": endpoint, "audience": [endpoint]}
    assert found(http(f"{RESOURCE}/introspect"), **options)["scopes_supported"] == ["claimsmith/introspect"]
    assert discovery(**options).of_introspection == f"https://api.example.com{RESOURCE}/introspect"
    assert discovery(introspection_endpoint=endpoint).of_introspection is None
    assert discovery(audience=["/introspect"]).of_introspection is None


def test_an_issuer_that_is_no_pool_is_named_by_the_resources_that_it_issues_tokens_for() -> None:
    others = [("https://sso.example.com/realms/acme", {"https://api.example.com/mcp", "orders"})]
    named = [found(http(RESOURCE + path), others=others)["authorization_servers"] for path in ("/mcp", "")]
    assert named == [[ISSUER, OTHER, others[0][0]], [ISSUER, OTHER]]
    own = found(http(f"{RESOURCE}/mcp"), others=others, authorization_servers=["https://api.example.com"])
    assert own["authorization_servers"] == ["https://api.example.com"]


def test_hosts_that_need_no_https_while_one_develops_are_named_as_any_others() -> None:
    pool, realm = "http://cognito:9229/local_1", "http://keycloak:8080/realms/acme"
    resource = "https://api.example.com"
    given: dict[str, Any] = {"audience": [resource], "others": [(realm, [resource])], "routes": list}
    logins = {"local_1": "http://cognito:9229"}
    local = Discovery([(pool, None)], logins=logins, development_hosts=["cognito", "keycloak"], **given)
    members = json.loads(local.answer(http(RESOURCE)).response["body"])
    assert members["authorization_servers"] == [pool, realm]
    assert json.loads(local.answer(http(SERVER)).response["body"])["issuer"] == pool
    with pytest.raises(ConfigurationError, match="keycloak is not https"):
        Discovery([(pool, None)], logins=logins, development_hosts=["cognito"], **given)


def test_a_deployment_may_name_another_address_of_its_server_and_keep_scopes_to_itself() -> None:
    members = found(http(RESOURCE), authorization_servers=["https://api.example.com"], scopes=False, bearer_methods=())
    assert members == {"resource": "https://api.example.com", "authorization_servers": ["https://api.example.com"]}


def test_without_the_policy_a_pool_is_described_and_a_resource_is_unknown() -> None:
    def unavailable() -> Iterable[Mapping[str, object]]:
        raise StoreError(Code.AWS_UNREACHABLE, "DynamoDB is unavailable.")

    down = Discovery([(ISSUER, None)], logins={FIRST: LOGINS[FIRST]}, routes=unavailable)
    assert down.answer(http(SERVER)).response["statusCode"] == 200
    answer = down.answer(http(f"{RESOURCE}/mcp"))
    assert (answer.response["statusCode"], answer.code) == (503, Code.AWS_UNREACHABLE)
    assert answer.response["headers"]["Retry-After"] == "5"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"logins": {"eu-central-1_OTHER": "https://auth.example.com"}}, "its issuer is not accepted"),
        ({"logins": {FIRST: "auth.example.com"}}, "login: "),
        ({"authorization_servers": ["auth.example.com"]}, "authorization_servers: "),
        ({"introspection_endpoint": "http://api.example.com/introspect"}, "introspection_endpoint: "),
        (
            {"authorization_servers": [f"https://acme.auth.eu-central-1.amazoncognito.com/{FIRST}"]},
            f"The issuer of a user pool is {ISSUER}",
        ),
    ],
)
def test_settings_that_describe_nothing_are_refused_at_start(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        discovery(**options)


@pytest.mark.parametrize("path", ["/introspect", f"{SERVER}x", "/.well-known/security.txt", ""])
def test_other_requests_are_not_for_metadata(path: str) -> None:
    assert not asks_for_metadata(http(path))


@given(st.recursive(st.none() | st.text(), lambda inner: st.dictionaries(st.text(), inner), max_leaves=5))
def test_any_event_is_read(event: object) -> None:
    assert not asks_for_metadata({"requestContext": event, "rawPath": event})
    assert not asks_for_metadata(event)


@given(st.text(), st.text())
def test_any_path_and_host_gets_an_answer(path: str, host: str) -> None:
    assert discovery().answer(http(f"{RESOURCE}/{path}", host)).response["statusCode"] in {200, 404}
    assert discovery().answer(http(SERVER, host)).response["statusCode"] in {200, 404}
