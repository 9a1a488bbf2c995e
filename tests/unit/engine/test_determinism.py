"""The same inputs give the same bytes in every process, whatever order sets have there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

_PROGRAM = """
import json
from claimsmith.cognito.event import parse
from claimsmith.cognito.response import build
from claimsmith.engine.codec import encode
from claimsmith.policy import compile, from_rows
from tests.events import SUB, event
from tests.policies import bundle, decided, facts, membership_row, policy_rows, tenant_row, user_row

names = [f"role{n}" for n in range(12)]
scopes = frozenset(f"api/{n}" for n in range(20))
sections = {
    "settings": {"scope_mode": "exact", "default_roles": frozenset(names[:3])},
    "roles": {name: {"scopes": scopes, "claims": {name: frozenset({"x", "y", "z"})}} for name in names},
    "groups": {"Staff": {"roles": frozenset(names[3:6])}},
}
known = facts(
    tenant_row("acme", default_roles=frozenset(names[6:8]), claims={"tags": frozenset("abc")}),
    membership_row(SUB, "acme", roles=frozenset(names[8:]), scopes=frozenset({"more/1", "more/2"})),
    user_row(SUB, roles=frozenset(["ghost1", "ghost2"])),
)
asked = event(groups=["Staff"], scopes=[f"other/{n}" for n in range(9)])
decision = decided(bundle(**sections), known, asked)
print(encode(compile(from_rows(policy_rows(**sections)))))
print(json.dumps(build(decision.changes, parse(asked))))
print(decision.reasons)
"""


def decided(seed: int) -> str:
    environment = {**os.environ, "PYTHONHASHSEED": str(seed)}
    command = [sys.executable, "-c", _PROGRAM]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout


@pytest.mark.slow
def test_two_processes_with_other_hash_seeds_say_the_same() -> None:
    first, second = decided(1), decided(2)
    assert "api/7" in first
    assert first == second
