"""The constructs in stacks that are not this app's: whatever pool, table and API there is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from aws_cdk import App, Aws, Duration, Environment, Stack
from aws_cdk import aws_apigateway as rest
from aws_cdk import aws_apigatewayv2 as http
from aws_cdk import aws_apigatewayv2_authorizers as authorizers
from aws_cdk import aws_apigatewayv2_integrations as integrations
from aws_cdk import aws_cognito as cognito
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_ssm as ssm
from aws_cdk.assertions import Annotations, Match

from claimsmith.oidc import OidcIssuer
from claimsmith.store.pool_settings import ACTIONS
from claimsmith_cdk import (
    AcceptedTokens,
    AdminPersonas,
    AlarmTopic,
    AuthorizerProps,
    ClaimAlarms,
    ClaimCustomizer,
    ClaimsAuthorizer,
    CustomizerProps,
    DiscoveryProps,
    Firewall,
    Hosting,
    Introspection,
    PoolAttachment,
    PoolSignOuts,
    PropsError,
)
from claimsmith_cdk.discovery import WELL_KNOWN
from tests.infra.permissions import listed, of_function
from tests.infra.template import ROOT, WITHOUT_ASSETS, Template, cdk_app
from tests.pages import Page

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


POOL_ID = "eu-central-1_EXAMPLE"
OTHER = "arn:aws:lambda:eu-central-1:123456789012:function:other"
Triggers = cognito.CfnUserPool.LambdaConfigProperty
TOKENS = AcceptedTokens(issuers=[f"https://cognito-idp.eu-central-1.amazonaws.com/{POOL_ID}"], client_ids=["1example2"])


@pytest.fixture
def stack() -> Stack:
    return Stack(cdk_app({}), "Own")


def synthesised(stack: Stack) -> Template:
    app = stack.node.root
    assert isinstance(app, App)
    return Template(app.synth().get_stack_by_name(stack.stack_name).template)


# Pools.


def of_cognito(template: Template) -> dict[str, Any]:
    """The permission of a pool; the publisher's schedule has another."""
    permissions = [each["Properties"] for each in template.of_type("Lambda::Permission").values()]
    (found,) = [each for each in permissions if each["Principal"] == "cognito-idp.amazonaws.com"]
    return dict(found)


def test_an_imported_pool_may_invoke_the_trigger_and_an_output_says_how_to_attach_it(stack: Stack) -> None:
    pool = cognito.UserPool.from_user_pool_id(stack, "Pool", POOL_ID)
    ClaimCustomizer(stack, "Claims", user_pool=pool)
    template = synthesised(stack)
    assert not template.of_type("Cognito::UserPool")
    permission = of_cognito(template)
    assert permission["SourceAccount"] == {"Ref": "AWS::AccountId"}
    assert permission["SourceArn"]["Fn::Join"][1][-1] == f":userpool/{POOL_ID}"
    (output,) = template.document["Outputs"].values()
    function = {"Fn::GetAtt": [template.named("Lambda::Function", "Trigger")[0], "Arn"]}
    command = f"claimsmith attach --user-pool-id {POOL_ID} --function "
    assert output["Value"] == {"Fn::Join": ["", [command, function]]}


HERE = Environment(account="111111111111", region="eu-central-1")


def imported(stack: Stack, account: str, region: str, pool_id: str = POOL_ID) -> cognito.IUserPool:
    return cognito.UserPool.from_user_pool_arn(
        stack, f"{account}{region}", f"arn:aws:cognito-idp:{region}:{account}:userpool/{pool_id}"
    )


ON_A_POOL: dict[str, Callable[[Stack, cognito.IUserPool | cognito.CfnUserPool], object]] = {
    "trigger": lambda stack, pool: ClaimCustomizer(stack, "Claims", user_pool=pool),
    "another": lambda stack, pool: ClaimCustomizer(stack, "Claims").add_user_pool(pool),
    "attachment": lambda stack, pool: PoolAttachment(
        stack,
        "Attached",
        user_pool=pool,
        trigger=lambda_.Function.from_function_arn(stack, "F", OTHER),
        table=_table(stack),
    ),
}


@pytest.mark.parametrize("made", ON_A_POOL.values(), ids=ON_A_POOL)
def test_a_pool_of_another_account_or_region_is_refused(
    made: Callable[[Stack, cognito.IUserPool | cognito.CfnUserPool], object],
) -> None:
    app = cdk_app({})
    stacks = iter(Stack(app, f"S{number}", env=HERE) for number in range(5))
    elsewhere = Stack(app, "Elsewhere", env=Environment(account="111111111111", region="us-east-1"))
    there = cognito.CfnUserPool(elsewhere, "Pool")
    for account, region, said in (
        ("222222222222", "eu-central-1", "in the account 222222222222, and S. in 111111111111.*create it in a stack"),
        ("111111111111", "us-east-1", "in the Region us-east-1, and S. in eu-central-1.*create it in a stack"),
    ):
        stack = next(stacks)
        with pytest.raises(PropsError, match=said):
            made(stack, imported(stack, account, region))
    with pytest.raises(PropsError, match="in the Region us-east-1"):
        made(next(stacks), there)
    stack = next(stacks)
    made(stack, imported(stack, "111111111111", "eu-central-1"))
    # Where the stack goes is known when it is deployed.
    agnostic = Stack(app, "Agnostic")
    made(agnostic, imported(agnostic, "222222222222", "us-east-1"))


def test_sign_outs_of_another_account_or_region_may_be_forwarded() -> None:
    stack = Stack(cdk_app({}), "Own", env=HERE)
    pools = [
        imported(stack, account, region)
        for account, region in (
            ("222222222222", "eu-central-1"),
            ("111111111111", "us-east-1"),
            ("111111111111", "eu-central-1"),
        )
    ]
    PoolSignOuts(stack, "Outs", table=_table(stack), user_pools=pools)
    found = [str(warning.entry.data) for warning in Annotations.from_stack(stack).find_warning("*", Match.any_value())]
    assert [said.partition(", and")[0] for said in found if "forward them to the event bus here" in said] == [
        "Own/222222222222eu-central-1 is in the account 222222222222",
        "Own/111111111111us-east-1 is in the Region us-east-1",
    ]


def test_a_pool_whose_id_names_another_region_may_be_a_replica() -> None:
    stack = Stack(cdk_app({}), "Own", env=HERE)
    pool = cognito.UserPool.from_user_pool_id(stack, "Pool", "us-east-1_EXAMPLE")
    ClaimCustomizer(stack, "Claims", user_pool=pool)
    [warning] = Annotations.from_stack(stack).find_warning("*", Match.string_like_regexp("replica"))
    assert "its id names us-east-1" in str(warning.entry.data)


@pytest.mark.parametrize(
    "known_later",
    [
        lambda stack: ssm.StringParameter.value_from_lookup(stack, "/users/pool_id"),
        lambda stack: ssm.StringParameter.value_for_string_parameter(stack, "/users/pool_id"),
        lambda _: f"{Aws.REGION}_EXAMPLE",
    ],
)
def test_an_id_that_is_not_known_yet_names_no_region(known_later: Callable[[Stack], str]) -> None:
    stack = Stack(cdk_app({}), "Own", env=HERE)
    pool = cognito.UserPool.from_user_pool_id(stack, "Pool", known_later(stack))
    ClaimCustomizer(stack, "Claims", user_pool=pool)
    assert Annotations.from_stack(stack).find_warning("*", Match.string_like_regexp("replica")) == []


def test_the_app_of_the_page_leaves_the_pool_as_it_is(tmp_path: Path) -> None:
    [app] = [block.text for block in Page("docs/how-to/adopt.md").blocks if block.language == "python"]
    # That the construct's templates are valid is shown where it is synthesised in this process.
    given = {
        "CDK_CONTEXT_JSON": json.dumps(WITHOUT_ASSETS),
        "CDK_OUTDIR": str(tmp_path),
        "CDK_VALIDATION": "false",
    }
    subprocess.run([sys.executable, "-c", app], cwd=ROOT, env={**os.environ, **given}, check=True, timeout=600)
    template = json.loads((tmp_path / "Claims.template.json").read_text())
    assert not [each["Type"] for each in template["Resources"].values() if each["Type"].startswith("AWS::Cognito")]
    assert "?OutputKey=='Table'" in Page("docs/how-to/adopt.md").text
    assert "Table" in template["Outputs"]
    [attach] = [output for name, output in template["Outputs"].items() if name != "Table"]
    assert "claimsmith attach --user-pool-id eu-central-1_EXAMPLE" in json.dumps(attach)


def test_a_custom_resource_attaches_an_imported_pool_and_may_change_no_other(stack: Stack) -> None:
    pool = cognito.UserPool.from_user_pool_id(stack, "Pool", POOL_ID)
    ClaimCustomizer(stack, "Claims", user_pool=pool, attach="resource")
    template = synthesised(stack)
    trigger = {"Fn::GetAtt": [template.named("Lambda::Function", "Trigger")[0], "Arn"]}
    [attachment] = [
        each for each in template.document["Resources"].values() if each["Type"] == "Custom::ClaimsmithPoolAttachment"
    ]
    permissions = template.of_type("Lambda::Permission").items()
    (permission,) = [name for name, each in permissions if each["Properties"] == of_cognito(template)]
    assert permission in attachment["DependsOn"]
    properties = attachment["Properties"]
    assert (properties["UserPoolId"], properties["Function"], properties["EventVersion"]) == (POOL_ID, trigger, "V2_0")
    allowed = {each["Sid"]: each for each in of_function(template, "Attacher")}
    assert allowed["ChangePool"]["Resource"]["Fn::Join"][1][-1] == f":userpool/{POOL_ID}"
    assert allowed["LookAtTrigger"]["Resource"] == trigger
    assert {action for action in ACTIONS.values() if action != "lambda:AddPermission"} <= {
        action for each in allowed.values() for action in listed(each["Action"])
    }
    # Its function is none of those that read the table, or it could pass for a trigger.
    assert "CLAIMSMITH_TABLE" not in template.properties("Lambda::Function", "Attacher")["Environment"]["Variables"]


def test_a_pool_of_this_app_need_not_be_attached_at_first(stack: Stack) -> None:
    ClaimCustomizer(stack, "Claims", user_pool=cognito.UserPool(stack, "Pool"), attach="none")
    template = synthesised(stack)
    assert "LambdaConfig" not in template.properties("Cognito::UserPool")
    assert template.of_type("Lambda::Permission")


def test_an_l1_pool_keeps_its_other_triggers(stack: Stack) -> None:
    pool = cognito.CfnUserPool(stack, "Pool", lambda_config=Triggers(pre_sign_up=OTHER))
    ClaimCustomizer(stack, "Claims", user_pool=pool)
    template = synthesised(stack)
    arn = {"Fn::GetAtt": [template.named("Lambda::Function", "Trigger")[0], "Arn"]}
    assert template.properties("Cognito::UserPool")["LambdaConfig"] == {
        "PreSignUp": OTHER,
        "PreTokenGenerationConfig": {"LambdaArn": arn, "LambdaVersion": "V2_0"},
    }
    assert of_cognito(template)["SourceArn"] == {"Fn::GetAtt": ["Pool", "Arn"]}


@pytest.mark.parametrize(
    ("triggers", "said"),
    [
        (Triggers(pre_token_generation=OTHER), "of version V1_0 already"),
        (
            Triggers(
                pre_token_generation_config=cognito.CfnUserPool.PreTokenGenerationConfigProperty(
                    lambda_arn=OTHER, lambda_version="V2_0"
                )
            ),
            "has a pre token generation trigger already",
        ),
    ],
)
def test_an_l1_pool_with_another_pre_token_generation_trigger_is_refused(
    stack: Stack, triggers: cognito.CfnUserPool.LambdaConfigProperty, said: str
) -> None:
    pool = cognito.CfnUserPool(stack, "Pool", lambda_config=triggers)
    with pytest.raises(PropsError, match=said):
        ClaimCustomizer(stack, "Claims", user_pool=pool)


def test_pools_of_several_stacks_share_one_table_and_one_trigger() -> None:
    app = cdk_app({})
    pools, claims = Stack(app, "Pools"), Stack(app, "Claims")
    customizer = ClaimCustomizer(claims, "Claims", user_pool=cognito.UserPool(pools, "One"))
    customizer.add_user_pool(cognito.CfnUserPool(pools, "Two"))
    assembly = app.synth()
    assert len(Template(assembly.get_stack_by_name("Claims").template).of_type("Lambda::Function")) == 3
    needed = {one: [other.id for other in assembly.get_stack_by_name(one).dependencies] for one in ("Pools", "Claims")}
    assert "Claims" in needed["Pools"]
    assert "Pools" not in needed["Claims"]


def test_a_customizer_with_the_table_of_another_only_has_a_trigger() -> None:
    app = cdk_app({})
    first = ClaimCustomizer(Stack(app, "First"), "Claims")
    stack = Stack(app, "Second")
    second = ClaimCustomizer(stack, "Claims", user_pool=cognito.UserPool(stack, "Pool"), table=first.table)
    ClaimAlarms(stack, "Alarms", topic=sns.Topic(stack, "Topic")).watch_customizer(second)
    assert (second.publisher, second.audit_table, second.readers) == (None, None, None)
    template = synthesised(stack)
    assert not template.of_type("DynamoDB::Table")
    assert len(template.of_type("Lambda::Function")) == 1
    assert "PublisherErrors" not in json.dumps(template.of_type("CloudWatch::Alarm"))


def test_tables_of_ones_own_are_published_and_audited(stack: Stack) -> None:
    arns = {name: f"arn:aws:dynamodb:eu-central-1:123456789012:table/{name}" for name in ("Rows", "Audit")}
    table = dynamodb.Table.from_table_attributes(
        stack, "Rows", table_arn=arns["Rows"], table_stream_arn=f"{arns['Rows']}/stream/2026"
    )
    audit = dynamodb.Table.from_table_arn(stack, "Audit", arns["Audit"])
    ClaimCustomizer(stack, "Claims", table=table, audit_table=audit)
    template = synthesised(stack)
    assert not template.of_type("DynamoDB::Table")
    mappings = template.of_type("Lambda::EventSourceMapping").values()
    assert [each["Properties"]["EventSourceArn"] for each in mappings] == [f"{arns['Rows']}/stream/2026"] * 2
    with pytest.raises(PropsError, match="table has no stream"):
        ClaimCustomizer(stack, "Two", table=audit, audit_table=audit)


def test_a_global_table_of_ones_own_is_as_good(stack: Stack) -> None:
    """ADR 31: the constructs do not create one."""
    pk, sk = (dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING) for name in ("pk", "sk"))
    images = dynamodb.StreamViewType.NEW_AND_OLD_IMAGES
    table = dynamodb.TableV2(stack, "Rows", partition_key=pk, sort_key=sk, dynamo_stream=images)
    audit_table = dynamodb.TableV2(stack, "Audit", partition_key=pk, sort_key=sk)
    ClaimCustomizer(stack, "Claims", table=table, audit_table=audit_table)
    mappings = synthesised(stack).of_type("Lambda::EventSourceMapping").values()
    source, other = (each["Properties"]["EventSourceArn"] for each in mappings)
    assert source == other
    assert source == {"Fn::GetAtt": [stack.get_logical_id(table.node.default_child), "StreamArn"]}  # type: ignore[arg-type]


# How it is hosted.


def test_a_key_of_ones_own_encrypts_tables_logs_and_bucket_and_may_be_used(stack: Stack) -> None:
    key = kms.Key(stack, "Key")
    hosting = Hosting(encryption_key=key)
    customizer = ClaimCustomizer(stack, "Claims", hosting=hosting)
    people = {"table": customizer.table, "audit_table": customizer.audit_table, "user_pools": ()}
    AdminPersonas(stack, "People", encryption_key=key, **people)  # type: ignore[arg-type]  # as they are named
    AlarmTopic(stack, "Topic", key=key)
    template = synthesised(stack)
    arn = {"Fn::GetAtt": [template.named("KMS::Key", "")[0], "Arn"]}
    for table in template.of_type("DynamoDB::Table").values():
        assert table["Properties"]["SSESpecification"]["KMSMasterKeyId"] == arn
    (kept,) = template.properties("S3::Bucket")["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert kept["ServerSideEncryptionByDefault"] == {"KMSMasterKeyID": arn, "SSEAlgorithm": "aws:kms"}
    assert {json.dumps(group["Properties"]["KmsKeyId"]) for group in template.of_type("Logs::LogGroup").values()} == {
        json.dumps(arn)
    }
    own = template.of_type("IAM::Policy").values()
    assert len(own) == 3
    for policy in (*own, *template.of_type("IAM::ManagedPolicy").values()):
        allowed = policy["Properties"]["PolicyDocument"]["Statement"]
        (use,) = [statement for statement in allowed if statement.get("Sid") == "UseKey"]
        assert use["Resource"] == arn
        services = use["Condition"]["StringEquals"]["kms:ViaService"]
        assert [service["Fn::Join"][1][0] for service in services] == ["dynamodb.", "s3."]
    services = json.dumps(template.properties("KMS::Key")["KeyPolicy"])
    assert "logs." in services
    assert "cloudwatch.amazonaws.com" in services


def test_functions_run_in_a_vpc_and_within_a_boundary(stack: Stack) -> None:
    vpc = ec2.Vpc.from_vpc_attributes(
        stack, "Vpc", vpc_id="vpc-1", availability_zones=["a"], private_subnet_ids=["subnet-1"]
    )
    group = ec2.SecurityGroup.from_security_group_id(stack, "Group", "sg-0123456789abcdef0")
    boundary = iam.ManagedPolicy.from_managed_policy_arn(stack, "Boundary", "arn:aws:iam::aws:policy/Limit")
    hosting = Hosting(vpc=vpc, security_groups=[group], permissions_boundary=boundary)
    Introspection(stack, "Introspection", table=_table(stack), tokens=TOKENS, hosting=hosting)
    template = synthesised(stack)
    assert template.properties("Lambda::Function")["VpcConfig"] == {
        "SecurityGroupIds": ["sg-0123456789abcdef0"],
        "SubnetIds": ["subnet-1"],
    }
    assert template.properties("IAM::Role")["PermissionsBoundary"] == "arn:aws:iam::aws:policy/Limit"
    assert "ec2:CreateNetworkInterface" in json.dumps(template.properties("IAM::Policy"))


def test_introspection_behind_two_apis_needs_an_issuer(stack: Stack) -> None:
    table = _table(stack)
    keys = [
        kms.Key.from_key_arn(stack, name, f"arn:aws:kms:eu-central-1:111122223333:key/{name}")
        for name in ("New", "Old")
    ]
    apis = [http.HttpApi(stack, name) for name in ("A", "B")]
    one = Introspection(stack, "One", table=table, tokens=TOKENS, signing_keys=keys)
    one.add_route(apis[0])
    with pytest.raises(PropsError, match="issuer"):
        one.add_route(apis[1])
    with pytest.raises(PropsError, match="signing_keys"):
        Introspection(stack, "None", table=table, tokens=TOKENS, issuer="https://api.example.com")
    named = Introspection(
        stack, "Named", table=table, tokens=TOKENS, signing_keys=keys, issuer="https://api.example.com"
    )
    for api in apis:
        named.add_route(api, "/check")
    template = synthesised(stack)
    variables = template.properties("Lambda::Function", "Named")["Environment"]["Variables"]
    assert variables["CLAIMSMITH_SIGNING_ISSUER"] == "https://api.example.com"
    assert variables["CLAIMSMITH_SIGNING_KEYS"] == ",".join(key.key_arn for key in keys)
    statements = template.properties("IAM::Policy", "NamedPolicy")["PolicyDocument"]["Statement"]
    allowed = {str(statement["Action"]): statement["Resource"] for statement in statements}
    assert allowed["kms:Sign"] == keys[0].key_arn, "the other one is only published"
    assert allowed["kms:GetPublicKey"] == [key.key_arn for key in keys]


def test_a_key_of_the_app_that_can_sign_is_taken(stack: Stack) -> None:
    key = _signing_key(stack, "Key")
    _signed(stack, key)
    variables = synthesised(stack).properties("Lambda::Function", "Signed")["Environment"]["Variables"]
    assert variables["CLAIMSMITH_SIGNING_KEYS"] == stack.resolve(key.key_arn)


def test_the_share_of_a_caller_is_a_choice_within_bounds(stack: Stack) -> None:
    table = _table(stack)
    for number in (-1, 1_001, True):
        with pytest.raises(PropsError, match="requests_per_second"):
            Introspection(stack, f"No{number}", table=table, tokens=TOKENS, requests_per_second=number)
    one = Introspection(stack, "Own", table=table, tokens=TOKENS, requests_per_second=0)
    api = http.HttpApi(stack, "Api")
    paths = [one.add_route(api, path).route_key for path in ("/introspect", "/introspect/billing")]
    assert paths == ["POST /introspect", "POST /introspect/billing"], (
        "a caller may have a route, and limits, of its own"
    )
    variables = synthesised(stack).properties("Lambda::Function", "Own")["Environment"]["Variables"]
    assert variables["CLAIMSMITH_REQUESTS_PER_SECOND"] == "0"


def test_traces_and_fewer_lines_are_a_matter_of_hosting(stack: Stack) -> None:
    hosting = Hosting(log_level="WARNING", tracing=True)
    Introspection(stack, "Introspection", table=_table(stack), tokens=TOKENS, hosting=hosting)
    template = synthesised(stack)
    function = template.properties("Lambda::Function")
    assert function["TracingConfig"] == {"Mode": "Active"}
    assert function["Environment"]["Variables"]["POWERTOOLS_LOG_LEVEL"] == "WARNING"
    (policy,) = template.of_type("IAM::Policy").values()
    assert "xray:PutTraceSegments" in json.dumps(policy)


# What is refused, with a sentence.


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda _: Hosting(python="9.9"), r"python='9.9' is not possible; use '3.11'"),  # type: ignore[arg-type]
        (lambda _: Hosting(subnets=ec2.SubnetSelection(subnets=[])), "not possible without vpc"),
        (lambda _: Hosting(log_level="DEBUG"), "use 'INFO' or 'WARNING' or 'ERROR'"),  # type: ignore[arg-type]
        (lambda _: Hosting(deployment="a b"), "deployment='a b' is not possible"),
        (lambda _: CustomizerProps(trigger_version="V1_0"), "trigger_version='V1_0'"),  # type: ignore[arg-type]
        (lambda _: AuthorizerProps(revocation_cache_seconds=301), "use 1 to 300"),
        (lambda _: AcceptedTokens(client_ids=["1"]), "name user_pools, issuers"),
        (lambda _: AcceptedTokens(issuers=["https://a.example"], client_ids="1"), "client_ids is one text"),
        (
            lambda _: AcceptedTokens(issuers=["https://a.example"], client_ids=["1"], audience=["a"]),
            "audience: 'a' is not possible",
        ),
        (lambda stack: ClaimCustomizer(stack, "C", user_pool=[]), "is no user pool"),  # type: ignore[arg-type]
        (lambda _: AcceptedTokens(user_pools=[POOL_ID]), f"'{POOL_ID}' is no user pool"),  # type: ignore[list-item]
        (
            lambda stack: AcceptedTokens(user_pools=cognito.UserPool(stack, "P")),  # type: ignore[arg-type]
            "user_pools is no list",
        ),
        (
            lambda stack: PoolSignOuts(stack, "S", table=_table(stack), user_pools=cognito.UserPool(stack, "P")),  # type: ignore[arg-type]
            "user_pools is no list",
        ),
        (
            lambda stack: PoolSignOuts(stack, "S", table=_table(stack), user_pools=[POOL_ID]),  # type: ignore[list-item]
            "is no user pool",
        ),
        (lambda stack: _signed(stack, "alias/k"), "'alias/k' is no key"),  # type: ignore[arg-type]
        (lambda stack: ClaimCustomizer(stack, "C", audit_table=_table(stack)), "audit_table is not possible without"),
        (
            lambda stack: ClaimCustomizer(
                stack, "C", user_pool=cognito.UserPool.from_user_pool_id(stack, "P", POOL_ID), attach="template"
            ),
            "its template is not in this app",
        ),
        (lambda stack: [ClaimCustomizer(stack, name) for name in ("One", "Two")], "has the deployment 'Own' too"),
        (lambda stack: _authorizer(stack, "http").for_rest_api(stack), r"create another ClaimsAuthorizer\(api='rest'"),
        (lambda stack: _authorizer(stack, "http").for_http_api(cache_seconds=301), "cache_seconds=301"),
        (
            lambda stack: Firewall(stack, "F", stage=rest.RestApi(stack, "A").deployment_stage, web_acl_arn="arn:mine"),
            "web_acl_arn='arn:mine' is not possible",
        ),
        (
            lambda stack: Firewall(stack, "F", stage=http.HttpApi(stack, "A").default_stage, web_acl_arn="arn:a"),  # type: ignore[arg-type]
            "put CloudFront in front",
        ),
        (lambda stack: _authorizer(stack, "soap"), "api='soap' is not possible"),
        (lambda stack: _signed(stack, kms.Key(stack, "K")), "a key of SYMMETRIC_DEFAULT for ENCRYPT_DECRYPT"),
        (
            lambda stack: _signed(
                stack, kms.Key(stack, "K", key_spec=kms.KeySpec.ECC_NIST_P384, key_usage=kms.KeyUsage.SIGN_VERIFY)
            ),
            "a key of ECC_NIST_P384",
        ),
        (lambda stack: _signed(stack, kms.Alias.from_alias_name(stack, "K", "alias/k")), "an alias is not possible"),
        (
            lambda stack: _signed(
                stack, kms.Alias(stack, "K", alias_name="alias/k", target_key=_signing_key(stack, "Target"))
            ),
            "an alias is not possible",
        ),
    ],
)
def test_what_is_not_possible_is_refused_with_a_sentence(
    stack: Stack, wrong: Callable[[Stack], object], said: str
) -> None:
    with pytest.raises(PropsError, match=said):
        wrong(stack)


def _table(stack: Stack) -> dynamodb.ITable:
    return dynamodb.Table.from_table_name(stack, "Table", "Rows")


def _signing_key(stack: Stack, name: str) -> kms.Key:
    return kms.Key(stack, name, key_spec=kms.KeySpec.RSA_3072, key_usage=kms.KeyUsage.SIGN_VERIFY)


def _signed(stack: Stack, key: kms.IKey) -> Introspection:
    return Introspection(stack, "Signed", table=_table(stack), tokens=TOKENS, signing_keys=[key])


def _authorizer(stack: Stack, api: Any) -> ClaimsAuthorizer:  # noqa: ANN401 - a wrong one, too
    return ClaimsAuthorizer(stack, "Authorizer", api=api, table=_table(stack), tokens=TOKENS)


# Verifiers.


def test_each_kind_of_api_gets_an_authorizer_of_its_form(stack: Stack) -> None:
    table = _table(stack)
    forms = {}
    for api in ("http", "rest", "websocket", "appsync"):
        forms[api] = ClaimsAuthorizer(stack, api, api=api, table=table, tokens=TOKENS)
    backend = lambda_.Function.from_function_arn(stack, "Backend", OTHER)
    sockets = http.WebSocketApi(stack, "Sockets")
    sockets.add_route(
        "$connect",
        integration=integrations.WebSocketLambdaIntegration("Connect", backend),
        authorizer=forms["websocket"].for_websocket_api(),
    )
    resource = rest.RestApi(stack, "Rest", cloud_watch_role=False).root
    resource.add_method("GET", rest.LambdaIntegration(backend), authorizer=forms["rest"].for_rest_api(stack, "Protect"))
    web = http.HttpApi(stack, "Web")
    web.add_routes(
        path="/",
        integration=integrations.HttpLambdaIntegration("Index", backend),
        authorizer=forms["http"].for_http_api(),
    )
    Introspection(stack, "Introspection", table=table, tokens=TOKENS).add_route(web)
    template = synthesised(stack)
    variables = {
        api: template.properties("Lambda::Function", f"{api}Function")["Environment"]["Variables"] for api in forms
    }
    assert {api: found["CLAIMSMITH_AUTHORIZER_RESPONSE"] for api, found in variables.items()} == {
        "http": "simple",
        "rest": "iam",
        "websocket": "iam",
        "appsync": "iam",
    }
    kept = forms["appsync"].for_appsync_api().results_cache_ttl
    assert kept is not None
    assert kept.to_seconds() == 0
    assert template.properties("ApiGatewayV2::Authorizer", "Sockets")["IdentitySource"] == [
        "route.request.header.Authorization"
    ]
    assert template.properties("ApiGateway::Authorizer")["AuthorizerResultTtlInSeconds"] == 0


def test_tokens_of_several_pools_and_clients_are_accepted(stack: Stack) -> None:
    here = cognito.UserPool(stack, "Here")
    there = cognito.UserPool.from_user_pool_arn(stack, "There", "arn:aws:cognito-idp:us-east-1:1:userpool/us-east-1_B")
    raw = cognito.CfnUserPool(stack, "Raw")
    client = here.add_client("Client")
    tokens = AcceptedTokens(user_pools=[here, there, raw], clients=[client], client_ids=["1example2"])
    found = stack.resolve(tokens.environment())
    issuers = json.dumps(found["CLAIMSMITH_ISSUERS"])
    assert ".us-east-1." in issuers
    assert "/us-east-1_B," in issuers
    for pool in (here.node.default_child, raw):
        assert stack.get_logical_id(pool) in issuers  # type: ignore[arg-type]  # the resource of a UserPool
    assert "1example2" in json.dumps(found["CLAIMSMITH_CLIENT_IDS"])


def test_a_development_host_is_named_and_others_need_https() -> None:
    keycloak = OidcIssuer("http://keycloak:8080/realms/acme", audience=["orders"], client_ids=["web"])
    issuers = ["http://cognito:9229/local_1"]
    tokens = AcceptedTokens(issuers=issuers, oidc_issuers=[keycloak], development_hosts=["cognito", "keycloak"])
    assert tokens.environment()["CLAIMSMITH_DEVELOPMENT_HOSTS"] == "cognito,keycloak"
    with pytest.raises(PropsError, match="https only"):
        AcceptedTokens(issuers=issuers, oidc_issuers=[keycloak], development_hosts=["cognito"])
    short = OidcIssuer("https://127.1/realms/acme", audience=["orders"], client_ids=["web"])
    with pytest.raises(PropsError, match="four numbers"):
        AcceptedTokens(issuers=issuers, oidc_issuers=[short])


def test_the_cache_of_an_authorizer_of_others_in_the_same_stack_is_not_judged(stack: Stack) -> None:
    _authorizer(stack, "http")
    other = lambda_.Function(
        stack,
        "Other",
        code=lambda_.Code.from_inline("pass"),
        handler="index.handler",
        runtime=lambda_.Runtime.PYTHON_3_13,
    )
    web = http.HttpApi(stack, "Web")
    web.add_routes(
        path="/{any}",
        integration=integrations.HttpLambdaIntegration("Index", other),
        authorizer=authorizers.HttpLambdaAuthorizer("Theirs", other, results_cache_ttl=Duration.minutes(5)),
    )
    assert synthesised(stack).properties("ApiGatewayV2::Authorizer")["AuthorizerResultTtlInSeconds"] == 300


# People.


def test_what_is_granted_to_a_role_is_what_the_managed_policy_has(stack: Stack) -> None:
    pool = cognito.UserPool.from_user_pool_id(stack, "Pool", POOL_ID)
    customizer = ClaimCustomizer(stack, "Claims", user_pool=pool)
    AdminPersonas(
        stack, "People", table=customizer.table, audit_table=customizer.audit_table, user_pools=customizer.user_pools
    )
    grants = {
        "PolicyEditor": customizer.grant_edit_policy,
        "DirectoryEditor": customizer.grant_edit_directory,
        "Auditor": customizer.grant_audit,
        "Operator": customizer.grant_operate,
    }
    for persona, grant in grants.items():
        grant(iam.Role(stack, f"{persona}Role", assumed_by=iam.AccountRootPrincipal()))
    customizer.grant_read_policy(iam.Role(stack, "ReaderRole", assumed_by=iam.AccountRootPrincipal()))
    template = synthesised(stack)

    def permissions(kind: str, name: str) -> set[tuple[str, ...]]:
        """Each action on each resource, however the CDK groups them."""
        return {
            (action, *(json.dumps(part) for part in (resource, statement.get("Condition"))))
            for statement in template.properties(kind, name)["PolicyDocument"]["Statement"]
            for action in listed(statement["Action"])
            for resource in listed(statement["Resource"])
        }

    for persona in grants:
        assert permissions("IAM::Policy", f"{persona}RoleDefault") == permissions("IAM::ManagedPolicy", persona)
    assert "dynamodb:PutItem" not in {action for action, *_ in permissions("IAM::Policy", "ReaderRoleDefault")}


def test_sign_outs_in_the_pool_may_only_revoke_users(stack: Stack) -> None:
    pool = cognito.UserPool(stack, "Users")
    table = _table(stack)
    PoolSignOuts(stack, "SignOuts", table=table, user_pools=[pool])
    PoolSignOuts(stack, "All", table=table, user_pools=[pool], revoke_token=True)
    template = synthesised(stack)
    names = template.properties("Events::Rule", "SignOutsRule")["EventPattern"]["detail"]["eventName"]
    assert template.properties("Events::Rule", "AllRule")["EventPattern"]["detail"]["eventName"] == [
        *names,
        "RevokeToken",
    ]
    (write,) = (
        statement
        for statement in template.properties("IAM::Policy", "SignOutsRecorderPolicy")["PolicyDocument"]["Statement"]
        if "dynamodb" in str(statement["Action"])
    )
    assert write["Action"] == "dynamodb:PutItem"
    assert write["Condition"] == {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["REVOKED#user#*"]}}
    assert "DeadLetterConfig" in template.properties("Events::Rule", "SignOutsRule")["Targets"][0]
    assert "OnFailure" in template.properties("Lambda::EventInvokeConfig", "SignOuts")["DestinationConfig"]


# Discovery.


def test_introspection_describes_pools_and_resources_in_any_http_api(stack: Stack) -> None:
    discovery = DiscoveryProps(logins={POOL_ID: "https://auth.example.com"}, scopes_supported=False)
    introspection = Introspection(stack, "Introspection", table=_table(stack), tokens=TOKENS, discovery=discovery)
    web = http.HttpApi(stack, "Web")
    introspection.add_route(web, "/tokens/introspect")
    assert len(introspection.add_discovery(web)) == 6
    assert introspection.issuers == tuple(TOKENS.issuers)
    template = synthesised(stack)
    variables = template.properties("Lambda::Function", "Introspection")["Environment"]["Variables"]
    assert variables["CLAIMSMITH_LOGINS"] == f"{POOL_ID}=https://auth.example.com"
    assert variables["CLAIMSMITH_INTROSPECTION_ENDPOINT"] == "/tokens/introspect"
    assert variables["CLAIMSMITH_SCOPES_SUPPORTED"] == "off"


def test_routes_of_introspection_are_added_once_to_an_api(stack: Stack) -> None:
    introspection = Introspection(stack, "Introspection", table=_table(stack), tokens=TOKENS)
    own = http.HttpApi(stack, "Web")
    rests = rest.RestApi(stack, "Rest")
    for add, said in (
        (lambda: introspection.add_route(own), "Own/Web has POST /introspect already"),
        (lambda: introspection.add_discovery(own), "Own/Web has GET /.well-known/oauth-authorization-server already"),
        (lambda: introspection.add_rest_discovery(rests), "has GET /.well-known/oauth-authorization-server already"),
    ):
        add()
        with pytest.raises(PropsError, match=said):
            add()
    introspection.add_discovery(http.HttpApi(stack, "Other"))
    assert len(synthesised(stack).of_type("ApiGatewayV2::Route")) == 13


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (
            lambda stack, wrong: Introspection(stack, "I", table=_table(stack), tokens=TOKENS, discovery=wrong),
            r"discovery is dict, not DiscoveryProps; write DiscoveryProps\(...\)",
        ),
        (lambda stack, wrong: Introspection(stack, "I", table=_table(stack), tokens=wrong), "tokens is dict"),
        (
            lambda stack, wrong: ClaimsAuthorizer(stack, "A", api="http", table=_table(stack), tokens=wrong),
            "tokens is dict, not AcceptedTokens",
        ),
        (
            lambda stack, wrong: ClaimsAuthorizer(
                stack, "A", api="http", table=_table(stack), tokens=TOKENS, props=wrong
            ),
            "props is dict, not AuthorizerProps",
        ),
        (lambda stack, wrong: ClaimCustomizer(stack, "C", props=wrong), "props is dict, not CustomizerProps"),
    ],
)
def test_a_dictionary_is_no_props(stack: Stack, made: Callable[[Stack, Any], object], said: str) -> None:
    with pytest.raises(PropsError, match=said):
        made(stack, {})


def test_a_rest_api_serves_the_documents_to_anybody_beside_methods_of_its_own(stack: Stack) -> None:
    introspection = Introspection(stack, "Introspection", table=_table(stack), tokens=TOKENS)
    api = rest.RestApi(stack, "Api")
    api.root.resource_for_path("/.well-known/security.txt").add_method("GET", rest.MockIntegration())
    assert len(introspection.add_rest_discovery(api)) == 6
    template = synthesised(stack)
    paths = {entry["Properties"]["PathPart"] for entry in template.of_type("ApiGateway::Resource").values()}
    assert paths == {".well-known", "security.txt", "{path+}", *(path.rpartition("/")[2] for path in WELL_KNOWN)}
    methods = [entry["Properties"] for entry in template.of_type("ApiGateway::Method").values()]
    assert {(method["HttpMethod"], method["AuthorizationType"]) for method in methods} == {("GET", "NONE")}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"logins": {POOL_ID: "auth.example.com"}}, "logins: 'auth.example.com' is not possible"),
        ({"authorization_servers": "https://a.example"}, "give a list"),
        ({"authorization_servers": [f"https://acme.auth.eu-central-1.amazoncognito.com/{POOL_ID}"]}, TOKENS.issuers[0]),
    ],
)
def test_documents_that_would_send_clients_nowhere_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(PropsError, match=said):
        DiscoveryProps(**given)


def test_only_a_rest_api_gets_a_challenge_that_can_be_quoted(stack: Stack) -> None:
    table = _table(stack)
    authorizers_of = {
        kind: ClaimsAuthorizer(stack, kind, api=kind, table=table, tokens=TOKENS) for kind in ("http", "rest")
    }
    api = rest.RestApi(stack, "Api")
    assert authorizers_of["rest"].issuers == tuple(TOKENS.issuers)
    with pytest.raises(PropsError, match="answers http APIs"):
        authorizers_of["http"].add_challenge(api)
    for wrong in ({"realm": "it's"}, {"resource_metadata": 'https://a.example/"'}):
        with pytest.raises(PropsError, match=f"{next(iter(wrong))}: "):
            authorizers_of["rest"].add_challenge(api, **wrong)
