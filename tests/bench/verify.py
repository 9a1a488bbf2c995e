"""What verifying a token costs: warm, against the bare RSA operation and other libraries; and a cold start.

Warm: token by token, a contender and the bare operation take turns, so that each finds the processor's caches as the
other left them; aws-jwt-verify in Node takes turns with Node's own bare operation on the same tokens. The best time per
token is taken, because everything else on the machine can only make it slower, and the median of these is shown; of the
bare operation the median over all pairs. Garbage collection is off, as in ``timeit``. All of them check ``exp`` by the
clock.

Cold: fresh processes take turns, from their first line to the first token verified, against
``boto3.client("dynamodb")`` alone. With the store it is the authorizer's asset as a deployment builds it, with a
DynamoDB and a key server on this machine that answer at once.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from claimsmith.engine.codec import encode
from claimsmith.policy import compile as compile_policy
from claimsmith.policy import from_rows
from tests.bench.canned import answer, serving
from tests.bench.reads import reads
from tests.bench.runtimes import AUTHORIZER, ENVIRONMENT, PEERS, ROOT
from tests.bench.timing import COLD, summary
from tests.policies import policy_rows
from tests.unit.verifier.minting import CLIENT, ISSUER, POOL, Pool, access_claims

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.bench.runtimes import Runtime

TOKENS: Final = 200
BASE: Final = "RSA-2048 verify alone (cryptography)"
OURS: Final = "Claimsmith Verifier"
NODE_BASE: Final = "node:crypto"
NODE: Final = "aws-jwt-verify"

#: Token by token; prints, of each contender, the best seconds of it and of the bare operation beside it.
_WARM: Final = """
import sys; sys.path[:0] = sys.argv[1].split(":")
import gc, json
from time import perf_counter
given = json.load(sys.stdin)
import jwt
from authorizer_pyjwt import verify
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from claimsmith.verifier import ANY, KeySource, Verifier
from claimsmith.verifier.jws import split_token

class NothingRevoked:
    def revoked_at(self, keys): return {}

tokens, jwks, issuer, client = (given[name] for name in ("tokens", "jwks", "issuer", "client"))
public, padding, digest = jwt.PyJWK(jwks["keys"][0]).key, PKCS1v15(), SHA256()
apart = {token: split_token(token)[2:] for token in tokens}

def bare(token):
    signature, signed = apart[token]
    public.verify(signature, signed, padding, digest)

def known(token):
    claims = jwt.decode(token, public, algorithms=["RS256"], issuer=issuer,
                        options={"verify_aud": False, "require": ["exp"]})
    if claims.get("token_use") != "access" or claims.get("client_id") != client:
        raise ValueError

checks = {"issuers": KeySource([issuer], preloaded={issuer: jwks}), "client_ids": [client], "token_use": "access"}
client_of_keys = jwt.PyJWKClient(given["keys"])
runs = {
    "Claimsmith Verifier": Verifier(**checks, revocations=ANY).verify,
    "Claimsmith Verifier, with the revocation rule": Verifier(**checks, revocations=NothingRevoked()).verify,
    "PyJWT, the key known": known,
    "PyJWT with its own client of keys": lambda token: verify(token, client_of_keys),
}
gc.disable()
found = {}
for name, run in runs.items():
    best = [float("inf")] * len(tokens), [float("inf")] * len(tokens)
    for _ in range(given["rounds"]):
        for index, token in enumerate(tokens):
            for times, call in zip(best, (bare, run)):
                begin = perf_counter()
                call(token)
                times[index] = min(times[index], perf_counter() - begin)
    found[name] = best
print(json.dumps(found))
"""

#: From the first line to a token verified by the library; with the keys, or with where they are.
_COLD_LIBRARY: Final = """
import time; started, used = time.perf_counter(), time.process_time()
import sys; sys.path[:0] = sys.argv[1].split(":")
from claimsmith.verifier import ANY, KeySource, Verifier
loaded, loaded_used = time.perf_counter(), time.process_time()
import json
given = json.loads(sys.argv[2])
apart, apart_used = time.perf_counter() - loaded, time.process_time() - loaded_used
source = KeySource([(given["issuer"], given["address"])], preloaded=given["preloaded"])
verifier = Verifier(issuers=source, client_ids=[given["client"]], token_use="access", revocations=ANY)
verifier.verify(given["token"])
wall, cpu = time.perf_counter() - started - apart, time.process_time() - used - apart_used
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print([wall * 1e3, cpu * 1e3, int(peak) / 1024], flush=True)
import os; os._exit(0)
"""


def _node(program: str, given: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON
    """What a program of ours prints in Node; None where Node or aws-jwt-verify is not here."""
    node = shutil.which("node")
    if node is None or not (ROOT / "node_modules" / "aws-jwt-verify").is_dir():
        return None
    command = [node, str(Path(__file__).with_name(program))]
    done = subprocess.run(command, input=json.dumps(given), stdout=subprocess.PIPE, text=True, check=True, timeout=300)
    return json.loads(done.stdout)


def signed() -> tuple[Pool, str]:
    """An issuer, and a token of it that lives for an hour."""
    pool, now = Pool(), int(time.time())
    return pool, pool.sign(access_claims(iat=now - 60, auth_time=now - 60, exp=now + 3540))


def _warm(runtime: Runtime, keys: str, pool: Pool, rounds: int) -> dict[str, float]:
    """Microseconds by contender."""
    now = int(time.time())
    times = {"iat": now - 60, "auth_time": now - 60, "exp": now + 3540}
    tokens = [pool.sign(access_claims(jti=f"token-{index}", **times)) for index in range(TOKENS)]
    given = {"tokens": tokens, "jwks": pool.jwks, "rounds": rounds}
    in_node = {**given, "userPoolId": POOL, "clientId": CLIENT}
    before = _node("aws_jwt_verify.mjs", in_node) or {}
    where = f"{runtime.authorizer}:{PEERS}:{runtime.packages}"
    ours = json.dumps({**given, "issuer": ISSUER, "client": CLIENT, "keys": keys})
    pairs = json.loads(runtime.run(_WARM, environment(keys), where, given=ours))
    after = _node("aws_jwt_verify.mjs", in_node) or {}
    took = {BASE: median(median(alone) for alone, _ in pairs.values()) * 1e6}
    took |= {name: median(seconds) * 1e6 for name, (_, seconds) in pairs.items()}
    return took | {name: min(median(before[name]), median(after[name])) for name in before}


def answers(pool: Pool) -> dict[str, bytes]:
    """What DynamoDB has, nothing of it revoked, and the issuer's keys."""
    route = {"pk": "POLICY", "sk": "ROUTE#orders", "path": "/orders", "method": "GET", "any_scope": ["orders/read"]}
    document, digest = encode(compile_policy(from_rows([*policy_rows(), route])))
    pointer = {"pk": "BUNDLE", "sk": "CURRENT", "version": 1, "digest": digest, "revision": 1, "hold": False}
    version = {"pk": "BUNDLE", "sk": "V#00000001", "digest": digest, "document": document}
    return {
        "GetItem CURRENT": answer([pointer], "GetItem"),
        "GetItem V": answer([version], "GetItem"),
        "BatchGetItem": answer([], "BatchGetItem"),
        "keys": json.dumps(pool.jwks).encode(),
    }


def environment(url: str) -> dict[str, str]:
    """The authorizer's variables."""
    return {
        **ENVIRONMENT,
        "AWS_ENDPOINT_URL": url,
        "CLAIMSMITH_ISSUERS": f"{ISSUER}={url}/jwks.json",
        "CLAIMSMITH_CLIENT_IDS": CLIENT,
    }


def api_event(token: str) -> dict[str, Any]:
    """An HTTP API's event, payload format 2.0."""
    return {
        "version": "2.0",
        "type": "REQUEST",
        "routeArn": "arn:aws:execute-api:eu-central-1:123456789012:abcdef1234/$default/GET/orders",
        "identitySource": [f"Bearer {token}"],
        "routeKey": "GET /orders",
        "rawPath": "/orders",
        "rawQueryString": "",
        "headers": {"authorization": f"Bearer {token}"},
        "requestContext": {
            "apiId": "abcdef1234",
            "stage": "$default",
            "routeKey": "GET /orders",
            "http": {"method": "GET", "path": "/orders"},
        },
    }


def _cold(measured: Sequence[Runtime], url: str, pool: Pool, token: str, rounds: int) -> dict[str, dict[str, Any]]:
    """By version of Python and program: from a fresh process to the first verified token."""
    given = {"issuer": ISSUER, "address": f"{url}/jwks.json", "client": CLIENT, "token": token}
    preloaded, fetching = (json.dumps({**given, "preloaded": keys}) for keys in ({ISSUER: pool.jwks}, None))
    in_node = {"userPoolId": POOL, "clientId": CLIENT, "jwks": pool.jwks, "tokens": [token], "rounds": 0}
    event, variables = json.dumps(api_event(token)), environment(url)
    taken: dict[str, dict[str, list[list[float]]]] = {runtime.version: {} for runtime in measured}
    for number in range(rounds + 1):
        for runtime in measured:
            asset, peers = str(runtime.authorizer), f"{PEERS}:{runtime.packages}"
            printed: dict[str, Any] = {
                "boto3.client alone": runtime.run(COLD, variables, str(runtime.packages), "", ""),
                "Claimsmith library, keys preloaded": runtime.run(_COLD_LIBRARY, variables, asset, preloaded),
                "Claimsmith library, keys fetched": runtime.run(_COLD_LIBRARY, variables, asset, fetching),
                "Claimsmith authorizer, with its table": runtime.run(COLD, variables, asset, AUTHORIZER, event),
                "PyJWT peer, keys fetched": runtime.run(COLD, variables, peers, "authorizer_pyjwt", event),
            }
            cold_node = _node("aws_jwt_verify_cold.mjs", in_node)
            if cold_node is not None:
                printed["aws-jwt-verify in Node, keys preloaded"] = json.dumps(cold_node)
            if number:  # the first round only fills the file system's cache
                for name, figures in printed.items():
                    taken[runtime.version].setdefault(name, []).append(json.loads(figures))
    return {
        version: {name: summary(runs, "wall_ms", "cpu_ms", "peak_mb") for name, runs in by_name.items()}
        for version, by_name in taken.items()
    }


def measure(measured: Sequence[Runtime], *, rounds: int, cold_rounds: int) -> dict[str, Any]:
    """Microseconds warm and figures of cold starts, by version of Python; and what is asked of DynamoDB."""
    first, (pool, token) = measured[0], signed()
    with serving(answers(pool)) as server:
        return {
            "warm_us": {runtime.version: _warm(runtime, server.url, pool, rounds) for runtime in measured},
            "cold": _cold(measured, server.url, pool, token, cold_rounds),
            "reads": reads(first, first.authorizer, AUTHORIZER, api_event(token), answers(pool), environment),
        }
