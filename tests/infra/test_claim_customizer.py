from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from aws_cdk import Stack
from aws_cdk import aws_cognito as cognito
from moto import mock_aws

from claimsmith.table import POLICY, STREAM_PREFIXES, create_table
from claimsmith_cdk.claim_customizer import ClaimCustomizer
from claimsmith_cdk.hosting import Hosting
from claimsmith_cdk.pool_settings import LITE_REFUSAL, problems
from claimsmith_cdk.templates import Resource, Templates
from claimsmith_cdk.templates import Template as Finished
from tests.infra.template import Template, cdk_app

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.xdist_group("cdk")


@pytest.fixture
def dynamodb(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield boto3.client("dynamodb", region_name="eu-west-1")


@pytest.mark.parametrize(("part", "stream"), [("ClaimsTable", True), ("AuditTable", False)])
def test_the_table_is_the_one_that_create_table_makes(
    production: Template,
    dynamodb: Any,  # noqa: ANN401 - botocore clients have no type
    part: str,
    *,
    stream: bool,
) -> None:
    create_table(dynamodb, "rows", stream=stream)
    made = dynamodb.describe_table(TableName="rows")["Table"]
    ttl = dynamodb.describe_time_to_live(TableName="rows")["TimeToLiveDescription"]
    backups = dynamodb.describe_continuous_backups(TableName="rows")["ContinuousBackupsDescription"]
    expected = {
        "AttributeDefinitions": made["AttributeDefinitions"],
        "BillingMode": made["BillingModeSummary"]["BillingMode"],
        "DeletionProtectionEnabled": made["DeletionProtectionEnabled"],
        "KeySchema": made["KeySchema"],
        "PointInTimeRecoverySpecification": {
            "PointInTimeRecoveryEnabled": backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"]
            == "ENABLED"
        },
        "TimeToLiveSpecification": {
            "AttributeName": ttl["AttributeName"],
            "Enabled": ttl["TimeToLiveStatus"] == "ENABLED",
        },
    }
    if stream:
        expected["StreamSpecification"] = {"StreamViewType": made["StreamSpecification"]["StreamViewType"]}
        expected["GlobalSecondaryIndexes"] = [
            {name: index[name] for name in ("IndexName", "KeySchema", "Projection")}
            for index in made["GlobalSecondaryIndexes"]
        ]
    assert production.properties("DynamoDB::Table", part) == expected
    assert expected["DeletionProtectionEnabled"] is True
    assert expected["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}


def test_cognito_sends_events_with_access_tokens_to_the_trigger(production: Template) -> None:
    function, _ = production.named("Lambda::Function", "Trigger")
    assert production.properties("Cognito::UserPool")["LambdaConfig"] == {
        "PreTokenGenerationConfig": {"LambdaArn": {"Fn::GetAtt": [function, "Arn"]}, "LambdaVersion": "V2_0"}
    }


def test_only_this_pool_of_this_account_may_invoke_the_trigger(production: Template) -> None:
    pool, _ = production.named("Cognito::UserPool", "")
    function, _ = production.named("Lambda::Function", "Trigger")
    assert production.properties("Lambda::Permission") == {
        "Action": "lambda:InvokeFunction",
        "FunctionName": {"Fn::GetAtt": [function, "Arn"]},
        "Principal": "cognito-idp.amazonaws.com",
        "SourceAccount": {"Ref": "AWS::AccountId"},
        "SourceArn": {"Fn::GetAtt": [pool, "Arn"]},
    }


def test_the_trigger_times_out_before_cognito(production: Template) -> None:
    trigger = production.properties("Lambda::Function", "Trigger")
    assert (trigger["Timeout"], trigger["MemorySize"]) == (5, 1024)
    assert trigger["Handler"] == "lambdas.pre_token.handler.handler"


def test_functions_run_on_arm_and_a_current_python(production: Template) -> None:
    for function in production.of_type("Lambda::Function").values():
        assert function["Properties"]["Architectures"] == ["arm64"]
        assert function["Properties"]["Runtime"] == "python3.13"


def test_each_function_has_its_own_log_group_with_a_retention(production: Template) -> None:
    groups = {
        function["Properties"]["LoggingConfig"]["LogGroup"]["Ref"]
        for function in production.of_type("Lambda::Function").values()
    }
    assert groups == set(production.of_type("Logs::LogGroup"))
    assert len(groups) == 2


def test_the_stream_passes_edits_of_admins_and_no_writes_of_the_publisher(production: Template) -> None:
    (only,) = production.properties("Lambda::EventSourceMapping")["FilterCriteria"]["Filters"]
    assert json.loads(only["Pattern"]) == {
        "dynamodb": {"Keys": {"pk": {"S": [POLICY, *({"prefix": prefix} for prefix in STREAM_PREFIXES)]}}}
    }


def test_a_failing_change_is_retried_alone_for_a_bounded_time_and_then_kept(production: Template) -> None:
    mapping = production.properties("Lambda::EventSourceMapping")
    queue, dead_letters = production.named("SQS::Queue", "")
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["BisectBatchOnFunctionError"] is True
    assert mapping["MaximumRetryAttempts"] == 10
    assert mapping["MaximumRecordAgeInSeconds"] == 6 * 60 * 60
    assert mapping["DestinationConfig"] == {"OnFailure": {"Destination": {"Fn::GetAtt": [queue, "Arn"]}}}
    assert dead_letters["Properties"]["MessageRetentionPeriod"] == 14 * 24 * 60 * 60


def test_no_change_is_missed_or_overtaken(production: Template) -> None:
    mapping = production.properties("Lambda::EventSourceMapping")
    assert mapping["StartingPosition"] == "TRIM_HORIZON"
    assert mapping["ParallelizationFactor"] == 1


def test_the_stream_is_read_only_once_the_publisher_may(production: Template) -> None:
    policy, _ = production.named("IAM::Policy", "PublisherPolicy")
    _, mapping = production.named("Lambda::EventSourceMapping", "")
    assert policy in mapping["DependsOn"]


def test_dead_letters_are_encrypted_at_rest_and_in_transit(production: Template) -> None:
    queue, dead_letters = production.named("SQS::Queue", "")
    policy = production.properties("SQS::QueuePolicy")
    assert dead_letters["Properties"]["SqsManagedSseEnabled"] is True
    assert policy["Queues"] == [{"Ref": queue}]
    assert policy["PolicyDocument"]["Statement"] == [
        {
            "Effect": "Deny",
            "Principal": {"AWS": "*"},
            "Action": "sqs:*",
            "Resource": {"Fn::GetAtt": [queue, "Arn"]},
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
    ]


def _customize(feature_plan: cognito.FeaturePlan | None = None) -> tuple[Stack, cognito.UserPool]:
    stack = Stack(cdk_app({}), "Own")
    user_pool = cognito.UserPool(stack, "Users", feature_plan=feature_plan)
    ClaimCustomizer(stack, "Claims", user_pool=user_pool, hosting=Hosting())
    return stack, user_pool


def _synthesise(stack: Stack) -> Template:
    app = stack.node.root
    return Template(app.synth().get_stack_by_name(stack.stack_name).template)  # type: ignore[attr-defined]  # an App


def test_a_pool_of_the_same_app_is_customized() -> None:
    stack, _ = _customize(feature_plan=cognito.FeaturePlan.PLUS)
    template = _synthesise(stack)
    function, _ = template.named("Lambda::Function", "Trigger")
    config = template.properties("Cognito::UserPool")["LambdaConfig"]["PreTokenGenerationConfig"]
    assert config["LambdaArn"] == {"Fn::GetAtt": [function, "Arn"]}


def test_a_pool_that_names_no_plan_is_on_essentials_by_default() -> None:
    stack, _ = _customize()
    assert "UserPoolTier" not in _synthesise(stack).properties("Cognito::UserPool")


def test_a_lite_pool_fails_at_synth_with_a_sentence() -> None:
    stack, _ = _customize(feature_plan=cognito.FeaturePlan.LITE)
    with pytest.raises(RuntimeError, match=LITE_REFUSAL):
        _synthesise(stack)


def test_a_pool_that_an_override_excludes_afterwards_fails_too() -> None:
    """By the finished template: no attribute of the construct says so."""
    stack, user_pool = _customize()
    resource = user_pool.node.default_child
    assert isinstance(resource, cognito.CfnUserPool)
    resource.add_property_override("UserPoolTier", "LITE")
    resource.add_property_override("LambdaConfig.PreTokenGeneration", "arn:aws:lambda:x:123456789012:function:another")
    with pytest.raises(RuntimeError) as failed:
        _synthesise(stack)
    for said in (LITE_REFUSAL, "Own/Users/Resource has a second pre token generation"):
        assert said in str(failed.value)


ARN = {"Fn::GetAtt": ["Trigger", "Arn"]}
CURRENT = {"LambdaArn": ARN, "LambdaVersion": "V2_0"}


@pytest.mark.parametrize(
    ("properties", "said"),
    [
        ({"LambdaConfig": {"PreTokenGenerationConfig": CURRENT}}, ""),
        ({"LambdaConfig": {"PreTokenGenerationConfig": CURRENT, "PreTokenGeneration": ARN}}, ""),
        ({"LambdaConfig": {"PreTokenGenerationConfig": {**CURRENT, "LambdaArn": {"Ref": "Alias"}}}}, ""),
        ({"LambdaConfig": {"PreTokenGenerationConfig": CURRENT}, "UserPoolTier": {"Ref": "Tier"}}, ""),
        ({"LambdaConfig": {"PreTokenGenerationConfig": CURRENT}, "UserPoolTier": "LITE"}, "cannot customize access"),
        (
            {"LambdaConfig": {"PreTokenGenerationConfig": CURRENT}, "UserPoolTier": {"Fn::If": ["C", "PLUS", "LITE"]}},
            "cannot customize access",
        ),
        ({}, "does not call this trigger"),
        ({"LambdaConfig": {"PreTokenGeneration": ARN}}, "does not call this trigger"),
        ({"LambdaConfig": {"PreTokenGenerationConfig": {"Ref": "AWS::NoValue"}}}, "does not call this trigger"),
        ({"LambdaConfig": {"Fn::If": ["C", {"PreTokenGenerationConfig": CURRENT}, {}]}}, "does not call this trigger"),
        (
            {"LambdaConfig": {"PreTokenGenerationConfig": {**CURRENT, "LambdaArn": {"Fn::GetAtt": ["Other", "Arn"]}}}},
            "does not call this trigger",
        ),
        (
            {"LambdaConfig": {"PreTokenGenerationConfig": {**CURRENT, "LambdaVersion": "V1_0"}}},
            "LambdaVersion must be V2_0",
        ),
        (
            {"LambdaConfig": {"PreTokenGenerationConfig": CURRENT, "PreTokenGeneration": {"Fn::GetAtt": "Other.Arn"}}},
            "second pre token generation trigger",
        ),
    ],
)
def test_a_pool_whose_settings_exclude_this_trigger_is_refused(properties: dict[str, Any], said: str) -> None:
    function = {"Type": "AWS::Lambda::Function"}
    alias = {"Type": "AWS::Lambda::Alias", "Properties": {"FunctionName": {"Ref": "Trigger"}}}
    pool = {"Type": "AWS::Cognito::UserPool", "Properties": properties}
    template = Finished("Own", {"Resources": {"Pool": pool, "Trigger": function, "Other": function, "Alias": alias}})
    resources = Resource(template, "Pool"), Resource(template, "Trigger")
    found = [sentence for _, sentence in problems(Templates([template]), *resources, "V2_0")]
    assert len(found) == bool(said), found
    assert said in " ".join(found)
