"""The Pythons that are measured, each with the assets as a deployment builds them and with the peers' packages."""

from __future__ import annotations

import io
import os
import platform
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from claimsmith_cdk.bundling import build_asset, find_interpreter, find_uv
from claimsmith_cdk.hosting import Hosting

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ROOT: Final = Path(__file__).resolve().parents[2]
PEERS: Final = Path(__file__).with_name("peers")
TRIGGER: Final = "lambdas.pre_token.handler"
AUTHORIZER: Final = "lambdas.verifier.authorizer"
INTROSPECTION: Final = "lambdas.verifier.introspection"

#: What the peers' own assets hold beside their one file. The runtime has a boto3; AWS advises to bring one's own.
PACKAGES: Final = {
    "boto3": ("boto3", "botocore", "s3transfer", "jmespath", "urllib3", "dateutil", "six.py"),
    "powertools": ("aws_lambda_powertools", "pydantic", "pydantic_core", "annotated_types", "typing_inspection"),
    "pyjwt": ("jwt", "cryptography", "_cffi_backend*"),
}

#: A function's variables, all of them.
ENVIRONMENT: Final = {
    "PATH": os.environ.get("PATH", ""),
    "AWS_ACCESS_KEY_ID": "invented",
    "AWS_SECRET_ACCESS_KEY": "invented",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_REGION": "eu-central-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "CLAIMSMITH_TABLE": "claimsmith",
}


@dataclass(frozen=True)
class Runtime:
    """A Python with what it runs.

    Attributes:
        version: its minor version.
        full: its whole version.
        packages: the folder of what the peers need, with Lambda's runtime client; as in Lambda, ours may see it last.
    """

    version: str
    full: str
    python: str
    trigger: Path
    authorizer: Path
    introspection: Path
    packages: Path

    def command(self, program: str, *arguments: str) -> list[str]:
        """A program for a fresh process, alone with what it adds to its path."""
        return [self.python, "-I", "-S", "-c", program, *arguments]

    def output(self, program: str, environment: Mapping[str, str], *arguments: str, given: str = "") -> str:
        """All that a program prints in a fresh process."""
        return subprocess.run(
            self.command(program, *arguments),
            env=dict(environment),
            cwd="/",
            input=given,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=300,
        ).stdout

    def run(self, program: str, environment: Mapping[str, str], *arguments: str, given: str = "") -> str:
        """The last line of it."""
        return self.output(program, environment, *arguments, given=given).splitlines()[-1]


def runtimes() -> list[Runtime]:
    """The Python that functions are deployed on, where it is here, and the one that runs this."""
    machine = "arm64" if platform.machine() in {"aarch64", "arm64"} else "x86_64"
    found = []
    for version in dict.fromkeys((Hosting().python, f"{sys.version_info.major}.{sys.version_info.minor}")):
        interpreter = find_interpreter(version)
        if interpreter is None:
            sys.stderr.write(f"No Python {version} here: the deployed runtime is not measured.\n")
            continue
        trigger, authorizer, introspection = (
            build_asset(module, arch=machine, python=version).path for module in (TRIGGER, AUTHORIZER, INTROSPECTION)
        )
        packages = _packages(interpreter.path, version)
        found.append(
            Runtime(version, interpreter.version, interpreter.path, trigger, authorizer, introspection, packages)
        )
    return found


def _packages(python: str, version: str) -> Path:
    """What the peers need, installed for this Python and compiled, as ours are."""
    lock = ROOT / "requirements" / "bench.txt"
    folder = ROOT / ".local" / "bench" / version
    mark = folder / "installed.txt"
    if not mark.exists() or mark.read_bytes() != lock.read_bytes():
        install = [find_uv(), "pip", "install", "--quiet", "--require-hashes", "--only-binary", ":all:"]
        install += ["--python", python, "--link-mode", "copy", "--no-compile-bytecode", "--target", str(folder)]
        subprocess.run([*install, "--requirements", str(lock)], check=True, timeout=600)
        compiled = [python, "-I", "-S", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", str(folder)]
        subprocess.run(compiled, check=True, timeout=600)
        mark.write_bytes(lock.read_bytes())
    return folder


def sizes(runtime: Runtime) -> dict[str, dict[str, float]]:
    """Megabytes of each asset, packed and not."""
    shared = runtime.packages
    return {
        "Claimsmith trigger": _size([runtime.trigger]),
        "Claimsmith authorizer": _size([runtime.authorizer]),
        "boto3 peer": _size(_found(shared, "boto3")),
        "Powertools peer": _size(_found(shared, "boto3", "powertools")),
        "PyJWT peer": _size(_found(shared, "pyjwt")),
    }


def _found(folder: Path, *parts: str) -> list[Path]:
    return [path for part in parts for name in PACKAGES[part] for path in folder.glob(name)]


def _size(parts: Iterable[Path]) -> dict[str, float]:
    files = [file for part in parts for file in ([part] if part.is_file() else part.rglob("*")) if file.is_file()]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for file in files:
            archive.write(file)
    return {"zip_mb": packed.tell() / 1e6, "mb": sum(file.stat().st_size for file in files) / 1e6}
