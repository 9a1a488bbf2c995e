"""Key pairs of AWS KMS that sign what others verify.

https://docs.aws.amazon.com/kms/latest/APIReference/API_Sign.html
"""

from __future__ import annotations

from typing import Any, Final, NoReturn

import botocore.session
from botocore.exceptions import BotoCoreError, ClientError

from claimsmith.errors import Code, StoreError
from claimsmith.store.dynamodb import TOKEN_PATH

#: JWA's names (RFC 7518 section 3.1) -> those of KMS.
_ALGORITHMS: Final = {"RS256": "RSASSA_PKCS1_V1_5_SHA_256", "ES256": "ECDSA_SHA_256"}


class KmsSigningKey:
    """The ``SigningKey`` of an asymmetric KMS key whose usage is ``SIGN_VERIFY``."""

    def __init__(self, client: Any, arn: str) -> None:  # noqa: ANN401 - botocore clients have no type
        """Use a key.

        Args:
            client: of KMS.
            arn: the key's, not that of an alias, which may come to mean another key.
        """
        self._client = client
        self._arn = arn

    def public_key(self) -> bytes:
        """The public key as DER.

        Raises:
            StoreError: KMS does not answer, or refuses.
        """
        try:
            found: bytes = self._client.get_public_key(KeyId=self._arn)["PublicKey"]
        except (BotoCoreError, ClientError) as error:
            _fail(error, "kms:GetPublicKey")
        return found

    def sign(self, digest: bytes, algorithm: str, /) -> bytes:
        """A signature.

        Raises:
            StoreError: KMS does not answer, or refuses.
        """
        try:
            answer = self._client.sign(
                KeyId=self._arn, Message=digest, MessageType="DIGEST", SigningAlgorithm=_ALGORITHMS[algorithm]
            )
        except (BotoCoreError, ClientError) as error:
            _fail(error, "kms:Sign")
        signature: bytes = answer["Signature"]
        return signature


def connect(endpoint_url: str | None = None) -> Any:  # noqa: ANN401 - botocore clients have no type
    """A KMS client with the time limits of whoever is waited for.

    Raises:
        StoreError: there is none, for want of a region for example.
    """
    try:
        return botocore.session.get_session().create_client("kms", endpoint_url=endpoint_url, config=TOKEN_PATH)
    except (BotoCoreError, ValueError) as error:
        _fail(error, "anything")


def _fail(error: Exception, permission: str) -> NoReturn:
    code = error.response.get("Error", {}).get("Code", "") if isinstance(error, ClientError) else type(error).__name__
    raise StoreError(Code.ANSWER_NOT_SIGNED, f"AWS KMS does not perform {permission} ({code}).") from error
