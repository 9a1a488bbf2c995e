"""Builds a function's asset without Docker: its packages with ``uv``, its own files from its imports.

An asset is a folder in ``.build/``, named by a hash of all its inputs, so that a second synth only looks it up.
Two builds from the same inputs are byte-equal: file order, hash seed, times and permissions are fixed.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from claimsmith_cdk.closure import first_party_files

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT: Final = Path(__file__).resolve().parents[2]
BUILD: Final = ROOT / ".build"
FIRST_PARTY: Final = ("claimsmith", "lambdas")

#: Wheels that run on every Amazon Linux that a supported runtime uses (glibc 2.17 and newer).
PLATFORMS: Final = {"arm64": "aarch64-manylinux2014", "x86_64": "x86_64-manylinux2014"}

#: The services that functions call, with the version of their API; botocore's data is cut down to these.
_SERVICES: Final = {"dynamodb": "2012-08-10"}
_OTHER_SERVICES: Final = {
    "lambdas.attach.handler": {"cognito-idp": "2016-04-18", "lambda": "2015-03-31"},
    "lambdas.probe.handler": {
        "codedeploy": "2014-10-06",
        "cognito-idp": "2016-04-18",
        "lambda": "2015-03-31",
        "secretsmanager": "2017-10-17",
    },
    "lambdas.verifier.introspection": {"kms": "2014-11-01"},
}
_SERVICE_FILES: Final = ("service-2.json", "endpoint-rule-set-1.json", "paginators-1.json")
_COMMON_FILES: Final = ("endpoints.json", "partitions.json", "sdk-default-configuration.json", "_retry.json")

#: Of a distribution's metadata: what vulnerability scanners read, and its licence.
_KEPT_METADATA: Final = re.compile(r"METADATA|(LICEN[CS]E|NOTICE|AUTHORS|COPYING).*|licenses", re.IGNORECASE)
_UNUSED_FOLDERS: Final = frozenset({"__pycache__", "bin", "test", "tests"})
#: Compilers of C declarations; ``cryptography`` is compiled already and needs only ``_cffi_backend`` beside them.
_UNUSED_PACKAGES: Final = ("cffi", "pycparser")
_UNUSED_SUFFIXES: Final = frozenset({".pyi", ".pyx", ".pxd", ".c", ".h", ".pyc"})

#: Where Lambda unpacks an asset; tracebacks read from bytecode name files below it.
_TASK_ROOT: Final = "/var/task"
_TIMESTAMP: Final = 946_684_800  # 2000-01-01, after the first day that a zip archive can express
_KEEP_SECONDS: Final = 24 * 60 * 60


class BundlingError(RuntimeError):
    """An asset could not be built; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Asset:
    """A built asset.

    Attributes:
        path: the folder that becomes the function's code.
        bytecode: whether it has bytecode; without it, every cold start compiles what it imports.
    """

    path: Path
    bytecode: bool


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python that can compile bytecode for a runtime: same minor version, so same format."""

    path: str
    version: str


def build_asset(module: str, *, arch: str, python: str, root: Path = ROOT, build: Path = BUILD) -> Asset:
    """Build, or find, the asset of a handler.

    Args:
        module: the handler's module, with dots; ``requirements.txt`` is next to it.
        arch: a key of ``PLATFORMS``.
        python: the runtime's minor version, such as ``3.13``.
        root: the folder of the first-party packages.
        build: the folder of the assets.

    Raises:
        BundlingError: ``uv`` is missing or could not install, or the bytecode could not be compiled.
        FileNotFoundError: the module or its requirements do not exist.
    """
    # Read once, so that the hash is that of the copied content, even while somebody edits.
    sources = {
        file.relative_to(root).as_posix(): file.read_bytes() for file in first_party_files(root, module, FIRST_PARTY)
    }
    requirements = root.joinpath(*module.split(".")[:-1], "requirements.txt")
    uv = find_uv()
    interpreter = find_interpreter(python)
    inputs: list[tuple[str, bytes]] = [
        ("target", f"{PLATFORMS[arch]} {python}".encode()),
        ("tools", f"{_output(uv, '--version')} {interpreter.version if interpreter else 'no bytecode'}".encode()),
        ("requirements", requirements.read_bytes()),
        *sources.items(),
        *((own.name, own.read_bytes()) for own in (Path(__file__), Path(__file__).with_name("closure.py"))),
    ]
    prefix = f"{module}-{arch}-{python}-".replace(".", "_")  # CDK takes what follows a dot for a file's type
    asset = Asset(path=build / f"{prefix}{_digest(inputs)}", bytecode=interpreter is not None)
    if not asset.path.is_dir():
        build.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=build, prefix="tmp-") as folder:
            output = Path(folder, "asset")
            _install(uv, requirements, arch, python, output)
            _trim_packages(output)
            _trim_botocore(output / "botocore" / "data", _SERVICES | _OTHER_SERVICES.get(module, {}))
            for name, content in sources.items():
                target = output / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
            if interpreter is not None:
                _compile(interpreter, output)
            _normalise(output)
            _move(output, asset.path)
    os.utime(asset.path)  # marks it as in use
    _forget_unused(build, prefix)
    return asset


def _digest(inputs: list[tuple[str, bytes]]) -> str:
    """A hash of names and contents, each with its length, so that different inputs never concatenate alike."""
    digest = hashlib.sha256()
    for name, content in inputs:
        digest.update(f"{len(name)} {name} {len(content)} ".encode())
        digest.update(content)
    return digest.hexdigest()[:32]


def find_uv(scripts: str | None = None, path: str | None = None) -> str:
    """The ``uv`` of this interpreter's environment, or the one on PATH.

    Args:
        scripts: another folder to look in first.
        path: another PATH.

    Raises:
        BundlingError: there is none.
    """
    found = shutil.which("uv", path=scripts or sysconfig.get_path("scripts")) or shutil.which("uv", path=path)
    if found is None:
        raise BundlingError("uv, which installs the functions' packages, is not here; run `make install` first.")
    return found


def _output(*command: str) -> str | None:
    """The output of a command, or None if it fails or hangs."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)  # noqa: S603 - no input
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def find_interpreter(python: str, path: str | None = None, pyenv: Path | None = None) -> Interpreter | None:
    """A CPython of this minor version on this machine; a shim that does not run is skipped.

    Args:
        python: the minor version, such as ``3.13``.
        path: another PATH.
        pyenv: another folder of pyenv's.
    """
    name = f"python{python}"
    folders = [Path(folder) for folder in (path or os.environ.get("PATH", "")).split(os.pathsep) if folder]
    versions = pyenv or Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    candidates = [
        *([sys.executable] if sys.version_info[:2] == tuple(map(int, python.split("."))) else []),
        *(str(folder / name) for folder in folders),
        *(str(found) for found in sorted(versions.glob(f"versions/{python}.*/bin/{name}"))),
    ]
    report = "import platform, sys; print(platform.python_version(), sys.implementation.cache_tag)"
    tag = f"cpython-{python.replace('.', '')}"
    for candidate in candidates:
        if not os.access(candidate, os.X_OK):
            continue
        version, _, cache_tag = (_output(candidate, "-I", "-S", "-c", report) or "").partition(" ")
        if cache_tag == tag:
            return Interpreter(path=candidate, version=version)
    return None


def _install(uv: str, requirements: Path, arch: str, python: str, output: Path) -> None:
    """Install the packages, by copy: trimming a hard link would trim uv's cache."""
    command = (
        *(uv, "pip", "install", "--quiet", "--require-hashes", "--only-binary", ":all:"),
        *("--python", sys.executable, "--python-platform", PLATFORMS[arch], "--python-version", python),
        *("--link-mode", "copy", "--no-installer-metadata", "--no-compile-bytecode"),
        *("--target", str(output), "--requirements", str(requirements)),
    )
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own arguments
    if done.returncode:
        raise BundlingError(
            f"uv could not install {requirements} for Python {python} on {PLATFORMS[arch]}:\n{done.stderr.strip()}"
        )


def _trim_packages(output: Path) -> None:
    """Remove what a function never reads."""
    for package in _UNUSED_PACKAGES:
        shutil.rmtree(output / package, ignore_errors=True)
    for folder, names, files in os.walk(output):
        here = Path(folder)
        metadata = here.parent == output and here.suffix == ".dist-info"
        for name in tuple(names):
            if name in _UNUSED_FOLDERS or (metadata and not _KEPT_METADATA.fullmatch(name)):
                shutil.rmtree(here / name)
                names.remove(name)
        for name in files:
            if Path(name).suffix in _UNUSED_SUFFIXES or (metadata and not _KEPT_METADATA.fullmatch(name)):
                (here / name).unlink()


def _trim_botocore(data: Path, services: Mapping[str, str]) -> None:
    """Cut botocore's description of all of AWS down to the services in use; its loader stays as it is."""
    if not data.is_dir():
        return
    for entry in tuple(data.iterdir()):
        if entry.is_file() and entry.name not in _COMMON_FILES:
            entry.unlink()
        elif entry.is_dir() and entry.name not in services:
            shutil.rmtree(entry)
        elif entry.is_dir():
            _trim_service(entry, services[entry.name])
    endpoints = json.loads((data / "endpoints.json").read_bytes())
    for partition in endpoints["partitions"]:
        partition["services"] = {name: known for name, known in partition["services"].items() if name in services}
    _write_json(data / "endpoints.json", endpoints)


def _trim_service(service: Path, version: str) -> None:
    """Keep one version of a service's model, unpacked and without its prose."""
    models = {
        path.name.removesuffix(".gz"): gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        for path in (service / version).iterdir()
    }
    shutil.rmtree(service)
    (service / version).mkdir(parents=True)
    for name in _SERVICE_FILES:
        _write_json(service / version / name, _undocumented(json.loads(models[name])))


def _undocumented(model: Any) -> Any:  # noqa: ANN401 - any JSON value
    """A service model without its prose, which is most of it; members that happen to have that name stay."""
    match model:
        case dict():
            return {
                name: _undocumented(value)
                for name, value in model.items()
                if not (name == "documentation" and isinstance(value, str))
            }
        case list():
            return [_undocumented(value) for value in model]
        case _:
            return model


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, separators=(",", ":")), encoding="utf-8")


def _compile(interpreter: Interpreter, output: Path) -> None:
    """Compile bytecode that is valid for any file times: Lambda's task root is read-only and unzipped."""
    done = subprocess.run(  # noqa: S603 - our own arguments
        (
            *(interpreter.path, "-s", "-S", "-P", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"),
            *("-s", str(output), "-p", _TASK_ROOT, str(output)),
        ),
        # Sets of constants are written in iteration order, which the hash seed decides.
        env={"PATH": os.environ.get("PATH", ""), "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BundlingError(f"{interpreter.path} could not compile the asset:\n{done.stdout}{done.stderr}".strip())


def _normalise(output: Path) -> None:
    """Give every entry the same time and permissions, so that all builds are equal."""
    for folder, _, files in os.walk(output, topdown=False):
        for name in files:
            file = Path(folder, name)
            file.chmod(0o644)
            os.utime(file, (_TIMESTAMP, _TIMESTAMP))
        Path(folder).chmod(0o755)
        os.utime(folder, (_TIMESTAMP, _TIMESTAMP))


def _move(output: Path, target: Path) -> None:
    """Move a finished asset to its place in one step; if another build was first, its equal asset stays."""
    try:
        output.rename(target)
    except OSError:
        if not target.is_dir():
            raise


def _forget_unused(build: Path, prefix: str) -> None:
    """Remove assets of the same function and target that nothing has used for a day."""
    for path in build.glob(f"{prefix}*"):
        if path.stat().st_mtime < time.time() - _KEEP_SECONDS:
            shutil.rmtree(path, ignore_errors=True)
