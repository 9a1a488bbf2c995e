from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from claimsmith.errors import Code
from claimsmith_cdk.alarms import AlarmThresholds
from claimsmith_cdk.closure import first_party_files
from claimsmith_cdk.props import PropsError
from tests.infra.template import ROOT, synthesise

if TYPE_CHECKING:
    from pathlib import Path

    from tests.infra.template import Template


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


RUNBOOK = (ROOT / "docs" / "how-to" / "operations.md").read_text(encoding="utf-8")


def _entries() -> dict[str, str]:
    """The runbook's entries, by the names of their alarms."""
    found = re.findall(r"^### (`[^\n]*`)\n(.*?)(?=^##)", RUNBOOK, re.MULTILINE | re.DOTALL)
    return {name: text for names, text in found for name in re.findall(r"`(\w+)`", names)}


def test_every_alarm_names_its_entry(template: Template) -> None:
    for name, alarm in _alarms(template).items():
        assert alarm["AlarmDescription"].endswith(f"What to do: docs/how-to/operations.md, {name}.")


def test_the_runbook_has_an_entry_for_every_alarm_and_for_no_other(production: Template, verifier: Template) -> None:
    optional = {"ProbeFails", "SignOutsGaveUp", "SignOutsWithoutUser"}  # test_releases.py, test_verifier_stack.py
    assert set(_entries()) == {*_alarms(production), *_alarms(verifier), *optional}


@pytest.mark.parametrize("part", ["**Affected:** ", "```sh\n", "**Mend:** ", "**Escalate:** "])
def test_every_entry_says_who_is_affected_where_to_look_and_how_to_mend_it(part: str) -> None:
    assert [name for name, text in _entries().items() if part not in text] == []


HANDLERS = (
    *("pre_token.handler", "probe.handler", "publisher.handler", "revocations.handler"),
    *("verifier.authorizer", "verifier.introspection"),
)


def test_every_code_that_a_function_may_log_belongs_to_an_alarm() -> None:
    """All others are for those who run a command: no file that a function runs names them."""
    files = {
        file for name in HANDLERS for file in first_party_files(ROOT, f"lambdas.{name}", ("lambdas", "claimsmith"))
    }
    sources = "".join(file.read_text(encoding="utf-8") for file in files if file.name != "errors.py")
    logged = {Code[name] for name in re.findall(r"\bCode\.([A-Z_]+)\b", sources)}
    said = [line for text in set(_entries().values()) for line in re.findall(r"\*\*Codes:\*\* (.*)", text)]
    spans = [(a, b or a) for line in said for a, b in re.findall(r"(CS\d{4})(?: to (CS\d{4}))?", line)]
    belong = {code for code in Code if any(first <= code <= last for first, last in spans)}
    assert logged == belong
    assert {end for span in spans for end in span} <= set(Code)


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


def _counted(alarm: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The metrics of an alarm, by their ids in its expression; without one, by their names."""
    several = {each["Id"]: each["MetricStat"]["Metric"] for each in alarm.get("Metrics", ()) if "MetricStat" in each}
    return several or {alarm["MetricName"]: alarm}


def _rings(alarm: dict[str, Any], **values: float) -> bool:
    """Whether an alarm reaches its threshold, with so much of each metric; what is not named has no data."""
    (expression,) = [each["Expression"] for each in alarm["Metrics"] if "Expression" in each]
    counted = _counted(alarm)
    assert set(values) <= {metric["MetricName"] for metric in counted.values()}
    names: dict[str, Any] = {name: values.get(metric["MetricName"]) for name, metric in counted.items()}
    names |= {"FILL": lambda value, default: default if value is None else value}
    # CloudWatch computes both and takes one; division by zero gives it no value.
    names |= {"IF": lambda condition, value, other: value if condition else other}
    names |= {"nonzero": lambda value: value or float("nan")}
    python = expression.replace("/ (", "/ nonzero(").replace(" AND ", " and ")
    value = eval(python, {"__builtins__": {}}, names)  # noqa: S307 - our own template's
    return bool(value >= alarm["Threshold"])


@pytest.mark.parametrize(
    ("name", "rings", "values"),
    [
        ("SignInsFail", False, {"Issued": 1, "Failed": 1}),
        ("SignInsFail", True, {"Failed": 3}),
        ("SignInsFail", True, {"Issued": 20, "Refused": 6, "Degraded": 1, "Failed": 3}),
        ("SignInsFail", False, {"Issued": 1000, "Failed": 30}),
        ("TokensDegraded", True, {"Degraded": 3}),
        ("SignInsRefused", False, {"Refused": 19}),
        ("SignInsRefused", False, {"Issued": 30, "Refused": 29}),
        ("SignInsRefused", True, {"Issued": 20, "Refused": 20}),
        ("TriggerCrashes", False, {"Errors": 9, "Refused": 8, "Failed": 1}),
        ("TriggerCrashes", True, {"Errors": 9, "Refused": 4, "Failed": 2}),
        ("TriggerThrottles", False, {"Throttles": 2, "Invocations": 100}),
        ("TriggerThrottles", True, {"Throttles": 3, "Invocations": 100}),
        ("ShadowFails", True, {"Shadowed": 30, "ShadowFailed": 3}),
        ("ShadowRefuses", True, {"Shadowed": 60, "ShadowRefused": 3}),
        ("ShadowRefuses", False, {"Shadowed": 61, "ShadowRefused": 3}),
        ("TriggerDetached", True, {"SignInSuccesses": 3}),
        ("TriggerDetached", False, {"SignInSuccesses": 2}),
        ("TriggerDetached", False, {"SignInSuccesses": 3, "Invocations": 1}),
        ("TokensUnknown", False, {"Allowed": 1, "Unknown": 1}),
        ("TokensUnknown", True, {"Allowed": 50, "Active": 5, "Inactive": 2, "Unknown": 3}),
        ("TokensRefused", False, {"Forbidden": 50, "Unauthorized": 49}),
        ("TokensRefused", True, {"Allowed": 11, "Forbidden": 50, "Unauthorized": 50}),
        ("VerifierCrashes", False, {"Errors": 1, "Unauthorized": 2, "Unknown": 1}),
        ("VerifierCrashes", True, {"Errors": 2, "Unauthorized": 2, "Unknown": 1}),
        ("HttpApiFailures", True, {"Count": 60, "5xx": 3}),
        ("RestApiFailures", False, {"Count": 61, "5XXError": 3}),
    ],
)
def test_a_share_rings_and_one_of_two_does_not(
    production: Template,
    verifier: Template,
    name: str,
    rings: bool,  # noqa: FBT001 - a case of several
    values: dict[str, float],
) -> None:
    """Of several functions, and of two clients, each counts so much."""
    assert _rings({**_alarms(production), **_alarms(verifier)}[name], **values) is rings


def test_no_alarm_has_more_metrics_than_cloudwatch_takes(template: Template) -> None:
    for name, alarm in _alarms(template).items():
        assert len(_counted(alarm)) <= 10, name


def test_a_threshold_that_would_never_or_always_ring_is_refused() -> None:
    with pytest.raises(PropsError, match="policy_waiting_minutes=0"):
        AlarmThresholds(policy_waiting_minutes=0)
    with pytest.raises(PropsError, match="use a number from 1 to 100"):
        AlarmThresholds(tokens_refused_percent=101)


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
    crashes = [metric for metric in _counted(alarms["VerifierCrashes"]).values() if metric["MetricName"] == "Errors"]
    for function in ("Authorizer", "Introspection", "RestAuthorizer"):
        (reference,) = {str(_dimensions(metric)) for metric in _counted(alarms[f"{function}Throttles"]).values()}
        assert f"{function}Function" in reference
        assert reference in map(str, map(_dimensions, crashes))
    for name, namespace in (("HttpApiFailures", "ApiId"), ("RestApiFailures", "ApiName")):
        assert {metric["Namespace"] for metric in _counted(alarms[name]).values()} == {"AWS/ApiGateway"}
        assert all(namespace in _dimensions(metric) for metric in _counted(alarms[name]).values())


def _functions_of(service: str) -> set[Path]:
    """The files below ``lambdas`` that the functions of a service are made of."""
    handlers = [file.stem for file in (ROOT / "lambdas" / service).glob("*.py") if file.stem != "__init__"]
    assert handlers
    return {file for name in handlers for file in first_party_files(ROOT, f"lambdas.{service}.{name}", ("lambdas",))}


def test_custom_metrics_are_those_of_the_functions(template: Template) -> None:
    counted = {
        (_dimensions(metric)["service"], metric["MetricName"])
        for alarm in _alarms(template).values()
        for metric in _counted(alarm).values()
        if metric["Namespace"] == "Claimsmith"
    }
    services = {
        function["Properties"]["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"]
        for function in template.of_type("Lambda::Function").values()
    }
    assert counted
    for service, name in counted:
        assert service in services
        sources = "".join(file.read_text(encoding="utf-8") for file in _functions_of(service))
        assert f'"{name}"' in sources, f"{service} does not count {name}"


def test_alarms_look_at_the_metrics_of_their_own_deployment(production: Template, verifier: Template) -> None:
    for template, stack in ((production, "Claimsmith"), (verifier, "ClaimsmithVerifier")):
        for function in template.of_type("Lambda::Function").values():
            assert function["Properties"]["Environment"]["Variables"]["CLAIMSMITH_DEPLOYMENT"] == stack
        counted = [metric for alarm in _alarms(template).values() for metric in _counted(alarm).values()]
        own = [metric for metric in counted if metric["Namespace"] == "Claimsmith"]
        assert {_dimensions(metric)["deployment"] for metric in own} == {stack}


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
