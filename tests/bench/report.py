"""The page that `make bench` writes: figures in, Markdown out."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tests.bench.timing import ratio

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    Figures = Mapping[str, Any]

ROOT: Final = Path(__file__).resolve().parents[2]
FIGURES: Final = Path(__file__).with_name("figures.json")
PAGE: Final = ROOT / "docs" / "reference" / "performance.md"


def _prose(*sentences: str) -> str:
    """A paragraph in lines of a length that an editor shows."""
    return textwrap.fill(" ".join(sentences), 120, break_long_words=False, break_on_hyphens=False) + "\n"


_HEAD: Final = "\n".join(
    (
        "# What it costs\n",
        _prose(
            "Written by `make bench`; do not edit. The assets as a deployment builds them, and two peers written as",
            "people write them (`tests/bench/peers`), on the Python that functions are deployed on and on 3.11, in",
            "one run.",
        ),
        _prose(
            "**Milliseconds are this machine's; believe the ratios.** Each compares with something measured in",
            "turns with it. Medians of wall time are as a person would wait; the least of processor time is the",
            "steadiest figure, because whatever else runs on a machine can only add to it. What a network, Lambda's",
            "sandbox and its cold file system add is in none of these figures: DynamoDB and the key server are on",
            "this machine and answer at once. What it means for many users is",
            "[calculated](../explanation/scale.md).",
        ),
    )
)


#: What all starts are compared with.
_BASE: Final = "boto3.client alone"


class Goal(NamedTuple):
    """A ratio, or microseconds, that must not be exceeded.

    Attributes:
        of: the figure, for a version of Python.
    """

    what: str
    of: Callable[[Figures, str], float]
    most: float


def _start(other: str, part: str = "wall_ms", which: str = "median") -> Callable[[Figures, str], float]:
    return lambda figures, version: ratio(
        figures["token_path"]["cold"][version]["Claimsmith"], figures["token_path"]["cold"][version][other], part, which
    )


def _authorizer(part: str, which: str) -> Callable[[Figures, str], float]:
    name = "Claimsmith authorizer, with its table"
    return lambda figures, version: ratio(
        figures["verify"]["cold"][version][name], figures["verify"]["cold"][version][_BASE], part, which
    )


def _query(figures: Figures, version: str) -> float:
    ours = figures["token_path"]["warm"][version]["Claimsmith"]
    return ratio(ours["handler"], ours["query"], "cpu_us")


def _verify(base: str) -> Callable[[Figures, str], float]:
    return lambda figures, version: (
        figures["verify"]["warm_us"][version]["Claimsmith Verifier"]
        / figures["verify"]["warm_us"][version].get(base, float("nan"))
    )


GOALS: Final = (
    Goal("trigger, fresh process to first answer / `boto3.client` alone", _start(_BASE), 0.40),
    Goal("the same, least processor time", _start(_BASE, "cpu_ms", "min"), 0.40),
    Goal("trigger, fresh process to first answer / the Powertools peer", _start("Powertools peer"), 0.25),
    Goal("the same, least processor time", _start("Powertools peer", "cpu_ms", "min"), 0.25),
    Goal("warm handler, all processor time / one bare botocore Query", _query, 0.70),
    Goal("peak memory of the trigger / `boto3.client` alone", _start(_BASE, "peak_mb"), 0.80),
    Goal("authorizer with its table, fresh process / `boto3.client` alone", _authorizer("wall_ms", "median"), 0.45),
    Goal("the same, least processor time", _authorizer("cpu_ms", "min"), 0.45),
    Goal("verify / bare RSA", _verify("RSA-2048 verify alone (cryptography)"), 1.50),
    Goal("verify / aws-jwt-verify in Node", _verify("aws-jwt-verify"), 1.00),
)


def page(figures: Figures) -> str:
    """The whole page."""
    parts: Iterable[str] = (
        _HEAD,
        _machine(figures["machine"]),
        _goals(figures),
        *_trigger(figures),
        *_runtime_client(figures["runtime_client"]),
        *_introspection(figures["introspection"]),
        *_verifier(figures["verify"]),
        _sizes(figures["sizes"]),
        *_growth(figures["decision"]),
        _plans(figures["plan"]),
    )
    return "\n".join(parts)


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; all but the first column to the right."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *([str(cell) for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _machine(machine: Figures) -> str:
    rows = [(what, value) for what, value in machine.items()]
    return "## The machine\n\n" + table(("", ""), rows)


def _goals(figures: Figures) -> str:
    versions = list(figures["token_path"]["cold"])
    rows = []
    for goal in GOALS:
        found = [round(goal.of(figures, version), 2) for version in versions]
        met = "yes" if all(value <= goal.most for value in found) else "no"
        rows.append((goal.what, *(f"{value:.2f}" for value in found), f"<= {goal.most:.2f}", met))
    return "## Goals\n\n" + table(("ratio", *(f"Python {version}" for version in versions), "goal", "met"), rows)


_TIMES: Final = ("wall ms: median", "least", "processor ms: median", "least", "peak MB", "ratio")


def _times(name: str, found: Figures, base: Figures) -> tuple[str, ...]:
    """A row of ``_TIMES``; the ratio is that of wall medians."""
    wall, cpu = found["wall_ms"], found["cpu_ms"]
    values = (wall["median"], wall["min"], cpu["median"], cpu["min"], found["peak_mb"]["median"])
    return (name, *(f"{value:.1f}" for value in values), f"{ratio(found, base, 'wall_ms'):.2f}")


def _trigger(figures: Figures) -> Iterator[str]:
    yield "## The trigger\n"
    yield _prose(
        "A user with 20 roles of 2 scopes and a claim each. All three read the user's rows at each sign-in, the",
        "policy and the tenant once. From a fresh process's first line to its first answer, against `boto3.client`",
        "alone:",
    )
    for version, cold in figures["token_path"]["cold"].items():
        base = cold[_BASE]
        yield table((f"Python {version}", *_TIMES), (_times(name, found, base) for name, found in cold.items()))
    yield "A warm call, in turns with one bare Query by botocore, which is 1:\n"
    rows = []
    for version, warm in figures["token_path"]["warm"].items():
        for name, found in warm.items():
            wall, cpu = found["handler"]["wall_us"], found["handler"]["cpu_us"]
            against = ratio(found["handler"], found["query"], "cpu_us")
            values = (wall["median"], wall["min"], cpu["median"], cpu["min"])
            rows.append((f"{name}, {version}", *(f"{value:.0f}" for value in values), f"{against:.2f}"))
    yield table(("", "wall µs: median", "least", "processor µs: median", "least", "ratio of processor time"), rows)
    yield _reads("sign-in", figures["token_path"]["reads"])


def _reads(what: str, reads: Figures) -> str:
    first, after = reads["start_and_first"], reads["each_after"]
    return _prose(
        f"Requests to DynamoDB: {first['requests']:g}, with {first['read_units']:g} read units, for the start and the",
        f"first {what}; {after['requests']:g}, with {after['read_units']:g}, for each after that, which writes",
        f"{after['log_bytes']:.0f} bytes of log.",
    )


def _runtime_client(figures: Figures) -> Iterator[str]:
    yield "## Under Lambda's runtime client\n"
    yield _prose(
        "`awslambdaric` against a runtime API on this machine. The start is from starting the process until it asks",
        "for an event; `no handler` is a function that returns its event. Times are medians, processor time until",
        "the first answer the least; the ratio is to the boto3 peer's first answer.",
    )
    header = (
        "start, wall ms",
        "until first answer",
        "processor ms",
        "ratio",
        "warm, wall µs",
        "processor µs",
        "peak MB",
    )
    for version, programs in figures.items():
        base = programs["boto3 peer"]["until_first_answer"]
        rows = [
            (
                name,
                f"{found['start']['wall_ms']['median']:.1f}",
                f"{found['until_first_answer']['wall_ms']['median']:.1f}",
                f"{found['until_first_answer']['cpu_ms']['min']:.1f}",
                f"{ratio(found['until_first_answer'], base, 'wall_ms'):.2f}",
                f"{found['warm']['wall_us']['median']:.0f}",
                f"{found['warm']['cpu_us']['median']:.0f}",
                f"{found['peak_mb']['median']:.1f}",
            )
            for name, found in programs.items()
        ]
        yield table((f"Python {version}", *header), rows)


#: Milliseconds after which a caller gives up: commercetools waits so long for an answer of RFC 7662.
_PATIENCE: Final = 500


def _introspection(figures: Figures) -> Iterator[str]:
    yield "## Introspection against a caller's patience\n"
    first, after = figures["reads"]["start_and_first"], figures["reads"]["each_after"]
    yield _prose(
        f"Some callers give up after {_PATIENCE} ms. Under the runtime client as above, in turns with the boto3 peer:",
        "from starting the process to the first answer, for which policy, keys, caller, revocations, user and tenant",
        "are read; and a warm answer. What the network and Lambda add to that: the way to the API, a sandbox for a",
        f"new process, {first['requests']:g} requests to DynamoDB one after another and one to Cognito for the first",
        f"answer, {after['requests']:g} to DynamoDB for each after it. Where a cold start is too late,",
        "`verifier_capacity` has `snap_start` and `provisioned_concurrency`",
        "([what each costs](../how-to/release.md#no-cold-starts)).",
    )
    yield _prose(
        f"The load of the machine was {figures['load']:.1f} when these began. Processor time, which depends less on",
        f"it, is what a machine with nothing else to do needs; the share of {_PATIENCE} ms and the ratio are of it.",
    )
    header = ("until first answer, ms", "processor ms", f"of {_PATIENCE} ms", "ratio", "warm, ms", "processor ms")
    for version, programs in figures["times"].items():
        base = programs["boto3 peer"]["until_first_answer"]
        rows = []
        for name, found in programs.items():
            cold, warm = found["until_first_answer"], found["warm"]
            rows.append(
                (
                    name,
                    f"{cold['wall_ms']['median']:.1f}",
                    f"{cold['cpu_ms']['min']:.1f}",
                    f"{cold['cpu_ms']['min'] / _PATIENCE:.0%}",
                    f"{ratio(cold, base, 'cpu_ms', 'min'):.2f}",
                    f"{warm['wall_us']['median'] / 1e3:.1f}",
                    f"{warm['cpu_us']['median'] / 1e3:.1f}",
                )
            )
        yield table((f"Python {version}", *header), rows)


def _verifier(figures: Figures) -> Iterator[str]:
    yield "## The verifier\n"
    yield _prose(
        "Warm, per token, against the bare RSA operation in the same process; Node's against Node's own. The PyJWT",
        "peer and aws-jwt-verify know nothing of revocation.",
    )
    versions = list(figures["warm_us"])
    first = figures["warm_us"][versions[0]]
    rows = []
    for name in first:
        base = "node:crypto" if name in ("aws-jwt-verify", "node:crypto") else next(iter(first))
        cells = [
            cell
            for version in versions
            for took in [figures["warm_us"][version]]
            for cell in (f"{took[name]:.1f}", f"{took[name] / took[base]:.2f}")
        ]
        rows.append((name, *cells))
    yield table(("", *(head for version in versions for head in (f"{version}, µs", "ratio"))), rows)
    yield "From a fresh process to the first token verified, against `boto3.client` alone:\n"
    for version, cold in figures["cold"].items():
        base = cold[_BASE]
        yield table((f"Python {version}", *_TIMES), (_times(name, found, base) for name, found in cold.items()))
    yield _reads("verification", figures["reads"])


def _sizes(figures: Figures) -> str:
    rows = [(name, f"{found['zip_mb']:.1f}", f"{found['mb']:.1f}") for name, found in figures.items()]
    about = _prose(
        "Ours with bytecode. The peers' are their packages and boto3 (PyJWT's without), which the runtime has too,",
        "in a version that AWS chooses.",
    )
    return "\n".join(("## Size of the assets\n", about, table(("", "MB, packed", "unpacked"), rows)))


#: Of a quiet machine; microseconds.
_BUDGETS: Final = {
    "decide, 20 roles, 50 rules": "<= 100",
    "decide, 20 roles, 1,000 rules": "<= 600",
    "decode a bundle of 1,000 rules": "<= 4,000",
}

_GROWS: Final = {
    "decode_us": "decode, µs",
    "decide_us": "decide, µs",
    "read_us": "read, µs",
    "kb": "in memory, kB",
    "stored_kb": "stored, kB",
}


def _growth(figures: Figures) -> Iterator[str]:
    yield "## Growth\n\nProcessor time, the least of twenty runs, without reading the table:\n"
    each = ((name, f"{value:.1f}", _BUDGETS.get(name, "")) for name, value in figures["us"].items())
    yield table(("", "µs", "goal"), each)
    for what, by_number in figures["growth"].items():
        names = list(next(iter(by_number.values())))
        rows = [(f"{int(number):,}", *(f"{found[name]:.1f}" for name in names)) for number, found in by_number.items()]
        yield table((what, *(_GROWS[name] for name in names)), rows)


def _plans(figures: Sequence[Figures]) -> str:
    rows = [
        (
            f"{found['what']}, {found['users']:,} users{', no two alike' if found['unlike'] else ''}",
            f"{found['seconds']:.2f}",
            f"{found['peak_mb']:.1f}",
        )
        for found in figures
    ]
    return "Commands that look at every user, processor time and peak memory:\n\n" + table(("", "s", "peak MB"), rows)
