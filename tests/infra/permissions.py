"""Evaluates IAM policies of a template, as far as this project uses IAM: allowed actions, resources, leading keys."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.infra.template import Template

LEADING_KEYS = "dynamodb:LeadingKeys"

Statement = dict[str, Any]


def listed(value: Any) -> list[Any]:  # noqa: ANN401 - any JSON value
    """What IAM takes as one or several."""
    return value if isinstance(value, list) else [value]


def of_function(template: Template, function: str) -> list[Statement]:
    """Every statement of the policies attached to a function's role."""
    role = template.properties("Lambda::Function", function)["Role"]["Fn::GetAtt"][0]
    return [
        statement
        for policy in template.of_type("IAM::Policy").values()
        if policy["Properties"]["Roles"] == [{"Ref": role}]
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
    ]


def arn(template: Template, resource_type: str, part: str) -> dict[str, Any]:
    """The ARN of a resource, as its own template writes it."""
    return {"Fn::GetAtt": [template.named(resource_type, part)[0], "Arn"]}


def imported(stateful: Template, value: dict[str, Any]) -> dict[str, Any]:
    """What a value of the stateful stack is in another stack's template."""
    (name,) = [
        output["Export"]["Name"]
        for output in stateful.document["Outputs"].values()
        if "Export" in output and output["Value"] == value
    ]
    return {"Fn::ImportValue": name}


def allowed(statements: Iterable[Statement], action: str, resource: dict[str, Any], keys: Iterable[str] = ()) -> bool:
    """Whether IAM lets somebody do something.

    Args:
        statements: what they are allowed; a denial is not expected.
        action: such as ``dynamodb:GetItem``.
        resource: the ARN, as the template writes it.
        keys: the partition keys that the request names. Where it names none, a condition on them holds.
    """
    for statement in statements:
        assert statement["Effect"] == "Allow"
        if action not in listed(statement["Action"]) or resource not in listed(statement["Resource"]):
            continue
        condition = dict(statement.get("Condition", {}))
        patterns = condition.pop("ForAllValues:StringLike", {LEADING_KEYS: ["*"]})
        assert not condition
        assert set(patterns) == {LEADING_KEYS}
        if all(any(fnmatchcase(key, pattern) for pattern in listed(patterns[LEADING_KEYS])) for key in keys):
            return True
    return False


def wants(request: dict[str, Any]) -> list[tuple[str, str, list[str]]]:
    """The actions that a recorded request needs: action, table, partition keys."""
    operation, parameters = request["operation"], request["parameters"]
    match operation:
        case "BatchGetItem":
            return [
                (f"dynamodb:{operation}", table, [key["pk"]["S"] for key in wanted["Keys"]])
                for table, wanted in parameters["RequestItems"].items()
            ]
        case "TransactWriteItems":
            return [
                want
                for item in parameters["TransactItems"]
                for kind, action in item.items()
                for want in wants({"operation": f"{kind}Item", "parameters": action})
            ]
        case "Query" if "IndexName" in parameters:
            index = f"{parameters['TableName']}/index/{parameters['IndexName']}"
            return [(f"dynamodb:{operation}", index, [parameters["ExpressionAttributeValues"][":sk"]["S"]])]
        case "Query":
            keys = [parameters["ExpressionAttributeValues"][":pk"]["S"]]
        case "PutItem":
            keys = [parameters["Item"]["pk"]["S"]]
        case "GetItem" | "UpdateItem" | "DeleteItem":
            keys = [parameters["Key"]["pk"]["S"]]
        case "Scan":
            keys = []  # it names none, so no condition on them can hold it back
        case _:
            pytest.fail(f"{operation} is new; say here what it needs")
    return [(f"dynamodb:{operation}", parameters["TableName"], keys)]
