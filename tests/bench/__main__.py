"""``make bench``: measures everything, keeps the figures, and writes the pages that show them.

``python -m tests.bench pages`` writes the pages again from the figures, for when only their words have changed;
``python -m tests.bench STEP`` measures one of the steps below again, and keeps the figures of all others.
"""

from __future__ import annotations

import json
import os
import platform
import re
import sys
import time
from datetime import UTC, datetime
from importlib.metadata import distributions
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.bench import decision, introspection, plan, report, runtime_client, runtimes, scale, token_path, verify

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.bench.runtimes import Runtime

#: What of the packages decides the figures.
_PACKAGES = ("awslambdaric", "aws-lambda-powertools", "boto3", "pydantic", "pyjwt", "cryptography")


def machine(measured: Sequence[Runtime]) -> dict[str, str]:
    """What was measured on; no names of hosts or folders."""
    processor = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    memory = re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text(encoding="utf-8"))
    node = json.loads((report.ROOT / "node_modules/aws-jwt-verify/package.json").read_text(encoding="utf-8"))
    packages = {
        found.name.lower().replace("_", "-"): found.version for found in distributions(path=[str(measured[0].packages)])
    }
    return {
        "when": datetime.now(UTC).strftime("%Y-%m-%d"),
        "processor": f"{processor[1] if processor else platform.machine()}, {os.cpu_count()} cores",
        "memory": f"{int(memory[1]) / 2**20:.0f} GiB" if memory else "",
        "busy at the start (load over one minute)": f"{os.getloadavg()[0]:.1f}",
        "Python": ", ".join(runtime.full for runtime in measured),
        "packages": ", ".join(f"{name} {packages[name]}" for name in _PACKAGES) + f", aws-jwt-verify {node['version']}",
    }


def measure(only: Sequence[str]) -> None:
    """Measure, and keep the figures; with names of steps, only those."""
    began = time.monotonic()
    measured = runtimes.runtimes()
    figures: dict[str, Any] = {"machine": machine(measured)}
    if only:
        figures = json.loads(report.FIGURES.read_text(encoding="utf-8"))
    steps: dict[str, Callable[[], Any]] = {
        "token_path": lambda: token_path.measure(measured, rounds=25, calls=150),
        "runtime_client": lambda: runtime_client.measure(measured, rounds=15, calls=100),
        "introspection": lambda: introspection.measure(measured, rounds=15, calls=100),
        "verify": lambda: verify.measure(measured, rounds=200, cold_rounds=25),
        "sizes": lambda: runtimes.sizes(measured[0]),
        "decision": decision.measure,
        "plan": plan.measure,
    }
    for name in only or steps:
        figures[name] = steps[name]()
        sys.stdout.write(f"{time.monotonic() - began:6.0f} s  {name}\n")
        sys.stdout.flush()
    report.FIGURES.write_text(json.dumps(_rounded(figures), indent=1) + "\n", encoding="utf-8")


def write() -> None:
    """Write the pages from the figures."""
    figures = json.loads(report.FIGURES.read_text(encoding="utf-8"))
    report.PAGE.write_text(report.page(figures), encoding="utf-8")
    scale.PAGE.write_text(scale.page(scale.PAGE.read_text(encoding="utf-8"), figures), encoding="utf-8")
    sys.stdout.write(f"{report.PAGE.relative_to(report.ROOT)} and {scale.PAGE.relative_to(report.ROOT)} are written.\n")


def _rounded(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Four digits: more are noise, and make each run a long difference."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {name: _rounded(item) for name, item in value.items()}
    return [_rounded(item) for item in value] if isinstance(value, list) else value


if __name__ == "__main__":
    if sys.argv[1:] != ["pages"]:
        measure(sys.argv[1:])
    write()
