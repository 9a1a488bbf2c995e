"""What a function asks DynamoDB for, and writes to its log: counted, not timed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from tests.bench.canned import serving

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tests.bench.runtimes import Runtime

_PROGRAM: Final = """
import sys; sys.path[:0] = [sys.argv[1]]
import json
handler = __import__(sys.argv[2], fromlist=["handler"]).handler
for _ in range(int(sys.argv[4])):
    handler(json.loads(sys.argv[3]), None)
"""

#: Calls after the first one.
_CALLS: Final = 50


def reads(
    runtime: Runtime,
    asset: Path,
    module: str,
    event: Mapping[str, Any],
    answers: Mapping[str, bytes],
    environment: Callable[[str], Mapping[str, str]],
) -> dict[str, dict[str, float]]:
    """Requests, read units and bytes of log: of the start with the first call, and of each call after that."""
    found = []
    for calls in (1, 1 + _CALLS):
        with serving(answers) as server:
            log = runtime.output(_PROGRAM, environment(server.url), str(asset), module, json.dumps(event), str(calls))
            found.append((server.requests.total(), server.units, len(log)))
    names = ("requests", "read_units", "log_bytes")
    first, more = found
    return {
        "start_and_first": dict(zip(names, first, strict=True)),
        "each_after": {name: (late - early) / _CALLS for name, early, late in zip(names, first, more, strict=True)},
    }
