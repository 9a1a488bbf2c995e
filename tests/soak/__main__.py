"""``make soak``: sign-ins, refreshes, policy edits, publishes, revocations and verifications at once, for minutes.

The functions run as they are deployed, each in a process of its own, with a DynamoDB on this machine; people and the
stream are threads here. Each answer is checked against the rows (``oracle``). Ends with 1 if one was wrong, if
something that should have happened did not, or if a function's memory grew.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import sys
import threading
import time
from collections import Counter, defaultdict, deque
from contextlib import ExitStack
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from claimsmith.policy import from_rows
from claimsmith.service.publish import apply
from claimsmith.service.revoke import revoke
from claimsmith.store.attributes import decode_row
from claimsmith.store.dynamodb import Table
from tests.bench.canned import serving
from tests.conftest import AWS_ENVIRONMENT, TABLE
from tests.events import REFRESH, SIGN_IN, event
from tests.integration.dynamodb_server import LoopbackDynamoDB
from tests.integration.memory_dynamodb import MemoryDynamoDB
from tests.policies import membership_row, policy_rows, tenant_row, user_row
from tests.soak import oracle
from tests.soak.function import Function
from tests.soak.oracle import History, Interval
from tests.unit.verifier.minting import ISSUER, Pool, access_claims

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.integration.memory_dynamodb import Item, Key

USERS: Final = [str(UUID(int=number, version=4)) for number in range(50)]
TENANTS: Final = [f"t{number}" for number in range(5)]
ROLES: Final = [f"r{number}" for number in range(8)]
CLIENTS: Final = ["1web23456789", "1app23456789"]

TRIGGER: Final = "lambdas.pre_token.handler"
AUTHORIZER: Final = "lambdas.verifier.authorizer"
PUBLISHER: Final = "lambdas.publisher.handler:publish_handler"

FAULTS: Final = ("old-policy", "no-revocation")

#: Megabytes by which a function may grow after the first quarter of the time: pages of an allocator, not a leak.
GROWTH: Final = 16.0


def role_row(name: str, edit: int) -> dict[str, Any]:
    """A role that says how often it was edited, so that a token shows which edit it was made of."""
    return {
        "pk": "POLICY",
        "sk": f"ROLE#{name}",
        "scopes": [f"api/{name}", f"api/{name}.{edit}"],
        "claims": {name: edit},
    }


def policy() -> list[dict[str, Any]]:
    """The first policy."""
    routes = [
        {"pk": "POLICY", "sk": f"ROUTE#{name}", "path": f"/{name}", "any_scope": [f"api/{name}"]} for name in ROLES
    ]
    rows = policy_rows(
        settings={"scope_mode": "exact", "cache_seconds": oracle.POLICY_SECONDS},
        clients={client_id: {"name": client_id} for client_id in CLIENTS},
        rules={
            "plan": {
                "order": 1,
                "when": {"field": "tenant.plan", "op": "exists", "value": True},
                "claims": {"plan": {"from": "tenant.plan"}},
            }
        },
    )
    return [*rows, *routes, *(role_row(name, 0) for name in ROLES)]


class Soak:
    """The table with its history, what goes on, and what was found.

    Attributes:
        wrong: what was wrong.
        seconds: latencies, by what was done.
        done: how often something happened, by what.
        edited: set when nobody edits any more.
    """

    def __init__(self, seconds: float) -> None:
        self.ends = time.monotonic() + seconds
        self.history = History(time.monotonic)
        self.changes: SimpleQueue[Key] = SimpleQueue()
        self.edited = threading.Event()
        self.memory = MemoryDynamoDB(self._written)
        self.rows = Table(self.memory, TABLE)
        self.pool = Pool()
        self.tokens: deque[tuple[str, dict[str, Any]]] = deque(maxlen=400)
        self.wrong: list[str] = []
        self.seconds: defaultdict[str, list[float]] = defaultdict(list)
        self.done: Counter[str] = Counter()

    def _written(self, key: Key, before: Item | None, after: Item | None) -> None:
        self.history(key, before, after)
        if key[0] == "POLICY":
            self.changes.put(key)

    def fill(self) -> None:
        """The directory, and a policy in force."""
        for number, tenant in enumerate(TENANTS):
            self.rows.put(tenant_row(tenant, name=tenant.upper(), plan=f"plan-{number}"))
        for number, sub in enumerate(USERS):
            self.rows.put(user_row(sub, username=f"user{number}"))
            self.rows.put(membership_row(sub, TENANTS[number % len(TENANTS)], roles=ROLES[number % 4 : number % 4 + 3]))
        apply(self.rows, from_rows(policy()), by="soak")

    def turns(self, pause: float = 0.0) -> Iterator[random.Random]:
        """Until the time is up; each time after a pause of about so many seconds."""
        chance = random.Random(threading.get_ident())  # noqa: S311 - what happens is left to chance
        while time.monotonic() < self.ends and len(self.wrong) < 10:
            if pause:
                time.sleep(chance.expovariate(1 / pause))
            yield chance

    def call(self, function: Function, what: str, sent: Mapping[str, Any]) -> tuple[dict[str, Any], Interval]:
        """An answer, and when."""
        start = time.monotonic()
        answer = function(sent)
        when = Interval(start, time.monotonic())
        self.seconds[what].append(when.end - when.start)
        return answer, when

    def found(self, problem: str | None) -> None:
        """Keep what is wrong, if anything is."""
        if problem is not None:
            self.wrong.append(problem)

    def sign_in(self, trigger: Function) -> None:
        """Users sign in, and refresh what they have."""
        for chance in self.turns():
            refreshed = chance.choice(self.tokens)[1] if self.tokens and chance.random() < 0.5 else None
            sub = chance.choice(USERS) if refreshed is None else refreshed["sub"]
            client = chance.choice(CLIENTS) if refreshed is None else refreshed["client_id"]
            what = "sign-in" if refreshed is None else "refresh"
            issued_at = int(time.time())
            asked = event(SIGN_IN if refreshed is None else REFRESH, sub=sub, client_id=client)
            answer, when = self.call(trigger, what, asked)
            self.found(oracle.wrong_answer(self.history, sub, answer, when))
            if "answer" in answer:
                self.done[what] += 1
                self._mint(answer["answer"], issued_at, refreshed, chance)
            else:
                self.done["refused"] += 1

    def _mint(
        self, issued: Mapping[str, Any], at: int, refreshed: Mapping[str, Any] | None, chance: random.Random
    ) -> None:
        """What Cognito makes of the trigger's answer: an access token."""
        made = issued["response"]["claimsAndScopeOverrideDetails"]["accessTokenGeneration"]
        sub = issued["request"]["userAttributes"]["sub"]
        session = str(UUID(int=chance.getrandbits(128), version=4)) if refreshed is None else refreshed["origin_jti"]
        claims = access_claims(
            sub=sub,
            username=sub,
            client_id=issued["callerContext"]["clientId"],
            origin_jti=session,
            jti=str(UUID(int=chance.getrandbits(128), version=4)),
            iat=at,
            auth_time=at if refreshed is None else refreshed["auth_time"],
            exp=at + 3600,
            **made["claimsToAddOrOverride"],
            scope=" ".join(made["scopesToAdd"]),
        )
        self.tokens.append((self.pool.sign(claims), claims))

    def verify(self, authorizer: Function) -> None:
        """APIs are called, now and then with a token that somebody has changed."""
        for chance in self.turns():
            if not self.tokens:
                time.sleep(0.01)
                continue
            token, claims = chance.choice(self.tokens)
            role, forged = chance.choice(ROLES), chance.random() < 0.05
            head, payload, signature = token.split(".")
            sent = f"{head}.{payload}.{signature[::-1]}" if forged else token
            answer, when = self.call(authorizer, "verification", _request(role, sent))
            verdict = _verdict(answer)
            self.found(oracle.wrong_verdict(self.history, claims, role, verdict, when, forged=forged))
            self.done["forged, refused" if forged else verdict] += 1

    def edit(self) -> None:
        """Admins edit policy and directory, now and then so that the policy must be refused."""
        edits: Counter[str] = Counter()
        for chance in self.turns(0.05):
            kind = chance.choice(
                ("role", "member", "tenant", "user", "mistake") if chance.random() < 0.3 else ("member",)
            )
            name = chance.choice(ROLES)
            edits[name] += 1
            sub = chance.choice(USERS)
            if kind == "role":
                self.rows.put(role_row(name, edits[name]))
            elif kind == "member":
                tenant = TENANTS[USERS.index(sub) % len(TENANTS)]
                self.rows.put(membership_row(sub, tenant, roles=chance.sample(ROLES, 3)))
            elif kind == "tenant":
                tenant = chance.choice(TENANTS)
                self.rows.put(tenant_row(tenant, name=tenant.upper(), plan=f"plan-{chance.randrange(1000)}"))
            elif kind == "user":
                suspended = chance.random() < 0.5
                self.rows.put(user_row(sub, username=sub, **({"status": "suspended"} if suspended else {})))
            else:
                self.rows.put({**role_row(name, edits[name]), "inherits": ["nobody"]})
                time.sleep(0.2)
                self.rows.put(role_row(name, edits[name]))
            self.done[f"edit of a {kind}" if kind != "mistake" else "mistake in the policy"] += 1

    def revoke(self) -> None:
        """Tokens, sessions and users are revoked, and seldom clients and tenants, which end the tokens of many."""
        for chance in self.turns(0.2):
            if not self.tokens:
                continue
            _, claims = chance.choice(self.tokens)
            kind = chance.choices(("session", "token", "user", "client", "tenant"), (10, 10, 4, 1, 1))[0]
            names = {
                "session": "origin_jti",
                "token": "jti",
                "user": "sub",
                "client": "client_id",
                "tenant": "tenant_id",
            }
            revoke(self.rows, kind, claims[names[kind]], by="soak")  # type: ignore[arg-type] # one of its kinds
            self.done[f"{kind} revoked"] += 1

    def publish(self, publisher: Function) -> None:
        """The stream: changes of the policy, in batches, and again until they are done."""
        number, waiting = 0, False
        while not self.edited.is_set() or waiting or not self.changes.empty():
            try:
                self.changes.get(timeout=0.05)
                waiting = True
                while not self.changes.empty():
                    self.changes.get()
            except Empty:
                if not waiting:
                    continue
            number += 1
            keys = {"pk": {"S": "POLICY"}, "sk": {"S": "SETTINGS"}}
            record = {"eventName": "MODIFY", "dynamodb": {"Keys": keys, "SequenceNumber": str(number)}}
            before = self._version()
            answer, when = self.call(publisher, "publish", {"Records": [record]})
            if "error" in answer:
                raise RuntimeError(answer)
            waiting = bool(answer["answer"]["batchItemFailures"])
            if self._version() != before:
                self.done["published"] += 1
                self.found(oracle.wrong_version(self.history, self._version(), when))

    def _version(self) -> int:
        return int(decode_row(self.memory.items["BUNDLE", "CURRENT"])["version"])

    def settle(self) -> None:
        """Once nobody edits any more, the policy in force is that of the rows."""
        self.found(oracle.wrong_version(self.history, self._version(), Interval(time.monotonic(), time.monotonic())))


def _request(role: str, token: str) -> dict[str, Any]:
    """A REST API's event for a TOKEN authorizer: the only one whose answer tells 401 from 403."""
    arn = f"arn:aws:execute-api:eu-central-1:123456789012:a1b2c3d4e5/live/GET/{role}"
    return {"type": "TOKEN", "methodArn": arn, "authorizationToken": f"Bearer {token}"}


def _verdict(answer: Mapping[str, Any]) -> str:
    if "answer" in answer:
        [statement] = answer["answer"]["policyDocument"]["Statement"]
        return "allowed" if statement["Effect"] == "Allow" else "forbidden"
    return "unauthorized" if answer["error"] == "UnauthorizedError" else f"{answer['error']}: {answer['message']}"


#: What must have happened for a run to say anything.
EXPECTED: Final = (
    *("sign-in", "refresh", "refused", "allowed", "forbidden", "unauthorized", "forged, refused", "published"),
    *("edit of a role", "edit of a member", "edit of a tenant", "edit of a user", "mistake in the policy"),
    *("session revoked", "token revoked", "user revoked", "client revoked", "tenant revoked"),
)


def run(minutes: float, fault: str) -> int:
    """Run, and say what was found; the process's exit code."""
    soak = Soak(minutes * 60)
    soak.fill()
    inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    with ExitStack() as stack:
        keys = stack.enter_context(serving({"keys": json.dumps(soak.pool.jwks).encode()}))
        server = stack.enter_context(LoopbackDynamoDB(soak.memory))
        environment = {
            **inherited,
            **AWS_ENVIRONMENT,
            "AWS_ENDPOINT_URL": server.endpoint_url,
            "CLAIMSMITH_TABLE": TABLE,
            "CLAIMSMITH_AUDIT_TABLE": f"{TABLE}-audit",
            "CLAIMSMITH_ISSUERS": f"{ISSUER}={keys.url}/jwks.json",
            **({"CLAIMSMITH_REVOCATION": "off"} if fault == "no-revocation" else {}),
        }
        functions = [
            stack.enter_context(Function(name, environment, fault if name == TRIGGER else ""))
            for name in (TRIGGER, TRIGGER, AUTHORIZER, AUTHORIZER, PUBLISHER)
        ]
        work: dict[str, Callable[[Function], None]] = {
            TRIGGER: soak.sign_in,
            AUTHORIZER: soak.verify,
            PUBLISHER: soak.publish,
        }
        soak.ends = time.monotonic() + minutes * 60
        threads = [
            *(threading.Thread(target=_kept(soak, work[each.name]), args=(each,)) for each in functions),
            threading.Thread(target=_kept(soak, soak.edit)),
            threading.Thread(target=_kept(soak, soak.revoke)),
        ]
        publishing = threads.pop(len(functions) - 1)  # ends last, when nobody edits any more
        for thread in (publishing, *threads):
            thread.start()
        threads[0].join(minutes * 15)
        early = [(each.memory(), each.answered) for each in functions]
        for thread in threads:
            thread.join()
        soak.edited.set()
        publishing.join()
        soak.settle()
        late = [(each.memory(), each.answered) for each in functions]
    lines = list(_report(soak))
    for each, (before, first), (after, last) in zip(functions, early, late, strict=True):
        grown = (after - before) * 1024 / max(1, last - first) * 1000
        lines.append(
            f"{each.name:42}{before:8.1f} MB after a quarter, {after:.1f} at the end: "
            f"{grown:+.0f} kB per 1,000 of {last:,}"
        )
        if after - before > GROWTH:
            soak.wrong.append(f"{each.name} grew by {after - before:.1f} MB")
    missing = [what for what in EXPECTED if not soak.done[what]]
    if missing and not soak.wrong:
        soak.wrong.append(f"never happened: {', '.join(missing)}")
    lines += ["", *(f"WRONG: {problem}" for problem in soak.wrong), f"{len(soak.wrong)} wrong."]
    sys.stdout.write("\n".join(lines) + "\n")
    return int(bool(soak.wrong))


def _kept(soak: Soak, work: Callable[..., None]) -> Callable[..., None]:
    """The same, but what it raises is kept as something wrong, and ends the run."""

    def kept(*arguments: Function) -> None:
        try:
            work(*arguments)
        except Exception as error:  # noqa: BLE001 - a thread's error would be lost
            soak.found(f"{work.__name__} ended with {error!r}")
            soak.ends = 0.0

    return kept


def _report(soak: Soak) -> Iterator[str]:
    yield from (f"{count:10,}  {what}" for what, count in sorted(soak.done.items()))
    yield f"\n{'milliseconds':42}{'median':>10}{'90 %':>10}{'99 %':>10}{'most':>10}{'':4}of"
    for what, seconds in soak.seconds.items():
        parts = statistics.quantiles(seconds, n=100) if len(seconds) > 1 else seconds * 99
        shown = (*(parts[at] for at in (49, 89, 98)), max(seconds))
        yield f"{what:42}{''.join(f'{value * 1e3:10.1f}' for value in shown)}    {len(seconds):,}"
    yield ""


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--fault", choices=FAULTS, default="", help="show that it is found")
    given = parser.parse_args()
    sys.exit(run(given.minutes, given.fault))
