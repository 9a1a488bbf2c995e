"""The examples of ``docs/how-to/directory.md`` print what the page shows, in its order."""

from __future__ import annotations

import shlex
from contextlib import chdir
from typing import TYPE_CHECKING, Final

import boto3
import pytest

from tests.pages import Page

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Ran

PAGE: Final = Page("docs/how-to/directory.md")


def test_the_examples_print_what_the_page_shows(
    claimsmith: Callable[..., Ran], policy_file: Path, pool: tuple[str, str], tmp_path: Path
) -> None:
    assert claimsmith("apply", str(policy_file), "--var", "WEB=web1").code == 0
    address = [{"Name": "email", "Value": "bob@example.com"}, {"Name": "email_verified", "Value": "true"}]
    boto3.client("cognito-idp").admin_create_user(UserPoolId=pool[0], Username="bob", UserAttributes=address)
    printed = ""
    with chdir(tmp_path):
        for block in PAGE.blocks:
            match block.language:
                case "text" if block.text.startswith("user,tenant"):
                    (tmp_path / "members.csv").write_text(block.text)
                case "sh":
                    for line in block.text.splitlines():
                        program, *arguments = shlex.split(line)
                        assert program == "claimsmith"
                        done = claimsmith("--user-pool-id", pool[0], *arguments)
                        assert done.code == 0, (line, done.err)
                        printed = done.out
                case "text":
                    assert printed == block.text
                case other:
                    pytest.fail(f"nobody checks {other}")
