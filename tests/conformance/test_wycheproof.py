"""C2SP/wycheproof: what an RSA and a JWS implementation must accept and refuse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from claimsmith.errors import VerificationError
from claimsmith.verifier.jwk import rsa_key
from claimsmith.verifier.jws import check_signature, verify_jws

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

VECTORS = Path(__file__).resolve().parents[2].parent / "shared" / "vectors"


def groups(name: str) -> list[dict[str, Any]]:
    path = VECTORS / name
    if not path.exists():
        pytest.skip(f"the Wycheproof vectors are not here: {path}")
    loaded: list[dict[str, Any]] = json.loads(path.read_text())["testGroups"]
    return loaded


def verifies(key: RSAPublicKey, case: dict[str, Any]) -> bool:
    try:
        check_signature(bytes.fromhex(case["sig"]), bytes.fromhex(case["msg"]), (key,))
    except VerificationError:
        return False
    return True


def test_every_rsa_signature_is_judged_as_the_vectors_say() -> None:
    wrong, judged = [], 0
    for group in groups("rsa_signature_2048_sha256_test.json"):
        key = rsa_key(group["keyJwk"])
        assert key is not None, group["keyJwk"]
        for case in group["tests"]:
            judged += 1
            # The "acceptable" ones leave out a NULL that RFC 8017 section 9.2 requires: refused.
            if verifies(key, case) != (case["result"] == "valid"):
                wrong.append((case["tcId"], case["comment"], case["result"]))
    assert not wrong
    assert judged == 259


def accepts(token: object, key: dict[str, Any]) -> bool:
    try:
        verify_jws(token, {"keys": [key]})  # type: ignore[arg-type] # some vectors are no strings on purpose
    except VerificationError:
        return False
    return True


def public(group: dict[str, Any]) -> dict[str, Any]:
    key: dict[str, Any] = group["public"] if "public" in group else group["private"]
    return key


def is_rs256(group: dict[str, Any]) -> bool:
    key = public(group)
    return bool(key["kty"] == "RSA" and key.get("alg", "RS256") == "RS256")


def test_every_rs256_token_is_judged_as_the_vectors_say() -> None:
    wrong, judged = [], {"valid": 0, "invalid": 0}
    for group in filter(is_rs256, groups("json_web_signature_test.json")):
        for case in group["tests"]:
            judged[case["result"]] += 1
            if accepts(case["jws"], group["public"]) != (case["result"] == "valid"):
                wrong.append((case["tcId"], case["comment"], case["result"]))
    assert not wrong
    assert judged == {"valid": 8, "invalid": 225 + 2}, "225 and the two keys that are for encryption, 353 and 355"


def test_a_token_of_any_other_algorithm_is_refused_valid_or_not() -> None:
    others = [group for group in groups("json_web_signature_test.json") if not is_rs256(group)]
    accepted = [case["tcId"] for group in others for case in group["tests"] if accepts(case["jws"], public(group))]
    assert others
    assert not accepted
