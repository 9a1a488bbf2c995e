from __future__ import annotations

import json
from typing import TYPE_CHECKING

import cfnlint.api
import pytest

if TYPE_CHECKING:
    from tests.infra.template import Template

EMPTIER = "FailedRecordsEmptier"

OUTPUTS = {
    "UserPoolId",
    "PublicClientId",
    "CodeClientId",
    "MachineClientId",
    "DomainName",
    "Issuer",
    "TableName",
    "AuditTableName",
    "TriggerName",
    "PublisherName",
    "AuditName",
    "FailedRecordsBucket",
    "AlarmTopicArn",
    "PolicyEditorArn",
    "DirectoryEditorArn",
    "AuditorArn",
    "OperatorArn",
    "RecoveryArn",
}


ISSUER = ["https://cognito-idp.", {"Ref": "AWS::Region"}, ".", {"Ref": "AWS::URLSuffix"}, "/"]


@pytest.fixture(params=["production", "development"])
def template(request: pytest.FixtureRequest) -> Template:
    found: Template = request.getfixturevalue(request.param)
    return found


def test_the_outputs_are_the_interface_that_others_read(template: Template) -> None:
    assert {name for name, output in template.document["Outputs"].items() if "Export" not in output} == OUTPUTS


def test_cfn_lint_finds_nothing(template: Template) -> None:
    # CDK makes every function depend on its role, which its ARN does already.
    found = [match for match in cfnlint.api.lint(json.dumps(template.document)) if match.rule.id != "W3005"]
    assert found == []


def test_the_template_fits_any_account_and_region(template: Template) -> None:
    assert "arn:aws:" not in json.dumps(template.document), "the partition must be a parameter"
    assert not [text for text in _texts(template.document) if text.isdigit() and len(text) == 12], "an account number"


def test_nothing_of_the_emulator_is_in_a_production_template(production: Template) -> None:
    text = json.dumps(production.document).lower()
    for trace in ("localhost", "127.0.0.1", "endpoint_url", "ministack", "4566", "http://", "access_key"):
        assert trace not in text


def test_functions_have_only_the_documented_variables(template: Template) -> None:
    found = {
        name: set(resource["Properties"]["Environment"]["Variables"])
        for name, resource in template.of_type("Lambda::Function").items()
        if EMPTIER not in name
    }
    common = {
        "CLAIMSMITH_DEPLOYMENT",
        "CLAIMSMITH_TABLE",
        "POWERTOOLS_METRICS_NAMESPACE",
        "POWERTOOLS_SERVICE_NAME",
    }
    assert sorted(found.values(), key=sorted) == [
        common | {"CLAIMSMITH_AUDIT_TABLE"},
        common | {"CLAIMSMITH_AUDIT_TABLE"},
        common | {"CLAIMSMITH_ON_FAILURE"},
    ]


def test_the_settings_differ_only_in_retention_local_addresses_and_the_dashboard(
    production: Template, development: Template
) -> None:
    dashboards = tuple(f"/Resources/{name}/" for name in production.of_type("CloudWatch::Dashboard"))
    assert dashboards
    emptier = tuple(f"/Resources/{name}/" for name in development.document["Resources"] if EMPTIER in name)
    assert emptier
    differing = {
        path
        for path, _ in _leaves(production.document) ^ _leaves(development.document)
        if not path.startswith((*dashboards, *emptier))
    }
    assert {path.rpartition("/")[2] for path in differing if path.startswith("/Resources/")} == {
        "DeletionPolicy",
        "UpdateReplacePolicy",
        "DeletionProtection",
        "DeletionProtectionEnabled",
        "PointInTimeRecoveryEnabled",
        "RetentionInDays",
        "Rules",
        "CallbackURLs",
        "LogoutURLs",
        "DependsOn",
    }
    assert all(path.startswith("/Resources/") for path in differing)


KEPT = {"Cognito::UserPool", "DynamoDB::Table", "Logs::LogGroup", "S3::Bucket"}


def test_in_production_data_and_logs_outlive_the_stack(production: Template) -> None:
    for resource_type in KEPT:
        resources = production.of_type(resource_type)
        assert resources
        for name, resource in resources.items():
            assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == (
                "RetainExceptOnCreate",
                "Retain",
            ), name
    assert all(
        table["Properties"]["DeletionProtectionEnabled"] for table in production.of_type("DynamoDB::Table").values()
    )
    assert production.properties("Cognito::UserPool")["DeletionProtection"] == "ACTIVE"
    assert {group["Properties"]["RetentionInDays"] for group in production.of_type("Logs::LogGroup").values()} == {365}


def test_in_development_nothing_outlives_the_stack(development: Template) -> None:
    for resource_type in KEPT:
        for name, resource in development.of_type(resource_type).items():
            assert resource["DeletionPolicy"] == "Delete", name
    assert not any(
        table["Properties"].get("DeletionProtectionEnabled")
        for table in development.of_type("DynamoDB::Table").values()
    )
    assert development.properties("Cognito::UserPool")["DeletionProtection"] == "INACTIVE"
    assert {group["Properties"]["RetentionInDays"] for group in development.of_type("Logs::LogGroup").values()} == {7}


def test_in_development_the_bucket_is_emptied_once_nothing_writes_to_it(development: Template) -> None:
    resources = development.document["Resources"]
    [(name, emptier)] = [each for each in resources.items() if each[1]["Type"] == "Custom::ClaimsmithBucketEmptier"]
    assert emptier["Properties"]["Bucket"] == {"Ref": development.named("S3::Bucket", "FailedRecords")[0]}
    mappings = development.of_type("Lambda::EventSourceMapping")
    assert len(mappings) == 2
    # What depends on a resource is deleted before it.
    assert all(name in mapping["DependsOn"] for mapping in mappings.values())


def test_in_production_nothing_can_empty_the_bucket(production: Template) -> None:
    assert not [name for name in production.document["Resources"] if EMPTIER in name]
    assert "s3:Delete" not in str(production.of_type("IAM::Policy"))


def _texts(value: object) -> list[str]:
    return [leaf for _, leaf in _leaves(value) if isinstance(leaf, str)]


def _leaves(value: object, path: str = "") -> set[tuple[str, object]]:
    """Every value with its path; lists count as one value, so that a path names a property."""
    match value:
        case dict():
            return {leaf for key, item in value.items() for leaf in _leaves(item, f"{path}/{key}")}
        case list():
            return {(path, json.dumps(value, sort_keys=True))}
        case _:
            return {(path, value)}


def test_the_issuer_is_an_output_as_tokens_have_it(template: Template) -> None:
    pool, _ = template.named("Cognito::UserPool", "")
    assert template.document["Outputs"]["Issuer"]["Value"] == {"Fn::Join": ["", [*ISSUER, {"Ref": pool}]]}
