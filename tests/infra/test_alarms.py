from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from claimsmith_cdk.alarms import AlarmThresholds
from claimsmith_cdk.closure import first_party_files
from claimsmith_cdk.props import PropsError
from tests.infra.template import ROOT, synthesise

if TYPE_CHECKING:
    from pathlib import Path

    from tests.infra.template import Template

pytestmark = pytest.mark.xdist_group("cdk")


@pytest.fixture(params=["production", "verifier"])
def template(request: pytest.FixtureRequest) -> Template:
    found: Template = request.getfixturevalue(request.param)
    return found


def _alarms(template: Template) -> dict[str, dict[str, Any]]:
    """By the name that the guide has."""
    return {
        re.sub(r"^Alarms|[0-9A-F]{8}$", "", name): alarm["Properties"]
        for name, alarm in template.of_type("CloudWatch::Alarm").items()
    }


def _documented() -> dict[str, str]:
    """The guide's table of alarms: what to do, by name."""
    guide = (ROOT / "docs" / "how-to" / "deploy.md").read_text(encoding="utf-8")
    section = re.search(r"## Alarms: what to do at 3 a\.m\.\n.*?\|---\|---\|---\|\n(.*?)\n(?:\n|$)", guide, re.DOTALL)
    assert section is not None
    return {cells[1].strip(" `"): cells[3].strip() for line in section[1].splitlines() if (cells := line.split("|"))}


def test_every_alarm_names_its_remedy(template: Template) -> None:
    documented = _documented()
    for name, alarm in _alarms(template).items():
        assert alarm["AlarmDescription"].endswith(f"What to do: docs/how-to/deploy.md, {name}.")
        assert documented.get(name), name


def test_the_guide_has_no_alarm_that_is_not_there(production: Template, verifier: Template) -> None:
    assert set(_documented()) == {*_alarms(production), *_alarms(verifier)}


def test_where_nothing_happens_no_alarm_rings(template: Template) -> None:
    for name, alarm in _alarms(template).items():
        assert alarm["TreatMissingData"] == "notBreaching", name


def test_every_alarm_notifies_the_topic(production: Template, verifier: Template) -> None:
    topic = {"Ref": production.named("SNS::Topic", "")[0]}
    (export,) = [
        output["Export"]["Name"]
        for output in production.document["Outputs"].values()
        if ("Export" in output and output["Value"] == topic)
    ]
    assert {str(alarm["AlarmActions"]) for alarm in _alarms(production).values()} == {str([topic])}
    assert {str(alarm["AlarmActions"]) for alarm in _alarms(verifier).values()} == {str([{"Fn::ImportValue": export}])}


def _dimensions(alarm: dict[str, Any]) -> dict[str, Any]:
    return {dimension["Name"]: dimension["Value"] for dimension in alarm["Dimensions"]}


@pytest.mark.parametrize(
    ("name", "metric", "statistic", "threshold", "function"),
    [
        ("TriggerErrors", "Errors", "Sum", 3, "Trigger"),
        ("TriggerThrottles", "Throttles", "Sum", 1, "Trigger"),
        ("TriggerSlow", "Duration", "p99", 4000, "Trigger"),
        ("PublisherCrashes", "Errors", "Sum", 1, "Publisher"),
        ("PublisherThrottles", "Throttles", "Sum", 1, "Publisher"),
        ("PublisherBehind", "IteratorAge", "Maximum", 300_000, "Publisher"),
        ("AuditCrashes", "Errors", "Sum", 1, "Audit"),
        ("AuditThrottles", "Throttles", "Sum", 1, "Audit"),
        ("AuditBehind", "IteratorAge", "Maximum", 300_000, "Audit"),
    ],
)
def test_functions_are_watched_where_lambda_counts(
    production: Template, name: str, metric: str, statistic: str, threshold: int, function: str
) -> None:
    alarm = _alarms(production)[name]
    assert (alarm["Namespace"], alarm["MetricName"]) == ("AWS/Lambda", metric)
    assert alarm.get("Statistic", alarm.get("ExtendedStatistic")) == statistic
    assert (alarm["Threshold"], alarm["ComparisonOperator"]) == (threshold, "GreaterThanOrEqualToThreshold")
    assert _dimensions(alarm) == {"FunctionName": {"Ref": production.named("Lambda::Function", f"Claims{function}")[0]}}


def test_the_slow_alarm_comes_before_cognitos_timeout(production: Template) -> None:
    timeout = production.properties("Lambda::Function", "ClaimsTrigger")["Timeout"]
    assert _alarms(production)["TriggerSlow"]["Threshold"] < timeout * 1000


@pytest.mark.parametrize(("reader", "mapping"), [("Audit", "AuditStream"), ("Publisher", "Stream")])
@pytest.mark.parametrize(
    ("name", "metric"), [("GaveUp", "OnFailureDestinationDeliveredEventCount"), ("Lost", "DroppedEventCount")]
)
def test_what_is_given_up_on_rings_at_the_first(
    production: Template, reader: str, mapping: str, name: str, metric: str
) -> None:
    alarm = _alarms(production)[reader + name]
    logical_id, _ = production.named("Lambda::EventSourceMapping", f"Claims{mapping}")
    assert (alarm["Namespace"], alarm["MetricName"]) == ("AWS/Lambda", metric)
    assert _dimensions(alarm) == {"EventSourceMappingUUID": {"Ref": logical_id}}
    assert alarm["Threshold"] == 1


def _math(alarm: dict[str, Any]) -> tuple[str, set[str]]:
    """The expression of an alarm, and the metrics in it."""
    (expression,) = [each["Expression"] for each in alarm["Metrics"] if "Expression" in each]
    return expression, {each["MetricStat"]["Metric"]["MetricName"] for each in alarm["Metrics"] if "MetricStat" in each}


def test_a_trigger_that_is_not_called_rings_where_users_sign_in(production: Template) -> None:
    expression, metrics = _math(_alarms(production)["TriggerDetached"])
    assert expression == "IF(FILL(s0, 0) + FILL(s1, 0) >= 5 AND FILL(called, 0) < 1, 1, 0)"
    assert metrics == {"SignInSuccesses", "Invocations"}


def test_a_threshold_that_would_never_or_always_ring_is_refused() -> None:
    with pytest.raises(PropsError, match="policy_waiting_minutes=0"):
        AlarmThresholds(policy_waiting_minutes=0)


def test_both_tables_are_watched_for_throttles(production: Template) -> None:
    watched = {
        (alarm["MetricName"], str(_dimensions(alarm)["TableName"]))
        for alarm in _alarms(production).values()
        if alarm.get("Namespace") == "AWS/DynamoDB"
    }
    tables = production.of_type("DynamoDB::Table")
    assert watched == {(f"{kind}ThrottleEvents", str({"Ref": table})) for kind in ("Read", "Write") for table in tables}


def test_the_verifiers_functions_and_apis_are_watched(verifier: Template) -> None:
    alarms = _alarms(verifier)
    for function in ("Authorizer", "Introspection"):
        (reference,) = {str(_dimensions(alarms[f"{function}{what}"])) for what in ("Errors", "Throttles")}
        assert f"{function}Function" in reference
    assert (alarms["HttpApiFailures"]["Namespace"], alarms["HttpApiFailures"]["MetricName"]) == (
        "AWS/ApiGateway",
        "5xx",
    )
    assert alarms["RestApiFailures"]["MetricName"] == "5XXError"


def test_errors_that_anybody_can_cause_ring_nobody(verifier: Template) -> None:
    # A REST API's authorizer says "unauthorized" by an error.
    assert {name for name in _alarms(verifier) if name.startswith("RestAuthorizer")} == {"RestAuthorizerThrottles"}


def _functions_of(service: str) -> set[Path]:
    """The files below ``lambdas`` that the functions of a service are made of."""
    handlers = [file.stem for file in (ROOT / "lambdas" / service).glob("*.py") if file.stem != "__init__"]
    assert handlers
    return {file for name in handlers for file in first_party_files(ROOT, f"lambdas.{service}.{name}", ("lambdas",))}


OWN = {
    "SignInsFail": ("Failed", "pre_token"),
    "TokensDegraded": ("Degraded", "pre_token"),
    "RowsUnreadable": ("UnreadableRows", "pre_token"),
    "PolicyProblems": ("PolicyProblems", "publisher"),
    "PolicyWaits": ("PolicyWaiting", "publisher"),
    "AuditErrors": ("AuditErrors", "publisher"),
    "PublisherErrors": ("PublisherErrors", "publisher"),
    "AuditCut": ("AuditCut", "publisher"),
    "TokensUnknown": ("Unknown", "verifier"),
    "RevocationsUnreadable": ("UnreadableRows", "verifier"),
}


def test_custom_metrics_are_those_of_the_functions(production: Template, verifier: Template) -> None:
    alarms = {**_alarms(production), **_alarms(verifier)}
    own = {
        name: (alarm["MetricName"], _dimensions(alarm)["service"])
        for name, alarm in alarms.items()
        if alarm.get("Namespace") == "Claimsmith"
    }
    assert own == OWN
    services = {
        function["Properties"]["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"]
        for template in (production, verifier)
        for function in template.of_type("Lambda::Function").values()
    }
    for metric, service in own.values():
        assert service in services
        sources = "".join(file.read_text(encoding="utf-8") for file in _functions_of(service))
        assert f'"{metric}"' in sources, f"{service} does not count {metric}"


def test_alarms_look_at_the_metrics_of_their_own_deployment(production: Template, verifier: Template) -> None:
    for template, stack in ((production, "Claimsmith"), (verifier, "ClaimsmithVerifier")):
        for function in template.of_type("Lambda::Function").values():
            assert function["Properties"]["Environment"]["Variables"]["CLAIMSMITH_DEPLOYMENT"] == stack
        own = [alarm for alarm in _alarms(template).values() if alarm.get("Namespace") == "Claimsmith"]
        assert {_dimensions(alarm)["deployment"] for alarm in own} == {stack}


def test_nobody_but_cloudwatch_of_this_account_publishes_and_only_encrypted(production: Template) -> None:
    topic = {"Ref": production.named("SNS::Topic", "")[0]}
    statements = production.properties("SNS::TopicPolicy")["PolicyDocument"]["Statement"]
    listed = [
        (
            statement["Effect"],
            statement["Principal"],
            statement["Action"],
            statement["Resource"],
            sorted(statement["Condition"]),
        )
        for statement in statements
    ]
    assert listed == [
        ("Deny", "*", "sns:Publish", topic, ["Bool"]),
        ("Allow", {"Service": "cloudwatch.amazonaws.com"}, "sns:Publish", topic, ["ArnLike", "StringEquals"]),
    ]
    assert statements[1]["Condition"]["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
    assert statements[1]["Condition"]["ArnLike"]["aws:SourceArn"]["Fn::Join"][1][-1] == ":alarm:*"


def test_a_configured_address_gets_alarms(production: Template) -> None:
    assert not production.of_type("SNS::Subscription")
    template = synthesise({"alarm_emails": ["on-call@example.com"]}).stateful
    subscription = template.properties("SNS::Subscription")
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", "on-call@example.com")
