"""How it is timed: fresh processes by a program that times itself, and what is kept of several runs."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

#: From its first line to the answer to one event; prints ms, ms of processor time, and the most memory in MB.
#: Arguments: the path, the module of the handler (without one, it is ``boto3.client("dynamodb")``), and the event.
COLD: Final = """
import time; started, used = time.perf_counter(), time.process_time()
import sys; sys.path[:0] = sys.argv[1].split(":")
if sys.argv[2]:
    handler = __import__(sys.argv[2], fromlist=["handler"]).handler
    loaded, loaded_used = time.perf_counter(), time.process_time()
    import json, types
    event = json.loads(sys.argv[3])
    context = types.SimpleNamespace(
        function_name="f", memory_limit_in_mb=1024, invoked_function_arn="a", aws_request_id="i"
    )
    apart, apart_used = time.perf_counter() - loaded, time.process_time() - loaded_used
    answer = handler(event, context)
    wall, cpu = time.perf_counter() - started - apart, time.process_time() - used - apart_used
    assert answer.get("isAuthorized") or "tenant_id" in str(answer.get("response")), answer
    if sys.argv[2].startswith("lambdas."):
        assert "botocore.session" not in sys.modules, "the plain client is measured"
else:
    import boto3
    boto3.client("dynamodb")
    wall, cpu = time.perf_counter() - started, time.process_time() - used
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print([wall * 1e3, cpu * 1e3, int(peak) / 1024], flush=True)
import os; os._exit(0)
"""


def summary(runs: Sequence[Sequence[float]], *names: str) -> dict[str, dict[str, float]]:
    """The median and the least of each of several figures.

    The least of processor time is the steadiest: whatever else runs on the machine can only add to it.
    """
    return {
        name: {"median": median(values), "min": min(values)}
        for name, values in zip(names, zip(*runs, strict=True), strict=True)
    }


def ratio(figure: Any, other: Any, name: str, which: str = "median") -> float:  # noqa: ANN401 - of ``summary``
    """A figure against another one of the same name."""
    return float(figure[name][which] / other[name][which])
