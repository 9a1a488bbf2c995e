"""The smoke test, tried on this emulator: it answers some questions otherwise than Cognito is assumed to."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from demo import aws
from demo.emulator import ACCESS_KEY, REGION, SECRET_KEY
from smoke import deployment
from smoke.__main__ import main
from smoke.questions import QUESTIONS

if TYPE_CHECKING:
    from pathlib import Path

    from demo.emulator import Emulator
    from demo.local_stack import LocalStack

#: By facts of this emulator: it enforces none of Cognito's rules for a trigger's answer.
OF_THE_EMULATOR = {1: "differs", 5: "differs", 6: "differs", 8: "differs", 12: "differs"}


def _stacks(endpoint: str) -> set[str]:
    formation: Any = aws.client("cloudformation", endpoint)
    found = formation.describe_stacks()["Stacks"]
    return {stack["StackName"] for stack in found if stack["StackStatus"] != "DELETE_COMPLETE"}


@pytest.fixture
def account(bootstrapped: Emulator, monkeypatch: pytest.MonkeyPatch) -> str:
    """The environment of somebody whose account the emulator is."""
    variables = {
        "AWS_ENDPOINT_URL": bootstrapped.endpoint,
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return bootstrapped.endpoint


def test_each_question_is_answered_or_left_with_what_to_do(
    account: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = _stacks(account)
    assert main(["--probe-only", "--yes", "--out", str(tmp_path)]) == 1
    assert _stacks(account) == before
    report = json.loads((tmp_path / "smoke.json").read_text())
    assert (report["failure"], report["left"], report["region"]) == (None, [], REGION)
    found = {each["number"]: each for each in report["questions"]}
    assert {*found} == {question.number for question in QUESTIONS} == {*range(1, 15)}
    by_hand = {question.number: "not tried" for question in QUESTIONS if question.by_hand}
    usual = dict.fromkeys(found, "as assumed")
    assert {number: each["outcome"] for number, each in found.items()} == {**usual, **by_hand, **OF_THE_EMULATOR}
    assert all(each["seen"] for each in found.values())
    text = (tmp_path / "smoke.md").read_text()
    assert all(each["asks"] in text for each in found.values())
    assert "Question 14: as assumed" in capsys.readouterr().err


def test_what_was_created_goes_if_it_is_interrupted(account: str, tmp_path: Path) -> None:
    before = _stacks(account)

    def interrupt(line: str) -> None:
        if line.startswith("Question 2"):
            raise KeyboardInterrupt

    assert main(["--probe-only", "--yes", "--out", str(tmp_path)], interrupt) == 130
    assert _stacks(account) == before
    report = json.loads((tmp_path / "smoke.json").read_text())
    assert (report["failure"], [each["number"] for each in report["questions"]]) == ("It was interrupted.", [1, 2])


def test_without_an_answer_nothing_is_created(account: str, tmp_path: Path) -> None:
    before = _stacks(account)
    assert main(["--probe-only", "--out", str(tmp_path)]) == 2
    assert (_stacks(account), [*tmp_path.iterdir()]) == (before, [])


@pytest.mark.usefixtures("account")
def test_the_app_keeps_its_promises(edited_policy: LocalStack) -> None:
    stack = edited_policy
    checks = [*deployment.checks(lambda name: aws.client(name, stack.endpoint), stack.outputs, stack.endpoint)]
    assert len(checks) == 7
    assert [check for check in checks if not check.holds] == []
