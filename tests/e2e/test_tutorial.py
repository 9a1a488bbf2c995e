"""The tutorial's commands do what the page says, in its order, on the deployed app."""

from __future__ import annotations

import json
import re
import secrets
import shlex
from contextlib import chdir
from typing import TYPE_CHECKING, Any, Final

from tests.pages import Page

if TYPE_CHECKING:
    from pathlib import Path

    from demo.local_stack import LocalStack
    from demo.user_pool import Tokens

PAGE: Final = Page("docs/tutorial/first-token.md")


def test_the_tutorial_is_true(edited_policy: LocalStack, tmp_path: Path) -> None:
    stack, password = edited_policy, f"{secrets.token_urlsafe(18)}-aA1"
    username = f"alice-{secrets.token_hex(4)}"
    stack.pool.put_user(username, f"{username}@example.com", password)
    first = stack.policy_version()
    stack.cli("tenants", "add", "acme", "--name", "Acme Ltd", "--plan", "pro")
    stack.cli("members", "grant", username, "acme", "--role", "editor")
    signed_in: Tokens | None = None
    answered: dict[str, Any] = {}
    with chdir(tmp_path):
        for block in PAGE.blocks:
            match block.language:
                case "yaml":
                    (tmp_path / "policy.yaml").write_text(block.text)
                case "sh":
                    refused = block.heading == "6. Break it"
                    if refused:
                        _misspell(tmp_path / "policy.yaml")
                    for line in block.text.splitlines():
                        command = line.replace("$CLIENT", stack.public_client).replace("alice", username)
                        command = command.replace("rollback 1", f"rollback {first}")
                        if command == f"python -m demo sign-in {username}":
                            signed_in = stack.pool.sign_in(stack.public_client, username, password)
                        else:
                            program, *arguments = shlex.split(command)
                            assert program == "claimsmith"
                            answer = stack.cli(*arguments)
                            assert answer.code == int(refused), (line, answer)
                            answered = answer.data
                case "json":
                    assert signed_in is not None
                    claims = stack.pool.verified(signed_in.access)
                    expected = json.loads(block.text)
                    assert {name: claims.get(name) for name in expected} == expected
                case "text" if block.heading == "6. Break it":
                    [shown] = re.findall(r"there is no path .*\?", block.text)
                    assert shown in json.dumps(answered), "what the page shows is what was answered"


def _misspell(policy: Path) -> None:
    [(before, after)] = re.findall(r"`(tenant\.\w+)` for `(tenant\.\w+)`", PAGE.section("6. Break it"))
    text = policy.read_text()
    assert f"{{from: {after}}}" in text
    policy.write_text(text.replace(f"{{from: {after}}}", f"{{from: {before}}}"))
