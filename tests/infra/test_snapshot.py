from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from claimsmith.engine import codec
from infra.config import Config
from infra.snapshot import GUARDS, SUFFIX, SnapshotError, check, guarded, violations
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


def _pool(*schema: dict[str, object]) -> dict[str, Any]:
    properties = {"Schema": [*schema]} if schema else {}
    return {"Stack": {"": STACK, "Pool": {**QUEUE, "Type": "AWS::Cognito::UserPool", "Properties": properties}}}


UNIT = {"Name": "unit", "AttributeDataType": "String", "Mutable": True}


@pytest.mark.parametrize(
    ("before", "now", "fine"),
    [
        ([], [UNIT], True),
        ([UNIT], [{**UNIT, "Name": "site"}, UNIT], True),
        ([UNIT], [], False),
        ([UNIT], [{**UNIT, "Mutable": False}], False),
        ([UNIT], [{**UNIT, "Name": "site"}], False),
        ([], [{**UNIT, "Required": True}], False),
        ([], [{**UNIT, "Name": "email"}], False),
    ],
)
def test_a_pool_gets_further_attributes_and_keeps_those_it_has(
    before: list[dict[str, object]], now: list[dict[str, object]], *, fine: bool
) -> None:
    said = [*violations(_pool(*before), _pool(*now))]
    assert fine is not any("would be replaced or refused: Schema changes" in line for line in said)
    assert len(said) == (not fine)


def _named(suffix: str) -> dict[str, dict[str, Any]]:
    return {"Stack": {**BEFORE["Stack"], "": {**STACK, "StackName": f"Stack{suffix}"}}}


@pytest.mark.parametrize(
    ("now", "production", "said"),
    [
        ("-old", True, "old.toml has another name now: rename"),
        ("-old", False, "old.toml has another name now: rename"),
        ("-new", True, 'write stack_suffix = "-old" into it and rename'),
        ("-new", False, None),
    ],
)
def test_a_stage_whose_file_was_renamed_is_not_deployed_without_its_snapshot(
    tmp_path: Path, now: str, *, production: bool, said: str | None
) -> None:
    old, new = (tmp_path / f"{name}{SUFFIX}" for name in ("old", "new"))
    old.write_text(json.dumps(_named("-old")), encoding="utf-8")
    if said is None:
        assert check(new, _named(now), write=production) is None
        return
    with pytest.raises(SnapshotError, match=said):
        check(new, _named(now), write=production)
    assert not new.exists()
    (tmp_path / "old.toml").touch()
    assert (check(new, _named(now), write=production) is not None) is production


def test_a_renamed_stage_keeps_its_stacks_by_their_suffix(tmp_path: Path) -> None:
    file = tmp_path / f"new{SUFFIX}"
    file.write_text(json.dumps(_named("-old")), encoding="utf-8")
    with pytest.raises(SnapshotError, match='from Stack-old to Stack-new; stack_suffix = "-old" keeps it'):
        check(file, _named("-new"), write=True)
    assert check(file, _named("-old"), write=True) is None


@pytest.mark.parametrize("text", ["[]", '{"Stack": {}}', '{"Stack": []}'])
def test_a_damaged_snapshot_of_a_stage_that_is_gone_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / f"old{SUFFIX}").write_text(text, encoding="utf-8")
    with pytest.raises(SnapshotError, match=f"old{SUFFIX} is not as synth wrote it"):
        check(tmp_path / f"new{SUFFIX}", BEFORE, write=True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is not JSON"),
        ("[" * 99_999, "is not JSON"),
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
