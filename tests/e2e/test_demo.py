"""``make demo`` tells its story to the end; every step of it checks what it shows."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from demo.screen import Screen
from demo.stage import Stage, UnexpectedError, check_preview
from demo.story import STEPS, seed

if TYPE_CHECKING:
    from pathlib import Path

    from demo.local_stack import LocalStack


def test_the_story_is_told_to_the_end_and_may_be_told_again(edited_policy: LocalStack, tmp_path: Path) -> None:
    shown = io.StringIO()
    stage = Stage(edited_policy, Screen(Console(file=shown, width=120)))
    seed(stage, tmp_path)
    for step in STEPS:
        step(stage)
    seed(stage, tmp_path)
    STEPS[0](stage)
    kept = json.loads((tmp_path / "passwords.json").read_text())
    assert (tmp_path / "passwords.json").stat().st_mode & 0o077 == 0, "for this user only"
    assert not [password for password in kept.values() if password in shown.getvalue()]
    assert "orders/export" in shown.getvalue()


@pytest.mark.parametrize("change", [{"tenant_id": "other"}, {"extra": 1}, {"scope": "a b c"}])
def test_the_demonstration_fails_where_preview_and_token_differ(change: dict[str, object]) -> None:
    claims = {"tenant_id": "acme", "scope": "a b", "iat": 1}
    check_preview({"access": claims, "id": {}}, (claims | {"scope": "b a", "iat": 2}, {}))
    with pytest.raises(UnexpectedError, match=next(iter(change))):
        check_preview({"access": claims, "id": {}}, (claims | change, {}))
