"""The same handlers as Lambda runs them: under AWS's own runtime client, against a runtime API on this machine.

See https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html. The start is the time from starting the process
until it asks for an event; an invocation, from handing out an event until its answer is here. Both include what the
client and this server need, which the row "no handler" shows: a function that returns its event.
"""

from __future__ import annotations

import json
import subprocess
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.bench import token_path, verify
from tests.bench.canned import serving
from tests.bench.runtimes import AUTHORIZER, ENVIRONMENT, INTROSPECTION, PEERS, TRIGGER
from tests.bench.timing import summary

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tests.bench.runtimes import Runtime

_START: Final = """
import sys; sys.path[:0] = sys.argv[1].split(":")
from awslambdaric.__main__ import main
main(["awslambdaric", sys.argv[2]])
"""

_SECONDS: Final = 60

_PREFIX: Final = "/2018-06-01/runtime"

#: What runs, by the name that the report has for it: its module, and what it is invoked with.
PROGRAMS: Final = {
    "no handler": ("nothing", "trigger"),
    "Claimsmith": (TRIGGER, "trigger"),
    "boto3 peer": ("trigger_boto3", "trigger"),
    "Powertools peer": ("trigger_powertools", "trigger"),
    "Claimsmith authorizer": (AUTHORIZER, "authorizer"),
    "PyJWT peer": ("authorizer_pyjwt", "authorizer"),
}


class _Server(ThreadingHTTPServer):
    """Hands out one event so many times, and notes when.

    Attributes:
        asked: when the client asked for an event: seconds, and the process's processor time.
        answered: the same when its answer arrived.
        failure: what the client reported instead.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, event: bytes, invocations: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.event = event
        self.left = invocations
        self.asked: list[tuple[float, float]] = []
        self.answered: list[tuple[float, float]] = []
        self.failure = b""
        self.pid: int | None = None
        self.started = threading.Event()
        self.done = threading.Event()
        self.ended = threading.Event()

    def now(self) -> tuple[float, float]:
        """Seconds, and processor seconds of the client's process (Linux: a clock of another process)."""
        self.started.wait(_SECONDS)
        assert self.pid is not None
        return time.perf_counter(), time.clock_gettime((~self.pid << 3) | 2)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = _SECONDS
    server: _Server

    def do_GET(self) -> None:
        server = self.server
        server.asked.append(server.now())
        if not server.left:
            server.done.set()
            server.ended.wait(_SECONDS)  # as Lambda, which freezes a process that waits for an event
            self.close_connection = True
            return
        server.left -= 1
        deadline = int((time.time() + _SECONDS) * 1000)
        head = (
            f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(server.event)}\r\n"
            f"Lambda-Runtime-Aws-Request-Id: {server.left}\r\nLambda-Runtime-Deadline-Ms: {deadline}\r\n"
            "Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:eu-central-1:123456789012:function:f\r\n\r\n"
        )
        self.wfile.write(head.encode() + server.event)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path.endswith("/response"):
            self.server.answered.append(self.server.now())
        else:
            self.server.failure = body
            self.server.done.set()
        self.wfile.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")

    def log_message(self, *_arguments: object) -> None:
        """Nothing."""


@contextmanager
def _runtime_api(event: bytes, invocations: int) -> Iterator[_Server]:
    with _Server(event, invocations) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def run(runtime: Runtime, module: str, environment: Mapping[str, str], event: bytes, calls: int) -> dict[str, Any]:
    """One process: its start, its first invocation, and those after it."""
    assets = {TRIGGER: runtime.trigger, AUTHORIZER: runtime.authorizer, INTROSPECTION: runtime.introspection}
    where = str(assets.get(module, PEERS))
    own = {
        "AWS_LAMBDA_FUNCTION_NAME": "f",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1024",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{runtime.version}",
        "LAMBDA_TASK_ROOT": where,
    }
    with _runtime_api(event, calls + 1) as api:
        api_address = {"AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{api.server_address[1]}"}
        command = runtime.command(_START, f"{where}:{runtime.packages}", f"{module}.handler")
        began = time.perf_counter()
        with subprocess.Popen(
            command, env={**environment, **own, **api_address}, cwd=where, stdout=subprocess.DEVNULL
        ) as process:
            api.pid = process.pid
            api.started.set()
            try:
                assert api.done.wait(_SECONDS), f"{module} does not answer"
                assert not api.failure, api.failure
                peak = _peak_mb(process.pid)
            finally:
                process.kill()
                api.ended.set()
    asked, answered = api.asked, api.answered
    # All processor time until the client asks again is the invocation's: it also covers what comes after the answer.
    warm = [
        ((done[0] - given[0]) * 1e6, (again[1] - given[1]) * 1e6)
        for given, done, again in zip(asked[1:-1], answered[1:], asked[2:], strict=True)
    ]
    return {
        "start": ((asked[0][0] - began) * 1e3, asked[0][1] * 1e3),
        "until_first_answer": ((answered[0][0] - began) * 1e3, asked[1][1] * 1e3),
        "warm": warm,
        "peak_mb": peak,
    }


def _peak_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024


def measure(measured: Sequence[Runtime], *, rounds: int, calls: int) -> dict[str, Any]:
    """Figures by version of Python and program; all of them take turns."""
    pool, token = verify.signed()
    events = {
        "trigger": json.dumps(token_path.EVENT).encode(),
        "authorizer": json.dumps(verify.api_event(token)).encode(),
    }
    runs: dict[str, dict[str, list[dict[str, Any]]]] = {
        runtime.version: {name: [] for name in PROGRAMS} for runtime in measured
    }
    with serving(token_path.answers()) as directory, serving(verify.answers(pool)) as checks:
        environments = {
            "trigger": {**ENVIRONMENT, "AWS_ENDPOINT_URL": directory.url},
            "authorizer": verify.environment(checks.url),
        }
        for number in range(rounds + 1):
            for runtime in measured:
                for name, (module, kind) in PROGRAMS.items():
                    ran = run(runtime, module, environments[kind], events[kind], calls)
                    if number:  # the first round only fills the file system's cache
                        runs[runtime.version][name].append(ran)
    return {
        version: {
            name: {
                "start": summary([one["start"] for one in several], "wall_ms", "cpu_ms"),
                "until_first_answer": summary([one["until_first_answer"] for one in several], "wall_ms", "cpu_ms"),
                "warm": summary([call for one in several for call in one["warm"]], "wall_us", "cpu_us"),
                "peak_mb": summary([[one["peak_mb"]] for one in several], "peak_mb")["peak_mb"],
            }
            for name, several in by_name.items()
        }
        for version, by_name in runs.items()
    }
