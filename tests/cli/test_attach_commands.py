"""``attach`` and ``detach`` as a user runs them, against a pool in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
import pytest

from claimsmith.cognito.user_pool import changes
from tests.conftest import TABLE
from tests.existing_pool import ARN, OTHER, existing_pool

if TYPE_CHECKING:
    from collections.abc import Callable

    from claimsmith.store.dynamodb import Table
    from tests.cli.conftest import Ran

    Command = Callable[..., Ran]


@pytest.fixture
def pool_id(rows: Table) -> str:
    assert rows.name == TABLE
    return existing_pool()


def settings(pool_id: str) -> dict[str, Any]:
    described: dict[str, Any] = boto3.client("cognito-idp").describe_user_pool(UserPoolId=pool_id)["UserPool"]
    return described


@pytest.mark.usefixtures("applied")
def test_what_changes_is_shown_then_done_and_can_be_taken_back(claimsmith: Command, pool_id: str) -> None:
    before = settings(pool_id)
    refused = claimsmith("attach", "--user-pool-id", pool_id, "--yes")
    assert (refused.code, "CS4032" in refused.err, "--replace" in refused.err) == (1, True, True)

    shown = claimsmith("attach", "--user-pool-id", pool_id, "--replace", "--dry-run")
    assert (shown.code, settings(pool_id)) == (0, before)
    assert (
        shown.out
        == f"""\
User pool {pool_id} (people, Essentials plan)
  ~ LambdaConfig.PreTokenGeneration: "{OTHER}" -> "{ARN}"
  + LambdaConfig.PreTokenGenerationConfig.LambdaArn: "{ARN}"
  + LambdaConfig.PreTokenGenerationConfig.LambdaVersion: "V2_0"
  Its other triggers and all other settings stay as they are.
Function {ARN}
  + Cognito may call it for this pool (statement claimsmith-{pool_id})
Version 1 of the policy then decides every token of the pool. To begin with nobody, first deploy the trigger with \
on_failure = "unchanged" and run claimsmith rollout shadow.
"""
    )
    asked = claimsmith("attach", "--user-pool-id", pool_id, "--replace")
    assert (asked.code, "CS4014" in asked.err, settings(pool_id)) == (1, True, before)

    done = claimsmith("attach", "--user-pool-id", pool_id, "--replace", "--yes")
    assert done.code == 0
    assert (
        done.out
        == f"""{shown.out}\
Attached, and read again: nothing else of the pool has changed.
To go back: claimsmith detach --user-pool-id {pool_id}
"""
    )
    again = claimsmith("attach", "--user-pool-id", pool_id)
    assert (again.code, again.out.endswith("Nothing to do.\n")) == (0, True)
    found = claimsmith("doctor", "--user-pool-id", pool_id, "--json").data
    assert found["deployment"]["trigger"] == "claims"
    assert not {"CS4031", "CS4032", "CS4035"} & {finding["code"] for finding in found["findings"]}

    back = claimsmith("detach", "--user-pool-id", pool_id, "--yes")
    assert back.code == 0
    assert "The earlier trigger is put back." in back.out
    assert changes(before, settings(pool_id)) == []
    nothing = claimsmith("detach", "--user-pool-id", pool_id)
    assert (nothing.code, "which is not Claimsmith's: it stays." in nothing.out) == (0, True)


@pytest.mark.usefixtures("applied")
def test_the_answer_for_programs_has_all_settings_before_and_after(claimsmith: Command, pool_id: str) -> None:
    asked = claimsmith("attach", "--user-pool-id", pool_id, "--replace", "--json")
    assert asked.data["error"]["code"] == "CS4014"
    found = claimsmith("attach", "--user-pool-id", pool_id, "--replace", "--json", "--dry-run").data
    assert (found["applied"], found["permission"], found["function"]) == (False, "add", ARN)
    assert found["before"]["LambdaConfig"] == {"PreTokenGeneration": OTHER, "PostConfirmation": OTHER}
    assert found["after"]["LambdaConfig"] == {
        "PreTokenGeneration": ARN,
        "PreTokenGenerationConfig": {"LambdaVersion": "V2_0", "LambdaArn": ARN},
        "PostConfirmation": OTHER,
    }


def test_without_a_pool_or_a_policy_it_says_what_is_missing(claimsmith: Command, pool_id: str) -> None:
    assert "--user-pool-id" in claimsmith("attach").err
    refused = claimsmith("attach", "--user-pool-id", pool_id, "--replace")
    assert (refused.code, "CS2002" in refused.err, "claimsmith apply" in refused.err) == (1, True, True)
