"""Sign-in by SRP (Secure Remote Password): the password never leaves this machine.

The one place that knows pycognito, which has had no release since May 2024, so that it can be replaced here.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from pycognito.aws_srp import AWSSRP

if TYPE_CHECKING:
    from collections.abc import Mapping

    from botocore.client import BaseClient


def sign_in(
    client: BaseClient,
    pool_id: str,
    client_id: str,
    username: str,
    password: str,
    metadata: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Sign in with a public client (``USER_SRP_AUTH``).

    Args:
        client: a botocore ``cognito-idp`` client.
        pool_id: the user pool.
        client_id: the app client.
        username: who.
        password: their password.
        metadata: ``ClientMetadata`` of the answer to the challenge; this is where the trigger can see it.

    Returns:
        Cognito's ``AuthenticationResult``: ``AccessToken``, ``IdToken``, ``RefreshToken`` and more.

    Raises:
        botocore.exceptions.ClientError: as Cognito does, for example for a wrong password.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of datetime.utcnow, from Python 3.12 on
        answer = AWSSRP(username, password, pool_id, client_id, client=client).authenticate_user(
            client_metadata=dict(metadata) if metadata else None
        )
    result: dict[str, str] = answer["AuthenticationResult"]
    return result
