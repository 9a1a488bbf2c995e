from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from aws_cdk import Stack
from aws_cdk import aws_cognito as cognito
from moto import mock_aws

from claimsmith.store.dynamodb import BACKGROUND, BACKGROUND_SECONDS
from claimsmith.table import POLICY, STREAM_PREFIXES, create_table
from claimsmith_cdk.claim_customizer import ClaimCustomizer
from claimsmith_cdk.hosting import Hosting
from claimsmith_cdk.pool_settings import LITE_REFUSAL, problems
from claimsmith_cdk.templates import Resource, Templates
from claimsmith_cdk.templates import Template as Finished
from tests.infra.permissions import arn, listed, of_function
from tests.infra.template import Template, cdk_app

if TYPE_CHECKING:
    from collections.abc import Iterator


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
    assert production.properties("Lambda::Permission", "PreTokenGeneration") == {
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
    assert len(groups) == 3


def _mapping(template: Template, name: str) -> dict[str, Any]:
    return template.properties("Lambda::EventSourceMapping", f"Claims{name}")


#: Each mapping with the function that it calls, the entry point, and the keys whose changes it passes.
READERS = [
    ("AuditStream", "Audit", "audit_handler", [POLICY, *({"prefix": prefix} for prefix in STREAM_PREFIXES)]),
    ("Stream", "Publisher", "publish_handler", [POLICY]),
]


@pytest.mark.parametrize(("name", "function", "entry", "keys"), READERS)
def test_each_reader_of_the_stream_has_its_own_function_and_changes(
    production: Template, name: str, function: str, entry: str, keys: list[Any]
) -> None:
    mapping = _mapping(production, name)
    logical_id, made = production.named("Lambda::Function", f"Claims{function}")
    (only,) = mapping["FilterCriteria"]["Filters"]
    assert json.loads(only["Pattern"]) == {"dynamodb": {"Keys": {"pk": {"S": keys}}}}
    assert mapping["FunctionName"] == {"Ref": logical_id}
    assert made["Properties"]["Handler"] == f"lambdas.publisher.handler.{entry}"


def test_the_readers_are_two_as_dynamodb_allows_and_of_one_asset(production: Template) -> None:
    assert len(production.of_type("Lambda::EventSourceMapping")) == 2
    publisher, audit = (production.properties("Lambda::Function", f"Claims{name}") for name in ("Publisher", "Audit"))
    assert publisher["Code"] == audit["Code"]


@pytest.mark.parametrize("name", ["AuditStream", "Stream"])
def test_a_reader_gives_up_only_when_the_stream_is_about_to_and_then_the_batch_is_kept_whole(
    production: Template, name: str
) -> None:
    mapping = _mapping(production, name)
    bucket, _ = production.named("S3::Bucket", "")
    assert mapping["MaximumRetryAttempts"] == -1
    assert mapping["MaximumRecordAgeInSeconds"] == 23 * 60 * 60
    assert mapping["DestinationConfig"] == {"OnFailure": {"Destination": {"Fn::GetAtt": [bucket, "Arn"]}}}
    assert mapping["MetricsConfig"] == {"Metrics": ["EventCount"]}
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    # Edits have no order among themselves for the publisher, and none of them is to blame.
    assert mapping["BisectBatchOnFunctionError"] is (name == "AuditStream")


@pytest.mark.parametrize("name", ["AuditStream", "Stream"])
def test_no_change_is_missed_or_overtaken(production: Template, name: str) -> None:
    mapping = _mapping(production, name)
    assert mapping["StartingPosition"] == "TRIM_HORIZON"
    assert mapping["ParallelizationFactor"] == 1


@pytest.mark.parametrize(("name", "function"), [("AuditStream", "Audit"), ("Stream", "Publisher")])
def test_the_stream_is_read_only_once_the_function_may(production: Template, name: str, function: str) -> None:
    policy, _ = production.named("IAM::Policy", f"Claims{function}Policy")
    _, mapping = production.named("Lambda::EventSourceMapping", f"Claims{name}")
    assert policy in mapping["DependsOn"]


def test_a_function_has_time_for_the_longest_request_with_a_margin(production: Template) -> None:
    options: Any = BACKGROUND
    longest = options.retries["total_max_attempts"] * (options.connect_timeout + options.read_timeout)
    assert longest < BACKGROUND_SECONDS
    for name in ("Audit", "Publisher"):
        assert production.properties("Lambda::Function", f"Claims{name}")["Timeout"] > 2 * BACKGROUND_SECONDS


def test_what_is_kept_is_private_encrypted_and_outlives_the_stack(production: Template, development: Template) -> None:
    _, bucket = production.named("S3::Bucket", "")
    assert (bucket["DeletionPolicy"], bucket["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")
    properties = bucket["Properties"]
    assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
    assert properties["VersioningConfiguration"] == {"Status": "Enabled"}
    (encryption,) = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert encryption["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    (rule,) = properties["LifecycleConfiguration"]["Rules"]
    assert rule["ExpirationInDays"] == 365
    (denied,) = production.properties("S3::BucketPolicy")["PolicyDocument"]["Statement"]
    assert (denied["Effect"], denied["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
    assert development.named("S3::Bucket", "")[1]["DeletionPolicy"] == "Delete"


@pytest.mark.parametrize("function", ["ClaimsAudit", "ClaimsPublisher"])
def test_a_reader_can_keep_batches_and_neither_read_nor_delete_them(production: Template, function: str) -> None:
    bucket = arn(production, "S3::Bucket", "")
    objects = {"Fn::Join": ["", [bucket, "/aws/lambda/*"]]}
    s3 = {
        (action, json.dumps(statement["Resource"]))
        for statement in of_function(production, function)
        for action in listed(statement["Action"])
        if action.startswith("s3:")
    }
    assert s3 == {("s3:PutObject", json.dumps(objects)), ("s3:ListBucket", json.dumps(bucket))}


def test_the_publisher_looks_after_what_was_left_every_five_minutes(production: Template) -> None:
    rule = production.properties("Events::Rule")
    (target,) = rule["Targets"]
    assert rule["ScheduleExpression"] == "rate(5 minutes)"
    assert (json.loads(target["Input"]), target["RetryPolicy"]["MaximumRetryAttempts"]) == ({}, 0)


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
