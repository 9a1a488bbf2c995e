"""What a decision costs, by the size of the policy and of the user.

Microseconds depend on the machine, so each is shown with its ratio to one thing that every trigger does:
reading and writing the event as JSON, timed in the same run.
"""

from __future__ import annotations

import json
import time
import tracemalloc
from typing import TYPE_CHECKING, Any

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

HELD = 20
EVENT = event(SIGN_IN, groups=["Staff"], metadata={"device": "tv"})


def policy(*, roles: int = HELD, rules: int = 0, depth: int = 1, allowed: int = HELD) -> dict[str, Any]:
    """The sections of a policy; roles inherit one another in chains of this depth."""

    def role(number: int) -> dict[str, Any]:
        below = {"inherits": [f"r{number + 1:04d}"]} if (number + 1) % depth and number + 1 < roles else {}
        return {"scopes": [f"api/{number}", f"api/{number}.write"], "claims": {f"c{number}": number}} | below

    return {
        "settings": {"scope_mode": "exact", "token_budget": 16_384},
        "roles": {f"r{number:04d}": role(number) for number in range(roles)},
        "groups": {"Staff": {"roles": ["r0000"]}},
        "clients": {CLIENT: {"name": "web", "scopes_allowed": [f"api/{number}" for number in range(allowed)]}},
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


def per_call(call: Callable[[], object], seconds: float = 0.3) -> float:
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


def measure() -> dict[str, Any]:
    """Microseconds by what was done; and how they, and the memory of a policy, grow."""
    return {"us": _each(), "growth": _growth()}


def _each() -> dict[str, float]:
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


def _growth() -> dict[str, dict[str, dict[str, float]]]:
    """By what grows, by its number: microseconds, and kB of a decoded policy."""
    request = parse(EVENT)

    def rules(number: int) -> dict[str, float]:
        made = policy(rules=number)
        stored, digest = encode(compile_policy(from_rows(policy_rows(**made))))
        ready, known = decode(stored, digest, 1), member()
        return {
            "decode_us": per_call(lambda: decode(stored, digest, 1)),
            "decide_us": per_call(lambda: decide(ready, known, request, NOW)),
            "kb": _kilobytes(lambda: decode(stored, digest, 1)),
            "stored_kb": len(stored) / 1e3,
        }

    def roles(number: int) -> dict[str, float]:
        ready, known = bundle(**policy(roles=number, allowed=number)), member(number)
        return {"decide_us": per_call(lambda: decide(ready, known, request, NOW))}

    def memberships(number: int) -> dict[str, float]:
        rows = [membership_row(SUB, f"t{at:04d}", roles=["r0000", "r0001"]) for at in range(number)]
        ready, known = bundle(**policy()), facts(*rows, user_row(SUB, active_tenant="t0000"), tenant_row("t0000"))
        return {
            "read_us": per_call(lambda: read_user(rows, NOW)),
            "decide_us": per_call(lambda: decide(ready, known, request, NOW)),
        }

    def tenants(number: int) -> dict[str, float]:
        rows = [membership_row(SUB, f"t{at:04d}", roles=["r0000"]) for at in range(number)]
        ready, known = bundle(**policy()), facts(*rows, *(tenant_row(f"t{at:04d}") for at in range(number)))
        return {"decide_us": per_call(lambda: decide(ready, known, request, NOW))}

    return {
        "rules": {str(number): rules(number) for number in (0, 10, 100, 1000)},
        "roles": {str(number): roles(number) for number in (1, 5, 20, 100)},
        "memberships": {str(number): memberships(number) for number in (1, 10, 100, 1000)},
        "tenants": {str(number): tenants(number) for number in (1, 10, 100)},
    }


def _kilobytes(make: Callable[[], object]) -> float:
    tracemalloc.start()
    made = make()
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del made
    return size / 1e3
