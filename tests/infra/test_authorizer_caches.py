"""Which caches of authorizers synth refuses, in whatever form they are written."""

from __future__ import annotations

import re
from typing import Any

import pytest
from aws_cdk import CfnParameter, CfnResource, NestedStack, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_apigatewayv2 as apigatewayv2
from aws_cdk import aws_lambda as lambda_

from claimsmith_cdk.authorizer_caches import check_authorizer_caches, problems
from claimsmith_cdk.templates import Template, Templates
from tests.infra.template import cdk_app

TOKEN, ROUTE, METHOD, PATH = (
    "$request.header.Authorization",
    "$context.routeKey",
    "$context.httpMethod",
    "$context.path",
)
TENANT = "$request.header.X-Tenant"
ALL = [TOKEN, ROUTE, METHOD, PATH]
NEVER: dict[str, Any] = {"Ref": "AWS::NoValue"}
VARIABLE = "CLAIMSMITH_AUTHORIZER_CACHED_BY"

# The rules, on templates.


def _function(*configured: str) -> dict[str, Any]:
    variables = {VARIABLE: ",".join(configured)} if configured else {}
    return {"Type": "AWS::Lambda::Function", "Properties": {"Environment": {"Variables": variables}}}


def _uri(name: str = "Function") -> dict[str, Any]:
    return {"Fn::Join": ["", ["arn:aws:apigateway:x:lambda:path/f/", {"Fn::GetAtt": [name, "Arn"]}, "/invocations"]]}


def _http(sources: object, seconds: object = 60, **more: object) -> dict[str, Any]:
    return {
        "Type": "AWS::ApiGatewayV2::Authorizer",
        "Properties": {
            "ApiId": {"Ref": "Api"},
            "AuthorizerType": "REQUEST",
            "AuthorizerPayloadFormatVersion": "2.0",
            "AuthorizerUri": _uri(),
            "AuthorizerResultTtlInSeconds": seconds,
            "IdentitySource": sources,
            **more,
        },
    }


def _rest(seconds: object, **more: object) -> dict[str, Any]:
    properties = {"Type": "TOKEN", "AuthorizerUri": _uri(), "AuthorizerResultTtlInSeconds": seconds, **more}
    return {"Type": "AWS::ApiGateway::Authorizer", "Properties": properties}


def _route(key: object, authorizer: object) -> dict[str, Any]:
    properties = {"ApiId": {"Ref": "Api"}, "RouteKey": key, "AuthorizerId": authorizer}
    return {"Type": "AWS::ApiGatewayV2::Route", "Properties": properties}


def _document(**authorizer: object) -> dict[str, Any]:
    scheme = {"type": "request", "authorizerUri": _uri(), **authorizer}
    return {
        "openapi": "3.0.1",
        "components": {"securitySchemes": {"Own": {"type": "apiKey", "x-amazon-apigateway-authorizer": scheme}}},
    }


def _said(document: dict[str, Any], *others: Template) -> list[str]:
    return [sentence for _, sentence in problems(Templates([Template("Own", document)], others))]


def _found(**resources: object) -> list[str]:
    return _said({"Resources": resources})


#: Route keys, identity sources, seconds; and what is said, or nothing where that is safe.
CACHES = [
    (["ANY /{proxy+}"], [TOKEN], 0, ""),
    (["ANY /{proxy+}"], [TOKEN], "0", ""),
    (["GET /orders"], [TOKEN, ROUTE, PATH], 60, ""),
    (["GET /orders/{id}", "POST /orders"], [TOKEN, ROUTE, PATH, TENANT], 60, ""),
    (["GET /orders"], ["$request.header.authorization", ROUTE, TENANT], 60, ""),
    (["ANY /orders", "$default", {"Ref": "Key"}], ALL, {"Ref": "Seconds"}, ""),
    (["GET /orders"], [ROUTE, PATH], 60, "one caller's answer would be given to others"),
    (["GET /orders"], [TOKEN, PATH], 60, "an answer for one route would open another"),
    (["GET /orders"], [TOKEN, ROUTE], 60, "an answer for one tenant would open another"),
    (["GET /orders"], [TOKEN, ROUTE, "$request.querystring.tenant"], 60, "an answer for one tenant would open another"),
    (["GET /orders"], [TOKEN, ROUTE], None, "an answer for one tenant would open another"),
    (["GET /orders"], [TOKEN, ROUTE], NEVER, "an answer for one tenant would open another"),
    (["GET /orders"], [TOKEN, ROUTE], {"Ref": "Seconds"}, "an answer for one tenant would open another"),
    (["GET /orders", "ANY /users"], [TOKEN, ROUTE, PATH], 60, r"the method .*Route1 is for any"),
    (["$default"], [TOKEN, ROUTE, PATH], 60, r"the method .*Route0 is for any"),
    ([{"Ref": "Key"}], [TOKEN, ROUTE, PATH], 60, r"the method .*Route0 is for any"),
    (["GET /orders/{id}"], [TOKEN, ROUTE, TENANT], 60, r"the path .*Route0 is for many"),
    (["$default"], [TOKEN, ROUTE, METHOD, TENANT], 60, r"the path .*Route0 is for many"),
    # Conditions: each branch counts.
    (["GET /orders"], [TOKEN], {"Fn::If": ["C", 0, "0"]}, ""),
    (["GET /orders"], [TOKEN], {"Fn::If": ["C", 0, NEVER]}, "an answer for one route would open another"),
    (["GET /orders"], {"Fn::If": ["C", ALL, [PATH, ROUTE, TOKEN, METHOD]]}, 60, ""),
    (["GET /orders"], {"Fn::If": ["C", ALL, [TOKEN, ROUTE]]}, 60, "an answer for one tenant would open another"),
    (["GET /orders"], {"Fn::If": ["C", ALL, NEVER]}, 60, "one caller's answer would be given to others"),
    ([{"Fn::If": ["C", "GET /a", "ANY /b"]}], [TOKEN, ROUTE, PATH], 60, r"the method .*Route0 is for any"),
    (["GET /orders"], [TOKEN, {"Ref": "Source"}], 60, "the cache key cannot be read"),
    (["GET /orders"], {"Ref": "Sources"}, 60, "the cache key cannot be read"),
]


@pytest.mark.parametrize(("keys", "sources", "seconds", "said"), CACHES)
@pytest.mark.parametrize("named_by", [{"Ref": "Authorizer"}, {"Fn::GetAtt": ["Authorizer", "AuthorizerId"]}])
def test_an_answer_that_would_open_another_request_is_not_cached(
    keys: list[object], sources: object, seconds: object, said: str, named_by: object
) -> None:
    listed = sources if isinstance(sources, list) else ALL
    resources = {f"Route{number}": _route(key, named_by) for number, key in enumerate(keys)}
    configured = [source for source in listed if isinstance(source, str)]
    found = _found(Function=_function(*configured), Authorizer=_http(sources, seconds), **resources)
    assert bool(found) == bool(said), found
    assert re.search(said, " ".join(found))


def test_a_route_whose_authorizer_cannot_be_read_may_use_any_of_its_template() -> None:
    found = _found(
        Function=_function(TOKEN, ROUTE, TENANT),
        Authorizer=_http([TOKEN, ROUTE, TENANT]),
        Other=_route("GET /a/{b}", {"Ref": "Another"}),
        Another=_http(ALL, 0),
        Open=_route("GET /b/{b}", None),
        Unknown=_route("GET /c/{b}", "a1b2c3"),
        Default={
            "Type": "AWS::ApiGatewayV2::ApiGatewayManagedOverrides",
            "Properties": {"Route": {"AuthorizerId": "a"}},
        },
    )
    assert sorted(re.findall(r"Own/(\w+) is for (\w+)", " ".join(found))) == [
        ("Default", "any"),
        ("Default", "many"),
        ("Unknown", "many"),
    ]


@pytest.mark.parametrize(
    ("authorizer", "kept"),
    [
        (_http([], None, AuthorizerPayloadFormatVersion=None), False),  # a WebSocket API's
        (_http([], None, AuthorizerType="JWT"), False),
        (_http([], 60, AuthorizerPayloadFormatVersion={"Fn::If": ["C", "2.0", NEVER]}), True),
        (_http([], 60, AuthorizerType={"Ref": "Type"}), True),
        (_rest(0), False),
        (_rest(60), True),
        (_rest(None), True),
        (_rest({"Ref": "Seconds"}), True),
        (_rest({"Fn::If": ["C", 0, 60]}), True),
        (_rest(60, Type="COGNITO_USER_POOLS"), False),
        (_rest(60, Type={"Ref": "Type"}), True),
    ],
)
def test_an_authorizer_of_a_function_keeps_answers_unless_it_certainly_does_not(
    authorizer: dict[str, Any], *, kept: bool
) -> None:
    assert bool(_found(Function=_function(), Authorizer=authorizer)) == kept


@pytest.mark.parametrize(
    ("kind", "authorizer", "said"),
    [
        ("ApiGatewayV2::Api", {"authorizerResultTtlInSeconds": 0}, ""),
        ("ApiGatewayV2::Api", {"type": "jwt"}, ""),
        ("ApiGatewayV2::Api", {"authorizerResultTtlInSeconds": 60, "identitySource": ", ".join(ALL)}, ""),
        ("ApiGatewayV2::Api", {"identitySource": f"{TOKEN},{ROUTE},{PATH}"}, "the method .*Own/Api is for any"),
        ("ApiGatewayV2::Api", {"identitySource": TOKEN}, "an answer for one route would open another"),
        ("ApiGatewayV2::Api", {"identitySource": {"Ref": "X"}}, "the cache key cannot be read"),
        ("Serverless::HttpApi", {"identitySource": TOKEN}, "an answer for one route would open another"),
        ("ApiGateway::RestApi", {"authorizerResultTtlInSeconds": 0}, ""),
        ("ApiGateway::RestApi", {"type": "cognito_user_pools"}, ""),
        ("ApiGateway::RestApi", {"type": "token"}, "they would refuse every other one"),
        ("Serverless::Api", {"authorizerResultTtlInSeconds": 60}, "they would refuse every other one"),
    ],
)
@pytest.mark.parametrize("conditional", [False, True])
def test_openapi_documents_are_read(kind: str, authorizer: dict[str, Any], said: str, *, conditional: bool) -> None:
    document: object = _document(**authorizer)
    if conditional:
        document = {"Fn::If": ["C", {"openapi": "3.0.1"}, document]}
    body = "DefinitionBody" if kind.startswith("Serverless") else "Body"
    api = {"Type": f"AWS::{kind}", "Properties": {body: document}}
    found = _found(Function=_function(*ALL), Api=api)
    assert bool(found) == bool(said), found
    assert re.search(said, " ".join(found))


SAM_AUTHORIZERS = [
    ({"FunctionArn": {"Fn::GetAtt": "Function.Arn"}, "Identity": {"ReauthorizeEvery": 0}}, False),
    ({"JwtConfiguration": {"issuer": "x"}}, False),
    ({"UserPoolArn": "x"}, False),
    ({"FunctionArn": {"Fn::GetAtt": "Function.Arn"}}, True),
    ({"FunctionArn": {"Fn::GetAtt": "Function.Arn"}, "Identity": {"ReauthorizeEvery": 300}}, True),
    ({"Fn::If": ["C", {"UserPoolArn": "x"}, {"FunctionArn": "x"}]}, True),
    ({"Ref": "AWS::NoValue"}, False),
]


@pytest.mark.parametrize(("authorizer", "kept"), SAM_AUTHORIZERS)
@pytest.mark.parametrize("kind", ["Api", "HttpApi"])
def test_authorizers_of_sam_are_read(authorizer: dict[str, Any], kind: str, *, kept: bool) -> None:
    auth = {"Auth": {"Authorizers": {"Own": authorizer}}}
    function = {"Type": "AWS::Serverless::Function"}
    written = {
        "Transform": "AWS::Serverless-2016-10-31",
        "Resources": {"Function": function, "Api": {"Type": f"AWS::Serverless::{kind}", "Properties": auth}},
    }
    shared = {**written, "Resources": {"Function": function}, "Globals": {kind: auth}}
    for document in (written, shared):
        assert [bool(re.search("Set ReauthorizeEvery .* to 0", said)) for said in _said(document)] == [True] * kept


@pytest.mark.parametrize(
    "resource",
    [
        {"Type": "AWS::ApiGateway::RestApi", "Properties": {"BodyS3Location": {"Bucket": "b", "Key": "k"}}},
        {"Type": "AWS::ApiGateway::RestApi", "Properties": {"CloneFrom": "a1b2c3"}},
        {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Body": {"Fn::Transform": {"Name": "AWS::Include"}}}},
        {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Body": {"Ref": "Document"}}},
        {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Body": {"a": {"Fn::Transform": {"Name": "Own"}}}}},
        {"Type": "AWS::ApiGatewayV2::Api", "Properties": {"Body": {"Fn::If": ["C", NEVER, "{}"]}}},
        {"Type": "AWS::ApiGatewayV2::Api", "Properties": {"BodyS3Location": {"Fn::If": ["C", NEVER, {}]}}},
        {"Type": "AWS::ApiGatewayV2::Authorizer", "Properties": {"Fn::Transform": {"Name": "Own"}}},
        {"Type": "AWS::Serverless::Api", "Properties": {"DefinitionUri": "s3://b/k"}},
        {"Type": "AWS::Serverless::Application", "Properties": {"Location": "x"}},
        {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": "x"}},
        {"Type": "AWS::CloudFormation::StackSet", "Properties": {}},
        {"Type": "Own::Api::Protected::MODULE"},
        {"Name": "AWS::Include", "Parameters": {}},
        ["Api", ["A", "B"], {}],
    ],
)
def test_unreadable_resources_are_refused(resource: object) -> None:
    (said,) = _found(Function=_function(), Unread=resource)
    assert re.search("Own/Unread .* cannot be read: ", said)


@pytest.mark.parametrize(
    ("transform", "refused"),
    [
        ("Own", True),
        (["AWS::LanguageExtensions", {"Name": "AWS::Include"}], True),
        ("AWS::LanguageExtensions", False),
        ("AWS::SecretsManager-2024-09-16", False),
    ],
)
def test_a_macro_may_change_the_template(transform: object, *, refused: bool) -> None:
    said = _said({"Transform": transform, "Globals": None, "Resources": {"Function": _function()}})
    assert [bool(re.search("cannot be read: a macro", sentence)) for sentence in said] == [True] * refused


@pytest.mark.parametrize(
    ("configured", "fine"),
    [
        (ALL, True),
        ([*ALL[1:], TOKEN.lower()], True),
        ([], False),
        ([TOKEN, ROUTE, METHOD], False),
        ([*ALL, TENANT], False),
    ],
)
def test_the_function_must_have_the_cache_key(configured: list[str], *, fine: bool) -> None:
    found = _found(Function=_function(*configured), Authorizer=_http(ALL))
    assert [bool(re.search(f"{VARIABLE} must be {re.escape(','.join(ALL))}", said)) for said in found] == [True] * (
        not fine
    )


@pytest.mark.parametrize(
    "uri",
    [
        "arn:aws:lambda:x:123456789012:function:elsewhere",
        {"Ref": "Parameter"},
        {"Fn::ImportValue": "unknown"},
        {"Fn::Sub": "${!Function.Arn}"},
    ],
)
def test_a_function_that_cannot_get_the_cache_key_is_refused(uri: object) -> None:
    (said,) = _found(Function=_function(*ALL), Authorizer=_http(ALL, AuthorizerUri=uri))
    assert "its function is not in this stack" in said


@pytest.mark.parametrize(
    "uri",
    [
        {"Fn::GetAtt": "Function.Arn"},
        {"Fn::Sub": "arn:${AWS::Partition}:x/${Function.Arn}/invocations"},
        {"Fn::Sub": ["x/${Arn}/invocations", {"Arn": {"Fn::GetAtt": ["Function", "Arn"]}}]},
    ],
)
def test_a_function_is_found_by_any_reference(uri: object) -> None:
    assert _found(Function=_function(*ALL), Authorizer=_http(ALL, AuthorizerUri=uri)) == []


def test_an_authorizer_of_another_stack_that_uses_this_stacks_function_is_read_too() -> None:
    own = {
        "Resources": {"Function": _function()},
        "Outputs": {"Arn": {"Value": {"Fn::GetAtt": ["Function", "Arn"]}, "Export": {"Name": "Own:Arn"}}},
    }
    asking = {"Authorizer": _http(ALL, AuthorizerUri={"Fn::ImportValue": "Own:Arn"})}
    other = {"Strange": _http([], AuthorizerUri="x"), "Unread": {"Type": "AWS::CloudFormation::StackSet"}}
    (said,) = _said(own, Template("Other", {"Resources": {**asking, **other}}))
    assert re.search(r"Other/Authorizer, but its function Own/Function does not get the cache key", said)


# The same, of an app.


class Own:
    """A stack with an authorizer that somebody has made by hand."""

    def __init__(self) -> None:
        self.app = cdk_app({})
        self.stack = Stack(self.app, "Own")
        check_authorizer_caches(self.stack)
        self.api = apigatewayv2.CfnApi(self.stack, "Api", name="own", protocol_type="HTTP")
        self.function = self.new_function("Function")

    def new_function(self, name: str) -> lambda_.CfnFunction:
        environment = lambda_.CfnFunction.EnvironmentProperty(variables={"OTHER": "x"})
        return lambda_.CfnFunction(
            self.stack,
            name,
            code={"zipFile": "x"},
            handler="lambdas.verifier.authorizer.handler",
            role="arn:aws:iam::111122223333:role/own",
            runtime="python3.13",
            environment=environment,
        )

    def authorizer(
        self, scope: Stack, name: str, function: lambda_.CfnFunction, sources: list[str], seconds: int | None = 60
    ) -> apigatewayv2.CfnAuthorizer:
        return apigatewayv2.CfnAuthorizer(
            scope,
            name,
            api_id=self.api.ref,
            authorizer_type="REQUEST",
            name=name,
            authorizer_payload_format_version="2.0",
            authorizer_result_ttl_in_seconds=seconds,
            authorizer_uri=f"arn:aws:apigateway:x:lambda:path/2015-03-31/functions/{function.attr_arn}/invocations",
            identity_source=sources,
        )


def test_the_function_of_every_caching_authorizer_gets_the_cache_key() -> None:
    """Synth cannot know in which header a tenant is named: by these sources ``header:X-Tenant`` is not kept."""
    own = Own()
    sources = [TOKEN, ROUTE, "$request.header.User-Agent"]
    route = own.authorizer(own.stack, "Authorizer", own.function, sources).ref
    apigatewayv2.CfnRoute(own.stack, "Route", api_id=own.api.ref, route_key="GET /orders", authorizer_id=route)
    own.authorizer(own.stack, "Asked", own.new_function("Another"), [TOKEN], 0)
    own.authorizer(NestedStack(own.stack, "Nested"), "Within", own.new_function("Third"), ALL)
    resources = own.app.synth().get_stack_by_name("Own").template["Resources"]
    configured = {
        name: resources[name]["Properties"]["Environment"]["Variables"] for name in ("Function", "Another", "Third")
    }
    assert configured == {
        "Function": {"OTHER": "x", VARIABLE: ",".join(sources)},
        "Another": {"OTHER": "x"},
        "Third": {"OTHER": "x", VARIABLE: ",".join(ALL)},
    }


def test_synth_checks_finished_templates_and_not_constructs() -> None:
    """One stack with a fault of each way in which a template comes about."""
    own = Own()
    overridden = own.authorizer(own.stack, "Overridden", own.new_function("Fourth"), ALL, 0)
    overridden.add_property_override("AuthorizerResultTtlInSeconds", 60)
    shortened = own.authorizer(own.stack, "Shortened", own.function, ALL)
    shortened.add_property_override("IdentitySource", [TOKEN, ROUTE, METHOD])
    seconds = CfnParameter(own.stack, "Seconds", type="Number", default=0)
    rest = {
        "Type": "TOKEN",
        "Name": "own",
        "RestApiId": "a1b2c3",
        "AuthorizerResultTtlInSeconds": seconds.value_as_number,
    }
    CfnResource(own.stack, "Generic", type="AWS::ApiGateway::Authorizer", properties=rest)
    apigateway.CfnRestApi(own.stack, "Document", body=_document(type="token"))
    apigateway.CfnRestApi(
        own.stack, "Elsewhere", body_s3_location=apigateway.CfnRestApi.S3LocationProperty(bucket="b", key="k")
    )
    own.authorizer(NestedStack(own.stack, "Nested"), "Within", own.new_function("Another"), [TOKEN, PATH])
    other = Stack(own.app, "Other")
    own.authorizer(other, "Imported", own.new_function("Third"), ALL)
    with pytest.raises(RuntimeError) as failed:
        own.app.synth()
    for said in (
        "Own/Overridden, but its function Own/Fourth does not get the cache key",
        "Own/Shortened, but the cache key lacks the tenant",
        "Own/Generic, but they name one method",
        "Own/Document, but they name one method",
        "Whether Own/Elsewhere has authorizers that cache answers cannot be read",
        "Own/Nested/Within, but the cache key lacks the route",
        "Other/Imported, but its function Own/Third does not get the cache key",
    ):
        assert said in str(failed.value)
