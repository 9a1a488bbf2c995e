"""The examples of ``docs/how-to/audit.md`` print what the page shows."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Final

from claimsmith.service.times import instant
from tests.conftest import AUDIT_TABLE
from tests.pages import Page
from tests.policies import membership_row

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from claimsmith.store.dynamodb import Table
    from tests.cli.conftest import Ran

PAGE: Final = Page("docs/how-to/audit.md")

#: Ends what a page shows of an output.
MORE: Final = "…"


def test_the_examples_print_what_the_page_shows(
    claimsmith: Callable[..., Ran],
    rows: Table,
    changed: Callable[..., None],
    policy_file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    policy_file.write_text(policy_file.read_text().replace(", scopes_allowed: [orders/read]", ""))
    for client in ("web1", "web2", "web"):  # version 3
        assert claimsmith("apply", str(policy_file), "--no-plan", "--var", f"WEB={client}").code == 0
    first = {"name": "Acme", "roles_allowed": ["viewer"], "updated_by": "cli:alice"}
    second = {**first, "roles_allowed": ["viewer", "editor"], "plan": "pro", "updated_by": "cli:bob"}
    member = membership_row("alice", "acme", roles=["editor"])
    changed("TENANT#acme", "TENANT", None, first, at=instant("2027-01-12T14:30:10Z"))
    changed("TENANT#acme", "TENANT", first, second, at=instant("2027-01-15T08:01Z"))
    changed(member["pk"], member["sk"], None, {"roles": member["roles"]}, at=instant("2027-01-12T14:31Z"))
    rows.put({"pk": "TENANT#acme", "sk": "TENANT", **second})
    rows.put(member)
    monkeypatch.setattr("time.time", lambda: float(instant("2027-01-15T10:30Z")))
    for block in PAGE.blocks:
        for run in block.text.removeprefix("$ ").split("\n$ "):
            line, _, shown = run.partition("\n")
            program, *arguments = shlex.split(line)
            assert program == "claimsmith"
            done = claimsmith("--audit-table", AUDIT_TABLE, *arguments)
            assert (done.code, done.err) == (0, ""), line
            printed, more, _ = shown.partition(MORE)
            assert done.out == shown or ((more or not shown) and done.out.startswith(printed)), line
