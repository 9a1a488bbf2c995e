"""Calls of the deployed APIs, through API Gateway and the deployed authorizers.

What API Gateway makes of the authorizer's answer, here as at AWS: without an ``Authorization`` header both kinds of API
answer 401 by themselves; a simple answer of an HTTP API's authorizer has one word for no, 403; a REST API's authorizer
says 401 by raising ``Unauthorized`` and 403 by a policy that denies. A Lambda error ends the emulator's worker, so each
401 of the REST API makes the next call a cold one.
"""

from __future__ import annotations

import http.client
import json
import secrets
from base64 import b64encode
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from claimsmith.errors import Code
from demo import aws
from demo.emulator import REGION
from tests.e2e.conftest import string_list, wait_until
from tests.e2e.forgeries import FORGERIES, signed_by
from tests.unit.verifier.minting import jwk, private_key

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator, Mapping

    from demo.api import Api, Reply
    from demo.local_stack import LocalStack
    from tests.e2e.conftest import Person


@dataclass
class Protected:
    """An API and its authorizer.

    Attributes:
        unauthorized: what it answers where a token is no good.
    """

    stack: LocalStack
    api: Api
    authorizer: str
    unauthorized: int

    def get(self, path: str, token: str | None) -> Reply:
        return self.api.get(path, token)

    def refused(self, path: str, token: str) -> tuple[int, str]:
        """The status of a request that is refused, and the code that the authorizer logs."""
        logged = self._codes()
        reply = self.get(path, token)
        assert reply.status in {401, 403}, reply
        assert "sub" not in reply.body
        wait_until(self.stack, "the refusal is logged", lambda: bool(self._again(path, token, logged)))
        [code] = self._again(path, token, logged)
        return reply.status, code

    def _again(self, path: str, token: str, logged: Counter[str]) -> list[str]:
        """Codes that have been logged twice or more since then.

        The emulator gives a line that is a moment late to the next call of the function. So this asks again, and the
        one line that is left of an earlier request does not count.
        """
        self.get(path, token)
        return [code for code, times in (self._codes() - logged).items() if times > 1]

    def _codes(self) -> Counter[str]:
        return self.stack.codes(self.authorizer)


@pytest.fixture(params=["HTTP API", "REST API"])
def protected(request: pytest.FixtureRequest, stack: LocalStack) -> Protected:
    if request.param == "HTTP API":
        return Protected(stack, stack.http_api, stack.outputs["AuthorizerName"], 403)
    return Protected(stack, stack.rest_api, stack.outputs["RestAuthorizerName"], 401)


def test_a_valid_token_is_accepted_and_the_function_gets_its_subject(
    protected: Protected, person: Person, tenant: str
) -> None:
    person.join(tenant, "editor")
    reply = protected.get("/orders", person.sign_in().access)
    scopes = reply.body.pop("scope")
    assert (reply.status, reply.body) == (
        200,
        {"tenant": None, "sub": person.sub, "tenant_id": tenant, "roles": ["editor", "viewer"]},
    )
    assert set(scopes) == {"aws.cognito.signin.user.admin", "orders/read", "orders/write"}


def test_a_token_opens_its_own_tenant_and_no_other_not_even_of_the_same_person(
    protected: Protected, person: Person, tenant: str, other_tenant: str
) -> None:
    person.join(tenant, "viewer")
    person.join(other_tenant, "editor")
    token = person.sign_in({"tenant_id": tenant}).access
    own = protected.get(f"/tenants/{tenant}/orders", token)
    assert (own.status, own.body["tenant"], own.body["tenant_id"]) == (200, tenant, tenant)
    for another in (other_tenant, "unknown", tenant.upper()):
        assert protected.refused(f"/tenants/{another}/orders", token) == (403, Code.WRONG_TENANT)


def test_a_token_without_a_tenant_opens_no_tenants_route(protected: Protected, person: Person, tenant: str) -> None:
    person.stack.pool.add_to_group(person.username, "Staff")
    token = person.sign_in().access
    assert protected.get("/orders", token).body["tenant_id"] is None
    assert protected.refused(f"/tenants/{tenant}/orders", token) == (403, Code.WRONG_TENANT)


def test_a_token_without_the_scope_is_refused(protected: Protected, person: Person) -> None:
    assert protected.refused("/orders", person.sign_in().access) == (403, Code.SCOPE_MISSING)


def test_a_machine_passes_with_the_scope_and_belongs_to_no_tenant(protected: Protected, tenant: str) -> None:
    machine = protected.stack.outputs["MachineClientId"]
    token = protected.stack.pool.machine_token(machine, ["orders/read"])
    reply = protected.get("/orders", token)
    assert (reply.status, reply.body["sub"], reply.body["tenant_id"]) == (200, machine, None)
    assert protected.refused(f"/tenants/{tenant}/orders", token) == (403, Code.WRONG_TENANT)


@pytest.mark.parametrize(
    ("protected", "forgery"),
    [
        *(("HTTP API", forgery) for forgery in FORGERIES),
        # What differs is the answer, not the check; so not each of them has to wait for a cold worker.
        ("REST API", "an ID token"),
        ("REST API", "altered"),
    ],
    indirect=["protected"],
)
def test_a_token_that_is_no_good_is_refused(protected: Protected, person: Person, tenant: str, forgery: str) -> None:
    person.join(tenant, "viewer")
    tokens = person.sign_in()
    make, code = FORGERIES[forgery]
    assert protected.refused("/orders", make(person, tokens)) == (protected.unauthorized, code)


@pytest.mark.parametrize("first", ["{}", "%{:x}"])
def test_a_path_means_the_same_however_it_is_spelt(
    stack: LocalStack, person: Person, tenant: str, other_tenant: str, first: str
) -> None:
    """An HTTP API decodes the path before it calls its authorizer: ``%74`` is the ``t`` of these tenants' ids."""
    person.join(tenant, "viewer")
    token = person.sign_in().access

    def get(name: str) -> Reply:
        spelt = first.format(ord(name[0])) if "%" in first else name[0]
        return stack.http_api.get(f"/tenants/{spelt}{name[1:]}/orders", token)

    own = get(tenant)
    assert (own.status, own.body["tenant"]) == (200, tenant)
    assert get(other_tenant).status == 403


@pytest.mark.parametrize(
    "path",
    [
        "/tenants/{own}%2f..%2f{other}/orders",
        "/tenants/{own}/../{other}/orders",
        "/tenants/{own}%3f/orders",
        "/tenants/%252e%252e/orders",
        "/tenants/{own},{other}/orders",
        "//tenants/{other}/orders",
        "/tenants/{other}%00/orders",
    ],
)
def test_a_path_that_could_be_read_in_two_ways_opens_nothing(
    protected: Protected, person: Person, tenant: str, other_tenant: str, path: str
) -> None:
    person.join(tenant, "viewer")
    reply = protected.get(path.format(own=tenant, other=other_tenant), person.sign_in().access)
    assert reply.status in {400, 403, 404}, reply


def test_without_a_token_the_authorizer_is_not_even_asked(protected: Protected) -> None:
    asked = protected.stack.invocations(protected.authorizer)
    assert protected.get("/orders", None).status == 401
    assert protected.stack.invocations(protected.authorizer) == asked


@pytest.mark.parametrize("scheme", ["", "Basic ", "Bearer  two ", "BearerX "])
def test_a_token_that_is_not_presented_as_a_bearer_token_is_refused(
    stack: LocalStack, person: Person, tenant: str, scheme: str
) -> None:
    person.join(tenant, "viewer")
    token = person.sign_in().access
    reply = stack.http_api.send("GET", "/orders", {"Authorization": scheme + token})
    assert reply.status == 403
    assert stack.http_api.send("GET", "/orders", {"Authorization": f"bearer {token}"}).status == 200


# A cache in front. The stack has none, so these turn one on.

TOKEN, ROUTE, PATH = "$request.header.Authorization", "$context.routeKey", "$context.path"
CACHED_BY = "CLAIMSMITH_AUTHORIZER_CACHED_BY"


class Variables:
    """The environment of the HTTP API's authorizer; changing it starts the function again."""

    def __init__(self, stack: LocalStack) -> None:
        self._lambda: Any = aws.client("lambda", stack.endpoint)
        self._function = stack.outputs["AuthorizerName"]
        described = self._lambda.get_function_configuration(FunctionName=self._function)
        self._variables: dict[str, str] = described["Environment"]["Variables"]

    def set(self, more: Mapping[str, str]) -> None:
        """Add these to the variables of the deployment."""
        self._lambda.update_function_configuration(
            FunctionName=self._function, Environment={"Variables": {**self._variables, **more}}
        )


class Cache:
    """The HTTP API's cache of its authorizer's responses, and the cache key in the authorizer's environment."""

    def __init__(self, stack: LocalStack) -> None:
        self._api: Any = aws.client("apigatewayv2", stack.endpoint)
        self._id = stack.outputs["HttpApiId"]
        [self._authorizer] = self._api.get_authorizers(ApiId=self._id)["Items"]
        self._variables = Variables(stack)

    def keep(self, *sources: str, configured: bool = True) -> None:
        """Keep answers for an hour, the longest there is, by these."""
        self._set(3_600, list(sources), {CACHED_BY: ",".join(sources)} if configured else {})

    def restore(self) -> None:
        """Keep none, as it was deployed."""
        self._set(self._authorizer["AuthorizerResultTtlInSeconds"], self._authorizer["IdentitySource"], {})

    def _set(self, seconds: int, sources: list[str], more: dict[str, str]) -> None:
        self._api.update_authorizer(
            ApiId=self._id,
            AuthorizerId=self._authorizer["AuthorizerId"],
            AuthorizerResultTtlInSeconds=seconds,
            IdentitySource=sources,
        )
        self._variables.set(more)


@pytest.fixture
def cache(stack: LocalStack) -> Iterator[Cache]:
    made = Cache(stack)
    yield made
    made.restore()


def test_a_cached_response_is_reused_and_allows_no_other_route_or_tenant(
    stack: LocalStack, cache: Cache, person: Person, tenant: str, other_tenant: str
) -> None:
    person.join(tenant, "viewer")
    person.join(other_tenant, "editor")
    token = person.sign_in({"tenant_id": tenant}).access
    cache.keep(TOKEN, ROUTE, PATH)
    authorizer = stack.outputs["AuthorizerName"]
    own, other = f"/tenants/{tenant}/orders", f"/tenants/{other_tenant}/orders"
    asked = stack.invocations(authorizer)
    assert [stack.http_api.get(own, token).status for _ in range(3)] == [200, 200, 200]
    assert stack.invocations(authorizer) == asked + 1, "the second and third are answered from the cache"
    assert stack.http_api.get(other, token).status == 403
    assert stack.http_api.get("/orders", token).status == 200
    assert stack.invocations(authorizer) == asked + 3, "another route and another tenant are asked about"
    another = person.sign_in({"tenant_id": other_tenant}).access
    assert [stack.http_api.get(path, another).status for path in (own, other)] == [403, 200]


def test_a_cache_by_too_little_is_refused_by_the_authorizer_and_would_open_another_tenant(
    stack: LocalStack, cache: Cache, person: Person, tenant: str, other_tenant: str
) -> None:
    person.join(tenant, "viewer")
    own, other = f"/tenants/{tenant}/orders", f"/tenants/{other_tenant}/orders"
    cache.keep(TOKEN)
    assert stack.http_api.get(own, person.sign_in().access).status == 500
    assert stack.codes(stack.outputs["AuthorizerName"])[Code.ANSWER_NOT_CACHEABLE]
    cache.keep(TOKEN, configured=False)
    token = person.sign_in().access
    statuses = [stack.http_api.get(path, token).status for path in (own, other)]
    assert statuses == [200, 200], "this is what synth and authorizer refuse: a kept answer opens another tenant"


def test_a_cached_policy_allows_only_the_method_that_it_names(
    stack: LocalStack, person: Person, tenant: str, other_tenant: str
) -> None:
    """A REST API's authorizer is not cached here, because a kept policy refuses every other method; it opens none."""
    person.join(tenant, "viewer")
    token = person.sign_in().access
    rest: Any = aws.client("apigateway", stack.endpoint)
    api = stack.outputs["RestApiId"]
    [authorizer] = rest.get_authorizers(restApiId=api)["items"]

    def keep(seconds: int) -> None:
        operation = {"op": "replace", "path": "/authorizerResultTtlInSeconds", "value": str(seconds)}
        rest.update_authorizer(restApiId=api, authorizerId=authorizer["id"], patchOperations=[operation])

    own = f"/tenants/{tenant}/orders"
    asked = stack.invocations(stack.outputs["RestAuthorizerName"])
    keep(3_600)
    try:
        statuses = [
            stack.rest_api.get(path, token).status for path in (own, own, "/orders", f"/tenants/{other_tenant}/orders")
        ]
    finally:
        keep(authorizer["authorizerResultTtlInSeconds"])
    assert statuses == [200, 200, 403, 403]
    assert stack.invocations(stack.outputs["RestAuthorizerName"]) == asked + 1


# Keys. The emulator's pool has one for good, so the authorizer fetches them from a server of these tests.


class Keys(ThreadingHTTPServer):
    """Serves a key set in the place of the pool's; a token of the pool is signed again with a named key."""

    daemon_threads = True

    def __init__(self, stack: LocalStack) -> None:
        super().__init__(("127.0.0.1", 0), _Keys)
        self.names: tuple[str, ...] = ()
        self.asked = 0
        self._variables = Variables(stack)
        self._issuers = f"{stack.pool.issuer}=http://127.0.0.1:{self.server_port}/jwks.json"

    def start_authorizer(self) -> None:
        """Afresh: it knows no keys."""
        self._variables.set({"CLAIMSMITH_ISSUERS": self._issuers})

    def restore(self) -> None:
        self._variables.set({})

    def sign(self, token: str, name: str) -> str:
        return signed_by(private_key(name), token, kid=name)


class _Keys(BaseHTTPRequestHandler):
    server: Keys

    def do_GET(self) -> None:
        self.server.asked += 1
        body = json.dumps({"keys": [jwk(private_key(name), name) for name in self.server.names]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        """Nothing."""


@pytest.fixture
def keys(stack: LocalStack) -> Iterator[Keys]:
    with Keys(stack) as served:
        Thread(target=served.serve_forever, daemon=True).start()
        served.start_authorizer()
        yield served
        served.restore()
        served.shutdown()


def test_when_the_pool_changes_its_key_the_new_one_is_found_at_once_and_the_old_one_ends_with_its_set(
    stack: LocalStack, keys: Keys, person: Person, tenant: str
) -> None:
    person.join(tenant, "viewer")
    issued = person.sign_in().access
    old, new = keys.sign(issued, "old"), keys.sign(issued, "new")
    api = Protected(stack, stack.http_api, stack.outputs["AuthorizerName"], 403)
    keys.names = ("old",)
    assert api.get("/orders", old).status == 200
    assert api.get("/orders", new).status == 403, "not published yet"
    keys.names = ("old", "new")
    assert [api.get("/orders", token).status for token in (new, old, new)] == [200, 200, 200]
    keys.names = ("new",)
    assert [api.get("/orders", token).status for token in (new, old)] == [200, 200], "the set counts for its hour"
    assert keys.asked == 3, "once at first, and once for each time that the new key was not among those held"
    keys.start_authorizer()
    assert api.refused("/orders", old) == (403, Code.KEY_NOT_FOUND)
    assert api.get("/orders", new).status == 200


# A WebSocket API. The stack has none, so this makes one, with the authorizer that answers with policies.


@dataclass
class Socket:
    """A WebSocket API whose ``$connect`` asks the authorizer; the token is named in the query."""

    stack: LocalStack
    api: str

    def connect(self, token: str | None, header: str | None = None) -> int:
        """The status of a handshake (RFC 6455 section 4.1); 101 opens the socket."""
        headers = {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": b64encode(secrets.token_bytes(16)).decode(),
        } | ({} if header is None else {"Authorization": f"Bearer {header}"})
        connection = http.client.HTTPConnection(urlsplit(self.stack.endpoint).netloc, timeout=60)
        try:
            query = "" if token is None else f"?access_token={token}"
            connection.request("GET", f"/_aws/execute-api/{self.api}/live{query}", headers=headers)
            return connection.getresponse().status
        finally:
            connection.close()


@pytest.fixture
def socket(edited_policy: LocalStack) -> Iterator[Socket]:
    stack = edited_policy
    version = stack.policy_version()
    row = {"path": {"S": "/$connect"}, "any_scope": string_list(["orders/read"])}
    stack.put_item({"pk": {"S": "POLICY"}, "sk": {"S": "ROUTE#socket"}, **row})
    wait_until(stack, "a new version is in force", lambda: stack.policy_version() != version)
    functions: Any = aws.client("lambda", stack.endpoint)
    api: Any = aws.client("apigatewayv2", stack.endpoint)

    def uri(name: str) -> str:
        arn = functions.get_function_configuration(FunctionName=name)["FunctionArn"]
        return f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{arn}/invocations"

    [sample] = [
        function["FunctionName"]
        for page in functions.get_paginator("list_functions").paginate()
        for function in page["Functions"]
        if function["Handler"] == "lambdas.sample.handler.handler"
    ]
    made = {
        "ApiId": api.create_api(Name="socket", ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.body.a")[
            "ApiId"
        ]
    }
    authorizer = api.create_authorizer(
        **made,
        Name="socket",
        AuthorizerType="REQUEST",
        AuthorizerUri=uri(stack.outputs["RestAuthorizerName"]),
        IdentitySource=["route.request.querystring.access_token"],
    )["AuthorizerId"]
    answer = api.create_integration(**made, IntegrationType="AWS_PROXY", IntegrationUri=uri(sample))["IntegrationId"]
    api.create_route(
        **made,
        RouteKey="$connect",
        AuthorizationType="CUSTOM",
        AuthorizerId=authorizer,
        Target=f"integrations/{answer}",
    )
    api.create_stage(**made, StageName="live", AutoDeploy=True)
    yield Socket(stack, made["ApiId"])
    api.delete_api(**made)


def test_a_websocket_opens_with_a_good_token_in_its_query_and_with_no_other(
    socket: Socket, person: Person, tenant: str
) -> None:
    person.join(tenant, "viewer")
    tokens = person.sign_in()
    assert socket.connect(tokens.access) == 101
    assert socket.connect(None) == 401, "API Gateway does not even ask"
    # At AWS, whose example does the same, an error that reads "Unauthorized"; the emulator makes a 500 of any error.
    assert socket.connect(tokens.id) in {401, 500}
    assert socket.connect(tokens.access, header=tokens.access) in {401, 500}, "a token in two places"
    assert socket.stack.cli("members", "revoke", person.sub, tenant).code == 0
    assert socket.connect(person.sign_in().access) == 403, "without the scope"


# Rows.


def test_what_a_route_needs_is_a_row_that_an_edit_changes_at_once(
    edited_policy: LocalStack, protected: Protected, person: Person, tenant: str
) -> None:
    stack = edited_policy
    person.join(tenant, "viewer")
    token = person.sign_in().access
    assert protected.get("/orders", token).status == 200
    row, version = stack.get_item("POLICY", "ROUTE#orders") or {}, stack.policy_version()
    stack.put_item(row | {"any_scope": string_list(["orders/write"])})
    wait_until(stack, "a new version is in force", lambda: stack.policy_version() != version)
    assert protected.refused("/orders", token) == (403, Code.SCOPE_MISSING)


def test_a_route_without_a_row_is_open_to_nobody(
    edited_policy: LocalStack, protected: Protected, person: Person, tenant: str
) -> None:
    stack = edited_policy
    person.join(tenant, "editor")
    token = person.sign_in().access
    version = stack.policy_version()
    stack.delete_item("POLICY", "ROUTE#orders")
    wait_until(stack, "a new version is in force", lambda: stack.policy_version() != version)
    assert protected.refused("/orders", token) == (403, Code.ROUTE_NOT_FOUND)
    assert protected.get(f"/tenants/{tenant}/orders", token).status == 200
