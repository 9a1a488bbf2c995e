"""The authorizer on a table and a key server, with tokens from the real trigger: revocation in each mode, keys
that change, a tenant that is suspended, a table that is down; and the function as Lambda runs it under made-up events.
"""

from __future__ import annotations

import copy
import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from claimsmith.environment import VerifierEnvironment
from claimsmith.errors import ClaimsmithError, Code, ConfigurationError
from claimsmith.policy import from_rows
from claimsmith.service.check import ANSWER_SECONDS, READ_SECONDS, Reports, TokenChecks
from claimsmith.service.issue import Issuer
from claimsmith.service.publish import apply
from claimsmith.service.revoke import revoke
from claimsmith.store.dynamodb import Table, connect
from claimsmith.testing import CognitoKit
from claimsmith.verifier import OidcIssuer
from claimsmith.verifier.authorizer import UnauthorizedError
from claimsmith.verifier.revocation import SHARED_KINDS
from tests.conftest import REGION, TABLE
from tests.integration.clients import Watched
from tests.integration.dynamodb_server import MAX_SECONDS, LoopbackDynamoDB
from tests.integration.function import Ran, run
from tests.integration.test_failure import SLOW
from tests.policies import membership_row, policy_rows, tenant_row
from tests.unit.service.test_deadline import worker_threads
from tests.unit.verifier.fuzzed_events import events
from tests.unit.verifier.realm import API as API_OF_REALM
from tests.unit.verifier.realm import Realm, bearer_claims, key_server
from tests.waits import UNHURRIED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from claimsmith.testing.tokens import Tokens
    from tests.conftest import Client
    from tests.integration.dynamodb_server import Mode
    from tests.waits import Waits

MODULE = "lambdas.verifier.authorizer"
API = "a1b2c3d4e5"
ROUTES = (
    {"pk": "POLICY", "sk": "ROUTE#orders", "path": "/orders", "any_scope": ["orders/read"]},
    {"pk": "POLICY", "sk": "ROUTE#own", "path": "/tenants/{tenant}/orders", "tenant_from": "path:tenant"},
)
KINDS = {"session": "origin_jti", "token": "jti", "user": "sub", "client": "client_id", "tenant": "tenant_id"}

#: What DynamoDB can do instead of answering, and be noticed at once; and what that looks like.
DOWN: dict[Mode, set[Code]] = {
    "hang up": {Code.AWS_UNREACHABLE},
    "500": {Code.AWS_UNREACHABLE},
    "wrong shape": {Code.AWS_UNREACHABLE, Code.BUNDLE_UNREADABLE},
    "garbage": {Code.AWS_UNREACHABLE},
    "no answer": {Code.AWS_UNREACHABLE},
}

#: Lambda ends the authorizer after five seconds.
IN_TIME = 5.0


def http(path: str, token: str) -> dict[str, Any]:
    """An HTTP API's event, payload format 2.0."""
    return {
        "version": "2.0",
        "type": "REQUEST",
        "routeArn": f"arn:aws:execute-api:{REGION}:123456789012:{API}/$default/GET{path}",
        "routeKey": "GET /{proxy+}",
        "rawPath": path,
        "headers": {"authorization": f"Bearer {token}"},
        "requestContext": {"stage": "$default", "http": {"method": "GET"}},
    }


def rest(path: str, token: str | None) -> dict[str, Any]:
    """A REST API's event for a TOKEN authorizer."""
    arn = f"arn:aws:execute-api:{REGION}:123456789012:{API}/live/GET{path}"
    return {"type": "TOKEN", "methodArn": arn, "authorizationToken": f"Bearer {token}"}


@dataclass
class Stage:
    """A table, a pool whose trigger reads it, and a server between the authorizer and both.

    Attributes:
        unreadable: the revocation rows that were reported as such.
        unchecked: the codes for which a token was let through unchecked.
    """

    rows: Table
    kit: CognitoKit
    server: LoopbackDynamoDB
    environment: dict[str, str]
    waits: Waits
    unreadable: list[str] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)

    def sign_in(self) -> Tokens:
        return self.kit.sign_in("ada", "web", scopes=["openid", "orders/read"], by="authorization_code")

    def checks(self, client: Client | None = None, **variables: str) -> TokenChecks:
        """The authorizer in a process of its own, as far as memory goes."""
        overrides = {f"CLAIMSMITH_{name}": value for name, value in variables.items()}
        environment = VerifierEnvironment.read({**self.environment, **overrides})
        reports = Reports(self.unreadable.append, lambda error: self.unchecked.append(error.code))
        if client is None:
            client = connect(UNHURRIED, endpoint_url=self.server.endpoint_url)
        return TokenChecks(Table(client, TABLE), environment, reports)

    def slow_down(self, mode: Mode) -> None:
        """The table is slow from now on: reads wait in vain; the response has time left."""
        self.server.mode = mode
        self.waits.passed = READ_SECONDS

    def run(self, *events: object, **variables: str) -> Ran:
        overrides = {f"CLAIMSMITH_{name}": value for name, value in variables.items()}
        return run(MODULE, events, {**self.environment, **overrides})


@pytest.fixture
def stage(dynamodb: Client, rows: Table, aws_environment: dict[str, str], waits: Waits) -> Iterator[Stage]:
    policy = policy_rows(settings={"cache_seconds": 0}, roles={"viewer": {"scopes": ["orders/read"]}})
    apply(rows, from_rows([*policy, *ROUTES]), by="test")
    issuer = Issuer(rows, "deny")
    kit = CognitoKit(lambda event, _context: issuer.issue(event).event)
    user = kit.add_user("ada")
    client = kit.add_client("web", scopes=["openid", "orders/read"])
    rows.put(tenant_row("acme"))
    rows.put(membership_row(user.sub, "acme", roles=["viewer"]))
    with LoopbackDynamoDB(dynamodb) as server, kit.serve() as keys:
        environment = {
            **aws_environment,
            "AWS_ENDPOINT_URL": server.endpoint_url,
            "CLAIMSMITH_TABLE": TABLE,
            "CLAIMSMITH_ISSUERS": f"{kit.issuer}={keys.jwks_uri}",
            "CLAIMSMITH_CLIENT_IDS": client.id,
        }
        yield Stage(rows, kit, server, environment, waits)


def test_a_token_that_is_bound_to_another_resource_opens_only_routes_that_name_it(stage: Stage) -> None:
    """The trigger's policy, the routes of the same policy, and what the deployment names."""
    mcp, other = "https://mcp.example.com", "https://other.example.com"
    row = {"pk": "POLICY", "sk": "ROUTE#mcp", "path": "/mcp", "any_scope": ["orders/read"], "audience": [mcp]}
    policy = policy_rows(settings={"cache_seconds": 0}, roles={"viewer": {"scopes": ["orders/read"]}})
    apply(stage.rows, from_rows([*policy, *ROUTES, row]), by="test")
    tokens = {
        resource: stage.kit.sign_in("ada", "web", by="authorization_code", resource=resource).access_token
        for resource in (None, mcp, other)
    }
    refused = Code.WRONG_AUDIENCE
    for named, expected in (
        ("", {"/orders": [None, refused, refused], "/mcp": [refused, None, refused]}),
        (other, {"/orders": [None, refused, None], "/mcp": [refused, None, refused]}),
    ):
        checks = stage.checks(AUDIENCE=named)
        for path, codes in expected.items():
            assert [outcome(checks, token, path) for token in tokens.values()] == codes


def test_the_context_has_the_claims_that_the_policy_in_force_lists(stage: Stage) -> None:
    roles = {"viewer": {"scopes": ["orders/read"], "access_claims": {"department": "ledger", "limits": {"orders": 7}}}}
    checks, told = stage.checks(), []
    for listed in ([], ["client_id", "department", "limits"]):
        policy = policy_rows(settings={"cache_seconds": 0, "context_claims": listed}, roles=roles)
        apply(stage.rows, from_rows([*policy, *ROUTES]), by="test")
        told.append(checks.authorize(http("/orders", stage.sign_in().access_token)).response["context"])
    assert told[0].keys() == {"sub", "roles", "scope", "tenant_id"}
    further = {"client_id": stage.environment["CLAIMSMITH_CLIENT_IDS"], "department": "ledger", "limits": {"orders": 7}}
    assert told[1] == {**told[0], **further}


@pytest.mark.parametrize("audience", ["*", "https://a.example,*"])
def test_an_audience_that_no_token_can_have_keeps_the_function_from_starting(stage: Stage, audience: str) -> None:
    with pytest.raises(ConfigurationError, match="CLAIMSMITH_AUDIENCE"):
        stage.checks(AUDIENCE=audience)


def test_the_clients_of_the_policy_in_force_are_accepted(stage: Stage) -> None:
    def publish(clients: dict[str, Any]) -> None:
        policy = policy_rows(
            settings={"cache_seconds": 0}, roles={"viewer": {"scopes": ["orders/read"]}}, clients=clients
        )
        apply(stage.rows, from_rows([*policy, *ROUTES]), by="test")

    token, pool_id = stage.sign_in().access_token, stage.kit.issuer.rpartition("/")[2]
    checks = stage.checks(CLIENT_IDS="")
    assert outcome(checks, token) == Code.WRONG_CLIENT
    for clients, code in (
        ({"web": {}}, None),
        ({"web": {"user_pool": "eu-west-1_Other"}}, Code.WRONG_CLIENT),
        ({"web": {"user_pool": pool_id}}, None),
        ({"other": {}}, Code.WRONG_CLIENT),
    ):
        publish(clients)
        assert outcome(checks, token) == code


def test_tokens_of_keycloak_are_accepted_beside_those_of_the_pool(stage: Stage) -> None:
    """By the rules of the deployment, for the routes of the policy."""
    route = {"pk": "POLICY", "sk": "ROUTE#reports", "path": "/reports", "any_role": ["editor"]}
    roles = {"viewer": {"scopes": ["orders/read"]}, "editor": {}}
    policy = policy_rows(settings={"cache_seconds": 0}, roles=roles)
    apply(stage.rows, from_rows([*policy, *ROUTES, route]), by="test")
    now, realm = int(time.time()), Realm()
    times = {"iat": now - 60, "auth_time": now - 60, "exp": now + 240}
    with key_server(realm) as issuer:
        rules = OidcIssuer(
            issuer,
            audience=[API_OF_REALM],
            client_ids=["orders-web"],
            claim_names={"tenant_id": "tenant", "roles": ["realm_access", "roles"]},
        )
        written = json.dumps([rules.to_json()])
        checks = stage.checks(OIDC_ISSUERS=written)
        token = realm.sign(bearer_claims(iss=issuer, **times))
        ran = stage.run(http("/reports", token), OIDC_ISSUERS=written)
        assert ran.answers[0]["answer"]["context"]["iss"] == issuer
        assert token not in ran.log
        for path in ("/reports", "/orders", "/tenants/acme/orders"):
            assert outcome(checks, token, path) is None
        assert outcome(checks, token, "/tenants/globex/orders") == Code.WRONG_TENANT
        assert outcome(checks, realm.sign(bearer_claims(iss=issuer, aud="account", **times))) == Code.WRONG_AUDIENCE
        assert outcome(checks, stage.sign_in().access_token) is None
        revoke(stage.rows, "session", bearer_claims()["sid"], by="test", reason="lost")
        assert outcome(checks, token) == Code.TOKEN_REVOKED
        assert outcome(stage.checks(), token) == Code.ISSUER_NOT_ALLOWED


def outcome(checks: TokenChecks, token: str, path: str = "/orders") -> Code | None:
    """What becomes of a request, the same for both kinds of API; None where it passes."""
    simple = checks.authorize(http(path, token))
    assert simple.response["isAuthorized"] == (simple.code is None)
    try:
        code = checks.authorize(rest(path, token)).code
    except UnauthorizedError as error:
        code = error.code
    assert code == simple.code
    return code


def unknown(checks: TokenChecks, token: str) -> Code:
    """The code of a request that cannot be checked."""
    with pytest.raises(ClaimsmithError) as caught:
        checks.authorize(http("/orders", token))
    return caught.value.code


# --- Revocation -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_strict_sees_a_revocation_at_once(stage: Stage, kind: Any) -> None:  # noqa: ANN401 - a literal
    tokens = stage.sign_in()
    checks = stage.checks(REVOCATION_SHARED_SECONDS="0") if kind in SHARED_KINDS else stage.checks()
    assert outcome(checks, tokens.access_token) is None
    revoke(stage.rows, kind, tokens.access[KINDS[kind]], by="test")
    assert outcome(checks, tokens.access_token) == Code.TOKEN_REVOKED


def test_all_kinds_are_asked_for_in_one_request_a_token(stage: Stage, dynamodb: Client) -> None:
    asked: list[dict[str, Any]] = []

    def before(operation: str, request: dict[str, Any]) -> None:
        if operation == "batch_get_item":
            asked.append(copy.deepcopy(request["RequestItems"][TABLE]))

    client = Watched(dynamodb, before)
    tokens = stage.sign_in()
    checks = stage.checks(client, REVOCATION_SHARED_SECONDS="60")
    for _ in range(2):
        assert checks.authorize(http("/orders", tokens.access_token)).code is None
    claims = tokens.access
    first, again = asked
    assert first["ConsistentRead"] is again["ConsistentRead"] is True
    keys = [f"REVOKED#{kind}#{claims[claim]}" for kind, claim in KINDS.items()]
    assert [key["pk"]["S"] for key in first["Keys"]] == keys
    assert [key["pk"]["S"] for key in again["Keys"]] == keys[:3], "the client and the tenant are remembered"


def test_cached_asks_once_for_what_it_remembers_and_off_never(stage: Stage, dynamodb: Client) -> None:
    token = stage.sign_in().access_token
    for mode, expected in (("strict", 3), ("cached", 1), ("off", 0)):
        client = Watched(dynamodb)
        checks = stage.checks(client, REVOCATION=mode, REVOCATION_CACHE_SECONDS="300")
        for _ in range(3):
            assert checks.authorize(http("/orders", token)).code is None
        assert client.operations.count("batch_get_item") == expected, mode


def test_cached_may_be_late_and_another_process_is_not(stage: Stage) -> None:
    tokens = stage.sign_in()
    checks = stage.checks(REVOCATION="cached", REVOCATION_CACHE_SECONDS="300")
    assert outcome(checks, tokens.access_token) is None
    revoke(stage.rows, "token", tokens.access["jti"], by="test")
    assert outcome(checks, tokens.access_token) is None, "for up to 300 seconds"
    assert outcome(stage.checks(REVOCATION="cached"), tokens.access_token) == Code.TOKEN_REVOKED


def test_a_revocation_that_cannot_be_read_revokes_and_is_reported(stage: Stage) -> None:
    token = stage.sign_in().access_token
    checks = stage.checks()
    for written in ("yesterday", 1_800_000_000_000, 0, True, None, [1], {"a": 1}):
        stage.rows.put({"pk": "REVOKED#tenant#acme", "sk": "REVOKED", "revoked_at": written})
        stage.unreadable.clear()
        assert outcome(checks, token) == Code.TOKEN_REVOKED, written
        assert set(stage.unreadable) == {"REVOKED#tenant#acme"}, written


def test_a_session_is_revoked_by_its_row_whatever_it_contains_and_its_id_is_not_logged(stage: Stage) -> None:
    tokens = stage.sign_in()
    stage.rows.put({"pk": f"REVOKED#session#{tokens.access['origin_jti']}", "sk": "REVOKED"})
    assert outcome(stage.checks(), tokens.access_token) == Code.TOKEN_REVOKED
    assert not stage.unreadable, "the id is a claim of a token; there is nothing to mend"


# --- The table is down ------------------------------------------------------------------------------------------------


def test_nobody_passes_while_the_table_is_down(stage: Stage) -> None:
    token = stage.sign_in().access_token
    checks = stage.checks()
    for mode, codes in DOWN.items():
        assert outcome(checks, token) is None, "it needs no restart"
        stage.server.mode = mode
        assert unknown(checks, token) in codes, mode
        stage.server.mode = "answer"


def test_only_revocations_are_out_of_reach(stage: Stage, dynamodb: Client) -> None:
    def before(operation: str, _request: dict[str, Any]) -> None:
        if operation == "batch_get_item":
            raise ConnectionError("out of reach")

    token = stage.sign_in().access_token
    assert unknown(stage.checks(Watched(dynamodb, before)), token) == Code.REVOCATION_UNKNOWN
    assert not stage.unchecked
    tolerant = stage.checks(Watched(dynamodb, before), REVOCATION_ON_FAILURE="allow")
    assert outcome(tolerant, token) is None
    assert set(stage.unchecked) == {Code.AWS_UNREACHABLE}


def test_to_let_tokens_pass_while_the_table_is_down_is_a_choice_that_knows_its_limits(stage: Stage) -> None:
    good, revoked = stage.sign_in(), stage.sign_in()
    revoke(stage.rows, "session", revoked.access["origin_jti"], by="test")
    checks = stage.checks(REVOCATION="cached", REVOCATION_CACHE_SECONDS="300", REVOCATION_ON_FAILURE="allow")
    assert outcome(checks, revoked.access_token) == Code.TOKEN_REVOKED
    stage.server.mode = "500"
    assert outcome(checks, good.access_token) is None, "by the last policy known"
    assert outcome(checks, revoked.access_token) == Code.TOKEN_REVOKED, "what is known to be revoked stays revoked"
    assert outcome(checks, good.access_token, "/tenants/globex/orders") == Code.WRONG_TENANT
    assert outcome(checks, good.access_token + "x") == Code.TOKEN_MALFORMED
    assert stage.unchecked, "and it is reported"
    assert unknown(stage.checks(REVOCATION_ON_FAILURE="allow"), good.access_token) == Code.AWS_UNREACHABLE, (
        "a new process knows no policy, so it lets nobody pass"
    )


@pytest.mark.parametrize("mode", SLOW)
def test_all_requests_are_refused_in_time_while_the_table_is_slow(stage: Stage, mode: Mode) -> None:
    token = stage.sign_in().access_token
    checks = stage.checks()
    assert outcome(checks, token) is None
    stage.slow_down(mode)
    started = stage.waits.clock()
    assert unknown(checks, token) == Code.DEADLINE_EXCEEDED
    assert 0 < stage.waits.clock() - started < IN_TIME
    stage.server.mode, stage.waits.passed = "answer", 0.0
    assert outcome(checks, token) is None


@pytest.mark.parametrize(("mode", "revocation"), [("stall", "strict"), ("trickle", "cached")])
def test_tokens_that_may_pass_while_the_table_is_slow_pass_in_time(stage: Stage, mode: Mode, revocation: str) -> None:
    good, revoked = stage.sign_in(), stage.sign_in()
    revoke(stage.rows, "session", revoked.access["origin_jti"], by="test")
    checks = stage.checks(REVOCATION=revocation, REVOCATION_CACHE_SECONDS="1", REVOCATION_ON_FAILURE="allow")
    assert outcome(checks, revoked.access_token) == Code.TOKEN_REVOKED
    time.sleep(1.1)  # so that what is remembered is too old, however fast the machine
    stage.slow_down(mode)
    codes = []
    for tokens in (good, revoked):
        started = stage.waits.clock()
        codes.append(checks.authorize(http("/orders", tokens.access_token)).code)
        assert 0 < stage.waits.clock() - started < IN_TIME
    assert codes == [None, Code.TOKEN_REVOKED if revocation == "cached" else None]
    assert len(stage.unchecked) == 4, "of each: the policy may be out of date, and whether it is revoked is unknown"


def test_a_revocation_that_is_not_read_in_time_is_unknown(stage: Stage, dynamodb: Client) -> None:
    def before(operation: str, _request: dict[str, Any]) -> None:
        if operation == "batch_get_item":
            stage.waits.passed = READ_SECONDS
            stage.server.ended.wait(MAX_SECONDS)

    token = stage.sign_in().access_token
    assert unknown(stage.checks(Watched(dynamodb, before)), token) == Code.REVOCATION_UNKNOWN


def test_any_number_of_requests_is_answered_in_time_while_the_table_is_slow_and_few_threads_are_left(
    stage: Stage,
) -> None:
    token = stage.sign_in().access_token
    checks = stage.checks(REVOCATION_ON_FAILURE="allow")
    assert outcome(checks, token) is None
    stage.slow_down("trickle")
    before = worker_threads()

    def passes(_: int) -> bool:
        started = stage.waits.clock()
        code = checks.authorize(http("/orders", token)).code
        return code is None and 0 < stage.waits.clock() - started < IN_TIME

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(passes, range(40)))
    # Sixteen that are stuck, and those that answered.
    assert worker_threads() - before <= 16 + 8


def test_what_answers_without_the_table_has_the_time_to() -> None:
    assert 2 * READ_SECONDS < ANSWER_SECONDS < IN_TIME


# --- Keys and tenants that change -------------------------------------------------------------------------------------


def test_new_keys_are_seen_at_once_and_old_tokens_count_while_their_key_is_published(stage: Stage) -> None:
    old = stage.sign_in().access_token
    checks = stage.checks()
    assert outcome(checks, old) is None
    stage.kit.rotate_keys()
    new = stage.sign_in().access_token
    assert outcome(checks, new) is None
    assert outcome(checks, old) is None
    stage.kit.rotate_keys(retire=True)
    assert outcome(stage.checks(), old) == Code.KEY_NOT_FOUND
    assert outcome(stage.checks(), stage.sign_in().access_token) is None


def test_a_suspended_tenant_is_in_no_new_token_and_its_revocation_ends_the_old_ones(stage: Stage) -> None:
    before = stage.sign_in()
    checks = stage.checks(REVOCATION_SHARED_SECONDS="0")
    own = "/tenants/acme/orders"
    assert outcome(checks, before.access_token, own) is None
    stage.rows.put(tenant_row("acme", status="suspended"))
    after = stage.kit.refresh(before.refresh_token or "", "web")
    assert outcome(checks, after.access_token, own) == Code.WRONG_TENANT
    assert outcome(checks, before.access_token, own) is None, "until it expires"
    revoke(stage.rows, "tenant", "acme", by="test")
    assert outcome(checks, before.access_token, own) == Code.TOKEN_REVOKED


# --- The function -----------------------------------------------------------------------------------------------------


def check_log(ran: Ran, *tokens: str | None) -> None:
    """Every line is JSON, and none contains a token, a part of one, or its claims."""
    assert ran.entries()
    assert "Traceback" not in ran.log
    parts = {part for token in tokens for part in (token or "").split(".") if len(part) > 8}
    assert not [part for part in parts if part in ran.log]
    assert not re.search(r"eyJ[\w-]{8}", ran.log)


def test_the_log_shows_the_outcome_of_a_request_and_not_its_user(stage: Stage) -> None:
    tokens = stage.sign_in()
    claims = tokens.access
    good, bad = tokens.access_token, tokens.access_token[:-8] + "AAAAAAAA"
    known = http("/orders", good)
    known["requestContext"]["requestId"] = "JKJaXmPLvHcESHA="
    ran = stage.run(
        known,
        http("/tenants/globex/orders", good),
        rest("/orders", bad),
        rest("/orders", tokens.id_token),
        {"version": "2.0"},
    )
    allowed, forbidden, *unauthorized, malformed = ran.answers
    assert allowed["answer"]["isAuthorized"] is True
    assert forbidden["answer"] == {"isAuthorized": False}
    assert [(answer["error"], answer["message"]) for answer in unauthorized] == [
        ("UnauthorizedError", "Unauthorized")
    ] * 2
    assert (malformed["error"], malformed["message"]) == ("RuntimeError", "cannot be checked [CS3061]")
    lines = [entry for entry in ran.entries() if "message" in entry]
    assert [line["function_request_id"] for line in lines] == [f"invocation-{number}" for number in range(5)]
    assert [line.get("api_request_id") for line in lines] == ["JKJaXmPLvHcESHA=", *[None] * 4]
    logged = [entry["code"] for entry in ran.entries() if "code" in entry]
    assert logged == ["CS3039", "CS3020", "CS3034", "CS3061"]
    assert ran.metrics() == {"Allowed": 1, "Forbidden": 1, "Unauthorized": 2, "Unknown": 1}
    # Of the two tokens that are good: session, token, user; and client and tenant, which are remembered for a while.
    assert ran.counted()["RevocationsRead"] in {8, 10}
    check_log(ran, good, bad, tokens.id_token)
    assert not [name for name in ("sub", "jti", "origin_jti") if claims[name] in ran.log]


def test_a_revocation_that_cannot_be_read_is_logged_by_its_row_and_counted(stage: Stage) -> None:
    stage.rows.put({"pk": "REVOKED#tenant#acme", "sk": "REVOKED", "revoked_at": "yesterday"})
    token = stage.sign_in().access_token
    ran = stage.run(http("/orders", token))
    assert ran.answers[0]["answer"] == {"isAuthorized": False}
    assert [entry["row"] for entry in ran.entries() if "row" in entry] == ["REVOKED#tenant#acme REVOKED"]
    assert ran.metrics() == {"Forbidden": 1, "UnreadableRows": 1}
    check_log(ran, token)


def test_a_process_that_starts_while_the_table_is_down_lets_nobody_pass(stage: Stage) -> None:
    """Not even where tokens may pass unchecked: it has never seen a policy."""
    token = stage.sign_in().access_token
    stage.server.mode = "500"
    ran = stage.run(http("/orders", token), REVOCATION_ON_FAILURE="allow")
    assert ran.answers[0]["message"] == "cannot be checked [CS4002]"
    assert ran.metrics() == {"Unknown": 1}
    check_log(ran, token)


def test_a_cache_that_would_open_other_requests_gets_no_answer(stage: Stage) -> None:
    token = stage.sign_in().access_token
    ran = stage.run(
        http("/tenants/acme/orders", token), AUTHORIZER_CACHED_BY="$request.header.Authorization,$context.routeKey"
    )
    assert ran.answers[0]["message"] == "cannot be checked [CS3063]"
    check_log(ran, token)


@settings(max_examples=3, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(events().map(lambda drawn: drawn[1]), min_size=40, max_size=40))
def test_the_function_answers_or_fails_with_a_code_whatever_it_is_sent(stage: Stage, sent: list[object]) -> None:
    token = stage.sign_in().access_token
    ran = stage.run(*sent, http("/orders", token))
    for answer in ran.answers[:-1]:
        if "error" in answer:
            assert answer["message"] == "Unauthorized" or re.fullmatch(
                r"cannot be checked \[CS\d{4}\]", answer["message"]
            )
        else:
            assert answer["answer"].keys() <= {"isAuthorized", "principalId", "policyDocument", "context"}
    assert ran.answers[-1]["answer"]["isAuthorized"] is True, "the process does not survive"
    check_log(ran, token)
