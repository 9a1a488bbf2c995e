"""What Cognito takes as resource servers.

https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_CreateResourceServer.html
"""

from __future__ import annotations

import re
from typing import Final

_SERVER: Final = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]{1,256}")
_SCOPE_NAME: Final = re.compile(r"[\x21\x23-\x2E\x30-\x5B\x5D-\x7E]{1,256}")
_MAX_SCOPES: Final = 100
_MAX_DESCRIPTION: Final = 256

#: The identifier of introspection's scope; and how many others a pool may have by AWS's quotas.
_OWN_SERVER: Final = "claimsmith"
_MAX_SERVERS: Final = 24


def check_resource_servers(servers: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """Resource servers, unchanged.

    Args:
        servers: by identifier, each with its scopes and their descriptions.

    Raises:
        ValueError: Cognito would refuse one of them; the message has the remedy.
    """
    if len(servers) > _MAX_SERVERS:
        raise ValueError(f"a user pool has at most {_MAX_SERVERS} resource servers beside the app's own")
    for identifier, scopes in servers.items():
        if not _SERVER.fullmatch(identifier):
            raise ValueError(
                f"{identifier!r} can be no identifier: 1 to 256 characters of ASCII, without spaces, quotes and \\"
            )
        if identifier.lower() == _OWN_SERVER:
            raise ValueError(f"{identifier!r} is the app's own; choose another identifier")
        if not 1 <= len(scopes) <= _MAX_SCOPES:
            raise ValueError(f"{identifier!r} must have 1 to {_MAX_SCOPES} scopes, each with a description")
        for name, description in scopes.items():
            if not _SCOPE_NAME.fullmatch(name):
                raise ValueError(f"{name!r} of {identifier!r} can be no scope: as an identifier, and without slashes")
            if not 1 <= len(description) <= _MAX_DESCRIPTION:
                raise ValueError(
                    f"{name!r} of {identifier!r} needs a description of 1 to {_MAX_DESCRIPTION} characters"
                )
    return servers
