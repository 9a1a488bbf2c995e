"""``docs/how-to/ten-jobs.md`` prints what it shows, from the first command to the last."""

from __future__ import annotations

import re
import shlex
from contextlib import chdir
from typing import TYPE_CHECKING, Any, Final

import boto3

from claimsmith import table
from claimsmith.service import audit
from tests.integration.stream import Stream
from tests.pages import Page

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from claimsmith.store.dynamodb import Table
    from tests.cli.conftest import Ran
    from tests.conftest import Client

PAGE: Final = Page("docs/how-to/ten-jobs.md")
NEW: Final = "{inherits: [viewer], scopes: [orders/write]}"
OLD: Final = "{inherits: [viewer]}"


def session() -> list[tuple[str, list[str]]]:
    """Every command of the page, with the lines that are shown below it."""
    text = "".join(block.text for block in PAGE.blocks if block.text.startswith("$ "))
    runs = [run.splitlines() for run in text.split("$ claimsmith ")[1:]]
    return [(command, [line for line in shown if line]) for command, *shown in runs]


def matches(shown: list[str], printed: list[str]) -> bool:
    """Whether lines were printed that are shown: ``…`` stands for other lines, or for the rest of a line."""
    pattern = "".join(
        r"(?:.*\n)*" if line == "…" else re.escape(line.removesuffix("…")) + (".*" * line.endswith("…")) + r"\n"
        for line in shown
    )
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in printed)) is not None


def without_times(line: str) -> str:
    """A line with any time of this century as the same time, for the page has the times of its day."""
    return re.sub(r"\b20\d\d-\d\d-\d\d[T ]\d\d:\d\d:\d\d", "2027-01-15T08:00:00", line)


def test_jobs_are_ten_and_numbered() -> None:
    numbers = re.findall(r"^## (\d+)\. ", PAGE.text, re.MULTILINE)
    assert numbers == [str(number) for number in range(1, 11)]


def test_the_examples_print_what_the_page_shows(
    claimsmith: Callable[..., Ran],
    dynamodb: Client,
    audit_rows: Table,
    pool: tuple[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("LOGNAME", "dana")
    stream = Stream(dynamodb)
    names = {pool[0]: "eu-central-1_EXAMPLE", **people(*pool)}

    def run(line: str) -> list[str]:
        done = claimsmith("--user-pool-id", pool[0], "--audit-table", audit_rows.name, *shlex.split(line))
        publisher(stream, audit_rows)
        printed = done.out + done.err
        for name, shown in names.items():
            printed = printed.replace(name, shown)
        return [without_times(each.rstrip()) for each in printed.splitlines() if each.strip()]

    [policy] = (block.text for block in PAGE.blocks if block.language == "yaml")
    assert NEW in policy
    [members] = (block.text for block in PAGE.blocks if block.text.startswith("user,tenant"))
    with chdir(tmp_path):
        (tmp_path / "policy.yaml").write_text(policy.replace(NEW, OLD).partition("tests:")[0])
        for line in (
            "apply policy.yaml",
            "tenants add acme --name Acme",
            "tenants add globex --name Globex",
            "tenants set globex roles_allowed=viewer",
            "members grant alice acme --role editor",
            "members grant bob globex --role editor",
        ):
            run(line)
        (tmp_path / "policy.yaml").write_text(policy)
        (tmp_path / "members.csv").write_text(members)
        for command, shown in session():
            printed = run(command)
            assert matches([without_times(line) for line in shown], printed), (command, printed)


def people(pool_id: str, alice: str) -> dict[str, str]:
    """Bob and Carol are in the pool as well; what the page has for a ``sub``."""
    cognito: Any = boto3.client("cognito-idp")
    found = {alice: "7b20…"}
    for name, shown in (("bob", "9c41…"), ("carol", "e5d3…")):
        address = [{"Name": "email", "Value": f"{name}@example.com"}, {"Name": "email_verified", "Value": "true"}]
        made = cognito.admin_create_user(UserPoolId=pool_id, Username=name, UserAttributes=address)["User"]
        found[next(entry["Value"] for entry in made["Attributes"] if entry["Name"] == "sub")] = shown
    return found


def publisher(stream: Stream, audit_rows: Table) -> None:
    """Record what has changed, as the publisher does."""
    for record in stream.event()["Records"]:
        change = audit.read_change(record)
        if table.is_streamed(change.pk):
            audit.record(audit_rows, change)
