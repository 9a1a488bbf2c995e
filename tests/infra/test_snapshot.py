from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from claimsmith.engine import codec
from infra.config import Config
from infra.snapshot import GUARDS, SnapshotError, check, guarded, violations
from tests.infra.template import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.infra.template import Template

#: Cognito refuses to change them, though CloudFormation's schema says that it could.
FIXED = {"AWS::Cognito::UserPool": {"AliasAttributes", "UsernameAttributes", "UsernameConfiguration", "Schema"}}

RELEASE: dict[str, Any] = json.loads((ROOT / "tests" / "fixtures" / "releases" / "0.1.0.json").read_text())
STAGES = (ROOT / "docs" / "reference" / "stages.md").read_text(encoding="utf-8")

QUEUE = {"Type": "AWS::SQS::Queue", "DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain", "Properties": {}}
STACK = {"Account": "1", "Region": "r", "StackName": "S", "TerminationProtection": False}
LOGS = {**QUEUE, "Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": 365}}
POLICY = {**QUEUE, "Type": "AWS::IAM::ManagedPolicy", "Properties": {"Description": "Edits."}}
BEFORE: dict[str, dict[str, Any]] = {"Stack": {"": STACK, "Queue": QUEUE, "Logs": LOGS, "Policy": POLICY}}


@pytest.mark.parametrize("kind", GUARDS)
def test_what_cannot_change_is_as_in_cloudformations_schemas(kind: str) -> None:
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema
    paths = [*schema.get("createOnlyProperties", ()), *schema.get("conditionalCreateOnlyProperties", ())]
    create_only = {path.removeprefix("/properties/") for path in paths}
    assert {*GUARDS[kind].create_only} == create_only | FIXED.get(kind, set())
    known = schema["properties"]
    assert {path.partition(".")[0] for path in GUARDS[kind].levels or ()} <= {*known}


def _after(**changes: Any) -> list[str]:  # noqa: ANN401 - resources
    now = copy.deepcopy(BEFORE)
    now["Stack"] |= changes
    return [*violations(BEFORE, {"Stack": {name: kept for name, kept in now["Stack"].items() if kept is not None}})]


def test_more_protection_and_more_resources_are_fine() -> None:
    assert _after() == []
    forever = {**LOGS, "Properties": {}}
    assert _after(Logs=forever, **{"": {**STACK, "TerminationProtection": True}}, Other=POLICY) == []
    assert _after(Queue={**QUEUE, "DeletionPolicy": "RetainExceptOnCreate"}) == []


def test_what_is_attached_elsewhere_does_not_go_and_is_not_replaced() -> None:
    assert _after(Queue=None, Logs=None) == []
    assert _after(Policy=None) == ["Stack.Policy (AWS::IAM::ManagedPolicy) would be removed"]
    [reworded] = _after(Policy={**POLICY, "Properties": {"Description": "Edits it."}})
    assert reworded.endswith('would be replaced or refused: Description changes from "Edits." to "Edits it."')
    assert _after(Policy=QUEUE) == [
        "Stack.Policy (AWS::IAM::ManagedPolicy) would be replaced: it becomes AWS::SQS::Queue"
    ]
    assert "Stack (the stack) would be removed" in [*violations(BEFORE, {})]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "it is not JSON"),
        ("[" * 99_999, "it is not JSON"),
        ("[]", "not as synth wrote it"),
        ('{"Stack": []}', "not as synth wrote it"),
        ('{"Stack": {"": {}}}', "not as synth wrote it"),
        ('{"Stack": {"Queue": {"Type": "AWS::SQS::Queue"}}}', "not as synth wrote it"),
    ],
)
def test_a_damaged_snapshot_allows_nothing(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "production.snapshot.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SnapshotError, match=said):
        check(file, BEFORE, write=True)
    assert file.read_text(encoding="utf-8") == text


def test_a_stage_that_can_be_deleted_has_no_snapshot(tmp_path: Path) -> None:
    file = tmp_path / "development.snapshot.json"
    assert check(file, BEFORE, write=False) is None
    assert not file.exists()


def test_nothing_of_the_release_before_is_replaced_or_less_protected(production: Template, verifier: Template) -> None:
    now = {"Claimsmith": guarded(production.document), "ClaimsmithVerifier": guarded(verifier.document)}
    before = {
        stack: {logical_id: kept for logical_id, kept in resources.items() if logical_id}
        for stack, resources in RELEASE["snapshot"].items()
    }
    assert [*violations(before, now)] == []


def test_the_release_before_reads_the_bundles_of_this_one() -> None:
    assert RELEASE["reads_bundle_format"] >= codec.USUAL_FORMAT


def test_the_reference_lists_every_option() -> None:
    cells = " ".join(line.split("|")[1] for line in STAGES.splitlines() if line.startswith("| `"))
    assert {*cells.replace("`", "").replace(",", " ").split()} == {*Config.model_fields}
