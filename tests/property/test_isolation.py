"""Nothing of one tenant reaches a token for another: one warm process, many threads, users of several tenants."""

from __future__ import annotations

import json
import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from claimsmith import table
from claimsmith.engine.codec import encode
from claimsmith.errors import SignInRefusedError
from claimsmith.policy import compile as compile_policy
from claimsmith.policy import from_rows
from claimsmith.service.issue import Issuer
from claimsmith.store.dynamodb import Table
from tests.events import CLIENT, MACHINE, SIGN_IN, event
from tests.integration.memory_dynamodb import holding
from tests.policies import NOW, membership_row, policy_rows, tenant_row, user_row

TENANTS = [f"tenant-{letter}" for letter in "abcde"]
USERS = [f"user-{number}" for number in range(12)]
PINNED = "9pinned"
THREADS = 8

#: What a tenant's rows hold, marked with its id; a rule repeats it in the tokens of all.
POLICY = policy_rows(
    settings={"scope_mode": "exact"},
    roles={f"role-of-{name}": {"scopes": [f"{name}/use"], "claims": {f"by-{name}": name}} for name in TENANTS},
    clients={CLIENT: {"name": "web"}, PINNED: {"tenant": TENANTS[0], "roles": [f"role-of-{TENANTS[0]}"]}},
    rules={
        "repeat": {
            "order": 1,
            "claims": {
                "of-tenant": {"template": "{tenant.id} {tenant.name} {tenant.claims.mark}"},
                "of-membership": {"from": "membership.claims.mark"},
            },
        }
    },
)


def directory(chance: random.Random) -> list[dict[str, Any]]:
    rows = [
        tenant_row(name, name=f"Name of {name}", claims={"mark": f"mark of {name}"}, default_roles=[f"role-of-{name}"])
        for name in TENANTS
    ]
    for user in USERS:
        own = chance.sample(TENANTS, chance.randint(1, 3))
        rows.append(user_row(user, active_tenant=chance.choice(own)))
        rows += [membership_row(user, name, claims={"mark": f"member of {name}"}) for name in own]
    return rows


def asked(chance: random.Random) -> dict[str, Any]:
    if chance.random() < 0.15:
        return event(MACHINE, client_id=chance.choice([CLIENT, PINNED]), scopes=[f"{TENANTS[0]}/use"])
    metadata = {"tenant_id": chance.choice(TENANTS)} if chance.random() < 0.5 else None
    return event(SIGN_IN, sub=chance.choice(USERS), metadata=metadata)


def answer(issuer: Issuer, request: dict[str, Any]) -> str:
    try:
        return json.dumps(issuer.issue(json.loads(json.dumps(request))).event["response"])
    except SignInRefusedError as refused:
        return str(refused)


@settings(max_examples=10)
@given(st.integers(0, 2**32))
def test_a_warm_process_issues_the_same_as_a_cold_one_and_nothing_of_another_tenant(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - a reproducible choice
    document, digest = encode(compile_policy(from_rows(POLICY)))
    pointer = {"version": 1, "digest": digest, "revision": 1, "hold": False}
    stored: list[dict[str, Any]] = [
        {"pk": table.BUNDLE, "sk": table.CURRENT, **pointer},
        {"pk": table.BUNDLE, "sk": table.version_sk(1), "digest": digest, "document": document},
    ]
    rows = Table(holding([*stored, *directory(chance)]), "claimsmith")
    requests = [asked(chance) for _ in range(60)]
    warm = Issuer(rows, "deny", clock=lambda: NOW, monotonic=lambda: 0.0)
    with ThreadPoolExecutor(THREADS) as threads:
        answers = list(threads.map(lambda request: answer(warm, request), requests))
    cold = [answer(Issuer(rows, "deny", clock=lambda: NOW), request) for request in requests]
    assert answers == cold
    for token in answers:
        named = [name for name in TENANTS if name in token]
        assert len(named) <= 1, f"one token speaks of {named}"
