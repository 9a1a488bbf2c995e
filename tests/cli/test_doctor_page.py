"""``docs/how-to/check-a-deployment.md`` has every check, its codes, and the permissions that it needs."""

from __future__ import annotations

import json
from typing import Final

from claimsmith.errors import Code
from claimsmith.service.checkup.doctor import CHECKS
from claimsmith.store.deployment import READS
from tests.pages import Page, names

PAGE: Final = Page("docs/how-to/check-a-deployment.md")
ROWS: Final = PAGE.table("check", "looks at", "codes")

#: Meanings that other commands have, too.
SHARED: Final = {"CS2002", "CS2003", "CS4003", "CS4009", "CS4011", "CS4012"}


def test_every_check_is_there() -> None:
    assert sorted(name for row in ROWS for name in names(row[0])) == sorted(check.name for check in CHECKS)


def test_every_code_of_a_finding_is_there() -> None:
    listed = {code for row in ROWS for code in row[2].split(", ")}
    numbers = [("CS4030", "CS4059"), ("CS4090", "CS4094"), ("CS4108", "CS4108"), ("CS4116", "CS4117")]
    assert listed == SHARED | {code.value for code in Code if any(first <= code <= last for first, last in numbers)}


def test_the_policy_allows_what_is_called_and_nothing_else() -> None:
    [block] = [block for block in PAGE.blocks if block.language == "json"]
    allowed = [action for statement in json.loads(block.text)["Statement"] for action in statement["Action"]]
    assert sorted(allowed) == sorted({*READS.values(), *(f"dynamodb:{each}" for each in ("GetItem", "Query", "Scan"))})
