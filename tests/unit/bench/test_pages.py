"""What `make bench` wrote: the pages say what the committed figures say, and the calculation does what it says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.bench import report, scale
from tests.bench.canned import Canned, answer
from tests.policies import membership_row, tenant_row, user_row


@pytest.fixture(scope="module")
def figures() -> Any:  # noqa: ANN401 - JSON
    return json.loads(report.FIGURES.read_text(encoding="utf-8"))


def test_the_page_of_performance_is_that_of_the_figures(figures: Any) -> None:  # noqa: ANN401 - JSON
    assert report.PAGE.read_text(encoding="utf-8") == report.page(figures)


def test_the_page_of_scale_is_that_of_the_figures(figures: Any) -> None:  # noqa: ANN401 - JSON
    text = scale.PAGE.read_text(encoding="utf-8")
    assert dict(scale.written(text)) == scale.sections(figures)
    assert scale.page(text, figures) == text


def test_an_hour_has_its_invocations_and_its_peak() -> None:
    taken = scale.Function(warm_ms=10, cold_ms=200, warm_units=1, cold_units=4, warm_log=500, cold_log=600)
    found = scale.hour(100, taken)
    assert found.invocations == pytest.approx(360_000, rel=0.01)
    assert found.most == pytest.approx(100 * scale.PEAK, rel=0.2)
    assert found.environments >= found.most / 10  # an environment answers ten requests a second
    assert found.units >= found.most
    assert scale.hour(1000, taken).environments == pytest.approx(10 * found.environments, rel=0.2)


@pytest.mark.parametrize(
    ("operation", "asked", "rows", "units"),
    [
        ("Query", {"ExpressionAttributeValues": {":pk": {"S": "USER#u"}}, "ConsistentRead": True}, 2, 1.0),
        ("GetItem", {"Key": {"pk": {"S": "TENANT#t"}, "sk": {"S": "TENANT"}}}, 1, 0.5),
        ("BatchGetItem", {"RequestItems": {"claimsmith": {"Keys": [{}] * 5, "ConsistentRead": True}}}, 1, 5.0),
    ],
)
def test_read_units_are_those_of_dynamodb(operation: str, asked: dict[str, Any], rows: int, units: float) -> None:
    found = [user_row("u"), membership_row("u", "t"), tenant_row("t")][-rows:]
    name = {"Query": "Query USER", "GetItem": "GetItem TENANT"}.get(operation, operation)
    server = Canned({name: answer(found, operation)}, "")
    server.respond(f"X-Amz-Target: DynamoDB_20120810.{operation}\r\n".encode(), json.dumps(asked).encode())
    assert (server.requests, server.units) == ({name: 1}, units)
