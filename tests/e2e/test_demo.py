"""``make demo`` runs to the end; every step of it checks what it shows."""

from __future__ import annotations

import io
import json
import secrets
from base64 import b64decode
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from demo.local_stack import LocalStack
from demo.screen import Screen
from demo.stage import Stage, UnexpectedError, check_preview
from demo.story import STEPS, seed
from demo.story.calls import call_the_api
from tests.e2e.conftest import Person, wait_until

if TYPE_CHECKING:
    from pathlib import Path


def test_the_story_runs_to_the_end_and_can_run_again(edited_policy: LocalStack, tmp_path: Path) -> None:
    shown = io.StringIO()
    stage = Stage(edited_policy, Screen(Console(file=shown, width=120)))
    seed(stage, tmp_path)
    for step in STEPS:
        step(stage)
    # Again, with the installed program, as the demonstration runs its commands; each of them starts it for a second.
    stage.stack = LocalStack(edited_policy.endpoint, edited_policy.outputs)
    seed(stage, tmp_path)
    STEPS[0](stage)
    kept = json.loads((tmp_path / "passwords.json").read_text())
    assert (tmp_path / "passwords.json").stat().st_mode & 0o077 == 0, "for this user only"
    _user, secret = b64decode(stage.service.removeprefix("Basic ")).decode().split(":")
    for hidden in (*kept.values(), secret, "eyJ"):  # passwords, a caller's secret, and how every token begins
        assert hidden not in shown.getvalue()
    for text in ("orders/export", "CS3039: wrong tenant", "CS3036: scope missing", "CS3050"):
        assert text in shown.getvalue()


def test_the_demonstration_fails_where_an_api_answers_otherwise(edited_policy: LocalStack) -> None:
    stack, password = edited_policy, f"{secrets.token_urlsafe(18)}-aA1"
    sub = stack.pool.put_user("alice", "alice@example.com", password)
    stage = Stage(stack, Screen(Console(file=io.StringIO())), {"alice": password}, {"alice": sub})
    alice = Person(stack, "alice", sub, password)
    stack.put_item({"pk": {"S": "TENANT#globex"}, "sk": {"S": "TENANT"}, "name": {"S": "Globex Corp"}})
    stack.put_item(alice.key("USER") | {"active_tenant": {"S": "globex"}})
    alice.join("globex", "viewer")
    version = stack.policy_version()
    stack.delete_item("POLICY", "ROUTE#tenant-orders")
    wait_until(stack, "a new version is in force", lambda: stack.policy_version() != version)
    with pytest.raises(UnexpectedError, match="GET /tenants/globex/orders with her access token is answered"):
        call_the_api(stage)


@pytest.mark.parametrize("change", [{"tenant_id": "other"}, {"extra": 1}, {"scope": "a b c"}])
def test_the_demonstration_fails_where_preview_and_token_differ(change: dict[str, object]) -> None:
    claims = {"tenant_id": "acme", "scope": "a b", "iat": 1}
    check_preview({"access": claims, "id": {}}, (claims | {"scope": "b a", "iat": 2}, {}))
    with pytest.raises(UnexpectedError, match=next(iter(change))):
        check_preview({"access": claims, "id": {}}, (claims | change, {}))
