"""What the functions may answer: what some state of the rows allows, from before the request by as much as is promised.

Every write is recorded with its time, under the lock under which it becomes visible. An answer is right if it follows
from rows as they were at some moment between the beginning of the request, less the staleness that the documentation
states for that row, and the answer. What follows is worked out here, by hand, for the one kind of policy of the soak;
nothing of the engine or the verifier is used. A slow machine only makes the interval longer, so no right answer is ever
called wrong.
"""

from __future__ import annotations

import json
import threading
import zlib
from bisect import bisect_right
from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from claimsmith.store.attributes import decode_row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from tests.integration.memory_dynamodb import Item, Key

    Rows = Mapping[str, Mapping[str, Any]]

#: Seconds for which the trigger may use a policy or a tenant's row that has changed: ``cache_seconds`` of the policy.
POLICY_SECONDS: Final = 2

#: Seconds for which verifiers may use a client's and a tenant's row, as deployed; all others are read each time.
SHARED_SECONDS: Final = 5
STALE: Final = {"session": 0, "token": 0, "user": 0, "client": SHARED_SECONDS, "tenant": SHARED_SECONDS}

_CLAIMS: Final = {
    "session": "origin_jti",
    "token": "jti",
    "user": "sub",
    "client": "client_id",
    "tenant": "tenant_id",
}

#: Of those who are suspended (docs/reference/codes.md).
SUSPENDED: Final = "[CS2009]"


class Interval(NamedTuple):
    """From a request's beginning to its answer, on the clock of the history."""

    start: float
    end: float


class History:
    """What the rows have been. A watcher of ``MemoryDynamoDB``."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._times: dict[str, list[float]] = {}
        self._states: dict[str, list[Rows]] = {}

    def __call__(self, key: Key, _before: Item | None, after: Item | None) -> None:
        """A row is written: the rows of a user are one state, any other row is its own."""
        part = part_of(*key)
        with self._lock:
            states = self._states.setdefault(part, [{}])
            rows = {sk: row for sk, row in states[-1].items() if sk != key[1]}
            states.append(rows if after is None else {**rows, key[1]: decode_row(after)})
            self._times.setdefault(part, []).append(self._clock())

    def during(self, pk: str, sk: str, when: Interval, stale: float = 0) -> list[Rows]:
        """Every state of this row, or of this user's rows, in the interval and for so many seconds before it."""
        part = part_of(pk, sk)
        with self._lock:
            times = self._times.get(part, [])
            first, last = bisect_right(times, when.start - stale), bisect_right(times, when.end)
            return self._states.get(part, [{}])[first : last + 1]


def part_of(pk: str, sk: str) -> str:
    """What is read as one."""
    return pk if pk.startswith("USER#") else f"{pk} {sk}"


class Answer(NamedTuple):
    """What the trigger answered: claims and scopes, or the text of a refusal."""

    claims: Mapping[str, Any]
    scopes: frozenset[str]
    refusal: str = ""


def allowed_answers(history: History, sub: str, when: Interval) -> Iterable[Answer]:
    """What the rows allow the trigger to answer."""
    pointers = filter(None, history.during("BUNDLE", "CURRENT", when, POLICY_SECONDS))
    for rows, pointer in product(history.during(f"USER#{sub}", "", when), pointers):
        if rows["USER"].get("status") == "suspended":
            yield Answer({}, frozenset(), SUSPENDED)
            continue
        [membership] = [sk for sk in rows if sk.startswith("TENANT#")]
        tenant = membership.removeprefix("TENANT#")
        [version] = history.during("BUNDLE", f"V#{pointer['CURRENT']['version']:08d}", Interval(when.end, when.end))
        [row] = version.values()
        roles = _roles(row["document"])
        held = sorted(rows[membership]["roles"])
        for known in filter(None, history.during(f"TENANT#{tenant}", "TENANT", when, POLICY_SECONDS)):
            claims = {
                "tenant_id": tenant,
                "plan": known["TENANT"]["plan"],
                "roles": held,
                "policy_version": pointer["CURRENT"]["version"],
            }
            for name in held:
                claims |= roles[name]["access_claims"]
            yield Answer(claims, frozenset(scope for name in held for scope in roles[name]["scopes"]))


@lru_cache(64)
def _roles(document: bytes) -> Mapping[str, Any]:
    roles: Mapping[str, Any] = json.loads(zlib.decompress(document))["roles"]
    return roles


def _named(found: Answer) -> str:
    """The tenant's name, which is only in the ID token; it never changes here."""
    return str(found.claims["tenant_id"]).upper()


def wrong_answer(history: History, sub: str, answered: Mapping[str, Any], when: Interval) -> str | None:
    """What is wrong with an answer of the trigger; None if the rows allow it."""
    if "error" in answered:
        found = Answer({}, frozenset(), answered["message"][-len(SUSPENDED) :])
    else:
        made = answered["answer"]["response"]["claimsAndScopeOverrideDetails"]
        access, identity = made["accessTokenGeneration"], made["idTokenGeneration"]
        found = Answer(access["claimsToAddOrOverride"], frozenset(access["scopesToAdd"]))
        if {**identity["claimsToAddOrOverride"], **found.claims} != {**found.claims, "tenant_name": _named(found)}:
            return f"the tokens of {sub} differ: {found.claims} and {identity}"
    allowed = list(allowed_answers(history, sub, when))
    return None if found in allowed else f"{sub} was given {found}; the rows allow {allowed}"


def wrong_verdict(
    history: History, claims: Mapping[str, Any], role: str, verdict: str, when: Interval, *, forged: bool
) -> str | None:
    """What is wrong with a verdict on a token, ``allowed``, ``forbidden`` or ``unauthorized``; None if nothing is.

    Args:
        history: of the rows.
        claims: of the token.
        role: whose scope the route requires.
        verdict: the authorizer's.
        when: from the request to the verdict.
        forged: whether its signature is not the issuer's.
    """
    revoked = {kind: _revoked(history, kind, claims, when) for kind in STALE}
    valid = "allowed" if f"api/{role}" in claims["scope"].split() else "forbidden"
    right = set()
    if forged or any(True in states for states in revoked.values()):
        right.add("unauthorized")
    if not forged and all(False in states for states in revoked.values()):
        right.add(valid)
    found = {kind: states for kind, states in revoked.items() if True in states}
    return (
        None if verdict in right else f"a token was {verdict}, not {right}: forged {forged}, revoked {found}, {claims}"
    )


def _revoked(history: History, kind: str, claims: Mapping[str, Any], when: Interval) -> set[bool]:
    """Whether a row of this kind revokes the token, in each of its states."""
    since = {"user": claims["auth_time"], "client": claims["iat"], "tenant": claims["iat"]}.get(kind)
    states = history.during(f"REVOKED#{kind}#{claims[_CLAIMS[kind]]}", "REVOKED", when, STALE[kind])
    return {bool(rows) and (since is None or since <= rows["REVOKED"]["revoked_at"]) for rows in states}


def wrong_version(history: History, number: int, when: Interval) -> str | None:
    """What is wrong with a version that was published in this interval; None if its roles are rows of that time."""
    [version] = history.during("BUNDLE", f"V#{number:08d}", Interval(when.end, when.end))
    [row] = version.values()
    for name, role in _roles(row["document"]).items():
        rows = [state[f"ROLE#{name}"] for state in history.during("POLICY", f"ROLE#{name}", when) if state]
        if not any(
            sorted(known["scopes"]) == sorted(role["scopes"]) and known["claims"] == role["access_claims"]
            for known in rows
        ):
            return f"version {number} has {name} as {role}; the rows were {rows}"
    return None
