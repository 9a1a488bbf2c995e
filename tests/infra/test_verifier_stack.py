from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import cfnlint.api
import pytest
from aws_cdk import CfnResource

from claimsmith.environment import parse_oidc_issuers
from claimsmith.oidc import OidcIssuer
from claimsmith_cdk.templates import Template as Finished
from claimsmith_cdk.templates import Templates
from claimsmith_cdk.verifier_settings import problems
from infra.http_api import BURST, INTROSPECT_BURST, INTROSPECT_RATE, PROTECTED, RATE
from infra.stateful_stack import StatefulStack
from infra.verifier_stack import VerifierStack
from tests.infra.permissions import imported
from tests.infra.template import cdk_app, config, synthesise

if TYPE_CHECKING:
    from pathlib import Path

    from tests.infra.template import Template


OUTPUTS = {"HttpApiUrl", "HttpApiId", "AuthorizerName", "IntrospectionName"}
REST_OUTPUTS = {"RestApiUrl", "RestApiId", "RestAuthorizerName"}
LOCAL = {"setting": "development", "jwks_endpoint": "http://127.0.0.1:4566"}
CACHING = {
    "authorizer_cache_seconds": 60,
    "authorizer_identity_sources": ["$request.header.Authorization", "$context.routeKey", "$context.path"],
}


@pytest.fixture(scope="module")
def without_rest() -> Template:
    return synthesise({}).verifier


@pytest.fixture(params=["verifier", "development_verifier"])
def template(request: pytest.FixtureRequest) -> Template:
    found: Template = request.getfixturevalue(request.param)
    return found


def _environment(template: Template, function: str) -> dict[str, Any]:
    variables: dict[str, Any] = template.properties("Lambda::Function", function)["Environment"]["Variables"]
    return variables


def test_the_outputs_are_the_interface_that_others_read(verifier: Template, without_rest: Template) -> None:
    assert set(without_rest.document["Outputs"]) == OUTPUTS
    assert set(verifier.document["Outputs"]) == OUTPUTS | REST_OUTPUTS


def test_sign_outs_in_the_apps_pool_are_an_option_with_alarms(without_rest: Template, tmp_path: Path) -> None:
    """Their alarms' entries are in the runbook: test_alarms.py."""
    app = synthesise({"sign_outs": {"revoke_token": True}}, checked_in=tmp_path)
    found = app.verifier
    assert app.report is not None
    assert [each["violations"] for each in app.report["pluginReports"]] == [[]], "cdk-nag has no finding"
    assert set(found.document["Outputs"]) == OUTPUTS | {"SignOutsName", "SignOutsDeadLettersUrl"}
    names = found.properties("Events::Rule", "SignOuts")["EventPattern"]["detail"]["eventName"]
    assert {"AdminDisableUser", "RevokeToken"} <= set(names)
    pool = _environment(found, "SignOuts")["CLAIMSMITH_USER_POOL_ID"]
    assert "UserPool" in json.dumps(pool), "the pool of the stateful stack"
    letters = found.properties("CloudWatch::Alarm", "SignOutsGaveUp")
    assert letters["MetricName"] == "ApproximateNumberOfMessagesVisible"
    others = found.properties("CloudWatch::Alarm", "RevocationsUnreadable")
    assert (letters["Threshold"], letters["AlarmActions"]) == (1, others["AlarmActions"])
    nobody = json.dumps(found.properties("CloudWatch::Alarm", "SignOutsWithoutUser"))
    assert {"SignOuts", "SignOutsWithoutUser"} <= set(re.findall(r'"MetricName": "(\w+)"', nobody))
    assert not [name for name in without_rest.of_type("Lambda::Function") if name.startswith("SignOuts")]


def test_nothing_of_the_stateful_stack_refers_to_the_verifier(production: Template, verifier: Template) -> None:
    assert "Fn::ImportValue" not in json.dumps(production.document)
    assert "Fn::ImportValue" in json.dumps(verifier.document)
    assert "ClaimsmithVerifier" not in json.dumps(production.document)


def test_the_stateful_stack_is_the_same_without_a_rest_api(production: Template) -> None:
    assert synthesise({}).stateful.document == production.document


def test_cfn_lint_finds_nothing(template: Template) -> None:
    # CDK makes every function depend on its role, which its ARN does already.
    found = [match for match in cfnlint.api.lint(json.dumps(template.document)) if match.rule.id != "W3005"]
    assert found == []


def test_the_template_fits_any_account_and_region(template: Template) -> None:
    text = json.dumps(template.document)
    assert "arn:aws:" not in text, "the partition must be a parameter"
    assert "amazonaws.com/" not in text, "so must the domain"
    assert not re.search(r"\b\d{12}\b", text), "an account number"


def test_nothing_of_the_emulator_is_in_a_template_by_default(template: Template) -> None:
    text = json.dumps(template.document).lower()
    for trace in ("localhost", "127.0.0.1", "endpoint_url", "ministack", "4566", "http://", "access_key", "jwks"):
        assert trace not in text


def test_a_local_stack_serves_the_keys_and_gets_no_alarm_that_it_refuses(production: Template) -> None:
    local = synthesise(LOCAL)
    template = local.verifier
    alarms = [*local.stateful.of_type("CloudWatch::Alarm").values(), *template.of_type("CloudWatch::Alarm").values()]
    assert alarms
    assert all("MetricName" in alarm["Properties"] for alarm in alarms)
    pool = imported(production, {"Ref": production.named("Cognito::UserPool", "")[0]})
    issuers = _environment(template, "Authorizer")["CLAIMSMITH_ISSUERS"]["Fn::Join"][1]
    assert issuers[-4:] == [pool, "=http://127.0.0.1:4566/", pool, "/.well-known/jwks.json"]
    assert _environment(template, "Introspection")["CLAIMSMITH_ISSUERS"]["Fn::Join"][1] == issuers


@pytest.mark.parametrize("function", ["AuthorizerFunctionE", "RestAuthorizer", "Introspection"])
def test_only_tokens_of_this_pool_are_good(production: Template, verifier: Template, function: str) -> None:
    variables = _environment(verifier, function)
    pool = imported(production, {"Ref": production.named("Cognito::UserPool", "")[0]})
    assert variables["CLAIMSMITH_ISSUERS"] == {
        "Fn::Join": [
            "",
            ["https://cognito-idp.", {"Ref": "AWS::Region"}, ".", {"Ref": "AWS::URLSuffix"}, "/", pool],
        ]
    }
    table = production.named("DynamoDB::Table", "ClaimsTable")[0]
    assert variables["CLAIMSMITH_TABLE"] == imported(production, {"Ref": table})


def test_functions_have_only_the_documented_variables(verifier: Template) -> None:
    common = {"POWERTOOLS_METRICS_NAMESPACE", "POWERTOOLS_SERVICE_NAME", "CLAIMSMITH_DEPLOYMENT"}
    checks = {*common, "CLAIMSMITH_TABLE", "CLAIMSMITH_ISSUERS"}
    assert set(_environment(verifier, "Sample")) == common
    assert set(_environment(verifier, "Introspection")) == {*checks, "CLAIMSMITH_LOGINS"}
    for function, response in (("AuthorizerFunctionE", "simple"), ("RestAuthorizer", "iam")):
        variables = _environment(verifier, function)
        assert set(variables) == {*checks, "CLAIMSMITH_AUTHORIZER_RESPONSE"}
        assert variables["CLAIMSMITH_AUTHORIZER_RESPONSE"] == response


@pytest.mark.parametrize(
    ("function", "handler", "timeout"),
    [
        ("AuthorizerFunctionE", "lambdas.verifier.authorizer.handler", 5),
        ("RestAuthorizer", "lambdas.verifier.authorizer.handler", 5),
        ("Introspection", "lambdas.verifier.introspection.handler", 10),
        ("Sample", "lambdas.sample.handler.handler", 3),
    ],
)
def test_functions_time_out_before_their_callers(verifier: Template, function: str, handler: str, timeout: int) -> None:
    properties = verifier.properties("Lambda::Function", function)
    assert (properties["Handler"], properties["Timeout"], properties["MemorySize"]) == (handler, timeout, 1024)
    assert (properties["Runtime"], properties["Architectures"]) == ("python3.13", ["arm64"])


ISSUER = {"Fn::Join": ["", ["https://cognito-idp.", {"Ref": "AWS::Region"}, ".", {"Ref": "AWS::URLSuffix"}, "/"]]}


def _after(slash: object, *more: object) -> dict[str, Any]:
    return {"Fn::Join": ["", [ISSUER, slash, *more]]}


@pytest.mark.parametrize(
    ("issuers", "client_ids", "said"),
    [
        (_after({"Ref": "Pool"}), {"Fn::Join": [",", [{"Ref": "Web"}, {"Fn::ImportValue": "x"}]]}, ""),
        (_after({"Ref": "Pool"}, "=http://127.0.0.1:4566/", {"Ref": "Pool"}, "/jwks.json"), {"Ref": "Web"}, ""),
        ({"Ref": "Issuers"}, {"Ref": "Ids"}, ""),
        ({"Fn::Sub": "https://cognito-idp.${Region}.amazonaws.com/${Pool}/"}, "a", ""),  # known when it is deployed
        ("https://cognito-idp.cn-north-1.amazonaws.com.cn/cn-north-1_EXAMPLE", "a", ""),
        ({"Fn::Sub": "https://cognito-idp.${AWS::Region}.amazonaws.com.cn/${Pool}"}, "a", ""),
        (_after({"Ref": "Pool"}, "/"), "a", "CLAIMSMITH_ISSUERS: No user pool has this issuer"),
        ({"Fn::Sub": "https://cognito-idp.${AWS::Region}.amazonaws.com/${Pool}/"}, "a", "No user pool has this issuer"),
        ({"Fn::If": ["C", _after({"Ref": "P"}), _after({"Ref": "P"}, "/")]}, "a", "No user pool has this issuer"),
        ("https://own.auth.eu-central-1.amazoncognito.com", "a", "The managed login's domain"),
        (_after({"Ref": "Pool"}), {"Fn::Join": ["@", [{"Ref": "Web"}, {"Ref": "Pool"}]]}, ""),
        (_after({"Ref": "Pool"}), {"Fn::Join": ["", [{"Ref": "Web"}, "@web"]]}, "CLAIMSMITH_CLIENT_IDS: "),
        (_after({"Ref": "Pool"}), "*", "CLAIMSMITH_CLIENT_IDS: "),
        (_after({"Ref": "Pool"}), {"Fn::Join": [",", [{"Ref": "Web"}, "ANY"]]}, "CLAIMSMITH_CLIENT_IDS: "),
        (_after({"Ref": "Pool"}), {"Fn::Join": ["; ", [{"Ref": "Web"}, {"Ref": "Cli"}]]}, "CLAIMSMITH_CLIENT_IDS: "),
    ],
)
def test_synth_refuses_settings_that_the_functions_would_refuse_at_start(
    issuers: object, client_ids: object, said: str
) -> None:
    variables = {"CLAIMSMITH_ISSUERS": issuers, "CLAIMSMITH_CLIENT_IDS": client_ids}
    function = {"Type": "AWS::Lambda::Function", "Properties": {"Environment": {"Variables": variables}}}
    own = Finished("Own", {"Resources": {"Function": function, "Other": {"Type": "AWS::Lambda::Function"}}})
    found = [sentence for _, sentence in problems(Templates([own]))]
    assert len(found) == bool(said), found
    assert said in " ".join(found)


# The HTTP API.


DOCUMENTS = ("oauth-authorization-server", "openid-configuration", "oauth-protected-resource")
DISCOVERY = [f"GET /.well-known/{name}{more}" for name in DOCUMENTS for more in ("", "/{path+}")]
INTROSPECTION = ["POST /introspect", *DISCOVERY]


def test_every_route_but_introspection_and_discovery_asks_the_authorizer(verifier: Template) -> None:
    authorizer, _ = verifier.named("ApiGatewayV2::Authorizer", "")
    routes = {
        route["Properties"]["RouteKey"]: (
            route["Properties"]["AuthorizationType"],
            route["Properties"].get("AuthorizerId"),
        )
        for route in verifier.of_type("ApiGatewayV2::Route").values()
    }
    custom = ("CUSTOM", {"Ref": authorizer})
    assert routes == {**{f"GET {path}": custom for path in PROTECTED}, **dict.fromkeys(INTROSPECTION, ("NONE", None))}


def test_the_http_authorizer_is_called_every_time_with_simple_responses(verifier: Template) -> None:
    authorizer = verifier.properties("ApiGatewayV2::Authorizer")
    function, _ = verifier.named("Lambda::Function", "AuthorizerFunctionE")
    assert authorizer["AuthorizerResultTtlInSeconds"] == 0
    assert (authorizer["AuthorizerPayloadFormatVersion"], authorizer["EnableSimpleResponses"]) == ("2.0", True)
    assert authorizer["IdentitySource"] == ["$request.header.Authorization"]
    assert {"Fn::GetAtt": [function, "Arn"]} in authorizer["AuthorizerUri"]["Fn::Join"][1]


def test_the_cache_key_has_everything_that_decides_a_response() -> None:
    authorizer = synthesise(CACHING).verifier.properties("ApiGatewayV2::Authorizer")
    assert authorizer["AuthorizerResultTtlInSeconds"] == 60
    assert authorizer["IdentitySource"] == ["$request.header.Authorization", "$context.routeKey", "$context.path"]


def test_the_http_api_is_throttled_and_introspection_more(verifier: Template) -> None:
    stage = verifier.named("ApiGatewayV2::Stage", "")[1]
    properties = stage["Properties"]
    assert properties["DefaultRouteSettings"] == {"ThrottlingRateLimit": RATE, "ThrottlingBurstLimit": BURST}
    assert properties["RouteSettings"] == {
        route: {"ThrottlingRateLimit": INTROSPECT_RATE, "ThrottlingBurstLimit": INTROSPECT_BURST}
        for route in INTROSPECTION
    }
    assert INTROSPECT_RATE < RATE
    assert INTROSPECT_BURST < BURST
    routes = verifier.of_type("ApiGatewayV2::Route").items()
    limited = {name for name, route in routes if route["Properties"]["RouteKey"] in INTROSPECTION}
    assert limited <= {*stage["DependsOn"]}, "a stage cannot have settings for a route that is not there"


def test_documents_name_the_domain_of_the_pool_and_do_not_bind_it(production: Template, verifier: Template) -> None:
    """A reference to the domain would be an export that CloudFormation never lets a stage change."""
    [[pool, address]] = [
        "".join(part if isinstance(part, str) else f"<{next(iter(part))}>" for part in _logins(verifier)).split("=")
    ]
    assert (pool, address) == ("<Fn::ImportValue>", "https://<Fn::ImportValue>.auth.<Ref>.amazoncognito.com")
    [export] = [name for name in production.document["Outputs"] if "OwnDomainPrefix" in name]
    assert "UserPoolDomain" not in json.dumps(production.document["Outputs"][export])
    own = synthesise({"domain": {"prefix": "sign-in"}})
    assert export in own.stateful.document["Outputs"], "an import of it may still be there"
    assert "https://sign-in.auth." in json.dumps(_logins(own.verifier))
    assert "CLAIMSMITH_LOGINS" not in _environment(synthesise({"domain": "none"}).verifier, "Introspection")


def _logins(template: Template) -> list[Any]:
    parts: list[Any] = _environment(template, "Introspection")["CLAIMSMITH_LOGINS"]["Fn::Join"][1]
    return parts


def test_a_stage_says_where_clients_reach_what_documents_name() -> None:
    chosen = {
        "introspection_endpoint": "https://api.example.com/introspect",
        "authorization_servers": ["https://api.example.com"],
        "scopes_supported": False,
        "resource_metadata": "https://api.example.com/.well-known/oauth-protected-resource/v1",
    }
    options = {"rest_api": True, "discovery": chosen, "authorizer_identity_sources": [], "token_from": ["cookie:t"]}
    template = synthesise({**options, "cookie_origins": ["https://app.example.com"]}).verifier
    variables = _environment(template, "Introspection")
    assert variables["CLAIMSMITH_INTROSPECTION_ENDPOINT"] == chosen["introspection_endpoint"]
    assert variables["CLAIMSMITH_AUTHORIZATION_SERVERS"] == "https://api.example.com"
    assert (variables["CLAIMSMITH_SCOPES_SUPPORTED"], variables["CLAIMSMITH_TOKEN_FROM"]) == ("off", "cookie:t")
    assert _challenge(template) == f"""'Bearer realm="api", resource_metadata="{chosen["resource_metadata"]}"'"""


def test_a_cached_authorizer_gets_the_cache_key(verifier: Template) -> None:
    """So that it returns no response that would allow another request; without a cache, it has no cache key."""
    cached = synthesise({**CACHING, "rest_api": True}).verifier
    cache_key = _environment(cached, "AuthorizerFunctionE")["CLAIMSMITH_AUTHORIZER_CACHED_BY"]
    assert cache_key.split(",") == cached.properties("ApiGatewayV2::Authorizer")["IdentitySource"]
    for template, function in (
        (verifier, "AuthorizerFunctionE"),
        (cached, "RestAuthorizer"),
        (cached, "Introspection"),
    ):
        assert "CLAIMSMITH_AUTHORIZER_CACHED_BY" not in _environment(template, function)


def test_the_stack_itself_is_looked_at_that_way() -> None:
    """Options that were not read from a file, and so were not checked there."""
    app = cdk_app({})
    unchecked = config().model_copy(update={"authorizer_cache_seconds": 60})
    verifier = VerifierStack(app, "V", stateful=StatefulStack(app, "S", config=unchecked), config=unchecked)
    function = verifier.node.find_child("Introspection").node.find_child("Function").node.default_child
    assert isinstance(function, CfnResource)
    function.add_property_override("Environment.Variables.CLAIMSMITH_CLIENT_IDS", "*")
    with pytest.raises(RuntimeError, match=r"an answer for one route would open another") as caught:
        app.synth()
    assert "CLAIMSMITH_CLIENT_IDS: * and ANY are no ids" in str(caught.value)
    assert "GET--tenants--{tenant}--orders/Resource is for many" in str(caught.value)


def test_introspection_signs_with_a_key_of_the_stack_where_that_is_chosen(verifier: Template) -> None:
    assert verifier.of_type("KMS::Key") == {}
    signing = synthesise({"sign_introspection": True}).verifier
    name, key = signing.named("KMS::Key", "SigningKey")
    assert (key["Properties"]["KeySpec"], key["Properties"]["KeyUsage"]) == ("RSA_2048", "SIGN_VERIFY")
    assert key["DeletionPolicy"] == "Retain"
    arn, (api,) = {"Fn::GetAtt": [name, "Arn"]}, signing.of_type("ApiGatewayV2::Api")
    environment: Any = _environment(signing, "Introspection")
    assert environment["CLAIMSMITH_SIGNING_KEYS"] == arn
    assert environment["CLAIMSMITH_SIGNING_ISSUER"] == {"Fn::GetAtt": [api, "ApiEndpoint"]}
    statements = signing.properties("IAM::Policy", "IntrospectionPolicy")["PolicyDocument"]["Statement"]
    allowed = {statement["Action"]: statement for statement in statements if "kms:" in str(statement["Action"])}
    assert {action: statement["Resource"] for action, statement in allowed.items()} == {
        "kms:Sign": arn,
        "kms:GetPublicKey": arn,
    }
    assert allowed["kms:Sign"]["Condition"]["StringEquals"]["kms:SigningAlgorithm"]
    routes = {route["Properties"]["RouteKey"] for route in signing.of_type("ApiGatewayV2::Route").values()}
    assert "GET /introspect/jwks.json" in routes
    assert "IntrospectionKeysUrl" in signing.document["Outputs"]


def test_authorizers_ask_the_table_about_every_token_unless_it_is_chosen_otherwise() -> None:
    def environments(**options: object) -> dict[str, dict[str, str]]:
        template = synthesise({"rest_api": True, **options}).verifier
        return {
            function: {name: value for name, value in _environment(template, function).items() if "_REVOCATION" in name}
            for function in ("AuthorizerFunctionE", "RestAuthorizer", "Introspection")
        }

    cached = {"CLAIMSMITH_REVOCATION": "cached", "CLAIMSMITH_REVOCATION_CACHE_SECONDS": "10"}
    allowing = {"CLAIMSMITH_REVOCATION_ON_FAILURE": "allow"}
    at_once = {"CLAIMSMITH_REVOCATION_SHARED_SECONDS": "0"}
    for options, expected in (
        ({}, {}),
        ({"revocation_shared_seconds": 0}, at_once),
        ({"revocation": "cached", "revocation_cache_seconds": 10}, cached),
        ({"revocation": "off", "revocation_on_failure": "allow"}, {"CLAIMSMITH_REVOCATION": "off"}),
        ({"revocation_on_failure": "allow"}, allowing),
    ):
        variables = environments(**options)
        of_introspection = expected if expected is at_once else {}
        assert variables == {
            "AuthorizerFunctionE": expected,
            "RestAuthorizer": expected,
            "Introspection": of_introspection,
        }


def test_every_verifier_gets_the_resources_that_tokens_may_be_bound_to() -> None:
    template = synthesise({"rest_api": True, "audience": ["https://a.example/mcp", "https://b.example"]}).verifier
    for function in ("AuthorizerFunctionE", "RestAuthorizer", "Introspection"):
        assert _environment(template, function)["CLAIMSMITH_AUDIENCE"] == "https://a.example/mcp,https://b.example"


def test_every_verifier_gets_the_rules_of_issuers_that_are_no_pools() -> None:
    given = {"issuer": "https://sso.example.com/realms/acme", "audience": ["orders"], "client_ids": "ANY"}
    template = synthesise({"rest_api": True, "oidc_issuers": [given]}).verifier
    for function in ("AuthorizerFunctionE", "RestAuthorizer"):
        (rules,) = parse_oidc_issuers(_environment(template, function)["CLAIMSMITH_OIDC_ISSUERS"])
        assert rules == OidcIssuer.from_json(given)


# The REST API.


def test_there_is_no_rest_api_by_default(without_rest: Template) -> None:
    assert not [
        entry["Type"] for entry in without_rest.document["Resources"].values() if "ApiGateway::" in entry["Type"]
    ]


def test_every_method_of_the_rest_api_calls_its_own_authorizer_every_time(verifier: Template) -> None:
    name, authorizer = verifier.named("ApiGateway::Authorizer", "")
    function, _ = verifier.named("Lambda::Function", "RestAuthorizer")
    properties = authorizer["Properties"]
    assert (properties["Type"], properties["AuthorizerResultTtlInSeconds"]) == ("TOKEN", 0)
    assert properties["IdentitySource"] == "method.request.header.Authorization"
    assert {"Fn::GetAtt": [function, "Arn"]} in properties["AuthorizerUri"]["Fn::Join"][1]
    methods = verifier.of_type("ApiGateway::Method")
    assert len(methods) == len(PROTECTED)
    for method in methods.values():
        assert method["Properties"]["HttpMethod"] == "GET"
        assert (method["Properties"]["AuthorizationType"], method["Properties"]["AuthorizerId"]) == (
            "CUSTOM",
            {"Ref": name},
        )


def _challenge(template: Template) -> str:
    """The header of a REST API's 401."""
    properties = template.properties("ApiGateway::GatewayResponse")
    assert (properties["ResponseType"], properties["StatusCode"]) == ("UNAUTHORIZED", "401")
    header: str = properties["ResponseParameters"]["gatewayresponse.header.WWW-Authenticate"]
    return header


def test_the_401_of_the_rest_api_has_a_challenge(verifier: Template) -> None:
    assert _challenge(verifier) == """'Bearer realm="api"'"""


def test_the_rest_authorizer_stays_uncached_where_the_http_one_is_cached() -> None:
    template = synthesise({**CACHING, "rest_api": True}).verifier
    assert template.properties("ApiGateway::Authorizer")["AuthorizerResultTtlInSeconds"] == 0


def test_the_rest_api_is_throttled_and_logs_no_execution(verifier: Template) -> None:
    assert verifier.properties("ApiGateway::Stage")["MethodSettings"] == [
        {
            "HttpMethod": "*",
            "ResourcePath": "/*",
            "ThrottlingRateLimit": RATE,
            "ThrottlingBurstLimit": BURST,
            "LoggingLevel": "OFF",
            "DataTraceEnabled": False,
        }
    ]


def test_no_setting_of_the_whole_account_is_changed(verifier: Template) -> None:
    assert not verifier.of_type("ApiGateway::Account")


# Both.


def test_functions_are_invoked_by_these_apis_only(verifier: Template) -> None:
    apis = {*verifier.of_type("ApiGatewayV2::Api"), *verifier.of_type("ApiGateway::RestApi")}
    permissions = verifier.of_type("Lambda::Permission")
    assert permissions
    for name, permission in permissions.items():
        properties = permission["Properties"]
        assert (properties["Action"], properties["Principal"]) == ("lambda:InvokeFunction", "apigateway.amazonaws.com")
        source = properties["SourceArn"]["Fn::Join"][1]
        assert {"Ref": "AWS::AccountId"} in source, name
        assert [part for part in source if isinstance(part, dict) and part.get("Ref") in apis], name


def _format(template: Template, kind: str) -> dict[str, str]:
    settings = template.properties(f"{kind}::Stage")
    log = settings["AccessLogSettings" if kind == "ApiGatewayV2" else "AccessLogSetting"]
    assert json.dumps(log["DestinationArn"]).count("AccessLogs") == 1
    said: dict[str, str] = json.loads(log["Format"])
    return said


@pytest.mark.parametrize("kind", ["ApiGatewayV2", "ApiGateway"])
def test_access_logs_have_the_failure_and_not_the_caller(verifier: Template, kind: str) -> None:
    logged = _format(verifier, kind)
    assert {"requestId", "integrationRequestId", "route", "status", "authorizerError"} <= set(logged)
    variables = set(re.findall(r"\$[A-Za-z.]+", json.dumps(logged)))
    assert variables <= {
        "$context.requestId",
        "$context.requestTimeEpoch",
        "$context.status",
        "$context.responseLatency",
        "$context.authorizer.error",
        "$context.authorizer.requestId",
        "$context.authorizer.status",
        "$context.extendedRequestId",
        "$context.integration.requestId",
        "$context.xrayTraceId",
        "$context.routeKey",
        "$context.httpMethod",
        "$context.resourcePath",
    }


def test_each_function_and_api_has_its_own_log_group(verifier: Template, development_verifier: Template) -> None:
    for template, days, policy in ((verifier, 365, "RetainExceptOnCreate"), (development_verifier, 7, "Delete")):
        groups = template.of_type("Logs::LogGroup")
        assert len(groups) == len(template.of_type("Lambda::Function")) + 2
        for group in groups.values():
            assert (group["Properties"]["RetentionInDays"], group["DeletionPolicy"]) == (days, policy)
