"""What verifying a token costs: warm, against the bare RSA operation and other libraries; and a cold start.

Run: ``.venv/bin/python tests/bench/verify.py [rounds]``. A table and ``bench.json``, no assertions.

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

import gc
import json
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

import jwt
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc import jwt as joserfc_jwt
from joserfc.jwk import KeySet

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from claimsmith.engine.codec import encode
from claimsmith.policy import compile as compile_policy
from claimsmith.policy import from_rows
from claimsmith.store.attributes import encode_row
from claimsmith.verifier import ANY, KeySource, Verifier, verify_jws
from claimsmith.verifier.jws import split_token
from claimsmith_cdk.bundling import build_asset
from tests.policies import policy_rows
from tests.unit.verifier.minting import CLIENT, ISSUER, KID, POOL, Pool, access_claims

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import TypeAlias

    #: Seconds by token, of the bare operation and of a contender.
    Pair: TypeAlias = tuple[list[float], list[float]]

ROOT = Path(__file__).resolve().parents[2]
TOKENS = 200
COLD_ROUNDS = 15
BASE = "cryptography, RSA-2048 verify alone"
OURS = "claimsmith Verifier"


class NothingRevoked:
    """Revocations without a store: the rule alone."""

    def revoked_at(self, _keys: Sequence[str], /) -> Mapping[str, float | None]:
        return {}


def contenders(pool: Pool, tokens: Sequence[str]) -> dict[str, Callable[[str], object]]:
    public = pool.key.public_key()
    padding, digest = PKCS1v15(), SHA256()
    apart = {token: split_token(token)[2:] for token in tokens}

    def bare(token: str) -> None:
        signature, signed = apart[token]
        public.verify(signature, signed, padding, digest)

    source = KeySource([ISSUER], preloaded={ISSUER: pool.jwks})
    plain = Verifier(issuers=source, client_ids=[CLIENT], token_use="access", revocations=ANY)
    revoking = Verifier(issuers=source, client_ids=[CLIENT], token_use="access", revocations=NothingRevoked())
    key_set = KeySet.import_key_set(pool.jwks)  # type: ignore[arg-type] # a JWK Set as JSON reads it
    registry = joserfc_jwt.JWTClaimsRegistry(
        exp={"essential": True},
        iss={"essential": True, "value": ISSUER},
        token_use={"essential": True, "value": "access"},
        client_id={"essential": True, "value": CLIENT},
    )

    def with_joserfc(token: str) -> None:
        registry.validate(joserfc_jwt.decode(token, key_set, algorithms=["RS256"]).claims)

    def with_pyjwt(token: str) -> None:
        claims = jwt.decode(
            token, public, algorithms=["RS256"], issuer=ISSUER, options={"verify_aud": False, "require": ["exp"]}
        )
        if claims.get("token_use") != "access" or claims.get("client_id") != CLIENT:
            raise ValueError

    return {
        BASE: bare,
        OURS: plain.verify,
        f"{OURS}, with the revocation rule": revoking.verify,
        "claimsmith verify_jws": lambda token: verify_jws(token, pool.jwks),
        "PyJWT decode, the key known": with_pyjwt,
        "joserfc decode + validate": with_joserfc,
    }


def in_node(pool: Pool, tokens: Sequence[str], rounds: int) -> dict[str, list[float]]:
    """Microseconds for each token; nothing where Node or aws-jwt-verify is not here."""
    node = shutil.which("node")
    if node is None or not (ROOT / "node_modules" / "aws-jwt-verify").is_dir():
        return {}
    given = {"userPoolId": POOL, "clientId": CLIENT, "jwks": pool.jwks, "tokens": tokens, "rounds": rounds}
    done = subprocess.run(
        [node, str(Path(__file__).with_name("aws_jwt_verify.mjs"))],
        input=json.dumps(given),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    best: dict[str, list[float]] = json.loads(done.stdout)
    return best


def in_turns(bare: Callable[[str], object], run: Callable[[str], object], tokens: Sequence[str], rounds: int) -> Pair:
    """The median of the best times of the bare operation and of a contender."""
    best: Pair = ([float("inf")] * len(tokens), [float("inf")] * len(tokens))
    for _ in range(rounds):
        for index, token in enumerate(tokens):
            for times, call in zip(best, (bare, run), strict=True):
                begin = perf_counter()
                call(token)
                times[index] = min(times[index], perf_counter() - begin)
    return best


def warm(rounds: int) -> dict[str, float]:
    """Microseconds by contender."""
    pool, now = Pool(), int(time.time())
    times = {"iat": now - 60, "auth_time": now - 60, "exp": now + 3540}
    tokens = [pool.sign(access_claims(jti=f"token-{index}", **times)) for index in range(TOKENS)]
    runs = contenders(pool, tokens)
    bare = runs.pop(BASE)
    before = in_node(pool, tokens, rounds)
    gc.disable()
    pairs = {name: in_turns(bare, run, tokens, rounds) for name, run in runs.items()}
    gc.enable()
    after = in_node(pool, tokens, rounds)
    took = {BASE: median(median(alone) for alone, _ in pairs.values()) * 1e6}
    took |= {name: median(seconds) * 1e6 for name, (_, seconds) in pairs.items()}
    took |= {f"{name}, in Node": min(median(before[name]), median(after[name])) for name in before}
    return took


# Cold starts.

_COLD_BOTO3 = """
import time; started = time.perf_counter()
import sys; sys.path.insert(0, sys.argv[1])
import boto3
boto3.client("dynamodb")
print(time.perf_counter() - started, flush=True)
import os; os._exit(0)
"""

_COLD_LIBRARY = """
import time; started = time.perf_counter()
import sys; sys.path[:0] = sys.argv[1].split(":")
from claimsmith.verifier import ANY, KeySource, Verifier
loaded = time.perf_counter()
import json
given = json.loads(sys.argv[2]); ready = time.perf_counter()
source = KeySource([(given["issuer"], given["address"])], preloaded=given["preloaded"])
verifier = Verifier(issuers=source, client_ids=[given["client"]], token_use="access", revocations=ANY)
verifier.verify(given["token"])
print(loaded - started + time.perf_counter() - ready, flush=True)
import os; os._exit(0)
"""

_COLD_AUTHORIZER = """
import time; started = time.perf_counter()
import sys; sys.path.insert(0, sys.argv[1])
from lambdas.verifier.authorizer import handler
loaded = time.perf_counter()
import json
event = json.loads(sys.argv[2]); ready = time.perf_counter()
answer = handler(event, None)
ended = time.perf_counter()
assert answer["isAuthorized"], answer
print(loaded - started + ended - ready, flush=True)
import os; os._exit(0)
"""


class _Canned(BaseHTTPRequestHandler):
    """Answers each request with what was prepared for its operation and key, or with the key set."""

    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *_arguments: object) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        self._answer(self.server.answers["keys"])

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        operation = self.headers["X-Amz-Target"].partition(".")[2]
        name = operation + body["Key"]["sk"]["S"] if operation == "GetItem" else operation
        self._answer(self.server.answers[name])

    def _answer(self, body: bytes) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    answers: Mapping[str, bytes]


def _prepared(pool: Pool) -> dict[str, bytes]:
    route = {"pk": "POLICY", "sk": "ROUTE#orders", "path": "/orders", "method": "GET", "any_scope": ["orders/read"]}
    document, digest = encode(compile_policy(from_rows([*policy_rows(), route])))
    pointer = {"pk": "BUNDLE", "sk": "CURRENT", "version": 1, "digest": digest, "revision": 1, "hold": False}
    version = {"pk": "BUNDLE", "sk": "V#00000001", "digest": digest, "document": document}

    def item(row: dict[str, Any]) -> bytes:
        return json.dumps({"Item": encode_row(row)}, default=_base64).encode()

    return {
        "GetItemCURRENT": item(pointer),
        "GetItemV#00000001": item(version),
        "BatchGetItem": json.dumps({"Responses": {"claimsmith": []}, "UnprocessedKeys": {}}).encode(),
        "keys": json.dumps(pool.jwks).encode(),
    }


def _base64(octets: bytes) -> str:
    import base64  # noqa: PLC0415 - here only

    return base64.b64encode(octets).decode()


@contextmanager
def _serving(pool: Pool) -> Iterator[str]:
    with _Server(("127.0.0.1", 0), _Canned) as server:
        server.answers = _prepared(pool)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def _fresh(program: str, environment: Mapping[str, str], *arguments: str) -> float:
    """Milliseconds that a program prints in a fresh process, alone with what its first argument adds to its path."""
    command = [sys.executable, "-I", "-S", "-c", program, *arguments]
    done = subprocess.run(command, env=environment, cwd="/", stdout=subprocess.PIPE, text=True, check=True, timeout=300)
    return float(done.stdout.splitlines()[-1]) * 1e3


def cold(rounds: int) -> dict[str, float]:
    """Milliseconds by program."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    machine = "arm64" if platform.machine() in {"aarch64", "arm64"} else "x86_64"
    asset = build_asset("lambdas.verifier.authorizer", arch=machine, python=version).path
    pool, now, packages = Pool(), int(time.time()), sysconfig.get_path("purelib")
    token = pool.sign(access_claims(iat=now - 60, auth_time=now - 60, exp=now + 3540))
    event = {
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
    with _serving(pool) as endpoint_url:
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
            "CLAIMSMITH_ISSUERS": f"{ISSUER}={endpoint_url}/jwks.json",
            "CLAIMSMITH_CLIENT_IDS": CLIENT,
        }
        given = {"issuer": ISSUER, "address": f"{endpoint_url}/jwks.json", "client": CLIENT, "token": token}
        preloaded = json.dumps(given | {"preloaded": {ISSUER: pool.jwks}})
        fetching = json.dumps(given | {"preloaded": None})
        programs: dict[str, Callable[[], float]] = {
            "boto3.client": lambda: _fresh(_COLD_BOTO3, environment, packages),
            "library, keys preloaded": lambda: _fresh(_COLD_LIBRARY, environment, str(asset), preloaded),
            "library, keys fetched": lambda: _fresh(_COLD_LIBRARY, environment, str(asset), fetching),
            "authorizer, with the store": lambda: _fresh(_COLD_AUTHORIZER, environment, str(asset), json.dumps(event)),
        }
        taken: dict[str, list[float]] = {name: [] for name in programs}
        for number in range(rounds + 1):
            for name, program in programs.items():
                milliseconds = program()
                if number:  # the first round only fills the file system's cache
                    taken[name].append(milliseconds)
    return {name: median(milliseconds) for name, milliseconds in taken.items()}


def main(rounds: int) -> None:
    """Measure, print, and keep the figures."""
    warm_us, cold_ms = warm(rounds), cold(COLD_ROUNDS)
    base, boto3 = warm_us[BASE], cold_ms["boto3.client"]
    lines = [f"{TOKENS} different tokens with {KID}, {rounds} rounds; budget of the Verifier: <= 1.50 x"]
    lines += [f"{name:48}{took:8.1f} us{took / base:8.2f} x" for name, took in warm_us.items()]
    lines += ["", "From a fresh process to the first verified token; budgets: <= 0.30 x, with the store <= 0.45 x"]
    lines += [f"{name:48}{took:8.1f} ms{took / boto3:8.2f} x" for name, took in cold_ms.items()]
    sys.stdout.write("\n".join([*lines, ""]))
    measured = {
        "warm_us": warm_us,
        "warm_ratio": warm_us[OURS] / base,
        "cold_ms": cold_ms,
        "cold_ratios": {name: took / boto3 for name, took in cold_ms.items()},
    }
    path = ROOT / "bench.json"
    stored = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    path.write_text(json.dumps(stored | {"verify": measured}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 50)
