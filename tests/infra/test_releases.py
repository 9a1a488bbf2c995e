"""Versions, aliases, shifts of traffic, and what a function gets of Lambda."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_cognito as cognito

from claimsmith_cdk import Capacity, ClaimCustomizer, CustomizerProps, Hosting, ProbeProps, PropsError, Releases
from infra.config import Config, OptionError
from infra.snapshot import guarded, violations
from tests.infra.permissions import listed, of_function
from tests.infra.template import PRODUCTION, Synthesised, Template, cdk_app, synthesise

if TYPE_CHECKING:
    from collections.abc import Callable


OPTIONS = {
    "rest_api": True,
    "authorizer_cache_seconds": 60,
    "authorizer_identity_sources": ["$request.header.Authorization", "$context.routeKey", "$context.path"],
    "releases": {"shift": "Canary10Percent5Minutes"},
    "probe": {"minutes": 10, "expects": {"tenant_id": "claimsmith-probe", "roles": ["viewer"]}},
    "trigger_capacity": {"snap_start": True, "reserved_concurrency": 100},
    "verifier_capacity": {"provisioned_concurrency": 2, "memory_mib": 2048},
}


@pytest.fixture(scope="module")
def app() -> Synthesised:
    """The app with everything that a release can have."""
    return synthesise(OPTIONS)


@pytest.fixture
def stack() -> Stack:
    return Stack(cdk_app({}), "Own")


def synthesised(stack: Stack) -> Template:
    app = stack.node.root
    assert isinstance(app, App)
    return Template(app.synth().get_stack_by_name(stack.stack_name).template)


def _alias(template: Template, part: str) -> dict[str, str]:
    return {"Ref": template.named("Lambda::Alias", part)[0]}


def _called(template: Template) -> Any:  # noqa: ANN401 - an intrinsic
    return template.properties("Cognito::UserPool")["LambdaConfig"]["PreTokenGenerationConfig"]["LambdaArn"]


def _permitted(template: Template, principal: str = "cognito-idp.amazonaws.com") -> list[Any]:
    permissions = [each["Properties"] for each in template.of_type("Lambda::Permission").values()]
    return [each["FunctionName"] for each in permissions if each["Principal"] == principal]


def test_the_pool_calls_the_alias_and_could_go_back_to_the_function(app: Synthesised) -> None:
    alias = _alias(app.stateful, "Trigger")
    function = {"Fn::GetAtt": [app.stateful.named("Lambda::Function", "ClaimsTrigger")[0], "Arn"]}
    assert _called(app.stateful) == alias
    assert all(arn in _permitted(app.stateful) for arn in (alias, function))


def test_apis_call_the_alias_of_what_checks_their_tokens(app: Synthesised) -> None:
    for kind, name in (("ApiGatewayV2::Authorizer", "Authorizer"), ("ApiGateway::Authorizer", "RestAuthorizer")):
        alias = {"Ref": next(each for each in app.verifier.of_type("Lambda::Alias") if each.startswith(f"{name}R"))}
        assert json.dumps(alias) in json.dumps(app.verifier.properties(kind)["AuthorizerUri"])
        assert alias in _permitted(app.verifier, "apigateway.amazonaws.com")
    introspection = _alias(app.verifier, "Introspection")
    assert introspection in [
        each["Properties"]["IntegrationUri"] for each in app.verifier.of_type("ApiGatewayV2::Integration").values()
    ]


def test_the_function_behind_an_alias_gets_the_cache_key_too(app: Synthesised) -> None:
    variables = app.verifier.named("Lambda::Function", "AuthorizerFunctionE")[1]["Properties"]["Environment"]
    assert variables["Variables"]["CLAIMSMITH_AUTHORIZER_CACHED_BY"].endswith("$context.routeKey,$context.path")


@pytest.mark.parametrize("options", [{}, {"on_failure": "unenriched"}], ids=["same", "other settings"])
def test_settings_change_with_the_code_in_one_version(stack: Stack, options: dict[str, Any]) -> None:
    other = Stack(cdk_app({}), "Own")
    versions = []
    for each, chosen in ((stack, {}), (other, options)):
        ClaimCustomizer(each, "Claims", props=CustomizerProps(**chosen), releases=Releases())
        versions.append(synthesised(each).named("Lambda::Version", "")[0])
    assert (versions[0] == versions[1]) is (not options)


def test_earlier_versions_stay_where_data_does(app: Synthesised, stack: Stack) -> None:
    assert {each["DeletionPolicy"] for each in app.stateful.of_type("Lambda::Version").values()} == {"Retain"}
    ClaimCustomizer(stack, "Claims", hosting=Hosting(retain=False), releases=Releases())
    assert synthesised(stack).named("Lambda::Version", "")[1].get("DeletionPolicy") == "Delete"


def test_traffic_moves_in_part_and_goes_back_if_an_alarm_rings(app: Synthesised) -> None:
    for template, count in ((app.stateful, 1), (app.verifier, 3)):
        groups = template.of_type("CodeDeploy::DeploymentGroup")
        assert len(groups) == count
        for name, group in groups.items():
            properties = group["Properties"]
            assert properties["DeploymentConfigName"] == "CodeDeployDefault.LambdaCanary10Percent5Minutes"
            assert "DEPLOYMENT_STOP_ON_ALARM" in properties["AutoRollbackConfiguration"]["Events"]
            (alarm,) = properties["AlarmConfiguration"]["Alarms"]
            watched = template.of_type("CloudWatch::Alarm")[alarm["Name"]["Ref"]]["Properties"]
            # It rings while the shift is under way, and tells somebody.
            assert {each["MetricStat"]["Period"] for each in watched["Metrics"] if "MetricStat" in each} == {60}
            assert watched["AlarmActions"]
            aliases = [
                each["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]["DeploymentGroupName"]
                for each in template.of_type("Lambda::Alias").values()
            ]
            assert {"Ref": name} in aliases


def test_what_users_and_callers_cause_takes_no_release_back(app: Synthesised) -> None:
    expected = {"ClaimsTrigger": "- Refused", "RestAuthorizer": "- Unauthorized", "Introspection": "+ Unknown"}
    for part, told in expected.items():
        template = app.stateful if part == "ClaimsTrigger" else app.verifier
        metrics = template.properties("CloudWatch::Alarm", f"{part}Release")["Metrics"]
        names = {each["Id"]: each["MetricStat"]["Metric"] for each in metrics if "MetricStat" in each}
        (expression,) = [each["Expression"] for each in metrics if "Expression" in each]
        for name, metric in names.items():
            expression = expression.replace(f"FILL({name}, 0)", metric["MetricName"])
        assert expression == f"Errors {told}"
        resource = next(each["Value"] for each in names["errors"]["Dimensions"] if each["Name"] == "Resource")
        assert resource["Fn::Join"][1][-1] == ":live"


def test_codedeploy_may_move_one_alias_and_no_other(app: Synthesised) -> None:
    template = app.stateful
    role = template.properties("IAM::Role", "Release")
    assert "ManagedPolicyArns" not in role
    function = {"Fn::GetAtt": [template.named("Lambda::Function", "ClaimsTrigger")[0], "Arn"]}
    move, see = template.properties("IAM::Policy", "ReleasePolicy")["PolicyDocument"]["Statement"]
    assert move["Resource"] == [function, _alias(template, "Trigger")]
    assert see["Action"] == "cloudwatch:DescribeAlarms"


def test_each_function_gets_what_was_chosen_for_it(app: Synthesised) -> None:
    trigger = app.stateful.properties("Lambda::Function", "ClaimsTrigger")
    assert trigger["SnapStart"] == {"ApplyOn": "PublishedVersions"}
    assert (trigger["ReservedConcurrentExecutions"], trigger["MemorySize"]) == (100, 1024)
    publisher = app.stateful.properties("Lambda::Function", "ClaimsPublisher")
    assert not {"SnapStart", "ReservedConcurrentExecutions"} & publisher.keys()
    for alias in app.verifier.of_type("Lambda::Alias").values():
        provisioned = {"ProvisionedConcurrentExecutions": 2}
        assert alias["Properties"]["ProvisionedConcurrencyConfig"] == provisioned
    introspection = app.verifier.properties("Lambda::Function", "Introspection")
    assert introspection["MemorySize"] == 2048
    assert "SnapStart" not in introspection


# The probe.


def _probe(app: Synthesised, part: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A function of the probe, and what it may."""
    template = app.stateful
    return template.properties("Lambda::Function", f"Probe{part}"), of_function(template, f"Probe{part}")


def test_the_probe_may_sign_in_and_writes_nothing(app: Synthesised) -> None:
    function, allowed = _probe(app, "SignIn")
    actions = {action for each in allowed for action in listed(each["Action"]) if not action.startswith("logs:")}
    assert actions == {"secretsmanager:GetSecretValue", "cognito-idp:AdminInitiateAuth"}
    assert not [each for each in allowed if "*" in listed(each["Resource"])]
    variables = function["Environment"]["Variables"]
    assert json.loads(variables["CLAIMSMITH_PROBE_EXPECTS"])["roles"] == ["viewer"]
    rule = app.stateful.properties("Events::Rule", "Probe")
    assert rule["ScheduleExpression"] == "rate(10 minutes)"
    client = app.stateful.properties("Cognito::UserPoolClient", "Probe")
    assert client["ExplicitAuthFlows"] == ["ALLOW_ADMIN_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
    assert client["AllowedOAuthFlowsUserPoolClient"] is False


def test_a_version_is_asked_before_it_gets_traffic(app: Synthesised) -> None:
    hook, allowed = _probe(app, "BeforeTraffic")
    version, _ = app.stateful.named("Lambda::Version", "")
    assert hook["Environment"]["Variables"]["CLAIMSMITH_PROBE_VERSION"] == {"Ref": version}
    actions = {action for each in allowed for action in listed(each["Action"]) if not action.startswith("logs:")}
    assert actions == {
        "secretsmanager:GetSecretValue",
        "cognito-idp:AdminGetUser",
        "lambda:InvokeFunction",
        "codedeploy:PutLifecycleEventHookExecutionStatus",
    }
    assert not [each for each in allowed if listed(each["Resource"]) == ["*"]]
    name, _ = app.stateful.named("Lambda::Function", "ProbeBeforeTraffic")
    update = app.stateful.named("Lambda::Alias", "")[1]["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]
    assert update["BeforeAllowTrafficHook"] == {"Ref": name}
    call = app.stateful.properties("IAM::Policy", "ReleaseHookPolicy")
    assert [each["Resource"] for each in call["PolicyDocument"]["Statement"]] == [{"Fn::GetAtt": [name, "Arn"]}]
    assert call["Roles"] == [{"Ref": app.stateful.named("IAM::Role", "Release")[0]}]


def test_a_probe_that_fails_rings(app: Synthesised) -> None:
    alarm = app.stateful.properties("CloudWatch::Alarm", "AlarmsProbeFails")
    assert (alarm["MetricName"], alarm["DatapointsToAlarm"], alarm["EvaluationPeriods"]) == ("ProbeFailed", 2, 3)


# On the way there: in two deployments, in each of which whatever is called may be called.


def test_a_prepared_release_changes_nothing_that_is_called(stack: Stack) -> None:
    claims = ClaimCustomizer(
        stack, "Claims", user_pool=cognito.CfnUserPool(stack, "Pool"), releases=Releases(prepare=True)
    )
    template = synthesised(stack)
    assert _called(template) == stack.resolve(claims.trigger.function_arn)
    assert {"Ref": template.named("Lambda::Alias", "")[0]} in _permitted(template)


def test_an_imported_pool_is_told_the_alias(stack: Stack) -> None:
    pool = cognito.UserPool.from_user_pool_id(stack, "Pool", "eu-central-1_EXAMPLE")
    ClaimCustomizer(stack, "Claims", user_pool=pool, attach="resource", releases=Releases())
    template = synthesised(stack)
    alias = _alias(template, "Trigger")
    [attachment] = [
        each for each in template.document["Resources"].values() if each["Type"] == "Custom::ClaimsmithPoolAttachment"
    ]
    permission, _ = next(
        item
        for item in template.of_type("Lambda::Permission").items()
        if item[1]["Properties"]["FunctionName"] == alias
    )
    assert attachment["Properties"]["Function"] == alias
    assert permission in attachment["DependsOn"]


def test_a_pool_in_use_does_not_call_an_alias_that_is_not_there_yet(production: Template, app: Synthesised) -> None:
    before, now = ({"Claimsmith": guarded(template.document)} for template in (production, app.stateful))
    (refused,) = violations(before, now)
    assert "sign-ins would fail meanwhile. Deploy once with prepare = true in [releases] first" in refused
    assert [*violations(now, now)] == []
    assert [*violations({}, now)] == []


# What is not possible.


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda _: Capacity(memory_mib=64), "memory_mib=64 is not possible; use 128 to 10240"),
        (lambda _: Capacity(reserved_concurrency=0), "reserved_concurrency=0 is not possible"),
        (lambda _: Capacity(snap_start=True, provisioned_concurrency=1), "exclude each other"),
        (lambda _: Capacity(reserved_concurrency=1, provisioned_concurrency=2), "Reserve as many"),
        (lambda _: ProbeProps(minutes=0), "minutes=0 is not possible; use 1 to 1440"),
        (lambda _: ProbeProps(expects={}), "nothing would be compared"),
        (lambda _: Releases(shift="Soon"), "shift='Soon' is not possible"),  # type: ignore[arg-type]
        (
            lambda stack: ClaimCustomizer(stack, "A", capacity=Capacity(snap_start=True)),
            "not possible without releases",
        ),
        (
            lambda stack: ClaimCustomizer(
                stack,
                "B",
                capacity=Capacity(snap_start=True),
                releases=Releases(),
                hosting=Hosting(python="3.11"),
            ),
            "snap_start is not possible with Python 3.11",
        ),
    ],
)
def test_what_lambda_would_refuse_is_refused_at_once(stack: Stack, make: Callable[[Stack], object], said: str) -> None:
    with pytest.raises(PropsError, match=said):
        make(stack)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"releases": {"shift": "Soon"}}, "releases.shift: Input should be 'AllAtOnce'"),
        ({"trigger_capacity": {"memory_mib": 1}}, "trigger_capacity: memory_mib=1 is not possible"),
        ({"probe": {"minutes": 0}}, "probe: minutes=0 is not possible"),
        ({"trigger_capacity": {"memory": 1}}, "trigger_capacity.memory: there is no such option"),
        ({"verifier_capacity": {"provisioned_concurrency": 1}}, "not possible without releases"),
    ],
)
def test_a_stage_says_so_too(options: dict[str, Any], said: str) -> None:
    with pytest.raises(OptionError, match=said):
        Config.from_options({**PRODUCTION, **options})
