"""The authorizer: every kind of API's event, and who gets which answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claimsmith.errors import Code, StoreError, VerificationError
from claimsmith.routes import METHODS, TENANT_FROM, segments, template
from claimsmith.verifier import ANY, Verifier
from claimsmith.verifier.authorizer import Authorizer, UnauthorizedError
from tests.unit.verifier.gateway_events import (
    API,
    BEARER,
    BY_DENIAL,
    BY_ERROR,
    OF_PATHS,
    POOL,
    READ,
    SOURCE,
    TOKEN,
    VERIFIER,
    arn,
    authorizer,
    http1,
    http2,
    policy,
    rest_request,
    rest_token,
    websocket,
)
from tests.unit.verifier.minting import CLIENT, NOW, access_claims, id_claims

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

CONTEXT = {
    "sub": access_claims()["sub"],
    "tenant_id": "acme",
    "roles": "editor viewer",
    "scope": "openid orders/read orders/write",
}

# --- Answers ----------------------------------------------------------------------------------------------------------


def test_an_http_api_gets_a_simple_response_with_context() -> None:
    answer = authorizer(READ, response="simple").authorize(http2())
    assert answer == ({"isAuthorized": True, "context": CONTEXT}, None)


@pytest.mark.parametrize("event", OF_PATHS)
@pytest.mark.parametrize("response", ["simple", "iam"])
def test_all_others_get_a_policy_for_exactly_the_requested_method(event: Any, response: str) -> None:  # noqa: ANN401 - a maker of events
    if event is http2 and response == "simple":
        return
    request = event()
    answer = authorizer(READ, response=response).authorize(request)
    assert policy(answer) == ("Allow", request.get("methodArn", request.get("routeArn")))
    assert (answer.response["principalId"], answer.response["context"], answer.code) == (CONTEXT["sub"], CONTEXT, None)


def test_a_websocket_is_authorized_by_the_route_of_its_handshake() -> None:
    row = {"path": "/$connect", "method": "GET", "any_scope": ["orders/read"]}
    assert policy(authorizer(row).authorize(websocket()))[0] == "Allow"
    assert policy(authorizer(READ).authorize(websocket())) == ("Deny", websocket()["methodArn"])


def test_a_browsers_websocket_may_send_its_token_in_the_query_but_not_in_two_places() -> None:
    row = {"path": "/$connect"}
    query: dict[str, Any] = {"queryStringParameters": {"access_token": TOKEN}}
    assert policy(authorizer(row).authorize(websocket(None, **query)))[0] == "Allow"
    with pytest.raises(UnauthorizedError):
        authorizer(row).authorize(websocket(BEARER, **query))
    with pytest.raises(UnauthorizedError):
        authorizer(READ).authorize(rest_request(None, **query))


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov", "aws-eusc", "aws-of-the-future"])
def test_the_partition_is_that_of_the_event(partition: str) -> None:
    asked = arn(partition=partition)
    answer = authorizer(READ).authorize(rest_token() | {"methodArn": asked})
    assert policy(answer) == ("Allow", asked)


def test_an_encoded_path_is_not_decoded_in_the_policy() -> None:
    row = {"path": "/orders/{id}/notes", "tenant_from": "path:id"}
    asked = arn(path="/orders/%61c%6De/notes")
    assert policy(authorizer(row).authorize(rest_token() | {"methodArn": asked})) == ("Allow", asked)


@pytest.mark.parametrize("path", ["/orders/*", "/orders/a*b", "/orders/a?b", "/orders/${x}"])
def test_a_path_that_a_policy_would_read_as_a_pattern_gets_no_policy_that_allows(path: str) -> None:
    assert policy(authorizer(READ).authorize(rest_token(path=path)))[0] == "Deny"
    assert authorizer(READ, response="simple").authorize(http2(path="/orders/*")).response["isAuthorized"], "no policy"


@pytest.mark.parametrize("event", [*BY_ERROR, *BY_DENIAL])
@pytest.mark.parametrize("response", ["simple", "iam"])
def test_context_has_only_strings_for_any_token(event: Any, response: str) -> None:  # noqa: ANN401 - a maker of events
    """A REST or WebSocket API refuses a list or an object with a 500; an HTTP API takes any JSON, so strings too."""
    claims = access_claims(tenant_id=None, roles=["a", "not one", ""], scope=None, nested={"a": [1]})
    rows = ({"path": "/orders/{id}"}, {"path": "/$connect"})
    answer = authorizer(*rows, response=response).authorize(event(f"Bearer {POOL.sign(claims)}"))
    assert answer.response["context"] == {"sub": claims["sub"], "roles": "a", "scope": ""}
    assert isinstance(answer.response.get("principalId", ""), str)


def test_an_arn_that_is_too_long_for_a_policy_is_denied_by_one_that_is_not() -> None:
    """512 characters: with a longer resource API Gateway takes the answer for a broken one."""
    room = 512 - len(arn(path="/orders/"))
    fits, too_long = f"/orders/{'x' * room}", f"/orders/{'x' * (room + 1)}"
    assert policy(authorizer(READ).authorize(rest_token(path=fits))) == ("Allow", arn(path=fits))
    assert policy(authorizer(READ).authorize(rest_token(path=too_long))) == ("Deny", "*")
    assert authorizer(READ, response="simple").authorize(http2(path=too_long)).response["isAuthorized"], "no policy"


# --- Who the caller is ------------------------------------------------------------------------------------------------

BAD_CREDENTIALS = [
    None,
    "",
    TOKEN,
    "Bearer",
    "Bearer ",
    f"Basic {TOKEN}",
    f"Bearer {TOKEN} x",
    f"Bearer {TOKEN},Bearer {TOKEN}",
    f" Bearer {TOKEN}",
    f"Bearer\t{TOKEN}",
    f"Bearer {TOKEN}\n",
    "Bearer a.b.c",
    f"Bearer {TOKEN[:-8]}AAAAAAAA",
    f"Bearer {POOL.sign(id_claims())}",
    f"Bearer {POOL.sign(access_claims(exp=NOW))}",
    f"Bearer {POOL.sign(access_claims(client_id='other'))}",
]


@pytest.mark.parametrize("credentials", BAD_CREDENTIALS)
def test_without_a_valid_token_rest_and_websocket_apis_answer_401_and_http_apis_403(credentials: str | None) -> None:
    answer = authorizer(READ, response="simple").authorize(http2(credentials))
    assert answer.response == {"isAuthorized": False}
    assert answer.code is not None
    rows = (READ, {"path": "/$connect"})
    for event in BY_ERROR:
        with pytest.raises(UnauthorizedError) as caught:
            authorizer(*rows).authorize(event(credentials))
        assert str(caught.value) == "Unauthorized", "API Gateway compares the whole text"
        assert caught.value.code == answer.code
        assert (caught.value.__cause__, caught.value.__context__) == (None, None), "Lambda logs what is chained"
    for event in BY_DENIAL:
        request = event(credentials)
        denied = authorizer(*rows).authorize(request)
        assert policy(denied) == ("Deny", request.get("methodArn", request.get("routeArn")))
        assert denied.code == answer.code


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "bEaReR", "Bearer  "])
def test_the_schemes_case_does_not_matter(scheme: str) -> None:
    assert authorizer(READ, response="simple").authorize(http2(f"{scheme} {TOKEN}")).response["isAuthorized"]


def test_a_header_that_comes_twice_is_refused() -> None:
    twice = rest_request(multiValueHeaders={"Authorization": [BEARER, BEARER]})
    both = rest_request(multiValueHeaders={"Authorization": [BEARER], "authorization": [BEARER]})
    for event in (twice, both):
        with pytest.raises(UnauthorizedError):
            authorizer(READ).authorize(event)


def test_a_failed_lookup_is_neither_401_nor_403() -> None:
    class Down:
        def revoked_at(self, _keys: Sequence[str], /) -> Mapping[str, float | None]:
            raise StoreError(Code.AWS_UNREACHABLE, "DynamoDB did not answer")

    def no_routes() -> list[dict[str, object]]:
        raise StoreError(Code.AWS_UNREACHABLE, "DynamoDB did not answer")

    unknowing = Verifier(issuers=SOURCE, client_ids=[CLIENT], token_use="access", revocations=Down(), clock=lambda: NOW)
    for event in (http2(), rest_token()):
        with pytest.raises(VerificationError) as caught:
            authorizer(READ, response="simple", verifier=unknowing).authorize(event)
        assert caught.value.code == Code.REVOCATION_UNKNOWN
        with pytest.raises(StoreError):
            Authorizer(VERIFIER, no_routes, response="simple").authorize(event)


# --- What the route needs ---------------------------------------------------------------------------------------------


def outcome(
    rows: Sequence[Mapping[str, object]],
    path: str = "/orders/1",
    method: str = "GET",
    **changes: Any,  # noqa: ANN401 - parts of an event
) -> Code | None:
    """The code that a good token is refused with, the same for every kind of API."""
    simple = authorizer(*rows, response="simple").authorize(http2(path=path, method=method, **changes))
    assert simple.response["isAuthorized"] == (simple.code is None)
    if "*" not in path and not changes:
        for event in (http1, rest_request, rest_token):
            answer = authorizer(*rows).authorize(event(BEARER, path, method))
            assert (policy(answer)[0], answer.code) == ("Allow" if simple.code is None else "Deny", simple.code)
    return simple.code


@pytest.mark.parametrize(
    "rows",
    [[], [{}], [{**READ, "method": "POST"}], [{**READ, "api": "other"}], [{**READ, "path": "/order/{id}"}]],
)
def test_without_a_matching_row_there_is_no_access(rows: list[dict[str, object]]) -> None:
    assert outcome(rows) == Code.ROUTE_NOT_FOUND


@pytest.mark.parametrize(
    ("demand", "code"),
    [
        ({}, None),
        ({"any_scope": ["x/y", "orders/read"]}, None),
        ({"any_scope": {"orders/read"}}, None),
        ({"any_scope": ["x/y"]}, Code.SCOPE_MISSING),
        ({"any_scope": []}, Code.SCOPE_MISSING),
        ({"all_scopes": ["orders/read", "orders/write"]}, None),
        ({"all_scopes": ["orders/read", "x/y"]}, Code.SCOPE_MISSING),
        ({"any_role": ["admin", "editor"]}, None),
        ({"any_role": ["admin"]}, Code.ROLE_MISSING),
        (
            {"description": "a note", "updated_by": "ada", "updated_at": 1, "ttl": 2, "pk": "POLICY", "sk": "ROUTE#x"},
            None,
        ),
    ],
)
def test_a_row_demands_scopes_and_roles(demand: dict[str, object], code: Code | None) -> None:
    assert outcome([{"path": "/orders/{id}", **demand}]) == code


MINE, OTHER = "https://mine.example.com/mcp", "https://other.example.com/mcp"
OF_THE_ROUTE: dict[str, object] = {"path": "/orders/{id}", "audience": [MINE]}


@pytest.mark.parametrize(
    ("row", "audience", "passes"),
    [
        # Without an audience of the route, the verifier's counts, and tokens that are bound to nothing.
        ({"path": "/orders/{id}"}, [], {None, CLIENT}),
        ({"path": "/orders/{id}"}, [MINE], {None, CLIENT, MINE}),
        # Where it does, a token must be bound to what it names.
        (OF_THE_ROUTE, [], {MINE}),
        (OF_THE_ROUTE, [OTHER], {MINE}),
        ({"path": "/orders/{id}", "audience": {MINE, OTHER}}, [], {MINE, OTHER}),
        ({"path": "/orders/{id}", "audience": [MINE, CLIENT]}, [], {MINE, CLIENT}),
        ({"path": "/orders/{id}", "audience": []}, [MINE], set()),
    ],
)
@pytest.mark.parametrize("event", OF_PATHS)
def test_a_token_bound_to_another_resource_is_refused_by_every_route(
    row: dict[str, object],
    audience: list[str],
    passes: set[str | None],
    event: Callable[[str | None], dict[str, Any]],
) -> None:
    """It is not good here, so that a REST API answers 401 and not 403 (RFC 6750 section 3.1)."""
    verifier = Verifier(
        issuers=SOURCE, client_ids=[CLIENT], token_use="access", revocations=ANY, audience=audience, clock=lambda: NOW
    )
    rows: list[dict[str, object]] = [row, {"path": "/elsewhere", "audience": [OTHER]}]
    guard = Authorizer(verifier, lambda: rows, response="iam")
    for aud in (None, CLIENT, MINE, OTHER):
        asked = event(f"Bearer {POOL.sign(access_claims(aud=aud))}")
        if aud in passes:
            assert policy(guard.authorize(asked))[0] == "Allow"
        elif event in BY_ERROR:
            with pytest.raises(UnauthorizedError) as refused:
                guard.authorize(asked)
            assert refused.value.code is Code.WRONG_AUDIENCE
        else:
            answer = guard.authorize(asked)
            assert (policy(answer)[0], answer.code) == ("Deny", Code.WRONG_AUDIENCE)


def test_an_unknown_route_does_not_reveal_the_tokens_audience() -> None:
    bound = f"Bearer {POOL.sign(access_claims(aud=MINE))}"
    assert authorizer(OF_THE_ROUTE).authorize(http2(bound, "/elsewhere")).code is Code.ROUTE_NOT_FOUND


def test_routes_that_are_equally_specific_must_all_take_the_audience() -> None:
    rows: list[dict[str, object]] = [OF_THE_ROUTE, {"path": "/orders/{name}", "audience": [OTHER]}]
    for one in (rows, rows[::-1], [OF_THE_ROUTE, {"path": "/orders/{name}"}]):
        for aud in (None, CLIENT, MINE, [MINE, CLIENT]):
            answer = authorizer(*one).authorize(http2(f"Bearer {POOL.sign(access_claims(aud=aud))}"))
            assert answer.code is Code.WRONG_AUDIENCE
    for one in (rows, rows[::-1]):
        assert authorizer(*one).authorize(http2(f"Bearer {POOL.sign(access_claims(aud=[MINE, OTHER]))}")).code is None


@pytest.mark.parametrize(
    "demand",
    [
        {"audience": MINE},
        {"audience": None},
        {"audience": ["*"]},
        {"audience": [""]},
        {"any_scope": "orders/read"},
        {"any_scope": None},
        {"any_scope": [1]},
        {"all_scopes": {"orders/read": 1}},
        {"any_role": True},
        {"tenant_from": "path"},
        {"tenant_from": "body:tenant"},
        {"tenant_from": 1},
        {"tenant_from": "header:"},
    ],
)
def test_an_unreadable_row_refuses_everyone_and_no_laxer_row_applies_instead(
    demand: dict[str, object],
) -> None:
    assert outcome([{"path": "/orders/{id}", **demand}, {"path": "/{rest+}"}]) == Code.ROUTE_NOT_FOUND


PUBLIC: dict[str, object] = {}
CLOSED: dict[str, object] = {"any_role": ["nobody"]}
BEST = [
    ("/admin/users", [("/admin/users", CLOSED), ("/admin/{x}", PUBLIC), ("/{rest+}", PUBLIC)]),
    ("/admin/users", [("/admin/{x}", CLOSED), ("/{x}/users", PUBLIC), ("/{rest+}", PUBLIC)]),
    ("/admin/users", [("/admin/{rest+}", CLOSED), ("/{x}/users", PUBLIC), ("/{rest+}", PUBLIC)]),
    ("/admin/users/1", [("/admin/{a}/{b}", CLOSED), ("/admin/{rest+}", PUBLIC)]),
    ("/admin/", [("/admin", CLOSED), ("/{rest+}", PUBLIC)]),
    ("/", [("/", CLOSED), ("/{rest+}", PUBLIC)]),
    ("/%61dmin/users", [("/admin/users", CLOSED), ("/{rest+}", PUBLIC)]),
]


@pytest.mark.parametrize(("path", "rows"), BEST)
def test_the_most_specific_row_decides_in_any_order(path: str, rows: list[tuple[str, dict[str, object]]]) -> None:
    written = [{"path": template, **demand} for template, demand in rows]
    assert outcome(written, path) == outcome(written[::-1], path) == Code.ROLE_MISSING


def test_an_exact_method_comes_before_any_and_an_exact_api_before_all() -> None:
    path: dict[str, object] = {"path": "/orders/{id}"}
    assert outcome([{**path, "method": "GET", **CLOSED}, {**path, "method": "ANY"}, path]) == Code.ROLE_MISSING
    assert outcome([{**path, "method": "GET", **CLOSED}, {**path, "method": "ANY"}], method="POST") is None
    assert outcome([{**path, "api": API, **CLOSED}, path, {**path, "api": "*"}]) == Code.ROLE_MISSING
    assert outcome([{**path, "api": API}, {**path, **CLOSED}]) is None
    assert outcome([{**path, "method": "get"}]) == Code.ROUTE_NOT_FOUND


def test_rows_that_are_equally_specific_must_all_be_met() -> None:
    rows: list[dict[str, object]] = [{"path": "/orders/{id}"}, {"path": "/orders/{name}", **CLOSED}]
    assert outcome(rows) == outcome(rows[::-1]) == Code.ROLE_MISSING


@pytest.mark.parametrize(
    "path",
    [
        "//",
        "/orders//1",
        "/orders/../admin",
        "/orders/./1",
        "/orders/%2e%2e/admin",
        "/orders/%2E%2E%2Fadmin",
        "/orders/..%5Cadmin",
        "/x/%2F",
        "/orders/1%2Fadmin",
        "/orders/1%2fadmin",
        "/tenants%2Fglobex%2Forders",
        "/orders/1%5Cadmin",
        "/orders/1\\admin",
        "/orders/1%252Fadmin",
        "/orders/%",
        "/orders/%zz",
        "/orders/%ff",
        "/orders/%00",
        "/orders/%0a",
        "/orders/a%2F%2Fb",
        "/orders/%2561",
        "/%252e%252e/orders",
        "/admin;x=1/users",
        "/admin%3Bx/users",
        "/orders/;",
        "/orders/1?x",
        "/admin%3Fx",
        "/admin%23x",
        "/admin./users",
        "/admin%2e/users",
        "/orders/...",
        "/admin /users",
        "/admin%20/users",
        "/admin.%20/users",
        "/%20admin/users",
        "/orders/a.%2Fb",
        "/orders/a%5C%20b",
        "orders/1",
        "",
    ],
)
def test_an_ambiguous_path_matches_nothing(path: str) -> None:
    everything = [{"path": "/{rest+}"}, {"path": "/"}, {"path": "/{a}/{b}"}]
    assert segments(path) is None
    assert authorizer(*everything, response="simple").authorize(http2(path=path)).code == Code.ROUTE_NOT_FOUND


@pytest.mark.parametrize("path", ["/admin;x=1/users", "/admin%3Bx/users", "/admin%3Fx", "/admin%23x", "/admin./users"])
def test_characters_that_servers_drop_cannot_lead_to_a_laxer_row(path: str) -> None:
    """Nor is there a row for it: who reads the path otherwise would still find the closed one."""
    rows: list[dict[str, object]] = [{"path": "/admin/{rest+}", **CLOSED}, {"path": "/{rest+}"}, {"path": path}]
    assert outcome(rows, path) == outcome(rows, unquote(path)) == Code.ROUTE_NOT_FOUND


@pytest.mark.parametrize(
    "identifier",
    [
        "ada@example.com",
        "a.b.c",
        ".well-known",
        "..a",
        "a+b",
        "a:b,c=d",
        "urn:x:1",
        "a%20b",
        "a b",
        "Zo\u00eb",
        "%C3%A9t%C3%A9",
        "~a_b-c!",
        "(1)",
        "'1'",
        "a&b",
        "100%25",
        "$1",
    ],
)
def test_ordinary_identifiers_are_read_in_one_way(identifier: str) -> None:
    assert outcome([{"path": "/orders/{id}"}], f"/orders/{identifier}") is None
    assert outcome([{"path": "/{rest+}"}], f"/orders/{identifier}/lines") is None


@pytest.mark.parametrize("sent", ["/orders/1%2Fadmin", "/orders/1%5Cadmin"])
@pytest.mark.parametrize("name", ["path", "requestContext"])
def test_no_path_of_an_event_may_contain_an_encoded_slash(sent: str, name: str) -> None:
    """An HTTP API decodes one of them and not the other; the service may receive either."""
    fields: dict[str, Any] = {"path": sent} if name == "path" else {"requestContext": {"path": sent}}
    for event in (rest_request(**fields), http1(**fields)):
        assert authorizer({"path": "/{rest+}"}).authorize(event).code == Code.ROUTE_NOT_FOUND
    for fields in ({"routeArn": arn(path=sent)}, {"requestContext": http2(path=sent)["requestContext"]}):
        event = http2(path="/orders/1/admin", **fields)
        assert authorizer({"path": "/{rest+}"}, response="simple").authorize(event).code == Code.ROUTE_NOT_FOUND


@pytest.mark.parametrize(
    ("rows", "path", "code"),
    [
        (["/{rest+}"], "/a/b/c", None),
        (["/{rest+}"], "/", Code.ROUTE_NOT_FOUND),
        (["/a/{rest+}"], "/a", Code.ROUTE_NOT_FOUND),
        (["/a/{rest+}"], "/b/c", Code.ROUTE_NOT_FOUND),
        (["/a/{rest+}/c"], "/a/b/c", Code.ROUTE_NOT_FOUND),
        (["/a/{x}"], "/a/b/c", Code.ROUTE_NOT_FOUND),
        (["/a/{x}"], "/a", Code.ROUTE_NOT_FOUND),
        (["/A"], "/a", Code.ROUTE_NOT_FOUND),
        (["/a b"], "/a%20b", None),
        (["/"], "/", None),
        (["a"], "/a", Code.ROUTE_NOT_FOUND),
    ],
)
def test_a_template_matches_segment_by_segment(rows: list[str], path: str, code: Code | None) -> None:
    assert outcome([{"path": template} for template in rows], path) == code


def test_the_tenant_in_the_path_must_be_the_tokens() -> None:
    row = {"path": "/tenants/{tenant}/orders", "tenant_from": "path:tenant"}
    assert outcome([row], "/tenants/acme/orders") is None
    assert outcome([row], "/tenants/%61cme/orders") is None
    for other in ("globex", "ACME", "acme%20x", "acme,globex"):
        assert outcome([row], f"/tenants/{other}/orders") == Code.WRONG_TENANT
    assert outcome([{**row, "tenant_from": "path:other"}], "/tenants/acme/orders") == Code.WRONG_TENANT


@pytest.mark.parametrize(
    ("values", "code"),
    [
        (["acme"], None),
        (["globex"], Code.WRONG_TENANT),
        (["acme", "globex"], Code.WRONG_TENANT),
        (["acme", "acme"], Code.WRONG_TENANT),
        ([], Code.WRONG_TENANT),
        ([""], Code.WRONG_TENANT),
    ],
)
@pytest.mark.parametrize("kind", ["header", "query"])
def test_the_tenant_in_a_header_or_parameter_must_be_there_once_and_be_the_tokens(
    kind: str, values: list[str], code: Code | None
) -> None:
    name, sent = ("X-Tenant", "x-TENANT") if kind == "header" else ("tenant", "tenant")
    row = {"path": "/orders/{id}", "tenant_from": f"{kind}:{name}"}
    joined = {sent: ",".join(values)} if values else {}
    several = {sent: values} if values else {}
    if kind == "header":
        two = http2(headers={"authorization": BEARER, **joined})
        one = rest_request(headers={}, multiValueHeaders={"Authorization": [BEARER], **several})
    else:
        two, one = http2(queryStringParameters=joined), rest_request(multiValueQueryStringParameters=several)
    assert authorizer(row, response="simple").authorize(two).code == code
    assert authorizer(row).authorize(one).code == code


def test_parameter_names_are_exact_and_a_token_authorizer_sees_no_headers() -> None:
    row = {"path": "/orders/{id}", "tenant_from": "query:tenant"}
    assert authorizer(row).authorize(rest_request(queryStringParameters={"Tenant": "acme"})).code == Code.WRONG_TENANT
    assert authorizer({**row, "tenant_from": "header:x-tenant"}).authorize(rest_token()).code == Code.WRONG_TENANT


def test_a_token_without_a_tenant_matches_no_tenant() -> None:
    row = {"path": "/orders/{id}", "tenant_from": "path:id"}
    event = http2(f"Bearer {POOL.sign(access_claims(tenant_id=None))}")
    assert authorizer(row, response="simple").authorize(event).code == Code.WRONG_TENANT


@pytest.mark.parametrize(
    ("stage", "raw", "arn_path", "code"),
    [
        ("prod", "/prod/orders/1", "/orders/1", None),
        ("prod", "/orders/1", "/orders/1", None),
        ("prod", "/production/orders/1", "/production/orders/1", Code.ROUTE_NOT_FOUND),
        ("prod", "/prod/orders/1", "/prod/orders/1", Code.ROUTE_NOT_FOUND),
        ("prod", "/prod/orders/a b", "/orders/a%20b", None),
        ("prod", "/prod/orders/1/", "/orders/1", None),
        ("orders", "/orders/1", "/orders/1", None),
        ("orders", "/orders/1", "/orders/%31", None),
        ("orders", "/orders/orders/1", "/orders/1", None),
        # The ARN is of neither reading.
        ("prod", "/prod/orders/1", "/orders/2", Code.ROUTE_NOT_FOUND),
        ("orders", "/orders/1", "/request", Code.ROUTE_NOT_FOUND),
        ("prod", "/orders/1", "/request", None),
        ("$default", "/$default/orders/1", "/$default/orders/1", Code.ROUTE_NOT_FOUND),
    ],
)
def test_the_stage_is_no_part_of_the_path(stage: str, raw: str, arn_path: str, code: Code | None) -> None:
    event = http2(rawPath=raw, routeArn=arn(path=arn_path, stage=stage))
    event["requestContext"]["stage"] = stage
    assert authorizer(READ, response="simple").authorize(event).code == code


@pytest.mark.parametrize(
    ("asked", "closed", "code"),
    [
        ("/admin/users/a%20b", "/admin/{rest+}", Code.ROLE_MISSING),
        ("/admin/users/a b", "/admin/{rest+}", Code.ROLE_MISSING),
        ("/admin/users/a+b", "/admin/{rest+}", Code.ROUTE_NOT_FOUND),
        ("/x", "/admin/{rest+}", Code.ROUTE_NOT_FOUND),
        ("/users/a%20b", "/users/{rest+}", Code.ROLE_MISSING),
        ("/users/a+b", "/users/{rest+}", Code.ROUTE_NOT_FOUND),
        ("/x", "/users/{rest+}", Code.ROUTE_NOT_FOUND),
    ],
)
def test_a_stage_with_the_name_of_a_path_segment_opens_nothing(asked: str, closed: str, code: Code) -> None:
    """``/admin/users`` at a domain of one's own, or ``/users`` of the stage ``admin``: all other rows are open."""
    rows = [{"path": path} for path in ("/admin/{rest+}", "/users/{rest+}", "/{rest+}") if path != closed]
    event = http2(rawPath="/admin/users/a b", routeArn=arn(path=asked, stage="admin"), routeKey="$default")
    event["requestContext"]["stage"] = "admin"
    assert authorizer({"path": closed, **CLOSED}, *rows, response="simple").authorize(event).code == code


def test_policy_and_authorizer_accept_the_same_routes() -> None:
    for written in ("/", "/orders", "/orders/{id}", "/files/{path+}", "/a/{b}/c", "/$connect"):
        assert template(written) is not None
        path = written.replace("{id}", "1").replace("{path+}", "x/y").replace("{b}", "z")
        assert outcome([{"path": written}], path) is None
    for source, path in (("path:id", "/orders/acme"), ("header:x-t", "/orders/1"), ("query:t", "/orders/1")):
        assert TENANT_FROM.fullmatch(source)
        changes: dict[str, Any] = {
            "headers": {"authorization": BEARER, "x-t": "acme"},
            "queryStringParameters": {"t": "acme"},
        }
        assert outcome([{"path": "/orders/{id}", "tenant_from": source}], path, **changes) is None
    for method in METHODS:
        assert (
            outcome([{"path": "/orders/{id}", "method": method}], method="GET" if method == "ANY" else method) is None
        )


# --- What API Gateway has read --------------------------------------------------------------------------------------


def routed(path: str, template: str, taken: dict[str, str] | None) -> Code | None:
    """The code for a path that API Gateway says it has routed by this template; all kinds that report it agree."""
    rows = ({"path": "/{rest+}"}, {"path": "/orders/{id}"}, {"path": "/tenants/{t}/orders", "tenant_from": "path:t"})
    two = authorizer(*rows, response="simple").authorize(
        http2(path=path, routeKey=f"GET {template}", pathParameters=taken)
    )
    for event in (http1, rest_request):
        one = authorizer(*rows).authorize(event(BEARER, path, resource=template, pathParameters=taken))
        assert one.code == two.code
    return two.code


@pytest.mark.parametrize(
    ("path", "template", "taken"),
    [
        ("/orders/1", "/orders/{id}", {"id": "1"}),
        ("/orders/1/", "/orders/{id}", {"id": "1"}),
        ("/orders/a%20b", "/orders/{id}", {"id": "a b"}),
        ("/orders/a%20b", "/orders/{id}", {"id": "a%20b"}),
        ("/orders/a b", "/orders/{id}", {"id": "a b"}),
        ("/orders/1/lines", "/{proxy+}", {"proxy": "orders/1/lines"}),
        ("/orders/1/lines/", "/{proxy+}", {"proxy": "orders/1/lines/"}),
        ("/tenants/acme/orders", "/tenants/{tenant}/orders", {"tenant": "acme"}),
        ("/orders/1", "/orders/1", {}),
        ("/orders/1", "/orders/1", None),
    ],
)
def test_a_path_that_api_gateway_reads_the_same_way_is_accepted(
    path: str, template: str, taken: dict[str, str] | None
) -> None:
    assert routed(path, template, taken) is None


@pytest.mark.parametrize(
    ("path", "template", "taken"),
    [
        # An HTTP API is reported to cut its path off at an encoded question mark, after it has chosen the route.
        ("/orders/1", "/orders/{id}/admin", {"id": "1?"}),
        ("/tenants/acme/orders", "/tenants/{tenant}/orders", {"tenant": "acme?"}),
        # It decodes slashes; whether before or after it chooses the route is not documented.
        ("/orders/a/b", "/orders/{id}", {"id": "a/b"}),
        ("/tenants/acme/orders", "/{proxy+}", {"proxy": "tenants/globex/orders"}),
        ("/tenants/acme/orders", "/tenants/{tenant}/orders", {"tenant": "globex"}),
        ("/tenants/acme/orders", "/tenants/{tenant}/orders", {"tenant": "ACME"}),
        ("/tenants/acme/orders", "/tenants/{tenant}/orders", {"other": "acme"}),
    ],
)
def test_a_path_that_api_gateway_reads_differently_matches_nothing(
    path: str, template: str, taken: dict[str, str]
) -> None:
    assert routed(path, template, taken) == Code.ROUTE_NOT_FOUND


def test_a_default_route_has_no_path_to_compare() -> None:
    event = http2(routeKey="$default", pathParameters={"parameter1": "value1"})
    assert authorizer(READ, response="simple").authorize(event).response["isAuthorized"]


# --- Bad events -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "event",
    [
        None,
        [],
        "x",
        {},
        {"type": "TOKEN"},
        {"type": "REQUEST"},
        {"type": "OTHER", "methodArn": arn()},
        {"version": "2.0"},
        rest_token() | {"methodArn": "arn:aws:lambda:eu-central-1:1:function:x"},
        rest_token() | {"methodArn": arn()[:40]},
        rest_token() | {"authorizationToken": None},
        rest_request(headers=[], multiValueHeaders=None),
        rest_request(multiValueHeaders={"a": [1]}),
        http2(headers={"authorization": [1]}),
        http2(requestContext=None),
        http2(requestContext={"stage": "$default", "http": {"method": 1}}),
        http2(rawPath=1),
        http2(pathParameters={"id": 1}),
        http2(pathParameters=[]),
        rest_request(pathParameters={"id": None}),
        rest_request(queryStringParameters={"a": {}}),
    ],
)
@pytest.mark.parametrize("response", ["simple", "iam"])
def test_an_unknown_kind_of_event_is_an_error_with_its_own_code(event: Any, response: str) -> None:  # noqa: ANN401 - anything at all
    with pytest.raises(VerificationError) as caught:
        authorizer(READ, response=response).authorize(event)
    assert caught.value.code == Code.REQUEST_MALFORMED


@given(st.text(alphabet="/ab.%2Ffe5C3Bb0{}+* ;?#", max_size=16).map("/".__add__))
def test_a_path_is_read_in_one_way_or_not_at_all(path: str) -> None:
    read = segments(path)
    if read is None:
        return
    for segment in read:
        assert segment
        assert not set(";?#/\\") & set(segment)
        assert segment == segment.strip(" ").rstrip(".")
