"""Least privilege, from both sides: what a function asks of DynamoDB is allowed, and what it must not have is not.

The emulator does not know ``dynamodb:LeadingKeys``, so the policies are evaluated here.
"""

from __future__ import annotations

import json
import subprocess
import sys
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import pytest

from tests.infra.template import ROOT

if TYPE_CHECKING:
    from tests.infra.template import Template

pytestmark = pytest.mark.xdist_group("cdk")

FUNCTIONS = ("Trigger", "Publisher")
LEADING_KEYS = "dynamodb:LeadingKeys"
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "CLAIMSMITH_TABLE": "Table",
    "CLAIMSMITH_AUDIT_TABLE": "AuditTable",
    "POWERTOOLS_LOG_LEVEL": "CRITICAL",
    "POWERTOOLS_METRICS_DISABLED": "true",
}


def _statements(template: Template, function: str) -> list[dict[str, Any]]:
    """Every statement of the policies attached to a function's role."""
    role = template.properties("Lambda::Function", f"Claims{function}")["Role"]["Fn::GetAtt"][0]
    return [
        statement
        for policy in template.of_type("IAM::Policy").values()
        if policy["Properties"]["Roles"] == [{"Ref": role}]
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
    ]


def _allowed(template: Template, function: str, action: str, table: str, keys: list[str] | None) -> bool:
    """Whether IAM lets a function do something to rows of a table. Keys are None where a request names none."""
    arn = {"Fn::GetAtt": [template.named("DynamoDB::Table", f"Claims{table}")[0], "Arn"]}
    for statement in _statements(template, function):
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        if statement["Resource"] != arn or f"dynamodb:{action}" not in actions:
            continue
        patterns = statement.get("Condition", {}).get("ForAllValues:StringLike", {}).get(LEADING_KEYS, ["*"])
        if all(any(fnmatchcase(key, pattern) for pattern in patterns) for key in keys or ()):
            return True
    return False


@pytest.fixture(scope="module")
def requests() -> dict[str, list[dict[str, Any]]]:
    """What the functions ask of DynamoDB, from running them."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.infra.record_requests"],
        cwd=ROOT,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    recorded: dict[str, list[dict[str, Any]]] = json.loads(done.stdout.splitlines()[-1])
    return recorded


def _wants(request: dict[str, Any]) -> list[tuple[str, str, list[str]]]:
    """The actions a request needs: name, table, partition keys."""
    operation, parameters = request["operation"], request["parameters"]
    match operation:
        case "BatchGetItem":
            return [
                (operation, table, [key["pk"]["S"] for key in wanted["Keys"]])
                for table, wanted in parameters["RequestItems"].items()
            ]
        case "Query":
            return [(operation, parameters["TableName"], [parameters["ExpressionAttributeValues"][":pk"]["S"]])]
        case "PutItem":
            return [(operation, parameters["TableName"], [parameters["Item"]["pk"]["S"]])]
        case "GetItem" | "UpdateItem" | "DeleteItem":
            return [(operation, parameters["TableName"], [parameters["Key"]["pk"]["S"]])]
        case _:
            pytest.fail(f"{operation} is new; say here what it needs")


@pytest.mark.parametrize("function", FUNCTIONS)
def test_what_a_function_asks_of_dynamodb_is_allowed(
    production: Template, requests: dict[str, list[dict[str, Any]]], function: str
) -> None:
    wanted = [want for request in requests[function] for want in _wants(request)]
    assert wanted
    assert [want for want in wanted if not _allowed(production, function, *want)] == []


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_may_do_nothing_to_tables_that_it_never_does(
    production: Template, requests: dict[str, list[dict[str, Any]]], function: str
) -> None:
    used = {f"dynamodb:{action}" for request in requests[function] for action, _, _ in _wants(request)}
    allowed = {
        action
        for statement in _statements(production, function)
        if statement.get("Sid") != "ReadStream"
        for action in (statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]])
        if action.startswith("dynamodb:")
    }
    assert allowed == used


@pytest.mark.parametrize(
    ("function", "action", "table", "keys"),
    [
        ("Trigger", "Query", "Table", ["POLICY"]),
        ("Trigger", "GetItem", "Table", ["REVOKED#user#1"]),
        ("Trigger", "GetItem", "Table", ["PROTECTED_RESOURCE#api"]),
        ("Trigger", "GetItem", "Table", ["BUNDLE#"]),
        ("Trigger", "BatchGetItem", "Table", ["TENANT#acme", "POLICY"]),
        ("Trigger", "PutItem", "Table", ["USER#1"]),
        ("Trigger", "UpdateItem", "Table", ["BUNDLE"]),
        ("Trigger", "Scan", "Table", None),
        ("Trigger", "GetItem", "AuditTable", ["USER#1"]),
        ("Publisher", "PutItem", "Table", ["POLICY"]),
        ("Publisher", "PutItem", "Table", ["USER#1"]),
        ("Publisher", "DeleteItem", "Table", ["BUNDLE"]),
        ("Publisher", "Query", "Table", ["USER#1"]),
        ("Publisher", "Query", "Table", ["PROTECTED_RESOURCE#api"]),
        ("Publisher", "Scan", "Table", None),
        ("Publisher", "DeleteItem", "AuditTable", ["POLICY"]),
        ("Publisher", "UpdateItem", "AuditTable", ["POLICY"]),
        ("Publisher", "Query", "AuditTable", ["POLICY"]),
    ],
)
def test_what_a_function_must_not_have_is_refused(
    production: Template, function: str, action: str, table: str, keys: list[str] | None
) -> None:
    assert not _allowed(production, function, action, table, keys)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_statement_allows_named_actions_on_resources_of_this_stack(production: Template, function: str) -> None:
    for statement in _statements(production, function):
        assert statement["Effect"] == "Allow"
        assert "*" not in json.dumps(statement["Action"]), statement
        for resource in statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]:
            parts = resource["Fn::Join"][1] if "Fn::Join" in resource else [resource]
            assert parts[0]["Fn::GetAtt"][0] in production.document["Resources"]


def test_leading_keys_guard_only_actions_that_always_name_their_keys(production: Template) -> None:
    # Where a request names none, ForAllValues is true: a Scan with this condition would read the whole table.
    guarded = {
        action
        for function in FUNCTIONS
        for statement in _statements(production, function)
        if LEADING_KEYS in json.dumps(statement)
        for action in (statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]])
    }
    assert guarded == {f"dynamodb:{name}" for name in ("BatchGetItem", "DeleteItem", "GetItem", "PutItem", "Query")}


def test_the_index_is_nobodys(production: Template) -> None:
    assert "/index/" not in json.dumps(production.of_type("IAM::Policy"))


def test_no_role_has_a_managed_policy_or_another_principal(production: Template) -> None:
    for role in production.of_type("IAM::Role").values():
        assert "ManagedPolicyArns" not in role["Properties"]
        assert role["Properties"]["AssumeRolePolicyDocument"]["Statement"] == [
            {"Action": "sts:AssumeRole", "Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}}
        ]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_writes_to_its_own_log_group_only(production: Template, function: str) -> None:
    group = production.properties("Lambda::Function", f"Claims{function}")["LoggingConfig"]["LogGroup"]["Ref"]
    logs = [statement for statement in _statements(production, function) if "logs:" in json.dumps(statement["Action"])]
    assert [(statement["Action"], statement["Resource"]) for statement in logs] == [
        (["logs:CreateLogStream", "logs:PutLogEvents"], {"Fn::GetAtt": [group, "Arn"]})
    ]
