"""What verifying a token costs, against the bare RSA operation and other libraries, interleaved in one process.

Run: ``.venv/bin/python tests/bench/verify.py [rounds]``. A table, no assertions.

Token by token, each contender verifies it once, so that all of them find the processor's caches as the others left
them: as they are in a service, which does other things between two tokens. The best time per token counts, because
everything else on the machine can only make it slower, and the median of these is shown. Garbage collection is off, as
in ``timeit``.
"""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

import jwt
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc import jwt as joserfc_jwt
from joserfc.jwk import RSAKey

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from claimsmith.verifier import ANY, KeySource, Verifier, verify_jws
from claimsmith.verifier.jws import take_apart
from tests.unit.verifier.minting import CLIENT, ISSUER, NOW, Pool, access_claims

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

TOKENS = 200
BASE = "cryptography, RSA-2048 verify alone"


class NothingRevoked:
    """Revocations without a store: the rule alone."""

    def revoked_at(self, _keys: Sequence[str], /) -> Mapping[str, float | None]:
        return {}


def contenders(pool: Pool) -> dict[str, Callable[[str], object]]:
    public = pool.key.public_key()
    padding, digest = PKCS1v15(), SHA256()

    def bare(token: str) -> None:
        parts = BARE[token]
        public.verify(parts[0], parts[1], padding, digest)

    source = KeySource([ISSUER], preloaded={ISSUER: pool.jwks}, clock=lambda: NOW)
    common = {"issuers": source, "client_ids": [CLIENT], "token_use": "access", "clock": lambda: NOW}
    plain = Verifier(revocations=ANY, **common)  # type: ignore[arg-type] # the values are right, their union is not
    revoking = Verifier(revocations=NothingRevoked(), **common)  # type: ignore[arg-type] # as above
    options: dict[str, object] = {"verify_aud": False, "verify_exp": False, "verify_iat": False, "require": ["exp"]}
    key = RSAKey.import_key(pool.jwks["keys"][0])
    registry = joserfc_jwt.JWTClaimsRegistry(now=NOW, iss={"essential": True, "value": ISSUER}, exp={"essential": True})

    def with_joserfc(token: str) -> None:
        registry.validate(joserfc_jwt.decode(token, key, algorithms=["RS256"]).claims)

    def with_pyjwt(token: str) -> None:
        jwt.decode(token, public, algorithms=["RS256"], issuer=ISSUER, options=options)  # type: ignore[arg-type]

    return {
        BASE: bare,
        "claimsmith Verifier": plain.verify,
        "claimsmith Verifier, with the revocation rule": revoking.verify,
        "claimsmith verify_jws": lambda token: verify_jws(token, pool.jwks),
        "PyJWT decode": with_pyjwt,
        "joserfc decode + validate": with_joserfc,
    }


BARE: dict[str, tuple[bytes, bytes]] = {}


def main(rounds: int) -> None:
    """Measure and print."""
    pool = Pool()
    tokens = [pool.sign(access_claims(jti=f"token-{index}")) for index in range(TOKENS)]
    for token in tokens:
        parts = take_apart(token)
        BARE[token] = (parts.signature, parts.signed)
    runs = contenders(pool)
    best = {name: [float("inf")] * TOKENS for name in runs}
    gc.disable()
    for _ in range(rounds):
        for index, token in enumerate(tokens):
            for name, run in runs.items():
                begin = perf_counter()
                run(token)
                best[name][index] = min(best[name][index], perf_counter() - begin)
    base = median(best[BASE])
    lines = [f"{len(tokens[0])}-byte tokens, {TOKENS} different ones, {rounds} rounds"]
    lines += [f"{name:48}{median(times) * 1e6:8.1f} us{median(times) / base:8.2f} x" for name, times in best.items()]
    sys.stdout.write("\n".join([*lines, ""]))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 50)
