"""What ``plan`` and ``who-can`` cost by the number of users: processor time and peak memory, each in its own process.

DynamoDB is replaced by pages made up in memory as they are asked for, so the time is Claimsmith's alone; the scan of
100,000 users adds some hundred requests to it.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from itertools import groupby, product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from claimsmith import table
from claimsmith.engine.codec import encode
from claimsmith.engine.holding import Question
from claimsmith.policy import compile as compile_policy
from claimsmith.policy import from_rows
from claimsmith.service.plan import plan
from claimsmith.service.who import Search
from claimsmith.store.attributes import encode_row
from claimsmith.store.dynamodb import Table
from tests.integration.memory_dynamodb import MemoryDynamoDB, holding
from tests.policies import NOW, membership_row, policy_rows, tenant_row, user_row

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]

#: Users, and whether no two of them are alike. For more of them: ``python -m tests.bench.plan plan 100000 alike``.
SIZES: Final = [(1_000, False), (10_000, False), (10_000, True)]

ROLES = [f"role-{number:02d}" for number in range(20)]
TENANTS = 500

#: Rows of one page: 1 MB of rows like these.
PAGE = 3_000


def policy(*, wider: bool) -> list[dict[str, Any]]:
    """Twenty roles, fifty rules, three clients; the wider one gives one role a scope and a rule another value."""
    rules = {
        f"rule-{number:02d}": {
            "order": number,
            "when": {"field": "tenant.plan", "op": "equals", "value": f"plan-{number % 10}"},
            "access_claims": {f"claim_{number % 7}": number + (wider and number == 7)},
        }
        for number in range(50)
    }
    roles = {name: {"scopes": [f"api/{name}"]} for name in ROLES}
    roles[ROLES[3]]["scopes"] += ["admin/users"] * wider
    clients: dict[str, dict[str, Any]] = {
        "web": {"name": "web"},
        "mobile": {"audience": True},
        "batch": {"roles": [ROLES[0]]},
    }
    return policy_rows(settings={"privileged_scopes": ["admin/*"]}, roles=roles, clients=clients, rules=rules)


def users(count: int, *, unlike: bool) -> Iterator[dict[str, Any]]:
    """The rows of so many users, a third of them in two tenants, made up one after the other."""
    chance = random.Random(1)  # noqa: S311 - a reproducible choice
    for number in range(count):
        sub = f"{number:08d}-9d6b-4a3e-8a57-0d6b2f0c9e11"
        tenants = chance.sample(range(TENANTS), 2 if number % 3 == 0 else 1)
        yield user_row(sub, username=f"user{number}", **({"claims": {"number": number}} if unlike else {}))
        for tenant in sorted(tenants):
            yield membership_row(sub, f"tenant-{tenant:03d}", roles=chance.sample(ROLES[:8], 2))


class Pages(MemoryDynamoDB):
    """A table whose users are made up page by page."""

    def __init__(self, count: int, *, unlike: bool) -> None:
        super().__init__()
        self.source = users(count, unlike=unlike)

    def scan(self, **_: Any) -> dict[str, Any]:  # noqa: ANN401 - requests of botocore have no type
        page = [encode_row(row) for _, row in zip(range(PAGE), self.source, strict=False)]
        answer: dict[str, Any] = {"Items": page}
        if len(page) == PAGE:
            answer["LastEvaluatedKey"] = {name: page[-1][name] for name in (table.PK, table.SK)}
        return answer


def stored(count: int, *, unlike: bool) -> Table:
    """A table with the policy in force, tenants, and so many users."""
    document, digest = encode(compile_policy(from_rows(policy(wider=False))))
    client = Pages(count, unlike=unlike)
    client.items = holding(
        [
            {"pk": table.BUNDLE, "sk": table.CURRENT, "version": 1, "digest": digest, "revision": 1, "hold": False},
            {"pk": table.BUNDLE, "sk": table.version_sk(1), "digest": digest, "document": document},
            *(tenant_row(f"tenant-{number:03d}", plan=f"plan-{number % 10}") for number in range(TENANTS)),
        ]
    ).items
    return Table(client, "claimsmith")


def measured(what: str, count: int, *, unlike: bool) -> dict[str, Any]:
    """Seconds and peak memory (MB) of one plan or search, and how many users it found."""
    rows = stored(count, unlike=unlike)
    began = time.process_time()
    if what == "plan":
        found = plan(rows, from_rows(policy(wider=True)), clock=lambda: NOW).users
    else:
        search = Search(rows, Question("scope", f"api/{ROLES[3]}"), clock=lambda: NOW)
        found = sum(1 for _ in groupby(search.findings(), lambda finding: finding.subject))
    seconds = time.process_time() - began
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    # Not that of getrusage, which a process inherits from the one that starts it.
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024
    return {
        "what": what,
        "users": count,
        "unlike": unlike,
        "found": found,
        "seconds": round(seconds, 2),
        "peak_mb": round(peak, 1),
    }


def measure() -> list[dict[str, Any]]:
    """Each size in a process of its own, since a peak never goes down."""
    results = []
    for what, (count, unlike) in product(("plan", "who-can"), SIZES):
        command = [sys.executable, "-m", "tests.bench.plan", what, str(count), "unlike" if unlike else "alike"]
        ran = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT, timeout=900)
        results.append(json.loads(ran.stdout))
    return results


if __name__ == "__main__":
    asked, number, kind = sys.argv[1:]
    sys.stdout.write(json.dumps(measured(asked, int(number), unlike=kind == "unlike")) + "\n")
