"""``doctor`` against a whole deployment in memory: what it finds, what it cannot see, and that it changes nothing."""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from claimsmith import environment
from claimsmith.cli.main import main
from claimsmith.store.attributes import encode_row
from claimsmith.store.deployment import READS
from tests.conftest import AUDIT_TABLE, REGION, TABLE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from claimsmith.store.dynamodb import Table
    from tests.cli.conftest import Ran

    Command = Callable[..., Ran]

POLICY = """\
settings: {trusted_attributes: [custom:unit], privileged_scopes: [orders/delete]}
roles:
  viewer: {scopes: [orders/read]}
clients:
  ${WEB}: {name: web}
"""

ACCOUNT = "123456789012"
#: The operations on rows.
ROWS = ("GetItem", "Query", "Scan")


class Stack:
    """What ``cdk deploy`` makes, as far as ``doctor`` looks at it, made by the same requests."""

    def __init__(self, claimsmith: Command, folder: Path) -> None:
        self.cognito: Any = boto3.client("cognito-idp")
        self.functions: Any = boto3.client("lambda")
        self.dynamodb: Any = boto3.client("dynamodb")
        self.alarms: Any = boto3.client("cloudwatch")
        self.topics: Any = boto3.client("sns")
        self.buckets: Any = boto3.client("s3")
        self.queues: Any = boto3.client("sqs")
        self.trigger = self._function("trigger", {environment.TABLE: TABLE})
        tables = {environment.TABLE: TABLE, environment.AUDIT_TABLE: AUDIT_TABLE}
        self.publisher, self.audit = self._function("publisher", tables), self._function("audit", tables)
        configured = {"LambdaVersion": "V2_0", "LambdaArn": self.trigger}
        pool = self.cognito.create_user_pool(
            PoolName="people", LambdaConfig={"PreTokenGenerationConfig": configured}, UserPoolTier="ESSENTIALS"
        )["UserPool"]
        self.pool, self.pool_arn = pool["Id"], pool["Arn"]
        self.functions.add_permission(
            FunctionName="trigger",
            StatementId="pool",
            Action="lambda:InvokeFunction",
            Principal="cognito-idp.amazonaws.com",
            SourceArn=self.pool_arn,
            SourceAccount=ACCOUNT,
        )
        self.cognito.create_resource_server(
            UserPoolId=self.pool,
            Identifier="orders",
            Name="orders",
            Scopes=[{"ScopeName": "read", "ScopeDescription": "Read orders"}],
        )
        self.web = self.cognito.create_user_pool_client(
            UserPoolId=self.pool, ClientName="web", WriteAttributes=["name"]
        )["UserPoolClient"]["ClientId"]
        file = folder / "policy.yaml"
        file.write_text(POLICY)
        assert claimsmith("apply", str(file), "--var", f"WEB={self.web}").code == 0
        self.buckets.create_bucket(Bucket="kept", CreateBucketConfiguration={"LocationConstraint": REGION})
        self.queue = self.queues.create_queue(QueueName="dead-letters")["QueueUrl"]
        self.topic = self.topics.create_topic(Name="alarms")["TopicArn"]
        subscription = self.topics.subscribe(TopicArn=self.topic, Protocol="email", Endpoint="on-call@example.com")
        assert subscription["SubscriptionArn"].startswith("arn:")  # confirmed, as this AWS does at once
        for name in ("trigger", "publisher", "audit"):
            self.alarm(name, "FunctionName", self.topic)
        self.alarm("dead-letters", "QueueName", self.topic)
        self.alarms.put_metric_data(
            Namespace="AWS/Lambda",
            MetricData=[
                {
                    "MetricName": "IteratorAge",
                    "Dimensions": [{"Name": "FunctionName", "Value": "publisher"}],
                    "Value": 900,
                }
            ],
        )

    def connect_stream(self) -> None:
        """Last of all: from here on, each written row would call the function."""
        stream = self.dynamodb.describe_table(TableName=TABLE)["Table"]["LatestStreamArn"]
        # One as this release makes it, and one as earlier ones did.
        for name, place in (
            ("audit", "arn:aws:s3:::kept"),
            ("publisher", f"arn:aws:sqs:{REGION}:{ACCOUNT}:dead-letters"),
        ):
            mapping = self.functions.create_event_source_mapping(
                EventSourceArn=stream,
                FunctionName=name,
                StartingPosition="TRIM_HORIZON",
                DestinationConfig={"OnFailure": {"Destination": place}},
            )
            if place.startswith("arn:aws:s3"):
                self.alarm(mapping["UUID"], "EventSourceMappingUUID", self.topic)

    def alarm(self, name: str, dimension: str, *actions: str) -> None:
        """One metric of a mapping, or an expression of several of a function."""
        metric = {"Namespace": "AWS/Lambda", "Dimensions": [{"Name": dimension, "Value": name}]}
        shown: dict[str, Any] = {**metric, "MetricName": "DroppedEventCount", "Statistic": "Sum", "Period": 60}
        if dimension == "FunctionName":
            stats = {
                each.lower(): {"Metric": {**metric, "MetricName": each}, "Period": 60, "Stat": "Sum"}
                for each in ("Throttles", "Invocations")
            }
            ratio = {"Id": "ratio", "Expression": "100 * throttles / (throttles + invocations)"}
            counts = [{"Id": each, "MetricStat": stat, "ReturnData": False} for each, stat in stats.items()]
            shown = {"Metrics": [ratio, *counts]}
        self.alarms.put_metric_alarm(
            AlarmName=f"{name}-alarm",
            **shown,
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanThreshold",
            AlarmActions=list(actions),
        )

    def _function(self, name: str, variables: dict[str, str]) -> str:
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as packed:
            packed.writestr("handler.py", "")
        role = boto3.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        made = self.functions.create_function(
            FunctionName=name,
            Runtime="python3.13",
            Role=role,
            Handler="handler.handler",
            Code={"ZipFile": code.getvalue()},
            Environment={"Variables": variables},
        )
        return str(made["FunctionArn"])


@pytest.fixture
def stack(rows: Table, claimsmith: Command, tmp_path: Path) -> Stack:
    assert rows.name == TABLE
    return Stack(claimsmith, tmp_path)


@pytest.fixture
def doctor(stack: Stack, claimsmith: Command) -> Command:
    def run(*arguments: str) -> Ran:
        stack.connect_stream()
        return claimsmith("doctor", "--user-pool-id", stack.pool, *arguments)

    return run


def test_a_deployment_as_it_should_be_has_no_findings(doctor: Command) -> None:
    done = doctor("--json")
    assert done.data["findings"] == []
    assert [each["check"] for each in done.data["not_checked"]] == []
    assert done.code == 0


@pytest.fixture
def broken(stack: Stack) -> Stack:
    """The deployment after a bad year."""
    stack.functions.remove_permission(FunctionName="trigger", StatementId="pool")
    stack.cognito.update_user_pool_client(
        UserPoolId=stack.pool, ClientId=stack.web, ClientName="web", WriteAttributes=["name", "custom:unit"]
    )
    stack.dynamodb.update_time_to_live(
        TableName=TABLE, TimeToLiveSpecification={"Enabled": False, "AttributeName": "ttl"}
    )
    stack.dynamodb.update_table(TableName=TABLE, DeletionProtectionEnabled=False)
    stack.queues.send_message(QueueUrl=stack.queue, MessageBody="a change")
    stack.alarm("trigger", "FunctionName")
    stack.alarms.set_alarm_state(AlarmName="publisher-alarm", StateValue="ALARM", StateReason="it fails")
    for item in (
        {"pk": "POLICY", "sk": "ROLE#editor", "scopes": ["orders/write"]},
        {"pk": "TENANT#acme", "sk": "TENANT", "default_roles": ["clerk"]},
        {"pk": "USER#alice", "sk": "TENANT#acme", "scopes": ["orders/delete"]},
        {"pk": "USER#alice", "sk": "TENANT#gone", "roles": ["viewer"]},
        {"pk": "USER#bob", "sk": "USER", "roles": "viewer"},
    ):
        put_row(stack, item)
    return stack


def put_row(stack: Stack, row: dict[str, Any]) -> None:
    """Write a row as the DynamoDB console does."""
    stack.dynamodb.put_item(TableName=TABLE, Item=encode_row(row))


BROKEN = """\
table: claimsmith
user pool id: POOL
plan: ESSENTIALS
trigger: trigger
event version: V2_0
issuer: https://cognito-idp.eu-central-1.amazonaws.com/POOL
publisher: audit, publisher
policy version: 1
rollout: on

error trigger: The function does not allow Cognito to call it for POOL: every sign-in fails. [CS4035]
  Add the permission: aws lambda add-permission --function-name trigger --statement-id cognito --action \
lambda:InvokeFunction --principal cognito-idp.amazonaws.com --source-arn \
arn:aws:cognito-idp:eu-central-1:123456789012:userpool/POOL --source-account ACCOUNT

error custom:unit: The policy trusts this attribute, and users can change it: these clients may write it: web (WEB). \
[CS4037]
  Take it out of the clients' WriteAttributes, or out of trusted_attributes in the policy's settings.

error dead-letters: The publisher gave up on changes (1 batch): they are not audited, or not published. [CS4052]
  See its log for the cause, then replay them: claimsmith replay --all. From a queue: claimsmith promote, then purge it.

error USER#bob USER: roles is not a list or set of strings. A user's row that cannot be read refuses the sign-in; any \
other counts as not there. [CS4009]
  Correct the attribute.

warning claimsmith: One request can delete the table: deletion protection is off. [CS4046]
  Turn on DeletionProtectionEnabled; a production stage has it on. Leave it off only in development.

warning POLICY SETTINGS: The draft differs from version 1, which is in force: it was not published. [CS4047]
  Publish it with claimsmith promote (claimsmith resume while on hold), or apply the policy that should be in force.

warning publisher-alarm: The alarm is raised now. [CS4056]
  Its description says what it means and where to read what to do.

warning trigger-alarm: 1 alarm notifies nobody: no actions, or actions are off. [CS4055]
  Turn the actions on, or give the alarms one.

warning claimsmith: Time to live is off: rows that have expired have no effect, but are never deleted. [CS4044]
  Turn on time to live for the attribute ttl.

warning TENANT#acme TENANT: The policy has no role clerk: it gives nothing. [CS4057]
  Correct the row, or add the role to the policy.

warning USER#alice TENANT#acme: Only the policy grants orders/delete: tokens are issued without. [CS4012]
  Remove it from the row, and ask who wrote it; the audit has the row's history.

warning USER#alice TENANT#gone: There is no tenant gone: the membership has no effect. [CS4058]
  Add the tenant, or remove the row: claimsmith tenants add gone.

4 errors and 8 warnings. 26 checks made, 0 not made.
"""


def test_what_is_broken_is_found_with_its_remedy(broken: Stack, doctor: Command) -> None:
    done = doctor()
    assert done.code == 1
    assert done.out.replace(broken.pool, "POOL").replace(broken.web, "WEB") == BROKEN


def test_json_has_the_same_for_programs(stack: Stack, doctor: Command) -> None:
    stack.functions.remove_permission(FunctionName="trigger", StatementId="pool")
    done = doctor("--json")
    assert done.code == 1
    assert done.data["deployment"] == {
        "table": TABLE,
        "user_pool_id": stack.pool,
        "plan": "ESSENTIALS",
        "trigger": "trigger",
        "event_version": "V2_0",
        "issuer": f"https://cognito-idp.{REGION}.amazonaws.com/{stack.pool}",
        "publisher": "audit, publisher",
        "policy_version": 1,
        "rollout": "on",
    }
    [finding] = done.data["findings"]
    assert {**finding, "remedy": ""} == {
        "code": "CS4035",
        "name": "trigger_not_permitted",
        "severity": "error",
        "subject": "trigger",
        "message": f"The function does not allow Cognito to call it for {stack.pool}: every sign-in fails.",
        "remedy": "",
        "left_out": 0,
    }
    assert len(done.data["checked"]) == 26
    assert done.data["not_checked"] == []


def test_the_table_is_found_through_the_pool(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    stack.connect_stream()
    with pytest.raises(SystemExit) as ended:
        main(["doctor", "--user-pool-id", stack.pool, "--json"])
    assert ended.value.code == 0
    assert json.loads(capsys.readouterr().out)["deployment"]["table"] == TABLE


def test_without_a_pool_what_needs_one_is_not_checked(stack: Stack, claimsmith: Command) -> None:
    stack.connect_stream()
    done = claimsmith("doctor", "--json")
    assert done.code == 0
    assert {
        "check": "pool_plan",
        "reason": "No user pool is given. Add --user-pool-id.",
        "action": None,
    } in done.data["not_checked"]
    assert {"table", "draft", "publisher", "directory"} <= set(done.data["checked"])


def test_a_table_that_is_gone_is_a_finding(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--table", "gone", "doctor", "--json", "--user-pool-id", stack.pool])
    assert ended.value.code == 1
    codes = [found["code"] for found in json.loads(capsys.readouterr().out)["findings"]]
    assert codes == ["CS4003", "CS4032"]


def test_what_is_gone_is_found_and_not_left_out(stack: Stack, doctor: Command) -> None:
    """Deleted by hand: bucket and queue, the topic, the audit table, and the trigger."""
    stack.buckets.delete_bucket(Bucket="kept")
    stack.queues.delete_queue(QueueUrl=stack.queue)
    stack.topics.delete_topic(TopicArn=stack.topic)
    stack.dynamodb.update_table(TableName=AUDIT_TABLE, DeletionProtectionEnabled=False)
    stack.dynamodb.delete_table(TableName=AUDIT_TABLE)
    stack.functions.delete_function(FunctionName="trigger")
    found = {each["name"]: each["subject"] for each in doctor("--json").data["findings"]}
    assert found == {
        "trigger_not_ours": stack.trigger,
        "table_missing": AUDIT_TABLE,
        "no_dead_letter_queue": "audit",
        "alarm_unheard": "alarms",
    }


def test_a_publisher_that_is_gone_is_found(stack: Stack, claimsmith: Command) -> None:
    stack.connect_stream()
    stack.functions.delete_function(FunctionName="publisher")
    done = claimsmith("doctor", "--user-pool-id", stack.pool, "--json")
    assert [each["name"] for each in done.data["findings"]] == ["publisher_missing"]


@pytest.mark.usefixtures("rows")
def test_a_pool_that_is_not_there_is_a_mistake(claimsmith: Command) -> None:
    done = claimsmith("doctor", "--user-pool-id", "eu-central-1_Nowhere", "--json")
    assert (done.code, done.data["error"]["code"]) == (1, "CS4004")


def test_nothing_to_check_is_a_mistake_in_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["doctor"])
    assert ended.value.code == 2
    assert "--user-pool-id" in capsys.readouterr().err


def test_ctrl_c_ends_it_with_a_line(
    rows: Table, claimsmith: Command, policy_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    assert claimsmith("apply", str(policy_file), "--var", "WEB=web1").code == 0
    monkeypatch.setattr(type(rows), "scan", interrupted)
    done = claimsmith("doctor")
    assert (done.code, done.out, done.err) == (130, "", "Stopped. Nothing was changed.\n")


def test_a_rows_key_cannot_command_the_terminal(rows: Table, claimsmith: Command, policy_file: Path) -> None:
    assert claimsmith("apply", str(policy_file), "--var", "WEB=web1").code == 0
    rows.put({"pk": "USER#\x1b]0;[red]", "sk": "USER", "roles": "viewer"})
    done = claimsmith("doctor")
    assert "\\u001b]0;[red] USER" in done.out
    assert "\x1b" not in done.out


def operation(method: str) -> str:
    """An operation's name in AWS, from botocore's."""
    return "".join(map(str.title, method.split("_")))


#: The IAM action of each operation.
ACTIONS = {f"{service}:{operation(method)}": action for (service, method), action in READS.items()}


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The operations that any client has called since."""
    made: set[str] = set()
    call = BaseClient._make_api_call  # noqa: SLF001 - every call passes here

    def recorded(self: Any, name: str, arguments: Any) -> Any:  # noqa: ANN401 - botocore has no types
        made.add(f"{self.meta.service_model.service_name}:{name}")
        return call(self, name, arguments)

    monkeypatch.setattr(BaseClient, "_make_api_call", recorded)
    return made


def test_only_reads_are_called(broken: Stack, claimsmith: Command, called: set[str]) -> None:
    broken.connect_stream()
    called.clear()
    claimsmith("doctor", "--user-pool-id", broken.pool)
    rows = {f"dynamodb:{name}" for name in ROWS}
    assert called - rows <= ACTIONS.keys()
    assert rows <= called
    assert all(name.partition(":")[2].startswith(("Describe", "Get", "List", "Query", "Scan")) for name in called)


def test_what_is_denied_is_not_checked_and_names_the_action(
    stack: Stack, claimsmith: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack.connect_stream()
    call = BaseClient._make_api_call  # noqa: SLF001 - every call passes here
    actions = sorted({*READS.values(), *(f"dynamodb:{name}" for name in ROWS)})

    def denied(self: Any, name: str, arguments: Any) -> Any:  # noqa: ANN401 - botocore has no types
        called = f"{self.meta.service_model.service_name}:{name}"
        if action == ACTIONS.get(called, called):
            raise ClientError({"Error": {"Code": "AccessDeniedException"}}, name)
        return call(self, name, arguments)

    monkeypatch.setattr(BaseClient, "_make_api_call", denied)
    for action in actions:
        data = claimsmith("doctor", "--user-pool-id", stack.pool, "--json").data
        assert data["findings"] == [], action
        assert {each["action"] for each in data["not_checked"]} == {action}
        assert not {each["check"] for each in data["not_checked"]} & set(data["checked"])
