"""What a token costs: from a fresh process to the first answer, and a warm call; the trigger, and two peers.

Fresh processes take turns, and so do calls, so everything can be compared with what was measured beside it. A cold
start runs the asset as a deployment builds it, alone (``-I -S``), and is timed from its first line on, so that starting
Python counts for nobody. DynamoDB is a server here that answers at once, over plain http, with what was prepared.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from claimsmith.engine.codec import encode
from claimsmith.policy import compile as compile_policy
from claimsmith.policy import from_rows
from tests.bench.canned import answer, serving
from tests.bench.reads import reads
from tests.bench.runtimes import ENVIRONMENT, PEERS, TRIGGER
from tests.bench.timing import COLD, summary
from tests.events import CLIENT, SUB, event
from tests.policies import membership_row, policy_rows, tenant_row, user_row

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.bench.runtimes import Runtime

SECTIONS: Final[dict[str, Any]] = {
    # Long enough that nothing falls due while it is measured.
    "settings": {"scope_mode": "exact", "cache_seconds": 3600},
    "roles": {f"role{n:02d}": {"scopes": [f"api/{n}", f"api/{n}.write"], "claims": {f"c{n}": n}} for n in range(20)},
    "groups": {"Staff": {"roles": ["role00"]}},
    "clients": {CLIENT: {"name": "web", "scopes_allowed": [f"api/{n}" for n in range(20)]}},
}
ROWS: Final = policy_rows(**SECTIONS)
USER: Final = [
    user_row(SUB, username="user", claims={"level": 1}),
    membership_row(SUB, "acme", roles=sorted(SECTIONS["roles"]), scopes=["api/1"]),
]
TENANT: Final = tenant_row("acme", name="Acme", plan="pro")
EVENT: Final = event(groups=["Staff"])

#: What runs, by the name that the report has for it: its module. The first is what all others are compared with.
PROGRAMS: Final = {
    "boto3.client alone": "",
    "Claimsmith": TRIGGER,
    "boto3 peer": "trigger_boto3",
    "Powertools peer": "trigger_powertools",
}

_PROCESSES: Final = 7

_WARM: Final = """
import sys; sys.path[:0] = sys.argv[1].split(":")
import json, os, time, types
handler = __import__(sys.argv[2], fromlist=["handler"]).handler
from botocore.session import get_session
event, calls = json.loads(sys.argv[3]), int(sys.argv[4])
context = types.SimpleNamespace(
    function_name="f", memory_limit_in_mb=1024, invoked_function_arn="a", aws_request_id="i"
)
client = get_session().create_client("dynamodb")
query = {
    "TableName": os.environ["CLAIMSMITH_TABLE"],
    "KeyConditionExpression": "pk = :pk",
    "ExpressionAttributeValues": {":pk": {"S": "USER#" + event["request"]["userAttributes"]["sub"]}},
    "ConsistentRead": True,
}
own = os.dup(1); os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
taken = {"handler": [], "query": []}
for number in range(calls + 20):
    for name, call in (("handler", lambda: handler(event, context)), ("query", lambda: client.query(**query))):
        started, used = time.perf_counter(), time.process_time()
        call()
        if number >= 20:
            taken[name].append((time.perf_counter() - started, time.process_time() - used))
os.write(own, json.dumps(taken).encode())
os._exit(0)
"""


def answers() -> dict[str, bytes]:
    """What DynamoDB has: of the policy the compiled version for us and the rows for the peers; the user; the tenant."""
    document, digest = encode(compile_policy(from_rows(ROWS)))
    pointer = {"pk": "BUNDLE", "sk": "CURRENT", "version": 1, "digest": digest, "revision": 1, "hold": False}
    version = {"pk": "BUNDLE", "sk": "V#00000001", "digest": digest, "document": document}
    return {
        "GetItem CURRENT": answer([pointer], "GetItem"),
        "GetItem V": answer([version], "GetItem"),
        "GetItem TENANT": answer([TENANT], "GetItem"),
        "Query USER": answer(USER, "Query"),
        "Query POLICY": answer(ROWS, "Query"),
        "BatchGetItem": answer([TENANT], "BatchGetItem"),
    }


def path(runtime: Runtime, module: str) -> str:
    """Where a module and all that it imports is found."""
    return str(runtime.trigger) if module == TRIGGER else f"{PEERS}:{runtime.packages}"


def _cold(measured: Sequence[Runtime], environment: Mapping[str, str], rounds: int) -> dict[str, dict[str, Any]]:
    taken: dict[str, dict[str, list[list[float]]]] = {
        runtime.version: {name: [] for name in PROGRAMS} for runtime in measured
    }
    for number in range(rounds + 1):
        for runtime in measured:
            for name, module in PROGRAMS.items():
                printed = runtime.run(COLD, environment, path(runtime, module), module, json.dumps(EVENT))
                if number:  # the first round only fills the file system's cache
                    taken[runtime.version][name].append(json.loads(printed))
    return {
        version: {name: summary(runs, "wall_ms", "cpu_ms", "peak_mb") for name, runs in by_name.items()}
        for version, by_name in taken.items()
    }


def _warm(runtime: Runtime, environment: Mapping[str, str], calls: int) -> dict[str, Any]:
    """Each handler takes turns with a Query by botocore, in several processes: each is a little faster or slower."""
    taken: dict[str, dict[str, list[list[float]]]] = {
        name: {"handler": [], "query": []} for name, module in PROGRAMS.items() if module
    }
    for _ in range(_PROCESSES):
        for name, parts in taken.items():
            module = PROGRAMS[name]
            # botocore comes with both; ours is put first, so that its asset is what is measured.
            where = f"{path(runtime, module)}:{runtime.packages}"
            printed = json.loads(runtime.run(_WARM, environment, where, module, json.dumps(EVENT), str(calls)))
            for part, runs in parts.items():
                runs.extend([value * 1e6 for value in run] for run in printed[part])
    return {
        name: {part: summary(runs, "wall_us", "cpu_us") for part, runs in parts.items()}
        for name, parts in taken.items()
    }


def measure(measured: Sequence[Runtime], *, rounds: int, calls: int) -> dict[str, Any]:
    """Figures by version of Python, and what is asked of DynamoDB."""
    with serving(answers()) as server:
        environment = {**ENVIRONMENT, "AWS_ENDPOINT_URL": server.url}
        cold = _cold(measured, environment, rounds)
        warm = {runtime.version: _warm(runtime, environment, calls) for runtime in measured}
        first = measured[0]
    asked = reads(first, first.trigger, TRIGGER, EVENT, answers(), lambda url: {**ENVIRONMENT, "AWS_ENDPOINT_URL": url})
    return {"cold": cold, "warm": warm, "reads": asked}
