"""Introspection against a caller's patience: from the start of a process to its first answer, and a warm one.

Under AWS's runtime client, as in ``runtime_client``, in turns with a function that only returns its event and the
boto3 peer. DynamoDB and the issuer's keys are on this machine and answer at once.
"""

from __future__ import annotations

import base64
import json
import os
import time
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from claimsmith.engine.codec import encode
from claimsmith.policy import compile as compile_policy
from claimsmith.policy import from_rows
from tests.bench import token_path, verify
from tests.bench.canned import answer, serving
from tests.bench.reads import reads
from tests.bench.runtime_client import run
from tests.bench.runtimes import ENVIRONMENT, INTROSPECTION
from tests.bench.timing import summary
from tests.policies import membership_row, policy_rows, tenant_row, user_row
from tests.unit.verifier.minting import Pool, access_claims

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.bench.runtimes import Runtime

#: One answer, alone.
_ANSWER: Final = """
import sys; sys.path[:0] = [sys.argv[1]]
import json
from lambdas.verifier.introspection import handler
print(json.dumps(handler(json.loads(sys.argv[2]), None)))
"""

OURS: Final = "Claimsmith introspection"

#: What runs, by the name that the report has for it: its module.
PROGRAMS: Final = {"no handler": "nothing", OURS: INTROSPECTION, "boto3 peer": "trigger_boto3"}

#: What makes the token below one that is still fresh, and is remembered as long as it is measured.
_POLICY: Final[dict[str, Any]] = {
    "settings": {"cache_seconds": 3600},
    "roles": {"viewer": {"scopes": ["orders/read"]}, "editor": {"scopes": ["orders/write"]}},
}

_SECRET: Final = "s3cret-of-256-random-bits"


def _answers(pool: Pool) -> dict[str, bytes]:
    """What DynamoDB has of policy, caller, user and tenant, nothing of it revoked; and the issuer's keys."""
    sub = access_claims()["sub"]
    document, digest = encode(compile_policy(from_rows(policy_rows(**_POLICY))))
    pointer = {"pk": "BUNDLE", "sk": "CURRENT", "version": 1, "digest": digest, "revision": 1, "hold": False}
    caller = {
        "pk": "PROTECTED_RESOURCE#orders-api",
        "sk": "PROTECTED_RESOURCE",
        "secrets": [sha256(_SECRET.encode()).hexdigest()],
        "clients": ["*"],
        "tenants": ["*"],
        "requests_per_second": 1_000_000,
    }
    user = [user_row(sub, username="ada"), membership_row(sub, "acme", roles=["editor", "viewer"])]
    return {
        "GetItem CURRENT": answer([pointer], "GetItem"),
        "GetItem V": answer([{"pk": "BUNDLE", "sk": "V#00000001", "digest": digest, "document": document}], "GetItem"),
        "GetItem PROTECTED_RESOURCE": answer([caller], "GetItem"),
        "Query USER": answer(user, "Query"),
        "BatchGetItem REVOKED": answer([], "BatchGetItem"),
        "BatchGetItem TENANT": answer([tenant_row("acme")], "BatchGetItem"),
        "keys": json.dumps(pool.jwks).encode(),
    }


def _question(token: str) -> dict[str, Any]:
    """An HTTP API's event, as a caller by Basic makes it."""
    credentials = base64.b64encode(f"orders-api:{_SECRET}".encode()).decode()
    return {
        "version": "2.0",
        "routeKey": "POST /introspect",
        "rawPath": "/introspect",
        "rawQueryString": "",
        "headers": {
            "authorization": f"Basic {credentials}",
            "content-type": "application/x-www-form-urlencoded",
            "accept": "application/json",
        },
        "requestContext": {"stage": "$default", "http": {"method": "POST", "path": "/introspect"}},
        "body": base64.b64encode(urlencode({"token": token}).encode()).decode(),
        "isBase64Encoded": True,
    }


def measure(measured: Sequence[Runtime], *, rounds: int, calls: int) -> dict[str, Any]:
    """Figures by version of Python and program, which take turns; and what is asked of DynamoDB."""
    load = os.getloadavg()[0]
    pool, now = Pool(), int(time.time())
    times = {"iat": now - 60, "auth_time": now - 60, "exp": now + 3540}
    question = _question(pool.sign(access_claims(policy_version=1, **times)))
    runs: dict[str, dict[str, list[dict[str, Any]]]] = {
        runtime.version: {name: [] for name in PROGRAMS} for runtime in measured
    }
    with serving(token_path.answers()) as directory, serving(_answers(pool)) as checks:
        given = {
            name: ({**ENVIRONMENT, "AWS_ENDPOINT_URL": directory.url}, json.dumps(token_path.EVENT).encode())
            for name in PROGRAMS
        }
        given[OURS] = (verify.environment(checks.url), json.dumps(question).encode())
        for number in range(rounds + 1):
            for runtime in measured:
                for name, module in PROGRAMS.items():
                    ran = run(runtime, module, *given[name], calls)
                    if number:  # the first round only fills the file system's cache
                        runs[runtime.version][name].append(ran)
    by_version: dict[str, Any] = {
        version: {name: _summed(several) for name, several in by_name.items()} for version, by_name in runs.items()
    }
    first = measured[0]
    with serving(_answers(pool)) as checks:
        answered = first.run(_ANSWER, verify.environment(checks.url), str(first.introspection), json.dumps(question))
        found = json.loads(json.loads(answered)["body"])
        assert (found["active"], found["stale"]) == (True, False), "an answer to a good question is measured"
    asked = reads(first, first.introspection, INTROSPECTION, question, _answers(pool), verify.environment)
    return {"load": load, "times": by_version, "reads": asked}


def _summed(several: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    times: dict[str, Any] = {
        part: summary([one[part] for one in several], "wall_ms", "cpu_ms") for part in ("start", "until_first_answer")
    }
    return {**times, "warm": summary([call for one in several for call in one["warm"]], "wall_us", "cpu_us")}
