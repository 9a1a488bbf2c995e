"""Clients and environments for the local stack: invented credentials, and nothing of this machine's AWS set-up."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

import botocore.session
from botocore.config import Config

from demo.emulator import ACCESS_KEY, REGION, SECRET_KEY

if TYPE_CHECKING:
    from pathlib import Path

    from botocore.client import BaseClient

#: The user's own profile and files must not be used.
_NO_FILES: Final = {
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
}

#: Once, and no longer than a cold Lambda takes: the emulator responds with 500 if a trigger refuses, and the SDK would
#: repeat the request.
_ONCE: Final = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=60)


def client(service: str, endpoint: str, **credentials: Any) -> BaseClient:  # noqa: ANN401 - botocore's own arguments
    """A botocore client of the local stack.

    Args:
        service: as botocore calls it, such as ``cognito-idp``.
        endpoint: where the local stack listens.
        credentials: others than the account's own, as ``create_client`` takes them.
    """
    session = botocore.session.Session(session_vars=_NO_FILES)
    own = {"aws_access_key_id": ACCESS_KEY, "aws_secret_access_key": SECRET_KEY}
    return session.create_client(
        service, region_name=REGION, endpoint_url=endpoint, config=_ONCE, **{**own, **credentials}
    )


def environment(endpoint: str, scripts: Path, **more: str) -> dict[str, str]:
    """The environment of a program that talks to the local stack: this one, with other AWS settings.

    Args:
        endpoint: where the local stack listens.
        scripts: the folder of the programs of this project's environment; searched first.
        more: further variables.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return kept | {
        "PATH": os.pathsep.join([str(scripts), os.environ.get("PATH", os.defpath)]),
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        **more,
    }
