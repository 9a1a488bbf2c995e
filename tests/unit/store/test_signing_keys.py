"""Key pairs of AWS KMS, as moto has it."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key
from moto import mock_aws

from claimsmith.errors import Code, StoreError
from claimsmith.store.signing_keys import KmsSigningKey, connect

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize(("spec", "algorithm"), [("RSA_2048", "RS256"), ("ECC_NIST_P256", "ES256")])
def test_a_key_signs_a_digest(spec: str, algorithm: str) -> None:
    digest = sha256(b"x").digest()
    with mock_aws():
        client = connect()
        arn = client.create_key(KeyUsage="SIGN_VERIFY", KeySpec=spec)["KeyMetadata"]["Arn"]
        key = KmsSigningKey(client, arn)
        public, signature = load_der_public_key(key.public_key()), key.sign(digest, algorithm)
    # moto takes what is a digest for the message; that it is none for KMS is what tests/integration/kms_server.py asks.
    if isinstance(public, rsa.RSAPublicKey):
        public.verify(signature, digest, padding.PKCS1v15(), SHA256())
    else:
        assert isinstance(public, ec.EllipticCurvePublicKey)
        public.verify(signature, digest, ec.ECDSA(SHA256()))


def test_what_kms_refuses_is_an_error_with_its_code() -> None:
    with mock_aws():
        client = connect()
        arn = client.create_key(KeyUsage="SIGN_VERIFY", KeySpec="RSA_2048")["KeyMetadata"]["Arn"]
        missing = KmsSigningKey(client, arn[:-4] + "0000")
        for use, permission in ((missing.public_key, "kms:GetPublicKey"), (sign(missing), "kms:Sign")):
            with pytest.raises(StoreError, match=rf"{permission} \(NotFoundException\)") as raised:
                use()
            assert raised.value.code is Code.ANSWER_NOT_SIGNED


def test_a_kms_that_is_out_of_reach_is_an_error() -> None:
    key = KmsSigningKey(connect("http://127.0.0.1:9"), "arn:aws:kms:eu-central-1:123456789012:key/x")
    with pytest.raises(StoreError, match=r"kms:Sign \(EndpointConnectionError\)"):
        sign(key)()


def test_an_address_that_is_none_is_an_error_with_the_code() -> None:
    with pytest.raises(StoreError) as raised:
        connect("nonsense")
    assert raised.value.code is Code.ANSWER_NOT_SIGNED


def sign(key: KmsSigningKey) -> Callable[[], bytes]:
    return lambda: key.sign(sha256(b"x").digest(), "RS256")
