"""Looks at what is deployed, and changes nothing: the pool, its trigger, the table, the publisher, the alarms.

Every operation that may be called is in ``READS``, with the IAM action that allows it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Final

import botocore.session
from botocore.exceptions import BotoCoreError, ClientError

from claimsmith import table
from claimsmith.errors import Code, OperationError
from claimsmith.store.dynamodb import PATIENT
from claimsmith.store.kept_batches import WAITING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

#: The operations, by service and name in botocore, and the IAM action that each needs.
READS: Final[Mapping[tuple[str, str], str]] = {
    ("cognito-idp", "describe_user_pool"): "cognito-idp:DescribeUserPool",
    ("cognito-idp", "list_user_pool_clients"): "cognito-idp:ListUserPoolClients",
    ("cognito-idp", "describe_user_pool_client"): "cognito-idp:DescribeUserPoolClient",
    ("cognito-idp", "list_resource_servers"): "cognito-idp:ListResourceServers",
    ("lambda", "get_function_configuration"): "lambda:GetFunctionConfiguration",
    ("lambda", "get_policy"): "lambda:GetPolicy",
    ("lambda", "list_event_source_mappings"): "lambda:ListEventSourceMappings",
    ("lambda", "list_functions"): "lambda:ListFunctions",
    ("dynamodb", "describe_table"): "dynamodb:DescribeTable",
    ("dynamodb", "describe_time_to_live"): "dynamodb:DescribeTimeToLive",
    ("dynamodb", "describe_continuous_backups"): "dynamodb:DescribeContinuousBackups",
    ("s3", "list_objects_v2"): "s3:ListBucket",
    ("sqs", "get_queue_url"): "sqs:GetQueueUrl",
    ("sqs", "get_queue_attributes"): "sqs:GetQueueAttributes",
    ("cloudwatch", "describe_alarms"): "cloudwatch:DescribeAlarms",
    ("cloudwatch", "get_metric_statistics"): "cloudwatch:GetMetricStatistics",
    ("sns", "list_subscriptions_by_topic"): "sns:ListSubscriptionsByTopic",
}

_DENIED: Final = frozenset({"AccessDenied", "AccessDeniedException", "AuthorizationError", "NotAuthorizedException"})
_NO_IDENTITY: Final = frozenset(
    {"ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException"}
)
_ABSENT: Final = frozenset(
    {
        "NoSuchBucket",
        "AWS.SimpleQueueService.NonExistentQueue",
        "NotFound",
        "NotFoundException",
        "QueueDoesNotExist",
        "ResourceNotFoundException",
    }
)


class NotSeenError(Exception):
    """Something could not be looked at.

    Attributes:
        reason: why, as a sentence.
        action: the IAM action that is missing; empty if no permission is.
    """

    def __init__(self, reason: str, action: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.action = action


class AbsentError(NotSeenError):
    """What was asked for does not exist."""


@dataclass(frozen=True, slots=True)
class UserPool:
    """A user pool's settings.

    Attributes:
        tier: ``LITE``, ``ESSENTIALS`` or ``PLUS``; empty if the response does not say.
        trigger: the ARN of the pre token generation function; empty if there is none.
        event_version: of that trigger: ``V1_0``, ``V2_0`` or ``V3_0``.
        required: the attributes that every user must have, which every client may write.
        issuer_form: ``ORIGINAL`` or ``UPDATED``.
    """

    id: str
    arn: str
    tier: str = "ESSENTIALS"
    trigger: str = ""
    event_version: str = "V1_0"
    required: frozenset[str] = frozenset()
    issuer_form: str = "ORIGINAL"


@dataclass(frozen=True, slots=True)
class AppClient:
    """An app client of the pool; its secret is not kept.

    Attributes:
        machine: it may use client credentials.
        writable: the attributes that it may write; None for all.
        callback_urls: where managed login sends the browser back.
    """

    id: str
    name: str = ""
    machine: bool = False
    writable: frozenset[str] | None = None
    callback_urls: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Function:
    """A Lambda function.

    Attributes:
        arn: with the alias by which it was asked for, if any.
        variables: its ``CLAIMSMITH_`` variables.
    """

    name: str
    arn: str
    variables: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class TableSettings:
    """The settings of a table that DescribeTable returns.

    Attributes:
        keys: ``((name, HASH or RANGE), …)`` in order; likewise of the index ``by_sk``, None if there is none.
        stream_view: ``NEW_AND_OLD_IMAGES`` or another; empty if there is no stream.
        stream: its ARN.
    """

    name: str
    keys: tuple[tuple[str, str], ...]
    types: Mapping[str, str]
    index: tuple[tuple[str, str], ...] | None
    index_projection: str = "KEYS_ONLY"
    stream_view: str = ""
    stream: str = ""
    protected: bool = False


@dataclass(frozen=True, slots=True)
class StreamReader:
    """An event source mapping: who reads the table's stream.

    Attributes:
        function: the ARN of the reader.
        state: ``Enabled``, ``Disabled`` or a state between them.
        last_result: of the last batch: ``OK``, ``No records processed``, ``PROBLEM: …``; empty if unknown.
        dead_letters: the ARN of the bucket, queue or topic for what cannot be handled; empty if there is none.
        id: of the mapping.
    """

    function: str
    state: str
    last_result: str = ""
    dead_letters: str = ""
    id: str = ""


@dataclass(frozen=True, slots=True)
class Alarm:
    """A CloudWatch alarm.

    Attributes:
        state: ``OK``, ``ALARM`` or ``INSUFFICIENT_DATA``.
        actions: the ARNs that it notifies; none if its actions are switched off.
        namespaces: of its metrics.
        watches: the values of its metrics' dimensions.
    """

    name: str
    state: str
    namespaces: frozenset[str]
    watches: frozenset[str]
    actions: tuple[str, ...] = ()


class Deployment:
    """What is deployed in one account and region. Every method raises ``NotSeenError`` if it cannot look."""

    def __init__(self, *, endpoint_url: str | None = None, region: str | None = None) -> None:
        self._endpoint_url = endpoint_url
        self._region = region
        self._client = cache(self._connect)

    def pool(self, pool_id: str) -> UserPool:
        """The pool's settings."""
        found = self._call("cognito-idp", "describe_user_pool", UserPoolId=pool_id)["UserPool"]
        triggers = found.get("LambdaConfig") or {}
        configured = triggers.get("PreTokenGenerationConfig") or {}
        older = triggers.get("PreTokenGeneration", "")
        return UserPool(
            id=pool_id,
            arn=found.get("Arn", ""),
            tier=found.get("UserPoolTier", ""),
            trigger=configured.get("LambdaArn") or older,
            event_version=configured.get("LambdaVersion", "V1_0"),
            required=frozenset(
                attribute["Name"] for attribute in found.get("SchemaAttributes", ()) if attribute.get("Required")
            ),
            issuer_form=(found.get("IssuerConfiguration") or {}).get("Type", "ORIGINAL"),
        )

    def clients(self, pool_id: str) -> tuple[AppClient, ...]:
        """The pool's app clients."""
        listed = self._pages(
            "cognito-idp", "list_user_pool_clients", "UserPoolClients", "NextToken", UserPoolId=pool_id, MaxResults=60
        )
        describe = partial(self._call, "cognito-idp", "describe_user_pool_client", UserPoolId=pool_id)
        return tuple(_app_client(describe(ClientId=each["ClientId"])["UserPoolClient"]) for each in listed)

    def scopes(self, pool_id: str) -> frozenset[str]:
        """The scopes of the pool's resource servers, as in a token."""
        servers = self._pages(
            "cognito-idp", "list_resource_servers", "ResourceServers", "NextToken", UserPoolId=pool_id, MaxResults=50
        )
        return frozenset(
            f"{server['Identifier']}/{scope['ScopeName']}" for server in servers for scope in server.get("Scopes") or ()
        )

    def function(self, arn: str) -> Function:
        """A function by ARN or name, either with an alias after a colon if one is meant."""
        found = self._call("lambda", "get_function_configuration", FunctionName=arn)
        if arn.startswith("arn:"):
            return _function(found, arn)
        alias = arn.partition(":")[2]
        whole = found["FunctionArn"]
        return _function(found, f"{whole}:{alias}" if alias and not whole.endswith(f":{alias}") else whole)

    def functions(self) -> tuple[Function, ...]:
        """The functions that have variables of Claimsmith."""
        listed = self._pages("lambda", "list_functions", "Functions", "Marker", "NextMarker")
        found = (_function(each, each["FunctionArn"]) for each in listed)
        return tuple(function for function in found if function.variables)

    def permissions(self, arn: str) -> tuple[Mapping[str, Any], ...]:
        """The statements of a function's resource policy."""
        try:
            policy = json.loads(self._call("lambda", "get_policy", FunctionName=arn)["Policy"])
        except AbsentError:
            return ()
        return tuple(policy.get("Statement", ()))

    def table(self, name: str) -> TableSettings:
        """The settings of a table."""
        found = self._call("dynamodb", "describe_table", TableName=name)["Table"]
        indexes = {index["IndexName"]: index for index in found.get("GlobalSecondaryIndexes") or ()}
        index = indexes.get(table.BY_SK)
        stream = found.get("StreamSpecification") or {}
        return TableSettings(
            name=name,
            keys=_keys(found["KeySchema"]),
            types={each["AttributeName"]: each["AttributeType"] for each in found["AttributeDefinitions"]},
            index=None if index is None else _keys(index["KeySchema"]),
            index_projection="" if index is None else index.get("Projection", {}).get("ProjectionType", ""),
            stream_view=stream.get("StreamViewType", "") if stream.get("StreamEnabled") else "",
            stream=found.get("LatestStreamArn", ""),
            protected=bool(found.get("DeletionProtectionEnabled")),
        )

    def time_to_live(self, name: str) -> str:
        """The attribute by which DynamoDB deletes rows; empty if it deletes none."""
        found = self._call("dynamodb", "describe_time_to_live", TableName=name)["TimeToLiveDescription"]
        enabled = found.get("TimeToLiveStatus") in ("ENABLED", "ENABLING")
        return str(found.get("AttributeName", "")) if enabled else ""

    def backed_up(self, name: str) -> bool:
        """Whether the table can be restored to any time of the last days (PITR)."""
        found = self._call("dynamodb", "describe_continuous_backups", TableName=name)["ContinuousBackupsDescription"]
        recovery = found.get("PointInTimeRecoveryDescription") or {}
        return recovery.get("PointInTimeRecoveryStatus") == "ENABLED"

    def stream_readers(self, stream: str) -> tuple[StreamReader, ...]:
        """The readers of a stream."""
        found = self._pages(
            "lambda", "list_event_source_mappings", "EventSourceMappings", "Marker", "NextMarker", EventSourceArn=stream
        )
        return tuple(
            StreamReader(
                function=each.get("FunctionArn", ""),
                state=each.get("State", ""),
                last_result=each.get("LastProcessingResult") or "",
                dead_letters=((each.get("DestinationConfig") or {}).get("OnFailure") or {}).get("Destination", ""),
                id=each.get("UUID", ""),
            )
            for each in found
        )

    def queued(self, queue_arn: str) -> int:
        """About how many messages a queue has, those in flight and delayed included."""
        owner, name = queue_arn.split(":")[4:6]
        url = self._call("sqs", "get_queue_url", QueueName=name, QueueOwnerAWSAccountId=owner)["QueueUrl"]
        names = [f"ApproximateNumberOfMessages{kind}" for kind in ("", "NotVisible", "Delayed")]
        found = self._call("sqs", "get_queue_attributes", QueueUrl=url, AttributeNames=names).get("Attributes", {})
        return sum(int(found.get(each, 0)) for each in names)

    def kept(self, bucket: str) -> int:
        """How many batches of changes wait in a bucket to be replayed; 1,000 stands for that many or more."""
        found = self._call("s3", "list_objects_v2", Bucket=bucket, Prefix=WAITING).get("KeyCount", 0)
        return int(found)

    def iterator_age(self, function: str, start: datetime, end: datetime) -> float | None:
        """The greatest age of a record that the reader of a stream received, in seconds; None if it received none."""
        found = self._call(
            "cloudwatch",
            "get_metric_statistics",
            Namespace="AWS/Lambda",
            MetricName="IteratorAge",
            Dimensions=[{"Name": "FunctionName", "Value": function}],
            StartTime=start,
            EndTime=end,
            Period=60,
            Statistics=["Maximum"],
        )
        return max((point["Maximum"] / 1000 for point in found.get("Datapoints", ())), default=None)

    def alarms(self) -> tuple[Alarm, ...]:
        """Every metric alarm of the account in this region."""
        found = self._pages("cloudwatch", "describe_alarms", "MetricAlarms", "NextToken", AlarmTypes=["MetricAlarm"])
        return tuple(
            Alarm(
                name=each["AlarmName"],
                state=each.get("StateValue", ""),
                namespaces=frozenset(metric.get("Namespace", "") for metric in _metrics(each)),
                watches=frozenset(
                    dimension["Value"] for metric in _metrics(each) for dimension in metric.get("Dimensions") or ()
                ),
                actions=tuple(each.get("AlarmActions") or ()) if each.get("ActionsEnabled", True) else (),
            )
            for each in found
        )

    def subscribers(self, topic: str) -> int:
        """How many subscribers of a topic have confirmed."""
        found = self._pages("sns", "list_subscriptions_by_topic", "Subscriptions", "NextToken", TopicArn=topic)
        return sum(each.get("SubscriptionArn", "").startswith("arn:") for each in found)

    def _pages(
        self, service: str, operation: str, items: str, token: str, next_token: str = "", **request: object
    ) -> Iterator[Mapping[str, Any]]:
        """The entries of all pages.

        Args:
            service: as in ``READS``.
            operation: likewise.
            items: the member of a response with the entries.
            token: the member of a request that continues.
            next_token: the member of a response that says where; by default the same.
            request: the members of the first request.
        """
        while True:
            page = self._call(service, operation, **request)
            yield from page.get(items) or ()
            following = page.get(next_token or token)
            if not following:
                return
            request[token] = following

    def _call(self, service: str, operation: str, **request: object) -> dict[str, Any]:
        action = READS[service, operation]
        try:
            call: Callable[..., dict[str, Any]] = getattr(self._client(service), operation)
            return call(**request)
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            if code in _NO_IDENTITY:
                message = f"AWS does not know these credentials ({code}). Check them."
                raise OperationError(Code.ACCESS_DENIED, message) from error
            if code in _DENIED:
                raise NotSeenError(f"AWS denies access ({code}).", action) from error
            if code in _ABSENT:
                raise AbsentError(f"It does not exist ({code}).") from error
            raise NotSeenError(f"AWS refuses the request ({action}: {code}).") from error
        except BotoCoreError as error:
            raise NotSeenError(f"AWS does not respond ({action}: {type(error).__name__}).") from error

    def _connect(self, service: str) -> Any:  # noqa: ANN401 - botocore clients have no type
        session = botocore.session.get_session()
        return session.create_client(service, region_name=self._region, endpoint_url=self._endpoint_url, config=PATIENT)


def _app_client(found: Mapping[str, Any]) -> AppClient:
    writable = found.get("WriteAttributes")
    return AppClient(
        id=found["ClientId"],
        name=found.get("ClientName", ""),
        machine="client_credentials" in (found.get("AllowedOAuthFlows") or ()),
        writable=frozenset(writable) if writable else None,
        callback_urls=tuple(found.get("CallbackURLs") or ()),
    )


def _function(found: Mapping[str, Any], arn: str) -> Function:
    variables = (found.get("Environment") or {}).get("Variables") or {}
    ours = {name: value for name, value in variables.items() if name.startswith("CLAIMSMITH_")}
    return Function(found.get("FunctionName", ""), arn, ours)


def _keys(schema: Sequence[Mapping[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple((each["AttributeName"], each["KeyType"]) for each in schema)


def _metrics(alarm: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The metrics of an alarm: it has one, or an expression of several."""
    several = [each["MetricStat"]["Metric"] for each in alarm.get("Metrics") or () if "MetricStat" in each]
    return several or [alarm]
