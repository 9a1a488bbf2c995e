"""A function in a process of its own, as in an environment of Lambda: one event after the other, each with its answer.

No deadline passes because the machine is slow: an answer that is not given in time says nothing about the rows.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from claimsmith.store import dynamodb, reads
from claimsmith.verifier import KeySource
from tests.waits import UNHURRIED, Waits

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parents[2]


class Function:
    """The function, between ``with`` and its end; for one thread.

    Attributes:
        answered: how many events.
    """

    def __init__(self, name: str, environment: Mapping[str, str], fault: str = "") -> None:
        self.name = name
        self.answered = 0
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.soak.function", name, fault],
            cwd=ROOT,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(60)

    def __call__(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """``answer``; or ``error``, its type, and ``message``."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(event) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"{self.name} has ended"
        self.answered += 1
        answer: dict[str, Any] = json.loads(line)
        return answer

    def memory(self) -> float:
        """Megabytes that it has in memory now."""
        status = Path(f"/proc/{self._process.pid}/status").read_text(encoding="utf-8")
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024


def main(name: str, fault: str) -> None:
    """Handle the events on standard input; what the function prints is its log, and thrown away."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    Waits().install()
    for module_of, unhurried in ((dynamodb, UNHURRIED), (reads, reads.Patience(60, 60, reads.TOKEN_PATH.attempts))):
        vars(module_of)["TOKEN_PATH"] = unhurried
    defaults = KeySource.__init__.__kwdefaults__
    assert defaults is not None
    defaults["timeout"] = 60.0
    module, _, attribute = name.partition(":")
    function = importlib.import_module(module)
    if fault == "old-policy":
        function._issuer._active._monotonic = lambda: 0.0  # noqa: SLF001 - the fault is that time stands still for it
    handler = getattr(function, attribute or "handler")
    for line in sys.stdin:
        try:
            answer = {"answer": handler(json.loads(line), None)}
        except Exception as error:  # noqa: BLE001 - as Lambda's runtime client does
            answer = {"error": type(error).__name__, "message": str(error)}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
