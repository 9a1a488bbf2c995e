"""What the dashboards ask CloudWatch for is there: every metric is counted, and every field is logged."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from claimsmith_cdk.closure import first_party_files
from tests.infra.template import ROOT

if TYPE_CHECKING:
    from tests.infra.template import Template


#: AWS's own metrics, by namespace and names of dimensions, as its documentation has them.
AWS = {
    ("AWS/Lambda", "FunctionName"): {"Duration", "Errors", "IteratorAge", "Throttles"},
    ("AWS/Lambda", "EventSourceMappingUUID"): {"DroppedEventCount", "OnFailureDestinationDeliveredEventCount"},
    ("AWS/DynamoDB", "TableName"): {
        "ConsumedReadCapacityUnits",
        "ConsumedWriteCapacityUnits",
        "ReadThrottleEvents",
        "WriteThrottleEvents",
    },
    ("AWS/ApiGateway", "ApiId", "Stage"): {"Count", "4xx", "5xx"},
    ("AWS/ApiGateway", "ApiName", "Stage"): {"Count", "4XXError", "5XXError"},
}


@pytest.fixture(params=["production", "verifier"])
def template(request: pytest.FixtureRequest) -> Template:
    found: Template = request.getfixturevalue(request.param)
    return found


def _widgets(template: Template) -> list[dict[str, Any]]:
    """The body as CloudWatch gets it; a reference stands in it as ``{NAME}``."""
    body = template.properties("CloudWatch::Dashboard")["DashboardBody"]
    parts = body["Fn::Join"][1] if isinstance(body, dict) else [body]
    text = "".join(part if isinstance(part, str) else f"{{{next(iter(_names(part)))}}}" for part in parts)
    widgets: list[dict[str, Any]] = json.loads(text)["widgets"]
    return widgets


def _names(part: dict[str, Any]) -> list[str]:
    return [part["Ref"]] if "Ref" in part else [str(next(iter(part.values()))).replace('"', "")]


def _metrics(widget: dict[str, Any]) -> list[tuple[str, str, dict[str, str]]]:
    """Namespace, name and dimensions of each; expressions are left out."""
    rows = [[each for each in row if isinstance(each, str)] for row in widget["properties"].get("metrics", ())]
    return [(row[0], row[1], dict(zip(row[2::2], row[3::2], strict=True))) for row in rows if row]


def _sources(service: str) -> str:
    handlers = [file.stem for file in (ROOT / "lambdas" / service).glob("*.py") if file.stem != "__init__"]
    files = {file for name in handlers for file in first_party_files(ROOT, f"lambdas.{service}.{name}", ("lambdas",))}
    return "".join(file.read_text(encoding="utf-8") for file in files)


def test_every_metric_is_counted_by_the_functions_or_by_aws(template: Template) -> None:
    metrics = [metric for widget in _widgets(template) for metric in _metrics(widget)]
    assert {namespace for namespace, _, _ in metrics} >= {"AWS/Lambda", "Claimsmith"}
    for namespace, name, dimensions in metrics:
        if namespace != "Claimsmith":
            assert name in AWS[namespace, *sorted(dimensions)], (namespace, name, dimensions)
            continue
        assert dimensions.keys() == {"service", "deployment"}
        assert dimensions["deployment"] in {"Claimsmith", "ClaimsmithVerifier"}
        published = re.match(r"Policy(Published|Refused)$", name)  # counted by the result's name
        assert published or f'"{name}"' in _sources(dimensions["service"]), name


def test_every_query_looks_for_what_a_function_logs(template: Template) -> None:
    queries = [widget["properties"]["query"] for widget in _widgets(template) if widget["type"] == "log"]
    assert queries
    groups = template.of_type("Logs::LogGroup")
    for query in queries:
        named = re.findall(r"SOURCE '\{(\w+)\}'", query)
        assert named
        assert set(named) <= set(groups)
        text = _sources("pre_token" if named[0].startswith("Claims") else "verifier")
        fields = {*re.findall(r"ispresent\((\w+)\)", query)}
        for listed in re.findall(r" by (.*)", query):
            fields |= {field for field in listed.split(", ") if "(" not in field}
        assert fields
        for field in fields - {"message"}:
            assert f'"{field}"' in text, (field, named)
        for message in re.findall(r"message = '(.*?)'", query):
            assert f'"{message}"' in text


def test_widgets_lie_beside_each_other_and_within_cloudwatchs_bounds(template: Template) -> None:
    widgets = _widgets(template)
    assert len(widgets) <= 500
    assert sum(len(_metrics(widget)) for widget in widgets) <= 2500
    cells = [
        (x, y)
        for widget in widgets
        for x in range(widget["x"], widget["x"] + widget["width"])
        for y in range(widget["y"], widget["y"] + widget["height"])
    ]
    assert len(cells) == len(set(cells)), "two lie upon each other"
    assert max(x for x, _ in cells) < 24
    assert all(len(_metrics(widget)) <= 500 for widget in widgets)


def test_a_development_stage_has_none(development: Template, development_verifier: Template) -> None:
    for template in (development, development_verifier):
        assert not template.of_type("CloudWatch::Dashboard")
