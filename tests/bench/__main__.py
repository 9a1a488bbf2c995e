"""``make bench``: measures everything, keeps the figures, and writes the pages that show them."""

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

from tests.bench import decision, plan, report, runtime_client, runtimes, scale, token_path, verify

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.bench.runtimes import Runtime

FIGURES = Path(__file__).with_name("figures.json")
PAGE = runtimes.ROOT / "docs" / "reference" / "performance.md"

#: What of the packages decides the figures.
_PACKAGES = ("awslambdaric", "aws-lambda-powertools", "boto3", "pydantic", "pyjwt", "cryptography")


def machine(measured: Sequence[Runtime]) -> dict[str, str]:
    """What was measured on; no names of hosts or folders."""
    processor = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    memory = re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text(encoding="utf-8"))
    node = json.loads((runtimes.ROOT / "node_modules/aws-jwt-verify/package.json").read_text(encoding="utf-8"))
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


def main() -> None:
    """Measure, keep, write."""
    began = time.monotonic()
    measured = runtimes.runtimes()

    def said(what: str, figures: Any) -> Any:  # noqa: ANN401 - JSON
        sys.stdout.write(f"{time.monotonic() - began:6.0f} s  {what}\n")
        sys.stdout.flush()
        return figures

    figures = _rounded(
        {
            "machine": machine(measured),
            "token_path": said("trigger and peers", token_path.measure(measured, rounds=15, calls=400)),
            "runtime_client": said("runtime client", runtime_client.measure(measured, rounds=10, calls=100)),
            "verify": said("verifier", verify.measure(measured, rounds=50, cold_rounds=15)),
            "sizes": said("sizes", runtimes.sizes(measured[0])),
            "decision": said("decisions", decision.measure()),
            "plan": said("plan and who-can", plan.measure()),
        }
    )
    FIGURES.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(report.page(figures), encoding="utf-8")
    scale.write(figures)
    sys.stdout.write(f"{PAGE.relative_to(runtimes.ROOT)} and {scale.PAGE.relative_to(runtimes.ROOT)} are written.\n")


def _rounded(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Four digits: more are noise, and make each run a long difference."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {name: _rounded(item) for name, item in value.items()}
    return [_rounded(item) for item in value] if isinstance(value, list) else value


if __name__ == "__main__":
    main()
