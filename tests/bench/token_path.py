"""What a token costs: a cold start and a warm one.

Run: ``.venv/bin/python tests/bench/token_path.py [rounds]``. A table and ``bench.json``, no assertions.

Milliseconds depend on the machine, so everything is a ratio to something measured in the same run:
fresh processes take turns, and so do calls. A cold start runs the asset as a deployment builds it, alone (``-I -S``),
against ``boto3.client("dynamodb")`` from this environment; both are timed from their first line on, so that starting
Python counts for neither. Both are measured on the Python that runs this and, where it is here, on the one that the
functions are deployed on. DynamoDB is a server here that answers at once, over plain http, with what was prepared.
"""

from __future__ import annotations

import base64
import json
import os
import platform
import re
import socketserver
import subprocess
import sys
import sysconfig
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from claimsmith.engine.codec import encode
from claimsmith.policy import compile as compile_policy
from claimsmith.policy import from_rows
from claimsmith.store.attributes import encode_row
from claimsmith_cdk.bundling import build_asset, find_interpreter
from claimsmith_cdk.hosting import Hosting
from tests.events import CLIENT, SUB, event
from tests.policies import membership_row, policy_rows, tenant_row, user_row

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = 15
WARM_CALLS = 400

SECTIONS: dict[str, Any] = {
    # Long enough that nothing falls due while it is measured.
    "settings": {"scope_mode": "exact", "cache_seconds": 3600},
    "roles": {f"role{n:02d}": {"scopes": [f"api/{n}", f"api/{n}.write"], "claims": {f"c{n}": n}} for n in range(20)},
    "groups": {"Staff": {"roles": ["role00"]}},
    "clients": {CLIENT: {"name": "web", "scopes_allowed": [f"api/{n}" for n in range(20)]}},
}
ROLES = sorted(SECTIONS["roles"])
DIRECTORY = [
    user_row(SUB, username="user", claims={"level": 1}),
    membership_row(SUB, "acme", roles=ROLES, scopes=["api/1"]),
    tenant_row("acme", name="Acme", plan="pro"),
]
EVENT = event(groups=["Staff"])

_COLD_BOTO3 = """
import time; started, used = time.perf_counter(), time.process_time()
import sys; sys.path.insert(0, sys.argv[1])
import boto3
boto3.client("dynamodb")
took = time.perf_counter() - started, time.process_time() - used
print(*took, next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")), flush=True)
import os; os._exit(0)
"""

_COLD_TRIGGER = """
import time; started, used = time.perf_counter(), time.process_time()
import sys; sys.path.insert(0, sys.argv[1])
from lambdas.pre_token.handler import handler
loaded = time.perf_counter()
import json
event = json.loads(sys.argv[2]); called = time.perf_counter()
answer = handler(event, None)
ended = time.perf_counter()
assert "tenant_id" in str(answer["response"]), answer
assert "botocore.session" not in sys.modules, "the plain client is measured"
took = loaded - started + ended - called, time.process_time() - used
print(*took, next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")), flush=True)
import os; os._exit(0)
"""

_WARM = """
import sys; sys.path.insert(0, sys.argv[1])
import json, os, time
from lambdas.pre_token import handler as trigger
from claimsmith.store.dynamodb import TOKEN_PATH, connect
event, calls = json.loads(sys.argv[2]), int(sys.argv[3])
client = connect(TOKEN_PATH)
sub = event["request"]["userAttributes"]["sub"]
query = {
    "TableName": os.environ["CLAIMSMITH_TABLE"],
    "KeyConditionExpression": "pk = :pk",
    "ExpressionAttributeValues": {":pk": {"S": "USER#" + sub}},
    "ConsistentRead": True,
}
log = os.open(os.devnull, os.O_WRONLY); own = os.dup(1); os.dup2(log, 1)
spent = {"handler": [], "query": []}
for number in range(calls + 20):
    for name, call in (("handler", lambda: trigger.handler(event, None)), ("query", lambda: client.query(**query))):
        started = time.process_time()
        call()
        if number >= 20:
            spent[name].append(time.process_time() - started)
os.write(own, json.dumps(spent).encode())
os._exit(0)
"""


class _Canned(socketserver.StreamRequestHandler):
    """Answers each request with what was prepared for its operation and key."""

    disable_nagle_algorithm = True

    def handle(self) -> None:
        answers: Mapping[str, bytes] = self.server.answers  # type: ignore[attr-defined] # set where the server is made
        while True:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                line = self.rfile.readline()
                if not line:
                    return
                head += line
            length = re.search(rb"(?i)content-length: (\d+)", head)
            body = self.rfile.read(int(length[1])) if length else b""
            target = re.search(rb"(?i)x-amz-target: \w+\.(\w+)", head)
            operation = target[1].decode() if target else ""
            if operation == "GetItem":
                operation += json.loads(body)["Key"]["sk"]["S"]
            answer = answers[operation]
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(answer), answer))


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    answers: Mapping[str, bytes]


def _json(answer: object) -> bytes:
    return json.dumps(answer, default=lambda value: base64.b64encode(value).decode()).encode()


def prepared() -> dict[str, bytes]:
    """The answers: pointer, document, the user's rows, the tenant's row."""
    document, digest = encode(compile_policy(from_rows(policy_rows(**SECTIONS))))
    pointer = {"pk": "BUNDLE", "sk": "CURRENT", "version": 1, "digest": digest, "revision": 1, "hold": False}
    version = {"pk": "BUNDLE", "sk": "V#00000001", "digest": digest, "document": document}
    user, tenant = DIRECTORY[:2], DIRECTORY[2]
    return {
        "GetItemCURRENT": _json({"Item": encode_row(pointer)}),
        "GetItemV#00000001": _json({"Item": encode_row(version)}),
        "Query": _json({"Items": [encode_row(row) for row in user], "Count": 2, "ScannedCount": 2}),
        "BatchGetItem": _json({"Responses": {"claimsmith": [encode_row(tenant)]}, "UnprocessedKeys": {}}),
    }


@contextmanager
def canned_dynamodb() -> Iterator[str]:
    with _Server(("127.0.0.1", 0), _Canned) as server:
        server.answers = prepared()
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@dataclass(frozen=True)
class Runtime:
    """A Python, and the trigger's asset for it."""

    version: str
    python: str
    asset: Path

    def run(self, program: str, environment: Mapping[str, str], *arguments: str) -> str:
        """What a program prints in a fresh process, alone with what its first argument adds to its path."""
        command = [self.python, "-I", "-S", "-c", program, *arguments]
        done = subprocess.run(
            command, env=environment, cwd="/", stdout=subprocess.PIPE, text=True, check=True, timeout=300
        )
        return done.stdout.splitlines()[-1]


def runtimes() -> list[Runtime]:
    """The Python that runs this, and the one that the functions are deployed on, where it is here."""
    machine = "arm64" if platform.machine() in {"aarch64", "arm64"} else "x86_64"
    found = []
    for version in dict.fromkeys((f"{sys.version_info.major}.{sys.version_info.minor}", Hosting().python)):
        interpreter = find_interpreter(version)
        if interpreter is None:
            sys.stdout.write(f"No Python {version} here: the deployed runtime is not measured.\n")
            continue
        asset = build_asset("lambdas.pre_token.handler", arch=machine, python=version).path
        found.append(Runtime(version, interpreter.path, asset))
    return found


def cold(measured: list[Runtime], environment: Mapping[str, str], rounds: int) -> list[dict[str, float]]:
    """The runtimes take turns. boto3, which is all Python, is that of this environment for each of them."""
    packages = sysconfig.get_path("purelib")
    boto3: list[list[tuple[float, ...]]] = [[] for _ in measured]
    trigger: list[list[tuple[float, ...]]] = [[] for _ in measured]
    for number in range(rounds + 1):
        for index, runtime in enumerate(measured):
            taken = (
                _figures(runtime.run(_COLD_BOTO3, environment, packages)),
                _figures(runtime.run(_COLD_TRIGGER, environment, str(runtime.asset), json.dumps(EVENT))),
            )
            # The first round only fills the file system's cache, with bytecode too.
            if number:
                boto3[index].append(taken[0])
                trigger[index].append(taken[1])
    starts = []
    for runs in zip(boto3, trigger, strict=True):
        (boto3_wall, boto3_cpu, boto3_kb), (wall, cpu, kb) = (map(median, zip(*each, strict=True)) for each in runs)
        # The least processor time: whatever else runs on the machine can only add to it.
        least, boto3_least = (min(taken[1] for taken in each) for each in reversed(runs))
        starts.append(
            {
                "boto3_client_ms": boto3_wall * 1e3,
                "trigger_first_answer_ms": wall * 1e3,
                "ratio": wall / boto3_wall,
                "ratio_of_processor_time": cpu / boto3_cpu,
                "ratio_of_least_processor_time": least / boto3_least,
                "peak_memory_mb": kb / 1024,
                "ratio_of_peak_memory": kb / boto3_kb,
            }
        )
    return starts


def _figures(printed: str) -> tuple[float, ...]:
    """Seconds, seconds of processor time, and the most memory in kB."""
    return tuple(map(float, printed.split()))


def warm(runtime: Runtime, environment: Mapping[str, str]) -> dict[str, float]:
    spent = json.loads(runtime.run(_WARM, environment, str(runtime.asset), json.dumps(EVENT), str(WARM_CALLS)))
    handler, query = median(spent["handler"]), median(spent["query"])
    return {
        "handler_cpu_us": handler * 1e6,
        "query_cpu_us": query * 1e6,
        "ratio_of_a_botocore_query": handler / query,
    }


BUDGETS = {
    "ratio": "<= 0.40",
    "ratio_of_least_processor_time": "<= 0.40",
    "ratio_of_peak_memory": "<= 0.80",
    "ratio_of_a_botocore_query": "<= 0.70",
}


def main(rounds: int) -> None:
    measured = runtimes()
    with canned_dynamodb() as endpoint_url:
        environment = {
            "PATH": os.environ["PATH"],
            "AWS_ACCESS_KEY_ID": "invented",
            "AWS_SECRET_ACCESS_KEY": "invented",
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_ENDPOINT_URL": endpoint_url,
            "CLAIMSMITH_TABLE": "claimsmith",
        }
        figures = {
            runtime.version: {"cold": values, "warm": warm(runtime, environment)}
            for runtime, values in zip(measured, cold(measured, environment, rounds), strict=True)
        }
    lines = ["".join([f"{'':44}", *(f"{'Python ' + version:>14}" for version in figures), "  budget"])]
    for part in ("cold", "warm"):
        for name in next(iter(figures.values()))[part]:
            columns = "".join(f"{values[part][name]:14.2f}" for values in figures.values())
            lines.append(f"{part + ': ' + name:44}{columns}  {BUDGETS.get(name, '')}".rstrip())
    sys.stdout.write("\n".join(lines) + "\n")
    path = ROOT / "bench.json"
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    path.write_text(json.dumps(kept | {"token_path": figures}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)
