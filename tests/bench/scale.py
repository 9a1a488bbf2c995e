"""What the figures mean for many users: the busiest hour, second by second, against AWS's quotas; and its price.

It is a simulation on paper: what a token and a verification take is measured (``figures.json``), how people use an
application is assumed, and AWS's quotas and prices are AWS's. Not one request is sent. The page's tables are written
here; its explanations are written by hand.
"""

from __future__ import annotations

import math
import random
import re
from collections import Counter, deque
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from claimsmith.store.item_size import MAX_ITEM
from tests.bench.report import ROOT, table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Figures = Mapping[str, Any]

PAGE: Final = ROOT / "docs" / "explanation" / "scale.md"
USERS: Final = (10_000, 100_000, 1_000_000, 10_000_000)

# What is assumed.

#: Of all users: who use the application in its busiest hour, and who sign in during it. The others have a session.
ACTIVE, SIGNING_IN = 0.20, 0.05
#: An hour for which one is active: tokens live for 15 minutes, as the CDK app makes them, and so many API calls.
REFRESHES, API_CALLS = 4, 60
#: The busiest moment of the hour, against its mean.
PEAK: Final = 3.0
#: Milliseconds for a request to DynamoDB and back in one Region.
NETWORK_MS: Final = 3.0
#: Seconds for which an environment that nobody needs stays.
IDLE: Final = 600
#: ``cache_seconds`` of a policy, and the seconds for which verifiers remember a client.
POLICY_SECONDS, CLIENT_SECONDS = 30, 5
#: Of a gigabyte of memory; a function has 1,769 MB for each processor (AWS Lambda, "Configure memory").
MEMORY_GB, PROCESSORS = 1.0, 1024 / 1769

# What AWS grants to begin with.

_PARTITION: Final = 3_000

#: Each with the unit that is counted.
QUOTAS: Final = {
    "Cognito, sign-ins and refreshes a second": 120,
    "Lambda, environments at once": 1_000,
    "Lambda, new environments of one function in 10 s": 1_000,
    "DynamoDB, read units a second of a new table": 12_000,
    "DynamoDB, read units a second of the partition of the policy": _PARTITION,
    "DynamoDB, read units a second of the row of one app client": _PARTITION,
}
#: What one environment answers in a second at most, however short its answers are.
_PER_ENVIRONMENT: Final = 10

#: US dollars in us-east-1: a million requests to Lambda, a GB-second on arm64, a million read units, a GB of logs.
REQUESTS, GB_SECOND, READ_UNITS, LOG_GB = 0.20, 0.0000133334, 0.125, 0.50
#: Bytes that Lambda itself adds to the log of an invocation (START, END, REPORT).
_LAMBDA_LOG: Final = 350


class Function(NamedTuple):
    """What one of the functions takes.

    Attributes:
        warm_ms: an invocation, as it is billed.
        cold_ms: the start and the first invocation, as it is billed.
        warm_units: read units of an invocation, and ``cold_units`` with a start; likewise bytes of log.
    """

    warm_ms: float
    cold_ms: float
    warm_units: float
    cold_units: float
    warm_log: float
    cold_log: float


def function(figures: Figures, kind: str) -> Function:
    """The trigger (``Claimsmith``) or the authorizer (``Claimsmith authorizer``), measured under the runtime client."""
    ran = next(iter(figures["runtime_client"].values()))[kind]
    asked = figures["token_path" if kind == "Claimsmith" else "verify"]["reads"]
    first, after = asked["start_and_first"], asked["each_after"]

    def lasts(processor_ms: float, requests: float) -> float:
        return processor_ms / PROCESSORS + requests * NETWORK_MS

    return Function(
        lasts(ran["warm"]["cpu_us"]["median"] / 1e3, after["requests"]),
        lasts(ran["until_first_answer"]["cpu_ms"]["median"], first["requests"]),
        after["read_units"],
        first["read_units"],
        after["log_bytes"] + _LAMBDA_LOG,
        first["log_bytes"] + _LAMBDA_LOG,
    )


class Hour(NamedTuple):
    """What one function did in the busiest hour.

    Attributes:
        most: the most invocations in a second.
        environments: the most at once.
        started: environments that were made, ``started_in_ten`` the most in 10 seconds.
        units: the most read units in a second, ``policy_units`` those of the policy's partition.
        asking: the most environments that were in use in a second.
    """

    invocations: int
    most: int
    environments: int
    started: int
    started_in_ten: int
    units: float
    policy_units: float
    asking: int


def hour(mean: float, taken: Function, seed: int = 1) -> Hour:
    """The busiest hour, after ten quiet minutes: arrivals at random around a rate that rises to its peak and falls.

    Args:
        mean: invocations a second.
        taken: what each takes.
        seed: of the chance.
    """
    chance = random.Random(seed)  # noqa: S311 - a reproducible choice
    highest: Counter[str] = Counter()
    there = invocations = started = 0
    needs: deque[int] = deque(maxlen=IDLE)
    starts: deque[int] = deque(maxlen=10)
    units = policy_units = 0.0
    for second in range(-IDLE, 3600):
        rate = mean * _shape(second)
        arrived = max(0, round(chance.gauss(rate, math.sqrt(rate))))
        # Within a second arrivals are as random: three deviations more are in use at once than on the average.
        busy = arrived * taken.warm_ms / 1e3
        needed = min(arrived, math.ceil(max(busy + 3 * math.sqrt(busy), arrived / _PER_ENVIRONMENT)))
        needs.append(needed)
        new = max(0, needed - there)
        there = max(needs)  # new ones are needed, and who was needed within IDLE is still there
        if second < 0:
            continue
        starts.append(new)
        invocations, started = invocations + arrived, started + new
        in_use = min(there, arrived)
        refreshed = in_use / POLICY_SECONDS
        units = max(units, (arrived - new) * taken.warm_units + new * taken.cold_units + refreshed)
        policy_units = max(policy_units, new * (taken.cold_units - taken.warm_units) + refreshed)
        for name, value in (("most", arrived), ("environments", there), ("in ten", sum(starts)), ("asking", in_use)):
            highest[name] = max(highest[name], value)
    return Hour(
        invocations,
        highest["most"],
        highest["environments"],
        started,
        highest["in ten"],
        units,
        policy_units,
        highest["asking"],
    )


def _shape(second: int) -> float:
    """A hill of 20 minutes on a plain; its mean is 1 and its top ``PEAK``."""
    hill = math.exp(-(((second - 1800) / 600) ** 2))
    share = 600 * math.sqrt(math.pi) / 3600  # of the hour under the hill, were it that high all the time
    plain = (1 - PEAK * share) / (1 - share)
    return plain + (PEAK - plain) * hill


class Load(NamedTuple):
    """Both functions in the busiest hour of so many users."""

    tokens: Hour
    verifications: Hour


def load(users: int, figures: Figures) -> Load:
    """What so many users do."""
    tokens = users * (SIGNING_IN + ACTIVE * REFRESHES) / 3600
    calls = users * ACTIVE * API_CALLS / 3600
    return Load(hour(tokens, function(figures, "Claimsmith")), hour(calls, function(figures, "Claimsmith authorizer")))


def used(found: Load) -> dict[str, float]:
    """What is used of each of ``QUOTAS``, at most."""
    both = (found.tokens, found.verifications)
    values = (
        found.tokens.most,
        sum(each.environments for each in both),
        max(each.started_in_ten for each in both),
        sum(each.units for each in both),
        sum(each.policy_units for each in both),
        found.verifications.asking / CLIENT_SECONDS,
    )
    return dict(zip(QUOTAS, values, strict=True))


def price(taken: Function, hours: Hour) -> dict[str, float]:
    """Dollars for a million invocations, of which as many are cold as in this hour."""
    cold = hours.started / hours.invocations

    def mixed(warm: float, first: float) -> float:
        return warm * (1 - cold) + first * cold

    return {
        "requests to Lambda": REQUESTS,
        "time of Lambda": 1e6 * MEMORY_GB * GB_SECOND * mixed(math.ceil(taken.warm_ms), math.ceil(taken.cold_ms)) / 1e3,
        "reads of DynamoDB": READ_UNITS * mixed(taken.warm_units, taken.cold_units),
        "logs": LOG_GB * mixed(taken.warm_log, taken.cold_log) / 1e3,
    }


def sections(figures: Figures) -> dict[str, str]:
    """The page's tables, by name."""
    loads = {users: load(users, figures) for users in USERS}
    return {
        "load": _loads(loads),
        "quotas": _quotas(loads),
        "limits": _limits(figures),
        "price": _prices(loads[100_000], figures),
    }


def _loads(loads: Mapping[int, Load]) -> str:
    rows: tuple[tuple[str, Callable[[Load], float]], ...] = (
        ("tokens in the hour", lambda found: found.tokens.invocations),
        ("tokens a second, at most", lambda found: found.tokens.most),
        ("verifications a second, at most", lambda found: found.verifications.most),
        ("environments of the trigger, at most", lambda found: found.tokens.environments),
        ("environments of the authorizer, at most", lambda found: found.verifications.environments),
        ("cold starts of both in the hour", lambda found: found.tokens.started + found.verifications.started),
        ("read units a second, at most", lambda found: found.tokens.units + found.verifications.units),
    )
    return table(
        ("users", *(f"{users:,}" for users in loads)),
        ((name, *(f"{of(found):,.0f}" for found in loads.values())) for name, of in rows),
    )


def _quotas(loads: Mapping[int, Load]) -> str:
    shares = {
        users: {name: value / QUOTAS[name] for name, value in used(found).items()} for users, found in loads.items()
    }
    rows: list[tuple[str, ...]] = [
        (name, f"{quota:,}", *(_percent(shares[users][name]) for users in loads)) for name, quota in QUOTAS.items()
    ]
    return table(("quota, used at most", "to begin with", *(f"{users:,}" for users in loads)), rows)


def _percent(share: float) -> str:
    text = f"{share:.0%}" if share >= 0.01 else "< 1%"
    return f"**{text}**" if share > 1 else text


def _limits(figures: Figures) -> str:
    """How many users there are when each quota is reached, and what reaches a hot partition by itself."""
    base = used(load(1_000_000, figures))
    trigger = function(figures, "Claimsmith")
    starts = {
        "a policy like that of the benchmark": trigger.cold_units - trigger.warm_units,
        "the largest that DynamoDB stores, 400 kB compressed": 1 + MAX_ITEM / 4096,
    }
    rows = [(name, f"{_rounded(1_000_000 * quota / base[name]):,} users") for name, quota in QUOTAS.items()]
    rows += [
        (f"the partition of the policy, at once: {name}", f"{_PARTITION / units:,.0f} starts in a second")
        for name, units in starts.items()
    ]
    each = "the row of one app client, read for each token (`revocation_shared_seconds = 0`)"
    return table(("what is used up", "at"), [*rows, (each, f"{_PARTITION:,} verifications a second")])


def _rounded(number: float) -> int:
    """Two digits: more would be a promise."""
    return int(float(f"{number:.2g}"))


def _prices(found: Load, figures: Figures) -> str:
    tokens = price(function(figures, "Claimsmith"), found.tokens)
    verifications = price(function(figures, "Claimsmith authorizer"), found.verifications)
    rows = [(name, f"{tokens[name]:.2f}", f"{verifications[name]:.2f}") for name in tokens]
    rows.append(("**together**", f"**{sum(tokens.values()):.2f}**", f"**{sum(verifications.values()):.2f}**"))
    return table(("US dollars", "a million tokens", "a million verifications"), rows)


_SECTION: Final = re.compile(r"<!-- begin: (\w+) -->\n\n(.*?)\n?<!-- end -->", re.DOTALL)


def page(text: str, figures: Figures) -> str:
    """The page with its tables as these figures have them."""
    made = sections(figures)
    return _SECTION.sub(lambda found: f"<!-- begin: {found[1]} -->\n\n{made[found[1]]}\n<!-- end -->", text)


def written(text: str) -> Iterator[tuple[str, str]]:
    """The tables in the page, by name."""
    for found in _SECTION.finditer(text):
        yield found[1], found[2]
