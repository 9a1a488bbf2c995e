"""Keys that introspection cannot sign with, which KMS or IAM would refuse only at the first signed answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aws_cdk import Token
from aws_cdk import aws_kms as kms

from claimsmith_cdk.props import PropsError, check_several

if TYPE_CHECKING:
    from collections.abc import Sequence

#: For RS256 and ES256: https://docs.aws.amazon.com/kms/latest/developerguide/symm-asymm-choose-key-spec.html
_SPECS: Final = ("RSA_2048", "RSA_3072", "RSA_4096", "ECC_NIST_P256")
_USAGE: Final = "SIGN_VERIFY"


def check_signing_keys(keys: Sequence[kms.IKey]) -> None:
    """Refuse keys that cannot sign. What an imported key is, nobody knows before the function asks KMS.

    Raises:
        PropsError: they are no list, or one is no key, an alias, or a key of this app with another spec or usage.
    """
    check_several("signing_keys", keys)
    for key in keys:
        if not hasattr(key, "key_arn"):
            raise PropsError(f"signing_keys: {key!r} is no key; use kms.Key, such as kms.Key.from_key_arn.")
        # "You cannot use a key id, alias name, or alias ARN to identify a KMS key in an IAM policy statement":
        # https://docs.aws.amazon.com/kms/latest/developerguide/cmks-in-iam-policies.html
        if isinstance(key, kms.Alias) or ":alias/" in key.key_arn:
            raise PropsError(
                "signing_keys: an alias is not possible, since IAM permits the use of keys by their own ARN only; give "
                "the key, such as kms.Key.from_key_arn."
            )
        made = key.node.default_child
        if isinstance(made, kms.CfnKey):
            # What CloudFormation takes if the template says nothing.
            _check(made.key_spec or "SYMMETRIC_DEFAULT", made.key_usage or "ENCRYPT_DECRYPT", made.node.path)


def _check(spec: str, usage: str, path: str) -> None:
    if Token.is_unresolved(spec) or Token.is_unresolved(usage):
        return
    if spec not in _SPECS or usage != _USAGE:
        raise PropsError(
            f"signing_keys: {path} is a key of {spec} for {usage}; use key_usage=kms.KeyUsage.SIGN_VERIFY, with a "
            f"key_spec of {', '.join(_SPECS[:-1])} or {_SPECS[-1]}."
        )
