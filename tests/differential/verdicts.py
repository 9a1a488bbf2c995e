"""What Claimsmith, PyJWT, joserfc and aws-jwt-verify say of tokens: "accepted", or why not.

Each is asked the same question, in the way that its own documentation shows: is this an access token of this pool for
this client? What a library leaves to its caller (``token_use``, ``client_id``) is asked by plain comparison.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import jwt
from joserfc import jwt as joserfc_jwt
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import KeySet

from claimsmith.errors import VerificationError
from claimsmith.verifier import ANY, KeySource, Verifier
from tests.unit.verifier.minting import CLIENT, ISSUER, POOL, UPDATED_ISSUER

if TYPE_CHECKING:
    from collections.abc import Sequence

ACCEPTED: Final = "accepted"
ROOT: Final = Path(__file__).resolve().parents[2]


def no_network(_uri: str, _timeout: float) -> bytes:
    raise AssertionError("the keys are preloaded")


def with_claimsmith(jwks: dict[str, Any], now: int, tokens: Sequence[str]) -> list[str]:
    """The code of the refusal."""
    source = KeySource([ISSUER], preloaded={ISSUER: jwks}, fetch=no_network, clock=lambda: now)
    verifier = Verifier(issuers=source, client_ids=[CLIENT], token_use="access", revocations=ANY, clock=lambda: now)

    def verdict(token: str) -> str:
        try:
            verifier.verify(token)
        except VerificationError as error:
            return error.code.name
        return ACCEPTED

    return [verdict(token) for token in tokens]


def with_joserfc(jwks: dict[str, Any], now: int, tokens: Sequence[str]) -> list[str]:
    """``jwt.decode`` with the key set, then the claims registry."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SecurityWarning)  # the small key is there to see who takes it
        keys = KeySet.import_key_set(jwks)  # type: ignore[arg-type] # a JWK Set as JSON reads it
    registry = joserfc_jwt.JWTClaimsRegistry(
        now=now,
        exp={"essential": True},
        iss={"essential": True, "values": [ISSUER, UPDATED_ISSUER]},
        token_use={"essential": True, "value": "access"},
        client_id={"essential": True, "value": CLIENT},
    )

    def verdict(token: str) -> str:
        try:
            registry.validate(joserfc_jwt.decode(token, keys, algorithms=["RS256"]).claims)
        except (JoseError, ValueError, TypeError, RecursionError) as error:
            return type(error).__name__
        return ACCEPTED

    return [verdict(token) for token in tokens]


def with_pyjwt(jwks: dict[str, Any], tokens: Sequence[str]) -> list[str]:
    """``jwt.decode`` with the key that ``PyJWKClient`` would choose."""
    keys = {key.key_id: key for key in jwt.PyJWKSet.from_dict(jwks).keys if key.public_key_use in {"sig", None}}

    def verdict(token: str) -> str:
        try:
            kid = jwt.get_unverified_header(token).get("kid")
            if kid not in keys:
                return "unknown kid"
            claims = jwt.decode(
                token,
                keys[kid],
                algorithms=["RS256"],
                issuer=[ISSUER, UPDATED_ISSUER],
                options={"require": ["exp"], "verify_aud": False},
            )
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
            return type(error).__name__
        return of_claims(claims)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", jwt.InsecureKeyLengthWarning)  # as above
        return [verdict(token) for token in tokens]


def of_claims(claims: dict[str, Any]) -> str:
    """What Cognito's documentation has the caller of a plain JWT library check."""
    if claims.get("token_use") != "access":
        return "wrong token_use"
    return ACCEPTED if claims.get("client_id") == CLIENT else "wrong client_id"


def node() -> str | None:
    """Where Node is, if what is needed to ask aws-jwt-verify is here."""
    return shutil.which("node") if (ROOT / "node_modules" / "aws-jwt-verify").is_dir() else None


def with_aws_jwt_verify(jwks: dict[str, Any], tokens: Sequence[str]) -> list[str]:
    """All at once, in one process."""
    program = node()
    assert program is not None
    configuration = {"userPoolId": POOL, "clientId": CLIENT, "jwks": jwks}
    run = subprocess.run(
        [program, str(Path(__file__).with_name("aws_jwt_verify.mjs"))],
        input="\n".join(json.dumps(line) for line in (configuration, *tokens)) + "\n",
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert run.returncode == 0, run.stderr
    verdicts = run.stdout.splitlines()
    assert len(verdicts) == len(tokens)
    return verdicts
