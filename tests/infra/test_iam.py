"""Least privilege, from both sides: what a function asks of DynamoDB is allowed, and what it must not have is not.

The emulator does not know ``dynamodb:LeadingKeys``, so the policies are evaluated here.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.infra.permissions import LEADING_KEYS, Statement, allowed, arn, imported, listed, of_function, wants

if TYPE_CHECKING:
    from tests.infra.template import Template


FUNCTIONS = ("Trigger", "Publisher", "Audit", "Authorizer", "Introspection")
STATEFUL = ("Trigger", "Publisher", "Audit")


@pytest.fixture(scope="module")
def statements(production: Template, verifier: Template) -> dict[str, list[Statement]]:
    """What each function is allowed."""
    return {
        "Trigger": of_function(production, "ClaimsTrigger"),
        "Publisher": of_function(production, "ClaimsPublisher"),
        "Audit": of_function(production, "ClaimsAudit"),
        "Authorizer": of_function(verifier, "AuthorizerFunctionE"),
        "Introspection": of_function(verifier, "Introspection"),
        "RestAuthorizer": of_function(verifier, "RestAuthorizer"),
        "Sample": of_function(verifier, "Sample"),
    }


@pytest.fixture(scope="module")
def tables(production: Template) -> dict[str, dict[str, dict[str, Any]]]:
    """The tables' ARNs as each function's template has them. The verifier's does not even know the audit table."""
    here = {name: arn(production, "DynamoDB::Table", f"Claims{name}") for name in ("Table", "AuditTable")}
    there = {"Table": imported(production, here["Table"]), "AuditTable": here["AuditTable"]}
    return {function: here if function in STATEFUL else there for function in FUNCTIONS}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_functions_requests_to_dynamodb_are_allowed(
    statements: dict[str, list[Statement]],
    tables: dict[str, dict[str, dict[str, Any]]],
    requests: dict[str, list[dict[str, Any]]],
    function: str,
) -> None:
    wanted = [want for request in requests[function] for want in wants(request)]
    assert wanted
    refused = [
        (action, table, keys)
        for action, table, keys in wanted
        if not allowed(statements[function], action, tables[function][table], keys)
    ]
    assert refused == []


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_may_do_nothing_to_tables_that_it_never_does(
    statements: dict[str, list[Statement]], requests: dict[str, list[dict[str, Any]]], function: str
) -> None:
    used = {action for request in requests[function] for action, _, _ in wants(request)}
    may = {
        action
        for statement in statements[function]
        if statement.get("Sid") != "ReadStream"
        for action in listed(statement["Action"])
        if action.startswith("dynamodb:")
    }
    assert may == used


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
        ("Trigger", "Scan", "Table", []),
        ("Trigger", "GetItem", "AuditTable", ["USER#1"]),
        ("Publisher", "PutItem", "Table", ["POLICY"]),
        ("Publisher", "PutItem", "Table", ["USER#1"]),
        ("Publisher", "DeleteItem", "Table", ["BUNDLE"]),
        ("Publisher", "Query", "Table", ["USER#1"]),
        ("Publisher", "Query", "Table", ["PROTECTED_RESOURCE#api"]),
        ("Publisher", "Scan", "Table", []),
        ("Publisher", "PutItem", "AuditTable", ["POLICY"]),
        ("Audit", "DeleteItem", "AuditTable", ["POLICY"]),
        ("Audit", "UpdateItem", "AuditTable", ["POLICY"]),
        ("Audit", "Query", "AuditTable", ["POLICY"]),
        ("Audit", "GetItem", "Table", ["POLICY"]),
        ("Audit", "PutItem", "Table", ["POLICY"]),
        ("Authorizer", "GetItem", "Table", ["PROTECTED_RESOURCE#api"]),
        ("Authorizer", "GetItem", "Table", ["USER#1"]),
        ("Authorizer", "GetItem", "Table", ["POLICY"]),
        ("Authorizer", "BatchGetItem", "Table", ["REVOKED#token#1", "USER#1"]),
        ("Authorizer", "PutItem", "Table", ["REVOKED#token#1"]),
        ("Authorizer", "Scan", "Table", []),
        ("Authorizer", "GetItem", "AuditTable", ["USER#1"]),
        ("Introspection", "GetItem", "Table", ["USER#1"]),
        ("Introspection", "BatchGetItem", "Table", ["PROTECTED_RESOURCE#api"]),
        ("Introspection", "Query", "Table", ["PROTECTED_RESOURCE#api"]),
        ("Introspection", "Query", "Table", ["POLICY"]),
        ("Introspection", "BatchGetItem", "Table", ["USER#1"]),
        ("Introspection", "PutItem", "Table", ["PROTECTED_RESOURCE#api"]),
        ("Introspection", "DeleteItem", "Table", ["REVOKED#token#1"]),
        ("Introspection", "Scan", "Table", []),
    ],
)
def test_a_function_has_no_other_permissions(
    statements: dict[str, list[Statement]],
    tables: dict[str, dict[str, dict[str, Any]]],
    function: str,
    action: str,
    table: str,
    keys: list[str],
) -> None:
    assert not allowed(statements[function], f"dynamodb:{action}", tables[function][table], keys)


def test_the_two_authorizers_may_do_the_same(statements: dict[str, list[Statement]]) -> None:
    def of_tables(function: str) -> list[Statement]:
        return [entry for entry in statements[function] if entry.get("Sid") != "WriteLogs"]

    assert of_tables("RestAuthorizer") == of_tables("Authorizer")


def test_the_sample_may_do_nothing_but_log(statements: dict[str, list[Statement]]) -> None:
    assert [entry["Sid"] for entry in statements["Sample"]] == ["WriteLogs"]


@pytest.mark.parametrize("function", [*FUNCTIONS, "RestAuthorizer", "Sample"])
def test_every_statement_allows_named_actions_on_resources_of_this_app(
    production: Template, verifier: Template, statements: dict[str, list[Statement]], function: str
) -> None:
    resources = {**production.document["Resources"], **verifier.document["Resources"]}
    exports = [output.get("Export", {}).get("Name") for output in production.document["Outputs"].values()]
    for statement in statements[function]:
        assert statement["Effect"] == "Allow"
        assert "*" not in json.dumps(statement["Action"]), statement
        for resource in listed(statement["Resource"]):
            parts = resource["Fn::Join"][1] if "Fn::Join" in resource else [resource]
            assert parts[0].get("Fn::GetAtt", [None])[0] in resources or parts[0].get("Fn::ImportValue") in exports


def test_leading_keys_guard_only_actions_that_always_name_their_keys(statements: dict[str, list[Statement]]) -> None:
    # Where a request names none, ForAllValues is true: a Scan with this condition would read the whole table.
    guarded = {
        action
        for function in FUNCTIONS
        for statement in statements[function]
        if LEADING_KEYS in json.dumps(statement)
        for action in listed(statement["Action"])
    }
    assert guarded == {f"dynamodb:{name}" for name in ("BatchGetItem", "DeleteItem", "GetItem", "PutItem", "Query")}


def test_the_index_is_no_functions(production: Template, verifier: Template) -> None:
    for template in (production, verifier):
        assert "/index/" not in json.dumps(template.of_type("IAM::Policy"))


def test_no_role_has_a_managed_policy_or_another_principal(production: Template, verifier: Template) -> None:
    for role in [*production.of_type("IAM::Role").values(), *verifier.of_type("IAM::Role").values()]:
        assert "ManagedPolicyArns" not in role["Properties"]
        assert role["Properties"]["AssumeRolePolicyDocument"]["Statement"] == [
            {"Action": "sts:AssumeRole", "Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}}
        ]


def test_a_function_writes_to_its_own_log_group_only(production: Template, verifier: Template) -> None:
    for template in (production, verifier):
        for name, function in template.of_type("Lambda::Function").items():
            group = function["Properties"]["LoggingConfig"]["LogGroup"]["Ref"]
            logs = [entry for entry in of_function(template, name) if "logs:" in json.dumps(entry["Action"])]
            assert [(entry["Action"], entry["Resource"]) for entry in logs] == [
                (["logs:CreateLogStream", "logs:PutLogEvents"], {"Fn::GetAtt": [group, "Arn"]})
            ], name
