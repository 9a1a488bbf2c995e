"""The page of the smoke test has the questions as the program asks them."""

from __future__ import annotations

from pathlib import Path

from smoke.questions import QUESTIONS
from smoke.tries import TRIES

PAGE = Path(__file__).parents[2] / "docs/how-to/smoke-test.md"


def test_each_question_is_tried_or_has_what_to_do_by_hand() -> None:
    assert {question.number for question in QUESTIONS if question.tried} == TRIES.keys()
    assert all(bool(question.tried) != bool(question.by_hand) for question in QUESTIONS)


def test_the_page_lists_the_questions() -> None:
    listed = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line[2:3].isdigit()]
    tried = [question.tried or "by hand" for question in QUESTIONS]
    rows = [(each.number, each.asks, each.assumed, how) for each, how in zip(QUESTIONS, tried, strict=True)]
    assert [line for line in listed if "?" in line] == [f"| {' | '.join(map(str, row))} |" for row in rows]
