"""Runs a Lambda function as Lambda does: a fresh process, environment variables, events in, answers out."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).parents[2]

#: Answers go to a file, so that standard output holds what the function itself writes: its log.
_RUNTIME = """
import importlib, json, sys, types
from claimsmith.store import dynamodb, reads
from tests.waits import UNHURRIED, Waits
module, events, answers, passed, remaining = sys.argv[1:]
dynamodb.TOKEN_PATH = UNHURRIED
reads.TOKEN_PATH = reads.Patience(60, 60, reads.TOKEN_PATH.attempts)
waits = Waits()
waits.install()
waits.passed = float(passed)
if module.startswith("lambdas.verifier."):
    from claimsmith.verifier import KeySource
    KeySource.__init__.__kwdefaults__["timeout"] = 60.0
module, _, name = module.partition(":")
handler = getattr(importlib.import_module(module), name or "handler")
remaining = iter(json.loads(remaining) or ())
context = types.SimpleNamespace(get_remaining_time_in_millis=lambda: next(remaining, 60_000))
results = []
for number, event in enumerate(json.load(open(events))):
    context.aws_request_id = f"invocation-{number}"
    started = waits.clock()
    try:
        answer = {"answer": handler(event, context)}
    except Exception as error:
        answer = {"error": type(error).__name__, "message": str(error)}
    results.append(answer | {"seconds": waits.clock() - started})
json.dump({"results": results, "modules": sorted(sys.modules)}, open(answers, "w"))
"""


@dataclass(frozen=True)
class Ran:
    """What a function's process did.

    Attributes:
        answers: one for each event: ``answer``, or ``error`` (its type) and ``message``; and ``seconds``, for how many
            it was ready to wait.
        log: standard output and standard error, as CloudWatch would have them.
        modules: what was imported.
    """

    answers: list[dict[str, Any]]
    log: str
    modules: frozenset[str]

    def entries(self) -> list[dict[str, Any]]:
        """The log's lines; each is JSON."""
        return [json.loads(line) for line in self.log.splitlines()]

    def metrics(self) -> dict[str, float]:
        """The outcomes of all the events, summed. How many rows were read for them depends on what is still cached."""
        return {name: value for name, value in self.counted().items() if name != "RevocationsRead"}

    def counted(self) -> dict[str, float]:
        """The metrics of all the events, summed."""
        totals: dict[str, float] = {}
        for entry in self.entries():
            for metric in entry.get("_aws", {}).get("CloudWatchMetrics", [{}])[0].get("Metrics", ()):
                totals[metric["Name"]] = totals.get(metric["Name"], 0) + sum(entry[metric["Name"]])
        return totals


def run(
    module: str,
    events: Sequence[object],
    environment: Mapping[str, str],
    *,
    passed: float = 0.0,
    remaining: Sequence[int] = (),
) -> Ran:
    """Handle these events in one fresh process.

    Args:
        module: the handler's; with ``:NAME`` if the handler has another name.
        events: what it is called with.
        environment: all of its variables.
        passed: deadlines of up to so many seconds pass at once (``tests.waits``); no other does.
        remaining: milliseconds that Lambda has left, one for each time that the handler asks; afterwards a minute.
    """
    with TemporaryDirectory() as folder:
        (Path(folder) / "events.json").write_text(json.dumps(events), encoding="utf-8")
        answers = Path(folder) / "answers.json"
        process = subprocess.run(
            [
                sys.executable,
                "-c",
                _RUNTIME,
                module,
                f"{folder}/events.json",
                str(answers),
                str(passed),
                json.dumps(list(remaining)),
            ],
            cwd=ROOT,
            env=dict(environment),
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert answers.exists(), process.stderr
        results = json.loads(answers.read_text(encoding="utf-8"))
    return Ran(results["results"], process.stdout + process.stderr, frozenset(results["modules"]))
