"""What a decision costs, by the size of the policy and of the user.

Run: ``.venv/bin/python tests/bench/decision.py``. A table and ``bench.json``, no assertions.

Microseconds depend on the machine, so each is shown with its ratio to one thing that every trigger does:
reading and writing the event as JSON, timed in the same run.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from claimsmith.cognito.event import parse
from claimsmith.cognito.response import build
from claimsmith.engine import Decision, decide
from claimsmith.engine.codec import decode, encode
from claimsmith.engine.facts import Facts, read_user
from claimsmith.policy import compile as compile_policy
from claimsmith.policy import from_rows
from tests.events import CLIENT, SIGN_IN, SUB, event
from tests.policies import NOW, bundle, facts, membership_row, policy_rows, tenant_row, user_row

if TYPE_CHECKING:
    from collections.abc import Callable

    from claimsmith.engine.bundle import Bundle

ROOT = Path(__file__).resolve().parents[2]
HELD = 20
EVENT = event(SIGN_IN, groups=["Staff"], metadata={"device": "tv"})


def policy(*, roles: int = HELD, rules: int = 0, depth: int = 1) -> dict[str, Any]:
    """The sections of a policy; roles inherit one another in chains of this depth."""

    def role(number: int) -> dict[str, Any]:
        below = {"inherits": [f"r{number + 1:04d}"]} if (number + 1) % depth and number + 1 < roles else {}
        return {"scopes": [f"api/{number}", f"api/{number}.write"], "claims": {f"c{number}": number}} | below

    return {
        "settings": {"scope_mode": "exact", "token_budget": 16_384},
        "roles": {f"r{number:04d}": role(number) for number in range(roles)},
        "groups": {"Staff": {"roles": ["r0000"]}},
        "clients": {CLIENT: {"name": "web", "scopes_allowed": [f"api/{number}" for number in range(HELD)]}},
        "rules": {f"x{number:04d}": rule(number) for number in range(rules)},
    }


def rule(number: int) -> dict[str, Any]:
    """One of four kinds: of four, one applies."""
    kinds: list[dict[str, Any]] = [
        {
            "when": {"field": "tenant.plan", "op": "in", "value": ["pro", "enterprise"]},
            "claims": {f"k{number % 12}": {"from": "tenant.plan"}},
        },
        {"when": {"field": "client.id", "op": "equals", "value": f"other{number}"}, "claims": {"never": 1}},
        {
            "when": {
                "all": [
                    {"field": "user.groups", "op": "contains", "value": "Staff"},
                    {"field": "user.claims.level", "op": "greater_than", "value": 5},
                ]
            },
            "add_scopes": ["api/0"],
        },
        {"when": {"not": {"field": "request.metadata.device", "op": "exists", "value": True}}, "claims": {"never": 1}},
    ]
    return {"order": number, **kinds[number % 4]}


def member(held: int = HELD) -> Facts:
    """A member with so many roles."""
    return facts(
        user_row(SUB, username="user", claims={"level": 1}),
        membership_row(SUB, "acme", roles=[f"r{number:04d}" for number in range(held)], scopes=["api/1"]),
        tenant_row("acme", name="Acme", plan="pro"),
    )


def per_call(call: Callable[[], object], seconds: float = 0.5) -> float:
    """Microseconds of processor time, the best of twenty runs: all else on the machine only adds to it."""
    call()
    number, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds / 20:
        call()
        number += 1
    runs = []
    for _ in range(20):
        started = time.process_time()
        for _ in range(number):
            call()
        runs.append((time.process_time() - started) / number)
    return min(runs) * 1e6


def measured() -> dict[str, float]:
    """Microseconds by what was done."""
    request = parse(EVENT)

    def deciding(made: Bundle, known: Facts) -> float:
        assert isinstance(decide(made, known, request, NOW), Decision)
        return per_call(lambda: decide(made, known, request, NOW))

    few, many = bundle(**policy(rules=50)), bundle(**policy(rules=1000))
    deep = bundle(**policy(roles=1000, depth=32))
    memberships = [membership_row(SUB, f"t{number:04d}", roles=["r0000", "r0001"]) for number in range(1000)]
    offered = facts(*memberships, *(tenant_row(f"t{number:04d}") for number in range(100)))
    chosen = facts(*memberships, user_row(SUB, active_tenant="t0500"), tenant_row("t0500"))
    decision = decide(few, member(), request, NOW)
    assert isinstance(decision, Decision)
    stored, digest = encode(compile_policy(from_rows(policy_rows(**policy(rules=1000)))))
    return {
        "JSON of the event, read and written": per_call(lambda: json.dumps(json.loads(json.dumps(EVENT)))),
        "parse the event": per_call(lambda: parse(EVENT)),
        "decide, 20 roles, no rules": deciding(bundle(**policy()), member()),
        "decide, 20 roles, 50 rules": deciding(few, member()),
        "decide, 20 roles, 1,000 rules": deciding(many, member()),
        "decide, 1 of 1,000 roles, depth 32": deciding(deep, member(1)),
        "decide, 1,000 memberships, none chosen": deciding(few, offered),
        "decide, 1,000 memberships, one chosen": deciding(few, chosen),
        "read 1,000 membership rows": per_call(lambda: read_user(memberships, NOW)),
        "build the response": per_call(lambda: build(decision.changes, request)),
        "decode a bundle of 1,000 rules": per_call(lambda: decode(stored, digest, 1)),
    }


BUDGETS = {
    "decide, 20 roles, 50 rules": "<= 100",
    "decide, 20 roles, 1,000 rules": "<= 600",
    "decode a bundle of 1,000 rules": "<= 4,000",
}


def main() -> None:
    """Measure and print."""
    found = measured()
    reference = found["JSON of the event, read and written"]
    lines = [f"{'':44}{'µs':>10}{'ratio':>9}  budget (µs)"]
    lines += [f"{name:44}{us:10.1f}{us / reference:9.1f}  {BUDGETS.get(name, '')}" for name, us in found.items()]
    sys.stdout.write("\n".join(lines) + "\n")
    path = ROOT / "bench.json"
    stored = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    decisions = {name: {"us": us, "ratio": us / reference} for name, us in found.items()}
    path.write_text(json.dumps(stored | {"decision": decisions}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
