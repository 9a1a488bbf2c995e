"""Introspection as Lambda runs it, with tokens from the real trigger: responses, and a log without secrets."""

from __future__ import annotations

import base64
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from claimsmith.engine.rollout import Rollout
from claimsmith.environment import VerifierEnvironment
from claimsmith.errors import Code
from claimsmith.policy import from_rows
from claimsmith.service.check import ANSWER_SECONDS, TokenChecks
from claimsmith.service.issue import Issuer
from claimsmith.service.publish import apply
from claimsmith.service.resources import Resources
from claimsmith.service.rollout import current, roll_out
from claimsmith.service.versions import rollback
from claimsmith.store.dynamodb import Table, connect
from claimsmith.store.resources import StoredResources
from claimsmith.testing import CognitoKit
from claimsmith.verifier import ANY, OidcIssuer
from tests.conftest import TABLE
from tests.integration.clients import Watched
from tests.integration.dynamodb_server import LoopbackDynamoDB
from tests.integration.function import Ran, run
from tests.policies import NOW, membership_row, policy_rows, tenant_row, user_row
from tests.unit.verifier.realm import Realm, bearer_claims, key_server
from tests.unit.verifier.test_introspection_events import EVENTS
from tests.waits import UNHURRIED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from claimsmith.testing.tokens import Tokens
    from tests.conftest import Client

MODULE = "lambdas.verifier.introspection"
FORM = "application/x-www-form-urlencoded"
CODES = {200: "CS30", 400: "CS3061", 401: "CS3062", 405: "CS3061", 413: "CS3061", 415: "CS3061"}


def question(token: str, secret: str) -> dict[str, Any]:
    """The protected resource ``orders-api`` asks about a token."""
    return {
        "version": "2.0",
        "headers": {
            "authorization": "Basic " + base64.b64encode(f"orders-api:{secret}".encode()).decode(),
            "content-type": FORM,
        },
        "requestContext": {"http": {"method": "POST"}},
        "body": base64.b64encode(urlencode({"token": token}).encode()).decode(),
        "isBase64Encoded": True,
    }


@dataclass
class Stage:
    """A table, a pool whose trigger reads it, and a caller of introspection."""

    rows: Table
    kit: CognitoKit
    server: LoopbackDynamoDB
    environment: dict[str, str]
    secret: str
    sub: str

    def sign_in(self) -> Tokens:
        return self.kit.sign_in("ada", "web", scopes=["openid", "orders/read", "orders/write"], by="authorization_code")

    def event(self, token: str, secret: str | None = None) -> dict[str, Any]:
        return question(token, self.secret if secret is None else secret)

    def posting(self, token: str, secret: str, *, basic: bool) -> dict[str, Any]:
        """The id and a secret in the form, with or without Basic."""
        event = self.event(token)
        if not basic:
            del event["headers"]["authorization"]
        form = {"token": token, "client_id": "orders-api", "client_secret": secret}
        return {**event, "body": base64.b64encode(urlencode(form).encode()).decode()}

    def run(self, *events: object) -> Ran:
        return run(MODULE, events, self.environment)


@pytest.fixture
def stage(dynamodb: Client, rows: Table, aws_environment: dict[str, str]) -> Iterator[Stage]:
    roles = {"viewer": {"scopes": ["orders/read"]}, "editor": {"inherits": ["viewer"], "scopes": ["orders/write"]}}
    apply(rows, from_rows(policy_rows(roles=roles)), by="test")
    issuer = Issuer(rows, "deny")
    kit = CognitoKit(lambda event, _context: issuer.issue(event).event)
    user = kit.add_user("ada")
    client = kit.add_client("web", scopes=["openid", "orders/read", "orders/write"])
    rows.put(tenant_row("acme"))
    rows.put(membership_row(user.sub, "acme", roles=["editor"]))
    secret = Resources(rows, "test").add("orders-api", clients=["*"], tenants=["*"])
    with LoopbackDynamoDB(dynamodb) as server, kit.serve() as keys:
        environment = {
            **aws_environment,
            "AWS_ENDPOINT_URL": server.endpoint_url,
            "CLAIMSMITH_TABLE": TABLE,
            "CLAIMSMITH_ISSUERS": f"{kit.issuer}={keys.jwks_uri}",
            "CLAIMSMITH_CLIENT_IDS": client.id,
        }
        yield Stage(rows, kit, server, environment, secret, user.sub)


def body(answer: dict[str, Any]) -> dict[str, Any]:
    members: dict[str, Any] = json.loads(answer["answer"]["body"])
    return members


def check_log(ran: Ran, *kept: str) -> None:
    """Every line is JSON, and none holds what nobody may read in it."""
    assert ran.entries()
    assert "Traceback" not in ran.log
    for secret in kept:
        assert secret not in ran.log


def test_a_token_that_the_trigger_customized_is_reported(stage: Stage) -> None:
    tokens = stage.sign_in()
    ran = stage.run(stage.event(tokens.access_token), stage.event(tokens.refresh_token or ""), stage.event("x"))
    active, *others = map(body, ran.answers)
    assert (active["active"], active["tenant_id"], active["roles"]) == (True, "acme", ["editor", "viewer"])
    assert set(active["scope"].split()) == {"openid", "orders/read", "orders/write"}
    assert others == [{"active": False}] * 2
    check_log(ran, stage.secret, tokens.access_token, tokens.access["jti"], stage.sub)
    assert ran.metrics() == {"Active": 1, "Inactive": 2}
    assert [entry["caller"] for entry in ran.entries() if entry.get("message") == "introspection"] == ["orders-api"] * 3


def test_the_log_shows_how_a_caller_authenticated_and_never_its_credentials(stage: Stage) -> None:
    token, wrong = stage.sign_in().access_token, "a-secret-that-is-wrong"
    ran = stage.run(
        stage.event(token),
        stage.posting(token, stage.secret, basic=True),
        stage.posting(token, stage.secret, basic=False),
        stage.posting(token, wrong, basic=True),
        stage.posting(token, wrong, basic=False),
    )
    assert [answer["answer"]["statusCode"] for answer in ran.answers] == [200, 200, 200, 400, 401]
    assert [body(answer).get("active") for answer in ran.answers] == [True, True, True, None, None]
    logged = [entry for entry in ran.entries() if entry.get("message") == "introspection"]
    assert [entry.get("credentials") for entry in logged] == ["basic", "basic and form", "form", "basic", None]
    assert [entry.get("caller") for entry in logged] == ["orders-api"] * 4 + [None]
    check_log(ran, stage.secret, wrong, token, base64.b64encode(f"orders-api:{stage.secret}".encode()).decode())


def test_a_caller_that_asks_too_often_is_counted(stage: Stage) -> None:
    key = ("PROTECTED_RESOURCE#orders-api", "PROTECTED_RESOURCE")
    # Slower than anything else can be: what the bucket holds is all that there is.
    stage.rows.put({**(stage.rows.get(*key) or {}), "requests_per_second": 0.0001})
    token = stage.sign_in().access_token
    ran = stage.run(*[stage.event(token)] * 3)
    assert [answer["answer"]["statusCode"] for answer in ran.answers] == [200, 429, 429]
    assert int(ran.answers[1]["answer"]["headers"]["Retry-After"]) > 1
    assert ran.metrics() == {"Active": 1, "RequestRefused": 2, "RateLimited": 2}
    assert [entry.get("code") for entry in ran.entries() if "status" in entry] == [None, "CS3077", "CS3077"]
    check_log(ran, stage.secret, token)


@pytest.mark.parametrize(("audience", "active"), [(None, False), ("https://a.example, https://mcp.example.com", True)])
def test_a_token_that_is_bound_to_another_resource_is_not_active(
    stage: Stage, dynamodb: Client, audience: str | None, *, active: bool
) -> None:
    bound = stage.kit.sign_in("ada", "web", by="authorization_code", resource="https://mcp.example.com").access_token
    variables = {} if audience is None else {"CLAIMSMITH_AUDIENCE": audience}
    checks = TokenChecks(Table(dynamodb, TABLE), VerifierEnvironment.read({**stage.environment, **variables}))
    assert json.loads(checks.introspect(stage.event(bound)).response["body"])["active"] is active
    row = stage.rows.get("PROTECTED_RESOURCE#orders-api", "PROTECTED_RESOURCE")
    assert row is not None
    for named, seen in ((["https://mcp.example.com"], True), (["https://a.example"], False), (["*"], True)):
        stage.rows.put({**row, "audience": named})
        assert json.loads(checks.introspect(stage.event(bound)).response["body"])["active"] is seen


def test_tokens_of_keycloak_are_not_reported_since_rows_name_clients_of_pools(stage: Stage, dynamodb: Client) -> None:
    now, realm = int(time.time()), Realm()
    with key_server(realm) as issuer:
        rules = OidcIssuer(issuer, audience=["orders-api"], client_ids=ANY)
        variables = {"CLAIMSMITH_OIDC_ISSUERS": json.dumps([rules.to_json()])}
        checks = TokenChecks(Table(dynamodb, TABLE), VerifierEnvironment.read({**stage.environment, **variables}))
        claims = bearer_claims(iss=issuer, azp="orders-api", iat=now - 60, auth_time=now - 60, exp=now + 240)
        token = realm.sign(claims)
        assert checks.introspect(stage.event(token)).code == Code.ISSUER_NOT_ALLOWED
        own = stage.event(stage.sign_in().access_token)
        as_caller = {**own, "headers": {**own["headers"], "authorization": f"Bearer {token}"}}
        assert checks.introspect(as_caller).response["statusCode"] == 401
        assert json.loads(checks.introspect(own).response["body"])["active"] is True


def test_a_token_goes_stale_as_soon_as_the_directory_takes_something_back(stage: Stage, dynamodb: Client) -> None:
    checks = TokenChecks(Table(dynamodb, TABLE), VerifierEnvironment.read(stage.environment))
    token = stage.sign_in().access_token
    rows = [membership_row(stage.sub, "acme", roles=roles) for roles in (["editor"], ["viewer"])]
    suspended, active = tenant_row("acme", status="suspended"), tenant_row("acme")
    stale = []
    for row in (rows[0], rows[1], rows[0], suspended, active):
        stage.rows.put(row)
        stale.append(introspect(checks, stage, token)["stale"])
    assert stale == [False, True, False, True, False]
    stage.rows.put(membership_row(stage.sub, "acme", roles=["viewer"]))
    assert introspect(checks, stage, stage.sign_in().access_token)["stale"] is False, "a new one is fresh"


# --- A policy that is remembered --------------------------------------------------------------------------------------


def publish(stage: Stage, settings: dict[str, Any], *roles: str) -> None:
    """Put a version in force that knows these roles, and give them all to the user."""
    definitions = {role: {"scopes": ["orders/write"]} for role in roles}
    apply(stage.rows, from_rows(policy_rows(roles=definitions, settings={"cache_seconds": 300, **settings})), by="test")
    stage.rows.put(membership_row(stage.sub, "acme", roles=list(roles)))


def issued_now(stage: Stage) -> str:
    """A token of the version in force, issued by the trigger in a new process."""
    issuer = Issuer(stage.rows, "deny")
    stage.kit.trigger = lambda event, _context: issuer.issue(event).event
    return stage.sign_in().access_token


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"claim_names": {"policy_version": None}},
        {"claim_names": {"policy_version": "pv"}},
        {"claim_names": {"tenant_id": "tid"}},
    ],
)
def test_a_token_of_a_version_newer_than_the_one_remembered_is_fresh(
    stage: Stage, dynamodb: Client, settings: dict[str, Any]
) -> None:
    checks = TokenChecks(Table(dynamodb, TABLE), VerifierEnvironment.read(stage.environment))
    publish(stage, {}, "editor")
    assert introspect(checks, stage, issued_now(stage))["stale"] is False
    publish(stage, settings, "boss", "editor")
    assert introspect(checks, stage, issued_now(stage))["stale"] is False


def test_a_plain_token_is_fresh_until_the_policy_reaches_its_subject(stage: Stage, dynamodb: Client) -> None:
    publish(stage, {"cache_seconds": 0}, "viewer")
    stage.rows.put(membership_row(stage.sub, "acme", roles=[]))
    checks = TokenChecks(Table(dynamodb, TABLE), VerifierEnvironment.read(stage.environment))
    made = issued_now(stage)
    stage.kit.trigger = None
    plain = stage.sign_in().access_token
    stage.rows.put(user_row(stage.sub, status="suspended"))
    for rollout, stale in ((Rollout(), False), (Rollout(subjects=frozenset({stage.sub})), True), (None, True)):
        roll_out(stage.rows, rollout, seen=current(stage.rows), by="test")
        assert introspect(checks, stage, plain)["stale"] is stale
        assert introspect(checks, stage, made)["stale"] is True, "a token that the policy made is judged by it"


def test_a_token_of_a_version_that_is_in_force_again_is_fresh(stage: Stage, dynamodb: Client) -> None:
    checks = TokenChecks(Table(dynamodb, TABLE), VerifierEnvironment.read(stage.environment))
    publish(stage, {}, "boss")
    publish(stage, {}, "editor")
    assert introspect(checks, stage, issued_now(stage))["stale"] is False
    rollback(stage.rows, 2, by="test")
    stage.rows.put(membership_row(stage.sub, "acme", roles=["boss"]))
    assert introspect(checks, stage, issued_now(stage))["stale"] is False


def test_a_token_that_is_stale_costs_at_most_one_more_request_each_time_it_is_asked_about(
    stage: Stage, dynamodb: Client
) -> None:
    watched = Watched(dynamodb)
    checks = TokenChecks(Table(watched, TABLE), VerifierEnvironment.read(stage.environment))
    publish(stage, {}, "boss")
    old = issued_now(stage)
    publish(stage, {}, "editor")
    new = issued_now(stage)
    for token, stale, more in ((new, False, 0), (old, True, 1)):
        introspect(checks, stage, token)
        before = len(watched.operations)
        for _ in range(3):
            assert introspect(checks, stage, token)["stale"] is stale
        # Who asks, whether it is revoked, the user, the tenant.
        assert len(watched.operations) - before == 3 * (4 + more)


def introspect(checks: TokenChecks, stage: Stage, token: str) -> dict[str, Any]:
    members: dict[str, Any] = json.loads(checks.introspect(stage.event(token)).response["body"])
    assert members["active"] is True
    return members


def test_introspection_reports_what_the_trigger_left_out_for_length(stage: Stage) -> None:
    roles: dict[str, dict[str, Any]] = {f"role-{number:02}-{'x' * 40}": {"scopes": []} for number in range(40)} | {
        "editor": {"scopes": ["orders/read"]}
    }
    rule = {
        "pk": "POLICY",
        "sk": "RULE#plan",
        "order": 1,
        "optional": True,
        "access_claims": {"plan": {"from": "tenant.plan"}},
    }
    device = {
        **rule,
        "sk": "RULE#device",
        "order": 2,
        "access_claims": {"device": {"from": "user.attributes.custom:device"}},
    }
    apply(
        stage.rows,
        from_rows([*policy_rows(roles=roles, settings={"token_budget": 1536}), rule, device]),
        by="test",
    )
    stage.rows.put(tenant_row("acme", plan="pro"))
    stage.rows.put(membership_row(stage.sub, "acme", roles=sorted(roles)))
    stage.kit.users["ada"].attributes["custom:device"] = "phone"
    fresh = CognitoKit(lambda event, _context: Issuer(stage.rows, "deny").issue(event).event)
    fresh.users, fresh.clients = stage.kit.users, stage.kit.clients
    tokens = fresh.sign_in("ada", "web", scopes=["openid", "orders/read"], by="authorization_code")
    assert tokens.access["claims_shed"] == ["device", "plan", "roles"]
    response = body(stage.run(stage.event(tokens.access_token)).answers[0])
    assert (response["roles"], response["plan"], response["incomplete"]) == (sorted(roles), "pro", ["device"])
    assert response["stale"] is False


def wanted(path: str) -> dict[str, Any]:
    """Somebody asks for a document."""
    context = {"http": {"method": "GET", "path": path}, "domainName": "api.example.com", "requestId": "x"}
    return {"version": "2.0", "rawPath": path, "headers": {}, "requestContext": context}


def described(stage: Stage) -> dict[str, str]:
    """Variables of a function that describes the pool, and a resource."""
    pool = stage.kit.issuer.rpartition("/")[2]
    return {
        **stage.environment,
        "CLAIMSMITH_LOGINS": f"{pool}=https://auth.example.com",
        "CLAIMSMITH_AUDIENCE": "https://api.example.com/mcp",
    }


SERVER, RESOURCE = "/.well-known/oauth-authorization-server", "/.well-known/oauth-protected-resource/mcp"


def test_documents_name_the_issuer_of_the_tokens_and_the_scopes_of_the_policy_in_force(stage: Stage) -> None:
    rows = policy_rows(roles={"viewer": {"scopes": ["orders/read"]}})
    route = {"pk": "POLICY", "sk": "ROUTE#mcp", "path": "/mcp", "any_scope": ["orders/read"]}
    apply(stage.rows, from_rows([*rows, route]), by="test")
    ran = run(MODULE, [wanted(SERVER), wanted(RESOURCE), wanted(RESOURCE + "x")], described(stage))
    server, resource, missing = map(body, ran.answers)
    assert (server["issuer"], server["introspection_endpoint"]) == (
        stage.sign_in().access["iss"],
        "https://api.example.com/introspect",
    )
    assert resource == {
        "resource": "https://api.example.com/mcp",
        "authorization_servers": [server["issuer"]],
        "scopes_supported": ["orders/read"],
        "bearer_methods_supported": ["header"],
    }
    assert (missing, ran.metrics()) == ({"error": "not_found"}, {"Described": 2, "NotDescribed": 1})
    logged = [entry for entry in ran.entries() if entry.get("message") == "metadata"]
    assert [(entry["status"], entry.get("code")) for entry in logged] == [(200, None), (200, None), (404, "CS3070")]


def test_a_challenge_names_the_metadata_of_introspection_if_it_is_a_resource(stage: Stage, dynamodb: Client) -> None:
    endpoint = "https://api.example.com/introspect"
    named = {"CLAIMSMITH_INTROSPECTION_ENDPOINT": endpoint, "CLAIMSMITH_AUDIENCE": endpoint}

    def challenge(credentials: str, **variables: str) -> str:
        checks = TokenChecks(Table(dynamodb, TABLE), VerifierEnvironment.read({**stage.environment, **variables}))
        event = stage.event("x")
        event["headers"]["authorization"] = credentials
        return str(checks.introspect(event).response["headers"]["WWW-Authenticate"])

    metadata = 'resource_metadata="https://api.example.com/.well-known/oauth-protected-resource/introspect"'
    for credentials in ("Basic eDp5", "Bearer x"):
        assert challenge(credentials, **named) == f"{challenge(credentials)}, {metadata}"


def test_documents_need_no_cognito_and_that_of_the_pool_no_table(stage: Stage) -> None:
    """No keys are fetched: nothing listens where they are. The table does not answer."""
    stage.server.mode = "stall"
    gone = {"CLAIMSMITH_ISSUERS": f"{stage.kit.issuer}=http://127.0.0.1:9/jwks.json"}
    ran = run(MODULE, [wanted(SERVER), wanted(RESOURCE)], {**described(stage), **gone}, passed=ANSWER_SECONDS)
    statuses = [answer["answer"]["statusCode"] for answer in ran.answers]
    assert (statuses, ran.metrics()) == ([200, 503], {"Described": 1, "Unknown": 1})


@pytest.mark.parametrize("mode", ["stall", "trickle"])
def test_a_table_that_is_slow_is_503_in_time_from_the_first_request_on(
    stage: Stage,
    mode: Any,  # noqa: ANN401 - one of the server's modes
) -> None:
    token = stage.sign_in().access_token
    stage.server.mode = mode
    ran = run(MODULE, [stage.event(token)], stage.environment, passed=ANSWER_SECONDS)
    [answer] = ran.answers
    assert answer["answer"]["statusCode"] == 503
    assert body(answer) == {"error": "temporarily_unavailable"}
    # Lambda ends the function after ten seconds, and the caller may be waiting to answer somebody else.
    assert answer["seconds"] < 5.0
    check_log(ran, stage.secret, token)
    assert [entry["code"] for entry in ran.entries() if "code" in entry] in (["CS2004"], ["CS4002"])
    assert ran.metrics() == {"Unknown": 1}


@pytest.mark.parametrize("mode", ["garbage", "no answer", "wrong shape"])
def test_an_answer_that_is_not_dynamodbs_is_503_and_not_a_caller_who_is_unknown(
    stage: Stage,
    mode: Any,  # noqa: ANN401 - one of the server's modes
) -> None:
    client = connect(UNHURRIED, endpoint_url=stage.server.endpoint_url)
    checks = TokenChecks(Table(client, TABLE), VerifierEnvironment.read(stage.environment))
    event = stage.event(stage.sign_in().access_token)
    assert checks.introspect(event).response["statusCode"] == 200
    stage.server.mode = mode
    answer = checks.introspect(event)
    assert (answer.response["statusCode"], answer.code) == (503, Code.AWS_UNREACHABLE)


def test_a_table_that_is_down_is_503_and_the_log_has_the_code(stage: Stage) -> None:
    token = stage.sign_in().access_token
    stage.server.mode = "500"
    ran = stage.run(stage.event(token))
    assert ran.answers[0]["answer"]["statusCode"] == 503
    assert body(ran.answers[0]) == {"error": "temporarily_unavailable"}
    check_log(ran, stage.secret, token)
    assert any("code" in entry for entry in ran.entries())


@settings(
    max_examples=3,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(events=st.lists(EVENTS, min_size=100, max_size=100))
def test_whatever_the_events_hold_the_answers_are_documented_ones_and_the_log_holds_no_secret(
    stage: Stage, events: list[dict[str, Any]]
) -> None:
    """Every hundred of them in one fresh process; the last event shows that it survived the others."""
    good = stage.sign_in().access_token
    for event in events[::3]:
        event["headers"] = stage.event(good)["headers"]
    ran = stage.run(*events, stage.event(good, "wrong"), stage.event(good))
    assert len(ran.answers) == len(events) + 2
    assert body(ran.answers[-1])["active"] is True
    logged = [entry for entry in ran.entries() if entry.get("message") == "introspection"]
    for answer, entry in zip(ran.answers, logged, strict=True):
        response = answer["answer"]
        assert response["headers"]["Cache-Control"] == "no-store"
        assert entry["status"] == response["statusCode"]
        if "code" in entry:
            assert entry["code"].startswith(CODES[response["statusCode"]])
        else:
            assert json.loads(response["body"])["active"] is True
    check_log(ran, stage.secret, good, stage.event(good)["headers"]["authorization"])


# --- The rows of callers ----------------------------------------------------------------------------------------------


def test_an_unknown_id_and_a_known_one_cost_dynamodb_the_same(dynamodb: Client, rows: Table) -> None:
    Resources(rows, "test").add("known", clients=["*"], tenants=["*"])
    asked: list[list[str]] = []
    for resource_id in ("known", "unknown"):
        watched = Watched(dynamodb)
        StoredResources(Table(watched, TABLE)).row(resource_id)
        asked.append(watched.operations)
    assert asked == [["get_item"], ["get_item"]]


@pytest.mark.parametrize(
    ("ttl", "there"),
    [(NOW + 1, True), (NOW, False), (NOW - 1, False), ((NOW + 1) * 1000, False), ("soon", False), (None, False)],
)
def test_a_caller_whose_row_has_expired_is_none_even_before_dynamodb_deletes_it(
    rows: Table, ttl: object, *, there: bool
) -> None:
    rows.put({"pk": "PROTECTED_RESOURCE#x", "sk": "PROTECTED_RESOURCE", "secrets": [], "ttl": ttl})
    assert (StoredResources(rows, clock=lambda: NOW).row("x") is not None) is there


def test_a_set_of_one_secret_can_be_rotated_and_a_set_of_two_has_no_older_one(rows: Table) -> None:
    callers = Resources(rows, "test")
    key = {"pk": "PROTECTED_RESOURCE#x", "sk": "PROTECTED_RESOURCE"}
    rows.put({**key, "secrets": {"a" * 64}})
    callers.rotate("x")
    row = rows.get(*key.values())
    assert row is not None
    assert row["secrets"][1:] == ["a" * 64], "the secret in use stays valid"
    rows.put({**key, "secrets": {"a" * 64, "b" * 64}})
    with pytest.raises(Exception, match="make them a list, the newest first"):
        callers.rotate("x")
    assert (rows.get(*key.values()) or {})["secrets"] == {"a" * 64, "b" * 64}, "nothing was lost"
